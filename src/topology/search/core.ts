/**
 * A* over the arrays of a network: the one loop that must be fast. Distances are whole numbers (ticks and a
 * tie-break per link, see network.ts); the lower bounds to a target are exact distances on the empty network,
 * kept per target. Whether a link is open is asked as late as possible, when it is about to be used, and once
 * per question: on a busy network that is the dear part.
 */
import { TIE_BITS } from '../compile.ts';
import type { Metric, Network } from '../network.ts';
import { Heap } from './heap.ts';

/** Is the link usable for what is being asked? The answer must not change within one question. */
export type LinkTest = (link: number) => boolean;

/** Lower bounds are kept for as many targets as fit into this. */
const BOUNDS_BYTES = 64 * 2 ** 20;
/**
 * A search that has settled so many nodes looks whether its target is closed off from where it is, at as many
 * nodes around the target; again at twice as many, and so on. So a small side costs as little at either end.
 */
const PATIENCE = 64;
/** Stamps start again at 1 before they leave 31 bits. */
const LAST_STAMP = 2 ** 30 - 1;

export class Core {
  readonly network: Network;
  /** After a search: the settled nodes in order, each one's distance and the half-edge it was reached by. */
  readonly order: Int32Array;
  settledCount = 0;
  readonly distance: Float64Array;
  readonly reachedBy: Int32Array;

  #round = 0;
  readonly #settled: Int32Array;
  readonly #avoided: Int32Array;
  #question = 0;
  /** Per link: twice the question in which it was tested, plus 1 if it was open. */
  readonly #tested: Int32Array;
  #test: LinkTest = () => true;
  #metric: Metric = 'cost';
  #salt = 0;
  readonly #heap: Heap;

  readonly #bounds: Readonly<Record<Metric, Map<number, Float64Array>>> = {
    cost: new Map(),
    latency: new Map(),
    hops: new Map(),
  };
  #boundsCount = 0;

  constructor(network: Network) {
    const nodes = network.nodes.length;
    const links = network.links.length;
    this.network = network;
    this.order = new Int32Array(nodes);
    this.distance = new Float64Array(nodes);
    this.reachedBy = new Int32Array(nodes);
    this.#settled = new Int32Array(nodes);
    this.#avoided = new Int32Array(links);
    this.#tested = new Int32Array(links);
    this.#heap = new Heap(2 * links + 2);
  }

  /** Numbers the questions: a search that goes on later sees by it whether others have asked since. */
  get question(): number {
    return this.#question;
  }

  /** Begins a question: what was known about links is forgotten. */
  ask(test: LinkTest, metric: Metric, salt: number): void {
    if (++this.#question > LAST_STAMP) {
      this.#tested.fill(0);
      this.#question = 1;
    }
    this.#test = test;
    this.#metric = metric;
    this.#salt = salt;
    this.begin();
  }

  /** Begins one search of the question: what was settled and avoided is forgotten. */
  begin(): void {
    if (++this.#round > LAST_STAMP) {
      this.#settled.fill(0);
      this.#avoided.fill(0);
      this.#round = 1;
    }
    this.settledCount = 0;
    this.#heap.clear();
  }

  /** Keeps the search that follows off a node or a link. */
  avoidNode(node: number): void {
    this.#settled[node] = this.#round;
  }
  avoidLink(link: number): void {
    this.#avoided[link] = this.#round;
  }

  isSettled(node: number): boolean {
    return this.#settled[node] === this.#round;
  }

  isOpen(link: number): boolean {
    const tested = this.#tested[link] as number;
    if (tested >> 1 === this.#question) return (tested & 1) === 1;
    const open = this.#test(link);
    this.#tested[link] = this.#question * 2 + (open ? 1 : 0);
    return open;
  }

  /** What a link adds to a distance: its ticks, and 1 to 1,024 that differ from one salt to the next. */
  weight(link: number): number {
    return (this.network.weights[this.#metric].perLink[link] as number) + this.#tie(link);
  }
  #tie(link: number): number {
    return (Math.imul((this.network.hash[link] as number) ^ this.#salt, 0x9e3779b1) >>> (32 - TIE_BITS)) + 1;
  }

  /**
   * Shortest path over open links; path() reads it back. When there is none, the settled nodes are one side of
   * what separates the two: that of the source, or a few nodes around the target.
   */
  search(source: number, target: number): boolean {
    const { offset, to, via } = this.network;
    const perLink = this.network.weights[this.#metric].perLink;
    const bounds = this.bounds(target);
    const heap = this.#heap;
    const settled = this.#settled;
    const avoided = this.#avoided;
    const round = this.#round;
    let node = source;
    let far = 0;
    let half = -1;
    let patience = PATIENCE;
    for (;;) {
      settled[node] = round;
      this.distance[node] = far;
      this.reachedBy[node] = half;
      this.order[this.settledCount++] = node;
      if (node === target) return true;
      if (this.settledCount === patience) {
        if (this.#closedOff(target, patience)) return false;
        patience *= 2;
      }
      const last = offset[node + 1] as number;
      for (let out = offset[node] as number; out < last; out++) {
        const next = to[out] as number;
        const link = via[out] as number;
        if (settled[next] === round || avoided[link] === round) continue;
        const bound = bounds[next] as number;
        if (bound === Number.POSITIVE_INFINITY) continue;
        heap.push(far + (perLink[link] as number) + this.#tie(link) + bound, out);
      }
      do {
        if (heap.size === 0) return false;
        far = heap.least;
        half = heap.pop();
        node = to[half] as number;
      } while (settled[node] === round || !this.isOpen(via[half] as number));
      far -= bounds[node] as number;
    }
  }

  /** Do open links join the target to fewer than `most` nodes, none of them settled? Those are settled instead. */
  #closedOff(target: number, most: number): boolean {
    const { offset, to, via } = this.network;
    const pocket = [target];
    const inside = new Set(pocket);
    for (const node of pocket) {
      const last = offset[node + 1] as number;
      for (let out = offset[node] as number; out < last; out++) {
        const next = to[out] as number;
        const link = via[out] as number;
        if (inside.has(next) || this.#avoided[link] === this.#round || !this.isOpen(link)) continue;
        if (this.isSettled(next) || pocket.length === most) return false;
        inside.add(next);
        pocket.push(next);
      }
    }
    this.begin();
    for (const node of pocket) {
      this.#settled[node] = this.#round;
      this.order[this.settledCount++] = node;
    }
    return true;
  }

  /** The links from the source to `target`, after a search that found it. */
  path(target: number): number[] {
    const links: number[] = [];
    let half = this.reachedBy[target] as number;
    while (half >= 0) {
      links.push(this.network.via[half] as number);
      half = this.reachedBy[this.network.from[half] as number] as number;
    }
    return links.reverse();
  }

  /** Settles all that open links reach from `source`, in no order of distance. */
  flood(source: number): void {
    const { offset, to, via } = this.network;
    const settled = this.#settled;
    const round = this.#round;
    settled[source] = round;
    this.order[this.settledCount++] = source;
    for (let i = 0; i < this.settledCount; i++) {
      const node = this.order[i] as number;
      const last = offset[node + 1] as number;
      for (let out = offset[node] as number; out < last; out++) {
        const next = to[out] as number;
        if (settled[next] === round || !this.isOpen(via[out] as number)) continue;
        settled[next] = round;
        this.order[this.settledCount++] = next;
      }
    }
  }

  /**
   * Distances to `target`, without tie-breaks, on the empty network: whatever the states of its links, so
   * that no change of state makes them wrong.
   */
  bounds(target: number, metric = this.#metric): Float64Array {
    const known = this.#bounds[metric].get(target);
    if (known !== undefined) return known;
    if ((this.#boundsCount + 1) * this.distance.byteLength > BOUNDS_BYTES) {
      for (const kept of Object.values(this.#bounds)) kept.clear();
      this.#boundsCount = 0;
    }
    const made = distancesTo(this.network, target, metric);
    this.#bounds[metric].set(target, made);
    this.#boundsCount++;
    return made;
  }
}

/** Plain Dijkstra from the target; links are the same length in both directions. */
function distancesTo(network: Network, target: number, metric: Metric): Float64Array {
  const { offset, to, via } = network;
  const perLink = network.weights[metric].perLink;
  const distance = new Float64Array(network.nodes.length).fill(Number.POSITIVE_INFINITY);
  const heap = new Heap(2 * network.links.length + 1);
  distance[target] = 0;
  heap.push(0, target);
  while (heap.size > 0) {
    const far = heap.least;
    const node = heap.pop();
    if (far > (distance[node] as number)) continue;
    const last = offset[node + 1] as number;
    for (let out = offset[node] as number; out < last; out++) {
      const next = to[out] as number;
      const through = far + (perLink[via[out] as number] as number);
      if (through >= (distance[next] as number)) continue;
      distance[next] = through;
      heap.push(through, next);
    }
  }
  return distance;
}

const cores = new WeakMap<Network, Core>();

/** One Core per network: its arrays are scratch space that searches, one at a time, take turns with. */
export function coreOf(network: Network): Core {
  const known = cores.get(network);
  if (known !== undefined) return known;
  const made = new Core(network);
  cores.set(network, made);
  return made;
}
