/**
 * Making tokens: the issuer mints a root, any holder passes a narrower one on without asking anybody, and
 * the last holder proves possession for one request. Ids, times and keys come in as arguments; whatever is
 * made here is read back by the same strict reader before it leaves.
 */
import type { KeyObject } from 'node:crypto';
import {
  type LinkClaims,
  type ProofClaims,
  type RootClaims,
  readRoot,
  writeLink,
  writeProof,
  writeRoot,
} from './claims.ts';
import { sha256, toBase64url } from './encoding.ts';
import { type Limits, narrow, type TokenAction } from './grant.ts';
import { ALGORITHM, type PublicJwk, publicOf, signJws, thumbprint } from './jwk.ts';
import { parsePrefix, splitToken, typ } from './parse.ts';
import { TokenError } from './refusal.ts';
import { effective } from './verify.ts';

/** 128 bits of chance in the form that `jti` has. */
export const newJti = (random: { bytes(length: number): Uint8Array }): string =>
  toBase64url(random.bytes(16));

export function mintRoot(
  claims: RootClaims,
  issuer: { readonly kid: string; readonly key: KeyObject },
): string {
  const body = writeRoot(claims);
  // What a reader would refuse is the maker's mistake, and better found here.
  readRoot(new Map(Object.entries(JSON.parse(JSON.stringify(body)) as object)));
  const token = `${signJws({ alg: ALGORITHM, typ: typ.root, kid: issuer.kid }, body, issuer.key)}~`;
  splitToken(token);
  return token;
}

export interface LinkSpec {
  readonly lim: Limits;
  readonly holder: PublicJwk;
  readonly jti: string;
  readonly iat: number;
}

/** A narrower token for the next holder. Offline: needs the token and the present holder's key only. */
export function attenuate(token: string, link: LinkSpec, key: KeyObject): string {
  const { prefix } = splitToken(token);
  const parsed = parsePrefix(prefix);
  const { grant, holder } = effective(parsed);
  if (thumbprint(publicOf(key)) !== thumbprint(holder)) throw new TokenError('HOLDER');
  narrow(grant, link.lim);
  const claims: LinkClaims = { ...link, prh: sha256(prefix) };
  const next = `${prefix}${signJws({ alg: ALGORITHM, typ: typ.link }, writeLink(claims), key)}~`;
  // Reads it all again: sizes, the number of links, the forms of the limits.
  parsePrefix(next);
  return next;
}

export interface ProofSpec {
  readonly aud: string;
  readonly action: TokenAction;
  readonly body: string | Uint8Array;
  readonly opKey: string;
  readonly jti: string;
  readonly iat: number;
}

/** The token with a proof for one request, ready for `Authorization: CCT`. */
export function prove(token: string, spec: ProofSpec, key: KeyObject): string {
  const { prefix } = splitToken(token);
  const { body, ...rest } = spec;
  const claims: ProofClaims = { ...rest, prh: sha256(prefix), bodyHash: sha256(body) };
  const text = `${prefix}${signJws({ alg: ALGORITHM, typ: typ.proof }, writeProof(claims), key)}`;
  splitToken(text);
  return text;
}
