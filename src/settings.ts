/**
 * The small language in which config.ts declares its settings: what a key may hold, its default, and how
 * values from several places are laid over each other. Every fault names the place it came from, and all
 * faults are told at once. YAML is read in settingsYaml.ts; what the settings are is config.ts's matter.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { textOf } from './kernel/errors.ts';

/** Where a value was written, for messages; relative paths are taken from `folder`. */
export interface Place {
  readonly where: string;
  readonly folder: string;
}

export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

export interface Leaf<T> {
  readonly kind: 'leaf';
  readonly help: string;
  /** Shown in the reference; the default itself for most. */
  readonly fallback: T | undefined;
  readonly required: boolean;
  readonly secret: boolean;
  /** Takes a plain value; throws a Must whose text completes "`http.port` must be ...". */
  read(raw: unknown, place: Place): T;
}
export interface Section<F extends Fields = Fields> {
  readonly kind: 'section';
  readonly fields: F;
}
export interface Items<F extends Fields = Fields> {
  readonly kind: 'items';
  readonly help: string;
  readonly fields: F;
}
export type Field = Leaf<unknown> | Section | Items;
export type Fields = { readonly [key: string]: Field };

export type Values<F extends Fields> = { readonly [K in keyof F]: ValueOf<F[K]> };
type ValueOf<F> =
  F extends Leaf<infer T>
    ? T
    : F extends Section<infer S>
      ? Values<S>
      : F extends Items<infer S>
        ? readonly Values<S>[]
        : never;

/** Completes the sentence "`key` must be ...". */
export class Must extends Error {}

/** One value as a layer gave it, still unread. */
export interface Given {
  readonly raw: unknown;
  readonly place: Place;
}
/** A layer's values by dotted path; a list's members carry their index: `identity.issuers.0.audience`. */
export type Layer = Map<string, Given>;

export const section = <const F extends Fields>(fields: F): Section<F> => ({ kind: 'section', fields });

export const items = <const F extends Fields>(help: string, fields: F): Items<F> => ({
  kind: 'items',
  help,
  fields,
});

interface LeafOptions<T> {
  readonly help: string;
  readonly fallback?: T;
  readonly required?: boolean;
}

function leaf<T>(options: LeafOptions<T>, read: (raw: unknown, place: Place) => T, secret = false): Leaf<T> {
  return {
    kind: 'leaf',
    help: options.help,
    fallback: options.fallback,
    required: options.required ?? false,
    secret,
    read,
  };
}

// ---- kinds of value --------------------------------------------------------------------------------------
// A leaf with a fallback, or a required one, always has a value; any other may be undefined.

type Sure<T> = { readonly help: string } & ({ readonly fallback: T } | { readonly required: true });
type Maybe = { readonly help: string };

export function text(options: Sure<string>, pattern?: RegExp, shape?: string): Leaf<string>;
export function text(options: Maybe, pattern?: RegExp, shape?: string): Leaf<string | undefined>;
export function text(options: LeafOptions<string>, pattern?: RegExp, shape = 'text'): Leaf<string> {
  return leaf(options, (raw) => {
    if (typeof raw !== 'string' || raw === '') throw new Must(shape);
    if (pattern !== undefined && !pattern.test(raw)) throw new Must(`${shape}, not \`${raw}\``);
    return raw;
  });
}

export function integer(options: Sure<number>, least: number, most: number): Leaf<number> {
  return leaf<number>(options, (raw) => {
    const value = typeof raw === 'string' && /^-?\d{1,15}$/.test(raw) ? Number(raw) : raw;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
      throw new Must(`an integer from ${least} to ${most}`);
    return value;
  });
}

/** A share between 0 and 1. */
export function ratio(options: Sure<number>): Leaf<number> {
  return leaf<number>(options, (raw) => {
    const value = typeof raw === 'string' && /^\d(\.\d+)?$/.test(raw) ? Number(raw) : raw;
    if (typeof value !== 'number' || !(value >= 0 && value <= 1)) throw new Must('a number from 0 to 1');
    return value;
  });
}

export function flag(options: Sure<boolean>): Leaf<boolean> {
  return leaf<boolean>(options, (raw) => {
    if (raw === true || raw === 'true') return true;
    if (raw === false || raw === 'false') return false;
    throw new Must('true or false');
  });
}

export function choice<const C extends string>(among: readonly C[], options: Sure<C>): Leaf<C> {
  return leaf<C>(options, (raw) => {
    const found = among.find((one) => one === raw);
    if (found === undefined) throw new Must(`one of ${among.join(', ')}`);
    return found;
  });
}

/** A time zone by its IANA name. */
export function zone(options: Sure<string>): Leaf<string> {
  return leaf<string>(options, (raw) => {
    try {
      return new Intl.DateTimeFormat('en', { timeZone: String(raw) }).resolvedOptions().timeZone;
    } catch {
      throw new Must(`an IANA time zone, not \`${String(raw)}\``);
    }
  });
}

/** A file or folder; a relative one is taken from the folder of the file that names it. */
export function path(options: Sure<string>): Leaf<string>;
export function path(options: Maybe): Leaf<string | undefined>;
export function path(options: LeafOptions<string>): Leaf<string> {
  return leaf(options, (raw, place) => {
    if (typeof raw !== 'string' || raw === '' || raw.includes('\0')) throw new Must('a path');
    return resolve(place.folder, raw);
  });
}

/** A secret is never written in the configuration: its key ends in `_file` and names a file that holds it. */
export function secret(options: Maybe): Leaf<string | undefined> {
  return leaf<string | undefined>(
    options,
    (raw, place) => {
      if (typeof raw !== 'string' || raw === '') throw new Must('the path of a file that holds the secret');
      const file = resolve(place.folder, raw);
      try {
        return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
      } catch (error) {
        throw new Must(`a readable file: ${textOf(error)}`);
      }
    },
    true,
  );
}

// ---- reading ---------------------------------------------------------------------------------------------

/** The key as people write it: a secret is never in the file, only the path of a file that holds it. */
export const writtenKey = (key: string, field: Field): string =>
  field.kind === 'leaf' && field.secret ? `${key}_file` : key;

const known = (fields: Fields): string =>
  Object.entries(fields)
    .map(([key, field]) => writtenKey(key, field))
    .join(', ');

export function findField(fields: Fields, written: string): [key: string, field: Field] | undefined {
  return Object.entries(fields).find(([key, field]) => writtenKey(key, field) === written);
}

export function unknownKey(fields: Fields, written: string, path: string, where: string): string {
  const secret = fields[written];
  const inside = path === '' ? '' : ` in ${path}`;
  if (secret?.kind === 'leaf' && secret.secret)
    return `${where}: \`${written}\`${inside} is a secret: put it in a file and name that in \`${written}_file\``;
  return `${where}: unknown key \`${written}\`${inside}; known are ${known(fields)}`;
}

export const joinPath = (path: string, key: string | number): string =>
  path === '' ? `${key}` : `${path}.${key}`;

/** Finds the leaf that a dotted path of written keys names; a fault when there is none. */
function leafAt(fields: Fields, keys: readonly string[]): { path: string; field: Field } | string {
  let inside = fields;
  let path = '';
  for (const [index, written] of keys.entries()) {
    const found = findField(inside, written);
    if (found === undefined) return unknownKey(inside, written, path, '').slice(2);
    path = joinPath(path, found[0]);
    if (found[1].kind !== 'section') {
      return index === keys.length - 1 ? { path, field: found[1] } : `\`${path}\` has no keys of its own`;
    }
    inside = found[1].fields;
  }
  return `\`${path}\` is a section: name a key in it, one of ${known(inside)}`;
}

/** Puts one value from the environment or a flag into a layer; a list is written as JSON. */
export function put(
  fields: Fields,
  layer: Layer,
  keys: readonly string[],
  text: string,
  place: Place,
  faults: string[],
): void {
  const found = leafAt(fields, keys);
  if (typeof found === 'string') faults.push(`${place.where}: ${found}`);
  else if (found.field.kind === 'items') putList(found.field, layer, found.path, text, place, faults);
  else layer.set(found.path, { raw: text, place });
}

function putList(
  field: Items,
  layer: Layer,
  path: string,
  text: string,
  place: Place,
  faults: string[],
): void {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    list = undefined;
  }
  if (!Array.isArray(list) || !list.every((item) => typeof item === 'object' && item !== null)) {
    faults.push(`${place.where}: \`${path}\` must be a JSON list of objects`);
    return;
  }
  layer.set(path, { raw: list.length, place });
  for (const [index, item] of list.entries()) {
    for (const [written, raw] of Object.entries(item as object)) {
      const inside = findField(field.fields, written);
      if (inside === undefined)
        faults.push(unknownKey(field.fields, written, joinPath(path, index), place.where));
      else layer.set(joinPath(joinPath(path, index), inside[0]), { raw, place });
    }
  }
}

/**
 * Lays the layers over each other, the last the strongest, and reads each value as its field says. Defaults
 * are read in the same way, so that a relative path among them is taken from `folder`.
 */
export function settle<const F extends Fields>(
  fields: F,
  layers: readonly Layer[],
  folder: string,
  faults: string[],
): Values<F> {
  const readFields = (into: Fields, path: string, from: readonly Layer[]): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(into).map(([key, field]) => [key, readField(field, key, joinPath(path, key), from)]),
    );
  const readField = (field: Field, key: string, path: string, from: readonly Layer[]): unknown => {
    if (field.kind === 'section') return readFields(field.fields, path, from);
    if (field.kind === 'items') {
      // A list is replaced as a whole: the strongest layer that has it gives all its members.
      const layer = from.findLast((candidate) => candidate.has(path));
      const count = (layer?.get(path)?.raw ?? 0) as number;
      return Array.from({ length: count }, (_, i) =>
        readFields(field.fields, joinPath(path, i), layer === undefined ? [] : [layer]),
      );
    }
    const given = from.findLast((candidate) => candidate.has(path))?.get(path);
    const shown = path.slice(0, path.length - key.length) + writtenKey(key, field);
    if (given === undefined || given.raw === null) {
      if (field.required) faults.push(`${given?.place.where ?? 'configuration'}: \`${shown}\` is required`);
      return field.fallback === undefined
        ? undefined
        : field.read(field.fallback, { where: 'default', folder });
    }
    try {
      return field.read(given.raw, given.place);
    } catch (error) {
      if (!(error instanceof Must)) throw error;
      faults.push(`${given.place.where}: \`${shown}\` must be ${error.message}`);
      return field.fallback;
    }
  };
  // The shape follows the table field by field, which the compiler cannot see through Object.entries.
  return readFields(fields, '', layers) as Values<F>;
}
