/** What lies beyond our own ports: the ports that neighbours advertise, and which domain has which prefix. */
import type { PortId } from '../model/port.ts';
import type { TopologyDocument } from './document.ts';

export interface NeighbourPort {
  readonly id: PortId;
  readonly domain: string;
  readonly capacityMbps: number;
  readonly vlans: string;
  readonly mtu?: number;
}

/** A port of ours with a neighbour at the other end of the cable. */
export interface Border {
  readonly port: PortId;
  readonly domain: string;
  readonly remote: PortId;
}

export interface Neighbours {
  readonly ports: ReadonlyMap<string, NeighbourPort>;
  readonly domainOfPrefix: ReadonlyMap<string, string>;
  /** By the domain that they lead to, in the order of their ids. */
  readonly borders: ReadonlyMap<string, readonly Border[]>;
}

export function neighboursOf(document: TopologyDocument): Neighbours {
  const ports = new Map<string, NeighbourPort>();
  const domainOfPrefix = new Map([[document.prefix, document.domain]]);
  for (const { domain, prefix, ports: theirs } of document.neighbours ?? []) {
    domainOfPrefix.set(prefix, domain);
    for (const { id, capacity_mbps, vlans = '2-4094', mtu } of theirs) {
      // The schema of documents has seen to the form of ids.
      ports.set(id, {
        id: id as PortId,
        domain,
        capacityMbps: capacity_mbps,
        vlans,
        ...(mtu === undefined ? {} : { mtu }),
      });
    }
  }
  const borders = new Map<string, Border[]>();
  for (const { id, remote } of document.ports) {
    if (remote === undefined) continue;
    const border: Border = { port: id as PortId, domain: remote.domain, remote: remote.port as PortId };
    borders.set(remote.domain, [...(borders.get(remote.domain) ?? []), border]);
  }
  for (const list of borders.values()) list.sort((a, b) => (a.port < b.port ? -1 : 1));
  return { ports, domainOfPrefix, borders };
}
