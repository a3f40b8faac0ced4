/**
 * The public keys of an issuer: from a file, once, or fetched and kept fresh. A fetched set is used while it is
 * being renewed, and the old one stays when the new one cannot be had or believed. A key that nobody knows
 * leads to one fetch per cooldown at most, however many ask and also while the issuer is down.
 */
import { readFile } from 'node:fs/promises';
import { type CryptoKey, importJWK, type JWK } from 'jose';
import { type Clock, type InstantMs, instant } from '../kernel/clock.ts';
import { textOf } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { FetchJson } from './fetch.ts';

export type Algorithm = 'ES256' | 'RS256';

export interface JwkSet {
  readonly keys: readonly JWK[];
}

export interface KeySource {
  /** Without a kid: the only key, when there is only one. Answers without a promise when it need not fetch. */
  find(kid: string | undefined): CryptoKey | undefined | Promise<CryptoKey | undefined>;
}

type Keys = ReadonlyMap<string, CryptoKey>;

const KEY_TYPES = { ES256: 'EC', RS256: 'RSA' } as const;
const MOST_KEYS = 64;

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A JWK set of any origin; throws an Error that says what is wrong with it. */
export function readSet(parsed: unknown, from: string): JwkSet {
  if (!isRecord(parsed) || !Array.isArray(parsed['keys']) || !parsed['keys'].every(isRecord))
    throw new Error(`${from} is not a JWK set: {"keys": [...]}`);
  if (parsed['keys'].length > MOST_KEYS) throw new Error(`${from} has more than ${MOST_KEYS} keys`);
  return { keys: parsed['keys'] };
}

/** A JWK set from a file. */
export const readKeys = async (file: string): Promise<JwkSet> =>
  readSet(JSON.parse(await readFile(file, 'utf8')), file);

/** Those that fit the one algorithm; a set with a secret key, or with one kid twice, is not believed at all. */
export async function importKeys(set: JwkSet, algorithm: Algorithm, issuer: string): Promise<Keys> {
  const keys = new Map<string, CryptoKey>();
  for (const jwk of set.keys) {
    if (jwk.d !== undefined || jwk.kty === 'oct')
      throw new Error(`the keys of ${issuer} hold a secret one: only public keys belong there`);
    const fits =
      jwk.kty === KEY_TYPES[algorithm] &&
      (jwk.use === undefined || jwk.use === 'sig') &&
      (jwk.alg === undefined || jwk.alg === algorithm);
    if (!fits) continue;
    const kid = jwk.kid ?? '';
    if (keys.has(kid)) throw new Error(`the keys of ${issuer} name the kid "${kid}" twice`);
    // A CryptoKey is what importing a public key gives; the union is for symmetric ones.
    keys.set(kid, (await importJWK({ ...jwk }, algorithm)) as CryptoKey);
  }
  if (keys.size === 0) throw new Error(`${issuer} has no key for ${algorithm}`);
  return keys;
}

const pick = (keys: Keys, kid: string | undefined): CryptoKey | undefined => {
  if (kid !== undefined) return keys.get(kid);
  return keys.size === 1 ? [...keys.values()][0] : undefined;
};

export const fixedKeys = (keys: Keys): KeySource => ({ find: (kid) => pick(keys, kid) });

/** A set is renewed after this, while it goes on being used. */
const FRESH_MS = 10 * 60_000;
/** Without a renewal for so long it is believed no more. */
const USABLE_MS = 24 * 3_600_000;
const COOLDOWN_MS = 30_000;

export interface RemoteOptions {
  readonly issuer: string;
  readonly algorithm: Algorithm;
  /** Where the set is; asked of the issuer (OpenID Connect Discovery) when absent. */
  readonly jwksUri?: string;
}

export class RemoteKeys implements KeySource {
  readonly #options: RemoteOptions;
  readonly #ports: { readonly get: FetchJson; readonly clock: Clock; readonly log: Log };
  #keys: Keys = new Map();
  #staleAt: InstantMs = instant(0);
  #uselessAt: InstantMs = instant(0);
  #nextTry: InstantMs = instant(0);
  #fetching: Promise<void> | undefined;

  constructor(
    options: RemoteOptions,
    ports: { readonly get: FetchJson; readonly clock: Clock; readonly log: Log },
  ) {
    this.#options = options;
    this.#ports = ports;
  }

  find(kid: string | undefined): CryptoKey | undefined | Promise<CryptoKey | undefined> {
    const now = this.#ports.clock.now();
    const found = now < this.#uselessAt ? pick(this.#keys, kid) : undefined;
    if (found !== undefined) {
      // Nobody waits for a set that is only no longer fresh.
      if (now >= this.#staleAt && now >= this.#nextTry) void this.#renew(now);
      return found;
    }
    if (this.#fetching === undefined && now < this.#nextTry) return undefined;
    return this.#renew(now).then(() =>
      this.#ports.clock.now() < this.#uselessAt ? pick(this.#keys, kid) : undefined,
    );
  }

  /** Never rejects: what went wrong is in the log, and the set before stays. */
  #renew(now: InstantMs): Promise<void> {
    this.#fetching ??= this.#ask(now).finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #ask(now: InstantMs): Promise<void> {
    const { get, log } = this.#ports;
    const { issuer, algorithm } = this.#options;
    // Before the first word, so that a failure counts as a try.
    this.#nextTry = instant(now + COOLDOWN_MS);
    try {
      const uri = this.#options.jwksUri ?? (await this.#discover(get));
      this.#keys = await importKeys(readSet(await get(uri), uri), algorithm, issuer);
      this.#staleAt = instant(now + FRESH_MS);
      this.#uselessAt = instant(now + USABLE_MS);
    } catch (error) {
      log.warn({ event: 'issuer.unreachable', issuer, error: textOf(error).slice(0, 200) });
    }
  }

  /** OpenID Connect Discovery 1.0: the document must say of itself whose it is. */
  async #discover(get: FetchJson): Promise<string> {
    const { issuer } = this.#options;
    const at = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const document = await get(at);
    if (!isRecord(document) || document['issuer'] !== issuer)
      throw new Error(`${at} does not speak for ${issuer}`);
    const uri = document['jwks_uri'];
    if (typeof uri !== 'string' || uri.length > 2048) throw new Error(`${at} names no jwks_uri`);
    return uri;
  }
}
