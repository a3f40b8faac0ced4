import { describe, expect, test, vi } from 'vitest';
import { seededRandom } from '../../src/kernel/random.ts';
import { EdgeNames } from '../../src/model/capacity.ts';
import { Calendar } from '../../src/scheduler/calendar.ts';
import { compile } from '../../src/topology/compile.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { ADMIN_UP, OPER_UP } from '../../src/topology/network.ts';
import { findPath } from '../../src/topology/search/find.ts';
import { findPair } from '../../src/topology/search/pair.ts';
import type { Path, PathQuery, Refusal, Snapshot } from '../../src/topology/search/question.ts';
import { findShortest } from '../../src/topology/search/ranked.ts';
import { query, type World, world } from './worlds.ts';

// Much to compare, not much to wait for: but a busy machine may take its time.
vi.setConfig({ testTimeout: 120_000 });

function empty(document: TopologyDocument): Snapshot {
  const network = compile(document, new EdgeNames());
  const free = new Calendar();
  for (const [edge, room] of network.rooms()) free.setRoom(edge, room);
  return { network, free };
}

const shuffled = <T>(of: readonly T[], seed: number): T[] => {
  const random = seededRandom(seed);
  const left = [...of];
  return of.map(() => left.splice(random.int(left.length), 1)[0] as T);
};

const total = (found: Path | Refusal): number | undefined => (found.found ? found.cost : undefined);
/** The lengths of everything that is searched for: the shortest, the four shortest, the best pair. */
const totals = (snapshot: Snapshot, q: PathQuery): unknown => {
  const ranked = findShortest(snapshot, q, 4);
  const pair = findPair(snapshot, { ...q, disjoint: 'LINK' });
  return [
    total(findPath(snapshot, q)),
    ranked.found ? ranked.paths.map(({ cost }) => cost) : [],
    pair.found ? pair.paths[0].cost + pair.paths[1].cost : undefined,
  ];
};

/** Many queries on the networks of many seeds. */
function* cases(seeds: number): Generator<[World, PathQuery]> {
  for (let seed = 0; seed < seeds; seed++) {
    const w = world(seed + 20_000, { nodes: 9, links: 16, costs: 3 });
    for (let i = 0; i < 10; i++) yield [w, query(w)];
  }
}

describe('what must not matter', () => {
  test('the order in which things are written down: the very same path', () => {
    for (const [w, q] of cases(60)) {
      const { document } = w;
      const other = empty({
        ...document,
        nodes: shuffled(document.nodes, 1),
        links: shuffled(document.links, 2),
        ports: shuffled(document.ports, 3),
      });
      const mine = empty(document);
      expect(findPath(other, q)).toEqual(findPath(mine, q));
      expect(findShortest(other, q, 5)).toEqual(findShortest(mine, q, 5));
    }
  });

  test('names: the same length', () => {
    for (const [w, q] of cases(60)) {
      const { document } = w;
      const name = (id: string): string => `q${(Number(id.slice(1)) * 7) % 1000}-${id}`;
      const port = (id: string): string => `t:${name(id.slice(2))}`;
      const renamed = empty({
        ...document,
        nodes: document.nodes.map((n) => ({ ...n, id: name(n.id) })),
        links: document.links.map((l) => ({
          ...l,
          id: name(l.id),
          a: { ...l.a, node: name(l.a.node) },
          z: { ...l.z, node: name(l.z.node) },
        })),
        ports: document.ports.map((p) => ({ ...p, id: port(p.id), node: name(p.node) })),
      });
      const asked = { ...q, a: { ...q.a, port: port(q.a.port) }, z: { ...q.z, port: port(q.z.port) } };
      expect(totals(renamed, asked)).toEqual(totals(empty(document), q));
    }
  });

  test('a dead end, and a dearer link beside a cheap one', () => {
    for (const [w, q] of cases(40)) {
      const { document } = w;
      const [some] = document.links as [(typeof document.links)[number]];
      const nodes = [...document.nodes, { id: 'nowhere' }];
      const deadEnd = { ...some, id: 'dead end', z: { node: 'nowhere', port: 'x' } };
      const dearer = { ...some, id: 'dearer', cost: (some.cost ?? 0) + 5 };
      const before = totals(empty(document), q);
      expect(totals(empty({ ...document, nodes, links: [...document.links, deadEnd] }), q)).toEqual(before);
      const both = empty({ ...document, nodes, links: [...document.links, deadEnd, dearer] });
      expect(total(findPath(both, q))).toBe(total(findPath(empty(document), q)));
    }
  });

  test('the scale of costs: the same path', () => {
    for (const [w, q] of cases(40)) {
      const scale = (by: number): Snapshot =>
        empty({ ...w.document, links: w.document.links.map((l) => ({ ...l, cost: (l.cost ?? 0) * by })) });
      const [one, thousand, tiny] = [scale(1), scale(1e6), scale(0.001)].map((s) => findPath(s, q)) as [
        Path | Refusal,
        Path | Refusal,
        Path | Refusal,
      ];
      if (!one.found) continue;
      expect(thousand.found && thousand.links).toEqual(one.links);
      expect(tiny.found && tiny.links).toEqual(one.links);
      const pairs = [scale(1), scale(1e6)].map((s) => findPair(s, { ...q, disjoint: 'NODE' }));
      const [pair, million] = pairs.map((found) => found.found && found.paths.map((path) => path.links));
      expect(million).toEqual(pair);
    }
  });

  test('forwards or backwards: the same length', () => {
    for (const [w, q] of cases(40)) {
      const snapshot = empty(w.document);
      expect(total(findPath(snapshot, { ...q, a: q.z, z: q.a }))).toBe(total(findPath(snapshot, q)));
    }
  });
});

describe('kept in step', () => {
  test('states changed in place answer like a network compiled anew, at every step', () => {
    const random = seededRandom(5);
    for (let seed = 0; seed < 20; seed++) {
      const w = world(seed + 30_000, { nodes: 8, links: 13 });
      let document: TopologyDocument = w.document;
      const kept = empty(document);
      for (let step = 0; step < 15; step++) {
        const up = random.chance(0.5);
        const state = up ? ('UP' as const) : ('DOWN' as const);
        if (random.chance(0.7)) {
          const id = `l${random.int(13)}`;
          kept.network.setLinkState(id, ADMIN_UP, up);
          document = {
            ...document,
            links: document.links.map((l) => (l.id === id ? { ...l, admin_state: state } : l)),
          };
        } else {
          const id = `n${random.int(8)}`;
          kept.network.setNodeState(id, OPER_UP, up);
          document = {
            ...document,
            nodes: document.nodes.map((n) => (n.id === id ? { ...n, oper_state: state } : n)),
          };
        }
        const fresh = empty(document);
        for (let i = 0; i < 4; i++) {
          const q = query(w);
          expect(findPath(kept, q)).toEqual(findPath(fresh, q));
          const later = { ...q, ignoreOperState: true };
          expect(findPath(kept, later)).toEqual(findPath(fresh, later));
        }
      }
    }
  });

  test('an edge keeps its number, and so its claims, when the topology is compiled anew', () => {
    const { document } = world(1, { nodes: 5, links: 8 });
    const names = new EdgeNames();
    const before = compile(document, names);
    const after = compile({ ...document, links: document.links.slice(3) }, names);
    for (const link of after.links) {
      expect(before.link(before.linkIndex.get(link.id) as number).edge).toBe(link.edge);
    }
  });
});

describe('by hand', () => {
  const twoNodes = (links: Partial<TopologyDocument['links'][number]>[]): TopologyDocument => ({
    domain: 'test',
    prefix: 't',
    nodes: [{ id: 'a' }, { id: 'b' }],
    ports: ['a', 'b'].map((node) => ({ id: `t:${node}`, node, kind: 'CLIENT', capacity_mbps: 100 })),
    links: links.map((more, i) => ({
      id: `l${i}`,
      a: { node: 'a', port: `${i}` },
      z: { node: 'b', port: `${i}` },
      capacity_mbps: 10,
      ...more,
    })),
  });
  const ask = (more: Partial<PathQuery> = {}): PathQuery => ({
    a: { port: 't:a', vlan: 'ANY' },
    z: { port: 't:b', vlan: 'ANY' },
    mbps: 5,
    start: 0,
    end: 10,
    ...more,
  });

  test('equal links are all used: the choice spreads with the salt and is always the same for one', () => {
    const snapshot = empty(twoNodes(Array.from({ length: 8 }, () => ({}))));
    const used = new Map<string, number>();
    for (let i = 0; i < 800; i++) {
      const path = findPath(snapshot, ask({ salt: `circuit ${i}` }));
      expect(findPath(snapshot, ask({ salt: `circuit ${i}` }))).toEqual(path);
      const link = path.found ? (path.links[0] as string) : 'none';
      used.set(link, (used.get(link) ?? 0) + 1);
    }
    expect(used.size).toBe(8);
    expect(Math.min(...used.values())).toBeGreaterThan(50);
  });

  test('the narrower direction of a link is what it carries', () => {
    const snapshot = empty(twoNodes([{ capacity_mbps: 10, capacity_za_mbps: 3 }]));
    expect(findPath(snapshot, ask({ mbps: 3 })).found).toBe(true);
    expect(findPath(snapshot, ask({ mbps: 4 }))).toMatchObject({ reason: 'DISCONNECTED', proven: true });
  });

  test('ports of one group share its room', () => {
    const document = twoNodes([{ capacity_mbps: 100 }]);
    const snapshot = empty({
      ...document,
      port_groups: [{ id: 'card', ports: ['t:a', 't:b'], capacity_mbps: 7 }],
    });
    const path = findPath(snapshot, ask({ mbps: 7 }));
    expect(path.found && path.uses.map((use) => use.edge)).toContain('group:card');
    expect(findPath(snapshot, ask({ mbps: 8 }))).toMatchObject({
      reason: 'PORT',
      bottlenecks: [{ edge: 'group:card', kind: 'FULL', free: 7 }],
    });
  });

  test('two ports of one node are joined without a link', () => {
    const document = twoNodes([]);
    const snapshot = empty({ ...document, ports: document.ports.map((port) => ({ ...port, node: 'a' })) });
    expect(
      findPath(snapshot, ask({ a: { port: 't:a', vlan: [[7, 7]] }, z: { port: 't:b', vlan: [[9, 9]] } })),
    ).toMatchObject({
      found: true,
      links: [],
      nodes: ['a'],
      hops: [{ device: 'a', in: { port: 'a', label: 7 }, out: { port: 'b', label: 9 } }],
    });
  });

  test.each([
    ['an unknown port', { a: { port: 't:nobody', vlan: 'ANY' as const } }, '/a/port'],
    ['the same port twice', { z: { port: 't:a', vlan: 'ANY' as const } }, '/z/port'],
    ['an unknown constraint', { constraints: { max_hop: 3 } }, '/constraints/max_hop'],
    ['a constraint of another type', { constraints: { max_hops: 'three' } }, '/constraints/max_hops'],
    ['an unknown link', { constraints: { exclude_links: ['l0', 'l9'] } }, '/constraints/exclude_links/1'],
    ['an unknown node', { constraints: { include_nodes: ['c'] } }, '/constraints/include_nodes/0'],
    ['an unknown circuit', { constraints: { diverse_from: ['cir_1'] } }, '/constraints/diverse_from/0'],
    [
      'an unknown step',
      { constraints: { explicit_route: [{ node: 'a' }, { link: 'x' }] } },
      '/constraints/explicit_route/1/link',
    ],
  ])('%s is a mistake of the request, with its place', (_what, more, pointer) => {
    const refusal = findPath(empty(twoNodes([{}])), ask(more));
    expect(refusal).toMatchObject({ found: false, reason: 'INVALID', errors: [{ pointer }] });
  });

  test('diverse_from keeps off the links of another circuit, and with srlg_disjoint off its ducts', () => {
    const snapshot = empty(
      twoNodes([{ cost: 1, srlgs: ['duct'] }, { cost: 2, srlgs: ['duct'] }, { cost: 3 }]),
    );
    const linksOf = (circuit: string): string[] | undefined =>
      circuit === 'cir_1' ? ['l0', 'gone'] : undefined;
    const links = (constraints: PathQuery['constraints'] = {}): unknown => {
      const path = findPath(snapshot, ask({ constraints, linksOf }));
      return path.found ? path.links : path.reason;
    };
    expect(links()).toEqual(['l0']);
    expect(links({ diverse_from: ['cir_1'] })).toEqual(['l1']);
    expect(links({ diverse_from: ['cir_1'], srlg_disjoint: true })).toEqual(['l2']);
    expect(links({ diverse_from: ['cir_1'], exclude_links: ['l1', 'l2'] })).toBe('CONSTRAINTS');
  });

  test('a refusal tells apart what nothing could open, and names the constraints at fault', () => {
    const snapshot = empty(twoNodes([{ admin_state: 'DOWN' }, { mtu: 1500 }]));
    expect(findPath(snapshot, ask({ constraints: { min_mtu: 9000 } }))).toMatchObject({
      reason: 'CONSTRAINTS',
      constraints: ['min_mtu'],
      proven: true,
    });
    expect(findPath(snapshot, ask({ constraints: { exclude_links: ['l1'] } }))).toMatchObject({
      reason: 'CONSTRAINTS',
      bottlenecks: [
        { edge: 'link:l0', kind: 'BARRED' },
        { edge: 'link:l1', kind: 'BARRED' },
      ],
    });
  });
});
