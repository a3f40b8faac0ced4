/**
 * What authorisation costs, each figure beside its raw primitive in the same run. Rates are per second of
 * CPU, so that a busy machine changes them little. Everything is in memory: what the store adds to a
 * decision or a transfer is in the benchmark of admissions.
 */

import { generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PolicyWorld } from '../src/aaa/attributes.ts';
import type { DecisionAsk } from '../src/aaa/decide.ts';
import { Book, type Transfer } from '../src/aaa/ledger/book.ts';
import { captureUsed, holdFor } from '../src/aaa/ledger/money.ts';
import { type Booking, indexQuotas, type Quota, QuotaBook } from '../src/aaa/ledger/quota.ts';
import { exportLine, verifyExport } from '../src/aaa/merkle/export.ts';
import { MerkleLog } from '../src/aaa/merkle/log.ts';
import { signCheckpoint } from '../src/aaa/merkle/note.ts';
import { type AuditRecord, seal } from '../src/aaa/merkle/record.ts';
import { type Hash, leafHash } from '../src/aaa/merkle/tree.ts';
import { inWords, Policies } from '../src/aaa/policies.ts';
import { loadPolicies, type PolicySet } from '../src/aaa/policySet.ts';
import { type Posting, post } from '../src/broker/accountRecords.ts';
import { type AuditRow, type AuditTile, NO_AUDIT } from '../src/broker/auditPorts.ts';
import { openLog } from '../src/broker/auditStart.ts';
import { instant, wallClock } from '../src/kernel/clock.ts';
import { silentLog } from '../src/kernel/log.ts';
import { seededRandom } from '../src/kernel/random.ts';
import { openStore } from '../src/store/open.ts';
import { prefixCache } from '../src/tokens/cache.ts';
import type { RootClaims } from '../src/tokens/claims.ts';
import { sha256 } from '../src/tokens/encoding.ts';
import { publicOf, thumbprint } from '../src/tokens/jwk.ts';
import { attenuate, mintRoot, newJti, prove } from '../src/tokens/mint.ts';
import { RedemptionBook, redeem } from '../src/tokens/redeem.ts';
import {
  type PrefixCache,
  type Trust,
  verifyChain,
  verifyProof,
  type Withdrawals,
} from '../src/tokens/verify.ts';
import { group } from '../test/store/samples.ts';
import { atLeast, atMost, type Bench, type BenchLine, linesOf, numberOf } from './line.ts';
import { redemptions } from './support/redemption.ts';

export const run: Bench = async function* (options) {
  const scale = numberOf(options, 'scale', 1);
  yield* tokens(scale);
  yield* policy(scale);
  yield* audit(numberOf(options, 'records', 200_000 * scale));
  yield* auditStart(numberOf(options, 'records', 200_000 * scale));
  yield* ledger(scale);
};

const line = linesOf('aaa');

/** Seconds of CPU that `times` calls take, after enough of them to have warmed up (Cedar is compiled twice). */
function cpu(times: number, act: (i: number) => unknown): number {
  const rounds = Math.max(1, Math.floor(times));
  for (let i = 0; i < Math.min(rounds, 1_500); i++) act(i);
  const before = process.cpuUsage();
  for (let i = 0; i < rounds; i++) act(i);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
const rateOf = (times: number, act: (i: number) => unknown): number =>
  Math.max(1, Math.floor(times)) / cpu(times, act);

const random = seededRandom(11);
const NOW_S = 1_800_000_000;
const NOW = instant(NOW_S * 1000);
const ISSUER = 'https://ams.example';
const AUDIENCE = 'https://sdg.example';

const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const issuerKey = newKey();
const holders = [newKey(), newKey(), newKey()] as const;
const kid = thumbprint(publicOf(issuerKey));

const claims = (): RootClaims => ({
  iss: ISSUER,
  sub: 'u-7f3a',
  clientId: 'slurm',
  iat: NOW_S,
  nbf: NOW_S,
  jti: newJti(random),
  txn: 'txn-1',
  uses: 4,
  holder: publicOf(holders[0]),
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

async function* tokens(scale: number): AsyncGenerator<BenchLine> {
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
  const pass = (token: string, i: 0 | 1): string =>
    attenuate(
      token,
      {
        lim: { mbps: 1_000 },
        holder: publicOf(holders[i + 1] as KeyObject),
        jti: newJti(random),
        iat: NOW_S,
      },
      holders[i],
    );

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
  const linked = roots.map((root) => prove(pass(pass(root, 0), 1), spec(), holders[2]));
  yield beside(
    'root + 2 links + proof, cold',
    rateOf(2_000 * scale, (i) => check(linked[i % many] ?? '')),
  );
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

const PROJECTS = 20;
const EACH = 9;

/** 20 common rules, and 9 for each of 20 projects. */
function twoHundredPolicies(): string {
  const rules: string[] = [];
  for (let i = 0; i < 18; i++) {
    rules.push(`@id("deny-${i}") forbid (principal in Group::"suspended/${i}", action, resource);`);
  }
  rules.push(
    '@id("no-transit") forbid (principal, action, resource) when { context.commercial && context has transit && context.transit };',
  );
  rules.push(
    '@id("operator") permit (principal in Role::"operator", action, resource) when { context.override };',
  );
  for (let p = 0; p < PROJECTS; p++) {
    for (let i = 0; i < EACH; i++) {
      rules.push(
        `@id("p${p}-${i}") permit (principal, action in Action::"book", resource == Project::"p${p}")
           when { principal in resource }
           when { context has bandwidth_mbps && context.bandwidth_mbps <= ${(i + 1) * 10_000} }
           when { context.assurance >= ${i < 3 ? 1 : 2} && context.weekday >= ${i % 3} };`,
      );
    }
  }
  return rules.join('\n');
}

const world: PolicyWorld = {
  zone: 'Europe/Amsterdam',
  prefixes: ['ams'],
  portGroups: () => [],
  isCommercial: () => false,
};

function setOf(text: string): PolicySet {
  const loaded = loadPolicies(text);
  if (!loaded.ok) throw new Error(inWords(loaded.problems));
  return loaded.set;
}

function question(i: number): DecisionAsk {
  const project = `p${i % PROJECTS}`;
  return {
    principal: { id: `idp|u${i % 50}`, name: 'u', roles: ['user'], projects: [project], assurance: 1 },
    groups: ['lhc/cms'],
    action: 'circuit.create',
    project,
    at: NOW,
    facts: {
      a_port: 'ams:host1',
      z_port: 'sdg:host1',
      bandwidth_mbps: 10_000,
      schedule: 'FIXED',
      provision: 'AUTOMATIC',
      priority: 50,
      start_time: '2027-01-15T08:00:00Z',
      end_time: '2027-01-15T09:00:00Z',
      project_circuits: 3,
      project_mbps: 30_000,
    },
  };
}

async function* policy(scale: number): AsyncGenerator<BenchLine> {
  const text = twoHundredPolicies();
  const set = setOf(text);
  const policies = new Policies(set, world);
  const asks = Array.from({ length: 100 }, (_, i) => question(i));
  const ask = (i: number): DecisionAsk => asks[i % asks.length] ?? question(i);
  const small = new Policies(
    setOf('@id("members") permit (principal, action, resource) when { principal in resource };'),
    world,
  );
  // What was asked before is remembered: here no two questions are the same.
  let asked = 0;
  const fresh = (i: number): DecisionAsk => {
    const one = ask(i);
    return {
      ...one,
      principal: { ...one.principal, id: `u${asked++}` },
    };
  };
  const least = rateOf(5_000 * scale, (i) => small.decide(fresh(i)));
  yield line('one policy', 'decisions per second', least, '1/s');
  const rate = rateOf(5_000 * scale, (i) => policies.decide(fresh(i)));
  yield line(`${set.rules.length} policies, sliced`, 'decisions per second', rate, '1/s', {
    against: 'one policy',
    ratio: rate / least,
    ...atLeast(rate, 4_000),
  });
  const again = rateOf(5_000 * scale, (i) => policies.decide(ask(i)));
  yield line(`${set.rules.length} policies, asked before`, 'decisions per second', again, '1/s');
  const denied = rateOf(1_000 * scale, (i) =>
    policies.decide({ ...fresh(i), facts: { ...ask(i).facts, bandwidth_mbps: 500_000 } }),
  );
  yield line(`${set.rules.length} policies, denied with near misses`, 'decisions per second', denied, '1/s');

  const quotas = indexQuotas(
    Array.from({ length: PROJECTS }, (_, i) => `p${i}`).flatMap((id): Quota[] => {
      const scope = { type: 'PROJECT', id } as const;
      return [
        { id: `${id}-n`, scope, kind: 'CIRCUITS', period: 'LIVE', limit: 1e9 },
        { id: `${id}-b`, scope, kind: 'BANDWIDTH', period: 'LIVE', limit: 1e12 },
        { id: `${id}-v`, scope, kind: 'VOLUME', period: 'MONTH', limit: 2 ** 52 },
      ];
    }),
  );
  const use = new QuotaBook();
  const book = new Book();
  for (let p = 0; p < PROJECTS; p++)
    book.enter({ id: p + 1, at: NOW, project: `p${p}`, unit: 'MBIT', kind: 'GRANT', amount: 2 ** 50 });
  const log = new MerkleLog();
  let seq = 0;
  const each =
    cpu(5_000 * scale, (i) => {
      const one = fresh(i);
      const verdict = policies.decide(one);
      const booking: Booking = {
        circuit: `cir_${seq}`,
        project: one.project,
        portGroups: [],
        mbps: 10_000,
        window: { start: instant(NOW + seq * 60_000), end: instant(NOW + seq * 60_000 + 3_600_000) },
      };
      if (verdict.effect !== 'ALLOW' || use.check(quotas, booking) !== undefined) throw new Error('refused');
      use.enter(booking);
      for (const row of holdFor(
        book,
        { project: one.project, circuit: booking.circuit, at: NOW },
        36_000_000,
      ))
        book.enter(row);
      const { leaf } = seal(
        {
          ...record(seq++),
          ...(verdict.seen === undefined ? {} : { facts: verdict.seen }),
          reasons: verdict.reasons,
        },
        (n) => random.bytes(n),
      );
      log.append(leaf);
    }) /
    (5_000 * scale);
  yield line(
    'one admission: decision, quota, hold, record',
    'CPU',
    each * 1000,
    'ms',
    atMost(each * 1000, 0.25),
  );
}

const record = (seq: number): AuditRecord => ({
  seq,
  time: '2027-01-15T08:00:00.000Z',
  op: 'decision',
  decision_id: 'dec_01hzy3v7qk8m2n4p6r8t0v2x4z',
  txn: 'txn-1',
  domain: 'ams.example',
  trace: '4bf92f3577b34da6a3ce929d0e0e4736',
  actor: `https://idp.example|person-${seq % 50}`,
  action: 'circuit.create',
  project: 'lhc',
  circuit: 'cir_01hzy3v7qk8m2n4p6r8t0v2x4z',
  ports: ['ams:host1', 'sdg:host1'],
  decision: 'ALLOW',
  reasons: ['members-book'],
  sequence: 'AGENT',
  policy_set_sha256: 'b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c',
  facts: {
    a_port: 'ams:host1',
    z_port: 'sdg:host1',
    bandwidth_mbps: seq,
    month: 1,
    weekday: 5,
    minute_of_day: 540,
  },
  effect: 'circuit.admitted',
});

async function* audit(records: number): AsyncGenerator<BenchLine> {
  const key = generateKeyPairSync('ed25519').privateKey;
  const signer = { name: 'ams.example/audit/1', key };
  const text = seal(record(1), (n) => random.bytes(n)).text;
  const hash = 1e6 / rateOf(50_000, () => leafHash(text));
  const log = new MerkleLog();
  const leaves: Hash[] = [];
  const lines: string[] = [];
  const checkpoints: string[] = [];
  const before = process.cpuUsage();
  for (let seq = 0; seq < records; seq++) {
    const sealed = seal(record(seq), (n) => random.bytes(n));
    log.append(sealed.leaf);
    leaves.push(sealed.leaf);
    lines.push(sealed.text);
  }
  const spent = process.cpuUsage(before);
  const append = (spent.user + spent.system) / records;
  yield line('seal and append one record', 'CPU', append, 'us', {
    against: 'SHA-256 of it',
    ratio: append / hash,
    ...atMost(append, 20),
  });
  const bare = new MerkleLog();
  yield line(
    'append one leaf',
    'CPU',
    (cpu(50_000, (i) => bare.append(leaves[i % leaves.length] as Hash)) / 50_000) * 1e6,
    'us',
  );

  const proof = (cpu(2_000, (i) => log.inclusion((i * 7919) % records, records, new Map())) / 2_000) * 1000;
  yield line(`inclusion in ${records}`, 'CPU', proof, 'ms', atMost(proof, 1));
  const tail = new MerkleLog();
  for (const leaf of leaves) tail.append(leaf);
  tail.durable(records);
  const fetched = (i: number): Map<number, Hash[]> =>
    new Map(tail.tilesForInclusion(i, records).map((n) => [n, leaves.slice(n * 256, n * 256 + 256)]));
  const withTiles =
    (cpu(500, (i) => tail.inclusion((i * 7919) % records, records, fetched((i * 7919) % records))) / 500) *
    1000;
  yield line(`inclusion in ${records}, tiles from elsewhere`, 'CPU', withTiles, 'ms', atMost(withTiles, 1));

  const again = new MerkleLog();
  for (const [i, leaf] of leaves.entries()) {
    again.append(leaf);
    if ((i + 1) % 256 === 0 || i + 1 === records)
      checkpoints.push(
        signCheckpoint({ origin: signer.name, size: i + 1, root: again.root(), extensions: [] }, signer),
      );
  }
  const exported = lines.map((l, i) => exportLine(l, leaves[i] as Hash));
  const start = process.cpuUsage();
  const verdict = verifyExport({ lines: exported, checkpoints, log: signer, origin: signer.name });
  const took = process.cpuUsage(start);
  if (!verdict.ok) throw new Error(verdict.bad?.why ?? 'not verified');
  const seconds = (took.user + took.system) / 1e6;
  yield line(`${records} records and ${checkpoints.length} checkpoints`, 'CPU to verify', seconds, 's', {
    against: 'SHA-256 of them',
    ratio: seconds / ((records * hash) / 1e6),
    ...atMost(seconds, 3),
  });
}

/** A start reads one hash for each 256 records; beside it, what reading every leaf would cost. */
async function* auditStart(records: number): AsyncGenerator<BenchLine> {
  const dir = await mkdtemp(join(tmpdir(), 'turnpike-bench-'));
  const ports = { clock: wallClock(), log: silentLog };
  const store = await openStore({ client: 'sqlite', file: join(dir, 'audit.db'), reserveBytes: 0 }, ports);
  try {
    const lease = await store.acquireLease('bench', 600_000);
    const log = new MerkleLog();
    for (let from = 0; from < records; from += 4_096) {
      const rows: AuditRow[] = [];
      const tiles: AuditTile[] = [];
      for (let seq = from; seq < Math.min(records, from + 4_096); seq++) {
        const { text, leaf } = seal(record(seq), (n) => random.bytes(n));
        rows.push({ seq, time: NOW, leaf: leaf.toString('base64url'), text });
        const tile = log.append(leaf);
        if (tile !== undefined) tiles.push({ tile: tile.tile, hash: tile.hash.toString('base64url') });
      }
      const epoch = lease.held ? lease.epoch : 0;
      await store.commit(group({ epoch, audit: { ...NO_AUDIT, rows, tiles } }));
    }
    const spent = async (act: () => Promise<unknown>): Promise<number> => {
      await act();
      const before = process.cpuUsage();
      await act();
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    };
    const leaves = await spent(() => store.auditLeaves(0, records));
    const tiled = await spent(() => openLog(store, 'ams.example'));
    yield line(`the log at a start, ${records} records`, 'CPU', tiled, 'ms', {
      against: 'reading every leaf',
      ratio: tiled / leaves,
    });
  } finally {
    await store.close();
    await rm(dir, { recursive: true, force: true });
  }
}

async function* ledger(scale: number): AsyncGenerator<BenchLine> {
  const book = new Book();
  book.enter({ id: 1, at: NOW, project: 'lhc', unit: 'MBIT', kind: 'GRANT', amount: 2 ** 52 });
  const rate = rateOf(20_000 * scale, (i) => {
    const of = { project: 'lhc', circuit: `c${i}`, at: NOW };
    for (const row of holdFor(book, of, 1_000)) book.enter(row);
    for (const row of captureUsed(book, of, 900)) book.enter(row);
  });
  yield line('hold and capture, in memory', 'pairs per second', rate, '1/s');
  yield* storedLedger(scale, rate);
}

/** The same, each group of 256 pairs one durable transaction on SQLite; by the clock, because it waits for the disk. */
async function* storedLedger(scale: number, inMemory: number): AsyncGenerator<BenchLine> {
  const directory = await mkdtemp(join(tmpdir(), 'turnpike-ledger-'));
  try {
    const clock = wallClock();
    const store = await openStore(
      { client: 'sqlite', file: join(directory, 'ledger.db') },
      { clock, log: silentLog },
    );
    const lease = await store.acquireLease('bench', 600_000);
    const epoch = lease.held ? lease.epoch : 0;
    const book = new Book();
    const write = (rows: readonly Transfer[]) =>
      store.commit(group({ epoch, now: NOW, transfers: rows.map((row) => post(book, row).posting) }));
    await write([{ id: 1, at: NOW, project: 'lhc', unit: 'MBIT', kind: 'GRANT', amount: 2 ** 52 }]);
    const groups = Math.max(1, Math.floor(40 * scale));
    const start = process.hrtime.bigint();
    for (let g = 0; g < groups; g++) {
      const transfers: Posting[] = [];
      const enter = (row: Transfer) => transfers.push(post(book, row).posting);
      for (let i = 0; i < 256; i++) {
        const of = { project: 'lhc', circuit: `c${g}-${i}`, at: NOW };
        for (const row of holdFor(book, of, 1_000)) enter(row);
        for (const row of captureUsed(book, of, 900)) enter(row);
      }
      await store.commit(group({ epoch, now: NOW, transfers }));
    }
    const rate = (groups * 256) / (Number(process.hrtime.bigint() - start) / 1e9);
    await store.close();
    yield line('hold and capture, stored in groups of 256', 'pairs per second', rate, '1/s', {
      against: 'in memory',
      ratio: rate / inMemory,
      ...atLeast(rate, 5_000),
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
