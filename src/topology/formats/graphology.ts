/** The JSON that graphology serialises, both ways: what the console and notebooks load a graph from. */
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { LineCounter, parseDocument } from 'yaml';
import type { TopologyDocument } from '../document.ts';
import { toGraph } from '../graph.ts';
import { type Draft, type Format, MAX_TEXT, unreadable } from './format.ts';
import { lineIn, MAX_OWN_TEXT } from './own.ts';

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
    return unreadable(lineOfError(text, message), 'BAD_JSON', message.slice(0, 200));
  }
  if (!Value.Check(serialized, value)) {
    const [first] = Value.Errors(serialized, value);
    const place = first?.instancePath ?? '';
    const message = `${place} ${first?.message ?? 'is malformed'}`.trim();
    return unreadable(linesOf(text)(place), 'NOT_GRAPHOLOGY', message);
  }
  // Read plainly, not through a graph: a graph would throw at the first mistake, checks name them all.
  const ports: unknown[] = [];
  /** Where each port stands in the text. */
  const portPlaces: string[] = [];
  const nodes = value.nodes.map(({ key, attributes: { ports: of, ...rest } = {} }, i) => {
    if (Array.isArray(of)) {
      ports.push(...of);
      portPlaces.push(...of.map((_port, j) => `/nodes/${i}/attributes/ports/${j}`));
    }
    return { id: key, ...rest };
  });
  const links = value.edges.map(({ key, source, target, attributes: of = {} }) => ({
    id: key,
    a: { node: source, port: key },
    z: { node: target, port: key },
    ...of,
  }));
  const find = linesOf(text);
  const lineOf = (pointer: string): number => {
    const [, list = '', index = '', ...rest] = pointer.split('/');
    const inside = rest.length === 0 ? '' : `/${rest.join('/')}`;
    if (list === 'ports') return find(`${portPlaces[Number(index)] ?? ''}${inside}`);
    if (list !== 'nodes' && list !== 'links') return find(`/attributes${pointer}`);
    const thing = `/${list === 'links' ? 'edges' : 'nodes'}/${index}`;
    return find(inside === '/id' || inside === '' ? thing : `${thing}/attributes${inside}`);
  };
  return { value: { ...value.attributes, nodes, ports, links }, problems: [], lineOf };
}

/** JSON.parse tells a position, or else ten characters on both sides of what it stumbled over. */
function lineOfError(text: string, message: string): number {
  const told = /position (\d+)/.exec(message);
  const around = /, (\.\.\.)?"([\s\S]*)"(?:\.\.\.)? is not valid JSON$/.exec(message);
  const at =
    told !== null ? Number(told[1]) : text.indexOf(around?.[2] ?? '') + (around?.[1] === undefined ? 0 : 10);
  return text.slice(0, Math.max(0, at)).split('\n').length;
}

/** Lines by pointer, looked for only when there is something to tell: then the text is read once more, as YAML. */
function linesOf(text: string): (pointer: string) => number {
  let find: ((pointer: string) => number) | undefined;
  return (pointer) => {
    if (text.length > MAX_OWN_TEXT) return 1;
    if (find === undefined) {
      const lines = new LineCounter();
      const parsed = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
      find = (place) => lineIn(parsed, lines, place);
    }
    return find(pointer);
  };
}

const write = (document: TopologyDocument): string => `${JSON.stringify(toGraph(document).export())}\n`;

export const graphology: Format = { name: 'graphology', mediaType: 'application/json', read, write };
