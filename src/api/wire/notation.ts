/**
 * The notations of a topology on the wire: which media type each has, and the way of a text into a document.
 * Reading and writing themselves are topology/formats; here is what HTTP adds.
 */
import { type Static, Type } from 'typebox';
import { BrokerError } from '../../kernel/errors.ts';
import { checkDocument, type Mistake } from '../../topology/check.ts';
import type { TopologyDocument } from '../../topology/document.ts';
import type { Format, Problem } from '../../topology/formats/format.ts';
import { formatCalled, guessFormat, readTopology as readText } from '../../topology/formats/index.ts';

/** Of `GET`: what can be written. */
export const writtenNotations = ['json', 'yaml', 'graphology', 'geojson', 'nml', 'dot'] as const;
/** Of `PUT`: what can be read. */
export const readNotations = ['json', 'yaml', 'graphology', 'nml', 'graphml', 'sndlib'] as const;

/** On the wire graphology has a type of its own: by `application/json` nobody could tell it from ours. */
const GRAPHOLOGY_TYPE = 'application/vnd.graphology+json';
/** Types that say too little: the text itself tells. */
const VAGUE_TYPES = ['application/xml', 'text/xml', 'text/plain'];
const ALIASES: Readonly<Record<string, string>> = { 'text/yaml': 'yaml', 'application/x-yaml': 'yaml' };

export function notation(name: string): Format {
  const format = formatCalled(name);
  // The names are those of the two lists above.
  if (format === undefined) throw new Error(`no notation is called ${name}`);
  return format;
}

export const typeOf = (name: string): string =>
  name === 'graphology' ? GRAPHOLOGY_TYPE : notation(name).mediaType;

const byType = new Map<string, string>([
  ...readNotations.map((name) => [typeOf(name), name] as const).filter(([type]) => type !== 'text/plain'),
  ...Object.entries(ALIASES),
]);

/** Media types of a body that is text in one of the notations; our own JSON is parsed as any other body. */
export const textTypes: readonly string[] = [...byType.keys()]
  .filter((type) => type !== 'application/json')
  .concat(VAGUE_TYPES);

/** What the text is by its media type, or by its first words. */
export function notationOf(mediaType: string, text: string): Format {
  const name = byType.get(mediaType);
  const format = name === undefined ? guessFormat('', text) : notation(name);
  if (format !== undefined) return format;
  throw new BrokerError('UNSUPPORTED_MEDIA_TYPE', 'this text is in none of the notations that are read', {
    errors: [{ pointer: 'format', detail: `say which it is: ${readNotations.join(', ')}` }],
  });
}

/** The first words of a JSON text are not looked at: a graph is asked for by name. */
export interface Reading {
  readonly document: TopologyDocument;
  readonly warnings: readonly Warning[];
}

const MOST_MISTAKES = 100;

export const WarningSchema = Type.Object(
  {
    code: Type.String(),
    pointer: Type.String({ description: 'RFC 6901 pointer into the document' }),
    line: Type.Optional(Type.Integer({ minimum: 1, description: 'In the text that was sent' })),
    detail: Type.String(),
  },
  { $id: 'TopologyWarning', description: 'What is allowed and rarely meant' },
);
type Warning = Static<typeof WarningSchema>;

const warning = (mistake: Mistake | Problem): Warning => ({
  code: mistake.code,
  pointer: mistake.pointer,
  ...('line' in mistake ? { line: mistake.line } : {}),
  detail: mistake.message,
});
const isWarning = ({ severity }: Mistake): boolean => severity === 'WARNING';

/** A document that came as our JSON. Its errors are told by the broker, which checks whatever it is given. */
export const warningsOf = (document: TopologyDocument): Warning[] =>
  checkDocument(document).filter(isWarning).slice(0, MOST_MISTAKES).map(warning);

/** A document out of a text, or INVALID_REQUEST with every mistake and its line. */
export function readNotation(
  text: string,
  format: Format,
  options: { readonly domain: string; readonly prefix: string; readonly capacityMbps?: number },
): Reading {
  const { document, problems } = readText(text, format, options);
  const errors = problems.filter((problem) => !isWarning(problem));
  const [first] = errors;
  if (document !== undefined && first === undefined) {
    return { document, warnings: problems.slice(0, MOST_MISTAKES).map(warning) };
  }
  throw new BrokerError(
    'INVALID_REQUEST',
    `this is no topology in ${format.name}: line ${first?.line ?? 1}: ${first?.message ?? 'nothing is there'}`,
    {
      errors: errors
        .slice(0, MOST_MISTAKES)
        .map(({ pointer, line, message }) => ({ pointer, detail: `line ${line}: ${message}` })),
    },
  );
}
