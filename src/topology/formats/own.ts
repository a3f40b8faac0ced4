/**
 * Our own notation, in YAML or JSON (which is YAML): the topology document as it is. Positions come from the
 * YAML parser, so that every mistake has a line. Anchors and aliases are refused: nothing here refers to
 * itself, and a handful of them can stand for gigabytes.
 */
import { type Document, LineCounter, type ParsedNode, parseDocument, stringify, visit } from 'yaml';
import type { TopologyDocument } from '../document.ts';
import { type Draft, type Format, type Problem, unreadable } from './format.ts';

/** The YAML parser keeps every token: a larger text takes minutes and gigabytes. */
export const MAX_OWN_TEXT = 8_000_000;
const MAX_DEPTH = 32;

function read(text: string): Draft {
  if (text.length > MAX_OWN_TEXT) {
    return unreadable(1, 'TOO_LARGE', `a document is at most ${MAX_OWN_TEXT} characters long`);
  }
  const tooDeep = depthExceeded(text);
  if (tooDeep !== undefined) return unreadable(tooDeep, 'TOO_DEEP', `nothing nests deeper than ${MAX_DEPTH}`);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  const problems: Problem[] = document.errors.slice(0, 100).map((error) => ({
    severity: 'ERROR',
    code: error.code,
    pointer: '',
    line: lines.linePos(error.pos[0]).line,
    message: error.message,
  }));
  visit(document, {
    Alias: (_key, node) => {
      const line = lines.linePos(node.range?.[0] ?? 0).line;
      const message = `alias *${node.source}: write it out`;
      problems.push({ severity: 'ERROR', code: 'ALIAS', pointer: '', line, message });
    },
  });
  const lineOf = (pointer: string): number => lineIn(document, lines, pointer);
  return problems.length > 0 ? { problems, lineOf } : { value: document.toJS(), problems, lineOf };
}

/** The line where flow brackets first nest too deep: the parser is recursive, so this is asked before it. */
function depthExceeded(text: string): number | undefined {
  let depth = 0;
  let line = 1;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '\n') line++;
    else if (char === '[' || char === '{') depth++;
    else if (char === ']' || char === '}') depth = Math.max(0, depth - 1);
    if (depth > MAX_DEPTH) return line;
  }
  // Block collections nest by indentation, two a level at most useful, one at least.
  const indent = /^(?: |- ){65}/m.exec(text);
  return indent === null ? undefined : text.slice(0, indent.index).split('\n').length;
}

/** The line of a place, or of the nearest thing that encloses it. */
export function lineIn(document: Document.Parsed, lines: LineCounter, pointer: string): number {
  const path = pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  // The nearest place that exists: a missing field is reported where it is missing.
  for (let length = path.length; length >= 0; length--) {
    const keys = path.slice(0, length).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
    const node = document.getIn(keys, true) as ParsedNode | undefined;
    const at = node?.range?.[0];
    if (at === undefined) continue;
    return lines.linePos(at).line;
  }
  return 1;
}

const twoSpaces = (document: TopologyDocument): string => `${JSON.stringify(document, undefined, 2)}\n`;

export const ownJson: Format = { name: 'json', mediaType: 'application/json', read, write: twoSpaces };
export const ownYaml: Format = {
  name: 'yaml',
  mediaType: 'application/yaml',
  read,
  write: (document) => stringify(document, { aliasDuplicateObjects: false }),
};
