/**
 * Bearer tokens: JWTs (RFC 7519, RFC 8725) of issuers that the operator named, and of nobody else. The
 * algorithm is fixed per issuer and the key is ours to look up: nothing in a token's header decides how it is
 * verified. Time comes from our clock. A verified token is remembered by its hash until it expires, so that
 * a client's next request costs a hash and no signature.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { base64url, type CryptoKey, compactVerify, importJWK, type JWK } from 'jose';
import type { Clock, InstantMs } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';
import type { Principal } from '../model/principal.ts';

export type Algorithm = 'ES256' | 'RS256';

export interface JwkSet {
  readonly keys: readonly JWK[];
}

export interface IssuerSettings {
  /** Compared with `iss` byte by byte. */
  readonly issuer: string;
  /** Must be the token's `aud`, or one of them. */
  readonly audience: string;
  readonly algorithm: Algorithm;
  readonly keys: JwkSet;
}

export interface Issuer {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithm: Algorithm;
  readonly keys: ReadonlyMap<string, CryptoKey>;
}

const KEY_TYPES = { ES256: 'EC', RS256: 'RSA' } as const;
const TOKEN_LENGTH = 8 * 1024;
const REMEMBERED = 10_000;
/** How far another machine's clock may be ahead of ours. Expiry has no such grace. */
const SKEW_S = 5;
const NAMES = 64;

/** Imports an issuer's keys; throws an Error that says what is wrong with the set. */
export async function openIssuer(settings: IssuerSettings): Promise<Issuer> {
  const keys = new Map<string, CryptoKey>();
  for (const jwk of settings.keys.keys) {
    if (jwk.d !== undefined || jwk.kty === 'oct') {
      throw new Error(`the keys of ${settings.issuer} hold a secret one: only public keys belong there`);
    }
    const fits =
      jwk.kty === KEY_TYPES[settings.algorithm] &&
      (jwk.use === undefined || jwk.use === 'sig') &&
      (jwk.alg === undefined || jwk.alg === settings.algorithm);
    if (!fits) continue;
    const kid = jwk.kid ?? '';
    if (keys.has(kid)) throw new Error(`the keys of ${settings.issuer} name the kid "${kid}" twice`);
    // A CryptoKey is what importing a public key gives; the union is for symmetric ones.
    keys.set(kid, (await importJWK({ ...jwk }, settings.algorithm)) as CryptoKey);
  }
  if (keys.size === 0) throw new Error(`${settings.issuer} has no key for ${settings.algorithm}`);
  const { issuer, audience, algorithm } = settings;
  return { issuer, audience, algorithm, keys };
}

/** A JWK set from a file. */
export async function readKeys(file: string): Promise<JwkSet> {
  const parsed: unknown = JSON.parse(await readFile(file, 'utf8'));
  if (!isRecord(parsed) || !Array.isArray(parsed['keys']) || !parsed['keys'].every(isRecord)) {
    throw new Error(`${file} is not a JWK set: {"keys": [...]}`);
  }
  return { keys: parsed['keys'] };
}

const no = (detail: string): BrokerError => new BrokerError('UNAUTHENTICATED', detail);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

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

function keyFor(issuer: Issuer, header: Record<string, unknown>): CryptoKey {
  for (const name of Object.keys(header)) {
    if (name !== 'alg' && name !== 'typ' && name !== 'kid')
      throw no(`the token's header may not hold ${name.slice(0, 32)}`);
  }
  const { alg, typ, kid } = header;
  if (alg !== issuer.algorithm) throw no(`tokens of this issuer are signed with ${issuer.algorithm}`);
  if (typ !== undefined && typ !== 'JWT' && typ !== 'at+jwt') throw no('the token is not an access token');
  if (kid === undefined && issuer.keys.size === 1) return [...issuer.keys.values()][0] as CryptoKey;
  const key = typeof kid === 'string' ? issuer.keys.get(kid) : undefined;
  if (key === undefined) throw no('the token is signed with an unknown key');
  return key;
}

const isTime = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;

/** Names go into columns, logs and terminals: NUL fits into no column, and the others mean no good there. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROLS = /[\u0000-\u001f\u007f]/;
const isName = (value: unknown, longest: number): value is string =>
  typeof value === 'string' && value !== '' && value.length <= longest && !CONTROLS.test(value);

const texts = (value: unknown): string[] =>
  Array.isArray(value) && value.length <= NAMES
    ? value.filter((name): name is string => isName(name, 128))
    : [];

function checkClaims(issuer: Issuer, claims: Record<string, unknown>, now: InstantMs): number {
  const { aud, exp, nbf, iat } = claims;
  const audiences = Array.isArray(aud) ? aud : [aud];
  if (audiences.length > NAMES || !audiences.every((name) => typeof name === 'string')) {
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

function principalOf(issuer: Issuer, claims: Record<string, unknown>): Principal {
  const { sub, name, roles, projects, amr } = claims;
  if (!isName(sub, 255)) throw no('the token names nobody');
  const given = texts(roles);
  return {
    id: `${issuer.issuer}|${sub}`,
    name: isName(name, 128) ? name : sub,
    roles: (['operator', 'user'] as const).filter((role) => given.includes(role)),
    projects: texts(projects),
    // RFC 8176: several factors, or a key in hardware.
    assurance: texts(amr).some((method) => method === 'mfa' || method === 'hwk') ? 2 : 1,
  };
}

/**
 * Turns an Authorization header into a Principal, or throws UNAUTHENTICATED. Answers without a promise when
 * the token is one that it has just seen.
 */
export function bearerAuthenticator(
  issuers: readonly Issuer[],
  clock: Clock,
): (credentials: { readonly authorization: string | undefined }) => Principal | Promise<Principal> {
  const byName = new Map(issuers.map((issuer) => [issuer.issuer, issuer]));
  const remembered = new Map<string, { readonly principal: Principal; readonly exp: number }>();

  async function verify(token: string, hash: string): Promise<Principal> {
    const parts = token.split('.');
    if (parts.length !== 3) throw no('the token is not a signed JWT');
    // Read before it is verified, only to learn whose key to take.
    const { iss } = readPart(parts[1] as string);
    const issuer = typeof iss === 'string' ? byName.get(iss) : undefined;
    if (issuer === undefined) throw no('the token is of an unknown issuer');
    const key = keyFor(issuer, readPart(parts[0] as string));
    const verified = await compactVerify(token, key, { algorithms: [issuer.algorithm] }).catch(() => {
      throw no('the signature of the token is wrong');
    });
    const claims = readPart(verified.payload);
    const exp = checkClaims(issuer, claims, clock.now());
    const principal = principalOf(issuer, claims);
    if (remembered.size >= REMEMBERED) remembered.delete(remembered.keys().next().value as string);
    remembered.set(hash, { principal, exp });
    return principal;
  }

  return ({ authorization }) => {
    if (authorization === undefined) throw no('this needs a bearer token');
    const token = /^bearer +(\S+)$/i.exec(authorization)?.[1];
    if (token === undefined) throw no('the Authorization header is not Bearer with a token');
    if (token.length > TOKEN_LENGTH) throw no('the token is longer than 8 KiB');
    const hash = createHash('sha256').update(token).digest('base64');
    const known = remembered.get(hash);
    if (known === undefined) return verify(token, hash);
    if (known.exp * 1000 > clock.now()) return known.principal;
    remembered.delete(hash);
    throw no('the token has expired');
  };
}
