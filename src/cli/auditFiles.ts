/** What an export of the audit log consists of, and what may be said to verify one. */
export const files = {
  log: 'log.json',
  records: 'records.ndjson',
  checkpoints: 'checkpoints.ndjson',
  asides: 'asides.ndjson',
  policies: 'policies',
} as const;

export interface VerifyOptions {
  readonly key?: string;
  readonly known?: readonly string[];
  readonly witness?: readonly string[];
  readonly quorum: string;
}
