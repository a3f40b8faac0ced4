/** The audit log as its rows say it is: every leaf hashed anew, and the root of them by the naive way. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { expect } from 'vitest';
import type { AuditStore, StoredAuditRow } from '../../src/broker/audit/auditPorts.ts';
import type { AuditKeeper } from '../../src/broker/audit/auditStart.ts';

const digest = (...parts: readonly (string | Buffer)[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);

/** RFC 6962, section 2.1, word for word. */
export function naiveRoot(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return digest('');
  if (leaves.length === 1) return leaves[0] as Buffer;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return digest(NODE, naiveRoot(leaves.slice(0, split)), naiveRoot(leaves.slice(split)));
}

export type StoredRecord = Record<string, unknown> & { readonly seq: number; readonly op: string };

/** All records from the first on, after looking that they are numbered without a gap and hashed as they are. */
export async function storedLog(
  store: AuditStore,
): Promise<{ rows: StoredAuditRow[]; records: StoredRecord[]; leaves: Buffer[]; root: Buffer }> {
  const rows: StoredAuditRow[] = [];
  for (;;) {
    const page = await store.auditRows(rows.length, 500);
    if (page.length === 0) break;
    rows.push(...page);
  }
  expect(rows.map((row) => row.seq)).toEqual(rows.map((_, i) => i));
  const leaves = rows.map((row) => Buffer.from(row.leaf, 'base64url'));
  for (const [i, { text }] of rows.entries())
    if (text !== undefined) expect(digest(LEAF, text)).toEqual(leaves[i]);
  const records = rows.map(({ text, seq }) =>
    text === undefined ? { seq, op: 'pruned' } : (JSON.parse(text) as StoredRecord),
  );
  return { rows, records, leaves, root: naiveRoot(leaves) };
}

/** A key and what is kept beside it, in memory: it outlives a store that is set back. */
export class MemoryKeeper implements AuditKeeper {
  readonly key = generateKeyPairSync('ed25519').privateKey;
  kept: string | undefined;
  reason: string | undefined;
  head(): string | undefined {
    return this.kept;
  }
  keepHead(note: string): void {
    this.kept = note;
  }
  continuation(): string | undefined {
    return this.reason;
  }
  continued(): void {
    this.reason = undefined;
  }
}
