/**
 * Two disjoint paths of least total length, by Bhandari's method: after the shortest path, a second one may
 * run backwards over it at a negative price, and where it does the two exchange their ends. That is what
 * "remove the first path and search again" gets wrong on trap topologies. Prices are kept from going negative
 * by the distances of the first search (Suurballe's reduction), cut off at the target's, so that neither
 * search has to visit the whole network. For node-disjoint paths, each inner node of the first path is two:
 * one to arrive at (then the only way on is back along the first path) and one to have come back to.
 */
import type { Core } from './core.ts';
import { Heap } from './heap.ts';

export type Disjointness = 'LINK' | 'NODE';

export type Pair =
  | { readonly found: true; readonly paths: readonly [number[], number[]] }
  /** No first path: the core's settled nodes are one side of the cut. */
  | { readonly found: false; readonly first: undefined }
  /** No second one: `reached` tells, per node, whether the second search came there and could go on. */
  | { readonly found: false; readonly first: readonly number[]; readonly reached: Reached };

export interface Reached {
  /** The node was arrived at. */
  at(node: number): boolean;
  /** The node could be left in every direction. */
  beyond(node: number): boolean;
}

/** Scratch space per core; a state's `done` is the round in which it was settled, or minus it once offered. */
class Rounds {
  readonly distance: Float64Array;
  readonly before: Int32Array;
  readonly by: Int32Array;
  readonly done: Int32Array;
  readonly heap = new Heap(256);
  round = 0;

  constructor(states: number) {
    this.distance = new Float64Array(states);
    this.before = new Int32Array(states);
    this.by = new Int32Array(states);
    this.done = new Int32Array(states);
  }
}

const rounds = new WeakMap<Core, Rounds>();

function roundOf(core: Core): Rounds {
  let known = rounds.get(core);
  if (known === undefined) {
    known = new Rounds(2 * core.network.nodes.length);
    rounds.set(core, known);
  }
  if (++known.round === 2 ** 31 - 1) {
    known.done.fill(0);
    known.round = 1;
  }
  known.heap.clear();
  return known;
}

/** `core` has been asked the question. */
export function disjointPair(core: Core, source: number, target: number, mode: Disjointness): Pair {
  const { network } = core;
  const { offset, from, to, via } = network;
  const nodes = network.nodes.length;
  if (!core.search(source, target)) return { found: false, first: undefined };
  const first = core.path(target);
  const bounds = core.bounds(target);
  const whole = core.distance[target] as number;

  // The first search's distances, in A*'s terms and never more than the whole: no price below is negative.
  const potential = (node: number): number =>
    core.isSettled(node)
      ? Math.min(whole, (core.distance[node] as number) + (bounds[node] as number))
      : whole;

  /** Per inner node and the target: the half-edge by which the first path arrives there. */
  const arrivesBy = new Map<number, number>();
  const usedHalf = new Map<number, number>();
  for (let node = target; node !== source; ) {
    const half = core.reachedBy[node] as number;
    arrivesBy.set(node, half);
    usedHalf.set(via[half] as number, half);
    node = from[half] as number;
  }
  const inner = (node: number): boolean => mode === 'NODE' && node !== target && arrivesBy.has(node);

  // States: a node as such, or (inner nodes of the first path) nodes + node: come back to along the path.
  // A move is the half-edge that was taken; which of the two states it leads to follows from its direction.
  const { distance, before, by, done, round, heap } = roundOf(core);
  const isDone = (state: number): boolean => done[state] === round;
  const offer = (from: number, state: number, half: number, backward: boolean, far: number): void => {
    if (isDone(state) || (done[state] === -round && far >= (distance[state] as number))) return;
    // A link that turns out closed must not stand in the way of a longer open one: test it before.
    if (!backward && !core.isOpen(via[half] as number)) return;
    done[state] = -round;
    distance[state] = far;
    before[state] = from;
    by[state] = half;
    heap.push(far, state);
  };
  const goOn = (state: number, far: number): void => {
    const back = state >= nodes;
    const node = back ? state - nodes : state;
    const isInner = inner(node);
    const here = potential(node);
    const until = offset[node + 1] as number;
    for (let out = offset[node] as number; out < until; out++) {
      const next = to[out] as number;
      const link = via[out] as number;
      const used = usedHalf.get(link);
      if (used === undefined) {
        // Arrived at an inner node from aside: it is taken, only backwards is free.
        if (isInner && !back) continue;
        const bound = bounds[next] as number;
        if (bound === Number.POSITIVE_INFINITY) continue;
        const price = core.weight(link) + bound - (bounds[node] as number) + here - potential(next);
        offer(state, next, out, false, far + price);
      } else if (used !== out) {
        // Against the first path: what it cost comes back, at the reduced price of nothing.
        offer(state, inner(next) ? nodes + next : next, out, true, far);
      }
    }
  };
  done[source] = round;
  goOn(source, 0);
  while (heap.size > 0 && !isDone(target)) {
    const far = heap.least;
    const state = heap.pop();
    if (isDone(state)) continue;
    done[state] = round;
    if (state !== target) goOn(state, far);
  }
  if (!isDone(target)) {
    const reached = {
      at: (node: number) => isDone(node) || isDone(nodes + node),
      beyond: (node: number) => isDone(nodes + node) || (isDone(node) && !inner(node)),
    };
    return { found: false, first, reached };
  }

  // What the second path takes back from the first drops out; the rest falls into two paths.
  const halves = new Set(usedHalf.values());
  for (let state = target; state !== source; ) {
    const half = by[state] as number;
    const given = usedHalf.get(via[half] as number);
    if (given === undefined) halves.add(half);
    else halves.delete(given);
    state = before[state] as number;
  }
  const leaving = new Map<number, number[]>();
  for (const half of halves) {
    const node = from[half] as number;
    leaving.set(node, [...(leaving.get(node) ?? []), half]);
  }
  const follow = (): number[] => {
    const links: number[] = [];
    for (let node = source; node !== target; ) {
      const half = leaving.get(node)?.pop() as number;
      links.push(via[half] as number);
      node = to[half] as number;
    }
    return links;
  };
  const lengthOf = (links: readonly number[]): number =>
    links.reduce((sum, link) => sum + core.weight(link), 0);
  const one = follow();
  const other = follow();
  return { found: true, paths: lengthOf(one) <= lengthOf(other) ? [one, other] : [other, one] };
}
