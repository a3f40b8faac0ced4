/**
 * How much leans on each node and link: betweenness, the share of shortest roads between others that pass it,
 * and closeness, how near everything is (both normalised as NetworkX does, closeness by Wasserman and Faust
 * for networks in several parts). Brandes' method, from every node; of a large network from as many nodes,
 * evenly spread, as the bounded work allows, which estimates both.
 */
import { RoadFinder } from './roads.ts';
import { distanceOf, nodeCounts, type Scope } from './scope.ts';

/** Sources times what is looked at from each: about half a second. */
export const MAX_WORK = 1_000_000;
const LEAST_SOURCES = 16;

export interface CentralNode {
  readonly node: number;
  readonly betweenness: number;
  /** Absent where nothing else is reached, or all of it at no distance. */
  readonly closeness?: number;
  readonly meanDistance?: number;
}

export interface Centrality {
  /** From how many nodes it was counted: fewer than there are makes an estimate. */
  readonly sources: number;
  readonly nodes: readonly CentralNode[];
  readonly links: readonly { readonly link: number; readonly betweenness: number }[];
}

/** Takes a breath after every source, so that others may go on in between. */
export function* centrality(scope: Scope): Generator<undefined, Centrality, void> {
  const { network } = scope;
  const nodes = network.nodes.map((_node, i) => i).filter((node) => nodeCounts(scope, node));
  if (nodes.length === 0) return { sources: 0, nodes: [], links: [] };
  const finder = new RoadFinder(scope);
  const most = Math.max(LEAST_SOURCES, Math.floor(MAX_WORK / (nodes.length + network.to.length + 1)));
  const count = Math.min(nodes.length, most);
  const sources = Array.from(
    { length: count },
    (_, i) => nodes[Math.floor((i * nodes.length) / count)] as number,
  );

  const size = network.nodes.length;
  const passed = new Float64Array(size);
  const linkPassed = new Float64Array(network.links.length);
  const sum = new Float64Array(size);
  const heard = new Int32Array(size);
  const reach = new Int32Array(size);
  const ways = new Float64Array(size);
  const leaning = new Float64Array(size);
  for (const source of sources) {
    const { order, before, far } = finder.from(source);
    for (const node of order) {
      let count = node === source ? 1 : 0;
      for (const last of before[node] as readonly number[]) count += ways[last] as number;
      ways[node] = count;
      leaning[node] = 0;
      reach[node] = order.length - 1;
      if (node === source) continue;
      sum[node] = (sum[node] as number) + distanceOf(scope, far[node] as number);
      heard[node] = (heard[node] as number) + 1;
    }
    for (const node of order.toReversed()) {
      const behind = leaning[node] as number;
      for (const last of before[node] as readonly number[]) {
        const share = ((ways[last] as number) / (ways[node] as number)) * (1 + behind);
        leaning[last] = (leaning[last] as number) + share;
        const { links } = finder.joined.hop(last, node);
        for (const link of links) linkPassed[link] = (linkPassed[link] as number) + share / links.length;
      }
      if (node !== source) passed[node] = (passed[node] as number) + behind;
    }
    yield;
  }

  const n = nodes.length;
  const scale = n / count;
  return {
    sources: count,
    nodes: nodes.map((node) => {
      const betweenness = n < 3 ? 0 : ((passed[node] as number) * scale) / ((n - 1) * (n - 2));
      if (heard[node] === 0) return { node, betweenness };
      const meanDistance = (sum[node] as number) / (heard[node] as number);
      if (meanDistance === 0) return { node, betweenness, meanDistance };
      return { node, betweenness, meanDistance, closeness: (reach[node] as number) / (n - 1) / meanDistance };
    }),
    links: Array.from(linkPassed.keys())
      .filter((link) => (linkPassed[link] as number) > 0)
      .map((link) => ({ link, betweenness: ((linkPassed[link] as number) * scale) / (n * (n - 1)) })),
  };
}
