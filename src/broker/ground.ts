/** What planning may know: the running topology, what is claimed of it, the circuits, and the other domains. */
import type { InstantMs } from '../kernel/clock.ts';
import type { CircuitId } from '../kernel/ids.ts';
import type { Free } from '../model/capacity.ts';
import type { Circuit } from '../model/circuit.ts';
import type { Label } from '../model/label.ts';
import type { Window } from '../model/window.ts';
import type { Network } from '../topology/network.ts';
import type { World } from '../topology/stitch.ts';
import type { Book } from './book.ts';

export interface Ground {
  readonly network: Network;
  readonly calendar: Free;
  readonly circuits: ReadonlyMap<CircuitId, Circuit>;
  /** Ports that have no light, as far as devices tell. */
  readonly darkPorts: ReadonlySet<string>;
  /** Circuits that keep clear of this one's links: it must not be put on theirs. */
  readonly shunnedBy: (id: string) => readonly string[];
  /** Labels of a border port that have just been used and rest until after the window has begun. */
  readonly resting: (port: string, window: Window) => readonly Label[];
  /** Ours and all other domains as one network. */
  readonly world: () => World;
  readonly now: InstantMs;
}

export const groundOf = (book: Book, now: InstantMs): Ground => ({
  network: book.network,
  calendar: book.calendar,
  circuits: book.circuits,
  darkPorts: book.darkPorts,
  shunnedBy: (id) => book.fleet.shunnedBy(id),
  resting: (port, window) => book.rests.at(port, window),
  world: () => book.around.world(now),
  now,
});
