import { describe, expect, test, vi } from 'vitest';
import { Calendar } from '../../src/scheduler/calendar.ts';
import { compile } from '../../src/topology/compile.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { findPair } from '../../src/topology/search/pair.ts';
import type { PathQuery, Refusal } from '../../src/topology/search/question.ts';
import {
  allWalks,
  good,
  lengthOf,
  meets,
  query,
  type Shape,
  someConstraints,
  type Walk,
  type World,
  walkOf,
  world,
} from './worlds.ts';

// Much to compare, not much to wait for: but a busy machine may take its time.
vi.setConfig({ testTimeout: 120_000 });

/** Total length of the best disjoint pair among all pairs of all paths. */
function bestPair(
  w: World,
  walks: readonly Walk[],
  mode: 'LINK' | 'NODE',
  risks: boolean,
): number | undefined {
  let best: number | undefined;
  const srlgs = (walk: Walk): string[] => walk.links.flatMap((l) => w.network.link(l).srlgs);
  walks.forEach((one, i) => {
    for (const other of walks.slice(i + 1)) {
      if (one.links.some((l) => other.links.includes(l))) continue;
      if (mode === 'NODE' && one.nodes.slice(1, -1).some((n) => other.nodes.slice(1, -1).includes(n)))
        continue;
      if (risks && srlgs(one).some((r) => srlgs(other).includes(r))) continue;
      const total = lengthOf(w, 'cost', one.links) + lengthOf(w, 'cost', other.links);
      if (best === undefined || total < best) best = total;
    }
  });
  return best;
}

/** What a refusal names must part the two ends, and all of it but one place is full. */
function checkCut(w: World, q: PathQuery, refusal: Refusal, mode: 'LINK' | 'NODE'): void {
  const links = new Set(refusal.bottlenecks.flatMap((b) => (b.node === undefined ? [b.edge] : [])));
  const nodes = new Set(refusal.bottlenecks.flatMap((b) => b.node ?? []));
  expect(links.size + nodes.size).toBeGreaterThan(0);
  // Where each path must meet something as a whole, what stops the shortest one's partner is told.
  if (refusal.constraints.length > 0) return;
  for (const walk of allWalks(w, q)) {
    const carries = walk.links.every((l) => (w.network.capacity[l] as number) >= q.mbps);
    if (!carries || !meets(w, q.constraints ?? {}, walk)) continue;
    const passes =
      walk.links.some((l) => links.has(`link:${w.network.link(l).id}`)) ||
      walk.nodes.some((n) => nodes.has(w.network.node(n).id));
    expect(passes).toBe(true);
  }
  for (const b of refusal.bottlenecks) {
    if (b.kind !== 'FULL') continue;
    expect(b.free).toBe(w.free.free(w.network.names.intern(b.edge), q.start, q.end));
    expect(b.free).toBeLessThan(q.mbps);
  }
  expect(refusal.bottlenecks.filter((b) => b.kind === 'SHARED')).toHaveLength(1);
  expect(mode === 'LINK' && nodes.size > 0).toBe(false);
}

const shapes: [string, Shape][] = [
  ['sparse', { nodes: 8, links: 12, claims: 40 }],
  ['dense', { nodes: 6, links: 14, claims: 80 }],
  ['parallel links', { nodes: 4, links: 10, claims: 50 }],
  ['zero-cost cycles and many ties', { nodes: 7, links: 13, costs: 2, claims: 30 }],
  ['shared risks', { nodes: 7, links: 13, claims: 20, srlgs: 5 }],
];

describe.each(shapes)('%s: the pairs are the best of all pairs', (_name, shape) => {
  test.each(['LINK', 'NODE'] as const)('%s-disjoint', (disjoint) => {
    let [found, refused] = [0, 0];
    for (let seed = 0; seed < 120; seed++) {
      const w = world(seed + 9_000, shape);
      for (let i = 0; i < 6; i++) {
        const risks = (shape.srlgs ?? 0) > 0 && i % 2 === 0;
        const constraints = {
          ...(i === 0 ? someConstraints(w) : {}),
          ...(risks ? { srlg_disjoint: true } : {}),
        };
        const q = query(w, { mbps: 1 + w.random.int(4), constraints });
        if (q.a.port === q.z.port) continue;
        const pair = findPair(w, { ...q, disjoint });
        const best = bestPair(
          w,
          allWalks(w, q).filter((walk) => good(w, q, walk)),
          disjoint,
          risks,
        );
        if (pair.found) {
          found++;
          expect(pair.proven).toBe(true);
          const [one, other] = pair.paths.map((path) => walkOf(w, path)) as [Walk, Walk];
          expect(bestPair(w, [one, other], disjoint, risks)).toBe(best);
          for (const walk of [one, other]) expect(good(w, q, walk)).toBe(true);
          expect(lengthOf(w, 'cost', one.links)).toBeLessThanOrEqual(lengthOf(w, 'cost', other.links));
          expect(pair.uses).toHaveLength(one.links.length + other.links.length + 2);
        } else {
          refused++;
          expect(pair.proven).toBe(true);
          expect(best).toBe(undefined);
          if (pair.reason === 'NOT_DISJOINT') checkCut(w, q, pair, disjoint);
        }
      }
    }
    expect(found).toBeGreaterThan(60);
    expect(refused).toBeGreaterThan(30);
  });
});

describe('labels of a pair', () => {
  test.each([
    ['ALL', 'PORT'],
    ['NONE', 'PORT'],
    ['SOME', 'PORT'],
    ['NONE', 'NODE'],
    ['SOME', 'NODE'],
  ] as const)('are the same at each port (swapping: %s, each VLAN once in a %s)', (swap, scope) => {
    let found = 0;
    for (let seed = 0; seed < 150; seed++) {
      const w = world(seed + 12_000, { nodes: 6, links: 13, claims: 60, vlans: '2-4', swap, scope });
      const q = query(w, {
        mbps: 1,
        ...(seed % 4 === 0 ? { a: { port: 't:n0', vlan: 'UNTAGGED' as const } } : {}),
      });
      const pair = findPair(w, { ...q, disjoint: 'LINK' });
      if (!pair.found) continue;
      found++;
      const [one, other] = pair.paths;
      expect([one.a, one.z]).toEqual([other.a, other.z]);
      for (const path of [one, other]) {
        expect(good(w, q, walkOf(w, path))).toBe(true);
        for (const { edge, label } of path.uses) {
          const taken = w.free.labels(w.network.names.intern(edge), q.start, q.end);
          if (label === 0) expect(taken.empty).toBe(true);
          else expect(taken.has(label ?? 0) || taken.has(0)).toBe(false);
        }
        path.hops.forEach((hop, i) => {
          const swaps = w.network.swaps[w.network.nodeIndex.get(path.nodes[i] as string) as number] === 1;
          if (!swaps && hop.in.label !== 0 && hop.out.label !== 0) expect(hop.in.label).toBe(hop.out.label);
        });
      }
    }
    expect(found).toBeGreaterThan(20);
  });
});

describe('by hand', () => {
  const net = (links: [id: string, a: string, z: string, cost: number, srlg?: string][]) => {
    const nodes = [...new Set(links.flatMap(([, a, z]) => [a, z]))];
    const document: TopologyDocument = {
      domain: 'test',
      prefix: 't',
      nodes: nodes.map((id) => ({ id })),
      ports: nodes.map((id) => ({ id: `t:${id}`, node: id, kind: 'CLIENT', capacity_mbps: 10 })),
      links: links.map(([id, a, z, cost, srlg]) => ({
        id,
        a: { node: a, port: id },
        z: { node: z, port: id },
        capacity_mbps: 10,
        cost,
        ...(srlg === undefined ? {} : { srlgs: [srlg] }),
      })),
    };
    const network = compile(document);
    const free = new Calendar();
    for (const [edge, room] of network.rooms()) free.setRoom(edge, room);
    return { network, free };
  };
  const ask = {
    a: { port: 't:s', vlan: 'ANY' as const },
    z: { port: 't:t', vlan: 'ANY' as const },
    mbps: 1,
    start: 0,
    end: 10,
  };
  const trap = net([
    // The shortest path s-b-c-t leaves no second one; the best pair crosses over.
    ['s-a', 's', 'a', 2],
    ['s-b', 's', 'b', 1],
    ['a-c', 'a', 'c', 2],
    ['b-c', 'b', 'c', 1],
    ['b-d', 'b', 'd', 2],
    ['c-t', 'c', 't', 1],
    ['d-t', 'd', 't', 2],
  ]);

  test.each(['LINK', 'NODE'] as const)('a trap topology has a %s-disjoint pair', (disjoint) => {
    const pair = findPair(trap, { ...ask, disjoint });
    // Both are 5 long: which comes first is left to the tie-break.
    const paths = pair.found ? pair.paths.map((path) => path.links) : [];
    expect([...paths].sort()).toEqual([
      ['s-a', 'a-c', 'c-t'],
      ['s-b', 'b-d', 'd-t'],
    ]);
  });

  test('a bridge, and a node that all paths pass, are named', () => {
    const bridge = net([
      ['s-a', 's', 'a', 1],
      ['s-a2', 's', 'a', 1],
      ['a-b', 'a', 'b', 1],
      ['b-t', 'b', 't', 1],
      ['b-t2', 'b', 't', 1],
    ]);
    const links = findPair(bridge, { ...ask, disjoint: 'LINK' });
    expect(links).toMatchObject({
      found: false,
      reason: 'NOT_DISJOINT',
      proven: true,
      bottlenecks: [{ edge: 'link:a-b', kind: 'SHARED' }],
    });
    const waist = net([
      ['s-a', 's', 'm', 1],
      ['s-a2', 's', 'm', 1],
      ['m-t', 'm', 't', 1],
      ['m-t2', 'm', 't', 1],
    ]);
    expect(findPair(waist, { ...ask, disjoint: 'LINK' }).found).toBe(true);
    expect(findPair(waist, { ...ask, disjoint: 'NODE' })).toMatchObject({
      reason: 'NOT_DISJOINT',
      bottlenecks: [{ kind: 'SHARED', node: 'm' }],
    });
  });

  test('link-disjoint is not risk-disjoint: the duct that both pairs share is avoided, or the answer is no', () => {
    const ducts = net([
      ['north', 's', 't', 1, 'duct'],
      ['middle', 's', 't', 2, 'duct'],
      ['south', 's', 't', 9],
    ]);
    const links = (srlg: boolean): unknown => {
      const pair = findPair(ducts, { ...ask, disjoint: 'LINK', constraints: { srlg_disjoint: srlg } });
      return pair.found && pair.paths.map((path) => path.links[0]);
    };
    expect(links(false)).toEqual(['north', 'middle']);
    expect(links(true)).toEqual(['north', 'south']);
    const one = net([
      ['north', 's', 't', 1, 'duct'],
      ['middle', 's', 't', 2, 'duct'],
    ]);
    expect(findPair(one, { ...ask, disjoint: 'LINK', constraints: { srlg_disjoint: true } })).toMatchObject({
      found: false,
      reason: 'NOT_DISJOINT',
      constraints: ['srlg_disjoint'],
      proven: true,
      bottlenecks: [
        { edge: 'link:middle', kind: 'BARRED', free: 10 },
        { edge: 'link:north', kind: 'BARRED', free: 10 },
      ],
    });
  });

  test('two ports of one node have one way between them: that node', () => {
    const one = net([['s-t', 's', 't', 1]]);
    const other = {
      ...one.network.document,
      ports: one.network.document.ports.map((p) => ({ ...p, node: 's' })),
    };
    const network = compile(other);
    const free = new Calendar();
    for (const [edge, room] of network.rooms()) free.setRoom(edge, room);
    expect(findPair({ network, free }, { ...ask, disjoint: 'LINK' })).toMatchObject({
      reason: 'NOT_DISJOINT',
      bottlenecks: [{ kind: 'SHARED', node: 's' }],
    });
  });
});
