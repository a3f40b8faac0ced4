import { describe, expect, test } from 'vitest';
import { usual } from '../../../src/scheduler/laxity/place.ts';
import { fixed, flexible, net, World } from './world.ts';

const h = (hours: number): number => hours * 3600;
const line = net(['ab'], { mbps: 10 });

/** Full seconds since midnight, as people say them. */
const at = (seconds: number): string =>
  `${Math.floor(seconds / 3600)}:${String((seconds % 3600) / 60).padStart(2, '0')}`;

describe('Bob and Alice', () => {
  const bob = flexible('t:a', 't:b', 10, h(0.5), [h(4), h(5.5)]);
  const alice = flexible('t:a', 't:b', 10, h(1), [h(3.5), h(5)]);

  test('Bob steps aside inside his window, and Alice fits', () => {
    const world = new World(line);
    expect(world.request(bob)).toMatchObject({ placed: true, seat: { start: h(4) }, by: 'DIRECT' });
    const answer = world.request(alice);
    expect(answer).toMatchObject({
      placed: true,
      seat: { start: h(3.5), end: h(4.5) },
      moves: [{ id: bob.id, from: { start: h(4) }, to: { start: h(4.5), end: h(5) } }],
    });
    expect(world.auditor.breaches).toEqual([]);
  });

  test('Bob pinned stays: Alice is refused with the proof and an alternative', () => {
    const world = new World(line);
    world.request({ ...bob, movable: false });
    const answer = world.request(alice);
    expect(answer).toMatchObject({
      placed: false,
      proof: 'PROVEN_IMPOSSIBLE',
      cuts: [{ from: h(3.5), until: h(4) + 1, edges: ['link:ab'] }],
      bottlenecks: [{ edge: 'link:ab', kind: 'FULL', free: 0 }],
    });
    const alternatives = answer.placed
      ? []
      : answer.alternatives.map(({ kind, start }) => `${kind} ${at(start)}`);
    expect(alternatives).toEqual(['EARLIER 3:00', 'LATER 4:30']);
    expect(world.auditor.breaches).toEqual([]);
  });

  test.each([
    ['within his notice', 1800, h(3.5)],
    ['started', 0, h(4)],
  ])('Bob %s stays', (_what, notice, now) => {
    const world = new World(line);
    world.request({ ...bob, notice });
    world.pass(now);
    expect(world.request({ ...alice, deadline: h(5) }).placed).toBe(false);
    expect(world.auditor.breaches).toEqual([]);
  });
});

describe('where a newcomer goes that has the choice', () => {
  const pentagon = net(['ab', 'ac', 'cd', 'db'], { mbps: 10 });
  const taken = fixed('t:a', 't:b', 10, [0, 50]);

  test.each([
    ['later on the short way', 100, 50, ['ab']],
    ['by the detour, where its window ends before the short way is free', 55, 0, ['ac', 'cd', 'db']],
  ])('%s', (_how, deadline, start, links) => {
    const world = new World(pentagon);
    world.request(taken);
    const answer = world.request(flexible('t:a', 't:b', 5, 10, [0, deadline]));
    expect(answer).toMatchObject({ placed: true, seat: { start, path: { links } }, by: 'DIRECT' });
    expect(world.auditor.breaches).toEqual([]);
  });
});

describe('who makes room, and how', () => {
  test('a FIXED newcomer moves a flexible one', () => {
    const world = new World(line);
    const one = flexible('t:a', 't:b', 6, 10, [0, 100]);
    world.request(one);
    world.pass(0);
    const late = flexible('t:a', 't:b', 6, 10, [20, 100]);
    world.request(late);
    const answer = world.request(fixed('t:a', 't:b', 6, [25, 40]));
    expect(answer).toMatchObject({
      placed: true,
      seat: { start: 25 },
      moves: [{ id: late.id, to: { start: 40 } }],
    });
    expect(world.auditor.breaches).toEqual([]);
  });

  test('another path at the same start is taken before another start', () => {
    const world = new World(net(['ab', 'ac', 'cb'], { mbps: 10 }));
    const one = flexible('t:a', 't:b', 10, 10, [10, 100]);
    world.request(one);
    const narrow = fixed('t:a', 't:b', 10, [10, 20], { constraints: { max_hops: 1 } });
    const answer = world.request(narrow);
    expect(answer).toMatchObject({
      placed: true,
      seat: { path: { links: ['ab'] } },
      moves: [{ id: one.id, from: { start: 10 }, to: { start: 10, path: { links: ['ac', 'cb'] } } }],
    });
    expect(world.auditor.breaches).toEqual([]);
  });

  test('of two that could make room, the one with the lower priority does', () => {
    for (const [first, second] of [
      [10, 90],
      [90, 10],
    ] as const) {
      const world = new World(line);
      const ones = [first, second].map((priority) => flexible('t:a', 't:b', 5, 10, [10, 100], { priority }));
      for (const one of ones) world.request(one);
      const answer = world.request(fixed('t:a', 't:b', 5, [10, 20]));
      const low = ones.find(({ priority }) => priority === 10);
      expect(answer.placed && answer.moves.map(({ id }) => id)).toEqual([low?.id]);
      expect(world.auditor.breaches).toEqual([]);
    }
  });

  test('two roads that are held together step aside together, and others step aside for two roads', () => {
    const world = new World(net(['ab', 'ac', 'cb'], { mbps: 10 }));
    const pair = flexible('t:a', 't:b', 10, 10, [10, 100], { protected: true });
    expect(world.request(pair)).toMatchObject({ seat: { start: 10, backup: { links: ['ac', 'cb'] } } });
    // It needs only one of them, and they go to their new time as one.
    expect(world.request(fixed('t:a', 't:c', 10, [15, 25]))).toMatchObject({
      placed: true,
      moves: [{ id: pair.id, to: { start: 25, path: { links: ['ab'] }, backup: { links: ['ac', 'cb'] } } }],
    });
    const late = flexible('t:c', 't:b', 10, 10, [40, 100]);
    world.request(late);
    expect(world.request(fixed('t:a', 't:b', 10, [40, 50], { protected: true }))).toMatchObject({
      placed: true,
      moves: [{ id: late.id }],
    });
    expect(world.request(fixed('t:a', 't:c', 1, [45, 55]))).toMatchObject({ proof: 'PROVEN_IMPOSSIBLE' });
    expect(world.auditor.breaches).toEqual([]);
  });

  test('what is to have two roads where there is one is refused with a proof', () => {
    const world = new World(net(['ab', 'bc', "bc'"], { mbps: 10 }));
    const answer = world.request(flexible('t:a', 't:c', 1, 10, [0, 100], { protected: true }));
    expect(answer).toMatchObject({ placed: false, proof: 'PROVEN_IMPOSSIBLE', reason: 'NOT_DISJOINT' });
    expect(world.auditor.breaches).toEqual([]);
  });

  test('a label is given up as a slot is', () => {
    // One label on the only link, room for two: what is missing is the label.
    const world = new World(net(['ab'], { mbps: 10, unlabelled: false, vlans: '7' }));
    const one = flexible('t:a', 't:b', 1, 10, [10, 100]);
    world.request(one);
    const answer = world.request(fixed('t:a', 't:b', 1, [15, 25]));
    expect(answer).toMatchObject({ placed: true, moves: [{ id: one.id, to: { start: 25 } }] });
    expect(world.auditor.breaches).toEqual([]);
  });

  test('a circuit that another one keeps clear of is not moved onto its links', () => {
    const world = new World(net(['ab', 'ac', 'cb'], { mbps: 10 }));
    const one = flexible('t:a', 't:b', 10, 10, [10, 25]);
    world.request(one);
    // Holds a-c-b while `one` could want it.
    world.request(
      flexible('t:a', 't:b', 5, 20, [10, 30], { constraints: { diverse_from: [one.id] }, movable: false }),
    );
    const answer = world.request(fixed('t:a', 't:b', 5, [10, 20], { constraints: { max_hops: 1 } }));
    expect(answer).toMatchObject({ placed: false, proof: 'BUDGET_SPENT' });
    expect(world.auditor.breaches).toEqual([]);
  });

  describe('two who can only change places', () => {
    // Each fills one of the two links; only the other one's lets the newcomer in.
    const scene = (circles: boolean) => {
      const world = new World(net(['ab', 'ac', 'cb'], { mbps: 10 }));
      const long = flexible('t:a', 't:b', 10, 20, [10, 40]);
      const short = flexible('t:a', 't:b', 10, 10, [10, 40]);
      const newcomer = fixed('t:a', 't:b', 10, [10, 20], { constraints: { max_hops: 1 } });
      for (const one of [long, short]) world.request(one);
      return { world, answer: world.request(newcomer, { ...usual, circles }), long, short };
    };
    test.each([true, false])('find a way, circles %s', (circles) => {
      const { world, answer } = scene(circles);
      expect(answer.placed).toBe(true);
      expect(world.auditor.breaches).toEqual([]);
    });
  });
});

describe('what cannot be', () => {
  test('a window shorter than the duration says by how much', () => {
    const world = new World(line);
    expect(world.request(flexible('t:a', 't:b', 1, 100, [50, 120]))).toMatchObject({
      placed: false,
      reason: 'WINDOW',
      shortfall: 30,
      proof: 'PROVEN_IMPOSSIBLE',
    });
  });

  test('more than any link carries is proven impossible, with the links', () => {
    const world = new World(line);
    const answer = world.request(flexible('t:a', 't:b', 11, 100, [0, 500]));
    expect(answer).toMatchObject({
      placed: false,
      proof: 'PROVEN_IMPOSSIBLE',
      bottlenecks: [{ edge: 'link:ab' }],
    });
  });

  test('an unknown port is the asker’s mistake', () => {
    const world = new World(line);
    const answer = world.request(flexible('t:a', 't:nowhere', 1, 100, [0, 500]));
    expect(answer).toMatchObject({ placed: false, reason: 'INVALID', errors: [{ pointer: '/z/port' }] });
  });

  test('a slower rate is named where only that fits', () => {
    const world = new World(line);
    world.request(fixed('t:a', 't:b', 7, [0, 10_000_000]));
    const answer = world.request(fixed('t:a', 't:b', 4, [100, 200]));
    expect(answer).toMatchObject({
      placed: false,
      alternatives: [{ kind: 'SLOWER', mbps: 3 }],
    });
  });
});
