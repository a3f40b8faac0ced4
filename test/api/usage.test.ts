/** What was kept from others, second by second: a table of histories against a slow count. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type InForce, usageOf } from '../../src/api/wire/usage.ts';
import { NEVER } from '../../src/kernel/clock.ts';
import { aCircuit, aPlacement, at, span } from '../support/builders.ts';

const placed = (since: number, start: number, end: number, mbps: number): InForce => ({
  since: at(since),
  start: at(start),
  end: at(end),
  mbps,
});
const live = (start: number, end: number, mbps: number) =>
  aCircuit({ state: 'ACTIVE', current: aPlacement(1, { window: span(start, end), mbps }) });

describe('usage', () => {
  it('says what was counted, in text that loses nothing', () => {
    const last = { at: at(140), inOctets: 9n, outOctets: 9n, discontinuity: 0, upTicks: 1 };
    const octets = { in: 2n ** 60n + 1n, out: 0n, since: at(100), last, open: true, gaps: 2 };
    const record = {
      circuit: 'cir_1' as never,
      end: 'A',
      device: 'sw1',
      port: '1',
      exclusive: false,
      octets,
    } as const;
    const now = at(150);
    expect(usageOf(live(100, 200, 1), [], now).octets).toBeUndefined();
    expect(usageOf(live(100, 200, 1), [], now, [record]).octets).toEqual([
      {
        end: 'A',
        in: '1152921504606846977',
        out: '0',
        from_time: '2026-01-01T00:01:40Z',
        to_time: '2026-01-01T00:02:20Z',
        exclusive: false,
        complete: false,
      },
    ]);
  });

  it('of one placement is its time so far, times its rate', () => {
    const usage = usageOf(live(100, 200, 1000), [placed(0, 100, 200, 1000)], at(150));
    expect(usage).toMatchObject({
      booked_s: 100,
      booked_mbit: 100_000,
      reserved_s: 50,
      reserved_mbit: 50_000,
    });
  });

  it('of a rate that was changed on the way counts each for as long as it was in force', () => {
    const history = [placed(0, 100, 200, 1000), placed(140, 100, 200, 3000)];
    const usage = usageOf(live(100, 200, 3000), history, at(160));
    expect(usage).toMatchObject({ reserved_s: 60, reserved_mbit: 40_000 + 60_000, booked_mbit: 220_000 });
  });

  it('of a slot that was moved before it began is that of the new slot', () => {
    const history = [placed(0, 100, 200, 1000), placed(50, 300, 400, 1000)];
    expect(usageOf(live(300, 400, 1000), history, at(250)).reserved_s).toBe(0);
    expect(usageOf(live(300, 400, 1000), history, at(350)).reserved_s).toBe(50);
  });

  it('ends when the circuit gave the rest of its slot up', () => {
    const ended = {
      ...live(100, 200, 1000),
      state: 'ENDED' as const,
      actualEnd: at(130),
      updateTime: at(131),
    };
    const usage = usageOf(ended, [placed(0, 100, 200, 1000)], at(500));
    expect(usage.reserved_s).toBe(30);
  });

  it('without an end has no booked time', () => {
    const c = aCircuit({
      state: 'ACTIVE',
      current: aPlacement(1, { window: { start: at(100), end: NEVER }, mbps: 5 }),
    });
    const usage = usageOf(c, [{ since: at(0), start: at(100), end: NEVER, mbps: 5 }], at(110));
    expect(usage).toMatchObject({ reserved_mbit: 50 });
    expect(usage).not.toHaveProperty('booked_s');
  });

  it('is what a count of every second says', () => {
    const second = fc.integer({ min: 0, max: 60 });
    const change = fc.tuple(second, second, fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 9 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 5 }), second, (changes, now) => {
        const history = changes
          .map(([since, start, length, mbps]) => placed(since, start, start + length, mbps))
          .sort((x, y) => x.since - y.since);
        let mbit = 0;
        for (let s = 0; s < now; s++) {
          // Before the first was asked for it counts all the same: see there.
          const last = history.findLast((one) => one.since <= at(s)) ?? history[0];
          if (last !== undefined && last.start <= at(s) && at(s) < last.end) mbit += last.mbps;
        }
        const { window, mbps } = aPlacement(1);
        const c = live((window.start - at(0)) / 1000, (window.end - at(0)) / 1000, mbps);
        expect(usageOf(c, history, at(now)).reserved_mbit).toBe(mbit);
      }),
    );
  });
});
