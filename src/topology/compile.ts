/**
 * From a topology document to the arrays of network.ts. The document has been linted: a mistake that is still
 * in it is a broken invariant here, not an answer. Nodes and links are numbered in the order of their ids, so
 * that no answer of the search depends on the order in which somebody wrote them down.
 */
import { invariant } from '../kernel/assert.ts';
import { EdgeNames, groupEdge, LAST_SECOND, linkEdge, nodeEdge, portEdge } from '../model/capacity.ts';
import { ALL_LABELS, LabelSet, parseLabels } from '../model/label.ts';
import type {
  LabelsDocument,
  LinkDocument,
  NodeDocument,
  PortDocument,
  TopologyDocument,
} from './document.ts';
import {
  ADMIN_UP,
  type LabelKind,
  type Labels,
  type Metric,
  Network,
  type NetworkLink,
  type NetworkNode,
  type NetworkPort,
  OPER_UP,
  USABLE,
  type Weights,
} from './network.ts';

/** Frames of this size pass where nothing is said about the MTU. */
export const DEFAULT_MTU = 1500;
/** A link's tie-break is 1 to 1,024. */
export const TIE_BITS = 10;

/** `names` outlives the network: a calendar keeps its edges when the topology is compiled anew. */
export function compile(document: TopologyDocument, names = new EdgeNames()): Network {
  const nodeDocuments = inOrder(document.nodes);
  const linkDocuments = inOrder(document.links);
  const nodeIndex = new Map(nodeDocuments.map((node, i) => [node.id, i]));
  invariant(nodeIndex.size === nodeDocuments.length, 'node ids are unique');
  const sharedLabels = new Map<string, Labels>();

  const links = linkDocuments.map((link) => networkLink(link, nodeIndex, names, sharedLabels));
  invariant(new Set(links.map((link) => link.id)).size === links.length, 'link ids are unique');
  const groups = (document.port_groups ?? []).map((group) => ({
    edge: names.intern(groupEdge(group.id)),
    mbps: group.capacity_mbps,
    ports: new Set(group.ports),
  }));
  const ports = new Map<string, NetworkPort>();
  for (const port of inOrder(document.ports)) {
    const node = nodeIndex.get(port.node);
    invariant(node !== undefined && !ports.has(port.id), `port ${port.id} is unique and on a known node`);
    const memberOf = groups.filter((group) => group.ports.has(port.id)).map((group) => group.edge);
    ports.set(port.id, networkPort(port, node, memberOf, names, sharedLabels));
  }

  const unit = 2 ** (TIE_BITS + Math.ceil(Math.log2(Math.max(2, nodeDocuments.length))));
  const longest = Math.max(1, nodeDocuments.length - 1);
  const weights: Record<Metric, Weights> = {
    hops: weigh(links, () => 1, 1, longest, unit),
    latency: weigh(links, (link) => link.latencyMs, 1000, longest, unit),
    cost: weigh(links, (link) => link.cost, 1000, longest, unit),
  };
  return new Network({
    document,
    names,
    nodes: nodeDocuments.map((node) => networkNode(node, document)),
    links,
    ports,
    groups,
    swaps: Uint8Array.from(nodeDocuments, (node) => (node.swaps_labels === false ? 0 : 1)),
    spaces: Int32Array.from(nodeDocuments, (node) =>
      hasEachVlanOnce(node) ? names.intern(nodeEdge(node.id)) : -1,
    ),
    nodeState: Uint8Array.from(nodeDocuments, stateOf),
    linkState: Uint8Array.from(linkDocuments, stateOf),
    capacity: Int32Array.from(linkDocuments, carries),
    weights,
    unit,
  });
}

const inOrder = <T extends { readonly id: string }>(things: readonly T[]): T[] =>
  [...things].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));

const stateOf = (of: NodeDocument | LinkDocument): number =>
  USABLE & ~(of.admin_state === 'DOWN' ? ADMIN_UP : 0) & ~(of.oper_state === 'DOWN' ? OPER_UP : 0);

/** What cannot change a VLAN is a bridge, and a bridge has each VLAN once. */
const hasEachVlanOnce = (node: NodeDocument): boolean =>
  (node.label_scope ?? (node.swaps_labels === false ? 'NODE' : 'PORT')) === 'NODE';

function carries(link: LinkDocument): number {
  const mbps = Math.min(link.capacity_mbps, link.capacity_za_mbps ?? link.capacity_mbps);
  invariant(Number.isInteger(mbps) && mbps >= 0 && mbps <= LAST_SECOND, `link ${link.id} has a capacity`);
  return mbps;
}

function networkNode(node: NodeDocument, document: TopologyDocument): NetworkNode {
  return {
    id: node.id,
    device: node.device ?? node.id,
    domain: node.domain ?? document.domain,
    ...(node.site === undefined ? {} : { site: node.site }),
  };
}

function networkLink(
  link: LinkDocument,
  nodeIndex: ReadonlyMap<string, number>,
  names: EdgeNames,
  shared: Map<string, Labels>,
): NetworkLink {
  const a = nodeIndex.get(link.a.node);
  const z = nodeIndex.get(link.z.node);
  const latencyMs = link.latency_ms ?? 0;
  const cost = link.cost ?? 1;
  invariant(a !== undefined && z !== undefined && a !== z, `link ${link.id} joins two known nodes`);
  invariant(latencyMs >= 0 && latencyMs < 1e9, `link ${link.id} has a latency`);
  invariant(cost >= 0 && cost < 1e12, `link ${link.id} has a cost`);
  return {
    id: link.id,
    a,
    z,
    aPort: link.a.port,
    zPort: link.z.port,
    edge: names.intern(linkEdge(link.id)),
    labels: labelsOf(link, shared),
    srlgs: link.srlgs ?? [],
    latencyMs: Math.round(latencyMs * 1000) / 1000,
    cost: Math.round(cost * 1000) / 1000,
    mtu: link.mtu ?? DEFAULT_MTU,
  };
}

function networkPort(
  port: PortDocument,
  node: number,
  groups: NetworkPort['groups'],
  names: EdgeNames,
  shared: Map<string, Labels>,
): NetworkPort {
  return {
    id: port.id,
    node,
    devicePort: port.device_port ?? port.id.slice(port.id.indexOf(':') + 1),
    edge: names.intern(portEdge(port.id)),
    groups,
    labels: labelsOf(port, shared),
    mbps: port.capacity_mbps,
    mtu: port.mtu ?? DEFAULT_MTU,
    up: port.admin_state !== 'DOWN',
  };
}

/** Links with the same labels share one set: 2,000 of them would otherwise hold a megabyte of equal bits. */
function labelsOf(of: LabelsDocument, shared: Map<string, Labels>): Labels | undefined {
  if (of.unlabelled === true) return undefined;
  const [kind, text]: [LabelKind, string | undefined] =
    of.wavelengths !== undefined
      ? ['WAVELENGTH', of.wavelengths]
      : of.time_slots !== undefined
        ? ['TIME_SLOT', of.time_slots]
        : ['VLAN', of.vlans];
  const key = `${kind} ${text}`;
  const known = shared.get(key);
  if (known !== undefined) return known;
  const ranges = text === undefined ? ALL_LABELS : parseLabels(text);
  invariant(ranges !== undefined, `labels "${text}" can be read`);
  const highest = ranges.at(-1)?.[1] ?? 0;
  const made: Labels = { kind, ranges, set: LabelSet.of(ranges), words: (highest >>> 5) + 1 };
  shared.set(key, made);
  return made;
}

/** As fine as the doubles allow: the sum over any simple path, times the unit, stays below 2^53. */
function weigh(
  links: readonly NetworkLink[],
  value: (link: NetworkLink) => number,
  finest: number,
  longest: number,
  unit: number,
): Weights {
  let most = 0;
  let sum = 0;
  for (const link of links) {
    most = Math.max(most, value(link));
    sum += value(link);
  }
  const bound = Math.min(sum, most * longest);
  let scale = finest;
  while (bound * scale * unit >= 2 ** 52) scale /= 10;
  return { scale, perLink: Float64Array.from(links, (link) => Math.round(value(link) * scale) * unit) };
}
