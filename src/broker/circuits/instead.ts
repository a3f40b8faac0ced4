/** What there would be room for if some circuits were not there, and which of them that takes. */
import type { Circuit } from '../../model/circuit.ts';
import type { Book } from '../book.ts';

/** Runs `look` as if none of the circuits claimed anything. */
export function withoutAll<T>(book: Book, circuits: readonly Circuit[], look: () => T): T {
  const [first, ...rest] = circuits;
  return first === undefined ? look() : book.without(first, () => withoutAll(book, rest, look));
}

/**
 * Of those without whom it would do, as few as that takes: the last of them, who are the most important, stay if
 * they can. Undefined when it would not do without all of them, either.
 */
export function fewest<T>(
  all: readonly T[],
  does: (some: readonly T[]) => boolean,
): readonly T[] | undefined {
  if (!does(all)) return undefined;
  let needed = all;
  for (const one of all.toReversed()) {
    const rest = needed.filter((other) => other !== one);
    if (does(rest)) needed = rest;
  }
  return needed;
}
