/**
 * Nobody speaks for a domain in an earlier term of office than one that it has spoken in, whatever it says: the
 * highest of each is stored, and compared with every message and every answer.
 */
import type { Clock, InstantMs } from '../../kernel/clock.ts';
import { BrokerError } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Standing } from '../ports.ts';
import type { Tx } from '../tx.ts';
import type { Writer } from '../writer.ts';
import type { PeerAnswer, PeerMessage, Peers } from './peerPorts.ts';

/** The alarm about a peer that speaks in an earlier term is not repeated sooner. */
const ALARM_EVERY_MS = 60_000;

/** As it stands with us; who has never spoken is in no term yet. */
export const standingOf = ({ book }: Pick<Writer, 'book'>, domain: string): Standing =>
  book.standings.get(domain) ?? { domain, epoch: 0 };

/** In the transaction of what it says: it is in that term of office now. */
export function heardOf(tx: Tx, from: string, epoch: number): void {
  const standing = standingOf(tx, from);
  if (epoch > standing.epoch) tx.setStanding({ ...standing, epoch });
}

/** The port to the peers, and the door for their messages: nobody speaks for a domain in an earlier term. */
export class CurrentPeers implements Peers {
  readonly #peers: Peers;
  readonly #writer: Writer;
  readonly #ports: { readonly clock: Clock; readonly log: Log };
  readonly #alarmed = new Map<string, InstantMs>();

  constructor(peers: Peers, writer: Writer, ports: { readonly clock: Clock; readonly log: Log }) {
    this.#peers = peers;
    this.#writer = writer;
    this.#ports = ports;
  }

  async send(domain: string, message: PeerMessage): Promise<PeerAnswer> {
    const answer = await this.#peers.send(domain, message);
    const known = this.#check(domain, answer.epoch);
    // Once in each of its terms; what becomes of this answer does not wait for it.
    if (answer.epoch > known)
      this.#writer.submit((tx) => heardOf(tx, domain, answer.epoch), true).catch(() => {});
    return answer;
  }

  /** Throws STALE_EPOCH. */
  admit(from: string, { epoch }: PeerMessage): void {
    this.#check(from, epoch);
  }

  #check(domain: string, epoch: number): number {
    const known = standingOf(this.#writer, domain).epoch;
    if (epoch >= known) return known;
    const now = this.#ports.clock.now();
    if (now - (this.#alarmed.get(domain) ?? -ALARM_EVERY_MS) >= ALARM_EVERY_MS) {
      this.#alarmed.set(domain, now);
      this.#ports.log.error({ event: 'peer.stale', peer: domain, epoch, known });
    }
    throw new BrokerError('STALE_EPOCH', `epoch ${epoch} is over, ${domain} was in epoch ${known}`);
  }
}
