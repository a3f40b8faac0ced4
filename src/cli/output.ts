/**
 * Answers as a table for people, or as JSON, YAML or CSV for programs. Text from the broker may come from
 * anybody who ever wrote a description: no control character of it reaches the terminal in any format, and
 * JSON and YAML keep its meaning, since they have escapes of their own.
 */
import { printable } from '../kernel/printable.ts';
import { CliError, type CliIo, exits, usage } from './io.ts';

export const formats = ['table', 'json', 'yaml', 'csv'] as const;
export type Format = (typeof formats)[number];

/** What the API sent: checked as far as it is used, never trusted to be complete. */
export type Json = Readonly<Record<string, unknown>>;

export const isJson = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An answer whose fields are about to be shown. */
export function object(body: unknown): Json {
  if (!isJson(body)) throw new CliError(exits.ERROR, 'the broker answered with something that is no object');
  return body;
}

/** `dig(circuit, 'placement', 'start_time')`: undefined as soon as something is missing. */
export function dig(value: unknown, ...path: readonly (string | number)[]): unknown {
  let at: unknown = value;
  for (const step of path) {
    if (Array.isArray(at) && typeof step === 'number') at = at[step];
    else if (isJson(at) && Object.hasOwn(at, step)) at = at[step];
    else return undefined;
  }
  return at;
}

export const text = (value: unknown): string => {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object'))
    return value.map(text).join(' ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
};

export const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

export const items = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.filter(isJson) : []);

/** One column: its heading and what stands in it. */
export type Column = readonly [heading: string, cell: (row: Json) => unknown];

/** A column whose heading is the field's own name. */
export const field = (...path: readonly string[]): Column => [path.join('_'), (row) => dig(row, ...path)];

/** How one kind of answer is shown to people; the other formats show the answer itself. */
export interface Layout {
  readonly columns: readonly Column[];
  /** For programs: exact numbers instead of `10G`. The columns themselves when absent. */
  readonly csv?: readonly Column[];
  /** Shown when there is no row. */
  readonly none?: string;
}

export function parseFormat(name: string): Format {
  const found = formats.find((format) => format === name);
  if (found === undefined)
    throw usage(`"${name}" is no output format`, `choose one of ${formats.join(', ')}`);
  return found;
}

const escapeLines = (lines: string): string => lines.split('\n').map(printable).join('\n');

/** JSON.stringify leaves C1 and bidirectional controls as they are; \uXXXX says the same in JSON. */
export const toJson = (value: unknown): string => escapeLines(JSON.stringify(value, undefined, 2));

/** One line, for streams that are read line by line. */
export const toJsonLine = (value: unknown): string => printable(JSON.stringify(value));

async function toYaml(value: unknown): Promise<string> {
  const { Document, Scalar, visit } = await import('yaml');
  const document = new Document(value);
  visit(document, {
    Scalar(_key, node) {
      // Only between double quotes has YAML escapes.
      if (typeof node.value === 'string' && printable(node.value) !== node.value)
        node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  return escapeLines(document.toString({ lineWidth: 0 }).trimEnd());
}

/**
 * A spreadsheet takes text that begins like this for a formula, which may read other cells and send them
 * away. Numbers are ours and stay; text gets an apostrophe, which spreadsheets read as "this is text".
 */
const FORMULA = /^[=+\-@]/;

function csvCell(value: unknown): string {
  const said = printable(text(value));
  const cell = typeof value !== 'number' && FORMULA.test(said.trimStart()) ? `'${said}` : said;
  return /[",]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** RFC 4180, with its line ends. Headings are in the words of the columns, in snake_case. */
function toCsv(rows: readonly Json[], columns: readonly Column[]): string {
  const head = columns.map(([heading]) => csvCell(heading.toLowerCase().replaceAll(' ', '_')));
  return [head, ...rows.map((row) => columns.map(([, cell]) => csvCell(cell(row))))]
    .map((line) => line.join(','))
    .join('\r\n');
}

export function toTable(rows: readonly Json[], columns: readonly Column[]): string {
  const lines = [
    columns.map(([heading]) => heading),
    ...rows.map((row) => columns.map(([, cell]) => printable(text(cell(row))) || '-')),
  ];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Names and values below each other; what is absent is left out. */
export function toCard(value: Json, rows: readonly Column[]): string {
  const shown = rows
    .map(([heading, cell]) => [heading, printable(text(cell(value)))] as const)
    .filter(([, cell]) => cell !== '');
  const width = Math.max(0, ...shown.map(([heading]) => heading.length));
  return shown.map(([heading, cell]) => `${heading.padEnd(width)}  ${cell}`).join('\n');
}

export class Output {
  readonly format: Format;
  readonly #io: CliIo;
  readonly #quiet: boolean;
  #progress = false;
  constructor(io: CliIo, format: Format, quiet: boolean) {
    this.#io = io;
    this.format = format;
    this.#quiet = quiet;
  }

  get #clear(): string {
    return this.#progress ? '\r\u001b[K' : '';
  }

  /** A line of talk. */
  say(line: string): void {
    if (this.#quiet) return;
    this.#io.stderr.write(`${this.#clear}${escapeLines(line)}\n`);
    this.#progress = false;
  }

  /** Said even to those who want quiet. */
  warn(line: string): void {
    this.#io.stderr.write(`${this.#clear}${escapeLines(line)}\n`);
    this.#progress = false;
  }

  /** A line that the next one overwrites; nothing when stderr is no terminal. */
  progress(line: string): void {
    if (!this.#io.isTTY || this.#quiet) return;
    this.#io.stderr.write(`\r\u001b[K${printable(line).slice(0, 78)}`);
    this.#progress = true;
  }

  endProgress(): void {
    if (this.#progress) this.#io.stderr.write(this.#clear);
    this.#progress = false;
  }

  line(data: string): void {
    this.endProgress();
    this.#io.stdout.write(`${data}\n`);
  }

  /** A document in another notation, as it came but for control characters. */
  rawText(data: string): void {
    this.endProgress();
    // A tab is harmless and means something in some notations.
    this.#io.stdout.write(
      data
        .split(/([\t\n])/)
        .map((part) => (/^[\t\n]$/.test(part) ? part : printable(part)))
        .join(''),
    );
    if (!data.endsWith('\n')) this.#io.stdout.write('\n');
  }

  /** One event of a stream as one line (or one YAML flow document, which JSON is). */
  eventLine(event: Json, cells: readonly string[]): string {
    if (this.format === 'json') return toJsonLine(event);
    if (this.format === 'yaml') return `--- ${toJsonLine(event)}`;
    if (this.format === 'csv') return `${cells.map(csvCell).join(',')}\r`;
    return printable(cells.filter((cell) => cell !== '').join('  '));
  }

  /** A list of rows; `whole` is what JSON and YAML show. */
  async list(rows: readonly Json[], layout: Layout, whole: unknown = { items: rows }): Promise<void> {
    if (this.format === 'json') return this.line(toJson(whole));
    if (this.format === 'yaml') return this.line(await toYaml(whole));
    if (this.format === 'csv') {
      this.endProgress();
      this.#io.stdout.write(`${toCsv(rows, layout.csv ?? layout.columns)}\r\n`);
      return;
    }
    if (rows.length === 0) return this.say(layout.none ?? 'nothing');
    this.line(toTable(rows, layout.columns));
  }

  /** One thing: a card for people, a row for CSV. */
  async one(value: Json, rows: readonly Column[], csv: readonly Column[] = rows): Promise<void> {
    if (this.format === 'table') return this.line(toCard(value, rows));
    return this.list([value], { columns: rows, csv }, value);
  }
}
