/**
 * The ground that the simulation plays on: two domains side by side or more in a ring, each with four client ports on two switches that
 * a trunk joins, a way round over a third switch, and a border port to each neighbour. Everything is narrow
 * (10 Gb/s, the way round half of it, four labels), so that requests meet often; the third switch cannot
 * change a label.
 */
import type { PortId } from '../../src/model/port.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';

export const LABELS = '2-5';
export const CAPACITY_MBPS = 10_000;
const ROUND_MBPS = 5_000;
/** The links that fail, close and are kept clear of. */
export const LINKS = ['trunk', 'round-1', 'round-2'] as const;

export const domainName = (i: number): string => `d${i}.example`;

export const clientPorts = (i: number): PortId[] => [1, 2, 3, 4].map((n): PortId => `d${i}:h${n}`);

const borderPort = (i: number, toward: number): PortId => `d${i}:to-d${toward}`;

/** In a row; from three on the row is closed to a ring, so that there are two ways to everybody. */
export const neighboursOf = (i: number, domains: number): number[] =>
  domains < 3
    ? [i - 1, i + 1].filter((n) => n >= 0 && n < domains)
    : [(i + domains - 1) % domains, (i + 1) % domains];

export function topologyOf(i: number, domains: number, labels = LABELS): TopologyDocument {
  const client = (n: number): TopologyDocument['ports'][number] => ({
    id: clientPorts(i)[n] as PortId,
    node: n >= 2 ? 'sw2' : 'sw1',
    kind: 'CLIENT',
    capacity_mbps: CAPACITY_MBPS,
    vlans: labels,
  });
  return {
    domain: domainName(i),
    prefix: `d${i}`,
    nodes: [{ id: 'sw1' }, { id: 'sw2' }, { id: 'sw3', swaps_labels: false }],
    ports: [
      client(0),
      client(1),
      client(2),
      client(3),
      ...neighboursOf(i, domains).map((n) => ({
        id: borderPort(i, n),
        node: n < i ? 'sw1' : 'sw2',
        kind: 'BORDER' as const,
        capacity_mbps: CAPACITY_MBPS,
        vlans: labels,
        remote: { domain: domainName(n), port: borderPort(n, i) },
      })),
    ],
    links: [
      link(labels, 'trunk', { node: 'sw1', port: 't' }, { node: 'sw2', port: 't' }, CAPACITY_MBPS, 1),
      link(labels, 'round-1', { node: 'sw1', port: 'r' }, { node: 'sw3', port: '1' }, ROUND_MBPS, 4),
      link(labels, 'round-2', { node: 'sw3', port: '2' }, { node: 'sw2', port: 'r' }, ROUND_MBPS, 4),
    ],
    // Of two, each knows the other by its own configuration; more learn of each other.
    ...(domains > 2
      ? {}
      : {
          neighbours: neighboursOf(i, domains).map((n) => ({
            domain: domainName(n),
            prefix: `d${n}`,
            ports: clientPorts(n).map((id) => ({ id, capacity_mbps: CAPACITY_MBPS, vlans: labels })),
          })),
        }),
  };
}

type LinkDocument = TopologyDocument['links'][number];

const link = (
  labels: string,
  id: (typeof LINKS)[number],
  a: LinkDocument['a'],
  z: LinkDocument['z'],
  capacity: number,
  latency: number,
): LinkDocument => ({ id, a, z, capacity_mbps: capacity, latency_ms: latency, vlans: labels });

/** What a device's port can carry, by `device port` as hops name them. */
export function deviceCapacities(document: TopologyDocument): ReadonlyMap<string, number> {
  const rooms = new Map<string, number>();
  for (const port of document.ports)
    rooms.set(
      `${port.node} ${port.device_port ?? port.id.slice(port.id.indexOf(':') + 1)}`,
      port.capacity_mbps,
    );
  for (const link of document.links)
    for (const end of [link.a, link.z]) rooms.set(`${end.node} ${end.port}`, link.capacity_mbps);
  return rooms;
}
