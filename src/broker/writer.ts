/**
 * The one writer. Requests are decided one after another in memory and written in groups: one transaction and
 * one fsync for all that were decided while the last group was on its way. No answer leaves before its group
 * is durable. A group that the store refuses is undone newest first, with everything decided on top of it,
 * and tried again one by one, so that one bad apple spoils nothing but itself.
 */
import { type Clock, nextTurn } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';
import type { CircuitId } from '../kernel/ids.ts';
import type { Log } from '../kernel/log.ts';
import { dueAt } from '../model/lifecycle.ts';
import type { AuditLog } from './audit/auditLog.ts';
import type { Book } from './book.ts';
import { keyOf } from './devices/octetRecords.ts';
import { type EffectRecord, type EventRecord, type Group, type Store, StoreError } from './ports.ts';
import { together } from './tokens/tokenRecords.ts';
import { type OnStep, type Sequences, Tx } from './tx.ts';

/** At most so many decisions in one transaction: bounds its time and what a failure takes back. */
const LARGEST_GROUP = 512;
/** At most so many decisions waiting for the store; beyond it new ones are turned away. */
const LONGEST_QUEUE = 20_000;

/** A refusal that is itself to be stored (its decision record, its idempotency key). */
export class StoredRefusal {
  readonly problem: BrokerError;
  constructor(problem: BrokerError) {
    this.problem = problem;
  }
}

interface Item {
  decide(tx: Tx): unknown;
  readonly reduces: boolean;
  tx: Tx;
  outcome: unknown;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export interface WriterEvents {
  /** After each durable group: the log lines and the effects in it. */
  durable(events: readonly EventRecord[], effects: readonly EffectRecord[], txs: readonly Tx[]): void;
  /** During each decision. */
  readonly step?: OnStep;
  /** The lease is gone, or nobody knows what was written: stop deciding and start again from the store. */
  lost(error: StoreError): void;
}

export class Writer {
  readonly book: Book;
  readonly epoch: number;
  readonly audit: AuditLog;
  transactions = 0;
  /** groups[i]: how many transactions held 2^i decisions or more, and fewer than 2^(i+1). */
  readonly groups: number[] = [];
  full = false;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #on: WriterEvents;
  readonly #sequences: Sequences;
  /** How many decisions that are not durable yet touch a circuit. */
  readonly #touching = new Map<CircuitId, number>();
  #queue: Item[] = [];
  /** Arrived while a failed group is being tried again: decided after it, so that the log keeps its order. */
  #deferred: Item[] | undefined;
  #flushing = false;
  #closed: BrokerError | undefined;
  #idle: (() => void)[] = [];

  constructor(
    book: Book,
    epoch: number,
    sequences: Sequences,
    audit: AuditLog,
    ports: { store: Store; clock: Clock; log: Log },
    on: WriterEvents,
  ) {
    this.book = book;
    this.epoch = epoch;
    this.#sequences = sequences;
    this.audit = audit;
    this.#store = ports.store;
    this.#clock = ports.clock;
    this.#log = ports.log;
    this.#on = on;
  }

  /**
   * Decides now, answers when it is durable. What `decide` throws is a refusal that leaves no trace but the
   * decisions before it; a StoredRefusal that it returns is thrown too, once its records are durable. `reduces`: frees room only.
   */
  submit<T>(decide: (tx: Tx) => T | StoredRefusal, reduces = false): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (this.#queue.length >= LONGEST_QUEUE && !reduces) {
      return Promise.reject(
        new BrokerError('OVERLOADED', 'too many requests are waiting for the store', { retry_after_s: 1 }),
      );
    }
    return new Promise<T>((resolve, reject) => {
      const item: Item = {
        decide,
        reduces,
        tx: this.#newTx(),
        outcome: undefined,
        resolve: resolve as (value: unknown) => void,
        reject,
      };
      if (this.#deferred !== undefined) {
        this.#deferred.push(item);
        return;
      }
      if (!this.#run(item)) return;
      if (item.tx.isEmpty) {
        // Nothing to store, but it may have read what is not durable yet: it waits its turn all the same.
        if (this.#queue.length === 0 && !this.#flushing) {
          settle(item);
          return;
        }
      }
      this.#queue.push(item);
      if (!this.#flushing) void this.#flush();
    });
  }

  /** Decides and takes it back: what would happen. */
  preview<T>(decide: (tx: Tx) => T | StoredRefusal): T {
    if (this.#closed !== undefined) throw this.#closed;
    const tx = this.#newTx();
    tx.isPreview = true;
    try {
      const outcome = decide(tx);
      if (outcome instanceof StoredRefusal) throw outcome.problem;
      return outcome;
    } finally {
      tx.rollback();
    }
  }

  /** Is what the book says of the circuit also what the store says? */
  isDurable(id: CircuitId): boolean {
    return !this.#touching.has(id);
  }

  /** Resolves when nothing is waiting for the store. */
  drained(): Promise<void> {
    if (!this.#flushing && this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Turns away everything from now on; what is queued is still written. */
  close(because: BrokerError): void {
    this.#closed ??= because;
  }

  #newTx(): Tx {
    return new Tx(this.book, this.#clock.now(), this.epoch, this.#sequences, this.#on.step);
  }

  /** Runs the decision; false when it refused without a trace and has been answered. */
  #run(item: Item): boolean {
    try {
      item.outcome = item.decide(item.tx);
      item.tx.reduces ||= item.reduces;
      for (const id of item.tx.circuits.keys()) this.#touching.set(id, (this.#touching.get(id) ?? 0) + 1);
      return true;
    } catch (error) {
      if (error instanceof BrokerError && item.tx.decisions.length > 0) {
        // What was decided before it was refused is kept all the same.
        item.outcome = new StoredRefusal(item.tx.refuse(error));
        item.tx.reduces ||= item.reduces;
        return true;
      }
      item.tx.rollback();
      item.reject(error);
      return false;
    }
  }

  async #flush(): Promise<void> {
    this.#flushing = true;
    // Requests that arrived with this one are still being parsed: let them into the first group.
    await nextTurn();
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, this.full ? 1 : LARGEST_GROUP);
      try {
        await this.#write(batch);
      } catch (error) {
        await this.#recover(
          batch,
          error instanceof StoreError ? error : new StoreError('CONFLICT', String(error), { cause: error }),
        );
      }
    }
    this.#flushing = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #write(batch: readonly Item[]): Promise<void> {
    const txs = batch.map((item) => item.tx);
    const group = await this.#commit(txs);
    if (!batch.every((item) => item.tx.isEmpty)) {
      this.transactions++;
      const size = 31 - Math.clz32(batch.length);
      this.groups[size] = (this.groups[size] ?? 0) + 1;
      if (this.full && batch.some((item) => !item.reduces)) {
        this.full = false;
        this.#log.info({ event: 'store.recovered' });
      }
    }
    for (const tx of txs) {
      tx.undo.length = 0;
      this.#letGo(tx);
    }
    this.#on.durable(group.events, group.effects, txs);
    for (const item of batch) settle(item);
  }

  /** The group, durable; or nothing of it in the store nor in the log's tree. */
  async #commit(txs: readonly Tx[]): Promise<Group> {
    try {
      const group = this.#group(txs);
      if (!txs.every((tx) => tx.isEmpty)) await this.#store.commit(group);
      this.audit.kept();
      return group;
    } catch (error) {
      this.audit.takeBack();
      throw error;
    }
  }

  #group(txs: readonly Tx[]): Group {
    const circuits = new Map<string, Group['circuits'][number]>();
    for (const tx of txs) {
      for (const [id, { circuit, isNew }] of tx.circuits) {
        const due = dueAt(circuit);
        circuits.set(id, {
          circuit,
          isNew: isNew || (circuits.get(id)?.isNew ?? false),
          ...(due === undefined ? {} : { due }),
        });
      }
    }
    const topology = txs.findLast((tx) => tx.topology !== undefined)?.topology;
    const tokens = together(txs.map((tx) => tx.tokens));
    const only = txs.length === 1 ? txs[0] : undefined;
    return {
      epoch: this.epoch,
      now: this.#clock.now(),
      circuits: [...circuits.values()],
      events: only?.events ?? txs.flatMap((tx) => tx.events),
      effects: only?.effects ?? txs.flatMap((tx) => tx.effects),
      effectsDone: only?.effectsDone ?? txs.flatMap((tx) => tx.effectsDone),
      decisions: only?.decisions ?? txs.flatMap((tx) => tx.decisions),
      audit: this.audit.form(txs),
      idempotency: txs.flatMap((tx) => tx.idempotency),
      series: txs.flatMap((tx) => tx.series),
      sets: txs.flatMap((tx) => tx.sets),
      webhooks: lastOf(txs.flatMap((tx) => tx.webhooks)),
      webhooksGone: txs.flatMap((tx) => tx.webhooksGone),
      transfers: txs.flatMap((tx) => tx.transfers),
      usage: txs.flatMap((tx) => tx.usage),
      octets: [...new Map(txs.flatMap((tx) => tx.octets).map((one) => [keyOf(one), one])).values()],
      projects: lastOf(txs.flatMap((tx) => tx.projects)),
      quotas: lastOf(txs.flatMap((tx) => tx.quotas)),
      quotasGone: txs.flatMap((tx) => tx.quotasGone),
      domains: [
        ...new Map(txs.flatMap((tx) => tx.domains).map((one) => [one.document.domain, one])).values(),
      ],
      standings: [...new Map(txs.flatMap((tx) => tx.standings).map((one) => [one.domain, one])).values()],
      ...(topology === undefined ? {} : { topology }),
      ...(tokens === undefined ? {} : { tokens }),
      policies: txs.flatMap((tx) => tx.policies),
      activations: txs.flatMap((tx) => tx.activations),
      reduces: txs.every((tx) => tx.reduces),
    };
  }

  async #recover(batch: Item[], error: StoreError): Promise<void> {
    this.#log.error({ event: 'group.failed', size: batch.length, error: error.message });
    const all = [...batch, ...this.#queue];
    this.#queue = [];
    for (let i = all.length - 1; i >= 0; i--) this.#takeBack((all[i] as Item).tx);
    if (isFatal(error)) {
      this.#giveUp(all, error);
      return;
    }
    if (error.kind === 'FULL' && !this.full) {
      this.full = true;
      this.#log.error({ event: 'store.full', error: error.message });
    }
    this.#deferred = [];
    for (const [i, item] of all.entries()) {
      if (!this.#decideAgain(item)) continue;
      try {
        await this.#write([item]);
      } catch (again) {
        this.#takeBack(item.tx);
        const failure =
          again instanceof StoreError ? again : new StoreError('CONFLICT', String(again), { cause: again });
        if (isFatal(failure)) {
          const rest = [...all.slice(i), ...this.#deferred];
          this.#deferred = undefined;
          this.#giveUp(rest, failure);
          return;
        }
        if (failure.kind === 'FULL') this.full = true;
        item.reject(refusalOf(failure));
      }
    }
    const late = this.#deferred;
    this.#deferred = undefined;
    for (const item of late) if (this.#decideAgain(item)) this.#queue.push(item);
  }

  #takeBack(tx: Tx): void {
    this.#letGo(tx);
    tx.rollback();
  }

  #letGo(tx: Tx): void {
    for (const id of tx.circuits.keys()) {
      const left = (this.#touching.get(id) ?? 0) - 1;
      if (left > 0) this.#touching.set(id, left);
      else this.#touching.delete(id);
    }
  }

  #decideAgain(item: Item): boolean {
    item.tx = this.#newTx();
    return this.#run(item);
  }

  #giveUp(items: readonly Item[], error: StoreError): void {
    const refusal =
      error.kind === 'FENCED'
        ? new BrokerError(
            'NOT_LEADER',
            'another instance has taken over',
            { retry_after_s: 2 },
            { cause: error },
          )
        : new BrokerError(
            'STORE_UNAVAILABLE',
            'the store did not answer: whether this was written shows when it is read again',
            { retry_after_s: 2 },
            { cause: error },
          );
    this.#closed = refusal;
    for (const item of items) item.reject(refusal);
    this.#on.lost(error);
  }
}

const isFatal = (error: StoreError): boolean =>
  error.kind === 'FENCED' || error.kind === 'UNAVAILABLE' || error.kind === 'CORRUPT';

function settle(item: Item): void {
  if (item.outcome instanceof StoredRefusal) item.reject(item.outcome.problem);
  else item.resolve(item.outcome);
}

function refusalOf(error: StoreError): Error {
  if (error.kind === 'FULL')
    return new BrokerError(
      'STORE_FULL',
      'nothing was changed: the store has no room',
      { retry_after_s: 30 },
      { cause: error },
    );
  return error;
}

function lastOf<T extends { readonly id: string }>(records: readonly T[]): T[] {
  return [...new Map(records.map((record) => [record.id, record])).values()];
}
