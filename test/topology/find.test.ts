import { describe, expect, test, vi } from 'vitest';
import type { Constraints } from '../../src/model/circuit.ts';
import { findEarliest } from '../../src/topology/search/earliest.ts';
import { findPath, findWidest } from '../../src/topology/search/find.ts';
import type { Path, PathQuery } from '../../src/topology/search/question.ts';
import { findShortest } from '../../src/topology/search/ranked.ts';
import {
  allWalks,
  good,
  hasRoom,
  lengthOf,
  meets,
  query,
  type Shape,
  seconds,
  shortest,
  someConstraints,
  type World,
  walkOf,
  world,
} from './worlds.ts';

// Much to compare, not much to wait for: but a busy machine may take its time.
vi.setConfig({ testTimeout: 120_000 });

const metrics = ['cost', 'latency', 'hops'] as const;
const shapes: [string, Shape][] = [
  ['sparse', { nodes: 7, links: 8, claims: 60 }],
  ['dense', { nodes: 6, links: 14, claims: 160 }],
  ['zero-cost cycles and many ties', { nodes: 7, links: 12, costs: 2, claims: 100 }],
  ['parallel links', { nodes: 3, links: 9, claims: 100 }],
  ['labels, no swapping', { nodes: 6, links: 11, vlans: '2-4', claims: 90, swap: 'NONE' }],
  [
    'each VLAN once in a node',
    { nodes: 6, links: 11, vlans: '2-6', claims: 90, swap: 'NONE', scope: 'NODE' },
  ],
  [
    'each VLAN once in some nodes, wavelengths among VLANs',
    { nodes: 7, links: 13, vlans: '2-5', wavelengths: true, claims: 90, swap: 'SOME', scope: 'NODE' },
  ],
  ['labels, swapping everywhere', { nodes: 6, links: 11, vlans: '2-3', claims: 90, swap: 'ALL' }],
  ['labels, swapping here and there', { nodes: 7, links: 12, vlans: '2-4', claims: 110, swap: 'SOME' }],
  [
    'wavelengths among VLANs',
    { nodes: 6, links: 11, vlans: '2-3', wavelengths: true, claims: 70, swap: 'SOME' },
  ],
];

const kindOf = (w: World, edge: string): string | undefined =>
  edge.startsWith('port:')
    ? 'VLAN'
    : w.network.link(w.network.linkIndex.get(edge.slice(5)) as number).labels?.kind;
const isVlan = (w: World, use: { edge: string; label?: number } | undefined): boolean =>
  use?.label !== undefined && use.label !== 0 && kindOf(w, use.edge) === 'VLAN';

/** What a found path claims must be free, be connected, and be what it says. */
function checkPath(w: World, q: PathQuery, path: Path): void {
  const walk = walkOf(w, path);
  expect(path.nodes[0]).toBe(q.a.port.slice(2));
  expect(path.nodes.at(-1)).toBe(q.z.port.slice(2));
  expect(new Set(path.nodes).size).toBe(path.nodes.length);
  expect(path.hops.map((hop) => hop.device)).toEqual(path.nodes);
  walk.links.forEach((link, i) => {
    const { a, z, aPort, zPort } = w.network.link(link);
    const forward = a === walk.nodes[i];
    expect([walk.nodes[i], walk.nodes[i + 1]]).toEqual(forward ? [a, z] : [z, a]);
    expect(path.hops[i]?.out.port).toBe(forward ? aPort : zPort);
    expect(path.hops[i + 1]?.in.port).toBe(forward ? zPort : aPort);
    expect(path.hops[i]?.out.label).toBe(path.hops[i + 1]?.in.label);
  });
  const spaces = path.uses.slice(path.links.length + 2);
  expect(spaces).toEqual(
    w.document.nodes
      .flatMap(({ id, label_scope }) => {
        const hop = path.hops[path.nodes.indexOf(id)];
        if (label_scope !== 'NODE' || hop === undefined) return [];
        const at = path.nodes.indexOf(id);
        const vlan = [at, at + 1].map((place) => path.uses[place]).find((use) => isVlan(w, use));
        return vlan === undefined ? [] : [{ edge: `node:${id}`, label: vlan.label, at }];
      })
      .sort((x, y) => x.at - y.at)
      .map(({ edge, label }) => ({ edge, label })),
  );
  for (const { edge, label } of path.uses) {
    const number = w.network.names.intern(edge);
    expect(w.free.fits(number, q.mbps, q.start, q.end)).toBe(true);
    const taken = w.free.labels(number, q.start, q.end);
    if (label === 0) expect(taken.empty).toBe(true);
    else if (label !== undefined) expect(taken.has(label) || taken.has(0)).toBe(false);
  }
  path.hops.forEach((hop, i) => {
    if (w.network.swaps[walk.nodes[i] as number] === 1) return;
    const [before, after] = [path.uses[i], path.uses[i + 1]];
    const kind = (edge = ''): string | undefined => kindOf(w, edge);
    if (hop.in.label === 0 || hop.out.label === 0 || kind(before?.edge) !== kind(after?.edge)) return;
    expect(hop.in.label).toBe(hop.out.label);
  });
}

describe.each(shapes)('%s: the same answers as listing every path', (_name, shape) => {
  test('shortest path, with and without constraints', () => {
    let found = 0;
    for (let seed = 0; seed < 150; seed++) {
      const w = world(seed, shape);
      for (let i = 0; i < 12; i++) {
        const q = query(w, {
          metric: metrics[i % 3] as 'cost',
          constraints: i % 2 === 0 ? someConstraints(w) : {},
          ...(shape.vlans !== undefined && i % 5 === 0
            ? { a: { port: `t:n${w.random.int(shape.nodes)}`, vlan: i % 2 === 0 ? 'UNTAGGED' : [[2, 3]] } }
            : {}),
        });
        const walks = allWalks(w, q).filter((walk) => good(w, q, walk));
        const path = findPath(w, q);
        if (path.found) {
          found++;
          checkPath(w, q, path);
          expect(good(w, q, walkOf(w, path))).toBe(true);
          expect(lengthOf(w, q.metric, walkOf(w, path).links)).toBe(shortest(w, q, walks));
        } else {
          expect(walks).toHaveLength(0);
          expect(path.reason).not.toBe('BUDGET');
        }
      }
    }
    expect(found).toBeGreaterThan(300);
  });

  test('earliest start in a window', () => {
    let [found, later] = [0, 0];
    for (let seed = 0; seed < 80; seed++) {
      const w = world(seed + 1_000, { ...shape, claims: 2 * (shape.claims ?? 0) });
      for (let i = 0; i < 8; i++) {
        const { start, end, ...q } = query(w, { constraints: i % 2 === 0 ? someConstraints(w) : {} });
        const latest = start + w.random.int(20);
        const duration = end - start;
        const answer = findEarliest(w, { ...q, notBefore: start, latest, duration });
        const walks = allWalks(w, { ...q, start, end });
        const at = seconds(start, latest).find((t) =>
          walks.some((walk) => good(w, { ...q, start: t, end: t + duration }, walk)),
        );
        expect(answer.found ? answer.start : undefined).toBe(at);
        if (!answer.found) continue;
        found++;
        if (answer.start > start) later++;
        expect(answer.exact).toBe(true);
        checkPath(w, { ...q, start: answer.start, end: answer.end }, answer.path);
      }
    }
    expect(found).toBeGreaterThan(30);
    expect(later).toBeGreaterThan(3);
  });

  test('widest path', () => {
    for (let seed = 0; seed < 60; seed++) {
      const w = world(seed + 2_000, shape);
      for (let i = 0; i < 8; i++) {
        const q = query(w, { mbps: 1, constraints: i % 2 === 0 ? someConstraints(w) : {} });
        const answer = findWidest(w, q);
        const walks = allWalks(w, q);
        const fits = (mbps: number): boolean => walks.some((walk) => good(w, { ...q, mbps }, walk));
        const most = seconds(1, 40).filter(fits).at(-1);
        expect(answer.found ? answer.mbps : undefined).toBe(most);
      }
    }
  });

  test('the k shortest simple paths', () => {
    for (let seed = 0; seed < 60; seed++) {
      const w = world(seed + 3_000, shape);
      for (let i = 0; i < 6; i++) {
        const q = query(w, { mbps: 1, constraints: i % 2 === 0 ? someConstraints(w) : {} });
        const answer = findShortest(w, q, 6);
        const all = allWalks(w, q)
          .filter((walk) => good(w, q, walk))
          .map((walk) => lengthOf(w, q.metric, walk.links))
          .sort((x, y) => x - y);
        const paths = answer.found ? answer.paths : [];
        expect(paths.map((path) => lengthOf(w, q.metric, walkOf(w, path).links))).toEqual(all.slice(0, 6));
        expect(new Set(paths.map((path) => path.links.join())).size).toBe(paths.length);
        for (const path of paths) checkPath(w, q, path);
      }
    }
  });

  test('a refusal for want of room names links that every path needs', () => {
    let cuts = 0;
    for (let seed = 0; seed < 40; seed++) {
      const w = world(seed + 4_000, { ...shape, claims: 3 * (shape.claims ?? 0) });
      for (let i = 0; i < 10; i++) {
        const constraints: Constraints = i % 2 === 0 ? { exclude_links: ['l0'] } : {};
        const q = query(w, { mbps: 5, constraints });
        const refusal = findPath(w, q);
        if (refusal.found || refusal.reason !== 'CAPACITY') continue;
        cuts++;
        const named = new Set(refusal.bottlenecks.map((b) => b.edge));
        expect(named.size).toBeGreaterThan(0);
        for (const b of refusal.bottlenecks) {
          const edge = w.network.names.intern(b.edge);
          expect(b.free).toBe(w.free.free(edge, q.start, q.end));
          expect(b.free).toBeLessThan(q.mbps);
          expect(b.opens).toBe(w.free.nextOpen(edge, q.mbps, q.end - q.start, q.start));
        }
        const carries = (l: number): boolean => (w.network.capacity[l] as number) >= q.mbps;
        for (const walk of allWalks(w, q)) {
          if (!walk.links.every(carries) || !meets(w, constraints, walk)) continue;
          expect(walk.links.some((l) => named.has(`link:${w.network.link(l).id}`))).toBe(true);
          expect(hasRoom(w, q, walk)).toBe(false);
        }
      }
    }
    if (shape.links < 14 && shape.nodes > 3) expect(cuts).toBeGreaterThan(5);
  });

  test('a refusal for want of a label names places that every path with room passes', () => {
    let cuts = 0;
    for (let seed = 0; seed < 120; seed++) {
      const w = world(seed + 5_000, { ...shape, claims: 2 * (shape.claims ?? 0) });
      for (let i = 0; i < 6; i++) {
        const q = query(w, { mbps: 1 });
        const refusal = findPath(w, q);
        if (refusal.found || refusal.reason !== 'LABELS') continue;
        cuts++;
        const named = new Set(refusal.bottlenecks.map((b) => b.edge));
        for (const b of refusal.bottlenecks) {
          const edge = w.network.names.intern(b.edge);
          const taken = w.free.labels(edge, q.start, q.end);
          const id = b.edge.slice(b.edge.indexOf(':') + 1);
          const carried = b.edge.startsWith('port:')
            ? w.network.ports.get(id)?.labels?.set
            : w.network.link(w.network.linkIndex.get(id) as number).labels?.set;
          const free = seconds(1, 9).filter((label) => carried?.has(label) === true && !taken.has(label));
          expect(b.kind).toBe('LABELS');
          // A node that has each VLAN once may have it in use elsewhere.
          if (taken.has(0) || shape.scope !== 'NODE') expect(b.free).toBe(taken.has(0) ? 0 : free.length);
          else expect(b.free).toBeLessThanOrEqual(free.length);
        }
        for (const walk of allWalks(w, q).filter((one) => hasRoom(w, q, one))) {
          const passed = [
            `port:${q.a.port}`,
            `port:${q.z.port}`,
            ...walk.links.map((l) => `link:${w.network.link(l).id}`),
          ];
          expect(passed.some((edge) => named.has(edge))).toBe(true);
        }
      }
    }
    if (shape.swap === 'NONE') expect(cuts).toBeGreaterThan(5);
  });
});
