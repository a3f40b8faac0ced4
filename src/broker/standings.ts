/**
 * How other domains stand with us, over restarts: the highest term of office that each has spoken in, and why one
 * is not trusted any more. Who speaks in an earlier term no longer speaks for its domain, whatever it says; only
 * an operator lets a domain begin again, once they have looked.
 */
import type { Clock, InstantMs } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { Mutated, Mutation } from './calls.ts';
import type { Mutations } from './mutations.ts';
import type { Office } from './office.ts';
import type { PeerAnswer, PeerMessage, Peers } from './peerPorts.ts';
import type { Standing } from './ports.ts';
import type { Tx } from './tx.ts';
import type { Writer } from './writer.ts';

/** The alarm about a peer that speaks in an earlier term is not repeated sooner. */
const ALARM_EVERY_MS = 60_000;

const standingOf = ({ book }: Pick<Writer, 'book'>, domain: string): Standing =>
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

export class Standings {
  readonly #office: Office;
  readonly #mutations: Mutations;

  constructor(office: Office, mutations: Mutations) {
    this.#office = office;
    this.#mutations = mutations;
  }

  /** Why nothing is agreed with it. */
  quarantineOf(domain: string): string | undefined {
    return this.#office.term?.book.standings.get(domain)?.quarantine?.reason;
  }

  /** It has contradicted itself. */
  async quarantine(domain: string, reason: string): Promise<void> {
    await this.#office.now().writer.submit((tx) => {
      const standing = standingOf(tx, domain);
      if (standing.quarantine !== undefined) return;
      tx.setStanding({ ...standing, quarantine: { reason, time: tx.now } });
      tx.record({ op: 'peer.change', peer: domain, reason, effect: 'quarantined' });
    }, true);
  }

  /** An operator has looked: it is trusted again, and may begin its terms of office anew, as after a restore. */
  readmit(call: Mutation<undefined>, domain: string, reason: string): Promise<Mutated<undefined>> {
    return this.#mutations.run(call, (tx, term) => {
      const facts = { peer: domain };
      const refusal = term.authoriser.refusal(tx, { ...call, action: 'topology.write', project: '', facts });
      if (refusal !== undefined) return refusal;
      tx.setStanding({ domain, epoch: 0 });
      tx.record({
        op: 'peer.change',
        txn: call.requestId,
        actor: call.principal.id,
        peer: domain,
        reason,
        effect: 'readmitted',
      });
      return undefined;
    });
  }
}
