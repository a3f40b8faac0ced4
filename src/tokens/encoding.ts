/**
 * The bytes of a token read in the strictest way there is: base64url without padding, white space or stray
 * bits, UTF-8 without repair, JSON with one value per key. Whatever two readers could read differently is
 * refused, because a signature covers bytes and a decision covers what they were taken to mean.
 */
import { hash } from 'node:crypto';
import { TokenError } from './refusal.ts';

const BASE64URL = /^[A-Za-z0-9_-]+$/;
/** A token's own JSON is four deep (authorization_details, an end point); nothing of ours is deeper. */
const MAX_DEPTH = 8;
/** One string of a text that is known to be JSON, and whether it is a key. Linear: no branch overlaps another. */
const STRINGS = /"(?:[^"\\]|\\.)*"(\s*:)?/g;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export const sha256 = (data: string | Uint8Array): string => hash('sha256', data, 'base64url');

export const toBase64url = (data: string | Uint8Array): string =>
  typeof data === 'string'
    ? Buffer.from(data, 'utf8').toString('base64url')
    : Buffer.from(data).toString('base64url');

export function fromBase64url(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  // Encoding again finds stray bits in the last character, which decoding drops.
  if (!BASE64URL.test(text) || bytes.toString('base64url') !== text) {
    throw new TokenError('MALFORMED', 'not base64url in its one form');
  }
  return bytes;
}

/** The object in `bytes`. Members are handed over as a Map: no key of theirs can touch a prototype. */
export function readObject(bytes: Uint8Array): ReadonlyMap<string, unknown> {
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(bytes);
    value = JSON.parse(text);
  } catch {
    throw new TokenError('MALFORMED', 'not JSON in UTF-8');
  }
  let keys = 0;
  for (const match of text.matchAll(STRINGS)) if (match[1] !== undefined) keys++;
  if (keys !== countKeys(value, 0)) throw new TokenError('MALFORMED', 'a JSON key that occurs twice');
  return membersOf(value, 'the token');
}

/** A repeated key is in the text twice and in the value once. */
function countKeys(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (depth === MAX_DEPTH) throw new TokenError('MALFORMED', `JSON more than ${MAX_DEPTH} deep`);
  const inner = Object.values(value).reduce((sum: number, v) => sum + countKeys(v, depth + 1), 0);
  return inner + (Array.isArray(value) ? 0 : Object.keys(value).length);
}

export function membersOf(value: unknown, where: string): ReadonlyMap<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TokenError('CLAIMS', `${where} is not an object`);
  }
  return new Map(Object.entries(value));
}
