/** What a capability costs: minted, passed on, verified cold and warm, counted; beside the signatures it is made of. */
import { generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { prefixCache } from '../../src/tokens/cache.ts';
import type { RootClaims } from '../../src/tokens/claims.ts';
import { sha256 } from '../../src/tokens/encoding.ts';
import { publicOf, thumbprint } from '../../src/tokens/jwk.ts';
import { attenuate, mintRoot, newJti, prove } from '../../src/tokens/mint.ts';
import { RedemptionBook, redeem } from '../../src/tokens/redeem.ts';
import {
  type PrefixCache,
  type Trust,
  verifyChain,
  verifyProof,
  type Withdrawals,
} from '../../src/tokens/verify.ts';
import { atLeast, atMost, type BenchLine } from '../line.ts';
import { redemptions } from '../support/redemption.ts';
import { cpu, line, NOW, NOW_S, random, rateOf } from './measure.ts';

const ISSUER = 'https://ams.example';
const AUDIENCE = 'https://sdg.example';

const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const issuerKey = newKey();
/** Who has the token first, and whom it is passed on to. */
type Holders = readonly [KeyObject, KeyObject, KeyObject];
const newHolders = (): Holders => [newKey(), newKey(), newKey()];
const holders = newHolders();
/** More than anybody remembers of keys that were imported once. */
const STRANGERS = 700;
const kid = thumbprint(publicOf(issuerKey));

const claims = (holder = holders[0]): RootClaims => ({
  iss: ISSUER,
  sub: 'u-7f3a',
  clientId: 'slurm',
  iat: NOW_S,
  nbf: NOW_S,
  jti: newJti(random),
  txn: 'txn-1',
  uses: 4,
  holder: publicOf(holder),
  status: { idx: 5, uri: `${ISSUER}/status/1` },
  grant: {
    aud: [ISSUER, AUDIENCE],
    exp: NOW_S + 7200,
    actions: ['provision', 'release', 'modify'],
    circuit: 'cir_01hzy3v7qk8m2n4p6r8t0v2x4z',
    stps: [
      { end: 'a', port: 'ams:host1', vlan: 1801 },
      { end: 'z', port: 'sdg:host1', vlan: 1801 },
    ],
    mbps: 10_000,
    window: { start: NOW_S, end: NOW_S + 3600 },
    dlg: 3,
    bud: new Map([
      [ISSUER, 36_000_000],
      [AUDIENCE, 36_000_000],
    ]),
  },
});

export async function* tokens(scale: number): AsyncGenerator<BenchLine> {
  const trust: Trust = {
    audience: AUDIENCE,
    ownPrefixes: ['sdg'],
    issuers: new Map([
      [
        ISSUER,
        { iss: ISSUER, keys: new Map([[kid, { key: issuerKey }]]), maxLifetimeS: 86_400, mintsFor: ['sdg'] },
      ],
    ]),
  };
  const withdrawals: Withdrawals = { isRevoked: () => false, status: () => 'VALID' };
  const body = '{"up":true}';
  const request = { action: 'provision', bodyHash: sha256(body), opKey: 'op-1' } as const;
  const spec = () => ({
    aud: AUDIENCE,
    action: 'provision' as const,
    body,
    opKey: 'op-1',
    jti: newJti(random),
    iat: NOW_S,
  });
  const pass = (token: string, from: KeyObject, to: KeyObject): string =>
    attenuate(token, { lim: { mbps: 1_000 }, holder: publicOf(to), jti: newJti(random), iat: NOW_S }, from);
  const passedTwice = (token: string, [first, second, third]: Holders): string =>
    prove(pass(pass(token, first, second), second, third), spec(), third);

  const data = Buffer.alloc(900, 'a');
  const options = { key: issuerKey, dsaEncoding: 'ieee-p1363' } as const;
  const signature = sign('sha256', data, options);
  const raw = rateOf(5_000 * scale, () => verify('sha256', data, options, signature));
  yield line('crypto.verify, ES256 over 900 bytes', 'verifications per second', raw, '1/s');

  const beside = (name: string, rate: number, target?: number): BenchLine =>
    line(name, 'verifications per second', rate, '1/s', {
      against: 'crypto.verify',
      ratio: rate / raw,
      ...(target === undefined ? {} : atLeast(rate, target)),
    });
  const check = (text: string, cache?: PrefixCache): void => {
    verifyProof(text, verifyChain(text, trust, withdrawals, NOW, cache), request, trust);
  };
  const many = 200;
  const roots = Array.from({ length: many }, () => mintRoot(claims(), { kid, key: issuerKey }));
  const proven = roots.map((root) => prove(root, spec(), holders[0]));
  const cold = rateOf(3_000 * scale, (i) => check(proven[i % many] ?? ''));
  yield beside('root + proof, cold', cold, 2_500);
  const linked = roots.map((root) => passedTwice(root, holders));
  yield beside(
    'root + 2 links + proof, cold',
    rateOf(2_000 * scale, (i) => check(linked[i % many] ?? '')),
  );
  const strangers = Array.from({ length: STRANGERS }, () => {
    const keys = newHolders();
    return passedTwice(mintRoot(claims(keys[0]), { kid, key: issuerKey }), keys);
  });
  const unknown = rateOf(2_000 * scale, (i) => check(strangers[i % STRANGERS] ?? ''));
  yield beside('root + 2 links + proof, cold, new holders', unknown);
  const cache = prefixCache();
  for (const text of [...proven, ...linked]) check(text, cache);
  const warm = rateOf(10_000 * scale, (i) => check(proven[i % many] ?? '', cache));
  yield beside('root + proof, prefix remembered', warm, 10_000);
  const warmLinked = rateOf(10_000 * scale, (i) => check(linked[i % many] ?? '', cache));
  yield beside('root + 2 links + proof, prefix remembered', warmLinked, 10_000);

  const mint = rateOf(5_000 * scale, () => mintRoot(claims(), { kid, key: issuerKey }));
  yield line('root', 'mints per second', mint, '1/s', {
    against: 'crypto.sign',
    ratio: mint / rateOf(5_000 * scale, () => sign('sha256', data, options)),
  });
  // Between domains each circuit has a token of its own, which nobody else has seen before.
  const fresh: string[] = [];
  const times = 1_000 * scale;
  const atHome = cpu(times, () => {
    fresh.push(prove(mintRoot(claims(), { kid, key: issuerKey }), spec(), holders[0]));
  });
  const book = new RedemptionBook();
  let next = 0;
  const there = cpu(times, () => {
    const text = fresh[next++] ?? '';
    const chain = verifyChain(text, trust, withdrawals, NOW, cache);
    const proof = verifyProof(text, chain, request, trust);
    // Asked again in the transaction: what can change.
    verifyChain(text, trust, withdrawals, NOW, cache);
    const outcome = redeem(chain, { proof, peer: 'ams.example', mbit: 1_000 }, book, NOW);
    if (outcome.kind === 'REDEEM') book.enter(outcome.redemption);
  });
  const msEach = (seconds: number): number => (seconds * 1_000) / Math.max(1, Math.floor(times));
  for (const [metric, spent] of [
    ['CPU at the home', msEach(atHome)],
    ['CPU there', msEach(there)],
  ] as const)
    yield line('the token of a commit between domains', metric, spent, 'ms', atMost(spent, 1));
  const { cpuPerSecond, wallPerSecond } = await redemptions(Math.ceil(400 * scale));
  // Everything of the verb: read, verified, policy, redemption, effect, record, and the group on the disk.
  yield line('redeemed through the writer, on SQLite', 'per second of CPU', cpuPerSecond, '1/s', {
    against: 'crypto.verify',
    ratio: cpuPerSecond / raw,
  });
  yield line('redeemed through the writer, on SQLite', 'per second of wall clock', wallPerSecond, '1/s');
  yield line('root + proof', 'bytes', proven[0]?.length ?? 0, 'bytes');
  yield line(
    'root + 2 links + proof',
    'bytes',
    linked[0]?.length ?? 0,
    'bytes',
    atMost(linked[0]?.length ?? 0, 8_192),
  );
}
