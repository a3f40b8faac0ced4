/**
 * The last messages of each peer over restarts: written behind them, a few seconds' worth at once and only where
 * something was said, so that no message waits for it. What a process had not written when it was killed is lost.
 */

import type { Readiness } from '../broker/calls.ts';
import type { Store } from '../broker/ports.ts';
import { type Cancel, type Clock, every } from '../kernel/clock.ts';
import { textOf } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { Peer } from './peer.ts';

const KEEP_EVERY_MS = 10_000;

export type JournalStore = Pick<Store, 'peerJournals' | 'keepPeerJournals'>;

interface JournalPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly journals?: JournalStore;
  peers(): readonly Peer[];
  /** Who is not in office has said nothing, and writes nothing. */
  readiness(): Pick<Readiness, 'epoch' | 'role'>;
}

export class Journals {
  readonly #ports: JournalPorts;
  /** How many messages of each were written. */
  readonly #written = new Map<string, number>();
  #stop: Cancel = () => {};
  #loaded = false;
  #under: Promise<void> | undefined;

  constructor(ports: JournalPorts) {
    this.#ports = ports;
  }

  start(): void {
    this.#stop = every(this.#ports.clock, KEEP_EVERY_MS, () => void this.keep());
    void this.keep();
  }
  async stop(): Promise<void> {
    this.#stop();
    await this.#under;
    await this.keep();
  }

  /** One at a time. */
  keep(): Promise<void> {
    this.#under ??= this.#keep()
      .catch((error: unknown) => this.#ports.log.warn({ event: 'peer.journal', error: textOf(error) }))
      .finally(() => {
        this.#under = undefined;
      });
    return this.#under;
  }

  async #keep(): Promise<void> {
    const { journals: store, clock } = this.#ports;
    const { role, epoch } = this.#ports.readiness();
    if (store === undefined || role !== 'LEADER') return;
    // What the one before has written comes first, or it would be written over.
    if (!this.#loaded) {
      for (const { domain, lines } of await store.peerJournals())
        this.#ports
          .peers()
          .find((peer) => peer.domain === domain)
          ?.recall(lines);
      this.#loaded = true;
    }
    const news = this.#ports.peers().filter((peer) => saidOf(peer) !== (this.#written.get(peer.domain) ?? 0));
    if (news.length === 0) return;
    const said = news.map((peer) => [peer.domain, saidOf(peer)] as const);
    const journals = news.map(({ domain, journal }) => ({ domain, lines: [...journal] }));
    await store.keepPeerJournals(epoch, journals, clock.now());
    for (const [domain, count] of said) this.#written.set(domain, count);
  }
}

const saidOf = ({ messagesIn, messagesOut }: Peer): number => messagesIn + messagesOut;
