/**
 * NML (OGF GFD.206) with the extensions of NSI, both ways as far as the two models meet. NML thinks in one
 * direction: a Port is the source or the sink of unidirectional Links. Two Links of opposite directions
 * between the same nodes are one of ours (a BidirectionalLink says which two, where several could). A
 * BidirectionalPort at the edge of the topology, with no Link on it, is a client port, or a border port where
 * it is an alias (isAlias) of a port of another topology. What cannot be understood is a problem with a line.
 * Our own words (nml-words.ts) go before what was understood from those of NML. Writing is in nml-writer.ts.
 */
import { Type } from 'typebox';
import { parseLabels } from '../../model/label.ts';
import { topologySchema } from '../schema.ts';
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
import { BASE, fieldsOf } from './nml-words.ts';
import { writeNml } from './nml-writer.ts';
import { childrenOf, descendants, parseXml, type XmlElement, XmlError } from './xml.ts';

const { nodes: nodeList, ports: portList, links: linkList, ...ofTopology } = topologySchema.properties;
/** What stands beside nodes, ports and links. */
const restSchema = Type.Object(ofTopology);

/** References are an id without content (NML), an idRef (as some write it), or an isReference (NSI). */
const idOf = ({ attributes }: XmlElement): string =>
  attributes['id'] ?? attributes['idRef'] ?? attributes['isReference'] ?? '';
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

/** The id in our own words, where the text has them; what else stands there the check will tell. */
const idGiven = ({ id }: Record<string, unknown>): string | undefined =>
  typeof id === 'string' ? id : undefined;

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
  const rest = fieldsOf(topology, restSchema);
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
    const kind =
      /^(?:Node|Port|PortGroup|BidirectionalPort|Link|LinkGroup|BidirectionalLink|SwitchingService)$/.test(
        element.name,
      );
    if (!kind) continue;
    const before = defined.get(id);
    if (before === undefined) defined.set(id, element);
    else if (before.children.length > 0 && element.children.length > 0) {
      complain('ERROR', 'DUPLICATE_ID', element, `"${id}" is defined on line ${before.line} already`);
    } else if (element.children.length > 0) defined.set(id, element);
  }
  const named = (...names: string[]): XmlElement[] =>
    [...defined.values()].filter((e) => names.includes(e.name));

  const namer = new Namer();
  const nodes: { readonly id: string }[] = [];
  /** The node of ours that a port of theirs is on. */
  const nodeOfPort = new Map<string, string>();
  const ownPorts = (element: XmlElement): string[] => [
    ...related(element, 'hasInboundPort'),
    ...related(element, 'hasOutboundPort'),
    ...[...childrenOf(element, 'BidirectionalPort'), ...childrenOf(element, 'Port')].map(idOf),
  ];
  const addNode = (element: XmlElement): void => {
    const location = childrenOf(element, 'Location')[0];
    const placed = (name: string): string | undefined => location && textOf(location, name);
    const [site, latitude, longitude] = ['name', 'lat', 'long'].map(placed);
    const swaps = swapsLabels(element, defined);
    const given = fieldsOf(element, nodeList.items);
    const node = {
      ...(site === undefined ? {} : { site }),
      ...(latitude === undefined ? {} : { latitude: Number(latitude) }),
      ...(longitude === undefined ? {} : { longitude: Number(longitude) }),
      ...(swaps === undefined ? {} : { swaps_labels: swaps }),
      ...given,
      id: idGiven(given) ?? namer.give(slug(textOf(element, 'name') ?? shortName(idOf(element))), 'node'),
    };
    lines.set(`/nodes/${nodes.length}`, element.line);
    nodes.push(node);
    for (const port of ownPorts(element)) nodeOfPort.set(port, node.id);
  };
  const nodeElements = named('Node');
  if (nodeElements.length > 0) nodeElements.forEach(addNode);
  // A topology without nodes is one that shows only its edge: a single switch, as NSI domains appear.
  else if (rest['domain'] === undefined) addNode(topology);

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
  for (const port of named('Port', 'PortGroup')) {
    for (const link of related(port, 'isSource')) sources.set(link, idOf(port));
    for (const link of related(port, 'isSink')) sinks.set(link, idOf(port));
  }
  /** Directions that have not found their way back, by the id of their Link and by their two nodes. */
  const waiting = new Map<string, Direction>();
  const between = new Map<string, Direction[]>();
  for (const element of named('Link', 'LinkGroup')) {
    const link = idOf(element);
    const [out, into] = [sources.get(link) ?? '', sinks.get(link) ?? ''];
    const [from, to] = [nodeOfPort.get(out), nodeOfPort.get(into)];
    if (from === undefined || to === undefined) {
      complain(
        'ERROR',
        'DANGLING_LINK',
        element,
        `${element.name} "${link}" has no ${from === undefined ? 'source' : 'sink'} port on a node`,
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
  const links: unknown[] = [];
  const linkNames = new Namer();
  const used = new Set<string>();
  const join = (there: Direction, back: Direction, name: string, given: Record<string, unknown>): void => {
    const ends = [there, back].map((direction) => [
      direction.element,
      ...direction.ports.map((port) => defined.get(port)),
    ]);
    const [capacity, capacityBack] = ends.map((elements) => capacityOf(elements, options)) as [
      number,
      number,
    ];
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
      a: { node: there.from, port: portName(there.ports[0]) },
      z: { node: there.to, port: portName(there.ports[1]) },
      capacity_mbps: capacity,
      ...(capacityBack === capacity ? {} : { capacity_za_mbps: capacityBack }),
      ...labelsAndMtu(ends.flat()),
      ...given,
      id: idGiven(given) ?? linkNames.give(slug(name), 'link'),
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
    const [one = '', other] = [...childrenOf(both, 'Link'), ...childrenOf(both, 'LinkGroup')].map(idOf);
    const there = waiting.get(one);
    if (there === undefined) continue;
    const back = opposite(there, other);
    waiting.delete(one);
    if (back === undefined)
      complain('ERROR', 'ONE_WAY', both, `the two Links of "${idOf(both)}" are not opposite`);
    else {
      waiting.delete(back.link);
      join(there, back, textOf(both, 'name') ?? shortName(idOf(both)), fieldsOf(both, linkList.items));
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
    join(there, back, textOf(there.element, 'name') ?? shortName(there.link), {});
  }

  const ports: unknown[] = [];
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
    const told = labelsAndMtu([element, ...parts]);
    if (told.vlans !== undefined && parseLabels(told.vlans) === undefined) {
      complain('ERROR', 'BAD_LABELS', element, `"${told.vlans.slice(0, 60)}" is no list of VLANs`);
      continue;
    }
    const given = fieldsOf(element, portList.items);
    lines.set(`/ports/${ports.length}`, element.line);
    ports.push({
      node,
      kind: alias === undefined ? 'CLIENT' : 'BORDER',
      capacity_mbps: capacityOf([element, ...parts], options),
      ...told,
      ...given,
      id: idGiven(given) ?? `${options.prefix}:${portNames.give(shortName(idOf(element)), 'port')}`,
    });
  }
  return {
    value: { domain: options.domain, prefix: options.prefix, ...rest, nodes, ports, links },
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

/** What the first of the elements that says so has for labels, and for the largest frame. */
function labelsAndMtu(elements: readonly (XmlElement | undefined)[]): { vlans?: string; mtu?: number } {
  const parts = elements.flatMap((element) => (element === undefined ? [] : [...descendants(element)]));
  const vlans = parts.find(
    ({ name, attributes }) =>
      (name === 'LabelGroup' || name === 'Label') && /vlan$/i.test(attributes['labeltype'] ?? ''),
  );
  const text = vlans?.text.replace(/\s+/g, '') ?? '';
  const mtu = parts.find(({ name }) => name === 'interfaceMTU');
  return {
    ...(text === '' ? {} : { vlans: text }),
    ...(mtu === undefined ? {} : { mtu: Number(mtu.text.trim()) }),
  };
}

/** Whether the node's switching service swaps labels; a service that says nothing does not. */
function swapsLabels(node: XmlElement, defined: ReadonlyMap<string, XmlElement>): boolean | undefined {
  const services = childrenOf(node, 'Relation')
    .filter((relation) => (relation.attributes['type'] ?? '').endsWith('#hasService'))
    .flatMap((relation) => childrenOf(relation, 'SwitchingService'))
    .map((service) => defined.get(idOf(service)) ?? service);
  if (services.length === 0) return undefined;
  return services.some(({ attributes }) => /^(?:true|1)$/.test(attributes['labelSwapping'] ?? ''));
}

export const nml: Format = { name: 'nml', mediaType: 'application/vnd.ogf.nml+xml', read, write: writeNml };
