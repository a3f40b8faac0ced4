/**
 * The search against graphology's bidirectional Dijkstra, which operators' questions run on: one distance on
 * thousands of random networks with parallel links, costs of 0, links that are down and parts that nothing joins.
 */
import { MultiUndirectedGraph } from 'graphology';
import dijkstra from 'graphology-shortest-path/dijkstra.js';
import { expect, test, vi } from 'vitest';
import { USABLE } from '../../src/topology/network.ts';
import { coreOf } from '../../src/topology/search/core.ts';
import { type Shape, type World, world } from './worlds.ts';

// Much to compare, not much to wait for: but a busy machine may take its time.
vi.setConfig({ testTimeout: 120_000 });

const shapes: readonly Shape[] = [
  { nodes: 12, links: 20 },
  { nodes: 40, links: 44, costs: 10 },
  { nodes: 30, links: 90, costs: 2 },
  { nodes: 4, links: 14 },
  { nodes: 60, links: 150, costs: 1_000 },
];

function joined({ network }: World): MultiUndirectedGraph {
  const graph = new MultiUndirectedGraph();
  network.nodes.forEach((_node, i) => {
    graph.addNode(i);
  });
  network.links.forEach(({ a, z, cost, latencyMs }, i) => {
    // An infinite weight would be walked over: what is down is left out.
    if (network.state[i] === USABLE) graph.addUndirectedEdge(a, z, { cost, latency: latencyMs, hops: 1 });
  });
  return graph;
}

test('both find roads of one length, or none', () => {
  let [found, none] = [0, 0];
  for (let seed = 0; seed < 2_000; seed++) {
    const w = world(seed + 80_000, shapes[seed % shapes.length] as Shape);
    const { network } = w;
    const graph = joined(w);
    const core = coreOf(network);
    for (const metric of ['cost', 'latency', 'hops'] as const) {
      const a = w.random.int(network.nodes.length);
      const z = (a + 1 + w.random.int(network.nodes.length - 1)) % network.nodes.length;
      const nodes = dijkstra.bidirectional(graph, a, z, metric);
      core.ask((link) => network.state[link] === USABLE, metric, seed);
      if (!core.search(a, z)) {
        none++;
        expect(nodes).toBe(null);
        continue;
      }
      found++;
      const of = (link: number): number => {
        const { cost, latencyMs } = network.link(link);
        return { cost, latency: latencyMs, hops: 1 }[metric];
      };
      const ours = core.path(z).reduce((sum, link) => sum + of(link), 0);
      let theirs = 0;
      nodes?.slice(1).forEach((node, i) => {
        const parallel = graph.edges(nodes[i], node).map((edge) => graph.getEdgeAttribute(edge, metric));
        theirs += Math.min(...parallel);
      });
      // Costs are whole here and latencies are quarters: sums do not round.
      expect(ours).toBe(nodes === null ? undefined : theirs);
    }
  }
  expect(found).toBeGreaterThan(3_000);
  expect(none).toBeGreaterThan(100);
});
