/**
 * The words of NML, and beside them our own: what NML has no word for (SRLGs, latency, cost, states, sites,
 * groups, maintenance, neighbours) stands in elements of a namespace of ours, named as in our documents, where
 * the schemas of NML leave room for other namespaces. Readers that do not know it pass over it.
 */
import { type TSchema, Type } from 'typebox';
import type { XmlElement } from './xml.ts';

export const BASE = 'http://schemas.ogf.org/nml/2013/05/base#';
export const ETHERNET = 'http://schemas.ogf.org/nml/2012/10/ethernet';
export const OURS = 'urn:turnpike:nml';

/** Text as XML can have it: characters that it has no way to write become question marks. */
export const escaped = (text: string): string =>
  text
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, '?')
    .replace(/[&<>"'\r\n\t]/g, (char) => `&#${char.charCodeAt(0)};`);

/** A value as elements: one per item of a list, an object's fields inside it. */
export function ours(name: string, value: unknown): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.map((item) => ours(name, item)).join('');
  const inside = typeof value === 'object' && value !== null ? oursOf(value) : escaped(String(value));
  return `<tp:${name}>${inside}</tp:${name}>`;
}

export const oursOf = (object: object): string =>
  Object.entries(object)
    .map(([name, value]) => ours(name, value))
    .join('');

/**
 * The fields that stand in our elements inside `element`, as `schema` wants them. What it does not want is
 * kept too: the check that follows says so, with its place.
 */
export function fieldsOf(element: XmlElement, schema: TSchema): Record<string, unknown> {
  const byName = new Map<string, XmlElement[]>();
  for (const child of element.children) {
    if (child.namespace !== OURS) continue;
    const known = byName.get(child.name);
    if (known === undefined) byName.set(child.name, [child]);
    else known.push(child);
  }
  const properties: Readonly<Record<string, TSchema>> = Type.IsObject(schema) ? schema.properties : {};
  return Object.fromEntries([...byName].map(([name, found]) => [name, read(found, properties[name])]));
}

function read(found: readonly XmlElement[], schema: TSchema | undefined): unknown {
  if (Type.IsArray(schema)) return found.map((element) => read([element], schema.items));
  const [element] = found;
  // Twice where one is meant: a list, which no schema of a single value takes.
  if (element === undefined || found.length > 1) return found.map(({ text }) => text);
  if (Type.IsObject(schema)) return fieldsOf(element, schema);
  const { text } = element;
  if ((Type.IsNumber(schema) || Type.IsInteger(schema)) && text.trim() !== '') return Number(text);
  if (Type.IsBoolean(schema)) return text === 'true' ? true : text === 'false' ? false : text;
  return text;
}
