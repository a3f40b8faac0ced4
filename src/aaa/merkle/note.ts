/**
 * Checkpoints as signed notes: C2SP signed-note, tlog-checkpoint and tlog-cosignature, with Ed25519. A
 * checkpoint says "this log has so many records and this root"; whoever signs two for one size has lied.
 * It is made only after the records are durable: when, is the caller's matter.
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

export interface Checkpoint {
  /** Names the log, and no other log ever. */
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
  /** Lines of its own, such as which log this one continues. */
  readonly extensions: readonly string[];
}

export interface NoteSignature {
  readonly name: string;
  readonly keyId: Buffer;
  readonly bytes: Buffer;
}
export interface SignedCheckpoint {
  readonly checkpoint: Checkpoint;
  /** What was signed, with its last line break. */
  readonly body: string;
  readonly signatures: readonly NoteSignature[];
}

/** A key by the name it signs under: a log's, or a witness's. */
export interface NoteKey {
  readonly name: string;
  readonly key: KeyObject;
}

const LOG_KEY = 0x01;
const WITNESS_KEY = 0x04;
const DASH = '\u2014';
const MAX_NOTE = 16 * 1024;
const MAX_SIGNATURES = 32;
const NAME = /^[!-*,-~]{1,200}$/;
const ORIGIN = /^[!-~]{1,200}$/;
const SIZE = /^(?:0|[1-9][0-9]{0,15})$/;

/** The last 32 bytes of an Ed25519 key's SPKI form are the key. */
const rawKey = (key: KeyObject): Buffer =>
  (key.type === 'public' ? key : createPublicKey(key)).export({ type: 'spki', format: 'der' }).subarray(-32);

export const keyId = ({ name, key }: NoteKey, kind: 'log' | 'witness'): Buffer =>
  createHash('sha256')
    .update(`${name}\n`)
    .update(Buffer.from([kind === 'log' ? LOG_KEY : WITNESS_KEY]))
    .update(rawKey(key))
    .digest()
    .subarray(0, 4);

const bodyOf = ({ origin, size, root, extensions }: Checkpoint): string =>
  `${[origin, String(size), root.toString('base64'), ...extensions].join('\n')}\n`;

const line = (name: string, id: Buffer, bytes: Buffer): string =>
  `${DASH} ${name} ${Buffer.concat([id, bytes]).toString('base64')}\n`;

export function signCheckpoint(checkpoint: Checkpoint, signer: NoteKey): string {
  const body = bodyOf(checkpoint);
  if (
    !ORIGIN.test(checkpoint.origin) ||
    !NAME.test(signer.name) ||
    checkpoint.extensions.some((e) => !/^[ -~]+$/.test(e))
  )
    throw new TypeError('a checkpoint has one line for each thing');
  return `${body}\n${line(signer.name, keyId(signer, 'log'), sign(null, Buffer.from(body), signer.key))}`;
}

const cosigned = (body: string, at: number): Buffer => Buffer.from(`cosignature/v1\ntime ${at}\n${body}`);

/** The line of a witness that has compared this checkpoint with all it saw before. `at` in seconds. */
export function cosign(note: SignedCheckpoint, witness: NoteKey, at: number): string {
  const stamp = Buffer.alloc(8);
  stamp.writeBigUInt64BE(BigInt(at));
  const bytes = Buffer.concat([stamp, sign(null, cosigned(note.body, at), witness.key)]);
  return line(witness.name, keyId(witness, 'witness'), bytes);
}

/** Undefined when the text is not a note in its one form. Says nothing about its signatures. */
export function readNote(text: string): SignedCheckpoint | undefined {
  if (text.length > MAX_NOTE) return undefined;
  const end = text.lastIndexOf('\n\n');
  if (end === -1 || !text.endsWith('\n')) return undefined;
  const body = text.slice(0, end + 1);
  const [origin = '', size = '', root = '', ...extensions] = body.slice(0, -1).split('\n');
  const bytes = fromBase64(root);
  if (!ORIGIN.test(origin) || !SIZE.test(size) || bytes?.length !== 32) return undefined;
  const signatures: NoteSignature[] = [];
  for (const text_ of text.slice(end + 2, -1).split('\n')) {
    const [dash, name = '', sealed = '', more] = text_.split(' ', 4);
    const raw = fromBase64(sealed);
    if (dash !== DASH || !NAME.test(name) || raw === undefined || raw.length < 5 || more !== undefined)
      return undefined;
    signatures.push({ name, keyId: raw.subarray(0, 4), bytes: raw.subarray(4) });
  }
  if (signatures.length > MAX_SIGNATURES || !Number.isSafeInteger(Number(size))) return undefined;
  return { checkpoint: { origin, size: Number(size), root: bytes, extensions }, body, signatures };
}

export function isSignedBy(note: SignedCheckpoint, log: NoteKey): boolean {
  const id = keyId(log, 'log');
  return note.signatures.some(
    (s) =>
      s.name === log.name && s.keyId.equals(id) && verify(null, Buffer.from(note.body), log.key, s.bytes),
  );
}

/** When the witness signed it, in seconds; undefined when it did not. */
export function cosignedAt(note: SignedCheckpoint, witness: NoteKey): number | undefined {
  const id = keyId(witness, 'witness');
  for (const { name, keyId: theirs, bytes } of note.signatures) {
    if (name !== witness.name || !theirs.equals(id) || bytes.length !== 72) continue;
    const at = Number(bytes.readBigUInt64BE(0));
    if (Number.isSafeInteger(at) && verify(null, cosigned(note.body, at), witness.key, bytes.subarray(8)))
      return at;
  }
  return undefined;
}

function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** The public key as a line for people to hand on (C2SP signed-note): name, id, and kind with key. */
export const verifierKey = (signer: NoteKey, kind: 'log' | 'witness' = 'log'): string =>
  `${signer.name}+${keyId(signer, kind).toString('hex')}+${Buffer.concat([Buffer.from([kind === 'log' ? LOG_KEY : WITNESS_KEY]), rawKey(signer.key)]).toString('base64')}`;

/** Undefined when the text is not the key of such a signer. */
export function readVerifierKey(text: string, kind: 'log' | 'witness' = 'log'): NoteKey | undefined {
  const [, name, id, sealed] = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim()) ?? [];
  if (name === undefined || id === undefined || sealed === undefined || !NAME.test(name)) return undefined;
  const raw = fromBase64(sealed);
  if (raw?.length !== 33 || raw[0] !== (kind === 'log' ? LOG_KEY : WITNESS_KEY)) return undefined;
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: raw.subarray(1).toString('base64url') };
  const key: NoteKey = { name, key: createPublicKey({ key: jwk, format: 'jwk' }) };
  return keyId(key, kind).toString('hex') === id ? key : undefined;
}
