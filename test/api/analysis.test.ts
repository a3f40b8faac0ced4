/** What operators ask of the network as it stands: distances, single points of failure, what roads lean on. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { Api } from './harness.ts';

/** A triangle a-b-c with d hanging on c by two parallel links in one duct, and e alone. */
const kite: TopologyDocument = {
  domain: 'ams.example',
  prefix: 'ams',
  nodes: [
    { id: 'a' },
    { id: 'b' },
    { id: 'c', site: 'south' },
    { id: 'd' },
    { id: 'e' },
    { id: 'f', oper_state: 'DOWN' },
  ],
  ports: ['a', 'b', 'd', 'e'].map((node) => ({
    id: `ams:${node}1`,
    node,
    kind: 'CLIENT',
    capacity_mbps: 10_000,
  })),
  links: [
    ['ab', 'a', 'b', 1],
    ['bc', 'b', 'c', 1],
    ['ac', 'a', 'c', 5],
    ['cd-1', 'c', 'd', 2],
    ['cd-2', 'c', 'd', 2],
    ['ef', 'e', 'f', 1],
  ].map(([id, a, z, latency]) => ({
    id: String(id),
    a: { node: String(a), port: String(id) },
    z: { node: String(z), port: String(id) },
    capacity_mbps: 10_000,
    latency_ms: Number(latency),
    ...(String(id).startsWith('cd') ? { srlgs: ['duct-7'] } : {}),
  })),
};

let api: Api;
beforeAll(async () => {
  api = await Api.start({ topology: kite });
});
afterAll(() => api.end());

describe('analysis', () => {
  it('tells the parts, what parts them by failing, and what most roads pass', async () => {
    const { status, body } = await api.get('/v1/topology/analysis');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      version: 1,
      by: 'latency',
      ignore_state: false,
      nodes: 5,
      parts: [
        { nodes: 4, ports: 3, node_ids: ['a', 'b', 'c', 'd'] },
        { nodes: 1, ports: 1, node_ids: ['e'] },
      ],
      parts_total: 2,
      single_points_total: 3,
      single_points_complete: true,
      central_sources: 5,
    });
    const cut = { nodes: 1, ports: 1, node_ids: ['d'] };
    expect(body.single_points).toEqual([
      { kind: 'NODE', id: 'c', cuts_off: cut },
      { kind: 'SRLG', id: 'duct-7', cuts_off: cut },
      { kind: 'SITE', id: 'south', cuts_off: cut },
    ]);
    // Of the twelve ordered pairs of others of each node: a-c, a-d pass b, and a-d, b-d pass c, both ways.
    const shares = body.central_nodes.map((node: { id: string; betweenness: number }) => [
      node.id,
      node.betweenness,
    ]);
    expect(Object.fromEntries(shares)).toEqual({ a: 0, b: 4 / 12, c: 4 / 12, d: 0, e: 0 });
    const a = body.central_nodes.find((node: { id: string }) => node.id === 'a');
    expect(a).toMatchObject({ mean_distance: 7 / 3, closeness: 3 / 4 / (7 / 3) });
    expect(body.central_links.map((link: { id: string }) => link.id)).not.toContain('ac');
  });

  it('counts what is out of use when asked, and at most so many', async () => {
    const { body } = await api.get('/v1/topology/analysis?ignore_state=true&top=1&by=hops');
    expect(body).toMatchObject({ by: 'hops', ignore_state: true, nodes: 6, parts_total: 2 });
    expect(body.single_points).toHaveLength(1);
    expect(body.single_points_total).toBe(4);
    expect(body.central_nodes).toHaveLength(1);
  });
});

describe('distances', () => {
  it('from a node or a port to all, page by page, what cannot be reached among them', async () => {
    const first = await api.get('/v1/topology/distances?from=ams:a1&page_size=4');
    const rest = await api.get(
      `/v1/topology/distances?from=a&page_size=4&page_token=${first.body.next_page_token}`,
    );
    expect([...first.body.items, ...rest.body.items]).toEqual([
      { node: 'a', ports: ['ams:a1'], reachable: true, distance: 0, hops: 0 },
      { node: 'b', ports: ['ams:b1'], reachable: true, distance: 1, hops: 1 },
      { node: 'c', ports: [], reachable: true, distance: 2, hops: 2 },
      { node: 'd', ports: ['ams:d1'], reachable: true, distance: 4, hops: 3 },
      { node: 'e', ports: ['ams:e1'], reachable: false },
    ]);
    const hops = await api.get('/v1/topology/distances?from=a&to=ams:d1&by=hops');
    expect(hops.body.items).toEqual([
      { node: 'd', ports: ['ams:d1'], reachable: true, distance: 2, hops: 2 },
    ]);
  });

  it('from nowhere are refused with the place of the mistake', async () => {
    for (const [query, pointer] of [
      ['from=ams:nobody', 'from'],
      ['from=a&to=nowhere', 'to'],
    ]) {
      const refused = await api.get(`/v1/topology/distances?${query}`);
      expect([refused.status, refused.body.errors[0].pointer]).toEqual([400, pointer]);
    }
    expect((await api.get('/v1/topology/distances')).status).toBe(400);
    expect((await api.get('/v1/topology/analysis', { as: 'nobody' })).status).toBe(401);
  });
});

// Last, because it changes what the others look at.
describe('after a change', () => {
  it('the analysis is of the topology that runs now', async () => {
    const down = await api.patch(
      '/v1/links/ab',
      { admin_state: 'DOWN' },
      {
        as: 'operator',
        headers: { 'content-type': 'application/merge-patch+json', 'if-match': '*' },
      },
    );
    expect(down.status).toBe(200);
    const { body } = await api.get('/v1/topology/analysis');
    expect(body.version).toBe(2);
    const links = body.single_points.filter((point: { kind: string }) => point.kind === 'LINK');
    expect(links.map((point: { id: string }) => point.id)).toEqual(['ac', 'bc']);
  });
});
