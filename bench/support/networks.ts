/**
 * Networks for benchmarks, from the notations that research data comes in: SNDlib native text, GraphML of the
 * Topology Zoo, node-link JSON, or one of our own documents. Only who is joined to whom is read; every link
 * gets the same capacity, and each node one port that is never the bottleneck.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import type { LinkDocument, TopologyDocument } from '../../src/topology/document.ts';
import { ROOT } from '../../test/support/root.ts';

/** The data lies beside the repository; where it does not, benchmarks say so and go on with what they have. */
export function sharedFile(path: string): string | undefined {
  const root = process.env['TURNPIKE_SHARED'] ?? join(ROOT, '..', 'shared');
  const file = join(root, 'data', path);
  return existsSync(file) ? file : undefined;
}

export interface Graph {
  readonly name: string;
  readonly nodes: readonly string[];
  readonly links: readonly (readonly [a: number, z: number])[];
}

export function readGraph(file: string): Graph {
  const text = readFileSync(file, 'utf8');
  const name = basename(file, extname(file));
  switch (extname(file)) {
    case '.txt':
      return largestPart(name, ...sndlib(text));
    case '.graphml':
      return largestPart(name, ...graphml(text));
    case '.json':
      return largestPart(name, ...nodeLink(text));
    default:
      throw new Error(`${file}: .txt (SNDlib), .graphml or .json`);
  }
}

type Raw = [nodes: string[], links: [number, number][]];

function sndlib(text: string): Raw {
  const section = (title: string): string[] => {
    const start = text.indexOf(`\n${title} (`);
    return text.slice(start + title.length + 3, text.indexOf('\n)', start)).split('\n');
  };
  const words = (line: string): string[] => line.trim().split(/[\s()]+/);
  const nodes = section('NODES').flatMap((line) => words(line)[0] || []);
  const links = section('LINKS').flatMap((line): [number, number][] => {
    const [id, a = '', z = ''] = words(line);
    return id ? [[nodes.indexOf(a), nodes.indexOf(z)]] : [];
  });
  return [nodes, links];
}

function graphml(text: string): Raw {
  const nodes = [...text.matchAll(/<node id="([^"]*)"/g)].map((match) => match[1] as string);
  const links = [...text.matchAll(/<edge [^>]*source="([^"]*)" target="([^"]*)"/g)].map(
    ([, a = '', z = '']): [number, number] => [nodes.indexOf(a), nodes.indexOf(z)],
  );
  return [nodes, links];
}

/** topohub, networkx: {nodes: [{id}], links | edges: [{source, target}]}; or a document of ours. */
function nodeLink(text: string): Raw {
  const read = JSON.parse(text) as {
    nodes: { id: string | number }[];
    links?: ({ source: string | number; target: string | number } | LinkDocument)[];
    edges?: { source: string | number; target: string | number }[];
  };
  const nodes = read.nodes.map(({ id }) => String(id));
  const links = (read.links ?? read.edges ?? []).map((link): [number, number] => {
    const [a, z] = 'source' in link ? [link.source, link.target] : [link.a.node, link.z.node];
    return [nodes.indexOf(String(a)), nodes.indexOf(String(z))];
  });
  return [nodes, links];
}

/** Some of the maps have islands, and cables that come back to where they start. */
function largestPart(name: string, nodes: string[], all: [number, number][]): Graph {
  const links = all.filter(([a, z]) => a >= 0 && z >= 0 && a !== z);
  const part = nodes.map((_, i) => i);
  const root = (i: number): number => (part[i] === i ? i : root(part[i] as number));
  for (const [a, z] of links) part[root(a)] = root(z);
  const sizes = new Map<number, number>();
  for (const i of nodes.keys()) sizes.set(root(i), (sizes.get(root(i)) ?? 0) + 1);
  const largest = [...sizes].sort((x, y) => y[1] - x[1])[0]?.[0];
  const kept = [...nodes.keys()].filter((i) => root(i) === largest);
  const index = new Map(kept.map((old, i) => [old, i]));
  return {
    name,
    nodes: kept.map((i) => nodes[i] as string),
    links: links.flatMap(([a, z]): [number, number][] => {
      const [from, to] = [index.get(a), index.get(z)];
      return from === undefined || to === undefined ? [] : [[from, to]];
    }),
  };
}

/** Names are numbered, so that nothing depends on how a data set spells its cities. */
export function documentOf({ nodes, links }: Graph, mbps: number): TopologyDocument {
  return {
    domain: 'bench.example',
    prefix: 'ben',
    nodes: nodes.map((_, i) => ({ id: nodeId(i) })),
    ports: nodes.map((_, i) => ({
      id: portId(i),
      node: nodeId(i),
      kind: 'CLIENT',
      capacity_mbps: 2_000_000_000,
      unlabelled: true,
    })),
    links: links.map(([a, z], i) => ({
      id: `l${String(i).padStart(4, '0')}`,
      a: { node: nodeId(a), port: `to${i}` },
      z: { node: nodeId(z), port: `to${i}` },
      capacity_mbps: mbps,
      unlabelled: true,
    })),
  };
}

export const nodeId = (i: number): string => `n${String(i).padStart(4, '0')}`;
export const portId = (i: number): string => `ben:${nodeId(i)}`;
