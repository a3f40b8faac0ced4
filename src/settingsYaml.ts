/**
 * Reads a YAML file into a layer of settings, so that each value and each fault knows its line. Only the
 * shape is checked here: which keys there are, and what is a list or a section. Values are read in settings.ts.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import {
  type Field,
  type Fields,
  findField,
  joinPath,
  type Layer,
  SettingsError,
  unknownKey,
} from './settings.ts';

/** Reads YAML into a layer; faults are pushed with their line. */
export function yamlLayer(
  fields: Fields,
  text: string,
  file: string,
  folder: string,
  faults: string[],
): Layer {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): string => `${file}:${lines.linePos(offset).line}`;
  const layer: Layer = new Map();
  // Nothing that follows from a file that could not be read is worth telling.
  if (doc.errors.length > 0)
    throw new SettingsError(doc.errors.map((error) => `${at(error.pos[0])}: ${error.message}`));

  const whereOf = (node: Node | null): string => at(node?.range?.[0] ?? 0);
  const follow = (node: unknown): Node | null => {
    const seen = isAlias(node) ? node.resolve(doc) : (node as Node | null);
    return seen ?? null;
  };
  const readMap = (given: unknown, into: Fields, path: string): void => {
    const node = follow(given);
    if (node === null || (isScalar(node) && node.value === null)) return;
    if (!isMap(node)) {
      faults.push(`${whereOf(node)}: ${path === '' ? 'the file' : `\`${path}\``} must hold keys and values`);
      return;
    }
    for (const pair of node.items) {
      const keyNode = pair.key as Node;
      const written = isScalar(keyNode) ? String(keyNode.value) : '?';
      const found = findField(into, written);
      if (found === undefined) {
        faults.push(unknownKey(into, written, path, whereOf(keyNode)));
        continue;
      }
      readField(follow(pair.value), found[1], joinPath(path, found[0]), whereOf(keyNode));
    }
  };
  const readField = (node: Node | null, field: Field, path: string, where: string): void => {
    if (field.kind === 'section') readMap(node, field.fields, path);
    else if (field.kind === 'items') {
      if (!isSeq(node)) {
        faults.push(`${where}: \`${path}\` must be a list`);
        return;
      }
      layer.set(path, { raw: node.items.length, place: { where, folder } });
      node.items.forEach((item, index) => {
        readMap(item, field.fields, joinPath(path, index));
      });
    } else {
      // Maps and lists under a leaf reach its reader as plain data, and are refused there if it has no use for them.
      layer.set(path, { raw: node === null ? null : node.toJS(doc), place: { where, folder } });
    }
  };
  readMap(doc.contents, fields, '');
  return layer;
}
