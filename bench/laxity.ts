/**
 * What laxity is worth and what it costs. `--suite oracle`: on small networks, how much of what an exact
 * solver could admit is admitted. `link`: what such a solver would win on a single link. `medium`: how many refusals are spared on real networks, beside fixed slots
 * and beside a window in which nobody moves. `workflow`: circuits after one another, placed as one. `large`: how long a decision takes with 100,000 bookings.
 * `--topology FILE` takes another network (SNDlib, GraphML or JSON), with `--requests`, `--load`, `--seed`.
 */
import type { Ask, Refused } from '../src/scheduler/laxity/booking.ts';
import type { Fleet } from '../src/scheduler/laxity/fleet.ts';
import { usual, withoutMoves } from '../src/scheduler/laxity/place.ts';
import {
  atLeast,
  atMost,
  type Bench,
  type BenchLine,
  type BenchOptions,
  numberOf,
  percentile,
} from './line.ts';
import { CutBound } from './support/cut.ts';
import { Oracle } from './support/exact.ts';
import { documentOf, type Graph, readGraph, sharedFile } from './support/networks.ts';
import { type Played, play } from './support/playback.ts';
import { rescueOnOneLink } from './support/rescue.ts';
import { accepted, workflows } from './support/workflows.ts';
import { type Arrival, arrivals, GRANULE_S, stress, type Workload } from './support/workload.ts';

const line = (
  name: string,
  metric: string,
  value: number,
  unit: string,
  more: Partial<BenchLine> = {},
): BenchLine => ({
  bench: 'laxity',
  case: name,
  metric,
  value,
  unit,
  ...more,
});

export const run: Bench = async function* (options) {
  const suite = options['suite'];
  const suites = { oracle, link, medium, large, workflow };
  for (const [name, one] of Object.entries(suites)) {
    if (suite === undefined || suite === name) yield* one(options);
  }
  if (suite !== undefined && !(suite in suites))
    throw new Error(`--suite ${Object.keys(suites).join(' | ')}`);
};

// ---- oracle

const ring = (nodes: number, chords: readonly (readonly [number, number])[]): Omit<Graph, 'name'> => ({
  nodes: Array.from({ length: nodes }, (_, i) => `${i}`),
  links: [...Array.from({ length: nodes }, (_, i) => [i, (i + 1) % nodes] as const), ...chords],
});
const ring5: Graph = { name: 'ring5', ...ring(5, [[1, 3]]) };
const net8: Graph = {
  name: 'net8',
  ...ring(8, [
    [0, 4],
    [2, 6],
  ]),
};

interface OracleRow {
  readonly graph: Graph;
  readonly kind: 'lambda' | 'mixed';
  readonly linkMbps: number;
  readonly load: number;
  readonly requests: number;
  readonly seeds: number;
  readonly paths: number;
}

const MIXED: Workload['rates'] = [
  [1, 3],
  [2, 3],
  [5, 2],
  [10, 1],
];

function oracleRows(options: BenchOptions): OracleRow[] {
  const seeds = numberOf(options, 'seeds', 8);
  const requests = numberOf(options, 'requests', 50);
  const rows: OracleRow[] = [];
  const add = (
    graph: Graph,
    loads: readonly number[],
    more: { lambda: number; requests: number; seeds: number; paths: number },
  ): void => {
    for (const load of options['load'] === undefined ? loads : [numberOf(options, 'load', 1)]) {
      const row = { graph, load, requests: more.requests, seeds: more.seeds, paths: more.paths };
      rows.push({ ...row, kind: 'lambda', linkMbps: more.lambda });
      rows.push({ ...row, kind: 'mixed', linkMbps: 10 });
    }
  };
  const given = options['topology'];
  const larger = {
    lambda: 2,
    requests: numberOf(options, 'requests', 100),
    seeds: Math.ceil(seeds / 2),
    paths: 24,
  };
  if (given !== undefined) {
    add(readGraph(given), [0.6], larger);
    return rows;
  }
  for (const graph of [ring5, net8]) add(graph, [0.6, 1], { lambda: 1, requests, seeds, paths: 4_096 });
  for (const file of ['sndlib/abilene.txt', 'sndlib/nobel-germany.txt']) {
    const found = sharedFile(file);
    if (found === undefined) process.stderr.write(`laxity: ${file} is not here: skipped\n`);
    else add(readGraph(found), [0.6], larger);
  }
  return rows;
}

async function* oracle(options: BenchOptions): AsyncGenerator<BenchLine> {
  const all = { accepted: 0, missed: 0 };
  for (const row of oracleRows(options)) {
    const { graph, linkMbps } = row;
    const solver = await Oracle.of(graph, linkMbps, row.paths);
    const tally = {
      accepted: 0,
      missed: 0,
      refused: 0,
      proven: 0,
      unknown: 0,
      falseProofs: 0,
      asked: 0,
      window: 0,
    };
    const violations: string[] = [];
    for (let seed = numberOf(options, 'seed', 1), i = 0; i < row.seeds; i++, seed++) {
      const workload: Workload = {
        seed,
        requests: row.requests,
        load: row.load,
        linkMbps,
        rates: row.kind === 'lambda' ? [[1, 1]] : MIXED,
        unit: 1,
        meanDuration: 5,
        longest: 16,
        meanAhead: 12,
        onDemand: 0.2,
        fixedShare: 0.3,
        laxity: [0.5, 1, 2, 3],
        sigma: 0.5,
        notice: 0,
        cancels: 0,
        burst: 1,
      };
      const asks = arrivals(graph, workload);
      const verdicts: { refused: Refused; verdict: ReturnType<Oracle['canAdmit']> }[] = [];
      const watch = (fleet: Fleet, ask: Ask, refused: Refused, now: number): void => {
        // The model is written before anything changes; only solving waits.
        verdicts.push({ refused, verdict: solver.canAdmit(fleet, ask, now) });
      };
      const played = await play(
        documentOf(graph, linkMbps),
        asks,
        { ...usual, explain: false },
        { refused: watch },
      );
      violations.push(...played.violations);
      tally.accepted += played.accepted;
      tally.asked += asks.length;
      tally.window += (await play(documentOf(graph, linkMbps), asks, withoutMoves)).accepted;
      for (const { refused, verdict } of verdicts) {
        const proven = refused.proof === 'PROVEN_IMPOSSIBLE';
        tally.refused++;
        if (proven) tally.proven++;
        const said = await verdict;
        if (said === 'UNKNOWN') tally.unknown++;
        if (said !== 'FEASIBLE') continue;
        if (proven) tally.falseProofs++;
        tally.missed++;
      }
    }
    all.accepted += tally.accepted;
    all.missed += tally.missed;
    const name = `${graph.name} ${row.kind}, load ${row.load}`;
    const against = solver.complete
      ? 'HiGHS, exact, at each refusal'
      : `HiGHS over the ${row.paths} shortest paths`;
    const share = tally.accepted / (tally.accepted + tally.missed);
    yield line(name, 'completeness', share, 'ratio', { against, ...atLeast(share, 0.99) });
    yield line(name, 'accepted', tally.accepted / tally.asked, 'ratio', {
      against: 'first fit in the window',
      ratio: tally.accepted / tally.window,
    });
    yield line(
      name,
      'missed / refused / proven / unknown',
      tally.missed,
      `/${tally.refused}/${tally.proven}/${tally.unknown}`,
    );
    yield line(
      name,
      'proofs that the solver refutes',
      tally.falseProofs,
      'refusals',
      atMost(tally.falseProofs, 0),
    );
    yield line(name, 'violations', violations.length, 'breaches', atMost(violations.length, 0));
  }
  const share = all.accepted / (all.accepted + all.missed);
  yield line('all instances', 'completeness', share, 'ratio', {
    against: 'HiGHS at each refusal',
    ...atLeast(share, 0.995),
  });
}

// ---- one link

/**
 * What is left to win where there is no second path and time is all that can be chosen: the engine, and the same with
 * a solver that admits whoever the engine gives up and who could be admitted, by moving everybody to where it says.
 */
async function* link(options: BenchOptions): AsyncGenerator<BenchLine> {
  const graph: Graph = { name: 'one link', nodes: ['0', '1'], links: [[0, 1]] };
  const document = documentOf(graph, 100);
  const first = numberOf(options, 'seed', 1);
  const requests = numberOf(options, 'requests', 1_500);
  for (const load of options['load'] === undefined ? [0.8, 0.9] : [numberOf(options, 'load', 0)]) {
    const refused = { window: 0, engine: 0, solver: 0 };
    const given = { ADMITTED: 0, IMPOSSIBLE: 0, UNKNOWN: 0 };
    for (let seed = first; seed < first + numberOf(options, 'seeds', 3); seed++) {
      // A second stands for five minutes: so the engine has no more starts to choose from than the solver.
      const asked = arrivals(graph, { ...stress(seed, requests, load, 24), unit: 1, notice: 0 });
      const bare = { ...usual, explain: false };
      const rescue = await rescueOnOneLink(100);
      refused.window += requests - (await play(document, asked, withoutMoves)).accepted;
      refused.engine += requests - (await play(document, asked, bare)).accepted;
      const solved = await play(document, asked, bare, {
        rescue: async (fleet, ask, now) => {
          const verdict = await rescue(fleet, ask, now);
          given[verdict]++;
          return verdict === 'ADMITTED';
        },
      });
      refused.solver += requests - solved.accepted;
      if (solved.violations.length > 0) throw new Error(solved.violations.join('; '));
    }
    const name = `${graph.name}, load ${load}`;
    const spared = (count: number): number => 1 - count / refused.window;
    yield line(name, 'refused in the window', refused.window, 'requests');
    yield line(name, 'refusals spared', spared(refused.engine), 'ratio', {
      against: 'first fit in the window',
    });
    yield line(name, 'refusals spared, with a solver', spared(refused.solver), 'ratio', {
      against: `HiGHS where the engine gives up: ${given.ADMITTED} more, ${given.IMPOSSIBLE} impossible, ${given.UNKNOWN} unknown`,
    });
  }
}

// ---- medium and large

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
