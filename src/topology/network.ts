/**
 * A topology document made ready to be searched: nodes, links and ports by id, each link and port with the
 * edge that its claims go by. Also the checks that a document must pass before it may become the running one.
 */
import type { FieldError } from '../kernel/errors.ts';
import { type Edge, type EdgeNames, type EdgeRoom, linkEdge, portEdge } from '../model/capacity.ts';
import { ALL_LABELS, type LabelRanges, parseLabels } from '../model/label.ts';
import { type PortId, parsePort } from '../model/port.ts';
import type { LinkDocument, NodeDocument, PortDocument, TopologyDocument } from './document.ts';

export interface NetLink {
  readonly id: string;
  readonly edge: Edge;
  readonly from: string;
  readonly to: string;
  readonly fromPort: string;
  readonly toPort: string;
  readonly latencyMs: number;
  readonly document: LinkDocument;
  readonly up: boolean;
}

export interface NetPort {
  readonly id: PortId;
  readonly edge: Edge;
  readonly node: string;
  readonly devicePort: string;
  readonly labels: LabelRanges;
  readonly document: PortDocument;
}

export interface NeighbourPort {
  readonly id: PortId;
  readonly domain: string;
  readonly capacityMbps: number;
  readonly vlans: string;
  readonly mtu?: number;
}

export interface Network {
  readonly document: TopologyDocument;
  readonly nodes: ReadonlyMap<string, NodeDocument>;
  readonly ports: ReadonlyMap<string, NetPort>;
  readonly links: ReadonlyMap<string, NetLink>;
  /** Links that leave a node, both ways of each, sorted by id so that searches do not depend on the order of the file. */
  readonly leaving: ReadonlyMap<string, readonly NetLink[]>;
  readonly neighbourPorts: ReadonlyMap<string, NeighbourPort>;
  readonly domainOfPrefix: ReadonlyMap<string, string>;
  readonly rooms: readonly (readonly [Edge, EdgeRoom])[];
}

const rangesOf = (text: string | undefined): LabelRanges =>
  text === undefined ? ALL_LABELS : (parseLabels(text) ?? []);

export function buildNetwork(document: TopologyDocument, names: EdgeNames): Network {
  const nodes = new Map(document.nodes.map((node) => [node.id, node]));
  const rooms: [Edge, EdgeRoom][] = [];
  const ports = new Map<string, NetPort>();
  for (const port of document.ports) {
    const edge = names.intern(portEdge(port.id));
    const labels = rangesOf(port.vlans);
    rooms.push([edge, { mbps: port.capacity_mbps, labels }]);
    const id = port.id as PortId;
    ports.set(port.id, {
      id,
      edge,
      node: port.node,
      devicePort: port.device_port ?? id.slice(id.indexOf(':') + 1),
      labels,
      document: port,
    });
  }
  const links = new Map<string, NetLink>();
  const leaving = new Map<string, NetLink[]>(document.nodes.map((node) => [node.id, []]));
  for (const link of [...document.links].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const edge = names.intern(linkEdge(link.id));
    rooms.push([edge, { mbps: link.capacity_mbps, labels: rangesOf(link.vlans) }]);
    const shared = {
      id: link.id,
      edge,
      latencyMs: link.latency_ms ?? 0,
      document: link,
      up: link.admin_state !== 'DOWN',
    };
    const there: NetLink = {
      ...shared,
      from: link.a.node,
      to: link.z.node,
      fromPort: link.a.port,
      toPort: link.z.port,
    };
    const back: NetLink = {
      ...shared,
      from: link.z.node,
      to: link.a.node,
      fromPort: link.z.port,
      toPort: link.a.port,
    };
    links.set(link.id, there);
    leaving.get(there.from)?.push(there);
    leaving.get(back.from)?.push(back);
  }
  const neighbourPorts = new Map<string, NeighbourPort>();
  const domainOfPrefix = new Map<string, string>([[document.prefix, document.domain]]);
  for (const neighbour of document.neighbours ?? []) {
    domainOfPrefix.set(neighbour.prefix, neighbour.domain);
    for (const port of neighbour.ports) {
      neighbourPorts.set(port.id, {
        id: port.id as PortId,
        domain: neighbour.domain,
        capacityMbps: port.capacity_mbps,
        vlans: port.vlans ?? '2-4094',
        ...(port.mtu === undefined ? {} : { mtu: port.mtu }),
      });
    }
  }
  return { document, nodes, ports, links, leaving, neighbourPorts, domainOfPrefix, rooms };
}

/** Everything that is wrong with a document, each with a JSON pointer. Empty: it may run. */
export function checkDocument(document: TopologyDocument): FieldError[] {
  const errors: FieldError[] = [];
  const wrong = (pointer: string, detail: string): void => void errors.push({ pointer, detail });
  const once = (kind: string, items: readonly { readonly id: string }[]): Set<string> => {
    const seen = new Set<string>();
    items.forEach((item, i) => {
      if (seen.has(item.id)) wrong(`/${kind}/${i}/id`, `${item.id} is there twice`);
      seen.add(item.id);
    });
    return seen;
  };
  const nodes = once('nodes', document.nodes);
  once('ports', document.ports);
  once('links', document.links);
  document.ports.forEach((port, i) => {
    const parsed = parsePort(port.id);
    if (parsed?.prefix !== document.prefix)
      wrong(`/ports/${i}/id`, `a port of this domain is named ${document.prefix}:...`);
    if (!nodes.has(port.node)) wrong(`/ports/${i}/node`, `there is no node ${port.node}`);
    if (port.vlans !== undefined && parseLabels(port.vlans) === undefined)
      wrong(`/ports/${i}/vlans`, 'not a list of VLAN ranges');
    if (port.kind === 'BORDER' && port.remote === undefined)
      wrong(`/ports/${i}/remote`, 'a BORDER port names the port at the other end');
  });
  document.links.forEach((link, i) => {
    for (const end of ['a', 'z'] as const) {
      if (!nodes.has(link[end].node)) wrong(`/links/${i}/${end}/node`, `there is no node ${link[end].node}`);
    }
    if (link.vlans !== undefined && parseLabels(link.vlans) === undefined)
      wrong(`/links/${i}/vlans`, 'not a list of VLAN ranges');
  });
  return errors;
}
