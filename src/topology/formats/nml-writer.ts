/**
 * A document as NML, valid by its schemas. Every port and every end of a link is a BidirectionalPort of two
 * PortGroups, every link a BidirectionalLink of two LinkGroups: groups, because they carry many labels. VLANs,
 * capacities, MTUs, places and the swapping of labels are said in the words of NML, the rest in ours.
 */
import type {
  LinkDocument,
  NodeDocument,
  PortDocument,
  SiteDocument,
  TopologyDocument,
} from '../document.ts';
import { BASE, ETHERNET, escaped, OURS, oursOf } from './nml-words.ts';

/** One direction of a port: an unidirectional group. */
interface Way {
  readonly id: string;
  readonly vlans: string | undefined;
  readonly mbps: number;
  readonly mtu: number | undefined;
  readonly relation: string;
}

const relation = (type: string, of: string, ids: readonly string[]): string =>
  ids.length === 0
    ? ''
    : `<nml:Relation type="${BASE}${type}">${ids.map((id) => `<nml:${of} id="${id}"/>`).join('')}</nml:Relation>`;

const labelGroup = (vlans: string | undefined): string =>
  vlans === undefined
    ? ''
    : `<nml:LabelGroup labeltype="${ETHERNET}#vlan">${escaped(vlans)}</nml:LabelGroup>`;

const element = (name: string, text: string | number | undefined): string =>
  text === undefined ? '' : `<${name}>${text}</${name}>`;

const portGroup = ({ id, vlans, mbps, mtu, relation }: Way): string =>
  `  <nml:PortGroup id="${id}">${labelGroup(vlans)}${relation}${element('nmleth:capacity', `${mbps}000000`)}${element('nmleth:interfaceMTU', mtu)}</nml:PortGroup>`;

const both = (kind: 'Port' | 'Link', id: string, ways: readonly [string, string], more: string): string =>
  `  <nml:Bidirectional${kind} id="${id}">${ways.map((way) => `<nml:${kind}Group id="${id}:${way}"/>`).join('')}${more}</nml:Bidirectional${kind}>`;

export function writeNml(document: TopologyDocument): string {
  const { nodes, ports, links, ...rest } = document;
  const base = `urn:ogf:network:${document.domain}:`;
  const urn = (...parts: string[]): string =>
    escaped(base + parts.map((part) => encodeURIComponent(part.replace(/\p{Surrogate}/gu, '?'))).join(':'));
  /** The bidirectional ports of each node. */
  const on = new Map<string, string[]>(nodes.map(({ id }) => [id, []]));
  const groups: string[] = [];
  for (const port of ports) {
    const id = urn('port', port.id);
    on.get(port.node)?.push(id);
    groups.push(...portRows(port, id));
  }
  for (const link of links) {
    const id = urn('link', link.id);
    const ends = [link.a, link.z].map(({ node, port }) => urn('end', node, port)) as [string, string];
    on.get(link.a.node)?.push(ends[0]);
    on.get(link.z.node)?.push(ends[1]);
    groups.push(...linkRows(link, id, ends));
  }
  const sites = new Map((document.sites ?? []).map((site) => [site.id, site]));
  return `${[
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<nml:Topology xmlns:nml="${BASE}" xmlns:nmleth="${ETHERNET}" xmlns:tp="${OURS}" id="${escaped(`${base}topology`)}">`,
    ...nodes.map((node) => nodeRow(node, urn('node', node.id), on.get(node.id) ?? [], sites)),
    ...groups,
    `  ${oursOf(rest)}`,
    '</nml:Topology>',
  ].join('\n')}\n`;
}

function nodeRow(
  node: NodeDocument,
  id: string,
  ports: readonly string[],
  sites: ReadonlyMap<string, SiteDocument>,
): string {
  const { latitude, longitude, swaps_labels: swaps, ...rest } = node;
  const site = node.site === undefined ? undefined : (sites.get(node.site)?.name ?? node.site);
  const place =
    element('nml:name', site === undefined ? undefined : escaped(site)) +
    element('nml:long', longitude) +
    element('nml:lat', latitude);
  const service =
    swaps === undefined
      ? ''
      : `<nml:Relation type="${BASE}hasService"><nml:SwitchingService id="${id}:switch" labelSwapping="${swaps}" labelType="${ETHERNET}#vlan"/></nml:Relation>`;
  const ways = (way: string): string[] => ports.map((port) => `${port}:${way}`);
  return (
    `  <nml:Node id="${id}">${element('nml:name', escaped(node.id))}` +
    `${place === '' ? '' : `<nml:Location>${place}</nml:Location>`}${service}` +
    relation('hasInboundPort', 'PortGroup', ways('in')) +
    relation('hasOutboundPort', 'PortGroup', ways('out')) +
    `${oursOf(rest)}</nml:Node>`
  );
}

function portRows(port: PortDocument, id: string): string[] {
  // The node is the one that names the port.
  const { node: _node, capacity_mbps: mbps, mtu, vlans, ...rest } = port;
  const alias = (way: string): string =>
    port.remote === undefined
      ? ''
      : relation('isAlias', 'PortGroup', [
          escaped(
            `urn:ogf:network:${port.remote.domain}:port:${encodeURIComponent(port.remote.port)}:${way}`,
          ),
        ]);
  return [
    portGroup({ id: `${id}:in`, vlans, mbps, mtu, relation: alias('out') }),
    portGroup({ id: `${id}:out`, vlans, mbps, mtu, relation: alias('in') }),
    both('Port', id, ['in', 'out'], oursOf(rest)),
  ];
}

function linkRows(link: LinkDocument, id: string, [a, z]: readonly [string, string]): string[] {
  const { capacity_mbps: mbps, capacity_za_mbps: back, vlans, mtu, ...rest } = link;
  const ways = [
    [a, z, 'az', mbps],
    [z, a, 'za', back ?? mbps],
  ] as const;
  return [
    ...ways.flatMap(([from, to, way, mbps]) => [
      portGroup({
        id: `${from}:out`,
        vlans,
        mbps,
        mtu,
        relation: relation('isSource', 'LinkGroup', [`${id}:${way}`]),
      }),
      portGroup({
        id: `${to}:in`,
        vlans,
        mbps,
        mtu,
        relation: relation('isSink', 'LinkGroup', [`${id}:${way}`]),
      }),
    ]),
    both('Port', a, ['in', 'out'], ''),
    both('Port', z, ['in', 'out'], ''),
    // Equal both ways and said so is not the same document as not said.
    both('Link', id, ['az', 'za'], oursOf({ ...rest, ...(back === mbps ? { capacity_za_mbps: back } : {}) })),
  ];
}
