/**
 * The ground that the simulation plays on: domains in a row, each with two switches, three client ports and a
 * border port to each neighbour. Everything is narrow (10 Gb/s, four labels), so that requests meet often.
 */
import type { PortId } from '../../src/model/port.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';

export const LABELS = '2-5';
export const CAPACITY_MBPS = 10_000;

export const domainName = (i: number): string => `d${i}.example`;

export const clientPorts = (i: number): PortId[] => [1, 2, 3].map((n): PortId => `d${i}:h${n}`);

const borderPort = (i: number, toward: number): PortId => `d${i}:to-d${toward}`;

export const neighboursOf = (i: number, domains: number): number[] =>
  [i - 1, i + 1].filter((n) => n >= 0 && n < domains);

export function topologyOf(i: number, domains: number): TopologyDocument {
  const client = (n: number): TopologyDocument['ports'][number] => ({
    id: clientPorts(i)[n] as PortId,
    node: n === 2 ? 'sw2' : 'sw1',
    kind: 'CLIENT',
    capacity_mbps: CAPACITY_MBPS,
    vlans: LABELS,
  });
  return {
    domain: domainName(i),
    prefix: `d${i}`,
    nodes: [{ id: 'sw1' }, { id: 'sw2' }],
    ports: [
      client(0),
      client(1),
      client(2),
      ...neighboursOf(i, domains).map((n) => ({
        id: borderPort(i, n),
        node: n < i ? 'sw1' : 'sw2',
        kind: 'BORDER' as const,
        capacity_mbps: CAPACITY_MBPS,
        vlans: LABELS,
        remote: { domain: domainName(n), port: borderPort(n, i) },
      })),
    ],
    links: [
      {
        id: 'trunk',
        a: { node: 'sw1', port: 't' },
        z: { node: 'sw2', port: 't' },
        capacity_mbps: CAPACITY_MBPS,
        latency_ms: 1,
        vlans: LABELS,
      },
    ],
    neighbours: neighboursOf(i, domains).map((n) => ({
      domain: domainName(n),
      prefix: `d${n}`,
      ports: clientPorts(n).map((id) => ({ id, capacity_mbps: CAPACITY_MBPS, vlans: LABELS })),
    })),
  };
}

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
