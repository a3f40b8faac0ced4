/**
 * One term of office: from taking the lease to losing it. A term begins by folding the store into a book and
 * ends with everything it started; whatever comes after begins again from the store. A restart, a takeover
 * and a store that did not answer are all the same: a new term.
 */
import type { Checkpoint } from '../aaa/merkle/note.ts';
import { type Cancel, every, type InstantMs, instant } from '../kernel/clock.ts';
import { textOf } from '../kernel/errors.ts';
import type { CircuitId } from '../kernel/ids.ts';
import { toSeconds } from '../model/capacity.ts';
import { type Circuit, finalStates, isFinal } from '../model/circuit.ts';
import { Authoriser } from './aaa/authorise.ts';
import { inForceOf } from './aaa/policy.ts';
import { AbroadOffice } from './abroad/abroadOffice.ts';
import { CurrentPeers } from './abroad/currentPeers.ts';
import { AuditLog } from './audit/auditLog.ts';
import { type OpenedLog, openLog } from './audit/auditStart.ts';
import { Checkpointer } from './audit/checkpointer.ts';
import { type Confronted, confront } from './audit/confront.ts';
import { Book } from './book.ts';
import type { BrokerPorts } from './brokerPorts.ts';
import { EarlyLight } from './circuits/early.ts';
import { OfferDesk } from './circuits/offerDesk.ts';
import { Restorer } from './circuits/restore.ts';
import { Meter } from './devices/meter.ts';
import { darkPorts, type KnownPorts, linkStates } from './devices/portStates.ts';
import { reconcile } from './devices/reconcile.ts';
import { Lanes } from './lanes.ts';
import { Performer } from './perform.ts';
import type { EventRecord, StoreError, TopologyRecord } from './ports.ts';
import { Settler } from './settle.ts';
import { TokenDesk } from './tokens/tokenDesk.ts';
import { Writer } from './writer.ts';

/** How often what is desired is compared with what is there. */
const RECONCILE_MS = 300_000;
/** Long enough that one commotion on a device is one look at it. */
const COMPARE_SOON_MS = 1_000;
/** How often expired keys and tombstones are swept out of memory. */
const SWEEP_MS = 600_000;
const DAY_MS = 86_400_000;
/** So long before its start a circuit may have been lit, and so long after its end have gone out. */
const EARLIEST_LIGHT_MS = 60_000;
const LONGEST_DARKENING_MS = 3_600_000;

export interface TermEvents {
  events(records: readonly EventRecord[]): void;
  lost(error: StoreError): void;
}

export class Term {
  readonly epoch: number;
  readonly book: Book;
  readonly writer: Writer;
  readonly lanes: Lanes;
  readonly abroad: AbroadOffice;
  readonly authoriser: Authoriser;
  readonly checkpointer: Checkpointer;
  readonly offers = new OfferDesk();
  /** By domain: messages that nobody answered until they no longer mattered. */
  readonly givenUp = new Map<string, number>();
  readonly tokens: TokenDesk | undefined;
  readonly #opened: OpenedLog;
  readonly #settler: Settler;
  readonly #restorer: Restorer;
  readonly #meter: Meter;
  readonly #early: EarlyLight;
  readonly #ports: BrokerPorts;
  readonly #cancels: Cancel[] = [];
  #comparing: Cancel | undefined;
  #over = false;

  private constructor(
    epoch: number,
    book: Book,
    sequences: { event: number; effect: number },
    opened: OpenedLog,
    ports: BrokerPorts,
    on: TermEvents,
  ) {
    this.epoch = epoch;
    this.book = book;
    this.#ports = ports;
    this.authoriser = new Authoriser(ports.random);
    this.tokens = ports.tokens && new TokenDesk(ports.tokens, book, ports.random);
    const audit = new AuditLog(ports.domain, ports.random, opened.tree);
    this.#opened = opened;
    this.writer = new Writer(book, epoch, sequences, audit, ports, {
      durable: (events, effects, txs) => {
        this.lanes.push(effects);
        for (const tx of txs) for (const id of tx.circuits.keys()) this.#forget(id);
        this.abroad.look(txs);
        this.#settler.wake();
        this.checkpointer.wake();
        if (txs.some((tx) => tx.topology !== undefined || tx.domains.length > 0)) this.#restorer.renew();
        for (const tx of txs) {
          this.#restorer.look(tx.circuits.keys());
          this.#early.look(tx.circuits.keys());
        }
        if (events.length > 0) on.events(events);
      },
      step: (tx, before, after) => this.tokens?.step(tx, before, after),
      lost: (error) => {
        this.end();
        on.lost(error);
      },
    });
    this.checkpointer = new Checkpointer(
      this.writer,
      opened,
      { clock: ports.clock, keeper: ports.audit },
      (checkpoint) => ports.onCheckpoint?.(checkpoint),
    );
    const peers = new CurrentPeers(ports.peers, this.writer, ports);
    this.abroad = new AbroadOffice(
      this.writer,
      this.authoriser,
      { ...ports, peers },
      {
        tokens: this.tokens,
        outstanding: (id) => this.lanes.outstanding(id),
      },
    );
    this.#settler = new Settler(this.writer, this.abroad.scout, ports);
    this.#restorer = new Restorer(this.writer, ports);
    this.#meter = new Meter(this.writer, ports);
    this.#early = new EarlyLight(this.writer, ports);
    const around = { ...ports, peers, meter: this.#meter, givenUp: this.givenUp, desk: this.tokens };
    const performer = new Performer(this.writer, around, () => this.lanes.nudge());
    this.lanes = new Lanes(
      ports.clock,
      ports.random,
      (effect, attempt, answered, isFirst) => performer.perform(effect, attempt, answered, isFirst),
      (id) => this.#forget(id),
    );
  }

  /** Folds the store. Nothing is carried out before run(). */
  static async begin(
    epoch: number,
    topology: TopologyRecord,
    ports: BrokerPorts,
    on: TermEvents,
  ): Promise<Term> {
    const { store, clock } = ports;
    const counters = await store.counters();
    clock.raise?.(counters.clock);
    const opened = await openLog(store, ports.domain, ports.audit);
    const book = new Book(topology, ports.seams, ports.policy);
    const noUndo: (() => void)[] = [];
    for await (const page of ahead(store.liveCircuits())) {
      for (const circuit of page) book.put(circuit, noUndo);
      noUndo.length = 0;
    }
    book.accounts.load(await store.accounts());
    for await (const page of store.usage({ from: yearOf(clock.now()), live: true }))
      for (const used of page) book.accounts.loadUsage(used);
    for (const circuit of await tombstones(ports)) book.put(circuit, noUndo);
    for await (const circuit of ended(ports)) book.rests.note(undefined, circuit);
    for await (const page of store.idempotencyKeys(clock.now())) {
      for (const key of page)
        book.setKey(
          key.key,
          { principal: key.principal, bodyHash: key.bodyHash, expire: key.expireTime, pending: false },
          noUndo,
        );
      noUndo.length = 0;
    }
    for (const hook of await store.webhooks()) book.setWebhook(hook, noUndo);
    for (const record of await store.domains()) book.setDomain(record, noUndo);
    for (const standing of await store.standings()) book.setStanding(standing, noUndo);
    const active = await store.activePolicy();
    if (active !== undefined) {
      const inForce = inForceOf(active.policy);
      book.rules.activate(active.activation, inForce, noUndo);
      if ('closed' in inForce) ports.log.error({ event: 'policy.closed', detail: inForce.closed });
    }
    const sequences = { event: counters.eventSeq, effect: counters.effectSeq };
    book.tokens.fold(await store.tokens(clock.now()));
    const term = new Term(epoch, book, sequences, opened, ports, on);
    for await (const page of store.pendingEffects()) term.#loaded.push(...page);
    term.#meter.start(ports.devices.counters === undefined ? [] : await store.octets());
    return term;
  }
  readonly #loaded: Parameters<Lanes['push']>[0][number][] = [];

  /** Takes up the work: effects that were left, circuits that are due, a look at what the devices really have. */
  run(): void {
    this.lookWhoAnswers();
    this.lanes.push(this.#loaded.splice(0));
    this.#settler.wake();
    this.abroad.run();
    this.#restorer.wake();
    this.#goOn();
    this.#compare();
    this.#early.start();
    this.#cancels.push(
      every(this.#ports.clock, RECONCILE_MS, () => this.#compare()),
      every(this.#ports.clock, SWEEP_MS, () => this.#sweep()),
    );
  }

  /** Signs what the last term left, and first tells of the log that this one continues. */
  #goOn(): void {
    const { continues, signer } = this.#opened;
    // A term that ends before this is durable is followed by one that says it again.
    if (continues !== undefined && signer !== undefined)
      this.#tellOfContinuing(continues.reason, continues.from, signer.name).catch(() => {});
    this.#askWitnesses()
      .catch((error: unknown) =>
        this.#ports.log.warn({ event: 'settle.failed', error: `witnesses: ${textOf(error)}` }),
      )
      .finally(() => this.checkpointer.begin());
  }

  async #askWitnesses(): Promise<void> {
    if (this.signer === undefined) return;
    for (const { by, note } of (await this.#ports.testimonies?.()) ?? []) await this.confronted(by, note);
  }

  /** A witness shows what it has seen of our log. If we cannot show it, the log goes on under a new name. */
  async confronted(by: string, text: string): Promise<Confronted> {
    const { signer } = this;
    if (signer === undefined) return 'NOT_OURS';
    const found = await confront(text, signer, this.writer.audit.durable, this.#ports.store);
    if (typeof found === 'string') return found;
    // Another witness said it first.
    if (this.signer !== signer) return 'CONTINUED';
    const reason = `${by} has seen ${found.detail}`;
    this.#ports.log.error({ event: 'audit.behind', witness: by, detail: reason });
    const next = this.checkpointer.goOn(found.from, signer);
    await this.#tellOfContinuing(reason, found.from, next.name, { peer: by });
    return 'CONTINUED';
  }

  #tellOfContinuing(
    reason: string,
    from: Checkpoint,
    effect: string,
    by: { readonly peer?: string } = {},
  ): Promise<void> {
    const ask = { origin: from.origin, size: from.size, root: from.root.toString('base64') };
    return this.writer.submit((tx) => tx.record({ op: 'log.continue', reason, effect, ask, ...by }));
  }

  /** Ends what this term started; nothing that is under way is waited for. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    for (const cancel of this.#cancels) cancel();
    this.#comparing?.();
    this.checkpointer.stop();
    this.#settler.stop();
    this.abroad.stop();
    this.#restorer.stop();
    this.#meter.stop();
    this.#early.stop();
    this.lanes.stop();
  }

  /** Searches keep to devices that take orders. */
  lookWhoAnswers(): void {
    this.book.setOutOfReach(this.#ports.devices.outOfReach?.() ?? []);
  }

  /** A device has told of its ports: links follow, and circuits whose own port it is. */
  async portStates(known: KnownPorts, device: string, ports: ReadonlySet<string>): Promise<void> {
    const { document } = this.book.topology;
    this.book.darkPorts = darkPorts(document, known);
    if (linkStates(document, known, device, ports).size > 0) {
      await this.writer.submit((tx) => {
        const { version, document: now } = tx.book.topology;
        const states = linkStates(now, known, device, ports);
        if (states.size === 0) return;
        const links = now.links.map((link) => {
          const state = states.get(link.id);
          return state === undefined ? link : { ...link, oper_state: state };
        });
        tx.setTopology({ version: version + 1, time: tx.now, document: { ...now, links } });
      }, true);
    }
    this.#restorer.renew();
  }

  /** Who signs the audit log, if anybody does. */
  get signer(): OpenedLog['signer'] {
    return this.checkpointer.signer;
  }

  settleNow(): void {
    this.#settler.wake();
  }

  /** Compares soon; however often it is asked meanwhile, once. */
  compareNow(): void {
    if (this.#over || this.#comparing !== undefined) return;
    const { clock } = this.#ports;
    this.#comparing = clock.alarm(instant(clock.now() + COMPARE_SOON_MS), () => {
      this.#comparing = undefined;
      this.#compare();
    });
  }

  #compare(): void {
    if (this.#over) return;
    reconcile(this.writer, this.#ports).catch((error: unknown) => {
      this.#ports.log.warn({
        event: 'settle.failed',
        error: `reconcile: ${textOf(error)}`,
      });
    });
  }

  /** A final circuit with nothing left to do needs no memory; a participant's is its own tombstone for a while. */
  #forget(id: CircuitId): void {
    const circuit = this.book.circuits.get(id);
    if (circuit === undefined || !isFinal(circuit.state) || this.lanes.outstanding(id) > 0) return;
    // Its last state may come with a goodbye that is not in a lane yet.
    if (!this.writer.isDurable(id)) return;
    if (circuit.home !== undefined && circuit.home.keepUntil > this.#ports.clock.now()) return;
    this.book.forget(id);
  }

  #sweep(): void {
    const now = this.#ports.clock.now();
    // What is past can no longer be claimed; without this the calendars would grow for ever.
    this.book.calendar.dropBefore(toSeconds(now));
    this.book.accounts.forgetBefore(yearOf(now));
    this.book.tokens.forget(now);
    for (const [key, state] of this.book.keys) if (state.expire <= now) this.book.keys.delete(key);
    for (const [id, circuit] of this.book.circuits) if (circuit.role === 'PARTICIPANT') this.#forget(id);
  }
}

/** No quota reaches further back. */
const yearOf = (now: InstantMs): InstantMs => instant(Date.UTC(new Date(now).getUTCFullYear(), 0));

/** Asks for the next page while the one before is being entered. */
async function* ahead<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
  const pages = source[Symbol.asyncIterator]();
  let next = pages.next();
  for (;;) {
    const page = await next;
    if (page.done === true) return;
    next = pages.next();
    // Whoever leaves early has an error of his own; this one must not end the process.
    next.catch(() => {});
    yield page.value;
  }
}

/** Whose labels at borders may still rest: what was lit and has ended, on time or before. */
async function* ended({ store, clock }: BrokerPorts): AsyncGenerator<Circuit> {
  const now = clock.now();
  let after: string | undefined;
  do {
    const page = await store.circuits({
      role: 'HOME',
      states: finalStates,
      startBefore: instant(now + EARLIEST_LIGHT_MS),
      endFrom: instant(now - LONGEST_DARKENING_MS),
      sort: 'end_time',
      limit: 500,
      ...(after === undefined ? {} : { after }),
    });
    yield* page.items;
    after = page.next;
  } while (after !== undefined);
}

/** Final participants that must still answer CLOSED to a late message. */
async function tombstones(ports: BrokerPorts): Promise<Circuit[]> {
  const kept: Circuit[] = [];
  const now = ports.clock.now();
  let after: string | undefined;
  do {
    const page = await ports.store.circuits({
      role: 'PARTICIPANT',
      states: finalStates,
      endFrom: instant(now - DAY_MS),
      sort: 'create_time',
      limit: 500,
      ...(after === undefined ? {} : { after }),
    });
    kept.push(...page.items.filter((c) => c.home !== undefined && c.home.keepUntil > now));
    after = page.next;
  } while (after !== undefined);
  return kept;
}
