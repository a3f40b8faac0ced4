/**
 * What the log says of one deed: a closed set of fields, in canonical JSON, without secrets, and with every
 * personal value behind a salted hash. Salt and value are kept aside and can be erased; the record, its
 * leaf and every proof stay as they were.
 */
import { createHash } from 'node:crypto';
import { canonical, type Json } from './canonical.ts';
import { type Hash, leafHash } from './tree.ts';

export const auditOps = [
  'decision',
  'token.mint',
  'token.seen',
  'token.redeem',
  'token.revoke',
  'policy.change',
  'peer.change',
  'override',
  'ledger.grant',
  'ledger.hold',
  'ledger.capture',
  'ledger.void',
  'ledger.refund',
  'light.clear',
  'log.continue',
  'log.forked',
  'personal.erase',
  'door.refused',
] as const;
export type AuditOp = (typeof auditOps)[number];

export type Flat = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** Everything is optional but what every deed has: place, time, kind. */
export interface AuditRecord {
  readonly seq: number;
  /** RFC 3339 with milliseconds. */
  readonly time: string;
  readonly op: AuditOp;
  readonly decision_id?: string;
  readonly txn?: string;
  readonly domain?: string;
  readonly peer?: string;
  readonly trace?: string;
  /** Personal: who, as authentication knows him. */
  readonly actor?: string;
  /** Thumbprint of the holder's key. */
  readonly holder?: string;
  readonly action?: string;
  readonly project?: string;
  readonly circuit?: string;
  readonly ports?: readonly string[];
  readonly ask?: Flat;
  readonly decision?: 'ALLOW' | 'DENY';
  readonly reasons?: readonly string[];
  readonly errors?: readonly string[];
  readonly sequence?: 'AGENT' | 'PULL' | 'PUSH';
  readonly policy_set_sha256?: string;
  readonly schema_sha256?: string;
  /** The flat facts as the policy saw them: with the policy set they decide again. */
  readonly facts?: Flat;
  readonly token?: { readonly iss: string; readonly jti: string; readonly links: number };
  /** The row of the ledger as it is: reading them all again is the audit of the books. */
  readonly transfer?: Flat;
  readonly effect?: string;
  /** Why an operator overrode. Personal: free text. */
  readonly reason?: string;
}

/** Stored as a hash, with salt and value aside. */
export const personalFields = ['actor', 'reason'] as const;
export type PersonalField = (typeof personalFields)[number];

export interface Aside {
  readonly seq: number;
  readonly field: PersonalField;
  /** 16 bytes in base64url. */
  readonly salt: string;
  readonly value: string;
}

export interface SealedRecord {
  readonly seq: number;
  /** The canonical text: what is stored, exported and hashed. */
  readonly text: string;
  readonly leaf: Hash;
  readonly asides: readonly Aside[];
}

const SALT_BYTES = 16;

/**
 * Things that must never be in a record, whatever field somebody put them into: JWTs and circuit tokens,
 * Authorization values, PEM and JWK secrets, TL1 log-ins. Wrongly blanking is better than wrongly keeping.
 */
const SECRETS: readonly RegExp[] = [
  /eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.~-]+/g,
  /\b(?:Bearer|Basic|CCT)\s+[A-Za-z0-9._~+/=-]{8,}/gi,
  /-----BEGIN [A-Z ]{0,40}KEY-----[^-]*(?:-----END[^-]*-----)?/g,
  /\bACT-USER:[^;]*;?/gi,
  /"d"\s*:\s*"[A-Za-z0-9_-]+"/g,
  /\b(?:password|passwd|secret|community|auth_key|priv_key|authorization)\b\s*[=:]\s*\S+/gi,
];

/** A look that is cheap beside the six patterns, for the texts that hold nothing: nearly all. */
const SUSPECT =
  /eyJ|bearer|basic|cct|-----begin|act-user|"d"|passw|secret|community|auth_key|priv_key|authorization/i;

export function redacted(text: string): string {
  if (!SUSPECT.test(text)) return text;
  let clean = text;
  for (const pattern of SECRETS) clean = clean.replace(pattern, '[redacted]');
  return clean;
}

/** Field names that say what they hold. */
const SECRET_NAME = /password|passwd|secret|community|auth_?key|priv_?key|authorization|^token$/i;

function clean(value: Json, inside: string): Json {
  if (typeof value === 'string') return SECRET_NAME.test(inside) ? '[redacted]' : redacted(value);
  if (typeof value !== 'object' || value === null) return SECRET_NAME.test(inside) ? '[redacted]' : value;
  if (Array.isArray(value)) return value.map((v: Json) => clean(v, inside));
  return Object.fromEntries(
    Object.entries(value).map(([k, v]) => [redacted(k), v === undefined ? v : clean(v, k)]),
  );
}

export const saltedHash = (salt: string, value: string): string =>
  createHash('sha256').update(Buffer.from(salt, 'base64url')).update(value).digest('base64url');

/** `salt` gives 16 fresh bytes for each personal value. */
export function seal(record: AuditRecord, salt: (length: number) => Uint8Array): SealedRecord {
  const asides: Aside[] = [];
  const open: Record<string, Json | undefined> = {};
  for (const [name, value] of Object.entries(record)) {
    const field = personalFields.find((f) => f === name);
    if (field !== undefined && typeof value === 'string') {
      const grain = Buffer.from(salt(SALT_BYTES)).toString('base64url');
      const kept = redacted(value);
      asides.push({ seq: record.seq, field, salt: grain, value: kept });
      open[name] = { sha256: saltedHash(grain, kept) };
    } else {
      // The token member is our own summary of one, which the name would blank.
      open[name] = name === 'token' ? clean(value as Json, 'summary') : clean(value as Json, name);
    }
  }
  const text = canonical(open);
  return { seq: record.seq, text, leaf: leafHash(text), asides };
}

/** The value behind a field of a stored record, if it has not been erased and is the one that was sealed. */
export function reveal(sealed: Json | undefined, aside: Aside | undefined): string | 'ERASED' | 'WRONG' {
  if (aside === undefined) return 'ERASED';
  const hash =
    typeof sealed === 'object' && sealed !== null && 'sha256' in sealed ? sealed['sha256'] : undefined;
  return hash === saltedHash(aside.salt, aside.value) ? aside.value : 'WRONG';
}
