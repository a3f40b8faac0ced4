/**
 * The development issuer: makes an ES256 key in a directory on first use and mints tokens for three people
 * who do not exist. It is for labs and tests, named as such in every token, and has no place in production:
 * whoever reads its key file is an operator.
 */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import type { Clock } from '../kernel/clock.ts';
import { type Issuer, openIssuer } from './issuers.ts';
import type { JwkSet } from './keys.ts';

const PEOPLE = {
  operator: { name: 'Development operator', roles: ['operator', 'user'], projects: ['lhc'] },
  user: { name: 'Development user', roles: ['user'], projects: ['lhc'] },
  stranger: { name: 'Development stranger', roles: ['user'], projects: ['elsewhere'] },
} as const;
export type Person = keyof typeof PEOPLE;

export const DEVELOPMENT_ISSUER = 'urn:turnpike:development';
const LIFETIME_S = 30 * 24 * 3600;

export interface DevelopmentIssuer {
  /** For the authenticator. */
  readonly issuer: Issuer;
  readonly jwks: JwkSet;
  mint(person: Person, lifetimeS?: number): Promise<string>;
  /** Writes a fresh token for each person beside the key, as `<person>.token`: for `turnpike --token-file`. */
  leaveTokens(): Promise<void>;
}

export interface DevelopmentOptions {
  /** Where the key is kept; made when it is missing, with mode 0700. */
  readonly directory: string;
  readonly audience: string;
  readonly clock: Clock;
}

export async function developmentIssuer(options: DevelopmentOptions): Promise<DevelopmentIssuer> {
  const { directory, audience, clock } = options;
  const secret = await loadOrMake(directory);
  const { d: _secret, ...open } = secret;
  const jwks: JwkSet = { keys: [open] };
  const issuer = await openIssuer({
    issuer: DEVELOPMENT_ISSUER,
    audience,
    algorithm: 'ES256',
    keys: jwks,
  });
  const key = await importJWK({ ...secret }, 'ES256');
  const mint: DevelopmentIssuer['mint'] = (person, lifetimeS = LIFETIME_S) => {
    const now = Math.floor(clock.now() / 1000);
    return new SignJWT({ ...PEOPLE[person] })
      .setProtectedHeader({
        alg: 'ES256',
        typ: 'at+jwt',
        ...(secret.kid === undefined ? {} : { kid: secret.kid }),
      })
      .setIssuer(DEVELOPMENT_ISSUER)
      .setSubject(person)
      .setAudience(audience)
      .setIssuedAt(now)
      .setExpirationTime(now + lifetimeS)
      .sign(key);
  };
  return {
    issuer,
    jwks,
    mint,
    async leaveTokens() {
      // The keys of PEOPLE are the persons.
      for (const person of Object.keys(PEOPLE) as Person[]) {
        await writeFile(path.join(directory, `${person}.token`), `${await mint(person)}\n`, { mode: 0o600 });
      }
    },
  };
}

async function loadOrMake(directory: string): Promise<JWK> {
  const file = path.join(directory, 'development-issuer.jwk');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(privateKey);
  const made = { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: 'ES256', use: 'sig' };
  try {
    // Exclusive: of two processes that start together one makes the key and the other reads it.
    await writeFile(file, `${JSON.stringify(made)}\n`, { mode: 0o600, flag: 'wx' });
    return made;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  await chmod(file, 0o600);
  // The file is our own; importJWK refuses what is not a key.
  return JSON.parse(await readFile(file, 'utf8')) as JWK;
}
