/**
 * Bearer tokens: JWTs (RFC 7519, RFC 8725) of issuers that the operator named, and of nobody else. The
 * algorithm is fixed per issuer and the key is ours to look up: nothing in a token's header decides how it is
 * verified. Time comes from our clock. A verified token is remembered by its hash until it expires, so that
 * a client's next request costs a hash and no signature.
 */
import { createHash } from 'node:crypto';
import { base64url, type CryptoKey, compactVerify } from 'jose';
import type { Clock, InstantMs } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';
import type { Principal } from '../model/principal.ts';
import { type Algorithm, fixedKeys, importKeys, isRecord, type JwkSet, type KeySource } from './keys.ts';
import { isName, type Naming, principalOf } from './profile.ts';

export interface Issuer extends Naming {
  /** Must be the token's `aud`, or one of them. */
  readonly audience: string;
  readonly algorithm: Algorithm;
  readonly keys: KeySource;
}

export interface IssuerSettings {
  /** Compared with `iss` byte by byte. */
  readonly issuer: string;
  readonly audience: string;
  readonly algorithm: Algorithm;
  readonly keys: JwkSet;
}

const TOKEN_LENGTH = 8 * 1024;
const REMEMBERED = 10_000;
/** How far another machine's clock may be ahead of ours. Expiry has no such grace. */
const SKEW_S = 5;
const MOST_AUDIENCES = 64;

/** An issuer of plain OpenID tokens with keys that do not change; throws an Error that says what is wrong. */
export async function openIssuer(settings: IssuerSettings): Promise<Issuer> {
  const { issuer, audience, algorithm } = settings;
  const keys = fixedKeys(await importKeys(settings.keys, algorithm, issuer));
  return { issuer, audience, algorithm, keys, profile: 'oidc', strongAcr: [], mappings: [] };
}

const no = (detail: string): BrokerError => new BrokerError('UNAUTHENTICATED', detail);

/** One part of a compact JWS, as the object that it must be. */
function readPart(text: string | Uint8Array): Record<string, unknown> {
  try {
    const bytes = typeof text === 'string' ? base64url.decode(text) : text;
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (isRecord(value)) return value;
  } catch {
    // Told below, without a word of what was in it.
  }
  throw no('the token is malformed');
}

/** The kid of the header, when nothing in it would decide how the token is verified. */
function kidOf(issuer: Issuer, header: Record<string, unknown>): string | undefined {
  for (const name of Object.keys(header)) {
    if (name !== 'alg' && name !== 'typ' && name !== 'kid')
      throw no(`the token's header may not hold ${name.slice(0, 32)}`);
  }
  const { alg, typ, kid } = header;
  if (alg !== issuer.algorithm) throw no(`tokens of this issuer are signed with ${issuer.algorithm}`);
  if (typ !== undefined && typ !== 'JWT' && typ !== 'at+jwt') throw no('the token is not an access token');
  if (kid !== undefined && !isName(kid, 256)) throw no('the token is signed with an unknown key');
  return kid;
}

const isTime = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;

function checkClaims(issuer: Issuer, claims: Record<string, unknown>, now: InstantMs): number {
  const { aud, exp, nbf, iat } = claims;
  const audiences = Array.isArray(aud) ? aud : [aud];
  if (audiences.length > MOST_AUDIENCES || !audiences.every((name) => typeof name === 'string')) {
    throw no('the audience of the token is malformed');
  }
  if (!audiences.includes(issuer.audience)) throw no('the token is meant for another audience');
  if (!isTime(exp)) throw no('the token needs an expiry');
  if (exp * 1000 <= now) throw no('the token has expired');
  for (const time of [nbf, iat]) {
    if (time === undefined) continue;
    if (!isTime(time)) throw no('the times of the token are malformed');
    if ((time - SKEW_S) * 1000 > now) throw no('the token is not valid yet');
  }
  return exp;
}

/** RFC 8705: a token may be bound to the client certificate that it was given to. */
function bindingOf({ cnf }: Record<string, unknown>): string | undefined {
  if (cnf === undefined) return undefined;
  const bound = isRecord(cnf) ? cnf['x5t#S256'] : undefined;
  if (typeof bound !== 'string' || Object.keys(cnf as object).length !== 1)
    throw no('the token is bound to its holder in a way that is not known here');
  return bound;
}

const certificates = new WeakMap<Uint8Array, string>();

/** Of the same bytes, as a connection's are, it is worked out once. */
function thumbprintOf(der: Uint8Array): string {
  const known = certificates.get(der);
  if (known !== undefined) return known;
  const made = createHash('sha256').update(der).digest('base64url');
  certificates.set(der, made);
  return made;
}

function checkBinding(bound: string | undefined, certificate: Uint8Array | undefined): void {
  if (bound !== undefined && (certificate === undefined || thumbprintOf(certificate) !== bound))
    throw no('the token is bound to another client certificate');
}

interface Remembered {
  readonly principal: Principal;
  readonly exp: number;
  readonly issuer: Issuer;
  readonly kid: string | undefined;
  readonly key: CryptoKey;
  readonly bound: string | undefined;
}

export interface Shown {
  readonly authorization: string | undefined;
  readonly certificate?: Uint8Array | undefined;
}

/**
 * Turns an Authorization header into a Principal, or throws UNAUTHENTICATED. Answers without a promise when
 * the token is one that it has just seen.
 */
export function bearerAuthenticator(
  issuers: readonly Issuer[],
  clock: Clock,
): (credentials: Shown) => Principal | Promise<Principal> {
  const byName = new Map(issuers.map((issuer) => [issuer.issuer, issuer]));
  const remembered = new Map<string, Remembered>();

  async function verify(
    token: string,
    hash: string,
    certificate: Uint8Array | undefined,
  ): Promise<Principal> {
    const parts = token.split('.');
    if (parts.length !== 3) throw no('the token is not a signed JWT');
    // Read before it is verified, only to learn whose key to take.
    const { iss } = readPart(parts[1] as string);
    const issuer = typeof iss === 'string' ? byName.get(iss) : undefined;
    if (issuer === undefined) throw no('the token is of an unknown issuer');
    const kid = kidOf(issuer, readPart(parts[0] as string));
    const key = await issuer.keys.find(kid);
    if (key === undefined) throw no('the token is signed with an unknown key');
    const verified = await compactVerify(token, key, { algorithms: [issuer.algorithm] }).catch(() => {
      throw no('the signature of the token is wrong');
    });
    const claims = readPart(verified.payload);
    const exp = checkClaims(issuer, claims, clock.now());
    const bound = bindingOf(claims);
    checkBinding(bound, certificate);
    const principal = principalOf(claims, issuer);
    if (remembered.size >= REMEMBERED) remembered.delete(remembered.keys().next().value as string);
    remembered.set(hash, { principal, exp, issuer, kid, key, bound });
    return principal;
  }

  return ({ authorization, certificate }) => {
    if (authorization === undefined) throw no('this needs a bearer token');
    const token = /^bearer +(\S+)$/i.exec(authorization)?.[1];
    if (token === undefined) throw no('the Authorization header is not Bearer with a token');
    if (token.length > TOKEN_LENGTH) throw no('the token is longer than 8 KiB');
    const hash = createHash('sha256').update(token).digest('base64');
    const known = remembered.get(hash);
    if (known === undefined) return verify(token, hash, certificate);
    if (known.exp * 1000 <= clock.now()) {
      remembered.delete(hash);
      throw no('the token has expired');
    }
    // A key that its issuer has taken back takes with it what was verified by it.
    if (known.issuer.keys.find(known.kid) !== known.key) return verify(token, hash, certificate);
    checkBinding(known.bound, certificate);
    return known.principal;
  };
}
