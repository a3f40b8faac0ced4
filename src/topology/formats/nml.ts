/**
 * NML (OGF GFD.206) with the extensions of NSI, both ways as far as the two models meet. NML thinks in one
 * direction: a Port is the source or the sink of unidirectional Links. Two Links of opposite directions
 * between the same nodes are one of ours (a BidirectionalLink says which two, where several could). A
 * BidirectionalPort at the edge of the topology, with no Link on it, is a client port, or a border port where
 * it is an alias (isAlias) of a port of another topology. What cannot be understood is a problem with a line.
 */
import { parseLabels } from '../../model/label.ts';
import type { LinkDocument, NodeDocument, PortDocument, TopologyDocument } from '../document.ts';
import {
  type Draft,
  type Format,
  linesBy,
  Namer,
  type Problem,
  type ReadOptions,
  slug,
  unreadable,
} from './format.ts';
import { childrenOf, descendants, parseXml, type XmlElement, XmlError } from './xml.ts';

const BASE = 'http://schemas.ogf.org/nml/2013/05/base#';
const ETHERNET = 'http://schemas.ogf.org/nml/2012/10/ethernet';

const idOf = (element: XmlElement): string => element.attributes['id'] ?? element.attributes['idRef'] ?? '';
/** The ids that an element's relation of one type refers to. */
const related = (element: XmlElement, type: string): string[] =>
  childrenOf(element, 'Relation')
    .filter((relation) => (relation.attributes['type'] ?? '').endsWith(`#${type}`))
    .flatMap((relation) => relation.children.map(idOf));
const textOf = (element: XmlElement, name: string): string | undefined => {
  const text = childrenOf(element, name)[0]?.text.trim();
  return text === '' ? undefined : text;
};

/** The last part of a URN, which is what people call the thing. */
const shortName = (urn: string): string => slug(urn.slice(urn.lastIndexOf(':') + 1));

interface Direction {
  readonly link: string;
  readonly from: string;
  readonly to: string;
  readonly element: XmlElement;
  readonly ports: readonly [string, string];
}

function read(text: string, options: ReadOptions): Draft {
  let root: XmlElement;
  try {
    root = parseXml(text);
  } catch (error) {
    if (error instanceof XmlError) return unreadable(error.line, error.code, error.message);
    throw error;
  }
  const all = [root, ...descendants(root)].filter((element) => element.namespace === BASE);
  const topology = all.find((element) => element.name === 'Topology');
  if (topology === undefined) return unreadable(root.line, 'NOT_NML', `no Topology of the namespace ${BASE}`);
  const problems: Problem[] = [];
  const lines = new Map<string, number>([['', topology.line]]);
  const complain = (severity: Problem['severity'], code: string, at: XmlElement, message: string): void => {
    problems.push({ severity, code, pointer: '', line: at.line, message });
  };

  // A definition has an id; a reference has an idRef, or (as many write it) an id inside a Relation and no content.
  const defined = new Map<string, XmlElement>();
  const inRelations = new Set(all.filter((e) => e.name === 'Relation').flatMap((e) => e.children));
  for (const element of all) {
    const id = element.attributes['id'];
    if (id === undefined || (inRelations.has(element) && element.children.length === 0)) continue;
    const kind = /^(?:Node|Port|PortGroup|BidirectionalPort|Link|BidirectionalLink)$/.test(element.name);
    if (!kind) continue;
    const before = defined.get(id);
    if (before === undefined) defined.set(id, element);
    else if (before.children.length > 0 && element.children.length > 0) {
      complain('ERROR', 'DUPLICATE_ID', element, `"${id}" is defined on line ${before.line} already`);
    } else if (element.children.length > 0) defined.set(id, element);
  }
  const named = (name: string): XmlElement[] => [...defined.values()].filter((e) => e.name === name);

  const namer = new Namer();
  const nodes: NodeDocument[] = [];
  /** The node of ours that a port of theirs is on. */
  const nodeOfPort = new Map<string, string>();
  const ownPorts = (element: XmlElement): string[] => [
    ...related(element, 'hasInboundPort'),
    ...related(element, 'hasOutboundPort'),
    ...[...childrenOf(element, 'BidirectionalPort'), ...childrenOf(element, 'Port')].map(idOf),
  ];
  const addNode = (element: XmlElement): void => {
    const location = childrenOf(element, 'Location')[0];
    const [latitude, longitude] = ['lat', 'long'].map((name) =>
      location === undefined || textOf(location, name) === undefined
        ? undefined
        : Number(textOf(location, name)),
    );
    const node: NodeDocument = {
      id: namer.give(slug(textOf(element, 'name') ?? shortName(idOf(element))), 'node'),
      ...(latitude === undefined ? {} : { latitude }),
      ...(longitude === undefined ? {} : { longitude }),
    };
    lines.set(`/nodes/${nodes.length}`, element.line);
    nodes.push(node);
    for (const port of ownPorts(element)) nodeOfPort.set(port, node.id);
  };
  const nodeElements = named('Node');
  if (nodeElements.length > 0) nodeElements.forEach(addNode);
  // A topology without nodes is one that shows only its edge: a single switch, as NSI domains appear.
  else addNode(topology);

  // The two directions of a bidirectional port are where the port is, and the other way round.
  const pairOf = new Map<string, XmlElement>();
  for (const port of named('BidirectionalPort')) {
    const parts = [...childrenOf(port, 'Port'), ...childrenOf(port, 'PortGroup')].map(idOf);
    const node = [idOf(port), ...parts].map((id) => nodeOfPort.get(id)).find((id) => id !== undefined);
    const home = node ?? (nodeElements.length === 0 ? nodes[0]?.id : undefined);
    for (const id of [idOf(port), ...parts]) {
      if (home !== undefined) nodeOfPort.set(id, home);
      pairOf.set(id, port);
    }
  }

  // Unidirectional links: from the port that is their source to the one that is their sink.
  const sources = new Map<string, string>();
  const sinks = new Map<string, string>();
  for (const port of [...named('Port'), ...named('PortGroup')]) {
    for (const link of related(port, 'isSource')) sources.set(link, idOf(port));
    for (const link of related(port, 'isSink')) sinks.set(link, idOf(port));
  }
  /** Directions that have not found their way back, by the id of their Link and by their two nodes. */
  const waiting = new Map<string, Direction>();
  const between = new Map<string, Direction[]>();
  for (const element of named('Link')) {
    const link = idOf(element);
    const [out, into] = [sources.get(link) ?? '', sinks.get(link) ?? ''];
    const [from, to] = [nodeOfPort.get(out), nodeOfPort.get(into)];
    if (from === undefined || to === undefined) {
      complain(
        'ERROR',
        'DANGLING_LINK',
        element,
        `Link "${link}" has no ${from === undefined ? 'source' : 'sink'} port on a node`,
      );
    } else {
      const direction = { link, from, to, element, ports: [out, into] as const };
      waiting.set(link, direction);
      const key = JSON.stringify([from, to]);
      const parallel = between.get(key);
      if (parallel === undefined) between.set(key, [direction]);
      else parallel.push(direction);
    }
  }
  const links: LinkDocument[] = [];
  const linkNames = new Namer();
  const used = new Set<string>();
  const join = (there: Direction, back: Direction, name: string): void => {
    const id = linkNames.give(slug(name), 'link');
    const ends = [there, back].map((direction) => [
      direction.element,
      ...direction.ports.map((port) => defined.get(port)),
    ]);
    const [capacity, capacityBack] = ends.map((elements) => capacityOf(elements, options)) as [
      number,
      number,
    ];
    const labels = ends
      .flat()
      .map((element) => (element === undefined ? undefined : vlansOf(element)))
      .find((v) => v !== undefined);
    lines.set(`/links/${links.length}`, there.element.line);
    for (const port of [...there.ports, ...back.ports]) used.add(port);
    const portName = (port: string): string =>
      slug(
        idOf(pairOf.get(port) ?? { ...there.element, attributes: { id: port } })
          .split(':')
          .slice(-2)
          .join('-'),
      );
    links.push({
      id,
      a: { node: there.from, port: portName(there.ports[0]) },
      z: { node: there.to, port: portName(there.ports[1]) },
      capacity_mbps: capacity,
      ...(capacityBack === capacity ? {} : { capacity_za_mbps: capacityBack }),
      ...(labels === undefined ? {} : { vlans: labels }),
    });
  };
  const opposite = (there: Direction, wanted: string | undefined): Direction | undefined => {
    if (wanted !== undefined) {
      const back = waiting.get(wanted);
      return back?.from === there.to && back.to === there.from ? back : undefined;
    }
    const parallel = between.get(JSON.stringify([there.to, there.from])) ?? [];
    let back = parallel.shift();
    while (back !== undefined && !waiting.has(back.link)) back = parallel.shift();
    return back;
  };
  for (const both of named('BidirectionalLink')) {
    const [one = '', other] = childrenOf(both, 'Link').map(idOf);
    const there = waiting.get(one);
    if (there === undefined) continue;
    const back = opposite(there, other);
    waiting.delete(one);
    if (back === undefined)
      complain('ERROR', 'ONE_WAY', both, `the two Links of "${idOf(both)}" are not opposite`);
    else {
      waiting.delete(back.link);
      join(there, back, textOf(both, 'name') ?? shortName(idOf(both)));
    }
  }
  for (const there of waiting.values()) {
    waiting.delete(there.link);
    const back = opposite(there, undefined);
    if (back === undefined) {
      complain('ERROR', 'ONE_WAY', there.element, `no Link leads back from "${there.to}" to "${there.from}"`);
      continue;
    }
    waiting.delete(back.link);
    join(there, back, textOf(there.element, 'name') ?? shortName(there.link));
  }

  const ports: PortDocument[] = [];
  const portNames = new Namer();
  for (const element of named('BidirectionalPort')) {
    const parts = [...childrenOf(element, 'Port'), ...childrenOf(element, 'PortGroup')].map(
      (part) => defined.get(idOf(part)) ?? part,
    );
    if ([element, ...parts].some((part) => used.has(idOf(part)))) continue;
    const node = nodeOfPort.get(idOf(element));
    if (node === undefined) {
      complain('ERROR', 'DANGLING_PORT', element, `no Node has the port "${idOf(element)}"`);
      continue;
    }
    const alias = [element, ...parts].flatMap((part) => related(part, 'isAlias'))[0];
    const vlans = [element, ...parts].map(vlansOf).find((v) => v !== undefined);
    if (vlans !== undefined && parseLabels(vlans) === undefined) {
      complain('ERROR', 'BAD_LABELS', element, `"${vlans.slice(0, 60)}" is no list of VLANs`);
      continue;
    }
    lines.set(`/ports/${ports.length}`, element.line);
    ports.push({
      id: `${options.prefix}:${portNames.give(shortName(idOf(element)), 'port')}`,
      node,
      kind: alias === undefined ? 'CLIENT' : 'BORDER',
      capacity_mbps: capacityOf([element, ...parts], options),
      ...(vlans === undefined ? {} : { vlans }),
    });
  }
  return {
    value: { domain: options.domain, prefix: options.prefix, nodes, ports, links },
    problems,
    lineOf: linesBy(lines),
  };
}

/** Capacities are in bit/s, on whichever of the elements says one. */
function capacityOf(elements: readonly (XmlElement | undefined)[], options: ReadOptions): number {
  for (const element of elements) {
    if (element === undefined) continue;
    for (const part of [element, ...descendants(element)]) {
      if (part.name !== 'capacity' && part.name !== 'maximumReservableCapacity') continue;
      return Math.floor(Number(part.text.trim()) / 1e6);
    }
  }
  return options.capacityMbps;
}

function vlansOf(element: XmlElement): string | undefined {
  const group = [...descendants(element)].find(
    (part) =>
      (part.name === 'LabelGroup' || part.name === 'Label') &&
      /vlan$/i.test(part.attributes['labeltype'] ?? ''),
  );
  const text = group?.text.replace(/\s+/g, '');
  return text === '' ? undefined : text;
}

const escaped = (text: string): string =>
  text
    .replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/g, '?');

function write(document: TopologyDocument): string {
  const base = `urn:ogf:network:${document.domain}:`;
  const urn = (...parts: string[]): string => escaped(base + parts.map(encodeURIComponent).join(':'));
  const rows: string[] = [];
  const vlans = (text: string | undefined): string =>
    text === undefined
      ? ''
      : `<nml:LabelGroup labeltype="${ETHERNET}#vlan">${escaped(text)}</nml:LabelGroup>`;
  const capacity = (mbps: number): string => `<nmleth:capacity>${mbps}000000</nmleth:capacity>`;
  const unidirectional = (id: string, relation: string, body: string): string =>
    `  <nml:Port id="${id}">${body}${relation}</nml:Port>`;
  const relation = (type: string, of: string, ids: readonly string[]): string =>
    ids.length === 0
      ? ''
      : `<nml:Relation type="${BASE}${type}">${ids.map((id) => `<nml:${of} idRef="${id}"/>`).join('')}</nml:Relation>`;

  const inbound = new Map<string, string[]>();
  const outbound = new Map<string, string[]>();
  const note = (map: Map<string, string[]>, node: string, port: string): void => {
    map.set(node, [...(map.get(node) ?? []), port]);
  };
  const portRows: string[] = [];
  for (const port of document.ports) {
    const id = urn('port', port.id);
    note(inbound, port.node, `${id}:in`);
    note(outbound, port.node, `${id}:out`);
    for (const way of ['in', 'out'])
      portRows.push(unidirectional(`${id}:${way}`, '', vlans(port.vlans) + capacity(port.capacity_mbps)));
    const alias =
      port.remote === undefined
        ? ''
        : relation('isAlias', 'BidirectionalPort', [
            escaped(`urn:ogf:network:${port.remote.domain}:port:${encodeURIComponent(port.remote.port)}`),
          ]);
    portRows.push(
      `  <nml:BidirectionalPort id="${id}"><nml:Port id="${id}:in"/><nml:Port id="${id}:out"/>${alias}</nml:BidirectionalPort>`,
    );
  }
  for (const link of document.links) {
    const id = urn('link', link.id);
    const ends = [link.a, link.z].map(({ node, port }) => ({ node, id: urn('end', node, port) }));
    const [a, z] = ends as [{ node: string; id: string }, { node: string; id: string }];
    for (const [from, to, way, mbps] of [
      [a, z, 'az', link.capacity_mbps],
      [z, a, 'za', link.capacity_za_mbps ?? link.capacity_mbps],
    ] as const) {
      note(outbound, from.node, `${from.id}:out`);
      note(inbound, to.node, `${to.id}:in`);
      portRows.push(
        unidirectional(
          `${from.id}:out`,
          relation('isSource', 'Link', [`${id}:${way}`]),
          vlans(link.vlans) + capacity(mbps),
        ),
      );
      portRows.push(
        unidirectional(
          `${to.id}:in`,
          relation('isSink', 'Link', [`${id}:${way}`]),
          vlans(link.vlans) + capacity(mbps),
        ),
      );
      portRows.push(`  <nml:Link id="${id}:${way}"/>`);
    }
    for (const end of ends) {
      portRows.push(
        `  <nml:BidirectionalPort id="${end.id}"><nml:Port id="${end.id}:in"/><nml:Port id="${end.id}:out"/></nml:BidirectionalPort>`,
      );
    }
    portRows.push(
      `  <nml:BidirectionalLink id="${id}"><nml:name>${escaped(link.id)}</nml:name><nml:Link id="${id}:az"/><nml:Link id="${id}:za"/></nml:BidirectionalLink>`,
    );
  }
  rows.push(
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<nml:Topology xmlns:nml="${BASE}" xmlns:nmleth="${ETHERNET}" id="${escaped(`${base}topology`)}">`,
  );
  for (const node of document.nodes) {
    const place =
      node.latitude === undefined || node.longitude === undefined
        ? ''
        : `<nml:Location><nml:long>${node.longitude}</nml:long><nml:lat>${node.latitude}</nml:lat></nml:Location>`;
    rows.push(
      `  <nml:Node id="${urn('node', node.id)}"><nml:name>${escaped(node.id)}</nml:name>${place}` +
        relation('hasInboundPort', 'Port', inbound.get(node.id) ?? []) +
        relation('hasOutboundPort', 'Port', outbound.get(node.id) ?? []) +
        '</nml:Node>',
    );
  }
  return `${[...rows, ...portRows, '</nml:Topology>'].join('\n')}\n`;
}

export const nml: Format = { name: 'nml', mediaType: 'application/vnd.ogf.nml+xml', read, write };
