/** `turnpike topo reach`, `critical` and `central`: what is asked, and how the answer looks. */
import { describe, expect, it } from 'vitest';
import { fake, type Routes, run } from './support/world.ts';

const analysis = {
  version: 3,
  by: 'latency',
  ignore_state: false,
  nodes: 7,
  parts: [
    { nodes: 6, ports: 5, node_ids: ['a', 'b', 'c', 'd', 'f', 'g'] },
    { nodes: 1, ports: 1, node_ids: ['e'] },
  ],
  parts_total: 2,
  single_points: [
    { kind: 'NODE', id: 'c', cuts_off: { nodes: 5, ports: 4, node_ids: ['a', 'b', 'd', 'f', 'g'] } },
    { kind: 'SRLG', id: 'duct-7', cuts_off: { nodes: 1, ports: 1, node_ids: ['d'] } },
  ],
  single_points_total: 9,
  single_points_complete: false,
  central_sources: 4,
  central_nodes: [
    { id: 'c', betweenness: 1 / 3, closeness: 0.5, mean_distance: 2.25 },
    { id: 'e', betweenness: 0 },
  ],
  central_links: [],
};
const distances = [
  { node: 'a', ports: ['ams:a1', 'ams:a2'], reachable: true, distance: 0, hops: 0 },
  { node: 'b', ports: [], reachable: true, distance: 0.30000000000000004, hops: 1 },
  { node: 'e', ports: ['ams:e1'], reachable: false },
];
const broker = (over: Routes = {}) =>
  fake({
    'GET /v1/topology/analysis': () => ({ body: analysis }),
    'GET /v1/topology/distances': () => ({ body: { items: distances } }),
    ...over,
  });

describe('topo reach', () => {
  it('shows how far every node is, and which cannot be reached', async () => {
    const at = await broker();
    const ran = await run(at, 'topo reach ams:a1');
    expect(ran.code).toBe(0);
    expect(ran.stderr).toContain('2 of 3 nodes can be reached');
    expect(ran.stdout).toMatch(/^a +0 ms +0 +ams:a1 ams:a2$/m);
    expect(ran.stdout).toMatch(/^b +0\.3 ms +1/m);
    expect(ran.stdout).toMatch(/^e +unreachable +- +ams:e1$/m);
    expect(Object.fromEntries(at.seen[0]?.query ?? [])).toMatchObject({ from: 'ams:a1', by: 'latency' });
  });

  it('asks for one node, by another measure, whatever is out of use', async () => {
    const at = await broker();
    await run(at, 'topo reach a e --by hops --ignore-state');
    expect(Object.fromEntries(at.seen[0]?.query ?? [])).toMatchObject({
      from: 'a',
      to: 'e',
      by: 'hops',
      ignore_state: 'true',
    });
    const rows = JSON.parse((await run(at, 'topo reach a -o json')).stdout).items;
    expect(rows).toEqual(distances);
  });
});

describe('topo critical', () => {
  it('shows what parts the network by failing alone', async () => {
    const at = await broker();
    const ran = await run(at, 'topo critical --top 2');
    expect(ran.code).toBe(0);
    expect(ran.stdout).toMatch(/^NODE +c +5 nodes +4 +a b d f \.\.\.$/m);
    expect(ran.stdout).toMatch(/^SRLG +duct-7 +1 nodes +1 +d$/m);
    expect(ran.stderr).toContain('7 nodes in 2 parts, the largest of 6');
    expect(ran.stderr).toContain('the first 2 of 9');
    expect(ran.stderr).toContain('more risk groups and sites than the broker tries');
    expect(at.seen[0]?.query.get('top')).toBe('2');
  });

  it('says so where there is nothing to fear', async () => {
    const whole = { ...analysis, parts: analysis.parts.slice(0, 1), parts_total: 1, single_points: [] };
    const at = await broker({
      'GET /v1/topology/analysis': () => ({
        body: { ...whole, single_points_total: 0, single_points_complete: true },
      }),
    });
    const ran = await run(at, 'topo critical');
    expect([ran.code, ran.stdout]).toEqual([0, '']);
    expect(ran.stderr).toContain('all of them hang together');
    expect(ran.stderr).toContain('nothing parts the network by failing alone');
  });
});

describe('topo central', () => {
  it('shows what most roads pass, and that it was estimated', async () => {
    const ran = await run(await broker(), 'topo central');
    expect(ran.stdout).toMatch(/^c +0\.3333 +0\.5 +2\.25 ms$/m);
    expect(ran.stdout).toMatch(/^e +0 /m);
    expect(ran.stderr).toContain('estimated from 4 of 7 nodes');
  });

  it.each([
    ['topo central --by price', 'roads are not short by "price"'],
    ['topo critical --top 0', 'top'],
  ])('%s is refused before anybody is asked', async (line, why) => {
    const at = await broker();
    const ran = await run(at, line);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain(why);
    expect(at.seen).toEqual([]);
  });
});
