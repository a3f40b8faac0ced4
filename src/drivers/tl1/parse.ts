/**
 * What an element says, taken apart as it arrives (Telcordia GR-831). Bytes in, whole units out: acknowledgements,
 * responses with all their continuation pages joined per CTAG, and autonomous messages, which may come between
 * two pages. Banners, prompts, echoed commands and blank lines are counted and dropped. All memory is bounded:
 * a line, a unit, the pages of one response and the number of responses under way each have a largest size.
 *
 * A unit ends at a `;` or `>` that begins a line, so a semicolon inside text never ends one.
 */

export type CompletionCode = 'COMPLD' | 'DENY' | 'PRTL' | 'DELAY' | 'RTRV';
export type AckCode = 'IP' | 'PF' | 'OK' | 'NA' | 'NG' | 'RL';
export type AlarmCode = '*C' | '**' | '*' | 'A';

export interface Tl1Ack {
  readonly kind: 'ack';
  readonly code: AckCode;
  readonly ctag: string;
}
export interface Tl1Response {
  readonly kind: 'response';
  readonly sid: string;
  readonly ctag: string;
  readonly code: CompletionCode;
  /** The text of every page in order, without surrounding blanks. */
  readonly lines: readonly string[];
  readonly pages: number;
}
export interface Tl1Autonomous {
  readonly kind: 'autonomous';
  readonly sid: string;
  readonly alarm: AlarmCode;
  readonly atag: string;
  /** For example `REPT DBCHG`. */
  readonly verb: string;
  readonly lines: readonly string[];
}
/** A unit that was given up: larger than its bound, or cut short by the header of the next one. */
export interface Tl1Broken {
  readonly kind: 'broken';
  readonly why: 'too large' | 'cut short' | 'too many open';
  readonly ctag: string | undefined;
}
export type Tl1Unit = Tl1Ack | Tl1Response | Tl1Autonomous | Tl1Broken;

export interface Tl1Bounds {
  readonly line: number;
  readonly unit: number;
  readonly response: number;
  readonly open: number;
}

/** The largest unit seen on a real element had 97 kB: five times that, and 16 of those to a response. */
export const BOUNDS: Tl1Bounds = { line: 65_536, unit: 524_288, response: 8_388_608, open: 64 };

const HEADER = /^\s*("(?:[^"\\]|\\.)*"|\S+) (?:\d\d)?\d\d-\d\d-\d\d \d\d:\d\d:\d\d$/;
const RESPONSE = /^M {1,2}(\S+) (COMPLD|DENY|PRTL|DELAY|RTRV)$/;
const AUTONOMOUS = /^(\*C|\*\*|\* |\*|A) +(\S+) (\S.*)$/;
const ACK = /(?:^|[;<>]\s*)(IP|PF|OK|NA|NG|RL) (\S{1,20})$/;

interface Open {
  readonly lines: string[];
  bytes: number;
  pages: number;
}

interface Current {
  readonly sid: string;
  readonly id:
    | { readonly type: 'response'; readonly ctag: string; readonly code: CompletionCode }
    | {
        readonly type: 'autonomous';
        readonly alarm: AlarmCode;
        readonly atag: string;
        readonly verb: string;
      };
  readonly lines: string[];
  bytes: number;
}

const SEMICOLON = 59;
const GREATER = 62;
const COLON = 58;

/** Cheap test before the pattern: `hh:mm:ss` at the end. Nearly every line of text fails it. */
function looksLikeHeader(line: string): boolean {
  const n = line.length;
  return n >= 19 && line.charCodeAt(n - 3) === COLON && line.charCodeAt(n - 6) === COLON && HEADER.test(line);
}

export class Tl1Parser {
  readonly #bounds: Tl1Bounds;
  #rest = '';
  /** A line longer than its bound is being skipped. */
  #skipping = false;
  /** The unit under way is too large; its end is awaited. */
  #spoilt = false;
  #header: string | undefined;
  #headerLine = '';
  #current: Current | undefined;
  readonly #open = new Map<string, Open>();
  #noise = 0;

  constructor(bounds: Partial<Tl1Bounds> = {}) {
    this.#bounds = { ...BOUNDS, ...bounds };
  }

  /** Lines that were neither a unit nor a part of one. */
  get noise(): number {
    return this.#noise;
  }

  /** Bytes held back, for the bound's test. */
  get held(): number {
    let sum = this.#rest.length + (this.#current?.bytes ?? 0);
    for (const open of this.#open.values()) sum += open.bytes;
    return sum;
  }

  push(chunk: Uint8Array): Tl1Unit[] {
    const units: Tl1Unit[] = [];
    // Latin 1 keeps a character per byte, whatever the element thinks its text is encoded in.
    const text = this.#rest + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('latin1');
    let at = 0;
    while (at < text.length) {
      const first = text.charCodeAt(at);
      if ((first === SEMICOLON || first === GREATER) && !this.#skipping) {
        // Nothing need follow a terminator, so it must not wait for the end of its line.
        this.#end(first === GREATER, units);
        at += 1;
        continue;
      }
      const end = text.indexOf('\n', at);
      if (end < 0) break;
      if (this.#skipping) this.#skipping = false;
      else if (end - at > this.#bounds.line) this.#tooLarge(units);
      else this.#line(text.slice(at, end), units);
      at = end + 1;
    }
    this.#rest = at === 0 ? text : text.slice(at);
    if (this.#rest.length > this.#bounds.line) {
      this.#rest = '';
      if (!this.#skipping) this.#tooLarge(units);
      this.#skipping = true;
    }
    return units;
  }

  #line(raw: string, units: Tl1Unit[]): void {
    const line = raw.trimEnd();
    if (line.length === 0) return;
    if (this.#header !== undefined) {
      const sid = this.#header;
      this.#header = undefined;
      if (this.#identify(sid, line, units)) return;
      // The header was a line of text after all.
      this.#text(this.#headerLine, units);
    }
    if (looksLikeHeader(line)) {
      this.#headerLine = line;
      const sid = (HEADER.exec(line) as RegExpExecArray)[1] as string;
      this.#header = sid.startsWith('"') ? unquote(sid) : sid;
      return;
    }
    this.#text(line, units);
  }

  #identify(sid: string, line: string, units: Tl1Unit[]): boolean {
    const response = RESPONSE.exec(line);
    const autonomous = response === null ? AUTONOMOUS.exec(line) : null;
    if (response === null && autonomous === null) return false;
    const cut = this.#current;
    if (cut !== undefined && !this.#spoilt) {
      units.push({
        kind: 'broken',
        why: 'cut short',
        ctag: cut.id.type === 'response' ? cut.id.ctag : undefined,
      });
      if (cut.id.type === 'response') this.#open.delete(cut.id.ctag);
    }
    this.#spoilt = false;
    this.#current =
      response !== null
        ? {
            sid,
            id: {
              type: 'response',
              ctag: response[1] as string,
              code: response[2] as CompletionCode, // one of the pattern's alternatives
            },
            lines: [],
            bytes: 0,
          }
        : {
            sid,
            id: {
              type: 'autonomous',
              alarm: autonomous?.[1]?.trim() as AlarmCode, // one of the pattern's alternatives
              atag: autonomous?.[2] as string,
              verb: autonomous?.[3] as string,
            },
            lines: [],
            bytes: 0,
          };
    return true;
  }

  #text(line: string, units: Tl1Unit[]): void {
    const current = this.#current;
    if (current === undefined) {
      const ack = ACK.exec(line);
      if (ack === null) this.#noise += 1;
      else units.push({ kind: 'ack', code: ack[1] as AckCode, ctag: ack[2] as string });
      return;
    }
    if (this.#spoilt) return;
    const text = line.trimStart();
    if (text === ';' || text === '>') {
      this.#end(text === '>', units);
      return;
    }
    current.bytes += line.length;
    if (current.bytes > this.#bounds.unit) this.#tooLarge(units);
    else current.lines.push(text);
  }

  #tooLarge(units: Tl1Unit[]): void {
    const current = this.#current;
    if (current === undefined || this.#spoilt) {
      this.#noise += 1;
      return;
    }
    const ctag = current.id.type === 'response' ? current.id.ctag : undefined;
    if (ctag !== undefined) this.#open.delete(ctag);
    current.lines.length = 0;
    current.bytes = 0;
    this.#spoilt = true;
    units.push({ kind: 'broken', why: 'too large', ctag });
  }

  #end(more: boolean, units: Tl1Unit[]): void {
    if (this.#header !== undefined) {
      // A header and then the end: a line of text that only looked like one.
      this.#header = undefined;
      this.#text(this.#headerLine, units);
    }
    const current = this.#current;
    // A terminator that ends nothing is a prompt.
    if (current === undefined) return;
    this.#current = undefined;
    if (this.#spoilt) {
      this.#spoilt = false;
      return;
    }
    const { id, sid, lines } = current;
    if (id.type === 'autonomous') {
      units.push({ kind: 'autonomous', sid, alarm: id.alarm, atag: id.atag, verb: id.verb, lines });
      return;
    }
    const open = this.#open.get(id.ctag);
    if (!more && id.code !== 'RTRV') {
      this.#open.delete(id.ctag);
      units.push({
        kind: 'response',
        sid,
        ctag: id.ctag,
        code: id.code,
        lines: open === undefined ? lines : open.lines.concat(lines),
        pages: (open?.pages ?? 0) + 1,
      });
      return;
    }
    this.#keep(id.ctag, current, open, units);
  }

  /** A page with more to come (`>`, or the RTRV code of a partial retrieval). */
  #keep(ctag: string, page: Current, known: Open | undefined, units: Tl1Unit[]): void {
    if (known === undefined && this.#open.size >= this.#bounds.open) {
      units.push({ kind: 'broken', why: 'too many open', ctag });
      return;
    }
    const open = known ?? { lines: [], bytes: 0, pages: 0 };
    open.bytes += page.bytes;
    open.pages += 1;
    if (open.bytes > this.#bounds.response) {
      this.#open.delete(ctag);
      units.push({ kind: 'broken', why: 'too large', ctag });
      return;
    }
    for (const line of page.lines) open.lines.push(line);
    this.#open.set(ctag, open);
  }
}

/** Takes a quoted string's quotes and escapes away; anything else is returned as it is. */
export function unquote(text: string): string {
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return text;
  return text.slice(1, -1).replace(/\\(.)/g, '$1');
}

/** Splits at a character that stands outside quotes; a backslash keeps the next character from meaning anything. */
export function splitOutside(text: string, separator: string): string[] {
  const parts: string[] = [];
  let quoted = false;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '\\') i += 1;
    else if (char === '"') quoted = !quoted;
    else if (char === separator && !quoted) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

/** A line of response text: blocks between colons, each of them values or NAME=value between commas. */
export interface Tl1Text {
  readonly aids: readonly string[];
  readonly blocks: readonly string[];
  readonly named: ReadonlyMap<string, string>;
}

/** Reads `"AID,AID:pos,pos:NAME=value,NAME=\"value\":STATE"`. */
export function parseText(line: string): Tl1Text {
  const blocks = splitOutside(unquote(line), ':');
  const named = new Map<string, string>();
  for (const block of blocks) {
    for (const item of splitOutside(block, ',')) {
      const equals = item.indexOf('=');
      if (equals > 0) named.set(item.slice(0, equals).trim(), unquote(item.slice(equals + 1).trim()));
    }
  }
  return { aids: splitOutside(blocks[0] ?? '', ',').map((aid) => aid.trim()), blocks, named };
}

/** The error code and words of a DENY. */
export function denial(response: Tl1Response): { readonly code: string; readonly text: string } {
  const code = response.lines.find((line) => /^[A-Z]{4}$/.test(line)) ?? '';
  const text = response.lines
    .filter((line) => line !== code)
    .map((line) => unquote(line).replace(/^\/\*\s*|\s*\*\/$/g, ''))
    .join(' ');
  return { code, text };
}
