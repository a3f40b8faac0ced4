import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/kernel/random.ts';
import type { Edge } from '../../../src/model/capacity.ts';
import { bookingOf } from '../../../src/scheduler/laxity/booking.ts';
import type { Undo } from '../../../src/scheduler/laxity/fleet.ts';
import { Presence, type Present } from '../../../src/scheduler/laxity/presence.ts';
import { digest } from './auditor.ts';
import { flexible, net, World } from './world.ts';

const line = net(['ab'], { mbps: 100 });

function booked(world: World, start: number, notice = 10) {
  const ask = flexible('t:a', 't:b', 10, 50, [start, 10_000], { notice });
  const answer = world.request(ask);
  if (!answer.placed) throw new Error('it fits');
  return bookingOf(ask, answer.seat, (edge) => world.fleet.network.names.intern(edge));
}

describe('who may no longer move', () => {
  test('everybody whose start is no further away than the notice', () => {
    const world = new World(line);
    const { id } = booked(world, 1_000);
    world.pass(989);
    expect(world.fleet.isRigid(id)).toBe(false);
    world.pass(990);
    expect(world.fleet.isRigid(id)).toBe(true);
  });

  test('also when the start has come nearer since', () => {
    const world = new World(line);
    const booking = booked(world, 1_000);
    world.fleet.put({ ...booking, notBefore: 0, start: 500 }, []);
    world.fleet.advance(490);
    expect(world.fleet.isRigid(booking.id)).toBe(true);
  });

  test('not when it has gone further away', () => {
    const world = new World(line);
    const booking = booked(world, 1_000);
    world.fleet.put({ ...booking, start: 2_000 }, []);
    world.fleet.advance(1_500);
    expect(world.fleet.isRigid(booking.id)).toBe(false);
    world.fleet.advance(1_990);
    expect(world.fleet.isRigid(booking.id)).toBe(true);
  });

  test('an undone move is judged by the time that it is now', () => {
    const world = new World(line);
    const booking = booked(world, 1_000);
    const undo: Undo[] = [];
    world.fleet.put({ ...booking, start: 2_000 }, undo);
    world.fleet.advance(1_500);
    for (const one of undo.reverse()) one();
    expect(world.fleet.get(booking.id)?.start).toBe(1_000);
    expect(world.fleet.isRigid(booking.id)).toBe(true);
    expect(world.fleet.rigid.free(booking.uses[1]?.edge as Edge, 1_000, 1_050)).toBe(90);
  });
});

test('any number of changes, undone newest first, leave what was before', () => {
  const world = new World(line);
  const random = seededRandom(5);
  const ones = Array.from({ length: 6 }, (_, i) => booked(world, 100 * i));
  const before = digest(world.fleet);
  for (let round = 0; round < 50; round++) {
    const undo: Undo[] = [];
    for (let i = 0; i < 12; i++) {
      const one = ones[random.int(ones.length)];
      if (one === undefined) continue;
      const what = random.int(4);
      if (what === 0) world.fleet.drop(one.id, undo);
      else if (what === 1) world.fleet.put({ ...one, start: random.int(3_000) }, undo);
      else if (what === 2) world.fleet.put({ ...one, movable: false }, undo);
      else world.fleet.block({ edge: one.uses[1]?.edge as Edge, mbps: 1, start: i, end: 900 }, undo);
    }
    for (const one of undo.reverse()) one();
    expect(digest(world.fleet)).toBe(before);
  }
});

test('presence answers as looking at everybody does', () => {
  const random = seededRandom(11);
  const edges = [0, 1, 2] as Edge[];
  const presence = new Presence<Present>();
  const all: Present[] = [];
  for (let step = 0; step < 3_000; step++) {
    if (random.chance(0.3) && all.length > 0) {
      const [gone] = all.splice(random.int(all.length), 1);
      if (gone !== undefined) presence.remove(gone);
    } else {
      const start = random.int(2 ** (4 + random.int(24)));
      const one = {
        start,
        end: start + 1 + random.int(2 ** (1 + random.int(22))),
        uses: edges.filter(() => random.chance(0.6)).map((edge) => ({ edge })),
      };
      all.push(one);
      presence.add(one);
    }
    const from = random.int(2 ** 24);
    const to = from + 1 + random.int(2 ** (1 + random.int(27)));
    const edge = edges[random.int(3)] as Edge;
    const seen = new Set<Present>();
    presence.visit(edge, from, to, (one) => seen.add(one));
    const there = all.filter(
      (one) => one.start < to && one.end > from && one.uses.some((use) => use.edge === edge),
    );
    expect(seen).toEqual(new Set(there));
  }
});
