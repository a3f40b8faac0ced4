/**
 * Attacks 62 to 64 without a server: the books balance after any sequence of events, crashes and undoings,
 * no row that breaks a rule is entered, and of fifty that race for the money of one exactly one wins.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Book, firstBadRow, LedgerError, type Transfer } from '../../../src/aaa/ledger/book.ts';
import {
  captureUsed,
  holdFor,
  holdForChange,
  mayExpire,
  priceOf,
  refund,
  settleOn,
  voidAll,
} from '../../../src/aaa/ledger/money.ts';
import { instant, NEVER } from '../../../src/kernel/clock.ts';
import { states } from '../../../src/model/circuit.ts';

const at = instant(1_000);
const of = (circuit: string, project = 'lhc') => ({ circuit, project, at });
const grant = (id: number, amount: number, project = 'lhc'): Transfer => ({
  id,
  at,
  project,
  unit: 'MBIT',
  kind: 'GRANT',
  amount,
});
const hold = (id: number, amount: number, circuit = 'c1'): Transfer => ({
  id,
  at,
  project: 'lhc',
  unit: 'MBIT',
  kind: 'HOLD',
  circuit,
  amount,
});
const enterAll = (book: Book, rows: readonly Transfer[]): void => {
  for (const row of rows) book.enter(row);
};
const bookOf = (...rows: Transfer[]): Book => {
  const book = new Book();
  enterAll(book, rows);
  return book;
};
const verdict = (act: () => unknown): string => {
  try {
    act();
    return 'entered';
  } catch (error) {
    if (error instanceof LedgerError) return error.reason;
    throw error;
  }
};

describe('the life of a hold', () => {
  test('held, captured in part, refunded', () => {
    const book = bookOf(grant(1, 100));
    enterAll(book, holdFor(book, of('c1'), 60));
    expect(book.balance('lhc')).toEqual({ granted: -100, available: 40, held: 60, spent: 0 });
    const captures = captureUsed(book, of('c1'), 25);
    enterAll(book, captures);
    expect(book.balance('lhc')).toEqual({ granted: -100, available: 75, held: 0, spent: 25 });
    enterAll(
      book,
      refund(
        book,
        of('c1'),
        captures.map((c) => c.id),
        10,
      ),
    );
    expect(book.balance('lhc')).toEqual({ granted: -100, available: 85, held: 0, spent: 15 });
  });
  test('what was used beyond the hold is not charged', () => {
    const book = bookOf(grant(1, 100), hold(2, 10));
    enterAll(book, captureUsed(book, of('c1'), 1_000));
    expect(book.balance('lhc')).toMatchObject({ available: 90, spent: 10 });
  });
  test('never lit: all of it comes back', () => {
    const book = bookOf(grant(1, 100), hold(2, 10), hold(3, 5));
    enterAll(book, voidAll(book, of('c1')));
    expect(book.balance('lhc')).toMatchObject({ available: 100, held: 0 });
    expect(voidAll(book, of('c1'))).toEqual([]);
  });
  test('a project without an account is not charged', () => {
    const book = new Book();
    expect([
      holdFor(book, of('c1'), 5),
      captureUsed(book, of('c1'), 5),
      refund(book, of('c1'), [1], 5),
    ]).toEqual([[], [], []]);
  });
  test('the price is bandwidth times time, rounded up; without an end there is none', () => {
    expect(priceOf(10_000, 0, 3_600_000)).toBe(36_000_000);
    expect(priceOf(1, 0, 1)).toBe(1);
    expect(verdict(() => priceOf(10_000, 0, NEVER))).toBe('AMOUNT');
    expect(verdict(() => priceOf(1, 10, 5))).toBe('AMOUNT');
  });
});

describe('a change', () => {
  test.each([
    ['a dearer one holds the larger, and stays there when in force', 90, 90, [90, 90]],
    ['a dearer one that is dropped gives the difference back', 90, 60, [90, 60]],
    ['a cheaper one holds the old until it is in force', 20, 20, [60, 20]],
    ['a cheaper one that is dropped changes nothing', 20, 60, [60, 60]],
    ['a move by the broker to a dearer slot costs no more', undefined, 90, [60, 60]],
  ])('%s', (_, asked, inForce, expected) => {
    const book = bookOf(grant(1, 100), hold(2, 60));
    if (asked !== undefined) enterAll(book, holdForChange(book, of('c1'), asked));
    const during = book.held('c1');
    enterAll(book, settleOn(book, of('c1'), inForce));
    expect([during, book.held('c1')]).toEqual(expected);
    expect(book.sum()).toBe(0);
  });
  test('one that cannot be paid is refused and leaves the old hold', () => {
    const book = bookOf(grant(1, 100), hold(2, 60));
    expect(verdict(() => enterAll(book, holdForChange(book, of('c1'), 101)))).toBe('BALANCE');
    expect(book.held('c1')).toBe(60);
  });
});

describe('attack 63: rows that are not entered', () => {
  const base: Transfer[] = [
    grant(1, 100),
    hold(2, 60),
    hold(3, 20, 'c2'),
    { ...hold(4, 30), kind: 'CAPTURE', hold: 2 } as Transfer,
  ];
  const row = (over: object): Transfer => ({ ...hold(9, 1), ...over }) as Transfer;
  test.each<[string, object, string]>([
    ['an overspend', { kind: 'HOLD', amount: 51 }, 'BALANCE'],
    ['of a project without an account', { kind: 'HOLD', project: 'x' }, 'BALANCE'],
    ['a second capture', { kind: 'CAPTURE', hold: 2 }, 'RESOLVED'],
    ['a void after the capture', { kind: 'VOID', hold: 2, amount: 60 }, 'RESOLVED'],
    ['a capture above its hold', { kind: 'CAPTURE', hold: 3, circuit: 'c2', amount: 21 }, 'EXCEEDS'],
    ['a void of less than its hold', { kind: 'VOID', hold: 3, circuit: 'c2', amount: 19 }, 'EXCEEDS'],
    ['a refund above the capture', { kind: 'REFUND', capture: 4, amount: 31 }, 'EXCEEDS'],
    ['a refund of a hold', { kind: 'REFUND', capture: 3 }, 'UNKNOWN'],
    ['a capture of no hold', { kind: 'CAPTURE', hold: 7 }, 'UNKNOWN'],
    ["a capture of another circuit's hold", { kind: 'CAPTURE', hold: 3, circuit: 'c1' }, 'UNKNOWN'],
    [
      "a capture of another project's hold",
      { kind: 'CAPTURE', hold: 3, circuit: 'c2', project: 'x' },
      'UNKNOWN',
    ],
    ['a negative hold', { kind: 'HOLD', amount: -1 }, 'AMOUNT'],
    ['a hold of nothing', { kind: 'HOLD', amount: 0 }, 'AMOUNT'],
    ['a negative refund', { kind: 'REFUND', capture: 4, amount: -1 }, 'AMOUNT'],
    ['a negative capture', { kind: 'CAPTURE', hold: 3, circuit: 'c2', amount: -1 }, 'AMOUNT'],
    ['a fraction', { kind: 'HOLD', amount: 0.5 }, 'AMOUNT'],
    ['NaN', { kind: 'HOLD', amount: Number.NaN }, 'AMOUNT'],
    ['beyond 2^53', { kind: 'GRANT', amount: 2 ** 53 }, 'AMOUNT'],
    ['a sum beyond 2^53', { kind: 'GRANT', amount: Number.MAX_SAFE_INTEGER }, 'AMOUNT'],
    ['a correction below nothing', { kind: 'GRANT', amount: -51 }, 'BALANCE'],
    ['another unit', { kind: 'HOLD', unit: 'CREDIT' }, 'UNIT'],
    ['a capture in another unit', { kind: 'CAPTURE', hold: 3, circuit: 'c2', unit: 'CREDIT' }, 'UNKNOWN'],
    ['an id that was there', { kind: 'HOLD', id: 4 }, 'ORDER'],
    ['an id that is none', { kind: 'HOLD', id: 9.5 }, 'ORDER'],
  ])('%s', (_, over, reason) => {
    const book = bookOf(...base);
    const before = book.balance('lhc');
    expect(verdict(() => book.enter(row(over)))).toBe(reason);
    expect(book.balance('lhc')).toEqual(before);
    expect(book.lastId).toBe(4);
    expect(firstBadRow([...base, row(over)])).toMatchObject({ id: row(over).id });
  });
  test('a second refund above what is left', () => {
    const book = bookOf(...base, row({ kind: 'REFUND', capture: 4, amount: 20 }));
    expect(verdict(() => book.enter(row({ id: 10, kind: 'REFUND', capture: 4, amount: 11 })))).toBe(
      'EXCEEDS',
    );
    expect(verdict(() => refund(book, of('c1'), [4], 11))).toBe('EXCEEDS');
  });
  test('an edited row is found by reading all', () => {
    expect(firstBadRow(base)).toBeUndefined();
    expect(firstBadRow(base.map((r) => (r.id === 2 ? { ...r, amount: 20 } : r)))).toMatchObject({ id: 4 });
    expect(firstBadRow(base.map((r) => (r.id === 1 ? { ...r, amount: 70 } : r)))).toMatchObject({ id: 3 });
  });
});

describe('attacks 62, 64: races in one writer', () => {
  test('fifty against the money of one', () => {
    const book = bookOf(grant(1, 10));
    const won = Array.from({ length: 50 }, (_, i) =>
      verdict(() => enterAll(book, holdFor(book, of(`c${i}`), 10))),
    );
    expect(won.filter((w) => w === 'entered')).toHaveLength(1);
  });
  test('an expiry and a capture of one hold: the first one stands, in either order', () => {
    for (const order of ['capture first', 'expiry first']) {
      const book = bookOf(grant(1, 100), hold(2, 60));
      const rows = { capture: captureUsed(book, of('c1'), 60), expiry: voidAll(book, of('c1')) };
      const [first, second] =
        order === 'capture first' ? [rows.capture, rows.expiry] : [rows.expiry, rows.capture];
      enterAll(book, first);
      const late = second.map((r) => ({ ...r, id: book.lastId + 1 }));
      expect(verdict(() => enterAll(book, late))).toBe('RESOLVED');
      expect(book.sum()).toBe(0);
    }
  });
  test('the clock takes the money of a circuit that is HELD, and of no other', () => {
    const expired = states.filter((state) => mayExpire({ state, holdExpire: at }, at));
    expect(expired).toEqual(['HELD']);
    expect(mayExpire({ state: 'HELD', holdExpire: instant(at + 1) }, at)).toBe(false);
    expect(mayExpire({ state: 'HELD' }, at)).toBe(false);
  });
});

describe('after any sequence of events, refusals, undoings and restarts', () => {
  const event = fc.record({
    what: fc.constantFrom(
      'grant',
      'hold',
      'change',
      'settle',
      'capture',
      'void',
      'refund',
      'crash',
      'undo',
      'raw',
    ),
    circuit: fc.constantFrom('c1', 'c2', 'c3'),
    project: fc.constantFrom('lhc', 'lhc', 'atlas'),
    amount: fc.integer({ min: -5, max: 60 }),
    id: fc.nat(20),
  });
  test('the books sum to zero, nothing is negative, and the fold of the rows is the same book', () => {
    let entered = 0;
    fc.assert(
      fc.property(fc.array(event, { minLength: 5, maxLength: 40, size: 'max' }), (events) => {
        let rows: Transfer[] = [grant(1, 100), grant(2, 40, 'atlas')];
        let book = bookOf(...rows);
        for (const { what, circuit, project, amount, id } of events) {
          const who = of(`${project}-${circuit}`, project);
          const undos: (() => void)[] = [];
          const before = JSON.stringify(['lhc', 'atlas'].map((p) => book.balance(p)));
          try {
            const next: Transfer[] =
              what === 'grant'
                ? [grant(book.lastId + 1, amount, project)]
                : what === 'hold'
                  ? holdFor(book, who, amount)
                  : what === 'change'
                    ? holdForChange(book, who, amount)
                    : what === 'settle'
                      ? settleOn(book, who, Math.max(0, amount))
                      : what === 'capture' || what === 'undo'
                        ? captureUsed(book, who, amount)
                        : what === 'void'
                          ? voidAll(book, who)
                          : what === 'refund'
                            ? refund(
                                book,
                                who,
                                rows
                                  .filter((r) => r.kind === 'CAPTURE' && r.circuit === who.circuit)
                                  .map((r) => r.id),
                                Math.max(0, amount),
                              )
                            : what === 'raw'
                              ? [
                                  {
                                    ...hold(book.lastId + 1, amount, who.circuit),
                                    project,
                                    kind: 'CAPTURE',
                                    hold: id,
                                  } as Transfer,
                                ]
                              : [];
            for (const row of next) undos.push(book.enter(row));
            if (what === 'undo') {
              for (const undo of undos.reverse()) undo();
              expect(JSON.stringify(['lhc', 'atlas'].map((p) => book.balance(p)))).toBe(before);
            } else {
              rows.push(...next);
              entered += next.length;
            }
          } catch (error) {
            if (!(error instanceof LedgerError)) throw error;
            // A transaction of several rows of which one is refused is undone whole.
            for (const undo of undos.reverse()) undo();
          }
          if (what === 'crash') {
            const again = new Book();
            rows = rows.map((r) => JSON.parse(JSON.stringify(r)) as Transfer);
            for (const row of rows) again.enter(row);
            for (const p of ['lhc', 'atlas']) expect(again.balance(p)).toEqual(book.balance(p));
            book = again;
          }
          expect(book.sum()).toBe(0);
          for (const p of ['lhc', 'atlas']) {
            const { available, held, spent } = book.balance(p);
            expect(Math.min(available, held, spent)).toBeGreaterThanOrEqual(0);
            const open = ['c1', 'c2', 'c3'].reduce((sum, c) => sum + book.held(`${p}-${c}`), 0);
            expect(held).toBe(open);
          }
        }
        expect(firstBadRow(rows)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
    expect(entered).toBeGreaterThan(300);
  });
});
