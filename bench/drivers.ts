/**
 * What it takes to set a path: over emulated switches on real sockets, with the delays of real ones and without
 * any. Beside it what configuring one switch after another would take, and what ODIN published (2.5 s a switch
 * and 15 s of settling). Also the TL1 parser's speed and memory, and what a mute switch costs the others.
 */
import { Executor } from '../src/drivers/executor.ts';
import type { LightContext } from '../src/drivers/port.ts';
import { snmpDialects } from '../src/drivers/snmp/dialects/index.ts';
import { SnmpDriver } from '../src/drivers/snmp/driver.ts';
import { tl1Dialects } from '../src/drivers/tl1/dialects/index.ts';
import { Tl1Driver } from '../src/drivers/tl1/driver.ts';
import { formatAutonomous, formatResponse } from '../src/drivers/tl1/format.ts';
import { Tl1Parser } from '../src/drivers/tl1/parse.ts';
import { instant, stopwatch, wallClock } from '../src/kernel/clock.ts';
import type { CircuitId } from '../src/kernel/ids.ts';
import { seededRandom } from '../src/kernel/random.ts';
import type { Faults } from '../src/lab/faults.ts';
import { SnmpElement } from '../src/lab/snmp/agent.ts';
import { Tl1Element } from '../src/lab/tl1/element.ts';
import type { Hop, Segment } from '../src/model/circuit.ts';
import { atLeast, atMost, type Bench, type BenchLine, linesOf, numberOf, percentile } from './line.ts';

const clock = wallClock();
const user = { user: 'bench', authKey: 'bench-auth-1', privKey: 'bench-priv-1' };

type Kind = 'v2c' | 'v3' | 'tl1';

interface Switches {
  readonly executor: Executor;
  readonly hops: readonly Hop[];
  readonly faults: readonly Faults[];
  close(): Promise<void>;
}

/** `count` emulated switches of the given kinds in turn, all sessions warm. */
async function switches(count: number, kinds: readonly Kind[], seed: number): Promise<Switches> {
  const random = seededRandom(seed);
  const parts = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const kind = kinds[i % kinds.length] as Kind;
      const id = `sw-${i}`;
      if (kind === 'tl1') {
        const ports = [{ name: '1-5-1' }, { name: '1-6-1' }];
        const element = new Tl1Element(
          { id, dialect: 'ome6500', ports, user: 'bench', password: 'bench' },
          clock,
          seededRandom(seed + i),
        );
        const port = await element.listen();
        const driver = new Tl1Driver(
          { device: id, host: '127.0.0.1', port, user: 'bench', password: () => 'bench' },
          (tl1Dialects['ome6500'] as (typeof tl1Dialects)[string])(),
          clock,
          () => {},
        );
        const hop = { device: id, in: { port: '1-5-1', label: 1 }, out: { port: '1-6-1', label: 1 } };
        return { element, driver, hop };
      }
      const ports = Array.from({ length: 24 }, (__, p) => ({ name: `ge-0/0/${p}` }));
      const element = new SnmpElement(
        { id, dialect: 'standard', ports, community: 'bench', user },
        clock,
        seededRandom(seed + i),
      );
      const port = await element.listen();
      const driver = new SnmpDriver(
        {
          device: id,
          host: '127.0.0.1',
          port,
          credentials:
            kind === 'v2c'
              ? { version: 'v2c', community: () => 'bench' }
              : { version: 'v3', user: user.user, authKey: () => user.authKey, privKey: () => user.privKey },
        },
        snmpDialects['standard'] as (typeof snmpDialects)[string],
        clock,
        () => {},
      );
      const hop = {
        device: id,
        in: { port: 'ge-0/0/1', label: 1801 },
        out: { port: 'ge-0/0/2', label: 1801 },
      };
      return { element, driver, hop };
    }),
  );
  const executor = new Executor({ drivers: parts.map((p) => p.driver), clock, random, tell: () => {} });
  await executor.connect();
  return {
    executor,
    hops: parts.map((p) => p.hop),
    faults: parts.map((p) => p.element.faults),
    async close() {
      await executor.close();
      await Promise.all(parts.map((p) => p.element.close()));
    },
  };
}

const segment = (hops: readonly Hop[]): Segment => ({
  domain: 'bench',
  local: true,
  a: { port: 'bench:a' },
  z: { port: 'bench:z' },
  links: [],
  latencyMs: 0,
  uses: [],
  hops,
  agreed: 'COMMITTED',
  light: 'LIGHTING',
});

const context = (version: number, circuit = 'cir_01jd0a1b2c3d4e5f6g7h8j9kmn'): LightContext => ({
  circuit: circuit as CircuitId,
  version,
  mbps: 1_000,
  decisionId: 'dec_bench',
  fence: 1,
  deadline: instant(clock.now() + 120_000),
});

async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const start = stopwatch();
  const result = await work();
  return { ms: stopwatch() - start, result };
}

const line = linesOf('drivers');

const mustWork = (ok: boolean, detail: string): void => {
  if (!ok) throw new Error(`the bench's own path failed: ${detail}`);
};

/** A path of switches that take their time, each its own. */
async function* withDelays(
  counts: readonly number[],
  settleMs: number,
  seed: number,
): AsyncGenerator<BenchLine> {
  for (const count of counts) {
    const lab = await switches(count, ['v3', 'v2c', 'tl1'], seed);
    const random = seededRandom(seed);
    const own = lab.faults.map((faults) => {
      // One SET or one round of commands makes the connection, one removes it.
      const ms = 300 + random.int(1_201);
      faults.writeMs = [ms, ms];
      faults.settleMs = settleMs;
      return ms;
    });
    const slowest = Math.max(...own);
    const path = segment(lab.hops);
    const up = await timed(() => lab.executor.light(path, context(1)));
    mustWork(up.result.ok, up.result.detail);
    const down = await timed(() => lab.executor.dark(path, context(1)));
    mustWork(down.result.ok, down.result.detail);
    await lab.close();
    const name = `${count} switches, 0.3-1.5 s a write, ${settleMs / 1000} s settling`;
    const sum = own.reduce((total, ms) => total + ms + settleMs, 0);
    const alone = slowest + settleMs;
    yield line(name, 'set-up', up.ms, 'ms', {
      against: 'the slowest switch alone',
      ratio: up.ms / alone,
      ...atMost(up.ms, 1.1 * alone),
    });
    yield line(name, 'set-up', up.ms, 'ms', { against: 'one switch after another', ratio: up.ms / sum });
    yield line(name, 'set-up', up.ms, 'ms', {
      against: 'ODIN, published: 2.5 s a switch and 15 s',
      ratio: up.ms / (2_500 * count + 15_000),
    });
    yield line(name, 'tear-down', down.ms, 'ms', {
      against: 'the slowest switch alone',
      ratio: down.ms / slowest,
      ...atMost(down.ms, 1.1 * slowest),
    });
  }
}

/** Our own time for one connection on one switch that takes none. */
async function* ownTime(
  kind: Kind,
  rounds: number,
  target: number | undefined,
  seed: number,
): AsyncGenerator<BenchLine> {
  const lab = await switches(1, [kind], seed);
  const path = segment(lab.hops);
  const samples: number[] = [];
  for (let i = 1; i <= rounds; i++) {
    const up = await timed(() => lab.executor.light(path, context(i)));
    mustWork(up.result.ok, up.result.detail);
    if (i > 20) samples.push(up.ms);
    const down = await lab.executor.dark(path, context(i));
    mustWork(down.ok, down.detail);
  }
  await lab.close();
  const name = kind === 'tl1' ? 'one TL1 element, 7 cross-connects' : `one switch, SNMP ${kind}`;
  const p50 = percentile(samples, 0.5);
  yield line(name, 'own time p50', p50, 'ms', target === undefined ? {} : atMost(p50, target));
  yield line(name, 'own time p99', percentile(samples, 0.99), 'ms');
}

async function* many(count: number, seed: number): AsyncGenerator<BenchLine> {
  const lab = await switches(count, ['v2c', 'v3', 'tl1'], seed);
  const path = segment(lab.hops);
  const samples: number[] = [];
  for (let i = 1; i <= 5; i++) {
    const up = await timed(() => lab.executor.light(path, context(i)));
    mustWork(up.result.ok, up.result.detail);
    samples.push(up.ms);
    await lab.executor.dark(path, context(i));
  }
  await lab.close();
  const p50 = percentile(samples, 0.5);
  yield line(
    `${count} switches at once, and both ends in one process`,
    'set-up p50',
    p50,
    'ms',
    atMost(p50, 500),
  );
}

/** The starts that are due together with one on a mute switch. */
async function* besideMute(count: number, seed: number): AsyncGenerator<BenchLine> {
  const lab = await switches(count + 1, ['v2c'], seed);
  const last = lab.hops.at(-1) as Hop;
  const others = lab.hops.slice(0, count);
  const circuit = (i: number): string => `cir_bench${`${i}`.padStart(21, '0')}`;
  const startAll = (round: number) =>
    Promise.all(
      others.map((hop, i) => timed(() => lab.executor.light(segment([hop]), context(round, circuit(i))))),
    );
  const endAll = (round: number) =>
    Promise.all(others.map((hop, i) => lab.executor.dark(segment([hop]), context(round, circuit(i)))));
  const without: number[] = [];
  const beside: number[] = [];
  for (let round = 1; round <= 20; round++) {
    const mute = round % 2 === 0;
    const faults = lab.faults.at(-1) as Faults;
    faults.mute = mute;
    const stuck = mute
      ? Array.from({ length: 10 }, (_, i) =>
          lab.executor.light(segment([last]), context(round, circuit(1_000 + i))),
        )
      : [];
    const done = await startAll(round);
    for (const { result } of done) mustWork(result.ok, result.detail);
    (mute ? beside : without).push(Math.max(...done.map(({ ms }) => ms)));
    await Promise.all(stuck);
    await endAll(round);
  }
  await lab.close();
  const difference = percentile(beside, 0.5) - percentile(without, 0.5);
  yield line(
    `${count} starts beside 10 on a mute switch`,
    'delay of the others p50',
    Math.max(0, difference),
    'ms',
    {
      against: 'the same without it',
      ...atMost(difference, 50),
    },
  );
}

function* parser(megabytes: number): Generator<BenchLine> {
  const rows = Array.from(
    { length: 400 },
    (_, i) => `"STS3C-1-5-1-${i},STS3C-1-6-1-${i}:2WAY:CKTID=\\"T01jd0a1b2c3d4e5f6g7h8j9kmn00101\\":IS-NR"`,
  );
  const session = Buffer.from(
    formatResponse('ne', 0, '12', 'COMPLD', rows, true) +
      formatAutonomous('ne', 0, 'A', '7', 'REPT DBCHG', ['"DBCHGSEQ=9,USERID=A,SOURCE=12:"']) +
      formatResponse('ne', 0, '12', 'COMPLD', rows),
    'latin1',
  );
  const one = new Tl1Parser();
  let bytes = 0;
  let units = 0;
  let read = 0;
  const start = stopwatch();
  while (bytes < megabytes * 1e6) {
    // In pieces as TCP brings them.
    for (let at = 0; at < session.length; at += 16_384) {
      for (const unit of one.push(session.subarray(at, at + 16_384))) {
        units += 1;
        if (unit.kind === 'response') read += unit.lines.length;
      }
    }
    bytes += session.length;
  }
  const rate = bytes / 1e6 / ((stopwatch() - start) / 1000);
  const sessions = bytes / session.length;
  if (units !== sessions * 2 || read !== sessions * 2 * rows.length)
    throw new Error('the parser lost something');
  yield line('TL1 answers of two pages', 'parser', rate, 'MB/s', atLeast(rate, 50));

  const endless = new Tl1Parser();
  endless.push(Buffer.from('\r\n\n   ne 26-01-01 00:00:00\r\nM  1 COMPLD\r\n'));
  const chunk = Buffer.from(`${rows.join('\r\n')}\r\n`);
  let most = 0;
  for (let sent = 0; sent < 100e6; sent += chunk.length) {
    endless.push(chunk);
    most = Math.max(most, endless.held);
  }
  yield line('100 MB of a unit without an end', 'held at most', most / 1e6, 'MB', atMost(most / 1e6, 1));
}

export const run: Bench = async function* (options) {
  const seed = numberOf(options, 'seed', 1);
  const settle = numberOf(options, 'settle-ms', 2_000);
  const largest = numberOf(options, 'switches', 50);
  yield* parser(200);
  yield* ownTime('v2c', 520, 3, seed);
  yield* ownTime('v3', 520, 6, seed);
  yield* ownTime('tl1', 520, undefined, seed);
  yield* many(200, seed);
  yield* besideMute(20, seed);
  yield* withDelays(
    [1, 5, 20, 50].filter((count) => count <= largest),
    settle,
    seed,
  );
};
