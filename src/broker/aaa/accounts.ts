/**
 * Who may have how much, and who pays: the quotas, the ledger and the use of each project in the writer's
 * memory. It follows the circuits: what an event does to a circuit, `follow` does here in the same turn, with
 * an undo, so that money, quotas and circuits cannot drift apart. Admission asks `refusal` beforehand.
 */
import { Book, capturesIn, LedgerError, MAX_AMOUNT, type Transfer } from '../../aaa/ledger/book.ts';
import {
  captureUsed,
  holdForChange,
  type MoneyOf,
  priceOf,
  refund,
  settleOn,
  voidAll,
} from '../../aaa/ledger/money.ts';
import { type Booking, indexQuotas, type Quota, QuotaBook } from '../../aaa/ledger/quota.ts';
import { type InstantMs, instant, NEVER } from '../../kernel/clock.ts';
import { BrokerError } from '../../kernel/errors.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import { type Circuit, isFinal, type Placement } from '../../model/circuit.ts';
import type { CircuitEvent } from '../../model/events.ts';
import type { AuditEntry } from '../audit/auditPorts.ts';
import { put } from '../put.ts';
import {
  type AccountsState,
  type Entries,
  type ProjectRecord,
  post,
  type QuotaRecord,
  type UsageRecord,
} from './accountRecords.ts';

/** What an operator did is recorded with his name and his words. */
type Who = Pick<AuditEntry, 'actor' | 'reason'>;

type Slot = Pick<Placement, 'mbps' | 'window'>;

export class Accounts {
  ledger = new Book();
  readonly projects = new Map<string, ProjectRecord>();
  readonly quotas = new Map<string, QuotaRecord>();
  readonly #circuits: ReadonlyMap<CircuitId, Circuit>;
  #index = indexQuotas([]);
  /** Only while there is a quota: without one nobody pays for the counting. */
  #use: QuotaBook | undefined;
  /** Of this year, for quotas of a period. */
  #ended: UsageRecord[] = [];
  #groupsOf: ReadonlyMap<string, readonly string[]> = new Map();
  /** What live circuits have used up at a rate, or in a slot, that they no longer have. */
  readonly #pieces = new Map<CircuitId, readonly UsageRecord[]>();

  constructor(circuits: ReadonlyMap<CircuitId, Circuit>) {
    this.#circuits = circuits;
  }

  // ---- from the store --------------------------------------------------------------------------------------

  /** After the circuits. */
  load(state: AccountsState): void {
    this.ledger = Book.from(state.ledger);
    for (const project of state.projects) this.projects.set(project.id, project);
    for (const quota of state.quotas) this.quotas.set(quota.id, quota);
    this.#index = indexQuotas(this.quotas.values());
    this.#use = this.quotas.size === 0 ? undefined : this.#counted();
  }
  loadUsage(record: UsageRecord): void {
    const circuit = this.#circuits.get(record.circuit);
    if (circuit !== undefined && !isOver(circuit)) {
      this.#pieces.set(record.circuit, [...(this.#pieces.get(record.circuit) ?? []), record]);
      return;
    }
    this.#ended.push(record);
    this.#use?.enterEnded(record);
  }
  /** Of periods that are over nobody asks any more. */
  forgetBefore(at: InstantMs): void {
    this.#ended = this.#ended.filter(({ window }) => window.end > at);
    this.#use?.forget(at);
  }

  // ---- changes by operators --------------------------------------------------------------------------------

  setGroups(groups: readonly { readonly id: string; readonly ports: readonly string[] }[]): void {
    const of = new Map<string, string[]>();
    for (const { id, ports } of groups) for (const port of ports) of.set(port, [...(of.get(port) ?? []), id]);
    this.#groupsOf = of;
  }
  groupsOf(...ports: readonly string[]): string[] {
    return [...new Set(ports.flatMap((port) => this.#groupsOf.get(port) ?? []))];
  }
  setProject(record: ProjectRecord): () => void {
    return put(this.projects, record.id, record);
  }
  setQuota(id: string, record: QuotaRecord | undefined): () => void {
    const before = this.#use;
    const undo = put(this.quotas, id, record);
    this.#index = indexQuotas(this.quotas.values());
    if (this.quotas.size === 0) this.#use = undefined;
    else this.#use ??= this.#counted();
    return () => {
      undo();
      this.#index = indexQuotas(this.quotas.values());
      this.#use = before;
    };
  }
  /** How much of a quota is taken. */
  used(quota: Quota, now: InstantMs): number {
    return this.#use?.used(quota, now) ?? 0;
  }
  /** What each project has booked and not over: one look at every circuit. */
  booked(): ReadonlyMap<string, { readonly circuits: number; readonly mbit: number }> {
    const sums = new Map<string, { readonly circuits: number; readonly mbit: number }>();
    for (const circuit of this.#circuits.values()) {
      const booking = this.#bookingOf(circuit);
      if (booking === undefined) continue;
      const { project, window } = booking;
      const sum = sums.get(project) ?? { circuits: 0, mbit: 0 };
      const mbit = window.end === NEVER ? 0 : mbitOf(booking);
      sums.set(project, { circuits: sum.circuits + 1, mbit: sum.mbit + mbit });
    }
    return sums;
  }
  grant(into: Entries, project: string, amount: number, who: Who): void {
    const unit = this.ledger.unit(project) ?? 'MBIT';
    const row = { id: this.ledger.lastId + 1, at: into.now, project, unit, amount } as const;
    this.#post(into, [{ ...row, kind: 'GRANT' }], who);
  }
  /** Takes a circuit that ended long ago into memory again, from all its rows. */
  recall(circuit: string, rows: readonly Transfer[], undo: (() => void)[]): void {
    if (this.ledger.captures(circuit).length > 0) return;
    this.ledger.recall(capturesIn(rows));
    undo.push(() => this.ledger.forget(circuit));
  }
  refund(
    into: Entries,
    {
      project,
      circuit,
      amount,
    }: { readonly project: string; readonly circuit: string; readonly amount: number },
    who: Who,
  ): void {
    const of = { project, circuit, at: into.now };
    const captures = this.ledger.captures(circuit).map(({ id }) => id);
    this.#post(into, refund(this.ledger, of, captures, amount), who);
  }

  // ---- admission -------------------------------------------------------------------------------------------

  /** Why the project may not have this too; undefined when it may. */
  refusal(
    circuit: CircuitId,
    project: string,
    ports: readonly string[],
    slot: Slot,
  ): BrokerError | undefined {
    const booking = { circuit, project, portGroups: this.groupsOf(...ports), ...slot };
    const over = this.#use?.check(this.#index, booking);
    if (over !== undefined) {
      const { quota: id, kind, limit, needed, period } = over;
      const of = this.quotas.get(id)?.scope;
      const whose = of?.type === 'PORT_GROUP' ? `port group ${of.id}` : `project ${of?.id ?? project}`;
      const when = period === undefined ? '' : ` in ${period}`;
      return exceeded(
        `${whose} may have ${limit} ${unitOf[kind]}${when}, and with this it would be ${needed >= MAX_AMOUNT ? 'without end' : needed}`,
        { id, kind, limit, needed, ...(period === undefined ? {} : { period }) },
      );
    }
    if (!this.ledger.hasAccount(project)) return undefined;
    if (slot.window.end === NEVER)
      return exceeded(`project ${project} pays beforehand: what has no end cannot be paid`, {
        kind: 'BALANCE',
        limit: this.ledger.balance(project).available,
        needed: MAX_AMOUNT,
      });
    const limit = this.ledger.balance(project).available + this.ledger.held(circuit);
    const needed = this.#price(circuit, slot);
    if (needed <= limit) return undefined;
    return exceeded(`project ${project} has ${limit} Mbit left to book, and this takes ${needed}`, {
      kind: 'BALANCE',
      limit,
      needed,
    });
  }

  // ---- the circuits ----------------------------------------------------------------------------------------

  follow(into: Entries, before: Circuit, event: CircuitEvent, after: Circuit): void {
    if (isOver(before)) return;
    if (isOver(after)) this.#close(into, before, after);
    else if (before.current !== after.current || before.pending !== after.pending)
      this.#change(into, before, event, after);
  }

  /** What a live circuit has used since the last row that says so. */
  running(circuit: Circuit, now: InstantMs): UsageRecord | undefined {
    return isOver(circuit) || circuit.state === 'HELD' ? undefined : this.#usedSince(circuit, now);
  }

  /** Everything of it is settled and stored. */
  forget(circuit: CircuitId): void {
    this.ledger.forget(circuit);
  }

  #change(into: Entries, before: Circuit, event: CircuitEvent, after: Circuit): void {
    const of = moneyOf(after, into.now);
    const pays = after.role === 'HOME' && this.ledger.hasAccount(of.project);
    const used = this.#usedSince(before, into.now);
    const spent = used !== undefined && isOtherSlot(before.current, after.current);
    if (spent) {
      this.#meter(into, used);
      if (pays) this.#post(into, captureUsed(this.ledger, of, mbitOf(used)));
    }
    if (this.#use !== undefined) {
      const booking = this.#bookingOf(after);
      into.undo.push(booking === undefined ? this.#use.leave(after.id) : this.#use.enter(booking));
    }
    if (!pays) return;
    const price = Math.max(0, ...counted(after).map((slot) => this.#price(after.id, slot)));
    const asked = event.type === 'place' || (event.type === 'modify' && event.cause === undefined);
    // The capture took what was used out of the hold and gave the rest back: what is ahead is held anew.
    if (asked || spent) {
      const most = this.ledger.held(after.id) + this.ledger.balance(of.project).available;
      this.#post(into, holdForChange(this.ledger, of, Math.min(price, most)));
    }
    if (!isBeingAgreed(after)) this.#post(into, settleOn(this.ledger, of, price));
  }

  #close(into: Entries, before: Circuit, after: Circuit): void {
    const outcome = isFinal(after.state) ? after.state : after.outcome;
    // A hold that ran out, a refusal and a failure of ours cost nothing.
    const charged = outcome === 'ENDED' || outcome === 'CANCELLED';
    const used = charged && before.state !== 'HELD' ? this.#usedSince(before, into.now) : undefined;
    if (used !== undefined) this.#meter(into, used);
    const pieces = charged ? (this.#pieces.get(after.id) ?? []) : [];
    if (this.#use !== undefined) into.undo.push(this.#use.leave(after.id, pieces));
    if (pieces.length > 0) {
      this.#ended.push(...pieces);
      into.undo.push(() => {
        this.#ended = this.#ended.filter((piece) => !pieces.includes(piece));
      });
    }
    into.undo.push(put(this.#pieces, after.id, undefined));
    const of = moneyOf(after, into.now);
    if (after.role !== 'HOME' || !this.ledger.hasAccount(of.project)) return;
    if (used === undefined) this.#post(into, voidAll(this.ledger, of));
    else this.#post(into, captureUsed(this.ledger, of, mbitOf(used)));
    if (outcome !== 'FAILED') return;
    const paid = this.ledger.captures(after.id).map(({ id }) => id);
    const back = paid.reduce((sum, id) => sum + this.ledger.refundable(after.id, id), 0);
    if (back > 0) this.#post(into, refund(this.ledger, of, paid, back));
  }

  /** What the placement in force has kept from others and nobody has entered yet. */
  #usedSince(circuit: Circuit, now: InstantMs): UsageRecord | undefined {
    const { current } = circuit;
    if (current === undefined) return undefined;
    const start = Math.max(current.window.start, this.#pieces.get(circuit.id)?.at(-1)?.window.end ?? 0);
    const end = Math.min(current.window.end, now);
    if (end <= start) return undefined;
    return {
      circuit: circuit.id,
      project: circuit.request.project,
      portGroups: this.groupsOf(circuit.request.a.port, circuit.request.z.port),
      mbps: current.mbps,
      window: { start: instant(start), end: instant(end) },
    };
  }

  #meter(into: Entries, used: UsageRecord): void {
    into.usage.push(used);
    into.undo.push(put(this.#pieces, used.circuit, [...(this.#pieces.get(used.circuit) ?? []), used]));
  }

  /** Of what is still ahead: the part that was used before a change has been paid. */
  #price(circuit: CircuitId, { mbps, window }: Slot): number {
    if (window.end === NEVER) return 0;
    const paid = this.#pieces.get(circuit)?.at(-1)?.window.end ?? 0;
    return priceOf(mbps, Math.min(window.end, Math.max(window.start, paid)), window.end);
  }

  /** Everything that quotas look at, counted anew. */
  #counted(): QuotaBook {
    const use = new QuotaBook();
    for (const circuit of this.#circuits.values()) {
      const booking = this.#bookingOf(circuit);
      if (booking !== undefined) use.enter(booking);
    }
    for (const record of this.#ended) use.enterEnded(record);
    return use;
  }

  #bookingOf(circuit: Circuit): Booking | undefined {
    if (isOver(circuit)) return undefined;
    const slots = counted(circuit);
    if (slots.length === 0) return undefined;
    const { request } = circuit;
    return {
      circuit: circuit.id,
      project: request.project,
      portGroups: this.groupsOf(request.a.port, request.z.port),
      mbps: Math.max(...slots.map(({ mbps }) => mbps)),
      window: {
        start: instant(Math.min(...slots.map(({ window }) => window.start))),
        end: instant(Math.max(...slots.map(({ window }) => window.end))),
      },
    };
  }

  #post(into: Entries, rows: readonly Transfer[], who: Who = {}): void {
    for (const row of rows) {
      const { posting, undo } = post(this.ledger, row);
      into.undo.push(undo);
      into.transfers.push(posting);
      into.record({ ...auditOf(row), ...who });
    }
  }
}

/** The user has nothing more of it, though its light may still be going out. */
const isOver = (c: Circuit): boolean =>
  isFinal(c.state) || (c.state === 'RELEASING' && c.outcome !== undefined && c.outcome !== 'RESERVING');

const isBeingAgreed = ({ pending }: Circuit): boolean =>
  pending !== undefined && pending.phase !== 'RETIRING' && pending.phase !== 'EXPIRED';

/** What is in force, and what is to be. */
const counted = (c: Circuit): Slot[] => [
  ...(c.current === undefined ? [] : [c.current]),
  ...(isBeingAgreed(c) && c.pending !== undefined ? [c.pending.placement] : []),
];

const isOtherSlot = (a: Slot | undefined, b: Slot | undefined): boolean =>
  a?.mbps !== b?.mbps || a?.window.start !== b?.window.start || a?.window.end !== b?.window.end;

const moneyOf = ({ id, request }: Circuit, at: InstantMs): MoneyOf => ({
  project: request.project,
  circuit: id,
  at,
});

const auditOf = (row: Transfer): AuditEntry => ({
  op: `ledger.${row.kind.toLowerCase() as Lowercase<Transfer['kind']>}`,
  project: row.project,
  ...('circuit' in row ? { circuit: row.circuit } : {}),
  transfer: { ...row },
});

const mbitOf = ({ mbps, window }: Slot): number => priceOf(mbps, window.start, window.end);

const unitOf = { CIRCUITS: 'circuits', BANDWIDTH: 'Mb/s', VOLUME: 'Mbit' } as const;

const exceeded = (detail: string, quota: NonNullable<BrokerError['details']['quota']>): BrokerError =>
  new BrokerError('QUOTA_EXCEEDED', detail, { quota });

/** Whatever the ledger refuses of what an operator asked. */
export function ledgerProblem(error: unknown): unknown {
  if (!(error instanceof LedgerError)) return error;
  return new BrokerError('INVALID_REQUEST', error.message, {
    errors: [{ pointer: '/amount_mbit', detail: error.message }],
  });
}
