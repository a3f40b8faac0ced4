/**
 * The broker's words as they are on the wire: the same fields, named in snake_case. `Wire` says in types what
 * `toWire` and `fromWire` do, so that a field that the broker's messages gain does not compile until the schema
 * of the wire has it too.
 */

type SnakeKey<S> = S extends `${infer H}${infer T}`
  ? H extends Lowercase<H>
    ? `${H}${SnakeKey<T>}`
    : `_${Lowercase<H>}${SnakeKey<T>}`
  : S;

/** Neither brands of numbers nor what is read-only is carried. */
export type Wire<T> = T extends number
  ? number
  : T extends string | boolean
    ? T
    : T extends readonly unknown[]
      ? { -readonly [K in keyof T]: Wire<T[K]> }
      : { -readonly [K in keyof T as SnakeKey<K>]: Wire<T[K]> };

const snake = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const camel = (key: string): string => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

function renamed(value: unknown, rename: (key: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [rename(key), renamed(item, rename)]));
}

export const toWire = <T>(value: T): Wire<T> => renamed(value, snake) as Wire<T>;

/** Only of what a schema has let through: the keys are its own. */
export const fromWire = <T>(value: Wire<T>): T => renamed(value, camel) as T;
