/**
 * The application: takes part in the election, serves one term after another, and offers the use cases. It
 * knows ports, not adapters. Everything that changes something goes through the writer of the present term;
 * everything that only reads goes to the store, so that nobody is shown what is not durable.
 */
import { createHash } from 'node:crypto';
import type { Decide } from '../aaa/decide.ts';
import { type Clock, type InstantMs, instant } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';
import type { CircuitId, DecisionId, SeriesId, SetId, WebhookId } from '../kernel/ids.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import type { Circuit, CircuitRequest } from '../model/circuit.ts';
import type { Principal } from '../model/principal.ts';
import type { TopologyDocument } from '../topology/document.ts';
import * as actions from './actions.ts';
import type { BookSeams } from './book.ts';
import { Office } from './office.ts';
import { PeerDesk } from './peer.ts';
import type {
  CircuitQuery,
  DecisionQuery,
  DecisionRecord,
  Devices,
  EventQuery,
  EventRecord,
  ObservedConnect,
  Page,
  PeerAnswer,
  PeerMessage,
  Peers,
  SeriesRecord,
  Store,
  StoreError,
  TopologyRecord,
  WebhookRecord,
} from './ports.ts';
import { Queries } from './queries.ts';
import type { Term } from './term.ts';
import { topologyChange } from './topologyChange.ts';
import type { Tx } from './tx.ts';
import type {
  CalendarStep,
  CircuitAction,
  CircuitChange,
  Mutated,
  Mutation,
  PortView,
  Readiness,
  RecurrenceAsk,
  SetMemberAsk,
  SetResult,
  Stats,
  TopologyImpact,
  UseCases,
} from './usecases.ts';
import { linkSteps, portViews } from './views.ts';
import { StoredRefusal } from './writer.ts';

export interface BrokerPorts {
  readonly domain: string;
  /** Who this instance is to the lease: unique per process. */
  readonly holder: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly store: Store;
  readonly devices: Devices;
  readonly peers: Peers;
  readonly decide: Decide;
  /** The topology of a store that has none yet. */
  readonly seedTopology: TopologyDocument;
  /** A leader that has not renewed for so long is replaced. */
  readonly leaseTtlMs?: number;
  readonly seams?: BookSeams;
  /** The lease went to somebody else, or the store is lost: the process decides what to do about it. */
  readonly onLost?: (error: StoreError) => void;
}

const KEY_LIFE_MS = 86_400_000;

export class Broker implements UseCases {
  readonly #ports: BrokerPorts;
  readonly #queries: Queries;
  readonly #listeners = new Set<(events: readonly EventRecord[]) => void>();
  readonly #office: Office;
  #admitted = 0;
  #refused = 0;

  constructor(ports: BrokerPorts) {
    this.#ports = ports;
    this.#office = new Office(ports, (events) => {
      for (const listen of this.#listeners) listen(events);
    });
    this.#queries = new Queries(ports.store);
  }

  // ---- life ----------------------------------------------------------------------------------------------

  /** Takes the lease if it is to be had, and begins a term; otherwise stands by and goes on trying. */
  start(): Promise<void> {
    return this.#office.start();
  }
  stop(): Promise<void> {
    return this.#office.stop();
  }

  // ---- changes -------------------------------------------------------------------------------------------

  /** One mutation: under its idempotency key, decided and made durable, or only looked at. */
  async #mutate<T>(
    call: Mutation<T>,
    decide: (tx: Tx, term: Term) => T | StoredRefusal,
    reduces = false,
  ): Promise<Mutated<T>> {
    const term = this.#office.now();
    if (call.validateOnly) return { kind: 'done', value: term.writer.preview((tx) => decide(tx, term)) };
    const { idempotency } = call;
    if (idempotency === undefined) return { kind: 'done', value: await this.#submit(term, decide, reduces) };

    const bodyHash = createHash('sha256')
      .update(`${call.principal.id}\u0000${idempotency.bodyHash}`)
      .digest('base64url');
    const known = term.book.keys.get(idempotency.key);
    if (known !== undefined && known.expire > this.#ports.clock.now()) {
      if (known.bodyHash !== bodyHash)
        throw new BrokerError(
          'IDEMPOTENCY_KEY_REUSED',
          'this Idempotency-Key came with another request before',
        );
      if (known.pending)
        throw new BrokerError(
          'IDEMPOTENCY_IN_PROGRESS',
          'the first request with this Idempotency-Key is still running',
          { retry_after_s: 1 },
        );
      const stored = await this.#ports.store.idempotent(call.principal.id, idempotency.key);
      if (stored !== undefined) return { kind: 'replayed', answer: stored.answer };
    }
    const keep = (tx: Tx, outcome: { readonly ok: T } | { readonly problem: BrokerError }): void => {
      const expireTime = instant(tx.now + KEY_LIFE_MS);
      const answer = idempotency.render(outcome);
      tx.book.setKey(
        idempotency.key,
        { principal: call.principal.id, bodyHash, expire: expireTime, pending: true },
        tx.undo,
      );
      tx.idempotency.push({
        principal: call.principal.id,
        key: idempotency.key,
        bodyHash,
        expireTime,
        answer,
      });
    };
    const settle = (): void => {
      const state = term.book.keys.get(idempotency.key);
      if (state?.pending === true && state.bodyHash === bodyHash)
        term.book.keys.set(idempotency.key, { ...state, pending: false });
    };
    const guarded = (tx: Tx): T | StoredRefusal => {
      try {
        const outcome = decide(tx, term);
        if (outcome instanceof StoredRefusal) keep(tx, { problem: outcome.problem });
        else keep(tx, { ok: outcome });
        return outcome;
      } catch (error) {
        if (!(error instanceof BrokerError) || error.status >= 500) throw error;
        tx.reset();
        keep(tx, { problem: error });
        return new StoredRefusal(error);
      }
    };
    try {
      const value = await this.#submit(term, guarded, reduces);
      settle();
      return { kind: 'done', value };
    } catch (error) {
      settle();
      throw error;
    }
  }

  async #submit<T>(
    term: Term,
    decide: (tx: Tx, term: Term) => T | StoredRefusal,
    reduces: boolean,
  ): Promise<T> {
    try {
      const value = await term.writer.submit((tx) => decide(tx, term), reduces);
      this.#admitted++;
      return value;
    } catch (error) {
      this.#refused++;
      throw error;
    }
  }

  createCircuit(call: Mutation<Circuit>, request: CircuitRequest): Promise<Mutated<Circuit>> {
    return this.#mutate(call, (tx, term) => actions.create(tx, term, this.#ports.random, call, request));
  }
  createSeries(
    call: Mutation<SeriesRecord>,
    request: CircuitRequest,
    recurrence: RecurrenceAsk,
  ): Promise<Mutated<SeriesRecord>> {
    return this.#mutate(call, (tx, term) =>
      actions.createSeries(tx, term, this.#ports.random, call, request, recurrence),
    );
  }
  createSet(call: Mutation<SetResult>, members: readonly SetMemberAsk[]): Promise<Mutated<SetResult>> {
    return this.#mutate(call, (tx, term) => actions.createSet(tx, term, this.#ports.random, call, members));
  }
  async act(
    call: Mutation<Circuit>,
    id: CircuitId,
    action: CircuitAction,
    revision?: number,
  ): Promise<Mutated<Circuit>> {
    const stored = await this.#queries.circuit(call.principal, id);
    const reduces = action.type === 'abort' || action.type === 'cancel' || action.type === 'release';
    return this.#mutate(call, (tx, term) => actions.act(tx, term, call, stored, action, revision), reduces);
  }
  async change(
    call: Mutation<Circuit>,
    id: CircuitId,
    change: CircuitChange,
    revision?: number,
  ): Promise<Mutated<Circuit>> {
    const stored = await this.#queries.circuit(call.principal, id);
    return this.#mutate(call, (tx, term) => actions.change(tx, term, call, stored, change, revision));
  }
  async actOnSet(
    call: Mutation<SetResult>,
    id: SetId,
    action: 'commit' | 'abort' | 'cancel',
  ): Promise<Mutated<SetResult>> {
    const stored = await this.#queries.set(call.principal, id);
    return this.#mutate(
      call,
      (tx, term) => actions.actOnSet(tx, term, call, stored, action),
      action !== 'commit',
    );
  }
  async cancelSeries(call: Mutation<SeriesRecord>, id: SeriesId): Promise<Mutated<SeriesRecord>> {
    const stored = await this.#queries.series(call.principal, id);
    return this.#mutate(call, (tx, term) => actions.cancelSeries(tx, term, call, stored), true);
  }
  createWebhook(
    call: Mutation<WebhookRecord>,
    ask: { readonly url: string; readonly types: readonly string[] },
  ): Promise<Mutated<WebhookRecord>> {
    return this.#mutate(call, (tx, term) => actions.createWebhook(tx, term, this.#ports.random, call, ask));
  }
  deleteWebhook(call: Mutation<undefined>, id: WebhookId, revision?: number): Promise<Mutated<undefined>> {
    return this.#mutate(call, (tx, term) => actions.deleteWebhook(tx, term, call, id, revision), true);
  }
  putTopology(
    call: Mutation<TopologyImpact>,
    document: TopologyDocument,
    revision?: number,
  ): Promise<Mutated<TopologyImpact>> {
    return this.#mutate(call, (tx, term) => topologyChange(tx, term.authoriser, call, document, revision));
  }

  /** A message of a peer that has proved to be `from`. */
  async peer(from: string, message: PeerMessage): Promise<PeerAnswer> {
    const term = this.#office.now();
    return term.writer.submit((tx) => term.desk.answer(tx, from, message), PeerDesk.reduces(message));
  }

  async webhookProgress(
    id: WebhookId,
    progress: {
      readonly cursor: number;
      readonly failures: number;
      readonly lastError?: string;
      readonly disable?: boolean;
    },
  ): Promise<void> {
    await this.#office.now().writer.submit((tx) => actions.webhookProgress(tx, id, progress), true);
  }

  // ---- readers -------------------------------------------------------------------------------------------

  circuit(who: Principal, id: CircuitId): Promise<Circuit> {
    return this.#queries.circuit(who, id);
  }
  circuits(who: Principal, query: Omit<CircuitQuery, 'visibleTo'>): Promise<Page<Circuit>> {
    return this.#queries.circuits(who, query);
  }
  async settled(who: Principal, id: CircuitId, until: InstantMs): Promise<Circuit> {
    const open = (c: Circuit): boolean => c.state === 'RESERVING' || c.state === 'COMMITTING';
    const circuit = await this.circuit(who, id);
    if (!open(circuit)) return circuit;
    await new Promise<void>((resolve) => {
      const stop = this.onEvents((events) => {
        const mine = events.findLast((event) => event.circuitId === id);
        const state = mine?.data['state'];
        if (state !== undefined && state !== 'RESERVING' && state !== 'COMMITTING') finish();
      });
      const cancel = this.#ports.clock.alarm(until, () => finish());
      const finish = (): void => {
        stop();
        cancel();
        resolve();
      };
    });
    return this.circuit(who, id);
  }
  set(who: Principal, id: SetId): Promise<SetResult> {
    return this.#queries.setResult(who, id);
  }
  series(who: Principal, id: SeriesId): Promise<SeriesRecord> {
    return this.#queries.series(who, id);
  }
  events(who: Principal, query: Omit<EventQuery, 'visibleTo'>): Promise<readonly EventRecord[]> {
    return this.#queries.events(who, query);
  }
  lastEventSeq(): Promise<number> {
    return this.#ports.store.lastEventSeq();
  }
  onEvents(listen: (events: readonly EventRecord[]) => void): () => void {
    this.#listeners.add(listen);
    return () => this.#listeners.delete(listen);
  }
  decision(who: Principal, id: DecisionId): Promise<DecisionRecord> {
    return this.#queries.decision(who, id);
  }
  decisions(who: Principal, query: Omit<DecisionQuery, 'visibleTo'>): Promise<Page<DecisionRecord>> {
    return this.#queries.decisions(who, query);
  }
  webhooks(who: Principal): Promise<readonly WebhookRecord[]> {
    return this.#queries.webhooks(who);
  }
  webhook(who: Principal, id: WebhookId): Promise<WebhookRecord> {
    return this.#queries.webhook(who, id);
  }
  enabledWebhooks(): readonly WebhookRecord[] {
    return [...(this.#office.term?.book.webhooks.values() ?? [])].filter((hook) => hook.state === 'ENABLED');
  }
  eventsFor(hook: WebhookRecord, limit: number): Promise<readonly EventRecord[]> {
    return this.#queries.eventsFor(hook, limit);
  }

  topology(): TopologyRecord {
    return this.#office.now().book.topology;
  }
  ports(domain?: string): readonly PortView[] {
    return portViews(this.#office.now()).filter((port) => domain === undefined || port.domain === domain);
  }
  linkCalendar(link: string, from: InstantMs, to: InstantMs): readonly CalendarStep[] | undefined {
    return linkSteps(this.#office.now(), link, from, to);
  }
  observed(): Promise<readonly ObservedConnect[]> {
    return this.#ports.devices.observe();
  }

  readiness(): Readiness {
    return this.#office.readiness();
  }

  stats(): Stats {
    const term = this.#office.term;
    return {
      transactions: term?.writer.transactions ?? 0,
      groups: Array.from(term?.writer.groups ?? [], (n) => n ?? 0),
      admitted: this.#admitted,
      refused: this.#refused,
      effectsDone: term?.lanes.done ?? 0,
      effectsFailed: term?.lanes.failed ?? 0,
      circuitsByState: { ...(term?.book.byState ?? {}) },
    };
  }

  async prune(before: InstantMs): Promise<{ readonly circuits: number; readonly events: number }> {
    const sum = { circuits: 0, events: 0 };
    for (let more = true; more; ) {
      const done = await this.#ports.store.prune(this.#office.now().epoch, before, this.#ports.clock.now());
      sum.circuits += done.circuits;
      sum.events += done.events;
      more = done.more;
    }
    this.#ports.log.info({ event: 'store.pruned', ...sum });
    return sum;
  }
  backup(file: string): Promise<void> {
    return this.#ports.store.backup(file);
  }

  /** The present term, for the checks of the simulation and the bench. */
  get term(): Term | undefined {
    return this.#office.term;
  }
}
