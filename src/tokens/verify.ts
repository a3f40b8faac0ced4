/**
 * Verification in two halves. What no later moment can change (forms, signatures, narrowing) is done once
 * per token and remembered; what can change (time, keys, revocation, status) is asked again every time, also
 * of a remembered one. The proof of possession is new with every request and never remembered here.
 */
import type { KeyObject } from 'node:crypto';
import type { InstantMs } from '../kernel/clock.ts';
import { prefixOf } from '../model/port.ts';
import type { ProofClaims, RootClaims } from './claims.ts';
import { sha256 } from './encoding.ts';
import { type Grant, narrow, type TokenAction } from './grant.ts';
import { importPublic, type PublicJwk, thumbprint, verifyJws } from './jwk.ts';
import { type ParsedToken, parsePrefix, parseProof, splitToken } from './parse.ts';
import { TokenError } from './refusal.ts';

/** How far another machine's clock may be ahead of ours. Expiry has no such grace. */
export const SKEW_S = 5;
/** A proof is for now. */
export const PROOF_LIFE_S = 60;

export interface IssuerKey {
  readonly key: KeyObject;
  /** Verify-only: what it signed later than this is refused. Seconds. */
  readonly retired?: number;
  /** After this nothing of it is left. Seconds. */
  readonly until?: number;
  readonly compromised?: boolean;
}

export interface TrustedIssuer {
  readonly iss: string;
  readonly keys: ReadonlyMap<string, IssuerKey>;
  readonly maxLifetimeS: number;
  /** Prefixes of our ports, or single ports, that it may mint for. */
  readonly mintsFor: readonly string[];
}

export interface Trust {
  /** Our own URL: what `aud` must hold. */
  readonly audience: string;
  /** Our own port prefixes: here we ask who may mint for them. Other domains' ports are theirs to judge. */
  readonly ownPrefixes: readonly string[];
  readonly issuers: ReadonlyMap<string, TrustedIssuer>;
}

export type TokenStatus = 'VALID' | 'REVOKED' | 'STALE';

/** What the broker knows of withdrawals. Ids are per issuer: nobody revokes what another has made. */
export interface Withdrawals {
  isRevoked(iss: string, jti: string): boolean;
  status(root: RootClaims, now: InstantMs): TokenStatus;
}

export interface Counter {
  readonly id: string;
  readonly bud: ReadonlyMap<string, number>;
}

/** A prefix whose signatures and narrowing hold, for ever. */
export interface Chain {
  readonly prh: string;
  readonly kid: string;
  /** The key that verified it: another one under the same kid later on does not vouch for this. */
  readonly rootKey: KeyObject;
  readonly root: RootClaims;
  readonly grant: Grant;
  /** Ids of the links, as revocation knows them. */
  readonly linkJtis: readonly string[];
  readonly latestIat: number;
  /** What uses and budgets are counted under: the root, then each link, each with what it may spend. */
  readonly counters: readonly Counter[];
  readonly holder: KeyObject;
  readonly holderThumbprint: string;
}

/** Where verified prefixes are remembered; bounded by whoever keeps it. */
export interface PrefixCache {
  get(prh: string): Chain | undefined;
  set(prh: string, chain: Chain): void;
}

/** What the chain grants in the end and to whom, signatures unseen. */
export function effective(token: ParsedToken): { readonly grant: Grant; readonly holder: PublicJwk } {
  let { grant, holder } = token.root.claims;
  for (const link of token.links) {
    grant = narrow(grant, link.claims.lim);
    holder = link.claims.holder;
  }
  return { grant, holder };
}

/** Verifies the part of `text` before its proof. Throws a TokenError. */
export function verifyChain(
  text: string,
  trust: Trust,
  withdrawals: Withdrawals,
  now: InstantMs,
  cache?: PrefixCache,
): Chain {
  const { prefix } = splitToken(text);
  const prh = sha256(prefix);
  const known = cache?.get(prh);
  const chain = known ?? verifySignatures(prefix, prh, trust);
  checkNow(chain, trust, withdrawals, now);
  if (known === undefined) cache?.set(prh, chain);
  return chain;
}

function verifySignatures(prefix: string, prh: string, trust: Trust): Chain {
  const token = parsePrefix(prefix);
  const root = token.root.claims;
  const issuer = trust.issuers.get(root.iss);
  if (issuer === undefined) throw new TokenError('ISSUER');
  const rootKey = issuer.keys.get(token.kid)?.key;
  if (rootKey === undefined) throw new TokenError('KEY');
  if (!verifyJws(token.root.input, token.root.signature, rootKey)) throw new TokenError('SIGNATURE');
  // Counted by what was signed, not by the bytes of signatures: of those there are two for every message.
  let counter = sha256(`${root.iss}\n${root.jti}`);
  let { grant, holder } = root;
  const counters: Counter[] = [{ id: counter, bud: grant.bud }];
  let key = importPublic(holder);
  let latestIat = root.iat;
  for (const [i, link] of token.links.entries()) {
    if (link.claims.prh !== sha256(token.prefixes[i] ?? '')) throw new TokenError('CHAIN');
    if (!verifyJws(link.input, link.signature, key)) throw new TokenError('HOLDER', 'a link by another key');
    grant = narrow(grant, link.claims.lim);
    holder = link.claims.holder;
    key = importPublic(holder);
    latestIat = Math.max(latestIat, link.claims.iat);
    counter = sha256(`${counter}\n${link.input}`);
    counters.push({ id: counter, bud: grant.bud });
  }
  return {
    prh,
    kid: token.kid,
    rootKey,
    root,
    grant,
    linkJtis: token.links.map((l) => l.claims.jti),
    latestIat,
    counters,
    holder: key,
    holderThumbprint: thumbprint(holder),
  };
}

/** Everything that may be otherwise at the next request. */
function checkNow(chain: Chain, trust: Trust, withdrawals: Withdrawals, now: InstantMs): void {
  const { root, grant } = chain;
  const issuer = trust.issuers.get(root.iss);
  if (issuer === undefined) throw new TokenError('ISSUER');
  const seconds = Math.floor(now / 1000);
  const key = issuer.keys.get(chain.kid);
  if (key === undefined || key.compromised === true || !key.key.equals(chain.rootKey))
    throw new TokenError('KEY');
  if (key.retired !== undefined && root.iat > key.retired)
    throw new TokenError('KEY', 'minted with a retired key');
  if (key.until !== undefined && seconds >= key.until)
    throw new TokenError('KEY', 'the key is past its grace');
  if (root.grant.exp - root.iat > issuer.maxLifetimeS) throw new TokenError('LIFETIME');
  if (grant.exp <= seconds) throw new TokenError('EXPIRED');
  if (Math.max(root.nbf, chain.latestIat) > seconds + SKEW_S) throw new TokenError('NOT_YET_VALID');
  if (!grant.aud.includes(trust.audience)) throw new TokenError('AUDIENCE');
  for (const { port } of grant.stps) {
    // Ports were read by their pattern, so the cast to their type tells the truth.
    const prefix = prefixOf(port as `${string}:${string}`);
    if (!trust.ownPrefixes.includes(prefix)) continue;
    if (!issuer.mintsFor.includes(prefix) && !issuer.mintsFor.includes(port))
      throw new TokenError('ISSUER', `the issuer may not mint for ${port}`);
  }
  for (const jti of [root.jti, ...chain.linkJtis]) {
    if (withdrawals.isRevoked(root.iss, jti)) throw new TokenError('REVOKED');
  }
  const status = withdrawals.status(root, now);
  if (status === 'REVOKED') throw new TokenError('REVOKED');
  if (status === 'STALE') throw new TokenError('STATUS_UNKNOWN');
}

/** The request as this end received it. */
export interface ProvenRequest {
  readonly action: TokenAction;
  readonly bodyHash: string;
  readonly opKey: string;
}

/**
 * Who holds the token has signed exactly this request to us. How old the proof is, and whether it was seen
 * before, is decided together with the state (redeem.ts): a known one must be answered, not refused as old.
 */
export function verifyProof(text: string, chain: Chain, request: ProvenRequest, trust: Trust): ProofClaims {
  const { proof } = splitToken(text);
  if (proof === undefined) throw new TokenError('HOLDER', 'no proof of possession');
  const { claims, input, signature } = parseProof(proof);
  if (!verifyJws(input, signature, chain.holder)) throw new TokenError('HOLDER');
  if (claims.prh !== chain.prh) throw new TokenError('REQUEST', 'a proof for another token');
  if (claims.aud !== trust.audience) throw new TokenError('AUDIENCE', 'a proof for another domain');
  if (claims.action !== request.action) throw new TokenError('REQUEST', 'a proof for another action');
  if (claims.bodyHash !== request.bodyHash) throw new TokenError('REQUEST', 'a proof for another body');
  if (claims.opKey !== request.opKey) throw new TokenError('REQUEST', 'a proof for another operation key');
  return claims;
}
