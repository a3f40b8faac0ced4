/**
 * Laxity beside an exact solver. `oracle`: on small networks, how much of what the solver could admit is admitted.
 * `link`: what it would win on a single link.
 */
import type { Ask, Refused } from '../src/scheduler/laxity/booking.ts';
import type { Fleet } from '../src/scheduler/laxity/fleet.ts';
import { usual, withoutMoves } from '../src/scheduler/laxity/place.ts';
import { atLeast, atMost, type BenchLine, type BenchOptions, linesOf, numberOf } from './line.ts';
import { Oracle } from './support/exact.ts';
import { documentOf, type Graph, readGraph, sharedFile } from './support/networks.ts';
import { play } from './support/playback.ts';
import { rescueOnOneLink } from './support/rescue.ts';
import { arrivals, stress, type Workload } from './support/workload.ts';

const line = linesOf('laxity');

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

export async function* oracle(options: BenchOptions): AsyncGenerator<BenchLine> {
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
export async function* link(options: BenchOptions): AsyncGenerator<BenchLine> {
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
