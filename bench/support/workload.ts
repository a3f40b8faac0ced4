/**
 * Who asks for what and when: a seeded row of arrivals. Pairs by node weight, durations exponential, a share
 * of FIXED ones, windows as a multiple of the duration, book-ahead exponential, now and then a cancellation.
 * The offered load is what all of it would take on shortest paths, over what the network has.
 */
import { seededRandom } from '../../src/kernel/random.ts';
import type { Ask } from '../../src/scheduler/laxity/booking.ts';
import { type Graph, portId } from './networks.ts';

export interface Workload {
  readonly seed: number;
  readonly requests: number;
  readonly load: number;
  readonly linkMbps: number;
  /** Mb/s and how often, relative to each other. */
  readonly rates: readonly (readonly [mbps: number, weight: number])[];
  /** All times are multiples of this many seconds. */
  readonly unit: number;
  /** In units: mean and longest duration, mean book-ahead. */
  readonly meanDuration: number;
  readonly longest: number;
  readonly meanAhead: number;
  readonly onDemand: number;
  readonly fixedShare: number;
  readonly laxity: readonly number[];
  /** Spread of the node weights exp(sigma N(0, 1)). */
  readonly sigma: number;
  readonly notice: number;
  readonly cancels: number;
  /** Mean size of a burst; 1 is Poisson. */
  readonly burst: number;
}

export interface Arrival {
  readonly at: number;
  readonly ask: Ask;
  /** When its owner cancels it, if nothing has begun by then. */
  readonly cancelAt?: number;
}

const STRESS: Workload['rates'] = [
  [1, 4],
  [2, 3],
  [5, 4],
  [10, 5],
  [20, 2],
  [50, 1],
];

export const GRANULE_S = 300;

/** Times in steps of five minutes, links of 100. */
export const stress = (seed: number, requests: number, load: number, aheadHours: number): Workload => ({
  seed,
  requests,
  load,
  linkMbps: 100,
  rates: STRESS,
  unit: GRANULE_S,
  meanDuration: 48,
  longest: 576,
  meanAhead: aheadHours * 12,
  onDemand: 0.1,
  fixedShare: 0.3,
  laxity: [0.5, 1, 2, 4],
  sigma: 0.6,
  notice: 300,
  cancels: 0.05,
  burst: 1,
});

type Random = ReturnType<typeof seededRandom>;

const exponential = (random: Random, mean: number): number => -mean * Math.log(1 - random.float());
const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float());

function weighted(random: Random, weights: readonly number[], total: number): number {
  let left = random.float() * total;
  for (const [i, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return i;
  }
  return weights.length - 1;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((x, y) => x + y, 0);

export function arrivals(graph: Graph, w: Workload): Arrival[] {
  const random = seededRandom(w.seed);
  const popularity = graph.nodes.map(() => Math.exp(w.sigma * normal(random)));
  const all = sum(popularity);
  const rateWeights = w.rates.map(([, weight]) => weight);
  const rateTotal = sum(rateWeights);
  const meanRate = sum(w.rates.map(([mbps, weight]) => mbps * weight)) / rateTotal;
  const capacity = graph.links.length * w.linkMbps;
  // Mean time between arrivals, in units, that offers the load asked for.
  const between = (meanRate * w.meanDuration * meanHops(graph, popularity)) / (w.load * capacity);
  const made: Arrival[] = [];
  let at = 0;
  let inBurst = 0;
  for (let i = 0; i < w.requests; i++) {
    if (inBurst > 0) inBurst--;
    else {
      at += exponential(random, between * w.burst);
      inBurst = w.burst > 1 ? Math.floor(exponential(random, w.burst - 1)) : 0;
    }
    const a = weighted(random, popularity, all);
    let z = weighted(random, popularity, all);
    while (z === a) z = weighted(random, popularity, all);
    const duration = Math.max(1, Math.min(w.longest, Math.round(exponential(random, w.meanDuration))));
    const [mbps] = w.rates[weighted(random, rateWeights, rateTotal)] as (typeof w.rates)[number];
    const fixed = random.chance(w.fixedShare);
    const ahead = random.chance(w.onDemand) ? 0 : Math.round(exponential(random, w.meanAhead));
    const asked = Math.floor(at);
    const notBefore = asked + ahead;
    const laxity = fixed ? 0 : Math.round(duration * (w.laxity[random.int(w.laxity.length)] as number));
    const cancelAt = random.chance(w.cancels) ? asked + Math.round(ahead * random.float()) : undefined;
    made.push({
      at: asked * w.unit,
      ask: {
        id: `c${String(i).padStart(8, '0')}`,
        a: { port: portId(a), vlan: 'ANY' },
        z: { port: portId(z), vlan: 'ANY' },
        mbps,
        duration: duration * w.unit,
        notBefore: notBefore * w.unit,
        deadline: (notBefore + laxity + duration) * w.unit,
        notice: w.notice,
        priority: 50,
        movable: !fixed,
      },
      ...(cancelAt === undefined ? {} : { cancelAt: cancelAt * w.unit }),
    });
  }
  return made;
}

/** Hops of the shortest paths, weighed as pairs are drawn. */
function meanHops({ nodes, links }: Graph, popularity: readonly number[]): number {
  const neighbours = nodes.map((): number[] => []);
  for (const [a, z] of links) {
    neighbours[a]?.push(z);
    neighbours[z]?.push(a);
  }
  let hops = 0;
  let weight = 0;
  for (const from of nodes.keys()) {
    const distance = new Map([[from, 0]]);
    for (const [node, far] of distance) {
      for (const next of neighbours[node] as number[]) if (!distance.has(next)) distance.set(next, far + 1);
    }
    for (const [to, far] of distance) {
      const both = (popularity[from] as number) * (popularity[to] as number);
      if (to !== from) [hops, weight] = [hops + both * far, weight + both];
    }
  }
  return hops / weight;
}
