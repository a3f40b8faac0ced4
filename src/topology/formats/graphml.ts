/**
 * GraphML as the Internet Topology Zoo writes it: nodes with a label, a place and a country, edges with a
 * speed in bit/s or none. It says nothing of ports or latency: every node gets one client port, latency is
 * that of fibre between the places. The cost of a link is its latency, so that detours are dear.
 */
import { HIGHEST_MBPS } from '../../model/capacity.ts';
import type { LinkDocument, NodeDocument, TopologyDocument } from '../document.ts';
import {
  clientPorts,
  type Draft,
  type Format,
  fibreLatency,
  linesBy,
  Namer,
  type Problem,
  type ReadOptions,
  slug,
  unreadable,
} from './format.ts';
import { childrenOf, descendants, parseXml, type XmlElement, XmlError } from './xml.ts';

function read(text: string, options: ReadOptions): Draft {
  let root: XmlElement;
  try {
    root = parseXml(text);
  } catch (error) {
    if (error instanceof XmlError) return unreadable(error.line, error.code, error.message);
    throw error;
  }
  const graph = childrenOf(root, 'graph')[0];
  if (root.name !== 'graphml' || graph === undefined) {
    return unreadable(root.line, 'NOT_GRAPHML', 'there is no <graphml> with a <graph>');
  }
  const keys = new Map(
    childrenOf(root, 'key').map((key) => [key.attributes['id'] ?? '', key.attributes['attr.name'] ?? '']),
  );
  const dataOf = (element: XmlElement): ReadonlyMap<string, string> =>
    new Map(
      childrenOf(element, 'data').map((data) => [
        keys.get(data.attributes['key'] ?? '') ?? '',
        data.text.trim(),
      ]),
    );

  const problems: Problem[] = [];
  const lines = new Map([['', root.line]]);
  const complain = (severity: Problem['severity'], code: string, at: XmlElement, message: string): void => {
    problems.push({ severity, code, pointer: '', line: at.line, message });
  };
  for (const element of descendants(graph)) {
    if (element.name === 'hyperedge' || element.name === 'graph') {
      complain('ERROR', 'UNSUPPORTED', element, `<${element.name}> inside a graph cannot be read`);
    }
  }

  const namer = new Namer();
  const nodes: NodeDocument[] = [];
  const byId = new Map<string, NodeDocument>();
  for (const element of childrenOf(graph, 'node')) {
    const id = element.attributes['id'] ?? '';
    if (byId.has(id)) {
      complain('ERROR', 'DUPLICATE_ID', element, `another node has the id "${id}" already`);
      continue;
    }
    const data = dataOf(element);
    const node: NodeDocument = {
      id: namer.give(slug(data.get('label') ?? ''), `node-${slug(id)}`),
      ...numberOf('latitude', data.get('Latitude'), 90, (what) =>
        complain('ERROR', 'BAD_NUMBER', element, what),
      ),
      ...numberOf('longitude', data.get('Longitude'), 180, (what) =>
        complain('ERROR', 'BAD_NUMBER', element, what),
      ),
    };
    lines.set(`/nodes/${nodes.length}`, element.line);
    lines.set(`/ports/${nodes.length}`, element.line);
    nodes.push(node);
    byId.set(id, node);
  }

  const directed = graph.attributes['edgedefault'] === 'directed';
  const links: LinkDocument[] = [];
  const oneWay = new Map<string, XmlElement[]>();
  const linkNames = new Namer();
  for (const element of childrenOf(graph, 'edge')) {
    const [from, to] = ['source', 'target'].map((end) => byId.get(element.attributes[end] ?? '')) as [
      NodeDocument | undefined,
      NodeDocument | undefined,
    ];
    if (from === undefined || to === undefined) {
      complain('ERROR', 'DANGLING_LINK', element, 'an end of this edge is no node');
      continue;
    }
    if (from === to) {
      complain('WARNING', 'LOOP', element, `an edge from "${from.id}" to itself is left out`);
      continue;
    }
    if (
      element.attributes['directed'] === 'true' ||
      (directed && element.attributes['directed'] !== 'false')
    ) {
      // Two edges of opposite directions are one link; the second one finds the first waiting.
      const waiting = oneWay.get(JSON.stringify([to.id, from.id]))?.pop();
      if (waiting === undefined) {
        const key = JSON.stringify([from.id, to.id]);
        oneWay.set(key, [...(oneWay.get(key) ?? []), element]);
        continue;
      }
    }
    const data = dataOf(element);
    const speed = data.get('LinkSpeedRaw');
    const mbps = speed === undefined ? options.capacityMbps : Math.floor(Number(speed) / 1e6);
    if (!(mbps >= 1))
      complain('ERROR', 'BAD_NUMBER', element, `a LinkSpeedRaw of "${speed}" carries nothing`);
    const latency = fibreLatency(from, to);
    const id = linkNames.give(`${from.id}--${to.id}`, 'link');
    lines.set(`/links/${links.length}`, element.line);
    links.push({
      id,
      a: { node: from.id, port: id },
      z: { node: to.id, port: id },
      capacity_mbps: Math.max(1, Math.min(HIGHEST_MBPS, mbps || 0)),
      latency_ms: latency,
      cost: latency,
    });
  }
  for (const element of [...oneWay.values()].flat()) {
    const { source, target } = element.attributes;
    complain('ERROR', 'ONE_WAY', element, `no edge leads back from "${target}" to "${source}"`);
  }
  const value: TopologyDocument = {
    domain: options.domain,
    prefix: options.prefix,
    nodes,
    ports: clientPorts(nodes, options),
    links,
  };
  return { value, problems, lineOf: linesBy(lines) };
}

function numberOf(
  name: 'latitude' | 'longitude',
  text: string | undefined,
  most: number,
  complain: (what: string) => void,
): Partial<NodeDocument> {
  if (text === undefined || text === '') return {};
  const value = Number(text);
  if (Math.abs(value) <= most) return { [name]: value };
  complain(`"${text.slice(0, 60)}" is no ${name}`);
  return {};
}

export const graphml: Format = { name: 'graphml', mediaType: 'application/graphml+xml', read };
