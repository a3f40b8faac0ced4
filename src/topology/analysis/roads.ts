/**
 * Shortest roads from one node to all others, by graphology-shortest-path: how far everything is, and (Brandes)
 * by how many equally short roads. Counts of roads are made anew here, in doubles: a grid has more of them
 * than 32 bits hold.
 */
import { createDijkstraIndexedBrandes } from 'graphology-shortest-path/indexed-brandes.js';
import { distanceOf, nodeCounts, type Scope, ScopeGraph } from './scope.ts';

export interface Roads {
  /** The nodes that are reached, nearest first; the source is the first of them. */
  readonly order: readonly number[];
  /** Per node: from which neighbours the shortest roads come. */
  readonly before: readonly (readonly number[])[];
  /** Per node that is reached: the sum of weights, and the links that the road has. */
  readonly far: Float64Array;
  readonly hops: Int32Array;
}

export class RoadFinder {
  readonly joined: ScopeGraph;
  readonly #brandes: ReturnType<typeof createDijkstraIndexedBrandes>;

  constructor(scope: Scope) {
    this.joined = new ScopeGraph(scope);
    this.#brandes = createDijkstraIndexedBrandes(this.joined.graph, 'weight');
  }

  from(source: number): Roads {
    const [stack, before] = this.#brandes(source);
    const order: number[] = [];
    // The stack is the finder's own and has to be left empty.
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) order.push(node);
    order.reverse();
    const far = new Float64Array(before.length);
    const hops = new Int32Array(before.length);
    for (const node of order) {
      const last = before[node]?.[0];
      if (last === undefined) continue;
      far[node] = (far[last] as number) + this.joined.hop(last, node).weight;
      hops[node] = (hops[last] as number) + 1;
    }
    return { order, before, far, hops };
  }
}

export interface Distance {
  readonly node: number;
  /** Absent where no road leads. */
  readonly distance?: number;
  readonly hops?: number;
}

/** From one node to every node that counts. */
export function distancesFrom(scope: Scope, source: number): Distance[] {
  const nodes = scope.network.nodes.map((_node, i) => i).filter((node) => nodeCounts(scope, node));
  if (!nodeCounts(scope, source)) return nodes.map((node) => ({ node }));
  const { order, far, hops } = new RoadFinder(scope).from(source);
  const reached = new Set(order);
  return nodes.map((node) =>
    reached.has(node)
      ? { node, distance: distanceOf(scope, far[node] as number), hops: hops[node] as number }
      : { node },
  );
}
