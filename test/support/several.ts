/** Several domains, each a real broker on a real store, that talk to each other over what a test puts between. */

import type { PeerAnswer, PeerMessage, Peers } from '../../src/broker/abroad/peerPorts.ts';
import type { ForeignIssuers } from '../../src/broker/tokens/tokenDesk.ts';
import { instant } from '../../src/kernel/clock.ts';
import type { LogEvent } from '../../src/kernel/log.ts';
import type { Circuit, CircuitRequest } from '../../src/model/circuit.ts';
import type { TokenStatus } from '../../src/tokens/verify.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { call, OneDomain, type OneDomainOptions } from './oneDomain.ts';

type Deliver = () => Promise<PeerAnswer>;
/** May lose, change or refuse a message; what it gives back is what the sender hears. */
export type Between = (
  from: string,
  to: string,
  message: PeerMessage,
  deliver: Deliver,
) => Promise<PeerAnswer>;

const DAY_MS = 86_400_000;

export class Several {
  readonly domains = new Map<string, OneDomain>();
  /** Every message that was sent, as `from>to op`. */
  readonly said: { readonly from: string; readonly to: string; readonly message: PeerMessage }[] = [];
  /** Everybody's word on everybody's withdrawals, beyond what is pushed. */
  status: TokenStatus = 'VALID';
  refreshed = 0;
  between: Between = (_from, _to, _message, deliver) => deliver();

  static async start(
    topologies: readonly TopologyDocument[],
    over: Pick<OneDomainOptions, 'devices'> = {},
  ): Promise<Several> {
    const several = new Several();
    for (const topology of topologies) {
      const peers = several.#peersOf(topology.domain);
      several.domains.set(
        topology.domain,
        await OneDomain.start({
          topology,
          peers,
          tokens: true,
          abroad: several.#issuersFor(topology.domain),
          ...over,
        }),
      );
    }
    await several.introduce();
    return several;
  }

  /** What each knows of the others' issuers, as their hellos would tell. */
  #issuersFor(domain: string): ForeignIssuers {
    const others = () => [...this.domains.values()].filter((one) => one.domain !== domain);
    const mintsFor = () => [this.at(domain).topology.prefix];
    return {
      trusted: () =>
        others().flatMap(({ broker }) => {
          const own = broker.term?.tokens?.ring.trusted;
          return own === undefined ? [] : [{ ...own, mintsFor: mintsFor() }];
        }),
      statusAt: () => this.status,
      refresh: async () => {
        this.refreshed++;
      },
    };
  }

  #peersOf(from: string): Peers {
    return {
      send: async (to, message) => {
        this.said.push({ from, to, message });
        return this.between(from, to, message, async () => {
          const there = this.domains.get(to);
          if (there === undefined) throw new Error(`nobody is called ${to}`);
          // As it would be on a wire.
          const answer = await there.broker.peer(from, JSON.parse(JSON.stringify(message)) as PeerMessage);
          return JSON.parse(JSON.stringify(answer)) as PeerAnswer;
        });
      },
    };
  }

  /** Everybody learns what everybody publishes. */
  async introduce(): Promise<void> {
    for (const one of this.domains.values()) {
      const document = one.broker.document();
      const expires = instant(one.clock.now() + DAY_MS);
      for (const other of this.domains.values())
        if (other !== one) await other.broker.learn({ document, expires, signed: '' });
    }
  }

  at(domain: string): OneDomain {
    const one = this.domains.get(domain);
    if (one === undefined) throw new Error(`there is no ${domain}`);
    return one;
  }

  async book(domain: string, request: CircuitRequest): Promise<Circuit['id']> {
    const done = await this.at(domain).broker.createCircuit(call(), request);
    if (done.kind !== 'done') throw new Error('a new request is not a repeated one');
    return done.value.id;
  }

  circuit(domain: string, id: Circuit['id']): Promise<Circuit> {
    return this.at(domain).broker.circuit(call().principal, id);
  }

  logged(domain: string, event: string): readonly LogEvent[] {
    return this.at(domain).logged.filter((one) => one.event === event);
  }

  /** What a participant has of a home's circuit. */
  guest(domain: string, id: Circuit['id']): Circuit | undefined {
    const circuits = this.at(domain).broker.term?.book.circuits.values() ?? [];
    return [...circuits].findLast((one) => one.home?.circuit === id);
  }

  /** Time goes on for all of them together, second by second. */
  async pass(seconds: number): Promise<void> {
    for (let s = 0; s < seconds; s++)
      for (const one of this.domains.values()) {
        await one.pass(1);
        for (const other of this.domains.values()) await other.settle();
      }
    await this.settle();
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 3; i++) for (const one of this.domains.values()) await one.settle();
  }

  async end(): Promise<void> {
    for (const one of this.domains.values()) await one.end();
  }
}
