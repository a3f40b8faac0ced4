/**
 * Seed files: what a store that is still empty starts from. They are read once; afterwards the stored version
 * rules, and `doctor` shows where the two differ.
 */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ValidateFunction } from 'ajv/dist/2020.js';
import { isMap, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { topologySchemas } from './api/wire/topology.ts';
import { StartError } from './flags.ts';
import { newAjv } from './http/schema.ts';
import type { FieldError } from './kernel/errors.ts';
import { checkDocument } from './topology/check.ts';
import type { TopologyDocument } from './topology/document.ts';

/** The same schema as that of `PUT /v1/topology`. Compiled when a seed is read, which few starts do. */
function topologyCheck(): ValidateFunction<TopologyDocument> {
  // TypeBox leaves `$id` out of an object's type.
  const schemas = topologySchemas as readonly { readonly $id?: string }[];
  const named = Object.fromEntries(schemas.map((schema) => [schema.$id ?? '', schema]));
  return newAjv(named, false).compile<TopologyDocument>({ $ref: 'Topology#' });
}

/** A topology in YAML or JSON, checked; throws a StartError whose lines name file and line. */
export async function readTopology(file: string, domain: string): Promise<TopologyDocument> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new StartError(`the topology ${file}: ${(error as Error).message}`);
  }
  const lines = new LineCounter();
  const yaml = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const name = basename(file);
  const at = (offset: number): string => `${name}:${lines.linePos(offset).line}`;
  if (yaml.errors.length > 0)
    throw new StartError(yaml.errors.map((e) => `${at(e.pos[0])}: ${e.message}`).join('\n'));

  const document: unknown = yaml.toJS();
  const isTopology = topologyCheck();
  const found: readonly FieldError[] = isTopology(document)
    ? checkDocument(document)
        .filter((mistake) => mistake.severity === 'ERROR')
        .map(({ pointer, message }) => ({ pointer, detail: message }))
    : (isTopology.errors ?? []).map(({ instancePath, message, params }) => ({
        pointer: instancePath,
        detail: `${message ?? 'is wrong'}${typeof params['additionalProperty'] === 'string' ? `: ${params['additionalProperty']}` : ''}`,
      }));
  if (found.length > 0) {
    throw new StartError(
      found
        .map(({ pointer, detail }) => `${at(offsetOf(yaml.contents, pointer))}: ${pointer} ${detail}`)
        .join('\n'),
    );
  }
  // Without a fault it is one.
  if (!isTopology(document)) throw new StartError(`${name} is no topology`);
  if (document.domain !== domain)
    throw new StartError(
      `${name} is the topology of ${document.domain}, but the configuration is of ${domain}`,
    );
  return document;
}

/** Where in the file the value that a JSON pointer names begins, or the last thing on the way that is there. */
function offsetOf(root: Node | null, pointer: string): number {
  let node: unknown = root;
  let offset = root?.range?.[0] ?? 0;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    node = isMap(node) ? node.get(key, true) : isSeq(node) ? node.get(Number(key), true) : undefined;
    const range = (node as Node | undefined)?.range;
    if (range === undefined || range === null) break;
    offset = range[0];
  }
  return offset;
}
