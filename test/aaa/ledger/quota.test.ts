/**
 * Quotas beside an oracle that knows only the list of bookings and counts second by second or day by day;
 * and the bill: use by reservation and by counters, statements, CSV.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Transfer } from '../../../src/aaa/ledger/book.ts';
import { type Booking, indexQuotas, type Quota, QuotaBook } from '../../../src/aaa/ledger/quota.ts';
import { Steps } from '../../../src/aaa/ledger/steps.ts';
import { countedUse, reservedUse, statementCsv, statementOf } from '../../../src/aaa/ledger/usage.ts';
import { type InstantMs, instant, NEVER } from '../../../src/kernel/clock.ts';

const day = 86_400_000;
const T = Date.UTC(2026, 4, 30);
const at = (days: number): InstantMs => instant(T + days * day);
const booking = (over: Partial<Booking> = {}, from = 0, to = 1): Booking => ({
  circuit: 'c1',
  project: 'lhc',
  portGroups: [],
  mbps: 100,
  window: { start: at(from), end: at(to) },
  ...over,
});
const quota = (over: Partial<Quota>): Quota => ({
  id: 'q',
  scope: { type: 'PROJECT', id: 'lhc' },
  kind: 'CIRCUITS',
  period: 'LIVE',
  limit: 1,
  ...over,
});
const with_ = (...bookings: Booking[]): QuotaBook => {
  const book = new QuotaBook();
  for (const b of bookings) book.enter(b);
  return book;
};

describe('every kind', () => {
  const one = booking({ circuit: 'c0' });
  test.each<[string, Partial<Quota>, Booking, object | undefined]>([
    ['circuits at once', { limit: 1 }, booking(), { needed: 2 }],
    ['circuits at once, room for one more', { limit: 2 }, booking(), undefined],
    ['circuits in a day', { period: 'DAY' }, booking({}, 0.5, 3), { needed: 2, period: '2026-05-30' }],
    ['circuits that begin another day', { period: 'DAY' }, booking({}, 1, 2), undefined],
    ['circuits in a month', { period: 'MONTH' }, booking({}, 1, 2), { needed: 2, period: '2026-05' }],
    ['circuits in a year', { period: 'YEAR' }, booking({}, 100, 101), { needed: 2, period: '2026' }],
    ['bandwidth at once', { kind: 'BANDWIDTH', limit: 199 }, booking({}, 0.9, 2), { needed: 200 }],
    ['bandwidth one after the other', { kind: 'BANDWIDTH', limit: 100 }, booking({}, 1, 2), undefined],
    [
      'volume of all that is booked',
      { kind: 'VOLUME', limit: 17_279_999 },
      booking({}, 5, 6),
      { needed: 17_280_000 },
    ],
    [
      'volume in a day',
      { kind: 'VOLUME', period: 'DAY', limit: 17_279_999 },
      booking(),
      { needed: 17_280_000, period: '2026-05-30' },
    ],
    [
      'volume in the second of its months',
      { kind: 'VOLUME', period: 'MONTH', limit: 17_280_000 },
      booking({}, 1, 5),
      { needed: 25_920_000, period: '2026-06' },
    ],
    [
      'volume within both of its months',
      { kind: 'VOLUME', period: 'MONTH', limit: 17_280_000 },
      booking({}, 1, 4),
      undefined,
    ],
    [
      'volume without an end',
      { kind: 'VOLUME', limit: 2 ** 50 },
      booking({ window: { start: at(0), end: NEVER } }),
      { needed: Number.MAX_SAFE_INTEGER },
    ],
    ['of another project', { scope: { type: 'PROJECT', id: 'atlas' }, limit: 0 }, booking(), undefined],
    [
      'of a port group',
      { scope: { type: 'PORT_GROUP', id: 'campus' }, limit: 0 },
      booking({ portGroups: ['campus'] }),
      { needed: 1 },
    ],
    [
      'of a port group that it does not touch',
      { scope: { type: 'PORT_GROUP', id: 'campus' }, limit: 0 },
      booking(),
      undefined,
    ],
    ['its own former booking is not in the way', {}, booking({ circuit: 'c0' }, 3, 4), undefined],
  ])('%s', (_, over, b, refusal) => {
    const said = with_(one).check(indexQuotas([quota(over)]), b);
    if (refusal === undefined) expect(said).toBeUndefined();
    else expect(said).toMatchObject(refusal);
  });
  test('what has no end and was there before counts as more than any volume', () => {
    const book = with_(booking({ circuit: 'c0', window: { start: at(0), end: NEVER } }));
    expect(book.check(indexQuotas([quota({ kind: 'VOLUME', limit: 2 ** 50 })]), booking())).toMatchObject({
      needed: Number.MAX_SAFE_INTEGER,
    });
    expect(
      book.check(indexQuotas([quota({ kind: 'VOLUME', period: 'DAY', limit: 17_280_000 })]), booking()),
    ).toBeUndefined();
    expect(
      book.check(indexQuotas([quota({ kind: 'VOLUME', period: 'DAY', limit: 17_279_999 })]), booking()),
    ).toMatchObject({ needed: 17_280_000 });
  });
  test('both ends in one group count once', () => {
    const book = with_(booking({ portGroups: ['campus', 'campus'] }));
    const scope = { type: 'PORT_GROUP', id: 'campus' } as const;
    const needed = (kind: Quota['kind']): number | undefined =>
      book.check(
        indexQuotas([quota({ scope, kind, period: 'LIVE', limit: 0 })]),
        booking({ circuit: 'c2', portGroups: ['campus'] }),
      )?.needed;
    expect(needed('CIRCUITS')).toBe(2);
    expect(needed('BANDWIDTH')).toBe(200);
  });
});

test('attack 62: of fifty that race for a quota of one, one wins', () => {
  const book = new QuotaBook();
  const quotas = [quota({ limit: 1 })];
  const won = Array.from({ length: 50 }, (_, i) => {
    const b = booking({ circuit: `c${i}` });
    if (book.check(indexQuotas(quotas), b) !== undefined) return false;
    book.enter(b);
    return true;
  });
  expect(won.filter(Boolean)).toHaveLength(1);
});

describe('the end of a circuit', () => {
  const quotas = [
    quota({ id: 'day', period: 'DAY' }),
    quota({ id: 'live' }),
    quota({ id: 'volume', kind: 'VOLUME', period: 'DAY', limit: 10_000_000 }),
  ];
  test('one that ran stays counted in its period, for what it used', () => {
    const book = with_(booking({ circuit: 'c0' }));
    book.leave('c0', [{ mbps: 100, window: { start: at(0), end: at(0.25) } }]);
    expect(book.check(indexQuotas(quotas), booking())).toMatchObject({ quota: 'day' });
    expect(book.check(indexQuotas(quotas.slice(1)), booking({}, 0, 0.5))).toBeUndefined();
    expect(book.check(indexQuotas(quotas.slice(1)), booking({}, 0, 0.95))).toMatchObject({ quota: 'volume' });
  });
  test('one that never ran leaves nothing', () => {
    const book = with_(booking({ circuit: 'c0' }));
    book.leave('c0');
    expect(book.check(indexQuotas(quotas), booking())).toBeUndefined();
  });
});

describe('any sequence of entering, moving, leaving and undoing', () => {
  const step = fc.record({
    what: fc.constantFrom('enter', 'enter', 'leave', 'cancel', 'undo'),
    circuit: fc.constantFrom('c1', 'c2', 'c3', 'c4'),
    mbps: fc.integer({ min: 1, max: 5 }),
    from: fc.nat(8),
    length: fc.integer({ min: 1, max: 5 }),
    grouped: fc.boolean(),
  });
  const quarter = day / 4;
  test('is counted as the list of bookings says', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), step, (steps, last) => {
        const book = new QuotaBook();
        const live = new Map<string, Booking>();
        const ended: Booking[] = [];
        const make = (s: typeof last): Booking =>
          booking({
            circuit: s.circuit,
            mbps: s.mbps,
            portGroups: s.grouped ? ['campus'] : [],
            window: { start: instant(T + s.from * quarter), end: instant(T + (s.from + s.length) * quarter) },
          });
        for (const s of steps) {
          const b = make(s);
          if (s.what === 'enter') {
            book.enter(b);
            live.set(b.circuit, b);
          } else if (s.what === 'undo') book.enter(b)();
          else {
            const was = live.get(s.circuit);
            const used = { start: b.window.start, end: b.window.end };
            if (s.what === 'leave') {
              const pieces = [{ mbps: s.mbps, window: used }];
              book.leave(s.circuit, pieces)();
              book.leave(s.circuit, pieces);
              if (was !== undefined) ended.push({ ...was, ...pieces[0] });
            } else book.leave(s.circuit);
            live.delete(s.circuit);
          }
        }
        const b = make(last);
        const others = [...live.values()].filter((o) => o.circuit !== b.circuit);
        for (const scope of [
          { type: 'PROJECT', id: 'lhc' },
          { type: 'PORT_GROUP', id: 'campus' },
        ] as const) {
          const inScope = (o: Booking): boolean =>
            scope.type === 'PROJECT' || o.portGroups.includes('campus');
          if (!inScope(b)) continue;
          const mine = others.filter(inScope);
          const all = [...mine, ...ended.filter(inScope), b];
          const quarters = Array.from({ length: 20 }, (_, i) => T + i * quarter);
          const covers = (o: Booking, t: number): boolean => o.window.start <= t && t < o.window.end;
          const peak = Math.max(
            ...quarters
              .filter((t) => covers(b, t))
              .map((t) => [...mine, b].filter((o) => covers(o, t)).reduce((sum, o) => sum + o.mbps, 0)),
          );
          const needed = (kind: Quota['kind'], period: Quota['period']): number | undefined =>
            book.check(indexQuotas([quota({ scope, kind, period, limit: -1 })]), b)?.needed;
          expect(needed('CIRCUITS', 'LIVE')).toBe(mine.length + 1);
          expect(needed('BANDWIDTH', 'LIVE')).toBe(peak);
          const date = (t: number): string => new Date(t).toISOString().slice(0, 10);
          expect(needed('CIRCUITS', 'DAY')).toBe(
            all.filter((o) => date(o.window.start) === date(b.window.start)).length,
          );
          const first = quarters.filter((t) => date(t) === date(b.window.start));
          expect(needed('VOLUME', 'DAY')).toBe(
            first.reduce(
              (sum, t) =>
                sum + all.filter((o) => covers(o, t)).reduce((s, o) => s + o.mbps * (quarter / 1000), 0),
              0,
            ),
          );
        }
      }),
      { numRuns: 200 },
    );
  });
});

test('steps: what is added and taken away leaves nothing', () => {
  const piece = fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 9 }));
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 30 }),
      fc.array(fc.nat(1000), { maxLength: 30 }),
      (pieces, order) => {
        const steps = new Steps();
        for (const [start, length, amount] of pieces) steps.add(start, start + length, amount);
        const naive = (t: number): number =>
          pieces.filter(([s, l]) => s <= t && t < s + l).reduce((sum, [, , a]) => sum + a, 0);
        for (let t = 0; t < 45; t++) expect(steps.highest(t, t + 1)).toBe(naive(t));
        expect(steps.area(3, 33) * 1000).toBeCloseTo(
          Array.from({ length: 30 }, (_, i) => naive(i + 3)).reduce((a, b) => a + b, 0),
        );
        const shuffled = pieces.map((p, i) => [order[i] ?? i, p] as const).sort((a, b) => a[0] - b[0]);
        for (const [, [start, length, amount]] of shuffled) steps.add(start, start + length, -amount);
        expect(steps.size).toBe(0);
      },
    ),
  );
});

describe('use', () => {
  const window = { start: instant(0), end: instant(3_600_000) };
  test.each([
    ['to the end', undefined, 36_000],
    ['to the release', instant(1_800_000), 18_000],
    ['released before its slot', instant(-5), 0],
    ['released after it', instant(9_000_000), 36_000],
  ])('by reserved time: %s', (_, released, mbit) => {
    expect(reservedUse(10, window, released)).toBe(mbit);
  });
  const sample = (s: number, octets: number) => ({ at: instant(s * 1000), octets });
  test.each<[string, [number, number][], 32 | 64, number]>([
    [
      'a difference',
      [
        [0, 1_000_000],
        [10, 2_000_000],
      ],
      64,
      8,
    ],
    [
      'rounded up',
      [
        [0, 0],
        [10, 1],
      ],
      64,
      1,
    ],
    [
      'a 32-bit counter that turned over',
      [
        [0, 2 ** 32 - 500_000],
        [10, 500_000],
      ],
      32,
      8,
    ],
    [
      'a 64-bit counter that was reset',
      [
        [0, 9_000_000],
        [10, 1_000_000],
      ],
      64,
      8,
    ],
    [
      'no more than fits through',
      [
        [0, 0],
        [10, 10 ** 12],
      ],
      64,
      1_000,
    ],
    ['one sample', [[0, 5]], 64, 0],
    [
      'a clock that stood still',
      [
        [5, 0],
        [5, 10 ** 9],
      ],
      64,
      0,
    ],
  ])('by counters: %s', (_, samples, bits, mbit) => {
    expect(
      countedUse(
        samples.map(([s, o]) => sample(s, o)),
        bits,
        100,
      ),
    ).toBe(mbit);
  });
});

describe('a statement', () => {
  const row = (id: number, at_: number, over: object): Transfer =>
    ({ id, at: at_, project: 'lhc', unit: 'MBIT', circuit: 'c1', ...over }) as Transfer;
  const rows = [
    row(1, 10, { kind: 'GRANT', amount: 1_000 }),
    row(2, 20, { kind: 'HOLD', amount: 300 }),
    row(3, 30, { kind: 'CAPTURE', hold: 2, amount: 100 }),
    row(4, 110, { kind: 'REFUND', capture: 3, amount: 40 }),
    row(5, 120, { kind: 'HOLD', amount: 50, circuit: 'c2' }),
    row(6, 130, { kind: 'HOLD', amount: 70, circuit: 'c3' }),
    row(7, 140, { kind: 'VOID', hold: 6, amount: 70, circuit: 'c3' }),
    row(8, 150, { kind: 'GRANT', amount: 5 }),
    row(9, 160, { kind: 'HOLD', amount: 5, project: 'atlas' }),
    row(10, 210, { kind: 'CAPTURE', hold: 5, amount: 50, circuit: 'c2' }),
  ];
  const statement = statementOf(rows, 'lhc', instant(100), instant(200));
  test('opens, lists and closes', () => {
    expect(statement).toEqual({
      project: 'lhc',
      unit: 'MBIT',
      opening: 900,
      granted: 5,
      lines: [
        { circuit: 'c1', held: 0, captured: 0, refunded: 40, open: 0 },
        { circuit: 'c2', held: 50, captured: 0, refunded: 0, open: 50 },
        { circuit: 'c3', held: 70, captured: 0, refunded: 0, open: 0 },
      ],
      closing: 945,
    });
  });
  test('of nobody is none', () => {
    expect(statementOf(rows, 'belle', instant(0), instant(200))).toBeUndefined();
  });
  test('as CSV, with nothing that a spreadsheet would run', () => {
    const evil = statementOf(
      [
        row(1, 1, { kind: 'GRANT', amount: 9, project: '=1+1' }),
        row(2, 2, { kind: 'HOLD', amount: 9, project: '=1+1', circuit: 'a,"b' }),
      ],
      '=1+1',
      instant(0),
      instant(9),
    );
    expect(evil && statementCsv(evil)).toBe(
      'project,unit,circuit,held,captured,refunded,open\r\n' + `'=1+1,MBIT,"a,""b",9,0,0,9\r\n`,
    );
  });
});
