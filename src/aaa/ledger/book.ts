/**
 * The ledger: immutable transfers in two phases, after Diameter Credit-Control (RFC 8506): a hold takes from
 * what is available, and is resolved exactly once, by a capture of what was used or by a void; a refund gives
 * back what was captured. Every transfer moves between accounts, so the books sum to zero at any moment.
 * Book is the fold of the rows and checks every rule again with each: what it refuses was not written by us.
 */

export type Unit = 'MBIT' | 'CREDIT';

interface Row {
  /** Unique, and the order of entry. */
  readonly id: number;
  /** Milliseconds. */
  readonly at: number;
  readonly project: string;
  readonly unit: Unit;
  readonly amount: number;
}
export type Transfer =
  /** Money comes in: a grant, a purchase. May be negative only as a correction that leaves nothing negative. */
  | (Row & { readonly kind: 'GRANT' })
  | (Row & { readonly kind: 'HOLD'; readonly circuit: string })
  /** `amount` of the hold is spent, the rest of it is available again. */
  | (Row & { readonly kind: 'CAPTURE'; readonly circuit: string; readonly hold: number })
  /** `amount` is that of the hold. */
  | (Row & { readonly kind: 'VOID'; readonly circuit: string; readonly hold: number })
  | (Row & { readonly kind: 'REFUND'; readonly circuit: string; readonly capture: number });
export type Hold = Extract<Transfer, { kind: 'HOLD' }>;

export const accounts = ['granted', 'available', 'held', 'spent'] as const;
export type Account = (typeof accounts)[number];
export type Balance = Readonly<Record<Account, number>>;

/** Beyond this a sum of two amounts would no longer be exact. */
export const MAX_AMOUNT = Number.MAX_SAFE_INTEGER;

export const ledgerRefusals = {
  AMOUNT: 'an amount that is not a whole number in range',
  BALANCE: 'more than is available',
  UNIT: 'another unit than the account has',
  UNKNOWN: 'a row that does not exist, or is of something else',
  RESOLVED: 'a hold that was resolved before',
  EXCEEDS: 'more than was held, or captured',
  ORDER: 'rows out of their order',
} as const;
export type LedgerRefusal = keyof typeof ledgerRefusals;

export class LedgerError extends Error {
  override readonly name = 'LedgerError';
  readonly reason: LedgerRefusal;
  constructor(reason: LedgerRefusal, detail: string = ledgerRefusals[reason]) {
    super(detail);
    this.reason = reason;
  }
}

interface Purse {
  readonly unit: Unit;
  readonly balance: Record<Account, number>;
}

type Capture = Extract<Transfer, { kind: 'CAPTURE' }>;
/** Rows of one circuit that later rows may name. */
interface File {
  readonly holds: Map<number, Hold>;
  /** Not resolved, in order of entry. */
  open: readonly Hold[];
  readonly captures: Map<number, { readonly row: Capture; refunded: number }>;
}

/** What is enough of the past to go on from: what it leaves out, no row to come can name. */
export interface BookState {
  readonly lastId: number;
  readonly purses: Iterable<{ readonly project: string; readonly unit: Unit; readonly balance: Balance }>;
  readonly open: Iterable<Hold>;
  readonly captures: Iterable<{ readonly row: Capture; readonly refunded: number }>;
}

const EMPTY: Balance = { granted: 0, available: 0, held: 0, spent: 0 };

export class Book {
  readonly #purses = new Map<string, Purse>();
  readonly #files = new Map<string, File>();
  #last = 0;

  static from(state: BookState): Book {
    const book = new Book();
    book.#last = state.lastId;
    for (const { project, unit, balance } of state.purses)
      book.#purses.set(project, { unit, balance: { ...balance } });
    for (const hold of state.open) {
      const file = book.#file(hold.circuit);
      file.holds.set(hold.id, hold);
      file.open = [...file.open, hold];
    }
    book.recall(state.captures);
    return book;
  }

  /** Captures that a refund is to name. */
  recall(captures: BookState['captures']): void {
    for (const { row, refunded } of captures) this.#file(row.circuit).captures.set(row.id, { row, refunded });
  }

  get lastId(): number {
    return this.#last;
  }
  projects(): IterableIterator<string> {
    return this.#purses.keys();
  }
  balance(project: string): Balance {
    return this.#purses.get(project)?.balance ?? EMPTY;
  }
  unit(project: string): Unit | undefined {
    return this.#purses.get(project)?.unit;
  }
  /** A project without an account is not charged. */
  hasAccount(project: string): boolean {
    return this.#purses.has(project);
  }
  openHolds(circuit: string): readonly Hold[] {
    return this.#files.get(circuit)?.open ?? [];
  }
  held(circuit: string): number {
    return this.openHolds(circuit).reduce((sum, h) => sum + h.amount, 0);
  }
  /** What was captured of a circuit, in order of entry. */
  captures(circuit: string): Capture[] {
    return [...(this.#files.get(circuit)?.captures.values() ?? [])].map(({ row }) => row);
  }
  /** What of a capture can still be given back. */
  refundable(circuit: string, capture: number): number {
    const found = this.#files.get(circuit)?.captures.get(capture);
    return found === undefined ? 0 : found.row.amount - found.refunded;
  }
  /** Everything of the circuit is settled and stored: its rows need no memory any more. */
  forget(circuit: string): void {
    if (this.openHolds(circuit).length === 0) this.#files.delete(circuit);
  }

  /** Zero, always: what was granted is available, held or spent. */
  sum(): number {
    let total = 0;
    for (const { balance } of this.#purses.values())
      for (const account of accounts) total += balance[account];
    return total;
  }

  /**
   * Enters one row, or throws a LedgerError and has changed nothing. The function given back takes it out
   * again; rows are taken out newest first.
   */
  enter(row: Transfer): () => void {
    if (!Number.isSafeInteger(row.id) || row.id <= this.#last) throw new LedgerError('ORDER');
    const least = row.kind === 'GRANT' ? -MAX_AMOUNT : row.kind === 'CAPTURE' ? 0 : 1;
    if (!Number.isSafeInteger(row.amount) || row.amount < least) throw new LedgerError('AMOUNT');
    const undo = this.#post(row);
    const before = this.#last;
    this.#last = row.id;
    return () => {
      this.#last = before;
      undo();
    };
  }

  #post(row: Transfer): () => void {
    switch (row.kind) {
      case 'GRANT':
        return this.#move(row, { granted: -row.amount, available: row.amount });
      case 'HOLD': {
        const undo = this.#move(row, { available: -row.amount, held: row.amount });
        const file = this.#file(row.circuit);
        const before = file.open;
        file.holds.set(row.id, row);
        file.open = [...before, row];
        return () => {
          file.open = before;
          file.holds.delete(row.id);
          undo();
        };
      }
      case 'CAPTURE': {
        const hold = this.#unresolved(row);
        if (row.amount > hold.amount) throw new LedgerError('EXCEEDS', 'the capture is above its hold');
        const rest = hold.amount - row.amount;
        const undo = this.#move(row, { held: -hold.amount, spent: row.amount, available: rest });
        const reopen = this.#closed(hold);
        const { captures } = this.#file(row.circuit);
        captures.set(row.id, { row, refunded: 0 });
        return () => {
          captures.delete(row.id);
          reopen();
          undo();
        };
      }
      case 'VOID': {
        const hold = this.#unresolved(row);
        if (row.amount !== hold.amount) throw new LedgerError('EXCEEDS', 'a void is of the whole hold');
        const undo = this.#move(row, { held: -hold.amount, available: hold.amount });
        const reopen = this.#closed(hold);
        return () => {
          reopen();
          undo();
        };
      }
      case 'REFUND': {
        const capture = this.#files.get(row.circuit)?.captures.get(row.capture);
        if (capture === undefined || !isSame(capture.row, row)) throw new LedgerError('UNKNOWN');
        if (row.amount > capture.row.amount - capture.refunded)
          throw new LedgerError('EXCEEDS', 'the refund is above what was captured');
        const undo = this.#move(row, { spent: -row.amount, available: row.amount });
        capture.refunded += row.amount;
        return () => {
          capture.refunded -= row.amount;
          undo();
        };
      }
    }
  }

  #unresolved(row: Extract<Transfer, { hold: number }>): Hold {
    const file = this.#files.get(row.circuit);
    const hold = file?.holds.get(row.hold);
    if (file === undefined || hold === undefined || !isSame(hold, row)) throw new LedgerError('UNKNOWN');
    if (!file.open.includes(hold)) throw new LedgerError('RESOLVED');
    return hold;
  }

  #file(circuit: string): File {
    const known = this.#files.get(circuit);
    if (known !== undefined) return known;
    const made: File = { holds: new Map(), open: [], captures: new Map() };
    this.#files.set(circuit, made);
    return made;
  }

  #closed(hold: Hold): () => void {
    const file = this.#file(hold.circuit);
    const before = file.open;
    file.open = before.filter((h) => h !== hold);
    return () => {
      file.open = before;
    };
  }

  #move(row: Transfer, change: Partial<Balance>): () => void {
    const known = this.#purses.get(row.project);
    const purse: Purse = known ?? { unit: row.unit, balance: { ...EMPTY } };
    if (known === undefined && row.kind !== 'GRANT')
      throw new LedgerError('BALANCE', 'the project has no account');
    if (purse.unit !== row.unit) throw new LedgerError('UNIT');
    const next: Record<Account, number> = { ...purse.balance };
    for (const account of accounts) {
      next[account] += change[account] ?? 0;
      if (!Number.isSafeInteger(next[account])) throw new LedgerError('AMOUNT', 'the sum is beyond 2^53 - 1');
    }
    if (next.available < 0) throw new LedgerError('BALANCE');
    const before = { ...purse.balance };
    Object.assign(purse.balance, next);
    this.#purses.set(row.project, purse);
    return () => {
      if (known === undefined) this.#purses.delete(row.project);
      else Object.assign(purse.balance, before);
    };
  }
}

const isSame = (a: Transfer, b: Transfer): boolean => a.project === b.project && a.unit === b.unit;

/** The first row that breaks a rule, in words; undefined when all are well. For rows read from an export. */
export function firstBadRow(
  rows: Iterable<Transfer>,
): { readonly id: number; readonly why: string } | undefined {
  const book = new Book();
  for (const row of rows) {
    try {
      book.enter(row);
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      return { id: row.id, why: error.message };
    }
  }
  return undefined;
}

/** The captures among a circuit's rows, and how much of each was given back. */
export function capturesIn(rows: Iterable<Transfer>): { readonly row: Capture; readonly refunded: number }[] {
  const found = new Map<number, { readonly row: Capture; refunded: number }>();
  for (const row of rows) {
    if (row.kind === 'CAPTURE') found.set(row.id, { row, refunded: 0 });
    const of = row.kind === 'REFUND' ? found.get(row.capture) : undefined;
    if (of !== undefined) of.refunded += row.amount;
  }
  return [...found.values()];
}
