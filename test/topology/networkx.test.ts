/** The searches against NetworkX. Where it is not installed these tests are skipped, and counted as such. */
import { expect, test, vi } from 'vitest';
import { findPath } from '../../src/topology/search/find.ts';
import { findPair } from '../../src/topology/search/pair.ts';
import { findShortest } from '../../src/topology/search/ranked.ts';
import { networkx } from './networkx.ts';
import { query, world } from './worlds.ts';

// Reads [{nodes, links: [[a, z, cost]], a, z}] and answers, for each, the costs of the shortest path, of the
// five shortest simple paths, and of the cheapest two link-disjoint ones.
const SCRIPT = `
import json, sys, itertools, networkx as nx
for case in json.load(sys.stdin):
    g = nx.Graph()
    g.add_nodes_from(range(case['nodes']))
    for a, z, cost in case['links']:
        g.add_edge(a, z, weight=cost)
    s, t = case['a'], case['z']
    answer = {'shortest': None, 'ranked': [], 'pair': None}
    if nx.has_path(g, s, t):
        answer['shortest'] = nx.dijkstra_path_length(g, s, t)
        answer['ranked'] = [nx.path_weight(g, p, 'weight') for p in itertools.islice(nx.shortest_simple_paths(g, s, t, 'weight'), 5)]
        d = nx.DiGraph()
        d.add_node('start', demand=-2)
        d.add_node('end', demand=2)
        d.add_edge('start', s, capacity=2, weight=0)
        d.add_edge(t, 'end', capacity=2, weight=0)
        for a, z, cost in case['links']:
            d.add_edge(a, z, capacity=1, weight=cost)
            d.add_edge(z, a, capacity=1, weight=cost)
        try:
            answer['pair'] = nx.min_cost_flow_cost(d)
        except nx.NetworkXUnfeasible:
            pass
    print(json.dumps(answer))
`;

// Much to compare, not much to wait for: but a busy machine may take its time.
vi.setConfig({ testTimeout: 120_000 });

test.skipIf(networkx === undefined)('shortest, ranked and disjoint paths cost what NetworkX says', () => {
  const cases = Array.from({ length: 150 }, (_, seed) => {
    // Zero costs would let a minimum flow run in circles on its side: 1 to 9 here.
    const w = world(seed + 50_000, { nodes: 8 + (seed % 30), links: 14 + seed, costs: 10 });
    const seen = new Set<string>();
    const links = w.document.links
      .filter(({ a, z, oper_state, cost }) => {
        const pair = [a.node, z.node].sort().join();
        const fresh = !seen.has(pair) && oper_state !== 'DOWN' && (cost ?? 0) > 0;
        if (fresh) seen.add(pair);
        return fresh;
      })
      .map((link) => link.id);
    const left = w.document.links.map((link) => link.id).filter((id) => !links.includes(id));
    const q = query(w, { mbps: 1, salt: `${seed}` });
    return { w, q, links, left };
  });
  const input = cases.map(({ w, q, links }) => ({
    nodes: w.document.nodes.length,
    links: w.document.links
      .filter((link) => links.includes(link.id))
      .map(({ a, z, cost }) => [Number(a.node.slice(1)), Number(z.node.slice(1)), cost]),
    a: Number(q.a.port.slice(3)),
    z: Number(q.z.port.slice(3)),
  }));
  const answers = (networkx as NonNullable<typeof networkx>)(SCRIPT, input) as {
    shortest: number | null;
    ranked: number[];
    pair: number | null;
  }[];
  let compared = 0;
  cases.forEach(({ w, q, left }, i) => {
    if (q.a.port === q.z.port) return;
    for (const id of left) w.network.setLinkState(id, 1, false);
    const path = findPath(w, q);
    const ranked = findShortest(w, q, 5);
    const pair = findPair(w, { ...q, disjoint: 'LINK' });
    const theirs = answers[i] as (typeof answers)[number];
    expect(path.found ? path.cost : null).toBe(theirs.shortest);
    expect(ranked.found ? ranked.paths.map((one) => one.cost) : []).toEqual(theirs.ranked);
    expect(pair.found ? pair.paths[0].cost + pair.paths[1].cost : null).toBe(theirs.pair);
    compared++;
  });
  expect(compared).toBeGreaterThan(100);
});
