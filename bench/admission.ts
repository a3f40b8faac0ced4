/**
 * Durable admissions over HTTP: the whole service as a process of its own, asked by another one, on SQLite
 * with fsync. Beside it, in the same run, the same server libraries with no broker in them.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Broker } from '../src/broker/broker.ts';
import type { Devices } from '../src/broker/devices/devicePorts.ts';
import { MemoryDevices } from '../src/drivers/memory.ts';
import { developmentIssuer } from '../src/identity/dev.ts';
import { type InstantMs, instant, sleep, stopwatch, wallClock } from '../src/kernel/clock.ts';
import { silentLog } from '../src/kernel/log.ts';
import { systemRandom } from '../src/kernel/random.ts';
import type { CircuitRequest } from '../src/model/circuit.ts';
import type { PortId } from '../src/model/port.ts';
import { readPolicy } from '../src/policySeed.ts';
import { openStore } from '../src/store/open.ts';
import { ROOT } from '../test/support/root.ts';
import { atLeast, atMost, type Bench, type BenchLine, linesOf, numberOf, percentile } from './line.ts';
import { end, firstLine, freePort, load, residentMb, start, startScript } from './support/processes.ts';
import { benchPorts, benchTopology } from './support/topology.ts';

const IN_FLIGHT = 64;

export const run: Bench = async function* (options) {
  const requests = numberOf(options, 'requests', 20_000);
  const live = numberOf(options, 'live', 100_000);
  const seed = numberOf(options, 'seed', 1);
  const dir = mkdtempSync(join(tmpdir(), 'turnpike-bench-'));
  try {
    yield* overHttp(dir, requests, live, seed);
    yield* dueAtOnce(dir, numberOf(options, 'due', 10_000));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};

const line = linesOf('admission');

async function* overHttp(
  dir: string,
  requests: number,
  live: number,
  seed: number,
): AsyncGenerator<BenchLine> {
  const bare = await bareRate(dir, requests, seed);
  const name = `HTTP, SQLite, FIXED, ${IN_FLIGHT} in flight`;
  yield line('bare Fastify + knex + sqlite3, 7 rows', 'admissions per second', bare, '1/s');

  const server = await Server.start(dir);
  try {
    await load({ ...server.target, requests: 2_000, inFlight: IN_FLIGHT, seed: seed + 1 });
    const before = await server.transactions();
    const busy = await load({ ...server.target, requests, inFlight: IN_FLIGHT, seed });
    const rate = busy.accepted / busy.seconds;
    yield line(name, 'admissions per second', rate, '1/s', {
      against: 'the bare server',
      ratio: rate / bare,
      ...atLeast(rate, 2_000),
    });
    yield line(name, 'not accepted', busy.refused + busy.failed, 'requests');
    yield line(name, 'p99', percentile(busy.ms, 0.99), 'ms');
    const each = ((await server.transactions()) - before) / busy.accepted;
    yield line(name, 'transactions per admission', each, 'ratio', atMost(each, 0.1));
    const alone = await load({ ...server.target, requests: 500, inFlight: 1, seed: seed + 2 });
    const p50 = percentile(alone.ms, 0.5);
    yield line('HTTP, SQLite, FIXED, one in sequence', 'p50', p50, 'ms', atMost(p50, 4));

    yield* flexible(dir, requests, seed, rate);

    const missing = live - 2_500 - busy.accepted;
    if (missing > 0) await load({ ...server.target, requests: missing, inFlight: IN_FLIGHT, seed: seed + 3 });
    await server.kill();
    const seconds = await server.restart();
    const there = await server.liveCircuits();
    yield line(`restart after kill -9, ${there} live`, 'until ready', seconds, 's', atMost(seconds, 5));
    yield line(
      `restart after kill -9, ${there} live`,
      'resident memory',
      server.residentMb,
      'MB',
      atMost(server.residentMb, 600),
    );
  } finally {
    await server.kill();
  }
}

/** The same service and the same load, but that all of it has a window: on a store of its own, as empty at first. */
async function* flexible(
  dir: string,
  requests: number,
  seed: number,
  fixedRate: number,
): AsyncGenerator<BenchLine> {
  const own = join(dir, 'flexible');
  mkdirSync(own);
  const server = await Server.start(own);
  try {
    const ask = { ...server.target, inFlight: IN_FLIGHT, flexible: true };
    await load({ ...ask, requests: 2_000, seed: seed + 1 });
    const busy = await load({ ...ask, requests, seed });
    const rate = busy.accepted / busy.seconds;
    const name = `HTTP, SQLite, FLEXIBLE, ${IN_FLIGHT} in flight`;
    const beside = rate / fixedRate;
    yield line(name, 'admissions per second', rate, '1/s');
    yield line(name, 'rate beside that of FIXED in this run', beside, 'ratio', atLeast(beside, 0.8));
    yield line(name, 'not accepted', busy.refused + busy.failed, 'requests');
    yield line(name, 'p99', percentile(busy.ms, 0.99), 'ms');
  } finally {
    await server.kill();
  }
}

async function bareRate(dir: string, requests: number, seed: number): Promise<number> {
  const child = startScript('bench/support/bare.ts', join(dir, 'bare.db'));
  try {
    const url = await firstLine(child);
    await load({ url, token: '', requests: 2_000, inFlight: IN_FLIGHT, seed });
    const report = await load({ url, token: '', requests, inFlight: IN_FLIGHT, seed });
    return report.accepted / report.seconds;
  } finally {
    await end(child);
  }
}

class Server {
  readonly target: { readonly url: string; readonly token: string };
  readonly #config: string;
  readonly #operator: string;
  #child;

  private constructor(target: { url: string; token: string }, operator: string, config: string) {
    this.target = target;
    this.#operator = operator;
    this.#config = config;
    this.#child = this.#spawn();
  }

  static async start(dir: string): Promise<Server> {
    const port = await freePort();
    writeFileSync(join(dir, 'topology.yaml'), JSON.stringify(benchTopology()));
    const config = {
      domain: 'bench.example',
      http: { port, rate_limit_per_minute: 100_000_000 },
      store: { client: 'sqlite', file: join(dir, 'turnpike.db') },
      seeds: { topology: join(dir, 'topology.yaml') },
      identity: { development_dir: join(dir, 'development') },
      log: { level: 'warn' },
    };
    const file = join(dir, 'domain.yaml');
    writeFileSync(file, JSON.stringify(config));
    const issuer = await developmentIssuer({
      directory: join(dir, 'development'),
      audience: 'bench.example',
      clock: wallClock(),
    });
    const server = new Server(
      { url: `http://127.0.0.1:${port}`, token: await issuer.mint('user') },
      await issuer.mint('operator'),
      file,
    );
    await server.ready();
    return server;
  }

  #spawn() {
    return start(['dist/main.js', 'serve', '--config', this.#config]);
  }

  async ready(): Promise<void> {
    for (;;) {
      const answer = await fetch(`${this.target.url}/readyz`).catch(() => undefined);
      if (answer?.status === 200) return;
      await sleep(wallClock(), 20);
    }
  }

  kill(): Promise<void> {
    return end(this.#child, 'SIGKILL');
  }

  /** Seconds from the start of the process until it says that it is ready. */
  async restart(): Promise<number> {
    const began = stopwatch();
    this.#child = this.#spawn();
    await this.ready();
    return (stopwatch() - began) / 1000;
  }

  get residentMb(): number {
    return residentMb(this.#child.pid as number);
  }

  /** Summed over its labels. */
  async #metric(name: string): Promise<number> {
    const answer = await fetch(`${this.target.url}/metrics`, {
      headers: { authorization: `Bearer ${this.#operator}` },
    });
    const found = [
      ...(await answer.text()).matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? ([0-9.e+]+)$`, 'gm')),
    ];
    if (found.length === 0) throw new Error(`/metrics says nothing of ${name}`);
    return found.reduce((sum, match) => sum + Number(match[1]), 0);
  }
  transactions(): Promise<number> {
    return this.#metric('turnpike_transactions_total');
  }
  liveCircuits(): Promise<number> {
    return this.#metric('turnpike_circuits');
  }
}

/** Ten thousand circuits that start at one second: when has the last of them been handed to its devices? */
async function* dueAtOnce(dir: string, count: number): AsyncGenerator<BenchLine> {
  const clock = wallClock();
  const store = await openStore({ client: 'sqlite', file: join(dir, 'due.db') }, { clock, log: silentLog });
  const memory = new MemoryDevices({ clock, random: systemRandom });
  let handed = 0;
  let last = 0;
  const devices: Devices = {
    light(segment, context) {
      handed++;
      last = Date.now();
      return memory.light(segment, context);
    },
    dark: (segment, context) => memory.dark(segment, context),
    observe: () => memory.observe(),
  };
  const broker = new Broker({
    domain: 'bench.example',
    holder: 'bench',
    clock,
    random: systemRandom,
    log: silentLog,
    store,
    devices,
    peers: { send: () => Promise.reject(new Error('there are no peers')) },
    policy: { zone: 'UTC', seed: await readPolicy(join(ROOT, 'examples/policies/default.cedar')) },
    seedTopology: benchTopology(),
  });
  await broker.start();
  const ports = benchPorts() as PortId[];
  const principal = { id: 'bench', name: 'bench', roles: ['user'], projects: ['lhc'], assurance: 1 } as const;
  const begin = instant(Math.ceil(Date.now() / 1000) * 1000 + 15_000 + Math.ceil(count / 1_000) * 1_000);
  await Promise.all(
    Array.from({ length: count }, (_, i) =>
      broker.createCircuit(
        { principal, requestId: 'bench', validateOnly: false },
        fixedRequest(ports, i, begin),
      ),
    ),
  );
  const early = begin - Date.now();
  while (handed < count && Date.now() < begin + 30_000) await sleep(clock, 20);
  const seconds = (last - begin) / 1000;
  const name = `${count} circuits due at one second`;
  yield line(name, 'handed to the devices', handed, 'circuits', atLeast(handed, count));
  yield line(name, 'last effect handed out after', seconds, 's', atMost(seconds, 2));
  yield line(name, 'booked before the second by', early / 1000, 's');
  await broker.stop();
  await store.close();
  for (const file of readdirSync(dir))
    if (file.startsWith('due.db')) rmSync(join(dir, file), { force: true });
}

function fixedRequest(ports: readonly PortId[], i: number, start: InstantMs): CircuitRequest {
  const a = ports[i % ports.length] as PortId;
  const z = ports[(i + 1 + (Math.floor(i / ports.length) % (ports.length - 1))) % ports.length] as PortId;
  return {
    project: 'lhc',
    a: { port: a, vlan: 'ANY' },
    z: { port: z, vlan: 'ANY' },
    mbps: 1,
    protection: 'UNPROTECTED',
    constraints: {},
    provision: 'AUTOMATIC',
    holdS: 0,
    pinned: false,
    noticeS: 60,
    priority: 50,
    schedule: { type: 'FIXED', start, end: instant(start + 600_000) },
  };
}
