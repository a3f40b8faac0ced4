/** A decision for people: what was answered, by which rules, what would have been needed, and what they saw. */
import { type Column, dig, isJson, items, type Json, text } from './output.ts';

/** Every field, the facts it rests on one by one, and the clauses that stood in the way one by one. */
export const decisionCard = (decision: Json): Column[] =>
  Object.entries(decision).flatMap(([name, value]): Column[] => {
    if (name === 'near_misses')
      return items(value).map((_, i): Column => [`needed.${i + 1}`, (row) => needed(dig(row, name, i))]);
    return isJson(value)
      ? Object.keys(value).map((inner): Column => [`${name}.${inner}`, (row) => dig(row, name, inner)])
      : [[name, (row) => row[name]]];
  });

/** `members-book permits when { principal in resource }; saw principal_in=..., project=atlas` */
export function needed(miss: unknown): string {
  if (!isJson(miss)) return '';
  const verb = miss['effect'] === 'forbid' ? 'forbids' : 'permits';
  const values = isJson(miss['values']) ? Object.entries(miss['values']) : [];
  const saw = values.map(([name, value]) => `${name}=${text(value)}`).join(', ');
  return `${text(miss['rule'])} ${verb} ${text(miss['clause'])}${saw === '' ? '' : `; it saw ${saw}`}`;
}
