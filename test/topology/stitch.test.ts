/** What a domain tells the others, and the one network that all of it makes. */
import { describe, expect, it } from 'vitest';
import { EdgeNames } from '../../src/model/capacity.ts';
import { documentOf } from '../../src/topology/advertise.ts';
import { compile } from '../../src/topology/compile.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { type DomainDocument, mistakeIn } from '../../src/topology/domainDocument.ts';
import { stitch } from '../../src/topology/stitch.ts';

const link = (id: string, a: string, z: string, mbps: number, latency: number, srlg?: string) => ({
  id,
  a: { node: a, port: `${id}-a` },
  z: { node: z, port: `${id}-z` },
  capacity_mbps: mbps,
  latency_ms: latency,
  cost: latency,
  ...(srlg === undefined ? {} : { srlgs: [srlg] }),
});

/** A narrow short way and a wide long one between a border in the west and one in the east. */
const chi: TopologyDocument = {
  domain: 'chi.example',
  prefix: 'chi',
  nodes: [{ id: 'secret-west' }, { id: 'secret-mid' }, { id: 'secret-east' }],
  ports: [
    {
      id: 'chi:w',
      node: 'secret-west',
      kind: 'BORDER',
      capacity_mbps: 40_000,
      vlans: '100-199',
      remote: { domain: 'ams.example', port: 'ams:to-chi', latency_ms: 7 },
    },
    {
      id: 'chi:e',
      node: 'secret-east',
      kind: 'BORDER',
      capacity_mbps: 40_000,
      remote: { domain: 'sdg.example', port: 'sdg:to-chi' },
    },
    { id: 'chi:host', node: 'secret-mid', kind: 'CLIENT', capacity_mbps: 10_000 },
    { id: 'chi:off', node: 'secret-mid', kind: 'CLIENT', capacity_mbps: 10_000, admin_state: 'DOWN' },
  ],
  links: [
    link('l-short', 'secret-west', 'secret-east', 10_000, 2, 'duct'),
    link('l-1', 'secret-west', 'secret-mid', 40_000, 3),
    link('l-2', 'secret-mid', 'secret-east', 40_000, 3),
  ],
};

const ams: TopologyDocument = {
  domain: 'ams.example',
  prefix: 'ams',
  nodes: [{ id: 'sw1' }],
  ports: [
    { id: 'ams:host', node: 'sw1', kind: 'CLIENT', capacity_mbps: 100_000 },
    {
      id: 'ams:to-chi',
      node: 'sw1',
      kind: 'BORDER',
      capacity_mbps: 20_000,
      vlans: '150-300',
      remote: { domain: 'chi.example', port: 'chi:w' },
    },
  ],
  links: [],
};

const published = (): DomainDocument => documentOf(compile(chi), { epoch: 3, n: 9 });

describe('what a domain publishes', () => {
  it('has its ports in service and its borders, at numbered points', () => {
    const document = published();
    expect(document.ports.map((port) => port.id)).toEqual(['chi:host']);
    expect(document.borders.map((port) => port.id)).toEqual(['chi:w', 'chi:e']);
    expect(document.borders[0]).toMatchObject({
      vlans: '100-199',
      latency_ms: 7,
      remote: { port: 'ams:to-chi' },
    });
    expect(mistakeIn(document)).toBeUndefined();
  });
  it('names none of its nodes and links', () => {
    expect(JSON.stringify(published())).not.toMatch(/secret|l-short|l-1/);
  });
  it('gives the cheapest way between two points, and the widest beside it where that carries more', () => {
    const { edges, borders } = published();
    const [west, east] = borders.map((border) => border.at);
    const between = edges.filter(
      (edge) => [edge.a, edge.z].includes(west as string) && [edge.a, edge.z].includes(east as string),
    );
    expect(between).toMatchObject([
      { capacity_mbps: 10_000, latency_ms: 2, srlgs: ['duct'] },
      { capacity_mbps: 40_000, latency_ms: 6 },
    ]);
  });
  it('is the same for the same version', () => {
    expect(published()).toEqual(published());
  });
});

describe('one network out of all', () => {
  it('has a link where both domains claim one, at the lesser capacity, with the labels of both', () => {
    const world = stitch(ams, [published()], new EdgeNames());
    const border = world.borders.get('ams:to-chi~chi:w');
    expect(border).toMatchObject({ master: 'ams.example', labelled: true });
    const index = world.network.linkIndex.get('ams:to-chi~chi:w') as number;
    expect(world.network.capacity[index]).toBe(20_000);
    expect(world.network.link(index)).toMatchObject({ latencyMs: 7, labels: { ranges: [[150, 199]] } });
  });
  it('has no link that only one domain claims', () => {
    const document = published();
    const lying = document.borders.map((one) => ({
      ...one,
      remote: { domain: 'ams.example', port: 'ams:host' },
    }));
    const world = stitch(ams, [{ ...document, borders: lying }], new EdgeNames());
    expect([...world.borders.keys()]).toEqual([]);
    expect(world.unmatched).toContain('chi:w');
  });
});

describe('a document that cannot be true', () => {
  const base = published();
  const [border] = base.borders;
  it.each([
    ['names a port of another domain', { ports: [{ id: 'ams:host', at: '1', capacity_mbps: 1 }] }],
    ['names a port twice', { ports: [...base.ports, ...base.ports] }],
    [
      'leads back to itself',
      {
        borders: [
          { ...(border as NonNullable<typeof border>), remote: { domain: 'chi.example', port: 'chi:e' } },
        ],
      },
    ],
    [
      'has an edge to nowhere',
      { edges: [{ a: '1', z: 'x', capacity_mbps: 1, latency_ms: 1, cost: 1, mtu: 1500 }] },
    ],
    ['has no whole capacity', { ports: [{ id: 'chi:host', at: '1', capacity_mbps: 0.5 }] }],
  ])('%s', (_what, over) => {
    expect(mistakeIn({ ...base, ...over } as DomainDocument)).toBeDefined();
  });
});
