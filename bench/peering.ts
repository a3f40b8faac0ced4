/**
 * What agreeing with other domains costs: the built program, one process a domain, real HTTPS with mutual TLS on
 * loopback, real SQLite with fsync. Beside it what OpenNSA 3 took on this kind of machine with a dummy backend
 * and no capacity check, and what setting up a path over several domains took in 2006.
 */
import { stopwatch, wallClock } from '../src/kernel/clock.ts';
import { build } from '../test/process/broker.ts';
import { Row } from '../test/process/three.ts';
import { atLeast, atMost, type Bench, type BenchLine, linesOf, numberOf, percentile } from './line.ts';

const OPENNSA = { sequential: 82, inFlight: 16, slowdown: 3 };
const SWITCH_MS = 300;
const CHAIN = 5;
const IN_FLIGHT = 16;
/** Circuits that processes have agreed before they are timed: what runs all day is compiled by then. */
const WARM_UP = 300;
const clock = wallClock();

const line = linesOf('peering');

export const run: Bench = async function* (options) {
  build();
  const samples = numberOf(options, 'samples', 100);
  yield* twoDomains(samples, numberOf(options, 'burst', 600), numberOf(options, 'stored', 5_000));
  yield* chain(numberOf(options, 'chains', 10));
  yield* partitioned(numberOf(options, 'partition', 300));
};

interface Shown {
  readonly id: string;
  readonly state: string;
}

const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');

/** Ends vary, so that many fit beside each other; `now`: it has begun. */
function ask(n: number, to: number, now = false): Record<string, unknown> {
  const begun = Math.floor(clock.now() / 1000) * 1000;
  const start = now ? begun : begun + 3_600_000 + (n % 500) * 60_000;
  return {
    project: 'lhc',
    a: { port: `d0:h${1 + (n % 4)}` },
    z: { port: `d${to}:h${1 + ((n >> 2) % 4)}` },
    bandwidth_mbps: 1,
    schedule: { type: 'FIXED', start_time: rfc3339(start), end_time: rfc3339(start + 60_000) },
  };
}

let asked = 0;

/** From the request to SCHEDULED, both domains having held and committed. */
async function book(row: Row, to: number): Promise<number> {
  const watch = stopwatch();
  const { status, body } = await row.call<Shown>(0, 'POST', '/v1/circuits', {
    body: ask(asked++, to),
    headers: { prefer: 'wait=30' },
  });
  if (status !== 201 || body.state !== 'SCHEDULED')
    throw new Error(`${status} ${JSON.stringify(body).slice(0, 400)}`);
  return stopwatch() - watch;
}

/** `count` circuits, `width` at a time: their times, and how many a second. */
async function many(
  row: Row,
  count: number,
  width: number,
  to: number,
): Promise<{ readonly ms: number[]; readonly perSecond: number }> {
  const ms: number[] = [];
  let left = count;
  const watch = stopwatch();
  const one = async (): Promise<void> => {
    while (left-- > 0) ms.push(await book(row, to));
  };
  await Promise.all(Array.from({ length: width }, one));
  return { ms, perSecond: (count / (stopwatch() - watch)) * 1000 };
}

async function known(row: Row, ports: number): Promise<void> {
  for (;;) {
    const { body } = await row.call<{ items: unknown[] }>(0, 'GET', '/v1/ports?page_size=200');
    if (body.items.length >= ports) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function* twoDomains(samples: number, burst: number, stored: number): AsyncGenerator<BenchLine> {
  const row = new Row(2);
  try {
    await row.begin();
    await known(row, 10);
    await many(row, WARM_UP, 4, 1);
    const empty = await many(row, samples, 1, 1);
    const p50 = percentile(empty.ms, 0.5);
    yield inSequence('two domains, one client in sequence', p50);
    yield line(
      'two domains, one client in sequence',
      'reserve + commit p99',
      percentile(empty.ms, 0.99),
      'ms',
    );
    await many(row, 50, IN_FLIGHT, 1);
    const { perSecond } = await many(row, burst, IN_FLIGHT, 1);
    yield inFlight(`two domains, ${IN_FLIGHT} in flight`, perSecond);
    const already = WARM_UP + samples + 50 + burst;
    if (stored > already) await many(row, stored - already, IN_FLIGHT, 1);
    const full = percentile((await many(row, samples, 1, 1)).ms, 0.5);
    const name = `two domains, ${stored} circuits stored`;
    yield line(name, 'p50 against none stored', full / p50, 'ratio', {
      against: 'OpenNSA 3 (3 x at 500)',
      ratio: full / p50 / OPENNSA.slowdown,
      ...atMost(full / p50, 1.3),
    });
    // What has agreed so many is compiled as it will stay.
    yield inSequence(name, full);
    yield inFlight(`${name}, ${IN_FLIGHT} in flight`, (await many(row, burst, IN_FLIGHT, 1)).perSecond);
  } finally {
    await row.clear();
  }
}

const inSequence = (name: string, p50: number): BenchLine =>
  line(name, 'reserve + commit p50', p50, 'ms', {
    against: `OpenNSA 3 (${OPENNSA.sequential} ms)`,
    ratio: p50 / OPENNSA.sequential,
    ...atMost(p50, 15),
  });
const inFlight = (name: string, perSecond: number): BenchLine =>
  line(name, 'reserve + commit', perSecond, '1/s', {
    against: `OpenNSA 3 (${OPENNSA.inFlight}/s)`,
    ratio: perSecond / OPENNSA.inFlight,
    ...atLeast(perSecond, 150),
  });

/** A circuit that begins at once through all domains of a row, each of whose switches takes 300 ms. */
async function* chain(count: number): AsyncGenerator<BenchLine> {
  const row = new Row(CHAIN);
  try {
    await row.begin([`devices: {delay_ms: ${SWITCH_MS}, least_delay_ms: ${SWITCH_MS}}`]);
    await known(row, 4 * CHAIN + 2 * (CHAIN - 1));
    await many(row, WARM_UP, 4, CHAIN - 1);
    const up: number[] = [];
    const down: number[] = [];
    for (let i = 0; i < count + 1; i++) {
      const watch = stopwatch();
      const made = await row.call<Shown>(0, 'POST', '/v1/circuits', { body: ask(asked++, CHAIN - 1, true) });
      if (made.status !== 201) throw new Error(JSON.stringify(made.body).slice(0, 400));
      const path = `/v1/circuits/${made.body.id}`;
      await reaches(row, path, 'ACTIVE');
      const lit = stopwatch() - watch;
      const again = stopwatch();
      await row.call(0, 'DELETE', path);
      await reaches(row, path, 'CANCELLED');
      // The first finds no connections yet.
      if (i > 0) {
        up.push(lit);
        down.push(stopwatch() - again);
      }
    }
    const target = 1.2 * SWITCH_MS + 150;
    const name = `chain of ${CHAIN} domains, switches take ${SWITCH_MS} ms`;
    for (const [metric, ms] of [
      ['request to ACTIVE p50', up],
      ['release to dark everywhere p50', down],
    ] as const) {
      const p50 = percentile(ms, 0.5);
      const beside = { against: 'DRAC 2006 (40 s)', ratio: p50 / 40_000, ...atMost(p50, target) };
      yield line(name, metric, p50, 'ms', beside);
    }
  } finally {
    await row.clear();
  }
}

async function reaches(row: Row, path: string, state: string): Promise<Shown> {
  for (;;) {
    const { body } = await row.call<Shown>(0, 'GET', path);
    if (body.state === state) return body;
    if (['REJECTED', 'FAILED'].includes(body.state)) throw new Error(JSON.stringify(body).slice(0, 600));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** d2 stops answering while circuits between d0 and d1, and some to d2, are asked for. */
async function* partitioned(count: number): AsyncGenerator<BenchLine> {
  const row = new Row(3);
  try {
    await row.begin();
    await known(row, 3 * 4 + 4);
    await many(row, WARM_UP, 4, 1);
    const before = percentile((await many(row, count, 4, 1)).ms, 0.99);
    row.signal(2, 'SIGSTOP');
    for (let i = 0; i < 8; i++) await row.call(0, 'POST', '/v1/circuits', { body: ask(asked++, 2) });
    const during = percentile((await many(row, count, 4, 1)).ms, 0.99);
    row.signal(2, 'SIGCONT');
    yield line('a third peer is silent', 'p99 of the others against before', during / before, 'ratio', {
      against: `nobody silent (${before.toFixed(1)} ms)`,
      ratio: during / before,
      ...atMost(during / before, 1.2),
    });
  } finally {
    await row.clear();
  }
}
