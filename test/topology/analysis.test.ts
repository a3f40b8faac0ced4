/**
 * What operators ask of the network, against the slow, obvious answers: take each thing away and look what
 * still hangs together; list all simple roads and count. NetworkX is a second witness where it is installed.
 */
import { describe, expect, test, vi } from 'vitest';
import { EdgeNames } from '../../src/model/capacity.ts';
import { centrality } from '../../src/topology/analysis/central.ts';
import { type Critical, structureOf } from '../../src/topology/analysis/critical.ts';
import { distancesFrom } from '../../src/topology/analysis/roads.ts';
import { linkCounts, nodeCounts, type Scope } from '../../src/topology/analysis/scope.ts';
import { compile } from '../../src/topology/compile.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import type { Metric, Network } from '../../src/topology/network.ts';
import { networkx } from './networkx.ts';
import { simplePaths, world } from './worlds.ts';

// Much to compare, not much to wait for: but a busy machine may take its time.
vi.setConfig({ testTimeout: 120_000 });

const scopeOf = (document: TopologyDocument, by: Metric = 'cost', ignoreState = false): Scope => ({
  network: compile(document, new EdgeNames()),
  by,
  ignoreState,
});

/** A world with sites, and here and there a node that is down. */
function sited(seed: number): TopologyDocument {
  const { document, random } = world(seed, { nodes: 8, links: 9 + (seed % 5), costs: 4, srlgs: 3 });
  return {
    ...document,
    nodes: document.nodes.map((node) => ({
      ...node,
      ...(random.chance(0.6) ? { site: `s${random.int(4)}` } : {}),
      ...(random.chance(0.05) ? { oper_state: 'DOWN' as const } : {}),
    })),
  };
}

type Taken = { readonly nodes?: readonly number[]; readonly links?: readonly number[] };

/** Which nodes hang together without some: the smallest node of each one's part, or nothing where it is gone. */
function together(scope: Scope, { nodes = [], links = [] }: Taken): (number | undefined)[] {
  const { network } = scope;
  const root = network.nodes.map((_node, i) => (nodes.includes(i) || !nodeCounts(scope, i) ? undefined : i));
  for (let changed = true; changed; ) {
    changed = false;
    network.links.forEach(({ a, z }, link) => {
      const [x, y] = [root[a], root[z]];
      if (x === undefined || y === undefined || x === y || links.includes(link) || !linkCounts(scope, link)) {
        return;
      }
      root[a] = root[z] = Math.min(x, y);
      changed = true;
    });
  }
  return root;
}

/** How many nodes would no longer hang together with the most of what they did. */
function cutOff(scope: Scope, taken: Taken): number {
  const [before, after] = [together(scope, {}), together(scope, taken)];
  let lost = 0;
  for (const part of new Set(before)) {
    if (part === undefined) continue;
    const pieces = new Map<number, number>();
    after.forEach((piece, node) => {
      if (before[node] === part && piece !== undefined) pieces.set(piece, (pieces.get(piece) ?? 0) + 1);
    });
    const sizes = [...pieces.values()];
    if (sizes.length > 0) lost += sizes.reduce((x, y) => x + y) - Math.max(...sizes);
  }
  return lost;
}

function everything({ network }: Scope): [Critical['kind'], string, Taken][] {
  const having = <T>(of: readonly T[], has: (thing: T) => boolean): number[] =>
    of.flatMap((thing, i) => (has(thing) ? [i] : []));
  const srlgs = new Set(network.links.flatMap((link) => link.srlgs));
  const sites = new Set(network.nodes.flatMap((node) => node.site ?? []));
  return [
    ...network.nodes.map(({ id }, i): [Critical['kind'], string, Taken] => ['NODE', id, { nodes: [i] }]),
    ...network.links.map(({ id }, i): [Critical['kind'], string, Taken] => ['LINK', id, { links: [i] }]),
    ...[...srlgs].map((id): [Critical['kind'], string, Taken] => [
      'SRLG',
      id,
      { links: having(network.links, (link) => link.srlgs.includes(id)) },
    ]),
    ...[...sites].map((id): [Critical['kind'], string, Taken] => [
      'SITE',
      id,
      { nodes: having(network.nodes, (node) => node.site === id) },
    ]),
  ];
}

describe('single points of failure', () => {
  test.each([false, true])(
    'are what cuts something off when it is taken away (ignoring state: %s)',
    (ignore) => {
      const kinds = new Set<string>();
      for (let seed = 0; seed < 250; seed++) {
        const scope = scopeOf(sited(seed), 'cost', ignore);
        const found = structureOf(scope);
        expect(found.complete).toBe(true);
        const expected = everything(scope)
          .map(([kind, id, taken]): [string, number] => [`${kind} ${id}`, cutOff(scope, taken)])
          .filter(([, lost]) => lost > 0);
        const told = found.critical.map(({ kind, id, cutOff }): [string, number] => {
          kinds.add(kind);
          expect(cutOff.some).toHaveLength(cutOff.nodes);
          // One client port on every node there.
          expect(cutOff.ports).toBe(cutOff.nodes);
          return [`${kind} ${id}`, cutOff.nodes];
        });
        expect(told.map(([, lost]) => lost)).toEqual(told.map(([, lost]) => lost).sort((x, y) => y - x));
        expect(told.sort()).toEqual(expected.sort());
      }
      expect([...kinds].sort()).toEqual(['LINK', 'NODE', 'SITE', 'SRLG']);
    },
  );

  test('parts are what hangs together, the largest first', () => {
    for (let seed = 0; seed < 100; seed++) {
      const scope = scopeOf(sited(seed));
      const { parts } = structureOf(scope);
      const roots = together(scope, {});
      const sizes = [...new Set(roots)].flatMap((root) =>
        root === undefined ? [] : roots.filter((other) => other === root).length,
      );
      expect(parts.map((part) => part.nodes)).toEqual(sizes.sort((x, y) => y - x));
      for (const { some } of parts) expect(new Set(some.map((node) => roots[node])).size).toBe(1);
    }
  });

  test('a line of thousands is walked without a deep stack, and each of its links counted', () => {
    const size = 5_000;
    const id = (i: number): string => `n${String(i).padStart(5, '0')}`;
    const scope = scopeOf({
      domain: 'test',
      prefix: 't',
      nodes: Array.from({ length: size }, (_, i) => ({ id: id(i) })),
      ports: [],
      links: Array.from({ length: size - 1 }, (_, i) => ({
        id: id(i),
        a: { node: id(i), port: 'e' },
        z: { node: id(i + 1), port: 'w' },
        capacity_mbps: 1,
      })),
    });
    const { critical } = structureOf(scope);
    expect(critical).toHaveLength(size - 1 + size - 2);
    expect(critical[0]).toMatchObject({ kind: 'LINK', id: id(size / 2 - 1), cutOff: { nodes: size / 2 } });
    expect(critical[0]?.cutOff.some).toHaveLength(20);
  });

  test('an empty network, and one node', () => {
    const nothing: TopologyDocument = { domain: 'test', prefix: 't', nodes: [], ports: [], links: [] };
    expect(structureOf(scopeOf(nothing))).toEqual({ parts: [], critical: [], complete: true });
    expect(run(scopeOf(nothing))).toEqual({ sources: 0, nodes: [], links: [] });
    const one = scopeOf({ ...nothing, nodes: [{ id: 'a' }] });
    expect(structureOf(one).parts).toEqual([{ nodes: 1, ports: 0, some: [0] }]);
    expect(run(one)).toEqual({ sources: 1, nodes: [{ node: 0, betweenness: 0 }], links: [] });
    expect(distancesFrom(one, 0)).toEqual([{ node: 0, distance: 0, hops: 0 }]);
  });
});

function run(scope: Scope): ReturnType<ReturnType<typeof centrality>['next']>['value'] & object {
  const counting = centrality(scope);
  for (;;) {
    const { done, value } = counting.next();
    if (done === true) return value;
  }
}

/** Ticks, and one per link to tell equal ones apart: what a road is short by. */
const lengthOf = (network: Network, by: Metric, links: readonly number[]): number =>
  links.reduce((sum, link) => {
    const { cost, latencyMs } = network.link(link);
    return sum + 1 + 1e6 * (by === 'hops' ? 1 : by === 'cost' ? cost : latencyMs);
  }, 0);

describe('roads', () => {
  test('distances are those of the shortest of all simple roads', () => {
    for (let seed = 0; seed < 60; seed++) {
      for (const by of ['cost', 'latency', 'hops'] as const) {
        const scope = scopeOf(sited(seed), by);
        const { network } = scope;
        const from = seed % network.nodes.length;
        const told = new Map(distancesFrom(scope, from).map((one) => [one.node, one]));
        network.nodes.forEach((_node, to) => {
          const walks = [...simplePaths(network, from, to)].filter(
            ({ links, nodes }) =>
              links.every((l) => linkCounts(scope, l)) && nodes.every((n) => nodeCounts(scope, n)),
          );
          const shortest = Math.min(...walks.map(({ links }) => lengthOf(network, by, links)));
          if (!nodeCounts(scope, to)) expect(told.has(to)).toBe(false);
          else if (walks.length === 0) expect(told.get(to)).toEqual({ node: to });
          else {
            expect(told.get(to)?.distance).toBeCloseTo(Math.floor(shortest / 1e3) / 1e3, 6);
            expect(told.get(to)?.hops).toBe(shortest % 1e3);
          }
        });
      }
    }
  });

  test('betweenness is the share of all shortest roads that pass', () => {
    for (let seed = 0; seed < 40; seed++) {
      const by = (['cost', 'latency', 'hops'] as const)[seed % 3] as Metric;
      const scope = scopeOf(sited(seed), by);
      const { network } = scope;
      const nodes = network.nodes.map((_node, i) => i).filter((node) => nodeCounts(scope, node));
      const passed = new Map<string, number>();
      const add = (key: string, share: number): void => {
        passed.set(key, (passed.get(key) ?? 0) + share);
      };
      for (const a of nodes) {
        for (const z of nodes) {
          if (a === z) continue;
          const walks = [...simplePaths(network, a, z)].filter(({ links }) =>
            links.every((l) => linkCounts(scope, l)),
          );
          const lengths = walks.map(({ links }) => Math.round(lengthOf(network, by, links)));
          const best = walks.filter((_walk, i) => lengths[i] === Math.min(...lengths));
          // Parallel links of one length are one road; each has its share of it.
          const roads = new Set(best.map((walk) => walk.nodes.join()));
          for (const road of roads) {
            const same = best.filter((walk) => walk.nodes.join() === road);
            for (const node of (same[0]?.nodes ?? []).slice(1, -1)) add(`node ${node}`, 1 / roads.size);
            for (const link of same.flatMap((walk) => walk.links)) {
              add(`link ${link}`, 1 / roads.size / same.length);
            }
          }
        }
      }
      const n = nodes.length;
      const { nodes: told, links, sources } = run(scope);
      expect(sources).toBe(n);
      for (const { node, betweenness } of told) {
        expect(betweenness).toBeCloseTo((passed.get(`node ${node}`) ?? 0) / ((n - 1) * (n - 2)), 9);
      }
      for (const { link, betweenness } of links) {
        expect(betweenness).toBeCloseTo((passed.get(`link ${link}`) ?? 0) / (n * (n - 1)), 9);
      }
      expect(links).toHaveLength([...passed.keys()].filter((key) => key.startsWith('link')).length);
    }
  });

  test('more shortest roads than 32 bits count do not upset it: a square grid', () => {
    const side = 20;
    const id = (x: number, y: number): string =>
      `${String(x).padStart(2, '0')}-${String(y).padStart(2, '0')}`;
    const links: TopologyDocument['links'][number][] = [];
    for (let x = 0; x < side; x++) {
      for (let y = 0; y < side; y++) {
        for (const [u, v] of [
          [x + 1, y],
          [x, y + 1],
        ] as const) {
          if (u >= side || v >= side) continue;
          const name = `${id(x, y)} ${id(u, v)}`;
          const [a, z] = [id(x, y), id(u, v)].map((node) => ({ node, port: name }));
          if (a !== undefined && z !== undefined) links.push({ id: name, a, z, capacity_mbps: 1 });
        }
      }
    }
    const nodes = Array.from({ length: side * side }, (_, i) => ({ id: id(Math.floor(i / side), i % side) }));
    const { nodes: told } = run(scopeOf({ domain: 'test', prefix: 't', nodes, ports: [], links }, 'hops'));
    // The four corners are alike, and the middle leans more than they do.
    const corners = [0, side - 1, side * (side - 1), side * side - 1].map((i) => told[i]?.betweenness ?? 0);
    for (const corner of corners) expect(corner).toBeCloseTo(corners[0] as number, 9);
    const middle = told[(side / 2) * side + side / 2]?.betweenness ?? 0;
    expect(middle).toBeGreaterThan(20 * (corners[0] as number));
    expect(middle).toBeLessThan(1);
  });

  test('of a large network a sample is counted, and says so', () => {
    const side = 4_000;
    const nodes = Array.from({ length: side }, (_, i) => ({ id: `n${i}` }));
    const links = nodes.slice(1).map(({ id }, i) => ({
      id,
      a: { node: 'n0', port: `${i}` },
      z: { node: id, port: '0' },
      capacity_mbps: 1,
    }));
    const scope = scopeOf({ domain: 'test', prefix: 't', nodes, ports: [], links }, 'hops');
    const { sources, nodes: told } = run(scope);
    expect(sources).toBeLessThan(side);
    const hub = told.find(({ node }) => scope.network.node(node).id === 'n0');
    expect(hub?.betweenness).toBeGreaterThan(0.95);
    expect(hub?.closeness).toBeCloseTo(1, 1);
  });
});

// Simple graphs of random costs: what NetworkX normalises, ours does.
const SCRIPT = `
import json, sys, networkx as nx
for case in json.load(sys.stdin):
    g = nx.Graph()
    g.add_nodes_from(range(case['nodes']))
    for a, z, cost in case['links']:
        g.add_edge(a, z, weight=cost)
    b = nx.betweenness_centrality(g, weight='weight')
    c = nx.closeness_centrality(g, distance='weight')
    e = nx.edge_betweenness_centrality(g, weight='weight')
    print(json.dumps({
        'betweenness': [b[v] for v in g],
        'closeness': [c[v] for v in g],
        'edges': [e[(a, z)] if (a, z) in e else e[(z, a)] for a, z, _ in case['links']],
        'points': sorted(nx.articulation_points(g)),
        'bridges': sorted(sorted(b) for b in nx.bridges(g)),
        'parts': sorted((len(p) for p in nx.connected_components(g)), reverse=True),
    }))
`;

test.skipIf(networkx === undefined)('centrality and separators are those of NetworkX', () => {
  const cases = Array.from({ length: 60 }, (_, seed) => {
    const { document, random } = world(seed + 70_000, { nodes: 10 + (seed % 25), links: 12 + seed });
    const seen = new Set<string>();
    const links = document.links
      .filter(({ a, z }) => {
        const pair = [a.node, z.node].sort().join();
        return seen.size < seen.add(pair).size;
      })
      // No two sums are equal: NetworkX breaks no ties by the number of links.
      .map((link) => ({ ...link, oper_state: 'UP' as const, cost: 1 + random.int(1e9) / 1000 }));
    const nodes = document.nodes.map(({ id }) => ({ id: id.padStart(4, '0') }));
    const named = links.map((link) => ({
      ...link,
      a: { ...link.a, node: link.a.node.padStart(4, '0') },
      z: { ...link.z, node: link.z.node.padStart(4, '0') },
    }));
    return { ...document, nodes, ports: [], links: named };
  });
  const scopes = cases.map((document) => scopeOf(document));
  const answers = (networkx as NonNullable<typeof networkx>)(
    SCRIPT,
    scopes.map(({ network }) => ({
      nodes: network.nodes.length,
      links: network.links.map(({ a, z, cost }) => [a, z, cost]),
    })),
  ) as {
    betweenness: number[];
    closeness: number[];
    edges: number[];
    points: number[];
    bridges: number[][];
    parts: number[];
  }[];
  scopes.forEach((scope, i) => {
    const theirs = answers[i] as (typeof answers)[number];
    const { nodes, links } = run(scope);
    nodes.forEach(({ betweenness, closeness = 0 }, node) => {
      expect(betweenness).toBeCloseTo(theirs.betweenness[node] as number, 9);
      expect(closeness).toBeCloseTo(theirs.closeness[node] as number, 9);
    });
    for (const { link, betweenness } of links)
      expect(betweenness).toBeCloseTo(theirs.edges[link] as number, 9);
    const { parts, critical } = structureOf(scope);
    expect(parts.map((part) => part.nodes)).toEqual(theirs.parts);
    const ids = (kind: string): string[] =>
      critical.flatMap((one) => (one.kind === kind ? [one.id] : [])).sort();
    const { network } = scope;
    expect(ids('NODE')).toEqual(theirs.points.map((node) => network.node(node).id).sort());
    const joined = (id: string): string => {
      const { a, z } = network.link(network.linkIndex.get(id) as number);
      return [a, z].sort((x, y) => x - y).join();
    };
    expect(ids('LINK').map(joined).sort()).toEqual(theirs.bridges.map((pair) => pair.join()).sort());
  });
});
