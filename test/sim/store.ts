/**
 * The real store behind the gate: every call waits its turn, and every group that became durable is shown to
 * the world's mirror, which is how the checkers know what is true without asking the broker.
 */

import type { PolicyQuery } from '../../src/broker/aaa/policyPorts.ts';
import type {
  CircuitQuery,
  DecisionQuery,
  EventQuery,
  Group,
  LeaseAnswer,
  Store,
  TransferQuery,
  UsageQuery,
} from '../../src/broker/ports.ts';
import type { InstantMs } from '../../src/kernel/clock.ts';
import type { CircuitId } from '../../src/kernel/ids.ts';
import type { Gate, Owner } from './gate.ts';

export class GatedStore implements Store {
  readonly #real: Store;
  readonly #gate: Gate;
  readonly #owner: Owner;
  readonly #current: () => Store;
  readonly #durable: (group: Group) => void;

  /** `current`: the store as whoever has it now has it, where a group may arrive after its process has died. */
  constructor(real: Store, gate: Gate, owner: Owner, current: () => Store, durable: (group: Group) => void) {
    this.#real = real;
    this.#current = current;
    this.#gate = gate;
    this.#owner = owner;
    this.#durable = durable;
  }

  get kind(): Store['kind'] {
    return this.#real.kind;
  }

  #call<T>(what: string, act: () => Promise<T>): Promise<T> {
    return this.#gate.call(this.#owner, what, act);
  }

  /** Each page of a listing is a call of its own. */
  async *#pages<T>(what: string, open: () => AsyncIterable<T>): AsyncIterable<T> {
    const pages = open()[Symbol.asyncIterator]();
    for (;;) {
      const page = await this.#call(what, () => pages.next());
      if (page.done === true) return;
      yield page.value;
    }
  }

  acquireLease(holder: string, ttlMs: number): Promise<LeaseAnswer> {
    return this.#call('acquireLease', () => this.#real.acquireLease(holder, ttlMs));
  }
  renewLease(holder: string, epoch: number, ttlMs: number): Promise<boolean> {
    return this.#call('renewLease', () => this.#real.renewLease(holder, epoch, ttlMs));
  }
  releaseLease(holder: string, epoch: number): Promise<void> {
    return this.#call('releaseLease', () => this.#real.releaseLease(holder, epoch));
  }
  commit(group: Group): Promise<void> {
    return this.#call('commit', async () => {
      await this.#current().commit(group);
      this.#durable(group);
    });
  }
  counters(): ReturnType<Store['counters']> {
    return this.#call('counters', () => this.#real.counters());
  }
  liveCircuits(): ReturnType<Store['liveCircuits']> {
    return this.#pages('liveCircuits', () => this.#real.liveCircuits());
  }
  pendingEffects(): ReturnType<Store['pendingEffects']> {
    return this.#pages('pendingEffects', () => this.#real.pendingEffects());
  }
  idempotencyKeys(after: InstantMs): ReturnType<Store['idempotencyKeys']> {
    return this.#pages('idempotencyKeys', () => this.#real.idempotencyKeys(after));
  }
  octets(circuit?: CircuitId): ReturnType<Store['octets']> {
    return this.#call('octets', () => this.#real.octets(circuit));
  }
  domains(): ReturnType<Store['domains']> {
    return this.#call('domains', () => this.#real.domains());
  }
  standings(): ReturnType<Store['standings']> {
    return this.#call('standings', () => this.#real.standings());
  }
  peerJournals(): ReturnType<Store['peerJournals']> {
    return this.#call('peerJournals', () => this.#real.peerJournals());
  }
  keepPeerJournals(
    ...[epoch, journals, now]: Parameters<Store['keepPeerJournals']>
  ): ReturnType<Store['keepPeerJournals']> {
    return this.#call('keepPeerJournals', () => this.#current().keepPeerJournals(epoch, journals, now));
  }
  topology(): ReturnType<Store['topology']> {
    return this.#call('topology', () => this.#real.topology());
  }
  webhooks(): ReturnType<Store['webhooks']> {
    return this.#call('webhooks', () => this.#real.webhooks());
  }
  accounts(): ReturnType<Store['accounts']> {
    return this.#call('accounts', () => this.#real.accounts());
  }
  usage(query: UsageQuery): ReturnType<Store['usage']> {
    return this.#pages('usage', () => this.#real.usage(query));
  }
  transfers(query: TransferQuery): ReturnType<Store['transfers']> {
    return this.#pages('transfers', () => this.#real.transfers(query));
  }
  tokens(now: InstantMs): ReturnType<Store['tokens']> {
    return this.#call('tokens', () => this.#real.tokens(now));
  }
  token(jti: string): ReturnType<Store['token']> {
    return this.#call('token', () => this.#real.token(jti));
  }
  activePolicy(): ReturnType<Store['activePolicy']> {
    return this.#call('activePolicy', () => this.#real.activePolicy());
  }
  lastActivation(id: Parameters<Store['lastActivation']>[0]): ReturnType<Store['lastActivation']> {
    return this.#call('lastActivation', () => this.#real.lastActivation(id));
  }
  policy(id: Parameters<Store['policy']>[0]): ReturnType<Store['policy']> {
    return this.#call('policy', () => this.#real.policy(id));
  }
  policies(query: PolicyQuery): ReturnType<Store['policies']> {
    return this.#call('policies', () => this.#real.policies(query));
  }
  circuit(id: Parameters<Store['circuit']>[0]): ReturnType<Store['circuit']> {
    return this.#call('circuit', () => this.#real.circuit(id));
  }
  circuits(query: CircuitQuery): ReturnType<Store['circuits']> {
    return this.#call('circuits', () => this.#real.circuits(query));
  }
  events(query: EventQuery): ReturnType<Store['events']> {
    return this.#call('events', () => this.#real.events(query));
  }
  lastEventSeq(): Promise<number> {
    return this.#call('lastEventSeq', () => this.#real.lastEventSeq());
  }
  decision(id: Parameters<Store['decision']>[0]): ReturnType<Store['decision']> {
    return this.#call('decision', () => this.#real.decision(id));
  }
  decisions(query: DecisionQuery): ReturnType<Store['decisions']> {
    return this.#call('decisions', () => this.#real.decisions(query));
  }
  idempotent(principal: string, key: string): ReturnType<Store['idempotent']> {
    return this.#call('idempotent', () => this.#real.idempotent(principal, key));
  }
  series(id: Parameters<Store['series']>[0]): ReturnType<Store['series']> {
    return this.#call('series', () => this.#real.series(id));
  }
  set(id: Parameters<Store['set']>[0]): ReturnType<Store['set']> {
    return this.#call('set', () => this.#real.set(id));
  }
  auditTiles(): ReturnType<Store['auditTiles']> {
    return this.#call('auditTiles', () => this.#real.auditTiles());
  }
  auditLeaves(from: number, to: number): ReturnType<Store['auditLeaves']> {
    return this.#call('auditLeaves', () => this.#real.auditLeaves(from, to));
  }
  auditRows(from: number, limit: number): ReturnType<Store['auditRows']> {
    return this.#call('auditRows', () => this.#real.auditRows(from, limit));
  }
  auditSeqOf(decisionId: string): ReturnType<Store['auditSeqOf']> {
    return this.#call('auditSeqOf', () => this.#real.auditSeqOf(decisionId));
  }
  witnessed(domain: string): ReturnType<Store['witnessed']> {
    return this.#call('witnessed', () => this.#real.witnessed(domain));
  }
  pruneAudit(epoch: number, before: InstantMs, now: InstantMs): ReturnType<Store['pruneAudit']> {
    return this.#call('pruneAudit', () => this.#real.pruneAudit(epoch, before, now));
  }
  lastCheckpoint(): ReturnType<Store['lastCheckpoint']> {
    return this.#call('lastCheckpoint', () => this.#real.lastCheckpoint());
  }
  checkpoints(origin: string, after: number, limit: number): ReturnType<Store['checkpoints']> {
    return this.#call('checkpoints', () => this.#real.checkpoints(origin, after, limit));
  }
  backup(file: string): Promise<void> {
    return this.#call('backup', () => this.#real.backup(file));
  }
  prune(epoch: number, before: InstantMs, now: InstantMs): ReturnType<Store['prune']> {
    return this.#call('prune', () => this.#real.prune(epoch, before, now));
  }
  close(): Promise<void> {
    return this.#call('close', () => this.#real.close());
  }
}
