/**
 * A bounded number of seeds on every run of the tests; `npm run sim` has as many as wanted. And the proof
 * that the checkers check: faults that are planted on purpose are caught within forty seeds.
 */
import { afterEach, describe, expect, it, test, vi } from 'vitest';
import { Broker } from '../../src/broker/broker.ts';
import { Due } from '../../src/broker/due.ts';
import type { EventRecord, Group } from '../../src/broker/ports.ts';
import type { CircuitId } from '../../src/kernel/ids.ts';
import { toSeconds } from '../../src/model/capacity.ts';
import { type Circuit, claims } from '../../src/model/circuit.ts';
import { Fleet } from '../../src/scheduler/laxity/fleet.ts';
import { T0 } from '../support/builders.ts';
import type { Plants } from './node.ts';
import { type SimOptions, simulate } from './world.ts';

const SEEDS = [1, 2, 3, 4];

describe('in a world where anything may fail', () => {
  test.each(SEEDS)('seed %i, two domains: every law holds, and all comes to its end', async (seed) => {
    const result = await simulate({ seed, domains: 2, safetyS: 400 });
    expect(result.violations).toEqual([]);
    // A run in which nothing happened would prove nothing.
    expect(result.circuits).toBeGreaterThan(20);
  });
  test.each([100, 102, 103])('seed %i, one domain, where the most are moved', async (seed) => {
    const result = await simulate({ seed, domains: 1, safetyS: 400 });
    expect(result.violations).toEqual([]);
    expect(result.moves).toBeGreaterThan(0);
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
        stopAt: /./,
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

  test('what is within its notice is taken to be movable', async () => {
    const { advance } = Fleet.prototype;
    vi.spyOn(Fleet.prototype, 'advance').mockImplementation(function (this: Fleet) {
      advance.call(this, 0);
    });
    expect(await caught({})).toMatch(/was moved within its notice/);
  });

  test('a move is told with another slot, for nobody, or not at all', async () => {
    const told = (change: (event: EventRecord) => EventRecord): Plants => ({
      doctor: (group) => ({
        ...group,
        events: group.events.map((event) => (event.type === 'circuit.moved' ? change(event) : event)),
      }),
    });
    const elsewhere = told((event) => ({ ...event, data: { ...event.data, to: event.data['from'] } }));
    expect(await caught(elsewhere)).toMatch(/and told other slots/);
    const forNobody = told(({ data: { for_circuit_id: _, ...data }, ...event }) => ({ ...event, data }));
    expect(await caught(forNobody)).toMatch(/and not told for whom/);
    expect(await caught(told((event) => ({ ...event, type: 'circuit.updated' })))).toMatch(
      /and told circuit.updated/,
    );
  });

  test('somebody is moved for a newcomer who does not come', async () => {
    const orphaned = (event: EventRecord): EventRecord =>
      event.input?.type === 'modify' && event.input.for !== undefined
        ? { ...event, input: { ...event.input, for: 'cir_0000000000none' } }
        : event;
    const plants = { doctor: (group: Group) => ({ ...group, events: group.events.map(orphaned) }) };
    expect(await caught(plants)).toMatch(/who did not come|not told for whom/);
  });

  test('a refusal leaves something behind', async () => {
    const { createCircuit } = Broker.prototype;
    // It claims nothing: nobody but who compares the whole memory can see it.
    vi.spyOn(Broker.prototype, 'createCircuit').mockImplementation(async function (
      this: Broker,
      call,
      request,
    ) {
      return createCircuit.call(this, call, request).catch((error: unknown) => {
        const fleet = this.term?.book.fleet;
        const [one] = fleet?.bookings() ?? [];
        if (one !== undefined) fleet?.put({ ...one, id: 'ghost', movable: false, uses: [] }, []);
        throw error;
      });
    });
    expect(await caught({})).toMatch(/was refused and left/);
  });

  test('those who may be moved are taken to be in the way', async () => {
    const tamper = (broker: Broker): void => {
      const book = broker.term?.book;
      if (book === undefined) return;
      for (const [edge, { mbps }] of book.network.rooms())
        book.fleet.rigid.claim({ edge, mbps, start: toSeconds(T0), end: toSeconds(T0) + 3_600 });
    };
    expect(await caught({ tamper })).toMatch(/is impossible, and it fits/);
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
