/**
 * A small world for token tests: an issuer, three holders, a domain that trusts, and means to forge. The
 * forger signs whatever it is given, so that every refusal is the verifier's and not the maker's.
 */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type InstantMs, instant } from '../../src/kernel/clock.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { type RootClaims, writeRoot } from '../../src/tokens/claims.ts';
import type { Limits } from '../../src/tokens/grant.ts';
import { publicOf, thumbprint } from '../../src/tokens/jwk.ts';
import { attenuate, mintRoot, newJti, prove } from '../../src/tokens/mint.ts';
import { TokenError } from '../../src/tokens/refusal.ts';
import {
  type Chain,
  type IssuerKey,
  type PrefixCache,
  type ProvenRequest,
  type Trust,
  verifyChain,
  verifyProof,
  type Withdrawals,
} from '../../src/tokens/verify.ts';

export const NOW_S = 1_800_000_000;
export const NOW = instant(NOW_S * 1000);
export const AMS = 'https://ams.example';
export const SDG = 'https://sdg.example';
export const CIRCUIT = 'cir_01hzy3v7qk8m2n4p6r8t0v2x4z';

const random = seededRandom(7);
export const jti = (): string => newJti(random);
export const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

export const issuerKey = newKey();
export const KID = thumbprint(publicOf(issuerKey));
export const holders = [newKey(), newKey(), newKey(), newKey()] as const;
export const thief = newKey();

export const rootClaims = (
  over: Partial<RootClaims> = {},
  grant: Partial<RootClaims['grant']> = {},
): RootClaims => ({
  iss: AMS,
  sub: 'u-7f3a',
  clientId: 'slurm',
  iat: NOW_S,
  nbf: NOW_S,
  jti: jti(),
  txn: 'txn-1',
  uses: 10,
  holder: publicOf(holders[0]),
  status: { idx: 5, uri: `${AMS}/status/1` },
  ...over,
  grant: {
    aud: [AMS, SDG],
    exp: NOW_S + 7200,
    actions: ['provision', 'release', 'modify'],
    circuit: CIRCUIT,
    stps: [
      { end: 'a', port: 'ams:host1', vlan: 1801 },
      { end: 'z', port: 'sdg:host1' },
    ],
    mbps: 10_000,
    window: { start: NOW_S, end: NOW_S + 3600 },
    dlg: 3,
    bud: new Map([
      [AMS, 36_000_000],
      [SDG, 18_000_000],
    ]),
    ...grant,
  },
});

export const root = (over: Partial<RootClaims> = {}, grant: Partial<RootClaims['grant']> = {}): string =>
  mintRoot(rootClaims(over, grant), { kid: KID, key: issuerKey });

/** Passes on from holder `i` to the next. */
export const pass = (
  token: string,
  i: number,
  lim: Limits = {},
  more: { jti?: string; iat?: number } = {},
): string =>
  attenuate(
    token,
    { lim, holder: publicOf(holders[i + 1] as KeyObject), jti: jti(), iat: NOW_S, ...more },
    holders[i] as KeyObject,
  );

export const BODY = '{"up":true}';
export const sha = (text: string | Uint8Array): string =>
  createHash('sha256').update(text).digest('base64url');
export const request: ProvenRequest = { action: 'provision', bodyHash: sha(BODY), opKey: 'op-1' };
export const present = (
  token: string,
  key: KeyObject,
  over: Partial<Parameters<typeof prove>[1]> = {},
): string =>
  prove(
    token,
    { aud: SDG, action: 'provision', body: BODY, opKey: 'op-1', jti: jti(), iat: NOW_S, ...over },
    key,
  );

export const trust = (
  over: Partial<IssuerKey> = {},
  more: Partial<Trust> = {},
  mintsFor = ['sdg'],
): Trust => ({
  audience: SDG,
  ownPrefixes: ['sdg'],
  issuers: new Map([
    [
      AMS,
      {
        iss: AMS,
        keys: new Map([[KID, { key: issuerKey, ...over }]]),
        maxLifetimeS: 30 * 86_400,
        mintsFor,
      },
    ],
  ]),
  ...more,
});

export const nothingRevoked: Withdrawals = { isRevoked: () => false, status: () => 'VALID' };

export interface VerifyMore {
  readonly trust?: Trust;
  readonly withdrawals?: Withdrawals;
  readonly now?: InstantMs;
  readonly cache?: PrefixCache;
}
export const chainOf = (text: string, more: VerifyMore = {}): Chain =>
  verifyChain(text, more.trust ?? trust(), more.withdrawals ?? nothingRevoked, more.now ?? NOW, more.cache);

export const verifyAll = (text: string, over: Partial<ProvenRequest> = {}, more: VerifyMore = {}): Chain => {
  const chain = chainOf(text, more);
  verifyProof(text, chain, { ...request, ...over }, more.trust ?? trust());
  return chain;
};

/** The reason of the refusal, or 'accepted'. Anything else that is thrown fails the test. */
export function verdict(act: () => unknown): string {
  try {
    act();
    return 'accepted';
  } catch (error) {
    if (error instanceof TokenError) return error.reason;
    throw error;
  }
}

export const b64 = (value: string | object): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export const rootHeader = { alg: 'ES256', typ: 'cct+jwt', kid: KID };

/** Signs any two texts or objects as they are. */
export function forge(header: string | object, claims: string | object, key: KeyObject = issuerKey): string {
  const input = `${b64(header)}.${b64(claims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

export const forgeRoot = (
  change: (claims: Record<string, unknown>) => void,
  header: object = rootHeader,
): string => {
  const claims = JSON.parse(JSON.stringify(writeRoot(rootClaims()))) as Record<string, unknown>;
  change(claims);
  return `${forge(header, claims)}~`;
};

/** A link of any content after `token`, signed by holder `i` unless told otherwise. */
export const forgeLink = (
  token: string,
  lim: unknown,
  over: Record<string, unknown> = {},
  key: KeyObject = holders[0],
): string =>
  `${token}${forge(
    { alg: 'ES256', typ: 'cct-link+jwt' },
    { prh: sha(token), lim, cnf: { jwk: publicOf(holders[1]) }, jti: jti(), iat: NOW_S, ...over },
    key,
  )}~`;
