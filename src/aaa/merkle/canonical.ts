/**
 * One text for one value: JSON in the canonical form of RFC 8785 (members sorted by UTF-16 code units, no
 * white space, numbers as ECMAScript writes them). What has no such form is refused: a hash over something
 * that two writers could write differently proves nothing.
 */

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

/** With the u flag a proper pair is one code point, so this finds only halves. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Members that are undefined are left out, as JSON does. */
export function canonical(value: Json): string {
  switch (typeof value) {
    case 'string':
      return quoted(value);
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError('a number without a JSON form');
      // -0 is written 0; everything else as ECMAScript does, which is what RFC 8785 asks for.
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    default:
      break;
  }
  if (value === null) return 'null';
  if (isList(value)) return `[${value.map(canonical).join(',')}]`;
  let text = '';
  // The default order of sort() is that of UTF-16 code units.
  for (const key of Object.keys(value).sort()) {
    const member = value[key];
    if (member === undefined) continue;
    text += `${text === '' ? '' : ','}${quoted(key)}:${canonical(member)}`;
  }
  return `{${text}}`;
}

/** Array.isArray does not narrow readonly lists. */
const isList = (value: object): value is readonly Json[] => Array.isArray(value);

/** Printable ASCII but for the quote and the backslash stands as it is; nearly every text is of this kind. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  if (LONE_SURROGATE.test(text)) throw new TypeError('half of a surrogate pair has no UTF-8 form');
  return JSON.stringify(text);
}
