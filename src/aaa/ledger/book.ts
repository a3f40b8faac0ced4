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

const EMPTY: Balance = { granted: 0, available: 0, held: 0, spent: 0 };

export class Book {
  readonly #purses = new Map<string, Purse>();
  readonly #holds = new Map<number, Hold>();
  readonly #captures = new Map<number, { readonly row: Transfer; refunded: number }>();
  /** Of each circuit, in order of entry. */
  readonly #open = new Map<string, Hold[]>();
  #last = 0;

  get lastId(): number {
    return this.#last;
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
    return this.#open.get(circuit) ?? [];
  }
  held(circuit: string): number {
    return this.openHolds(circuit).reduce((sum, h) => sum + h.amount, 0);
  }
  /** What of a capture can still be given back. */
  refundable(capture: number): number {
    const found = this.#captures.get(capture);
    return found === undefined ? 0 : found.row.amount - found.refunded;
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
        this.#holds.set(row.id, row);
        this.#opened(row);
        return () => {
          this.#closed(row);
          this.#holds.delete(row.id);
          undo();
        };
      }
      case 'CAPTURE': {
        const hold = this.#unresolved(row);
        if (row.amount > hold.amount) throw new LedgerError('EXCEEDS', 'the capture is above its hold');
        const rest = hold.amount - row.amount;
        const undo = this.#move(row, { held: -hold.amount, spent: row.amount, available: rest });
        const reopen = this.#closed(hold);
        this.#captures.set(row.id, { row, refunded: 0 });
        return () => {
          this.#captures.delete(row.id);
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
        const capture = this.#captures.get(row.capture);
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
    const hold = this.#holds.get(row.hold);
    if (hold === undefined || !isSame(hold, row)) throw new LedgerError('UNKNOWN');
    if (!this.openHolds(hold.circuit).includes(hold)) throw new LedgerError('RESOLVED');
    return hold;
  }

  #opened(hold: Hold): void {
    this.#open.set(hold.circuit, [...this.openHolds(hold.circuit), hold]);
  }

  #closed(hold: Hold): () => void {
    const before = this.openHolds(hold.circuit);
    const after = before.filter((h) => h !== hold);
    if (after.length === 0) this.#open.delete(hold.circuit);
    else this.#open.set(hold.circuit, after);
    return () => this.#open.set(hold.circuit, [...before]);
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

const isSame = (a: Transfer, b: Transfer): boolean =>
  a.project === b.project && a.unit === b.unit && 'circuit' in a && 'circuit' in b && a.circuit === b.circuit;

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
