import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/kernel/random.ts';
import { BlockedSteps } from '../../src/scheduler/blocks.ts';
import { FlatSteps, type Steps } from '../../src/scheduler/steps.ts';

const makers: [string, () => Steps][] = [
  ['flat', () => new FlatSteps()],
  ['blocked', () => BlockedSteps.from(new FlatSteps())],
];

/** One number per second: nothing to get wrong. */
class Seconds {
  readonly values: number[];
  constructor(length: number) {
    this.values = Array.from({ length }, () => 0);
  }
  add(start: number, end: number, by: number): void {
    for (let t = start; t < end; t++) this.values[t] = (this.values[t] as number) + by;
  }
  max(start: number, end: number): number {
    return Math.max(...this.values.slice(start, end));
  }
  min(start: number, end: number): number {
    return Math.min(...this.values.slice(start, end));
  }
  firstFit(limit: number, duration: number, from: number, latest: number): number {
    for (let t = from; t <= latest; t++) if (this.max(t, t + duration) <= limit) return t;
    return -1;
  }
}

const SPAN = 80;
const window = fc
  .tuple(fc.nat(SPAN - 2), fc.integer({ min: 1, max: 30 }))
  .map(([start, length]) => [start, Math.min(SPAN, start + length)] as const);

describe.each(makers)('%s steps', (_name, make) => {
  test('answer as an array of seconds does', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(window, fc.integer({ min: 1, max: 9 }), fc.boolean()), { maxLength: 40 }),
        fc.array(fc.tuple(window, fc.nat(40), fc.nat(40)), { minLength: 1, maxLength: 10 }),
        (changes, questions) => {
          const steps = make();
          const seconds = new Seconds(3 * SPAN);
          const live: [number, number, number][] = [];
          for (const [[start, end], by, undo] of changes) {
            const gone = undo ? live.pop() : undefined;
            if (gone !== undefined) {
              steps.add(gone[0], gone[1], -gone[2]);
              seconds.add(gone[0], gone[1], -gone[2]);
            }
            steps.add(start, end, by);
            seconds.add(start, end, by);
            live.push([start, end, by]);
          }
          for (const [[start, end], limit, slack] of questions) {
            expect(steps.max(start, end)).toBe(seconds.max(start, end));
            expect(steps.min(start, end)).toBe(seconds.min(start, end));
            expect(steps.firstFit(limit, end - start, start, start + slack)).toBe(
              seconds.firstFit(limit, end - start, start, start + slack),
            );
          }
        },
      ),
    );
  });

  test('go back to a single point once everything is released', () => {
    const random = seededRandom(3);
    const steps = make();
    const added = Array.from({ length: 600 }, () => {
      const start = random.int(5_000);
      return { start, end: start + 1 + random.int(900), by: 1 + random.int(9) };
    });
    for (const { start, end, by } of added) steps.add(start, end, by);
    expect(steps.points).toBeGreaterThan(500);
    for (const { start, end, by } of added.reverse()) steps.add(start, end, -by);
    expect(steps.points).toBe(1);
    expect(steps.max(0, 10_000)).toBe(0);
  });

  test('forget the past and nothing else', () => {
    const random = seededRandom(4);
    const steps = make();
    const seconds = new Seconds(4_000);
    let live: [number, number, number][] = [];
    let horizon = 0;
    for (let round = 0; round < 2_000; round++) {
      const start = horizon + random.int(900);
      const claim: [number, number, number] = [start, start + 1 + random.int(200), 1 + random.int(5)];
      steps.add(...claim);
      seconds.add(...claim);
      live.push(claim);
      if (random.chance(0.4)) {
        // Also one that has ended, or is half over, at the horizon.
        const [gone] = live.splice(random.int(live.length), 1) as [[number, number, number]];
        steps.add(gone[0], gone[1], -gone[2]);
        seconds.add(gone[0], gone[1], -gone[2]);
      }
      if (random.chance(0.1)) {
        horizon = Math.min(2_000, horizon + random.int(30));
        steps.dropBefore(horizon);
      }
      const at = horizon + random.int(800);
      expect(steps.max(at, at + 100)).toBe(seconds.max(at, at + 100));
    }
    for (const [start, end, by] of live) steps.add(start, end, -by);
    live = [];
    expect(steps.max(horizon, 4_000)).toBe(0);
    expect(steps.min(horizon, 4_000)).toBe(0);
  });
});

test('flat and blocked agree on tens of thousands of operations', () => {
  const random = seededRandom(7);
  for (const longest of [20, 400, 9_000]) {
    const flat = new FlatSteps();
    const blocked = BlockedSteps.from(new FlatSteps());
    const live: [number, number, number][] = [];
    for (let round = 0; round < 5_000; round++) {
      const start = random.int(20_000);
      const end = start + 1 + random.int(longest);
      const draw = random.float();
      if (draw < 0.45) {
        const claim: [number, number, number] = [start, end, 1 + random.int(9)];
        live.push(claim);
        flat.add(...claim);
        blocked.add(...claim);
      } else if (draw < 0.6 && live.length > 0) {
        const [gone] = live.splice(random.int(live.length), 1) as [[number, number, number]];
        flat.add(gone[0], gone[1], -gone[2]);
        blocked.add(gone[0], gone[1], -gone[2]);
      } else {
        const limit = random.int(60);
        const latest = start + random.int(3_000);
        expect(blocked.max(start, end)).toBe(flat.max(start, end));
        expect(blocked.min(start, end)).toBe(flat.min(start, end));
        expect(blocked.firstFit(limit, end - start, start, latest)).toBe(
          flat.firstFit(limit, end - start, start, latest),
        );
      }
    }
    expect(blocked.points).toBe(flat.points);
    const profile = (steps: Steps): [number, number][] => {
      const seen: [number, number][] = [];
      steps.each(100, 15_000, (at, value) => seen.push([at, value]));
      return seen;
    };
    expect(profile(blocked)).toEqual(profile(flat));
  }
});
