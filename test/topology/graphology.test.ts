/**
 * The search against graphology's bidirectional Dijkstra, which operators' questions run on: one distance on
 * thousands of random networks with parallel links, costs of 0, links that are down and parts that nothing joins.
 */
import { MultiUndirectedGraph } from 'graphology';
import dijkstra from 'graphology-shortest-path/dijkstra.js';
import { describe, expect, test, vi } from 'vitest';
import { type NetworkPort, USABLE } from '../../src/topology/network.ts';
import { coreOf } from '../../src/topology/search/core.ts';
import { findEarliest } from '../../src/topology/search/earliest.ts';
import { findPath } from '../../src/topology/search/find.ts';
import type { PathQuery } from '../../src/topology/search/question.ts';
import { MAX_BOTTLENECKS } from '../../src/topology/search/refusal.ts';
import { query, type Shape, seconds, type World, world } from './worlds.ts';

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

describe('on networks large enough for a search to look around its target', () => {
  const large: Shape = { nodes: 260, links: 340, claims: 2_500, capacity: 9 };

  /** What an end reaches over links with room: the slow way. */
  function reach({ network, free }: World, from: number, q: PathQuery): Set<number> {
    const found = new Set([from]);
    for (const node of found) {
      network.links.forEach(({ a, z, edge }, i) => {
        if ((a !== node && z !== node) || network.state[i] !== USABLE) return;
        if ((network.capacity[i] as number) < q.mbps || !free.fits(edge, q.mbps, q.start, q.end)) return;
        found.add(a === node ? z : a);
      });
    }
    return found;
  }

  test('what is told to be cut off is, and the places named are all that could join it', () => {
    let [apart, pockets] = [0, 0];
    for (let seed = 0; seed < 12; seed++) {
      const w = world(seed + 90_000, large);
      const { network } = w;
      for (let i = 0; i < 40; i++) {
        const q = query(w);
        const [a, z] = [q.a, q.z].map(({ port }) => network.ports.get(port)?.node as number) as [
          number,
          number,
        ];
        if (a === z) continue;
        const found = findPath(w, q);
        const side = reach(w, a, q);
        if (found.found || side.has(z)) {
          expect(found.found || found.reason === 'PORT').toBe(side.has(z) || !found.found);
          continue;
        }
        if (found.reason !== 'CAPACITY') continue;
        apart++;
        if (reach(w, z, q).size < 130 && side.size > 64) pockets++;
        // Without the places that it names the two are apart, however empty everything else is.
        const named = new Set(found.bottlenecks.map(({ edge }) => edge));
        if (named.size === MAX_BOTTLENECKS) continue;
        const left = reach(
          {
            ...w,
            free: { ...w.free, fits: (edge) => !named.has(network.names.name(edge)) } as World['free'],
          },
          a,
          q,
        );
        expect(left.has(z)).toBe(false);
      }
    }
    expect(apart).toBeGreaterThan(50);
    expect(pockets).toBeGreaterThan(10);
  });

  test('the earliest start is the first second that has a road', () => {
    let later = 0;
    for (let seed = 0; seed < 6; seed++) {
      const w = world(seed + 95_000, large);
      for (let i = 0; i < 12; i++) {
        const { start, end, ...q } = query(w);
        const duration = end - start;
        const answer = findEarliest(w, { ...q, notBefore: start, latest: start + 25, duration });
        const [a, z] = [q.a, q.z].map(({ port }) => w.network.ports.get(port)) as [NetworkPort, NetworkPort];
        if (a === z) continue;
        const at = seconds(start, start + 25).find((t) => {
          const window = { ...q, start: t, end: t + duration };
          const ports = [a, z].every(({ edge }) => w.free.fits(edge, q.mbps, t, t + duration));
          return ports && reach(w, a.node, window).has(z.node);
        });
        expect(answer.found ? answer.start : undefined).toBe(at);
        if (at !== undefined && at > start) later++;
      }
    }
    expect(later).toBeGreaterThan(5);
  });
});
