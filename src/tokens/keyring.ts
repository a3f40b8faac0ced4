/**
 * An issuer's keys over time: one signs, the retired ones verify until the last token that they signed has
 * ended, a compromised one does nothing any more. And the public side: a JWK set read into keys to trust.
 * Rings are values; storing them, and fetching other people's, is done elsewhere.
 */
import type { KeyObject } from 'node:crypto';
import { ALGORITHM, importPublic, type PublicJwk, publicJwk, publicOf, thumbprint } from './jwk.ts';
import type { IssuerKey } from './verify.ts';

export interface RingKey {
  /** The thumbprint: a key has one name, and no two keys have the same. */
  readonly kid: string;
  readonly jwk: PublicJwk;
  readonly secret: KeyObject;
  /** Of all tokens it has signed, the last end. Seconds. */
  readonly lastExp: number;
  readonly retired?: number;
  readonly compromised?: boolean;
}
/** The first one signs. */
export type KeyRing = readonly [RingKey, ...RingKey[]];

const MAX_KEYS = 64;

export function ringKey(secret: KeyObject): RingKey {
  const jwk = publicOf(secret);
  return { kid: thumbprint(jwk), jwk, secret, lastExp: 0 };
}

/** From `at` on `fresh` signs. */
export function rotate(ring: KeyRing, fresh: RingKey, at: number): KeyRing {
  const [current, ...older] = ring;
  return [fresh, { ...current, retired: at }, ...older];
}

/** To be called with every mint: the key must outlive what it has signed. */
export const noteSigned = (ring: KeyRing, exp: number): KeyRing => {
  const [current, ...older] = ring;
  return [{ ...current, lastExp: Math.max(current.lastExp, exp) }, ...older];
};

/** Everything signed by it dies with it. If it was the one that signs, rotate first. */
export function compromise(ring: KeyRing, kid: string): KeyRing {
  const [current, ...older] = ring;
  const mark = (key: RingKey): RingKey => (key.kid === kid ? { ...key, compromised: true } : key);
  return [mark(current), ...older.map(mark)];
}

/** Without the keys that have nothing left to verify. */
export function prune(ring: KeyRing, now: number): KeyRing {
  const [current, ...older] = ring;
  return [current, ...older.filter((key) => key.lastExp > now)];
}

export const ringKeys = (ring: KeyRing): ReadonlyMap<string, IssuerKey> =>
  new Map(
    ring.map((key, i) => [
      key.kid,
      {
        key: importPublic(key.jwk),
        ...(i === 0 ? {} : { until: key.lastExp }),
        ...(key.retired === undefined ? {} : { retired: key.retired }),
        ...(key.compromised === true ? { compromised: true } : {}),
      },
    ]),
  );

/** For `/.well-known/jwks.json`: all that still verify. */
export const jwks = (ring: KeyRing): { readonly keys: readonly object[] } => ({
  keys: ring
    .filter((key) => key.compromised !== true)
    .map(({ kid, jwk }) => ({ ...jwk, kid, alg: ALGORITHM, use: 'sig' })),
});

/** Keys of a JWK set that fit us. Throws an Error that says why the set as a whole must not be believed. */
export function readJwks(set: unknown): ReadonlyMap<string, IssuerKey> {
  const keys = typeof set === 'object' && set !== null ? new Map(Object.entries(set)).get('keys') : undefined;
  if (!Array.isArray(keys) || keys.length > MAX_KEYS)
    throw new Error(`not a set of at most ${MAX_KEYS} keys`);
  const found = new Map<string, IssuerKey>();
  for (const item of keys) {
    const members = new Map(typeof item === 'object' && item !== null ? Object.entries(item) : []);
    const kid = members.get('kid');
    if (members.has('d') || members.get('kty') === 'oct') throw new Error('the set holds a secret key');
    if (members.get('kty') !== 'EC' || members.get('crv') !== 'P-256' || typeof kid !== 'string') continue;
    if (members.has('use') && members.get('use') !== 'sig') continue;
    if (members.has('alg') && members.get('alg') !== ALGORITHM) continue;
    if (found.has(kid)) throw new Error('the set names one kid twice');
    found.set(kid, { key: importPublic(publicJwk(item)) });
  }
  if (found.size === 0) throw new Error(`the set has no key for ${ALGORITHM}`);
  return found;
}
