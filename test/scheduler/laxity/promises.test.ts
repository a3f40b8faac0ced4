/**
 * The seven promises over random networks and random days: requests of every kind, cancellations, time that
 * passes. The auditor looks after every step.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededRandom } from '../../../src/kernel/random.ts';
import type { Constraints } from '../../../src/model/circuit.ts';
import type { LabelAsk } from '../../../src/model/label.ts';
import type { Ask } from '../../../src/scheduler/laxity/booking.ts';
import type { Change } from '../../../src/scheduler/laxity/change.ts';
import { type Shape, world as someWorld } from '../../topology/worlds.ts';
import { World } from './world.ts';

type Random = ReturnType<typeof seededRandom>;

function someAsk(world: World, random: Random, id: string): Ask {
  const { ports, links } = world.document;
  const a = random.int(ports.length);
  const z = (a + 1 + random.int(ports.length - 1)) % ports.length;
  const duration = 1 + random.int(8);
  const fixed = random.chance(0.3);
  // Now and then a window that began in the past.
  const notBefore = Math.max(fixed ? world.now : 0, world.now - 3 + random.int(12));
  const deadline = notBefore + duration + (fixed ? 0 : random.int(15));
  const labels = world.document.links[0]?.unlabelled !== true;
  const vlan = (): LabelAsk =>
    labels && random.chance(0.15) ? (random.chance(0.3) ? 'UNTAGGED' : [[2, 3]]) : 'ANY';
  const constraints: Constraints = random.chance(0.15)
    ? random.chance(0.5)
      ? { max_hops: 1 + random.int(3) }
      : { exclude_links: [links[random.int(links.length)]?.id] }
    : {};
  return {
    id,
    a: { port: ports[a]?.id ?? '', vlan: vlan() },
    z: { port: ports[z]?.id ?? '', vlan: vlan() },
    mbps: random.chance(0.3) ? 10 : 1 + random.int(7),
    duration,
    notBefore,
    deadline,
    notice: random.chance(0.5) ? 0 : random.int(4),
    priority: random.int(101),
    movable: !fixed && !random.chance(0.15),
    ...(random.chance(0.15) ? { protected: true } : {}),
    ...(Object.keys(constraints).length === 0 ? {} : { constraints }),
  };
}

/** Over all days: of what has two roads that are held together. */
let pairsMoved = 0;

interface Tally {
  by: Record<string, number>;
  moves: number;
  changed: number;
  maintained: number;
}

function someChange(world: World, random: Random): [id: string, change: Change] {
  const id = world.auditor.ids[random.int(world.auditor.ids.length)] as string;
  const booking = world.fleet.get(id);
  if (booking === undefined) throw new Error(id);
  if (random.chance(0.5)) return [id, { mbps: 1 + random.int(10) }];
  const duration = booking.duration + random.int(4);
  return [id, { duration, deadline: Math.max(booking.deadline, booking.start + duration) + random.int(3) }];
}

function day(seed: number, shape: Shape, steps: number, tally: Tally): string[] {
  const made = someWorld(seed, { ...shape, claims: 0 });
  const unlabelled = shape.vlans === undefined;
  const bare = { unlabelled: true, vlans: undefined };
  const strip = <T extends object>(of: T): T => {
    const { vlans: _none, ...rest } = { ...of, ...bare };
    return rest as unknown as T;
  };
  const world = new World(
    unlabelled
      ? { ...made.document, links: made.document.links.map(strip), ports: made.document.ports.map(strip) }
      : made.document,
  );
  const random = seededRandom(seed + 1);
  for (let step = 0; step < steps; step++) {
    const what = random.float();
    if (what < 0.1) world.pass(world.now + random.int(4));
    else if (what < 0.2 && world.auditor.ids.length > 0)
      world.cancel(world.auditor.ids[random.int(world.auditor.ids.length)] as string);
    else if (what < 0.27 && world.auditor.ids.length > 0) {
      if (world.change(...someChange(world, random))) tally.changed++;
    } else if (what < 0.3) {
      const link = world.document.links[random.int(world.document.links.length)]?.id;
      const start = world.now + random.int(12);
      const slot = { start, end: start + 1 + random.int(6), mbps: 1 + random.int(8) };
      if (world.maintain(`link:${link}`, slot)) tally.maintained++;
    } else {
      const answer = world.request(someAsk(world, random, `c${String(step).padStart(3, '0')}`));
      const name = answer.placed ? answer.by : answer.proof;
      tally.by[name] = (tally.by[name] ?? 0) + 1;
      if (!answer.placed) continue;
      tally.moves += answer.moves.length;
      pairsMoved += answer.moves.filter(({ to }) => to.backup !== undefined).length;
    }
  }
  return world.auditor.breaches;
}

const shapes: [string, Shape, number][] = [
  ['bandwidth alone', { nodes: 5, links: 7, capacity: 10 }, 60],
  ['few labels, no swapping', { nodes: 5, links: 7, capacity: 30, vlans: '2-4', swap: 'NONE' }, 50],
  [
    'each VLAN once in a node',
    { nodes: 5, links: 9, capacity: 30, vlans: '2-4', swap: 'NONE', scope: 'NODE' },
    50,
  ],
  ['labels, some nodes swap', { nodes: 6, links: 9, capacity: 15, vlans: '2-5', swap: 'SOME' }, 50],
];

test.each(shapes)('no promise is broken: %s', (_name, shape, steps) => {
  const tally: Tally = { by: {}, moves: 0, changed: 0, maintained: 0 };
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), (seed) => {
      expect(day(seed, shape, steps, tally)).toEqual([]);
    }),
    { numRuns: 20 },
  );
  // A run in which nothing was ever moved, proven or given up would have shown nothing.
  expect(tally.moves).toBeGreaterThan(10);
  expect(Math.min(tally.changed, tally.maintained)).toBeGreaterThan(3);
  expect(tally.by).toMatchObject({
    DIRECT: expect.any(Number),
    CHAIN: expect.any(Number),
    PROVEN_IMPOSSIBLE: expect.any(Number),
  });
});

test('among those who were moved were some with two roads', () => {
  expect(pairsMoved).toBeGreaterThan(3);
});
