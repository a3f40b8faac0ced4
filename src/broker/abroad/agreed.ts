/**
 * Circuits that all their domains have committed. Each domain is told with the next hold or commit that goes its
 * way, and need not ask then. It is in memory only: what is lost, over a restart or on the way, is asked for.
 */

import { forgetOldest } from '../../kernel/forget.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import type { Circuit } from '../../model/circuit.ts';
import { remotes, stands } from '../../model/rules.ts';
import type { Book } from '../book.ts';
import type { Tx } from '../tx.ts';
import { guestOf } from './asks.ts';
import type { Agreement } from './peerPorts.ts';
import type { Taking } from './present.ts';

/** In one message; whoever has more to hear hears it with the next ones. */
export const MOST_AGREED = 16;
/** For one domain. The oldest have been asked for long ago. */
const MOST_KEPT = 1_000;

export class Agreed {
  readonly #untold = new Map<string, Map<CircuitId, number>>();

  /** To be called when that is durable. */
  note(circuit: Circuit | undefined): void {
    if (circuit === undefined || !isAgreed(circuit)) return;
    const { id, current } = circuit;
    for (const { domain } of remotes(current)) {
      const untold = this.#untold.get(domain) ?? new Map<CircuitId, number>();
      this.#untold.set(domain, untold);
      untold.set(id, current.version);
      forgetOldest(untold, MOST_KEPT);
    }
  }

  /** What is still as it was noted. Said once. */
  take(book: Book, domain: string): Agreement[] {
    const untold = this.#untold.get(domain);
    const said: Agreement[] = [];
    for (const [id, version] of untold ?? []) {
      if (said.length === MOST_AGREED) break;
      untold?.delete(id);
      const circuit = book.circuits.get(id);
      if (circuit !== undefined && isAgreed(circuit) && circuit.current.version === version)
        said.push({ circuit: id, version });
    }
    return said;
  }
}

/** At a participant: what it has is as its home says, and nothing about it is open. Anything else it asks for itself. */
export function hearAgreed(tx: Tx, from: string, { agreed = [], epoch }: Taking): void {
  for (const { circuit, version } of agreed) {
    const guest = guestOf(tx, from, circuit);
    if (guest?.current?.version !== version || guest.pending !== undefined || guest.home?.told !== false)
      continue;
    tx.apply(guest.id, { type: 'told', state: 'ACTIVE', version, epoch, at: tx.now });
  }
}

type Settled = Circuit & { readonly current: NonNullable<Circuit['current']> };

const isAgreed = (c: Circuit): c is Settled =>
  c.role === 'HOME' && c.current !== undefined && c.pending === undefined && stands(c);
