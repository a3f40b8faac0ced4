/** Requests that leave more than the slot open: a rate, a choice of offers, several circuits at once. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { offers } from '../../../src/scheduler/laxity/offers.ts';
import { placeSet } from '../../../src/scheduler/laxity/sets.ts';
import { placeVolume, secondsFor, type VolumeAsk } from '../../../src/scheduler/laxity/volume.ts';
import { digest } from './auditor.ts';
import { fixed, flexible, net, World } from './world.ts';

const line = net(['ab'], { mbps: 10 });
const MEGABYTE = 125_000;

/** `megabits` from a to b. */
function volume(
  megabits: number,
  window: readonly [number, number],
  more: Partial<VolumeAsk> = {},
): VolumeAsk {
  const { mbps: _mbps, duration: _duration, ...ask } = flexible('t:a', 't:b', 1, 1, window);
  return { ...ask, volumeBytes: megabits * MEGABYTE, ...more };
}

function asked<T>(world: World, ask: () => T): T {
  world.fleet.advance(world.now);
  const before = digest(world.fleet);
  const answer = ask();
  expect(digest(world.fleet)).toBe(before);
  return answer;
}

describe('VOLUME', () => {
  test('on an empty line it goes at the highest rate at once', () => {
    const world = new World(line);
    const answer = asked(world, () => placeVolume(world.fleet, volume(100, [0, 100]), 0));
    expect(answer).toMatchObject({ placed: true, seat: { start: 0, end: 10, mbps: 10 } });
  });

  test('a slower rate that begins now beats a faster one that has to wait', () => {
    const world = new World(line);
    world.request(fixed('t:a', 't:b', 4, [0, 30]));
    const answer = asked(world, () => placeVolume(world.fleet, volume(60, [0, 100]), 0));
    expect(answer).toMatchObject({ placed: true, seat: { start: 0, end: 10, mbps: 6 } });
  });

  test('others make room when no rate fits as things are', () => {
    const world = new World(line);
    const one = flexible('t:a', 't:b', 10, 10, [0, 100]);
    world.request(one);
    world.pass(0);
    const later = flexible('t:a', 't:b', 10, 10, [10, 100]);
    world.request(later);
    const ask = volume(100, [10, 20]);
    const answer = asked(world, () => placeVolume(world.fleet, ask, 0));
    expect(answer).toMatchObject({ placed: true, seat: { start: 10, mbps: 10 }, moves: [{ id: later.id }] });
  });

  test('what no rate can carry in the window is proven impossible, with what is missing', () => {
    const world = new World(line);
    const answer = asked(world, () => placeVolume(world.fleet, volume(1_000, [0, 50], { maxMbps: 10 }), 0));
    expect(answer).toMatchObject({
      placed: false,
      proof: 'PROVEN_IMPOSSIBLE',
      reason: 'WINDOW',
      shortfall: 50,
    });
  });

  test('finishes as early as trying every rate and every start does', () => {
    const claims = fc.array(
      fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 6 })),
      {
        maxLength: 8,
      },
    );
    fc.assert(
      fc.property(claims, fc.integer({ min: 1, max: 90 }), (taken, megabits) => {
        const world = new World(line);
        for (const [start, length, mbps] of taken)
          world.request(fixed('t:a', 't:b', mbps, [start, start + length]));
        const ask = volume(megabits, [0, 40], { maxMbps: 10 });
        const edge = world.fleet.network.names.intern('link:ab');
        let best = Number.POSITIVE_INFINITY;
        for (let mbps = 1; mbps <= 10; mbps++) {
          const duration = secondsFor(ask.volumeBytes, mbps);
          for (let start = 0; start + duration <= 40; start++) {
            if (world.fleet.total.fits(edge, mbps, start, start + duration))
              best = Math.min(best, start + duration);
          }
        }
        const answer = placeVolume(world.fleet, ask, 0);
        expect(answer.placed ? answer.seat.end : Number.POSITIVE_INFINITY).toBe(best);
      }),
      { numRuns: 150 },
    );
  });
});

describe('offers', () => {
  const busy = (): World => {
    const world = new World(line);
    world.request(fixed('t:a', 't:b', 6, [0, 20]));
    world.request(fixed('t:a', 't:b', 9, [30, 40]));
    return world;
  };
  const ask = flexible('t:a', 't:b', 3, 10, [0, 60]);

  test.each([
    ['EARLIEST_START', [[0, 3]]],
    ['EARLIEST_FINISH', [[0, 3]]],
    ['MAX_BANDWIDTH', [[20, 10]]],
  ] as const)('%s', (wanted, expected) => {
    const world = busy();
    const found = asked(world, () => offers(world.fleet, ask, wanted, 1, 0));
    expect(found.found && found.offers.map(({ start, mbps }) => [start, mbps])).toEqual(expected);
  });

  test('ALL_SLOTS names one slot after the other', () => {
    const world = busy();
    const found = asked(world, () => offers(world.fleet, ask, 'ALL_SLOTS', 10, 0));
    expect(found.found && found.offers.map(({ start }) => start)).toEqual([0, 10, 20, 40, 50]);
  });

  test('where nothing is free, what would be granted if others moved', () => {
    const world = new World(line);
    world.request(flexible('t:a', 't:b', 10, 10, [10, 60]));
    const narrow = flexible('t:a', 't:b', 10, 10, [10, 20]);
    const found = asked(world, () => offers(world.fleet, narrow, 'EARLIEST_START', 3, 0));
    expect(found).toMatchObject({ found: true, offers: [{ start: 10, moves: 1 }] });
  });

  test('a volume: the fastest, the soonest, the first to end', () => {
    const world = busy();
    const some = volume(60, [0, 100], { minMbps: 2, maxMbps: 10 });
    const first = (wanted: 'EARLIEST_START' | 'EARLIEST_FINISH' | 'MAX_BANDWIDTH') => {
      const found = asked(world, () => offers(world.fleet, some, wanted, 1, 0));
      return found.found && found.offers.map(({ start, end, mbps }) => [start, end, mbps]);
    };
    // 4 is free until 20, 10 from then to 30: at 10 from 20, or at 4 from the start.
    expect(first('EARLIEST_FINISH')).toEqual([[0, 15, 4]]);
    expect(first('MAX_BANDWIDTH')).toEqual([[20, 26, 10]]);
    // At 2, which is the least it takes, it would not be over when the line is full.
    expect(first('EARLIEST_START')).toEqual([[0, 30, 2]]);
  });
});

describe('sets', () => {
  const window = [0, 60] as const;

  test('one after the other, with the gap, and windows that keep it so', () => {
    const world = new World(line);
    const fetch = { key: 'fetch', ask: flexible('t:a', 't:b', 10, 10, window) };
    const deliver = { key: 'deliver', ask: flexible('t:a', 't:b', 10, 10, window), after: 'fetch', gap: 5 };
    const answer = asked(world, () => placeSet(world.fleet, [deliver, fetch], 0));
    expect(answer).toMatchObject({
      placed: true,
      members: [
        { key: 'fetch', seat: { start: 0 }, ask: { notBefore: 0, deadline: 10 } },
        { key: 'deliver', seat: { start: 15 }, ask: { notBefore: 15, deadline: 60 } },
      ],
    });
  });

  test('the first goes early enough for the last to be in time', () => {
    const world = new World(line);
    const first = { key: 'a', ask: flexible('t:a', 't:b', 1, 10, window) };
    const last = { key: 'b', ask: fixed('t:a', 't:b', 1, [20, 30]), after: 'a', gap: 5 };
    const answer = asked(world, () => placeSet(world.fleet, [first, last], 0));
    expect(answer.placed && answer.members.map(({ seat }) => seat.start)).toEqual([0, 20]);
  });

  test('all or none: where one cannot be, none is', () => {
    const world = new World(line);
    const first = { key: 'a', ask: flexible('t:a', 't:b', 10, 10, window) };
    const never = { key: 'b', ask: flexible('t:a', 't:b', 11, 10, window) };
    const answer = asked(world, () => placeSet(world.fleet, [first, never], 0));
    expect(answer).toMatchObject({ placed: false, key: 'b', refused: { proof: 'PROVEN_IMPOSSIBLE' } });
  });

  test('diverse members share no link', () => {
    const world = new World(net(['ab', 'ac', 'cb'], { mbps: 10 }));
    const one = { key: 'a', ask: fixed('t:a', 't:b', 1, [10, 20]) };
    const two = { key: 'b', ask: fixed('t:a', 't:b', 1, [10, 20]), diverse: ['a'] };
    const answer = asked(world, () => placeSet(world.fleet, [one, two], 0));
    const links = answer.placed ? answer.members.map(({ seat }) => seat.path.links) : [];
    expect(links.sort((x, y) => x.length - y.length)).toEqual([['ab'], ['ac', 'cb']]);
  });

  test.each([
    [
      'that wait for each other',
      [
        ['a', 'b'],
        ['b', 'a'],
      ],
    ],
    [
      'that wait for nobody known',
      [
        ['a', 'x'],
        ['b', undefined],
      ],
    ],
  ] as const)('members %s are a mistake', (_what, pairs) => {
    const world = new World(line);
    const members = pairs.map(([key, after]) => ({
      key,
      ask: flexible('t:a', 't:b', 1, 10, window),
      ...(after === undefined ? {} : { after }),
    }));
    expect(placeSet(world.fleet, members, 0)).toMatchObject({
      placed: false,
      refused: { reason: 'INVALID' },
    });
  });
});
