import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { instant } from '../../src/kernel/clock.ts';
import { type Edge, EdgeNames, fromSeconds, LAST_SECOND } from '../../src/model/capacity.ts';
import { UNTAGGED } from '../../src/model/label.ts';
import { Calendar, type Share, toShare } from '../../src/scheduler/calendar.ts';

const edge = 0 as Edge;
const other = 1 as Edge;
const SPAN = 60;

const share = fc
  .record({
    edge: fc.constantFrom(edge, other),
    mbps: fc.integer({ min: 0, max: 9 }),
    label: fc.option(fc.constantFrom(UNTAGGED, 2, 3, 31, 32, 4094), { nil: undefined }),
    start: fc.nat(SPAN - 2),
    length: fc.integer({ min: 1, max: 25 }),
  })
  .map(
    ({ label, length, ...rest }): Share => ({
      ...rest,
      end: Math.min(SPAN, rest.start + length),
      ...(label === undefined ? {} : { label }),
    }),
  );

const touches = (s: Share, start: number, end: number): boolean => s.start < end && s.end > start;

function slowFree(live: Share[], on: Edge, room: number, start: number, end: number): number {
  let least = room;
  for (let t = start; t < end; t++) {
    const claimed = live.filter((s) => s.edge === on && touches(s, t, t + 1));
    least = Math.min(least, room - claimed.reduce((sum, s) => sum + s.mbps, 0));
  }
  return Math.max(0, least);
}

function filled(shares: Share[], room: number): Calendar {
  const calendar = new Calendar();
  calendar.setRoom(edge, { mbps: room });
  calendar.setRoom(other, { mbps: room });
  for (const s of shares) calendar.claim(s);
  return calendar;
}

test('free, fits, what is missing, nextOpen, labels and nextLabel answer as counting second by second does', () => {
  fc.assert(
    fc.property(
      fc.array(share, { maxLength: 25 }),
      fc.array(fc.nat(30), { maxLength: 12 }),
      fc.integer({ min: 5, max: 40 }),
      fc.array(share, { minLength: 1, maxLength: 6 }),
      (shares, releases, room, questions) => {
        const calendar = filled(shares, room);
        const live = [...shares];
        for (const pick of releases) {
          const [gone] = live.splice(pick, 1);
          if (gone !== undefined) calendar.release(gone);
        }
        for (const { edge: on, mbps, start, end } of questions) {
          const free = slowFree(live, on, room, start, end);
          expect(calendar.free(on, start, end)).toBe(free);
          expect(calendar.fits(on, mbps, start, end)).toBe(mbps <= free);
          const claimed = (t: number): number =>
            live.filter((s) => s.edge === on && touches(s, t, t + 1)).reduce((sum, s) => sum + s.mbps, 0);
          const over = [];
          for (let t = start; t < end; t++) over.push(Math.max(0, claimed(t) + mbps - room));
          expect(calendar.missing(on, mbps, start, end)).toBe(over.reduce((sum, one) => sum + one));
          const first = over.findIndex((one) => one > 0);
          expect(calendar.firstOver(on, mbps, start, end)).toEqual(
            mbps <= free ? undefined : { at: start + first, mbps: over[first] },
          );
          let open: number | undefined;
          for (let t = start; t <= SPAN && open === undefined; t++) {
            if (slowFree(live, on, room, t, t + (end - start)) >= mbps) open = t;
          }
          expect(calendar.nextOpen(on, mbps, end - start, start)).toBe(open);
          const within = open !== undefined && open <= start + 5 ? open : undefined;
          expect(calendar.nextOpen(on, mbps, end - start, start, start + 5)).toBe(within);
          const labelled = live.filter(
            (s) => s.edge === on && s.label !== undefined && touches(s, start, end),
          );
          const labels = calendar.labels(on, start, end);
          for (const label of [0, 2, 3, 4, 31, 32, 4094]) {
            expect(labels.has(label)).toBe(labelled.some((s) => s.label === label));
          }
          const ends = labelled.map((s) => s.end);
          expect(calendar.nextLabel(on, start, end)).toBe(ends.length > 0 ? Math.min(...ends) : undefined);
        }
      },
    ),
  );
});

test('claim and release undo each other: the profile is what it was', () => {
  fc.assert(
    fc.property(fc.array(share, { maxLength: 30 }), fc.array(share, { maxLength: 30 }), (before, extra) => {
      const calendar = filled(before, 100);
      const was = calendar.profile(edge, 0, SPAN);
      const labels = calendar.labelProfile(edge, 0, SPAN);
      for (const s of extra) calendar.claim(s);
      for (const s of extra.reverse()) calendar.release(s);
      expect(calendar.profile(edge, 0, SPAN)).toEqual(was);
      const sorted = (of: typeof labels) => of.map((c) => `${c.start} ${c.end} ${c.label}`).sort();
      expect(sorted(calendar.labelProfile(edge, 0, SPAN))).toEqual(sorted(labels));
    }),
  );
});

test('the past can be dropped, and what it held released', () => {
  fc.assert(
    fc.property(fc.array(share, { maxLength: 30 }), fc.nat(SPAN), fc.nat(SPAN), (shares, first, second) => {
      const calendar = filled(shares, 100);
      const horizon = Math.max(first, second);
      calendar.dropBefore(Math.min(first, second));
      calendar.dropBefore(horizon);
      for (let t = horizon; t < SPAN; t++) {
        expect(calendar.free(edge, t, t + 1)).toBe(slowFree(shares, edge, 100, t, t + 1));
      }
      for (const s of shares) calendar.release(s);
      expect(calendar.free(edge, horizon, SPAN)).toBe(100);
      expect(calendar.labels(edge, horizon, SPAN).empty).toBe(true);
    }),
  );
});

describe('by hand', () => {
  test('windows are half-open: back to back fits', () => {
    const calendar = filled([{ edge, mbps: 10, label: 5, start: 10, end: 20 }], 10);
    expect(calendar.fits(edge, 10, 20, 30)).toBe(true);
    expect(calendar.fits(edge, 10, 0, 10)).toBe(true);
    expect(calendar.fits(edge, 1, 19, 20)).toBe(false);
    expect(calendar.labels(edge, 20, 30).has(5)).toBe(false);
  });

  test('two bookings of the same start and rate count twice', () => {
    const twin: Share = { edge, mbps: 4, start: 0, end: 10 };
    expect(filled([twin, twin], 10).free(edge, 0, 10)).toBe(2);
  });

  test('an edge without room fits nothing, and less room than is claimed is not negative', () => {
    const calendar = filled([{ edge, mbps: 8, start: 0, end: 10 }], 10);
    expect(calendar.free(2 as Edge, 0, 1)).toBe(0);
    expect(calendar.nextOpen(2 as Edge, 1, 1, 0)).toBe(undefined);
    calendar.setRoom(edge, { mbps: 5 });
    expect(calendar.free(edge, 0, 10)).toBe(0);
    expect(calendar.overbooked(edge, 0)).toEqual([{ start: 0, end: 10, claimed: 8, free: 0 }]);
    expect(calendar.nextOpen(edge, 5, 100, 0)).toBe(10);
  });

  test('a claim without end reaches the last second', () => {
    const names = new EdgeNames();
    const calendar = new Calendar();
    const forever = toShare(names, {
      edge: 'link:l1',
      mbps: 10,
      start: fromSeconds(100),
      end: instant(Number.MAX_SAFE_INTEGER),
    });
    expect(forever.end).toBe(LAST_SECOND);
    calendar.setRoom(forever.edge, { mbps: 10 });
    calendar.claim(forever);
    expect(calendar.nextOpen(forever.edge, 1, 10, 95)).toBe(undefined);
    expect(calendar.nextOpen(forever.edge, 1, 10, 0)).toBe(0);
    calendar.release(forever);
    expect(calendar.fits(forever.edge, 10, 0, LAST_SECOND)).toBe(true);
  });

  test.each([
    ['more than was claimed', { edge, mbps: 9, start: 0, end: 10 }],
    ['a label that nobody has', { edge, mbps: 8, label: 7, start: 0, end: 10 }],
    ['on an edge without claims', { edge: other, mbps: 1, start: 0, end: 10 }],
  ])('releasing %s is a bug, and says so', (_what, wrong: Share) => {
    const calendar = filled([{ edge, mbps: 8, label: 6, start: 0, end: 10 }], 10);
    expect(() => calendar.release(wrong)).toThrow('invariant');
  });

  test('an edge with more points than a flat array likes goes on as blocks, with its past dropped', () => {
    const calendar = filled([], 1_000_000);
    const shares: Share[] = Array.from({ length: 12_000 }, (_, i) => ({
      edge,
      mbps: 1 + (i % 7),
      start: i * 3,
      end: i * 3 + 5,
    }));
    calendar.claim({ edge, mbps: 1, start: 0, end: 50 });
    calendar.dropBefore(100);
    for (const s of shares) calendar.claim(s);
    for (let t = 100; t < 36_000; t += 97) {
      expect(calendar.free(edge, t, t + 50)).toBe(
        slowFree(shares.slice(t / 3 - 5, t / 3 + 25), edge, 1_000_000, t, t + 50),
      );
    }
    calendar.release({ edge, mbps: 1, start: 0, end: 50 });
    for (const s of shares) calendar.release(s);
    expect(calendar.free(edge, 100, LAST_SECOND)).toBe(1_000_000);
  });
});
