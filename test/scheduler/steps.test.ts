import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/kernel/random.ts';
import { Steps } from '../../src/scheduler/steps.ts';

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
  firstFit(limit: number, duration: number, from: number, latest: number): number {
    for (let t = from; t <= latest; t++) if (this.max(t, t + duration) <= limit) return t;
    return -1;
  }
}

const SPAN = 80;
const window = fc
  .tuple(fc.nat(SPAN - 2), fc.integer({ min: 1, max: 30 }))
  .map(([start, length]) => [start, Math.min(SPAN, start + length)] as const);

describe('steps', () => {
  test('answer as an array of seconds does', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(window, fc.integer({ min: 1, max: 9 }), fc.boolean()), { maxLength: 40 }),
        fc.array(fc.tuple(window, fc.nat(40), fc.nat(40)), { minLength: 1, maxLength: 10 }),
        (changes, questions) => {
          const steps = new Steps();
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
    const steps = new Steps();
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
    const steps = new Steps();
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
  });
});

test('tens of thousands of operations over many blocks', () => {
  const random = seededRandom(7);
  for (const longest of [20, 400, 4_000]) {
    const steps = new Steps();
    const seconds = new Seconds(16_000);
    const live: [number, number, number][] = [];
    for (let round = 0; round < 6_000; round++) {
      const start = random.int(6_000);
      const end = start + 1 + random.int(longest);
      const draw = random.float();
      if (draw < 0.5) {
        const claim: [number, number, number] = [start, end, 1 + random.int(9)];
        live.push(claim);
        steps.add(...claim);
        seconds.add(...claim);
      } else if (draw < 0.7 && live.length > 0) {
        const [gone] = live.splice(random.int(live.length), 1) as [[number, number, number]];
        steps.add(gone[0], gone[1], -gone[2]);
        seconds.add(gone[0], gone[1], -gone[2]);
      } else if (round % 10 === 0) {
        const limit = random.int(longest / 2 + 20);
        const latest = start + random.int(300);
        expect(steps.max(start, end)).toBe(seconds.max(start, end));
        expect(steps.firstFit(limit, 1 + (end % 50), start, latest)).toBe(
          seconds.firstFit(limit, 1 + (end % 50), start, latest),
        );
      }
    }
    expect(steps.points).toBeGreaterThan(1_000);
    const profile: number[] = [];
    let last = 0;
    steps.each(0, 16_000, (at, value) => {
      expect(at).toBeGreaterThanOrEqual(last);
      last = at;
      profile[at] = value;
    });
    // Every change of value has a point, and there are no others.
    const changes = seconds.values.flatMap((value, t) =>
      t === 0 || value !== seconds.values[t - 1] ? [t] : [],
    );
    expect(Object.keys(profile).map(Number)).toEqual(changes);
    for (const t of changes) expect(profile[t]).toBe(seconds.values[t]);
  }
});
