/**
 * Who the peers are, as an operator has last laid it down. One that is named no longer stays on the roll until all that
 * was agreed with it is over: nothing new is begun with it, and what has begun goes on to its end.
 */
import type { InstantMs } from '../kernel/clock.ts';
import type { Peer, PeerSettings } from './peer.ts';
import type { Speaker } from './speaker.ts';

export class Roll {
  readonly #peers = new Map<string, Peer>();
  readonly #make: (settings: PeerSettings) => Peer;

  constructor(make: (settings: PeerSettings) => Peer, named: readonly PeerSettings[]) {
    this.#make = make;
    for (const settings of named) this.#peers.set(settings.domain, make(settings));
  }

  get byDomain(): ReadonlyMap<string, Peer> {
    return this.#peers;
  }

  /** Those who were not named before, or not for a while, and those who are not any more. */
  take(named: readonly PeerSettings[]): { readonly joined: Peer[]; readonly dismissed: Peer[] } {
    const joined: Peer[] = [];
    for (const settings of named) {
      const known = this.#peers.get(settings.domain);
      const peer = known ?? this.#make(settings);
      if (known === undefined || known.dismissed) joined.push(peer);
      this.#peers.set(settings.domain, peer);
      peer.renew(settings);
    }
    const dismissed = [...this.#peers.values()].filter(
      (peer) => !peer.dismissed && named.every(({ domain }) => domain !== peer.domain),
    );
    for (const peer of dismissed) peer.dismissed = true;
    return { joined, dismissed };
  }

  /** Lets go of those of whom nothing is left. */
  forget(isOver: (domain: string) => boolean): void {
    for (const peer of [...this.#peers.values()])
      if (peer.dismissed && isOver(peer.domain)) this.#peers.delete(peer.domain);
  }
}

/** Nothing is agreed with it, and no way is looked for through it. Out of office that is not known. */
export function isOver(domain: string, speaker: Speaker, now: InstantMs): boolean {
  if (speaker.readiness().role !== 'LEADER') return false;
  const { circuits, holds, waiting } = speaker.dealings(domain);
  const told = speaker.domains().find(({ document }) => document.domain === domain);
  return circuits + holds + waiting === 0 && (told === undefined || told.expires <= now);
}
