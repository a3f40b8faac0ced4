/**
 * What has been refused a moment ago: while nothing has been entered and nothing has become rigid, the same question
 * has the same answer, whoever asks. Of a thousand identical requests at one instant, of which a few fit, one takes a
 * long search. A memory only: without it every answer would be the same.
 */
import type { Seconds } from '../../model/capacity.ts';
import type { Ask, Placed, Refused } from './booking.ts';

/** Kept at once; then all are forgotten. */
const MOST_KEPT = 64;

export class Refusals {
  readonly #known = new Map<string, Refused>();

  /** The refusal that this question has had in this state of the fleet, or else what `find` finds. */
  orElse(
    version: string,
    ask: Ask,
    now: Seconds,
    limits: unknown,
    find: () => Placed | Refused,
  ): Placed | Refused {
    const question = JSON.stringify([version, now, limits, Object.assign({}, ask, { id: '' })]);
    const known = this.#known.get(question);
    if (known !== undefined) return known;
    const found = find();
    if (found.placed) return found;
    if (this.#known.size >= MOST_KEPT) this.#known.clear();
    this.#known.set(question, found);
    return found;
  }
}
