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
  const settled = new Map<number, number>();
  for (let i = 0; i < core.settledCount; i++) {
    const node = core.order[i] as number;
    settled.set(node, Math.min(whole, (core.distance[node] as number) + (bounds[node] as number)));
  }
  const potential = (node: number): number => settled.get(node) ?? whole;

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
  const distance = new Map<number, number>([[source, 0]]);
  const done = new Set<number>();
  const cameBy = new Map<number, { before: number; half: number; backward: boolean }>();
  const heap = new Heap();
  const moves: { before: number; state: number; half: number; backward: boolean }[] = [];
  const offer = (before: number, state: number, half: number, backward: boolean, far: number): void => {
    if (done.has(state) || far >= (distance.get(state) ?? Number.POSITIVE_INFINITY)) return;
    // A link that turns out closed must not stand in the way of a longer open one: test it before.
    if (!backward && !core.isOpen(via[half] as number)) return;
    distance.set(state, far);
    heap.push(far, moves.length);
    moves.push({ before, state, half, backward });
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
  done.add(source);
  goOn(source, 0);
  while (heap.size > 0 && !done.has(target)) {
    const far = heap.least;
    const move = moves[heap.pop()] as (typeof moves)[number];
    if (done.has(move.state)) continue;
    done.add(move.state);
    cameBy.set(move.state, move);
    if (move.state !== target) goOn(move.state, far);
  }
  if (!done.has(target)) {
    const reached = {
      at: (node: number) => done.has(node) || done.has(nodes + node),
      beyond: (node: number) => done.has(nodes + node) || (done.has(node) && !inner(node)),
    };
    return { found: false, first, reached };
  }

  // What the second path takes back from the first drops out; the rest falls into two paths.
  const halves = new Set(usedHalf.values());
  for (let state = target; state !== source; ) {
    const move = cameBy.get(state) as { before: number; half: number; backward: boolean };
    if (move.backward) halves.delete(usedHalf.get(via[move.half] as number) as number);
    else halves.add(move.half);
    state = move.before;
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
