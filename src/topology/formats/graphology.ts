/** The JSON that graphology serialises, both ways: what the console and notebooks load a graph from. */
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import type { TopologyDocument } from '../document.ts';
import { toGraph } from '../graph.ts';
import { type Draft, type Format, MAX_TEXT, unreadable } from './format.ts';

const attributes = Type.Record(Type.String(), Type.Unknown());
const serialized = Type.Object({
  attributes,
  options: Type.Optional(Type.Object({})),
  nodes: Type.Array(Type.Object({ key: Type.String(), attributes: Type.Optional(attributes) })),
  edges: Type.Array(
    Type.Object({
      key: Type.String(),
      source: Type.String(),
      target: Type.String(),
      attributes: Type.Optional(attributes),
    }),
  ),
});

function read(text: string): Draft {
  if (text.length > MAX_TEXT) return unreadable(1, 'TOO_LARGE', `at most ${MAX_TEXT} characters are read`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : 'no JSON';
    const at = /position (\d+)/.exec(message);
    const line = text.slice(0, Number(at?.[1] ?? 0)).split('\n').length;
    return unreadable(line, 'BAD_JSON', message.slice(0, 200));
  }
  if (!Value.Check(serialized, value)) {
    const [first] = Value.Errors(serialized, value);
    return unreadable(
      1,
      'NOT_GRAPHOLOGY',
      `${first?.instancePath ?? ''} ${first?.message ?? 'is malformed'}`.trim(),
    );
  }
  // Read plainly, not through a graph: a graph would throw at the first mistake, checks name them all.
  const ports: unknown[] = [];
  const nodes = value.nodes.map(({ key, attributes: { ports: of, ...rest } = {} }) => {
    if (Array.isArray(of)) ports.push(...of);
    return { id: key, ...rest };
  });
  const links = value.edges.map(({ key, source, target, attributes: of = {} }) => ({
    id: key,
    a: { node: source, port: key },
    z: { node: target, port: key },
    ...of,
  }));
  return { value: { ...value.attributes, nodes, ports, links }, problems: [], lineOf: () => 1 };
}

const write = (document: TopologyDocument): string => `${JSON.stringify(toGraph(document).export())}\n`;

export const graphology: Format = { name: 'graphology', mediaType: 'application/json', read, write };
