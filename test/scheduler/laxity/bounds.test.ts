/**
 * What is asked in bad faith, or by accident, is answered with bounded work: counted in looks at the calendars,
 * which is what a decision consists of, and not in time.
 */
import { expect, test } from 'vitest';
import { Calendar } from '../../../src/scheduler/calendar.ts';
import { type Ask, bookingOf } from '../../../src/scheduler/laxity/booking.ts';
import { Fleet } from '../../../src/scheduler/laxity/fleet.ts';
import { place } from '../../../src/scheduler/laxity/place.ts';
import { placeVolume } from '../../../src/scheduler/laxity/volume.ts';
import { compile } from '../../../src/topology/compile.ts';
import { fixed, flexible, net } from './world.ts';

const TEN_YEARS = 10 * 365 * 86_400;
/** Looks at the calendars in one decision: every rung to its end, and what is said in a refusal. */
const MOST_LOOKS = 60_000;

class Counting {
  readonly fleet: Fleet;
  looks = 0;

  constructor(links: readonly string[], mbps: number) {
    const network = compile(net(links, { mbps }));
    const calendar = new Calendar();
    for (const [edge, room] of network.rooms()) calendar.setRoom(edge, room);
    this.fleet = new Fleet(network, calendar);
    for (const of of [this.fleet.total, this.fleet.rigid]) {
      for (const name of ['fits', 'free', 'nextOpen', 'profile', 'missing', 'firstOver'] as const) {
        const look = of[name].bind(of) as (...args: unknown[]) => unknown;
        Object.assign(of, {
          [name]: (...args: unknown[]) => {
            this.looks++;
            return look(...args);
          },
        });
      }
    }
  }

  ask(ask: Ask): string {
    const answer = place(this.fleet, ask, 0);
    if (!answer.placed) return answer.proof;
    const intern = (edge: string) => this.fleet.network.names.intern(edge);
    for (const { id, to } of answer.moves) {
      const booking = this.fleet.get(id);
      if (booking !== undefined) this.fleet.put(bookingOf(booking, to, intern), []);
    }
    this.fleet.put(bookingOf(ask, answer.seat, intern), []);
    return answer.by;
  }
}

test('thousands of identical requests at one instant: those that fit, and the rest refused', () => {
  const world = new Counting(['ab', 'bc', 'ca'], 100);
  const told: Record<string, number> = {};
  let most = 0;
  for (let i = 0; i < 2_010; i++) {
    world.looks = 0;
    const outcome = world.ask(flexible('t:a', 't:b', 1, 10, [10, 115]));
    told[outcome] = (told[outcome] ?? 0) + 1;
    most = Math.max(most, world.looks);
  }
  // Two roads of a hundred, ten after one another; five seconds are left, which nobody can use.
  expect(told).toEqual({ DIRECT: 2_000, BUDGET_SPENT: 10 });
  expect(most).toBeLessThan(MOST_LOOKS);
  // Ten steps on three links and two ports; what was refused has left nothing.
  expect(world.fleet.size).toBe(2_000);
  expect(world.fleet.total.points).toBeLessThan(100);
});

test('who asks what has just been refused is refused at once, until something has changed', () => {
  const world = new Counting(['ab', 'bc', 'ca'], 100);
  const question = () => flexible('t:a', 't:b', 60, 10, [10, 45]);
  const outcomes = Array.from({ length: 7 }, () => world.ask(question()));
  expect(outcomes).toEqual([...Array(6).fill('DIRECT'), 'BUDGET_SPENT']);
  world.looks = 0;
  const again = place(world.fleet, question(), 0);
  const few = world.looks;
  expect(few).toBeLessThan(100);

  // The same as somebody hears who is the first to ask it.
  const fresh = new Counting(['ab', 'bc', 'ca'], 100);
  for (const booking of [...world.fleet.bookings()].reverse()) fresh.fleet.put(booking, []);
  fresh.looks = 0;
  expect(place(fresh.fleet, question(), 0)).toEqual(again);
  expect(fresh.looks).toBeGreaterThan(10 * few);

  // Another second, another rate, and a link that is gone and back are other questions.
  const [{ id } = { id: '' }] = world.fleet.bookings();
  const looksFor = (ask: Ask, now: number): number => {
    world.looks = 0;
    place(world.fleet, ask, now);
    return world.looks;
  };
  expect(looksFor(question(), 1)).toBeGreaterThan(few);
  expect(looksFor({ ...question(), mbps: 61 }, 1)).toBeGreaterThan(few);
  expect(looksFor(question(), 1)).toBeLessThan(100);
  world.fleet.network.setOutOfReach([]);
  expect(looksFor(question(), 1)).toBeGreaterThan(few);
  world.fleet.drop(id, []);
  expect(world.ask(question())).toBe('DIRECT');
});

test('a window of ten years among thousands who cannot move, found and not found', () => {
  const world = new Counting(['ab'], 10);
  // Each leaves a gap of five hundred seconds; together they last some two months.
  for (let i = 0; i < 4_000; i++)
    world.fleet.put(
      { ...fixed('t:a', 't:b', 10, [i * 1_500, i * 1_500 + 1_000]), start: i * 1_500, uses: usesOf(world) },
      [],
    );
  world.looks = 0;
  expect(world.ask(flexible('t:a', 't:b', 1, 501, [0, TEN_YEARS]))).toBe('DIRECT');
  expect(world.ask(flexible('t:a', 't:b', 1, 501, [0, 6_000_000]))).toBe('PROVEN_IMPOSSIBLE');
  expect(world.looks).toBeLessThan(MOST_LOOKS);
});

test('a volume that no rate can carry by then', () => {
  const world = new Counting(['ab'], 10);
  const { mbps: _, duration: __, ...ask } = flexible('t:a', 't:b', 1, 1, [0, TEN_YEARS]);
  const answer = placeVolume(world.fleet, { ...ask, volumeBytes: 1e18 }, 0);
  expect(answer).toMatchObject({ placed: false, proof: 'PROVEN_IMPOSSIBLE' });
  expect(world.looks).toBeLessThan(MOST_LOOKS);
});

const usesOf = ({ fleet }: Counting) =>
  ['port:t:a', 'link:ab', 'port:t:b'].map((name) => ({ edge: fleet.network.names.intern(name) }));
