/**
 * Holder and issuer keys: P-256 public keys as JWKs of exactly four members, their RFC 7638 thumbprints, and
 * ES256 over them. One algorithm, named here and nowhere else: nothing in a token says how to verify it.
 * node:crypto because it answers at once: a decision of the writer must not yield in the middle.
 */
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { forgetOldest } from '../kernel/forget.ts';
import { sha256, toBase64url } from './encoding.ts';
import { TokenError } from './refusal.ts';

export const ALGORITHM = 'ES256';

/** Exactly these members; a `d` among them would be somebody's secret, and is refused as any other stranger is. */
export interface PublicJwk {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
}

/** 32 bytes in base64url. */
const COORDINATE = /^[A-Za-z0-9_-]{43}$/;

/** The four members of a key that may carry others, such as `kid` and `use`; never a secret one. */
export function publicJwk(jwk: unknown): PublicJwk {
  const members = new Map(typeof jwk === 'object' && jwk !== null ? Object.entries(jwk) : []);
  const [x, y] = [members.get('x'), members.get('y')];
  if (members.has('d')) throw new TokenError('CLAIMS', 'a private key where a public one belongs');
  if (
    members.get('kty') !== 'EC' ||
    members.get('crv') !== 'P-256' ||
    typeof x !== 'string' ||
    typeof y !== 'string' ||
    !COORDINATE.test(x) ||
    !COORDINATE.test(y)
  ) {
    throw new TokenError('CLAIMS', 'a key that is not a P-256 public key');
  }
  return { kty: 'EC', crv: 'P-256', x, y };
}

/** Peers and holders come back with the same few keys, and importing one takes as long as verifying with it. */
const REMEMBERED_KEYS = 1_024;
const imported = new Map<string, KeyObject>();

/** Throws a TokenError when the point is not on the curve. */
export function importPublic(jwk: PublicJwk): KeyObject {
  const name = `${jwk.x}.${jwk.y}`;
  const known = imported.get(name);
  if (known !== undefined) return known;
  try {
    const key = createPublicKey({ key: { ...jwk }, format: 'jwk' });
    imported.set(name, key);
    forgetOldest(imported, REMEMBERED_KEYS);
    return key;
  } catch {
    throw new TokenError('CLAIMS', 'a key that is not a point of P-256');
  }
}

export const publicOf = (key: KeyObject): PublicJwk =>
  publicJwk(createPublicKey(key).export({ format: 'jwk' }));

/** RFC 7638: the members in this order and no white space. */
export const thumbprint = (jwk: PublicJwk): string =>
  sha256(JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y }));

export function signJws(header: object, claims: object, key: KeyObject): string {
  const input = `${toBase64url(JSON.stringify(header))}.${toBase64url(JSON.stringify(claims))}`;
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${toBase64url(signature)}`;
}

export const verifyJws = (input: string, signature: Uint8Array, key: KeyObject): boolean =>
  verify('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }, signature);
