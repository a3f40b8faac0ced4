/**
 * Who the peers are, as an operator has last laid it down. One that is named no longer stays on the roll until all that
 * was agreed with it is over: nothing new is begun with it, and what has begun goes on to its end.
 */
import type { Peer, PeerSettings } from './peer.ts';

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
