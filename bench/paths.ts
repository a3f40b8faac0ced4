/**
 * The path engine against the figures we promise: the search against graphology's (which tests no capacity),
 * admission and earliest start on networks full of bookings, ranking, disjoint pairs, labels, compiling.
 * `run` yields one line per figure; bench/run.ts prints them. Wall clock: run it on a quiet machine.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { MultiUndirectedGraph } from 'graphology';
import dijkstra from 'graphology-shortest-path/dijkstra.js';
import { seededRandom } from '../src/kernel/random.ts';
import { Calendar } from '../src/scheduler/calendar.ts';
import { compile } from '../src/topology/compile.ts';
import type { TopologyDocument } from '../src/topology/document.ts';
import { guessFormat, readTopology } from '../src/topology/formats/index.ts';
import { type Network, OPER_UP } from '../src/topology/network.ts';
import { findEarliest } from '../src/topology/search/earliest.ts';
import { ask, findPath } from '../src/topology/search/find.ts';
import { labelsFor } from '../src/topology/search/labels.ts';
import { findPair } from '../src/topology/search/pair.ts';
import { pose } from '../src/topology/search/question.ts';
import { findShortest } from '../src/topology/search/ranked.ts';
import { ROOT } from '../test/support/root.ts';
import { type Booking, book, longHaul, networkDocument, unbook, Workload, withPorts } from './networks.ts';

export interface BenchLine {
  readonly bench: 'paths';
  readonly case: string;
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  /** What it is measured against, and how many times better than that it is. */
  readonly against?: string;
  readonly ratio?: number;
  readonly target?: number;
  readonly ok?: boolean;
}

export interface BenchOptions {
  /** A file that the readers know; every case then runs on it. */
  readonly topology?: string;
  /** Live bookings of the admission case; both of our sizes when absent. */
  readonly live?: number;
  readonly seed?: number;
  /** Only the groups of cases so called: graphology, several, labels, compiling, admission, million. */
  readonly only?: string;
  /** Where the shared data lies; what needs it is left out elsewhere. */
  readonly shared?: string;
}

/** As the command line has them: text. */
type Given = Readonly<Record<string, string | undefined>>;

/** Beside the project, where it is there. */
function sharedFolder(): string | undefined {
  const folder = join(ROOT, '../shared/data');
  return existsSync(folder) ? folder : undefined;
}

const microseconds = (): number => Number(process.hrtime.bigint()) / 1000;

function timesOf(count: number, run: (i: number) => void): number[] {
  // What runs all day is compiled by then.
  for (let i = 0; i < Math.min(count, 3_000); i++) run(i);
  return Array.from({ length: count }, (_, i) => {
    const from = microseconds();
    run(i);
    return microseconds() - from;
  });
}

const rounded = (value: number): number => Number(value.toPrecision(4));

function percentile(times: readonly number[], p: number): number {
  const sorted = [...times].sort((x, y) => x - y);
  return rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? Number.NaN);
}

/** A figure that must stay below its target. */
function below(
  name: string,
  metric: string,
  value: number,
  target: number | undefined,
  unit = 'us',
): BenchLine {
  const line = { bench: 'paths' as const, case: name, metric, value, unit };
  return target === undefined ? line : { ...line, target, ok: value <= target };
}

interface Net {
  readonly name: string;
  readonly network: Network;
  readonly calendar: Calendar;
}

function netOf(name: string, document: TopologyDocument): Net {
  const network = compile(withPorts(document));
  const calendar = new Calendar();
  for (const [edge, room] of network.rooms()) calendar.setRoom(edge, room);
  return { name, network, calendar };
}

function fromFile(file: string): Net {
  const text = readFileSync(file, 'utf8');
  const format = guessFormat(file, text);
  if (format === undefined) throw new Error(`${file}: no reader knows this notation`);
  const { document, problems } = readTopology(text, format);
  if (document === undefined) throw new Error(`${file}:${problems[0]?.line}: ${problems[0]?.message}`);
  const largest = largestPart(document);
  // Every port as wide as can be, and every link alike: the bench is about searching, not about this network.
  return netOf(basename(file), {
    ...largest,
    ports: [],
    links: largest.links.map((link) => ({ ...link, capacity_mbps: 100_000 })),
  });
}

/** Real maps have loose ends: requests between parts that nothing joins would all be refused at once. */
function largestPart(document: TopologyDocument): TopologyDocument {
  const part = new Map<string, string>(document.nodes.map((node) => [node.id, node.id]));
  const root = (id: string): string => {
    let at = id;
    for (let up = part.get(at); up !== at && up !== undefined; up = part.get(at)) at = up;
    return at;
  };
  for (const { a, z } of document.links) part.set(root(a.node), root(z.node));
  const sizes = new Map<string, number>();
  for (const { id } of document.nodes) sizes.set(root(id), (sizes.get(root(id)) ?? 0) + 1);
  const [main] = [...sizes].sort((x, y) => y[1] - x[1])[0] as [string, number];
  const inside = new Set(document.nodes.filter(({ id }) => root(id) === main).map(({ id }) => id));
  return {
    domain: document.domain,
    prefix: document.prefix,
    nodes: document.nodes.filter(({ id }) => inside.has(id)),
    ports: document.ports.filter(({ node }) => inside.has(node)),
    links: document.links.filter(({ a }) => inside.has(a.node)),
  };
}

/** The bench remembers so many of what it booked, evenly spread: its own lists are not the engine's memory. */
const REMEMBERED = 20_000;

interface Filled {
  /** Some of the live ones, to be taken away again one by one. */
  readonly bookings: Booking[];
  readonly live: number;
  readonly horizon: number;
}

/** Books until so many are live, at about 30 % of what the links hold. */
function fill(net: Net, workload: Workload, wanted: number): Filled {
  let hops = 0;
  for (let i = 0; i < 200; i++) {
    const path = findPath({ network: net.network, free: net.calendar }, workload.next(1000));
    if (path.found) hops += path.links.length / 200;
  }
  const load = (8_000 * 4 * 3600 * hops) / (0.3 * 100_000 * net.network.links.length);
  const horizon = Math.max(86_400, Math.ceil(wanted * load));
  const bookings: Booking[] = [];
  let live = 0;
  for (let tries = 0; live < wanted && tries < 4 * wanted; tries++) {
    const query = workload.next(horizon);
    const path = findPath({ network: net.network, free: net.calendar }, query);
    if (!path.found) continue;
    const booking = book(net.network, net.calendar, query, path);
    if (live++ % Math.ceil(wanted / REMEMBERED) === 0) bookings.push(booking);
  }
  return { bookings, live, horizon };
}

/** Same pairs, same weights; graphology is spared the capacity, the labels and the names of what it found. */
function* againstGraphology(net: Net, seed: number): Generator<BenchLine> {
  const random = seededRandom(seed);
  const { network } = net;
  fill(net, new Workload(network, random), network.links.length * 4);
  const graph = new MultiUndirectedGraph();
  for (let i = 0; i < network.nodes.length; i++) graph.addNode(i);
  network.links.forEach((link, i) => {
    graph.addUndirectedEdgeWithKey(i, link.a, link.z, { weight: link.latencyMs });
  });
  const ports = [...network.ports.values()];
  const pairs = Array.from({ length: 200 }, () => {
    const a = random.int(ports.length);
    const z = (a + 1 + random.int(ports.length - 1)) % ports.length;
    return [ports[a], ports[z]] as [(typeof ports)[number], (typeof ports)[number]];
  });
  const count = network.nodes.length > 2000 ? 100 : 400;
  const theirs = timesOf(count, (i) => {
    const [a, z] = pairs[i % pairs.length] as (typeof pairs)[number];
    dijkstra.bidirectional(graph, a.node, z.node, 'weight');
  });
  const questions = pairs.map(([a, z]) => {
    const end = (port: string) => ({ port, vlan: 'ANY' as const });
    const window = { start: 40_000, end: 50_000 };
    const question = pose(
      { network, free: net.calendar },
      { a: end(a.id), z: end(z.id), mbps: 1_000, metric: 'latency', ...window },
    );
    if ('found' in question) throw new Error(question.detail);
    return { question, window };
  });
  const search = (i: number): void => {
    const { question, window } = questions[i % questions.length] as (typeof questions)[number];
    ask(question, window).search(question.a.node, question.z.node);
  };
  const ours = timesOf(4000, search);
  const ratio = rounded(percentile(theirs, 0.5) / percentile(ours, 0.5));
  yield {
    ...below(net.name, 'shortest p50', percentile(ours, 0.5), undefined),
    against: `graphology bidirectional Dijkstra without capacity: ${percentile(theirs, 0.5)} us`,
    ratio,
    target: 20,
    ok: ratio >= 20,
  };
  yield below(net.name, 'shortest p99', percentile(ours, 0.99), undefined);
}

function* admission(
  net: Net,
  wanted: number,
  seed: number,
  targets: { p50?: number; p99?: number; earliest50?: number; earliest99?: number; rss?: number },
): Generator<BenchLine> {
  const random = seededRandom(seed);
  const workload = new Workload(net.network, random);
  const snapshot = { network: net.network, free: net.calendar };
  const { bookings, live, horizon } = fill(net, workload, wanted);
  const name = `${net.name}, ${live} live`;
  const admitted: number[] = [];
  const refused: number[] = [];
  for (let i = 0; i < 20_000; i++) {
    const place = random.int(bookings.length);
    const old = bookings[place] as Booking;
    unbook(net.calendar, old);
    const query = workload.next(horizon);
    const from = microseconds();
    const path = findPath(snapshot, query);
    if (path.found) {
      bookings[place] = book(net.network, net.calendar, query, path);
      admitted.push(microseconds() - from);
    } else {
      refused.push(microseconds() - from);
      for (const share of old) net.calendar.claim(share);
    }
  }
  const all = [...admitted, ...refused];
  yield below(name, 'fixed slot, decided and booked p50', percentile(all, 0.5), targets.p50);
  yield below(name, 'fixed slot, decided and booked p99', percentile(all, 0.99), targets.p99);
  yield below(name, 'admitted p50', percentile(admitted, 0.5), undefined);
  yield below(name, 'refused with its cut p50', percentile(refused, 0.5), undefined);
  yield below(name, 'refused', rounded(refused.length / all.length), undefined, 'share');
  const earliest: number[] = [];
  for (let i = 0; i < 6_000; i++) {
    const { start, end, ...query } = workload.next(horizon);
    const from = microseconds();
    findEarliest(snapshot, { ...query, notBefore: start, latest: start + 86_400, duration: end - start });
    earliest.push(microseconds() - from);
  }
  yield below(name, 'earliest start in 24 h p50', percentile(earliest, 0.5), targets.earliest50);
  yield below(name, 'earliest start in 24 h p99', percentile(earliest, 0.99), targets.earliest99);
  const rss = rounded(process.memoryUsage().rss / 2 ** 30);
  yield below(name, 'resident memory', rss, targets.rss, 'GiB');
}

function* several(net: Net, seed: number, targets: { ranked?: number; pair?: number }): Generator<BenchLine> {
  const random = seededRandom(seed);
  const workload = new Workload(net.network, random);
  const snapshot = { network: net.network, free: net.calendar };
  const queries = Array.from({ length: 300 }, () => workload.next(86_400));
  const query = (i: number) => queries[i % queries.length] as (typeof queries)[number];
  const ranked = timesOf(600, (i) => {
    findShortest(snapshot, query(i), 10);
  });
  yield below(net.name, '10 shortest p50', percentile(ranked, 0.5), targets.ranked);
  const pairs = timesOf(4000, (i) => {
    findPair(snapshot, { ...query(i), disjoint: 'LINK' });
  });
  yield below(net.name, 'disjoint pair p50', percentile(pairs, 0.5), targets.pair);
}

/** First fit over eight links that all carry many labels, where no node swaps: one label all the way. */
function labels(name: string, kind: object, most: number, busy: number, target: number): BenchLine {
  const line = networkDocument(
    9,
    Array.from({ length: 8 }, (_, i) => [i, i + 1, 1] as const),
  );
  const net = netOf(name, {
    ...line,
    nodes: line.nodes.map((node) => ({ ...node, swaps_labels: false })),
    links: line.links.map((link) => ({ ...link, ...kind })),
  });
  const random = seededRandom(1);
  for (const link of net.network.links) {
    for (let i = 0; i < busy; i++) {
      const start = random.int(100) * 60;
      const label = 2 + random.int(most - 2);
      net.calendar.claim({ edge: link.edge, mbps: 0, label, start, end: start + 60 * (1 + random.int(100)) });
    }
  }
  const end = (node: number) => ({ port: `b:n0000${node}`, vlan: 'ANY' as const });
  const question = pose({ network: net.network, free: net.calendar }, { a: end(0), z: end(8), mbps: 1 });
  if ('found' in question) throw new Error(question.detail);
  const links = [0, 1, 2, 3, 4, 5, 6, 7];
  const times = timesOf(20_000, (i) => {
    const start = (i % 90) * 60;
    labelsFor(question, links, { start, end: start + 1800 });
  });
  return below(name, 'label over 8 links p50', percentile(times, 0.5), target);
}

function* compiling(seed: number): Generator<BenchLine> {
  const document = longHaul(754, 899, seed);
  const times = timesOf(20, () => {
    compile(document);
  });
  yield below('754 nodes', 'compile p50', rounded(percentile(times, 0.5) / 1000), 50, 'ms');
  const { network } = netOf('754 nodes', document);
  const ids = network.links.map((link) => link.id);
  const changes = timesOf(2000, (i) => {
    network.setLinkState(ids[i % ids.length] as string, OPER_UP, i % 2 === 0);
  });
  yield below('754 nodes', 'link state applied p99', rounded(percentile(changes, 0.99) / 1000), 1, 'ms');
}

/** The groups of cases, in the order in which they run. */
function* groups(
  options: BenchOptions,
): Generator<readonly [name: string, lines: () => Iterable<BenchLine>]> {
  const seed = options.seed ?? 5;
  const germany50 = `${options.shared ?? '../shared/data'}/sndlib/germany50.txt`;
  const cogentco = join(ROOT, 'test/data/topology-zoo/Cogentco.graphml');
  if (options.topology !== undefined) {
    const net = (): Net => fromFile(options.topology as string);
    yield ['graphology', () => againstGraphology(net(), seed)];
    yield ['several', () => several(net(), seed, {})];
    yield ['admission', () => admission(net(), options.live ?? 10_000, seed, {})];
    return;
  }
  yield ['graphology', () => againstGraphology(netOf('50 nodes', longHaul(50, 88, seed)), seed)];
  yield ['graphology', () => againstGraphology(fromFile(cogentco), seed)];
  yield ['graphology', () => againstGraphology(netOf('500 nodes', longHaul(500, 900, seed)), seed)];
  yield ['graphology', () => againstGraphology(netOf('5,000 nodes', longHaul(5000, 9000, seed)), seed)];
  // SNDlib's files may not be copied into this repository: where the data is absent the case is left out.
  if (existsSync(germany50)) {
    yield ['several', () => several(fromFile(germany50), seed, { ranked: 120, pair: 12 })];
  }
  yield [
    'several',
    () => several(netOf('500 nodes', longHaul(500, 900, seed)), seed, { ranked: 1300, pair: 120 }),
  ];
  yield ['labels', () => [labels('96 wavelengths', { wavelengths: '1-96' }, 97, 40, 2)]];
  yield ['labels', () => [labels('4,096 VLANs', {}, 4094, 200, 5)]];
  yield ['compiling', () => compiling(seed)];
  const targets = { p50: 30, p99: 200, earliest50: 30, earliest99: 400 };
  const middle = (): Net => netOf('300 nodes, 500 links', longHaul(300, 500, seed));
  yield ['admission', () => admission(middle(), options.live ?? 100_000, seed, targets)];
  const large = (): Net => netOf('1,100 nodes, 2,000 links', longHaul(1100, 2000, seed));
  yield ['million', () => admission(large(), options.live ?? 1_000_000, seed, { p50: 110, rss: 1.6 })];
}

export async function* run(given: Given): AsyncGenerator<BenchLine> {
  const { live, seed, topology, only, shared = sharedFolder() } = given;
  const options: BenchOptions = {
    ...(live === undefined ? {} : { live: Number(live) }),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
    ...(topology === undefined ? {} : { topology }),
    ...(only === undefined ? {} : { only }),
    ...(shared === undefined ? {} : { shared }),
  };
  for (const [name, lines] of groups(options)) {
    if (options.only === undefined || options.only === name) yield* lines();
  }
}
