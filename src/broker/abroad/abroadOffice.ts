/**
 * A term's dealings with other domains, in one place: the desk that hears their messages, who asks them when
 * they could and moves circuits with their consent, and the documents in which everybody says what he has.
 */
import type { CircuitId } from '../../kernel/ids.ts';
import { documentOf } from '../../topology/advertise.ts';
import type { DomainDocument } from '../../topology/domainDocument.ts';
import type { Authoriser } from '../aaa/authorise.ts';
import type { BrokerPorts } from '../brokerPorts.ts';
import { groundOf } from '../ground.ts';
import type { DomainRecord } from '../ports.ts';
import type { TokenDesk } from '../tokens/tokenDesk.ts';
import type { Tx } from '../tx.ts';
import type { Writer } from '../writer.ts';
import type { CurrentPeers } from './currentPeers.ts';
import { Digests } from './digests.ts';
import { Mover } from './mover.ts';
import { PeerDesk } from './peer.ts';
import type { PeerAnswer, PeerMessage } from './peerPorts.ts';
import { bring } from './peerToken.ts';
import { Scout } from './scout.ts';
import type { Learned } from './surroundings.ts';

export class AbroadOffice {
  readonly desk: PeerDesk;
  readonly scout: Scout;
  readonly digests: Digests;
  readonly #mover: Mover;
  readonly #writer: Writer;
  readonly #ports: BrokerPorts & { readonly peers: CurrentPeers };
  readonly #tokens: TokenDesk | undefined;
  #document: DomainDocument | undefined;

  /** `outstanding`: what of a circuit is on its way. */
  constructor(
    writer: Writer,
    authoriser: Authoriser,
    ports: BrokerPorts & { readonly peers: CurrentPeers },
    with_: { readonly tokens: TokenDesk | undefined; outstanding(id: CircuitId): number },
  ) {
    const { tokens, outstanding } = with_;
    this.#writer = writer;
    this.#ports = ports;
    this.#tokens = tokens;
    this.desk = new PeerDesk(authoriser, ports.random, writer.epoch, tokens && { tokens });
    this.scout = new Scout(writer, ports);
    this.#mover = new Mover(writer, this.scout, ports);
    this.digests = new Digests(writer, { ...ports, outstanding });
  }

  run(): void {
    this.#mover.look(this.#writer.book.parties.waiting);
    this.digests.start();
  }
  stop(): void {
    this.digests.stop();
    this.scout.stop();
    this.#mover.stop();
  }

  /** Something is durable. */
  look(txs: readonly Tx[]): void {
    for (const tx of txs) {
      this.scout.look(tx.circuits.keys());
      this.#mover.look(tx.circuits.keys());
    }
  }

  /** What we publish: the same version always has the same content. */
  document(): DomainDocument {
    const { network, topology } = this.#writer.book;
    const n = topology.version;
    if (this.#document?.version.n !== n)
      this.#document = documentOf(network, { epoch: this.#writer.epoch, n });
    return this.#document;
  }

  async learn(record: DomainRecord): Promise<Learned> {
    const judged = this.#writer.book.around.judge(record);
    if (judged !== 'NEW' && judged !== 'SAME') return judged;
    return this.#writer.submit((tx) => {
      const again = tx.book.around.judge(record);
      if (again === 'NEW' || again === 'SAME') tx.setDomain(record);
      return again;
    });
  }

  /** A message of a peer that has proved to be `from`. */
  async hear(from: string, message: PeerMessage): Promise<PeerAnswer> {
    this.#ports.peers.admit(from, message);
    if (message.op === 'digest' || message.op === 'digest-lines') return this.digests.answer(from, message);
    const { book } = this.#writer;
    const known = this.desk.look(book, groundOf(book, this.#ports.clock.now()), from, message);
    if (known !== undefined) return known;
    const brought = await bring(this.#tokens, from, message, this.#ports.clock.now());
    const answer = await this.#writer.submit(
      (tx) => this.desk.answer(tx, from, message, brought),
      PeerDesk.reduces(message),
    );
    this.#followAsks();
    return answer;
  }

  /** What the desk has been asked to have moved, and what it asks of others: now that its reason is durable. */
  #followAsks(): void {
    const { asks } = this.desk;
    for (const { id, avoid, by } of asks.moves.splice(0)) this.#mover.move(id, avoid, { by, asked: true });
    for (const { to, message } of asks.outgoing.splice(0))
      this.#ports.peers.send(to, message).then(
        (answer) => {
          if (answer.state === 'MOVED' || answer.state === 'BUSY') asks.granted(to);
        },
        // Not repeated: whoever waits for it asks again, or gives up.
        () => {},
      );
  }
}
