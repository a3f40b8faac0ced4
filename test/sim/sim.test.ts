/**
 * A bounded number of seeds on every run of the tests; `npm run sim` has as many as wanted. And the proof
 * that the checkers check: faults that are planted on purpose are caught within forty seeds.
 */
import { afterEach, describe, expect, it, test, vi } from 'vitest';
import { Due } from '../../src/broker/due.ts';
import type { CircuitId } from '../../src/kernel/ids.ts';
import { type Circuit, claims } from '../../src/model/circuit.ts';
import type { Plants } from './node.ts';
import { type SimOptions, simulate } from './world.ts';

const SEEDS = [1, 2, 3, 4, 5, 6];

describe('in a world where anything may fail', () => {
  test.each(SEEDS)('seed %i, two domains: every law holds, and all comes to its end', async (seed) => {
    const result = await simulate({ seed, domains: 2, safetyS: 400 });
    expect(result.violations).toEqual([]);
    // A run in which nothing happened would prove nothing.
    expect(result.circuits).toBeGreaterThan(20);
  });
  test('one domain', async () => {
    expect((await simulate({ seed: 100, domains: 1, safetyS: 400 })).violations).toEqual([]);
  });
  test('three domains', async () => {
    expect((await simulate({ seed: 200, domains: 3, safetyS: 400 })).violations).toEqual([]);
  });
});

it('runs the same way twice from one seed, and another way from another', async () => {
  const run = (seed: number) => simulate({ seed, domains: 2, safetyS: 200, keepTrace: true });
  const [first, again, other] = [await run(7), await run(7), await run(8)];
  expect(again.trace).toEqual(first.trace);
  expect(again.hash).toBe(first.hash);
  expect(other.hash).not.toBe(first.hash);
});

describe('a planted fault is caught within forty seeds', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  async function caught(plants: Plants, options: Partial<SimOptions> = {}): Promise<string | undefined> {
    for (let seed = 1; seed <= 40; seed++) {
      const { violations } = await simulate({
        seed,
        domains: 1,
        safetyS: 600,
        plants,
        stopAtFirst: true,
        ...options,
      });
      if (violations[0] !== undefined) return violations[0];
    }
    return undefined;
  }

  test('holds are not counted', async () => {
    const held = (c: Circuit): boolean => c.state === 'HELD' || c.pending?.phase === 'HOLDING';
    const claimsOf = (c: Circuit) => (held(c) ? [] : claims(c));
    expect(await caught({ seams: { claimsOf } })).toMatch(/the calendar says/);
  });

  test('starts before ends when catching up', async () => {
    const { take } = Due.prototype;
    const ends = (c: Circuit | undefined): boolean => c?.state === 'PROVISIONING' || c?.state === 'ACTIVE';
    let later: CircuitId[] = [];
    let held = false;
    vi.spyOn(Due.prototype, 'take').mockImplementation(function (this: Due, now, limit, circuits) {
      const due = take.call(this, now, limit, circuits);
      const starting = due.filter((id) => !ends(circuits.get(id)));
      const ending = due.filter((id) => ends(circuits.get(id)));
      if (starting.length > 0) {
        later.push(...ending);
        held = true;
        return starting;
      }
      if (held && ending.length === 0) {
        // The starts are written before the first end is looked at.
        held = false;
        return [];
      }
      const all = [...later, ...ending].filter((id) => circuits.has(id));
      later = [];
      return all;
    });
    expect(await caught({})).toMatch(/carries/);
  });
});
