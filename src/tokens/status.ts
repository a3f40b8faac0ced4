/**
 * Withdrawals: the list of our own and our peers' revoked ids, and status lists (IETF Token Status List: one
 * bit per token, compressed, signed) for whoever is not told directly. A list only ever gains ones: an older
 * one, or one that takes a withdrawal back, is refused.
 */
import type { KeyObject } from 'node:crypto';
import { deflateSync, inflateSync } from 'node:zlib';
import type { InstantMs } from '../kernel/clock.ts';
import { fromBase64url, membersOf, readObject, toBase64url } from './encoding.ts';
import { ALGORITHM, signJws, verifyJws } from './jwk.ts';
import { TokenError } from './refusal.ts';
import { type IssuerKey, SKEW_S, type TokenStatus } from './verify.ts';

const TYP = 'statuslist+jwt';
/** Eight million tokens; a compressed list cannot grow beyond it when it is unpacked. */
const MAX_LIST_BYTES = 1024 * 1024;
const MAX_TEXT = 2 * MAX_LIST_BYTES;

export interface StatusList {
  readonly iss: string;
  readonly uri: string;
  readonly iat: number;
  readonly exp: number;
  readonly bits: Uint8Array;
}

export function signStatusList(
  list: Omit<StatusList, 'bits'> & { readonly size: number; readonly revoked: Iterable<number> },
  signer: { readonly kid: string; readonly key: KeyObject },
): string {
  const bits = new Uint8Array(Math.ceil(list.size / 8));
  for (const idx of list.revoked) bits[idx >> 3] = (bits[idx >> 3] ?? 0) | (1 << (idx & 7));
  return signJws(
    { alg: ALGORITHM, typ: TYP, kid: signer.kid },
    {
      iss: list.iss,
      sub: list.uri,
      iat: list.iat,
      exp: list.exp,
      status_list: { bits: 1, lst: toBase64url(deflateSync(bits)) },
    },
    signer.key,
  );
}

/** Takes a list that was fetched from `uri`, as the successor of `previous`. Throws a TokenError. */
export function readStatusList(
  text: string,
  from: { readonly iss: string; readonly uri: string; readonly keys: ReadonlyMap<string, IssuerKey> },
  now: InstantMs,
  previous?: StatusList,
): StatusList {
  if (text.length > MAX_TEXT) throw new TokenError('TOO_LARGE');
  const [head = '', body = '', seal = '', more] = text.split('.', 4);
  if (more !== undefined) throw new TokenError('MALFORMED');
  const header = readObject(fromBase64url(head));
  const kid = header.get('kid');
  if (header.size !== 3 || header.get('alg') !== ALGORITHM || header.get('typ') !== TYP)
    throw new TokenError('HEADER');
  const key = typeof kid === 'string' ? from.keys.get(kid) : undefined;
  if (key === undefined || key.compromised === true) throw new TokenError('KEY');
  if (!verifyJws(`${head}.${body}`, fromBase64url(seal), key.key)) throw new TokenError('SIGNATURE');
  const claims = readObject(fromBase64url(body));
  const [iat, exp] = [claims.get('iat'), claims.get('exp')];
  if (claims.get('iss') !== from.iss || claims.get('sub') !== from.uri) throw new TokenError('ISSUER');
  if (!isWhole(iat) || !isWhole(exp)) throw new TokenError('CLAIMS');
  const seconds = Math.floor(now / 1000);
  if (iat > seconds + SKEW_S) throw new TokenError('NOT_YET_VALID');
  if (exp <= seconds) throw new TokenError('EXPIRED');
  const bits = unpack(membersOf(claims.get('status_list'), 'status_list'));
  if (previous !== undefined) {
    if (iat < previous.iat) throw new TokenError('STATUS_UNKNOWN', 'an older list than the one we have');
    if (previous.bits.some((byte, i) => (byte & ~(bits[i] ?? 0)) !== 0))
      throw new TokenError('STATUS_UNKNOWN', 'the list takes a withdrawal back');
  }
  return { iss: from.iss, uri: from.uri, iat, exp, bits };
}

/** Beyond its end a list says nothing, and so does one for an index that it does not have. */
export function statusIn(list: StatusList | undefined, idx: number, now: InstantMs): TokenStatus {
  const byte = list?.bits[Math.floor(idx / 8)];
  if (byte !== undefined && (byte & (1 << (idx & 7))) !== 0) return 'REVOKED';
  return list === undefined || byte === undefined || list.exp * 1000 <= now ? 'STALE' : 'VALID';
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value);

function unpack(list: ReadonlyMap<string, unknown>): Uint8Array {
  const lst = list.get('lst');
  if (list.get('bits') !== 1 || typeof lst !== 'string') throw new TokenError('CLAIMS');
  try {
    return inflateSync(fromBase64url(lst), { maxOutputLength: MAX_LIST_BYTES });
  } catch {
    throw new TokenError('CLAIMS', 'the list cannot be unpacked');
  }
}

/** One withdrawn id, of a root or of a link. */
export interface Revocation {
  readonly iss: string;
  readonly jti: string;
  /** No token with this id can live longer; then the entry may go. Seconds. */
  readonly exp: number;
}

/** A peer withdraws what its own issuer made, and nothing else. */
export const mayRevoke = (peerIssuers: readonly string[], revocation: Revocation): boolean =>
  peerIssuers.includes(revocation.iss);

export class Revocations {
  readonly #ids = new Map<string, Revocation>();

  isRevoked(iss: string, jti: string): boolean {
    return this.#ids.has(`${iss}\n${jti}`);
  }
  /** The function given back takes it out again, for a transaction that fails. */
  add(revocation: Revocation): () => void {
    const key = `${revocation.iss}\n${revocation.jti}`;
    if (this.#ids.has(key)) return () => {};
    this.#ids.set(key, revocation);
    return () => this.#ids.delete(key);
  }
  /** What one issuer has withdrawn and nobody has forgotten yet. */
  ofIssuer(iss: string): Revocation[] {
    return [...this.#ids.values()].filter((revocation) => revocation.iss === iss);
  }
  forget(now: InstantMs): void {
    for (const [key, { exp }] of this.#ids) if (exp * 1000 <= now) this.#ids.delete(key);
  }
}
