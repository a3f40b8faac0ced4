/**
 * Whom nothing is agreed with: a domain that has contradicted itself is in quarantine, over restarts, until an
 * operator has looked and lets it begin again, its terms of office too.
 */
import type { Mutated, Mutation } from '../calls.ts';
import type { Mutations } from '../mutations.ts';
import type { Office } from '../office.ts';
import { standingOf } from './currentPeers.ts';

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
