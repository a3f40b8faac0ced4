/**
 * What laxity is worth and what it costs. `--suite oracle` and `link` stand beside an exact solver (`laxityExact.ts`).
 * `medium`: how many refusals are spared on real networks, beside fixed slots and beside a window in which nobody
 * moves. `workflow`: circuits after one another, placed as one. `large`: how long a decision takes with 100,000
 * bookings. `--topology FILE` takes another network (SNDlib, GraphML or JSON), with `--requests`, `--load`, `--seed`.
 */
import { usual, withoutMoves } from '../src/scheduler/laxity/place.ts';
import { link, oracle } from './laxityExact.ts';
import {
  atLeast,
  atMost,
  type Bench,
  type BenchLine,
  type BenchOptions,
  linesOf,
  numberOf,
  percentile,
} from './line.ts';
import { CutBound } from './support/cut.ts';
import { documentOf, type Graph, readGraph, sharedFile } from './support/networks.ts';
import { type Played, play } from './support/playback.ts';
import { accepted, workflows } from './support/workflows.ts';
import { type Arrival, arrivals, GRANULE_S, stress } from './support/workload.ts';

const line = linesOf('laxity');

export const run: Bench = async function* (options) {
  const suite = options['suite'];
  const suites = { oracle, link, medium, large, workflow };
  for (const [name, one] of Object.entries(suites)) {
    if (suite === undefined || suite === name) yield* one(options);
  }
  if (suite !== undefined && !(suite in suites))
    throw new Error(`--suite ${Object.keys(suites).join(' | ')}`);
};

const area = (asked: readonly Arrival[]): number =>
  asked.reduce((sum, { ask }) => sum + ask.mbps * ask.duration, 0);

/** The same requests with their windows shut: all start when they would like to. */
const asFixed = (asked: readonly Arrival[]): Arrival[] =>
  asked.map((arrival) => {
    const { ask } = arrival;
    return { ...arrival, ask: { ...ask, deadline: ask.notBefore + ask.duration, movable: false } };
  });

async function* medium(options: BenchOptions): AsyncGenerator<BenchLine> {
  const given = options['topology'];
  const files: [string | undefined, string, readonly number[]][] =
    given === undefined
      ? [
          [sharedFile('sndlib/germany50.txt'), 'germany50', [0.45, 0.5, 0.58]],
          [sharedFile('topology-zoo/Geant2012.graphml'), 'Geant2012', [0.28, 0.35, 0.43]],
          [sharedFile('topology-zoo/Surfnet.graphml'), 'Surfnet', [0.3, 0.38, 0.46]],
        ]
      : [[given, given, [0.3]]];
  for (const [file, title, usualLoads] of files) {
    if (file === undefined) {
      process.stderr.write(`laxity: ${title} is not here: skipped\n`);
      continue;
    }
    const graph = readGraph(file);
    // Across the band of blocking that the target speaks of: one load alone would show what one likes.
    const loads = options['load'] === undefined ? usualLoads : [numberOf(options, 'load', 0)];
    for (const load of loads) yield* mediumAt(graph, load, options);
  }
}

/** Over `--seeds` days; with `--bound`, how many refusals nobody could have spared (support/cut.ts), which takes long. */
async function* mediumAt(graph: Graph, load: number, options: BenchOptions): AsyncGenerator<BenchLine> {
  const document = documentOf(graph, 100);
  const bound = options['bound'] === undefined ? undefined : await CutBound.of(graph, 100, GRANULE_S);
  const name = `${graph.name}, load ${load}`;
  const sum = { asked: 0, inWindow: 0, refused: 0, hopeless: 0 };
  const first = numberOf(options, 'seed', 1);
  const seeds = numberOf(options, 'seeds', 1);
  for (let seed = first; seed < first + seeds; seed++) {
    const asked = arrivals(graph, stress(seed, numberOf(options, 'requests', 10_000), load, 24));
    const fixed = await play(document, asFixed(asked), withoutMoves);
    const window = await play(document, asked, withoutMoves);
    const doubtful: (() => Promise<boolean>)[] = [];
    const full = await play(
      document,
      asked,
      { ...usual, explain: false },
      {
        refused: (fleet, ask, { proof }, now) => {
          if (proof === 'PROVEN_IMPOSSIBLE') sum.hopeless++;
          else if (bound !== undefined) doubtful.push(bound.isImpossible(fleet, ask, now));
        },
      },
    );
    for (const isImpossible of doubtful) if (await isImpossible()) sum.hopeless++;
    sum.asked += asked.length;
    sum.inWindow += asked.length - window.accepted;
    sum.refused += asked.length - full.accepted;
    for (const [policy, played] of [
      ['fixed slots', fixed],
      ['window', window],
      ['window + displacement', full],
    ] as const) {
      yield line(`${name}, seed ${seed}`, `${policy}: by count`, played.accepted / asked.length, 'ratio');
      yield line(
        `${name}, seed ${seed}`,
        `${policy}: by bandwidth x time`,
        played.carried / area(asked),
        'ratio',
      );
    }
    yield* howItWent(`${name}, seed ${seed}`, full, asked.length);
  }
  const of = (refused: number): number => 1 - refused / Math.max(1, sum.inWindow);
  yield line(name, 'blocking in the window', sum.inWindow / sum.asked, 'ratio');
  yield line(name, 'refusals spared', of(sum.refused), 'ratio', {
    against: `first fit in the window; at most ${of(sum.hopeless).toFixed(3)}, the others are proven impossible`,
    ...atLeast(of(sum.refused), 0.6),
  });
}

async function* workflow(options: BenchOptions): AsyncGenerator<BenchLine> {
  const file = options['topology'] ?? sharedFile('sndlib/germany50.txt');
  if (file === undefined) {
    process.stderr.write('laxity: germany50 is not here: skipped\n');
    return;
  }
  const graph = readGraph(file);
  const load = numberOf(options, 'load', 0.5);
  const requests = numberOf(options, 'requests', 6_000);
  const all = workflows(arrivals(graph, stress(numberOf(options, 'seed', 1), requests, load, 24)));
  const document = documentOf(graph, 100);
  const bare = { ...usual, explain: false };
  const single = accepted(document, all, bare, false) / all.length;
  const whole = accepted(document, all, bare, true) / all.length;
  const name = `${graph.name}, load ${load}, workflows of 3`;
  yield line(name, 'accepted one by one', single, 'ratio');
  yield line(name, 'accepted as one', whole, 'ratio', { against: 'one by one', ratio: whole / single });
}

/** On average: a hundred and fifty days. */
const AHEAD_HOURS = 150 * 24;

async function* large(options: BenchOptions): AsyncGenerator<BenchLine> {
  const file = options['topology'] ?? sharedFile('sndlib/germany50.txt');
  if (file === undefined) {
    process.stderr.write('laxity: germany50 is not here: skipped\n');
    return;
  }
  const graph = readGraph(file);
  const load = numberOf(options, 'load', 0.5);
  // Booked so long ahead that 100,000 are live at once.
  const requests = numberOf(options, 'requests', 400_000);
  const asked = arrivals(
    graph,
    stress(numberOf(options, 'seed', 1), requests, load, numberOf(options, 'ahead', AHEAD_HOURS)),
  );
  for (const [how, limits] of [
    ['explained', usual],
    ['bare', { ...usual, explain: false }],
  ] as const) {
    if ((options['explain'] ?? 'explained') !== how) continue;
    const full = await play(documentOf(graph, 100), asked, limits);
    const name = `${graph.name}, ${full.mostLive} live, refusals ${how}`;
    const us = full.us.all;
    const p = (share: number, target: number, unit = 'us') =>
      [percentile(us, share), unit, atMost(percentile(us, share), target)] as const;
    const [p50, unit, ok50] = p(0.5, 20);
    yield line(name, 'decision alone p50', percentile(full.us.decision, 0.5), unit);
    yield line(name, 'decision and entry p50', p50, unit, ok50);
    const [p99, , ok99] = p(0.99, 1_000);
    yield line(name, 'decision and entry p99', p99, unit, ok99);
    const [p999, , ok999] = p(0.999, 20_000);
    yield line(name, 'decision and entry p99.9', p999, unit, ok999);
    for (const [title, share] of [
      ['p50', 0.5],
      ['p99', 0.99],
      ['p99.9', 0.999],
    ] as const)
      yield line(name, `processor time ${title}`, percentile(full.us.cpu, share), 'us');
    const cpuSeconds = full.us.cpu.reduce((sum, us) => sum + us, 0) / 1e6;
    yield line(name, 'decisions per processor second', asked.length / cpuSeconds, '1/s');
    const rate = asked.length / full.seconds;
    yield line(name, 'decisions per second', rate, '1/s', atLeast(rate, 10_000));
    yield line(name, 'by count', full.accepted / asked.length, 'ratio');
    yield line(name, 'by bandwidth x time', full.carried / area(asked), 'ratio');
    yield* howItWent(name, full, asked.length);
  }
}

function* howItWent(name: string, played: Played, asked: number): Generator<BenchLine> {
  for (const [outcome, count] of Object.entries(played.by)) {
    const us = played.us.by[outcome] ?? [];
    yield line(name, `${outcome}: share`, count / asked, 'ratio');
    yield line(name, `${outcome}: p50`, percentile(us, 0.5), 'us');
    yield line(name, `${outcome}: p99`, percentile(us, 0.99), 'us');
  }
  yield line(name, 'moves per accepted', played.moves / Math.max(1, played.accepted), 'ratio');
  yield line(name, 'mean shift of a move', played.shiftS / Math.max(1, played.moves), 's');
  yield line(name, 'violations', played.violations.length, 'breaches', atMost(played.violations.length, 0));
}
