/**
 * Reads the JSON of a request as RFC 8259 means it and I-JSON (RFC 7493) narrows it: one value per key, no
 * number that a double cannot hold, no half of a surrogate pair, no nesting without end. JSON.parse decides
 * what is JSON; one linear look over the same text finds what it lets pass. What a field means is not asked
 * here.
 */
import { BrokerError } from '../kernel/errors.ts';

export const MAX_DEPTH = 32;
/** A longer key is not repeated in an answer: the pointer then ends at the object that holds it. */
const MAX_KEY_IN_POINTER = 128;
/** So many keys are compared one by one, which is faster than a set; a larger object gets one. */
const FEW_KEYS = 12;
/** Shorter digits without an exponent are always below 2^53. */
const SAFE_DIGITS = 15;

/** With the u flag a proper pair is one code point, so this finds only halves. */
const LONE_SURROGATE = /\p{Surrogate}/u;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** The value of `text`, or a BrokerError INVALID_REQUEST that points at what is wrong with it. */
export function parseStrict(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // The message quotes the body, so only the place is taken from it.
    const at = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    throw refusal('', at === undefined ? 'the body is not JSON' : `the body is not JSON at character ${at}`);
  }
  inspect(text);
  return value;
}

/** An open object (with the keys it has had) or list (with the index it is at). */
interface Frame {
  readonly keys: string[] | undefined;
  many: Set<string> | undefined;
  index: number;
}

/** Looks over text that is known to be JSON, so that only what JSON.parse lets pass has to be looked for. */
function inspect(text: string): void {
  const escapes = text.includes('\\');
  const halves = LONE_SURROGATE.test(text);
  const open: Frame[] = [];
  let top: Frame | undefined;
  let keyNext = false;
  const length = text.length;
  for (let i = 0; i < length; i++) {
    const char = text.charCodeAt(i);
    if (char === QUOTE) {
      const end = escapes ? closingQuote(text, i + 1) : text.indexOf('"', i + 1);
      if (keyNext && top?.keys !== undefined) {
        keyNext = false;
        addKey(open, top, top.keys, unescaped(text, i, end, escapes), halves || escapes);
      } else if ((halves || escapes) && LONE_SURROGATE.test(unescaped(text, i, end, escapes))) {
        throw refusal(pointerTo(open), 'the text holds half of a surrogate pair');
      }
      i = end;
    } else if (char === COMMA) {
      if (top?.keys === undefined) {
        if (top !== undefined) top.index += 1;
      } else keyNext = true;
    } else if (char === OPEN_OBJECT || char === OPEN_LIST) {
      if (open.length === MAX_DEPTH) {
        throw refusal(pointerTo(open), `the body is nested more than ${MAX_DEPTH} deep`);
      }
      keyNext = char === OPEN_OBJECT;
      top = { keys: keyNext ? [] : undefined, many: undefined, index: 0 };
      open.push(top);
    } else if (char === CLOSE_OBJECT || char === CLOSE_LIST) {
      open.pop();
      top = open[open.length - 1];
      keyNext = false;
    } else if (char === MINUS || (char >= ZERO && char <= NINE)) {
      const end = endOfNumber(text, i + 1);
      if (end - i > SAFE_DIGITS || /[eE]/.test(text.slice(i, end))) {
        const number = Number(text.slice(i, end));
        if (!(Math.abs(number) <= Number.MAX_SAFE_INTEGER)) {
          throw refusal(pointerTo(open), 'the number is beyond 2^53 - 1 and would be rounded');
        }
      }
      i = end - 1;
    }
  }
}

/** Notes the next key of the topmost object; from here on it is part of every pointer. */
function addKey(open: readonly Frame[], frame: Frame, keys: string[], key: string, doubtful: boolean): void {
  if (doubtful && LONE_SURROGATE.test(key)) {
    throw refusal(pointerTo(open.slice(0, -1)), 'a key of the object holds half of a surrogate pair');
  }
  if (frame.many === undefined && keys.length === FEW_KEYS) frame.many = new Set(keys);
  const again = frame.many === undefined ? keys.includes(key) : frame.many.has(key);
  keys.push(key);
  frame.many?.add(key);
  if (again) throw refusal(pointerTo(open), 'the key occurs twice');
  if (key === '__proto__' || key === 'constructor') throw refusal(pointerTo(open), 'the key is not allowed');
}

/** The quote that ends the string beginning at `from`: the first after an even number of backslashes. */
function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); ; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at;
  }
}

function unescaped(text: string, open: number, close: number, escapes: boolean): string {
  const raw = text.slice(open + 1, close);
  // Inside quotes JSON can only give text.
  return escapes && raw.includes('\\') ? (JSON.parse(text.slice(open, close + 1)) as string) : raw;
}

/** The first character after `from` that is no part of a number: a comma, a bracket, white space or the end. */
function endOfNumber(text: string, from: number): number {
  let i = from;
  for (; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === COMMA || char === CLOSE_LIST || char === CLOSE_OBJECT || char <= 0x20) break;
  }
  return i;
}

/** RFC 6901, to the member or element that each open frame is at. */
function pointerTo(open: readonly Frame[]): string {
  let pointer = '';
  for (const { keys, index } of open) {
    const step = keys === undefined ? String(index) : keys.at(-1);
    if (step === undefined || step.length > MAX_KEY_IN_POINTER) break;
    pointer += `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  }
  return pointer;
}

function refusal(pointer: string, detail: string): BrokerError {
  return new BrokerError('INVALID_REQUEST', detail, { errors: [{ pointer, detail }] });
}
