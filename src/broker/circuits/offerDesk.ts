/** The indicative offers that a term remembers. */
import type { OfferId } from '../../kernel/ids.ts';
import type { CircuitRequest } from '../../model/circuit.ts';
import type { Undo } from '../book.ts';
import type { OfferSet } from '../calls.ts';

/** How many are remembered at once: the oldest goes first. */
const MOST_REMEMBERED = 10_000;

export interface Remembered {
  readonly set: OfferSet;
  readonly owner: string;
  readonly request: CircuitRequest;
}

/** The indicative offers of one term. They are not stored: after a restart they have expired. */
export class OfferDesk {
  readonly #known = new Map<OfferId, Remembered>();

  /** An offer that was only tried is forgotten with everything else of its transaction. */
  remember(offer: Remembered, undo: Undo[]): void {
    this.#known.set(offer.set.id, offer);
    undo.push(() => this.#known.delete(offer.set.id));
    const oldest = this.#known.keys().next();
    if (this.#known.size > MOST_REMEMBERED && oldest.done !== true) this.#known.delete(oldest.value);
  }
  get(id: OfferId): Remembered | undefined {
    return this.#known.get(id);
  }
}
