/**
 * What the events of a circuit do to the ledger: transfers to enter, worked out from the book as it stands.
 * A hold is made at admission and resolved by the circuit's own end, never by a clock alone; a change by the
 * user holds the larger of both versions until one is in force; a move by the broker never costs more.
 */
import type { InstantMs } from '../../kernel/clock.ts';
import type { Circuit } from '../../model/circuit.ts';
import { type Book, LedgerError, type Transfer } from './book.ts';

export interface MoneyOf {
  readonly project: string;
  readonly circuit: string;
  readonly at: InstantMs;
}

type Draft<T> = T extends Transfer ? Omit<T, 'id' | 'at' | 'project' | 'unit'> : never;

/** Gives rows their ids and places; nothing where the project has no account. */
function rows(book: Book, of: MoneyOf, drafts: readonly Draft<Transfer>[]): Transfer[] {
  const unit = book.unit(of.project);
  if (unit === undefined) return [];
  return drafts.map((draft, i) => ({
    ...draft,
    id: book.lastId + 1 + i,
    at: of.at,
    project: of.project,
    unit,
  }));
}

/** Bandwidth times time, rounded up to a whole Mbit. An endless booking cannot be paid beforehand. */
export function priceOf(mbps: number, startMs: number, endMs: number): number {
  const mbit = Math.ceil((mbps * (endMs - startMs)) / 1000);
  if (!Number.isSafeInteger(mbit) || endMs < startMs || mbit < 0)
    throw new LedgerError('AMOUNT', 'no price for that');
  return mbit;
}

export const holdFor = (book: Book, of: MoneyOf, amount: number): Transfer[] =>
  amount === 0 ? [] : rows(book, of, [{ kind: 'HOLD', circuit: of.circuit, amount }]);

/** The user asks for a change that will cost `next` in all: the larger of both is held until it is decided. */
export const holdForChange = (book: Book, of: MoneyOf, next: number): Transfer[] =>
  holdFor(book, of, Math.max(0, next - book.held(of.circuit)));

/**
 * A version that costs `amount` is in force, or was dropped and the old one is: what is held beyond that is
 * given back. Never takes more; so a move to a dearer slot leaves the price as it was.
 */
export function settleOn(book: Book, of: MoneyOf, amount: number): Transfer[] {
  const open = book.openHolds(of.circuit);
  const held = book.held(of.circuit);
  if (held <= amount) return [];
  const voids = open.map(
    (h): Draft<Transfer> => ({ kind: 'VOID', circuit: of.circuit, hold: h.id, amount: h.amount }),
  );
  const again: Draft<Transfer>[] = amount === 0 ? [] : [{ kind: 'HOLD', circuit: of.circuit, amount }];
  return rows(book, of, [...voids, ...again]);
}

/** Never lit: everything held is given back. */
export const voidAll = (book: Book, of: MoneyOf): Transfer[] => settleOn(book, of, 0);

/** It has ended: `used` is spent, at most what was held; the rest is given back. */
export function captureUsed(book: Book, of: MoneyOf, used: number): Transfer[] {
  if (!Number.isSafeInteger(used) || used < 0) throw new LedgerError('AMOUNT');
  let left = used;
  return rows(
    book,
    of,
    book.openHolds(of.circuit).map((h): Draft<Transfer> => {
      const amount = Math.min(left, h.amount);
      left -= amount;
      return { kind: 'CAPTURE', circuit: of.circuit, hold: h.id, amount };
    }),
  );
}

/** The provider failed: `amount` of what these captures took comes back, the latest first. */
export function refund(book: Book, of: MoneyOf, captures: readonly number[], amount: number): Transfer[] {
  if (!book.hasAccount(of.project)) return [];
  let left = amount;
  const drafts: Draft<Transfer>[] = [];
  for (const capture of [...captures].reverse()) {
    const part = Math.min(left, book.refundable(of.circuit, capture));
    if (part > 0) drafts.push({ kind: 'REFUND', circuit: of.circuit, capture, amount: part });
    left -= part;
  }
  if (left > 0) throw new LedgerError('EXCEEDS', 'the refund is above what was captured');
  return rows(book, of, drafts);
}

/**
 * Only a circuit that is still HELD loses its money to the clock. From COMMITTING on its own events resolve
 * the hold, whatever the time is: a capture and an expiry can never both be right.
 */
export const mayExpire = (circuit: Pick<Circuit, 'state' | 'holdExpire'>, now: InstantMs): boolean =>
  circuit.state === 'HELD' && circuit.holdExpire !== undefined && circuit.holdExpire <= now;
