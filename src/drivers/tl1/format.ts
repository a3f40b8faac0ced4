/**
 * Commands and answers as GR-831 text. What goes into a field is checked, not repaired: a label with a semicolon
 * would otherwise be a second command. The same file writes both directions, because the emulated elements
 * speak the answers; golden transcripts witness that both ends are not wrong together.
 */
import { splitOutside } from './parse.ts';

export interface Tl1Command {
  /** `ENT-CRS-STS3C` */
  readonly verb: string;
  readonly tid?: string;
  /** Between commas. */
  readonly aid?: readonly string[];
  /** The blocks after the CTAG; the first is the general block. */
  readonly blocks?: readonly string[];
}

/** A value that must not be sent. */
export class Tl1FormatError extends Error {
  override readonly name = 'Tl1FormatError';
}

const IDENTIFIER = /^[A-Za-z0-9][A-Za-z0-9._/+-]{0,63}$/;
const CTAG = /^[A-Za-z0-9]{1,6}$/;
const VERB = /^[A-Z]+(?:-[A-Z0-9]+){0,3}$/;
/** Printable ASCII but for what would end a block, a string or a command. */
const QUOTABLE = /^[ !#-%'-+\-./0-9<-[\]-~]*$/;

export function identifier(text: string): string {
  if (!IDENTIFIER.test(text)) throw new Tl1FormatError('not a TL1 identifier');
  return text;
}

/** A list of ports in one AID field: `1&3&7`. */
export const grouped = (aids: readonly string[]): string => aids.map(identifier).join('&');

/** A string in quotes. Quotes, colons, semicolons, commas, ampersands stay outside: not every element minds them. */
export function quoted(text: string): string {
  if (text.length > 255 || !QUOTABLE.test(text)) throw new Tl1FormatError('not a TL1 string');
  return `"${text}"`;
}

/** NAME=value blocks are built by dialects from checked parts; this looks at the whole once more. */
function block(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  if (/[\u0000-\u001f\u007f-\uffff]/.test(text) || splitOutside(text, ';').length > 1) {
    throw new Tl1FormatError('not a TL1 block');
  }
  if (splitOutside(text, ':').length > 1) throw new Tl1FormatError('not a TL1 block');
  return text;
}

function aidField(aid: string): string {
  for (const part of aid.split('&')) if (part !== '') identifier(part);
  return aid;
}

export function formatCommand(command: Tl1Command, ctag: string): string {
  if (!VERB.test(command.verb)) throw new Tl1FormatError('not a TL1 verb');
  if (!CTAG.test(ctag)) throw new Tl1FormatError('not a CTAG');
  const tid = command.tid === undefined || command.tid === '' ? '' : quoted(command.tid);
  const aid = (command.aid ?? []).map(aidField).join(',');
  const blocks = (command.blocks ?? []).map((text) => `:${block(text)}`).join('');
  return `${command.verb}:${tid}:${aid}:${ctag}${blocks};`;
}

/** A command as it may be logged or shown: the last block of ACT-USER and ED-PID is a password. */
export const redacted = (command: string): string =>
  /^(?:ACT-USER|ED-PID|ENT-USER)/i.test(command)
    ? `${command.slice(0, command.lastIndexOf(':') + 1)}***;`
    : command;

export interface ReceivedCommand {
  readonly verb: string;
  readonly tid: string;
  readonly aid: string;
  readonly ctag: string;
  readonly blocks: readonly string[];
}

/** Takes a command apart, without its semicolon; undefined when it has no CTAG to answer to. */
export function parseCommand(text: string): ReceivedCommand | undefined {
  const [verb, tid, aid, ctag, ...blocks] = splitOutside(text.trim(), ':');
  if (verb === undefined || ctag === undefined || !/^[\w.]{1,6}$/.test(ctag)) return undefined;
  return { verb: verb.toUpperCase(), tid: tid ?? '', aid: aid ?? '', ctag, blocks };
}

const two = (n: number): string => `${n}`.padStart(2, '0');

/** `YY-MM-DD HH:MM:SS` of an instant, in UTC. */
export function stamp(ms: number): string {
  // Civil date from days since the epoch (Hinnant); the clock's own formatter gives ISO text only.
  const days = Math.floor(ms / 86_400_000);
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const doe = z - era * 146_097;
  const yoe = Math.floor(
    (doe - Math.floor(doe / 1460) + Math.floor(doe / 36_524) - Math.floor(doe / 146_096)) / 365,
  );
  const doy = doe - (365 * yoe + Math.floor(yoe / 4) - Math.floor(yoe / 100));
  const mp = Math.floor((5 * doy + 2) / 153);
  const day = doy - Math.floor((153 * mp + 2) / 5) + 1;
  const month = mp < 10 ? mp + 3 : mp - 9;
  const year = yoe + era * 400 + (month <= 2 ? 1 : 0);
  const s = Math.floor(ms / 1000) - days * 86_400;
  const time = `${two(Math.floor(s / 3600))}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  return `${two(year % 100)}-${two(month)}-${two(day)} ${time}`;
}

const header = (sid: string, at: number): string =>
  `\r\n\n   ${/\s/.test(sid) ? `"${sid}"` : sid} ${stamp(at)}\r\n`;

export function formatResponse(
  sid: string,
  at: number,
  ctag: string,
  code: string,
  lines: readonly string[] = [],
  more = false,
): string {
  const body = lines.map((line) => `   ${line}\r\n`).join('');
  return `${header(sid, at)}M  ${ctag} ${code}\r\n${body}${more ? '>' : ';'}`;
}

export function formatAutonomous(
  sid: string,
  at: number,
  alarm: string,
  atag: string,
  verb: string,
  lines: readonly string[] = [],
): string {
  const body = lines.map((line) => `   ${line}\r\n`).join('');
  return `${header(sid, at)}${alarm.padEnd(2)} ${atag} ${verb}\r\n${body};`;
}

/** Splits what a client sends into commands, as an element does: at semicolons outside quotes; bounded. */
export class CommandSplitter {
  #rest = '';
  readonly #bound: number;
  constructor(bound = 65_536) {
    this.#bound = bound;
  }
  push(text: string): string[] {
    const parts = splitOutside(this.#rest + text, ';');
    this.#rest = parts.pop() ?? '';
    if (this.#rest.length > this.#bound) this.#rest = '';
    return parts.map((part) => part.trim()).filter((part) => part !== '');
  }
}
