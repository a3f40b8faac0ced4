/**
 * What operators ask about the network as it stands, without bookings: which part of it counts, and the graph
 * of graphology that the questions about distances run on. Parallel links are one edge there, of the shortest
 * of them. Weights are whole numbers above 0 (ticks of network.ts, and 1 per link): sums are exact, equal
 * lengths are equal, and of two equally long roads the one with fewer links is the shorter.
 */
import { UndirectedGraph } from 'graphology';
import { invariant } from '../../kernel/assert.ts';
import { type Metric, type Network, USABLE } from '../network.ts';

export interface Scope {
  readonly network: Network;
  /** What a road is short by. */
  readonly by: Metric;
  /** As if nothing were out of use; without it, only what is up now counts. */
  readonly ignoreState: boolean;
}

/** Between two nodes: the parallel links that are shortest, by their numbers. */
interface Hop {
  readonly weight: number;
  readonly links: readonly number[];
}

export const linkCounts = ({ network, ignoreState }: Scope, link: number): boolean =>
  ignoreState || network.state[link] === USABLE;

export const nodeCounts = ({ network, ignoreState }: Scope, node: number): boolean =>
  ignoreState || network.nodeState(node) === USABLE;

export class ScopeGraph {
  /** Nodes are named by their numbers, all of them, in order: an index into it is one into the network. */
  readonly graph = new UndirectedGraph<Record<string, never>, { readonly weight: number }>();
  readonly #nodes: number;
  readonly #hops = new Map<number, Hop>();

  constructor(scope: Scope) {
    const { network, by } = scope;
    const { perLink } = network.weights[by];
    this.#nodes = network.nodes.length;
    network.links.forEach(({ a, z }, link) => {
      if (!linkCounts(scope, link)) return;
      const weight = (perLink[link] as number) + 1;
      const known = this.#hops.get(this.#key(a, z));
      if (known !== undefined && known.weight < weight) return;
      const links = known?.weight === weight ? [...known.links, link] : [link];
      this.#hops.set(this.#key(a, z), { weight, links });
    });
    network.nodes.forEach((_node, i) => {
      this.graph.addNode(i);
    });
    for (const [key, { weight }] of this.#hops) {
      this.graph.addUndirectedEdge(Math.floor(key / this.#nodes), key % this.#nodes, { weight });
    }
  }

  #key(a: number, z: number): number {
    return Math.min(a, z) * this.#nodes + Math.max(a, z);
  }

  /** Of two nodes that are joined. */
  hop(a: number, z: number): Hop {
    const hop = this.#hops.get(this.#key(a, z));
    invariant(hop !== undefined, 'a road leads over hops that there are');
    return hop;
  }
}

/** A sum of weights as people read it: milliseconds, cost or hops. */
export function distanceOf({ network, by }: Scope, sum: number): number {
  // The unit is a power of two: the division is exact, and what lies below one tick counts links.
  return Math.floor(sum / network.unit) / network.weights[by].scale;
}
