/**
 * Every notation, once, and the two things one does with a text: read it, or only say what is wrong with it.
 * A reader makes a draft; the schema and the checks that follow are the same for all of them.
 */
import { Value } from 'typebox/value';
import { checkDocument } from '../check.ts';
import type { TopologyDocument } from '../document.ts';
import { asDocument, topologySchema } from '../schema.ts';
import { dot } from './dot.ts';
import { defaultOptions, type Format, type Problem, type ReadOptions } from './format.ts';
import { geojson } from './geojson.ts';
import { graphml } from './graphml.ts';
import { graphology } from './graphology.ts';
import { nml } from './nml.ts';
import { ownJson, ownYaml } from './own.ts';
import { sndlib } from './sndlib.ts';

export const formats: readonly Format[] = [ownYaml, ownJson, nml, graphml, sndlib, geojson, dot, graphology];

export const formatCalled = (name: string): Format | undefined =>
  formats.find((format) => format.name === name);

const MAX_SCHEMA_PROBLEMS = 100;

export type ReadResult =
  | { readonly document: TopologyDocument; readonly problems: readonly Problem[] }
  | { readonly document?: undefined; readonly problems: readonly Problem[] };

/** No document comes back when one of the problems is an error. They are in the order of the text. */
export function readTopology(text: string, format: Format, options: Partial<ReadOptions> = {}): ReadResult {
  if (format.read === undefined) {
    const message = `${format.name} is only written, never read`;
    return { problems: [{ severity: 'ERROR', code: 'NOT_READ', pointer: '', line: 1, message }] };
  }
  const draft = format.read(text, { ...defaultOptions, ...options });
  const problems = [...draft.problems];
  let document: TopologyDocument | undefined;
  if (draft.value !== undefined) {
    if (Value.Check(topologySchema, draft.value)) {
      document = asDocument(draft.value);
      for (const mistake of checkDocument(document)) {
        problems.push({ ...mistake, line: draft.lineOf(mistake.pointer) });
      }
    } else problems.push(...schemaProblems(draft.value, draft.lineOf));
  }
  problems.sort((x, y) => x.line - y.line);
  const failed = document === undefined || problems.some((problem) => problem.severity === 'ERROR');
  return failed || document === undefined ? { problems } : { document, problems };
}

function schemaProblems(value: unknown, lineOf: (pointer: string) => number): Problem[] {
  const problems: Problem[] = [];
  for (const { keyword, instancePath, params, message } of Value.Errors(topologySchema, value)) {
    // Said again, and better, by the error of the object that has the key.
    if (keyword === 'boolean') continue;
    const extra = (params as { additionalProperties?: readonly string[] }).additionalProperties;
    const missing = (params as { requiredProperties?: readonly string[] }).requiredProperties;
    const names = extra ?? missing ?? [''];
    for (const name of names) {
      const pointer = name === '' || missing !== undefined ? instancePath : `${instancePath}/${name}`;
      problems.push({
        severity: 'ERROR',
        code: extra !== undefined ? 'UNKNOWN_KEY' : missing !== undefined ? 'MISSING_KEY' : 'BAD_VALUE',
        pointer,
        line: lineOf(pointer),
        message:
          extra !== undefined
            ? `"${name}" is not known here`
            : missing !== undefined
              ? `"${name}" is missing`
              : message,
      });
    }
    if (problems.length >= MAX_SCHEMA_PROBLEMS) break;
  }
  return problems;
}

/** Everything that is wrong with a text, by line. */
export const lint = (text: string, format: Format, options: Partial<ReadOptions> = {}): readonly Problem[] =>
  readTopology(text, format, options).problems;

/** By the name of the file, and by its first words where that does not tell. */
export function guessFormat(file: string, text: string): Format | undefined {
  const head = text.slice(0, 4096);
  if (/\.graphml$/i.test(file) || /<graphml[\s>]/.test(head)) return graphml;
  if (head.startsWith('?SNDlib native format')) return sndlib;
  if (/\.(?:nml|xml)$/i.test(file) || head.trimStart().startsWith('<')) return nml;
  if (/\.ya?ml$/i.test(file)) return ownYaml;
  if (/^\s*\{/.test(head)) return /"edges"\s*:/.test(text) ? graphology : ownJson;
  return undefined;
}
