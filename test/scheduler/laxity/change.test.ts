import { describe, expect, test } from 'vitest';
import type { Edge } from '../../../src/model/capacity.ts';
import { canChange } from '../../../src/scheduler/laxity/change.ts';
import { clear } from '../../../src/scheduler/laxity/clear.ts';
import { digest } from './auditor.ts';
import { fixed, flexible, net, World } from './world.ts';

const square = net(['ab', 'ac', 'cb'], { mbps: 10 });
const edge = (world: World, link: string): Edge => world.fleet.network.names.intern(`link:${link}`);

/** Answers, and has left nothing behind. */
function asked<T>(world: World, ask: () => T): T {
  world.fleet.advance(world.now);
  const before = digest(world.fleet);
  const answer = ask();
  expect(digest(world.fleet)).toBe(before);
  return answer;
}

describe('maintenance', () => {
  const window = { start: 10, end: 30 };

  test('who may move is given another path at the same time, else another time; who may not is named', () => {
    const world = new World(square);
    const pinned = flexible('t:a', 't:b', 4, 10, [10, 40], { movable: false });
    const one = flexible('t:a', 't:b', 6, 10, [12, 60]);
    const other = flexible('t:a', 't:b', 10, 10, [12, 22]);
    for (const ask of [pinned, one, other]) world.request(ask);
    const share = { edge: edge(world, 'ab'), mbps: 10, ...window };
    const { moves, stuck } = asked(world, () => clear(world.fleet, [share], world.now));
    expect(stuck).toEqual([pinned.id]);
    const [to] = moves.map((move) => move.to);
    expect(moves.map(({ id }) => id)).toEqual([one.id]);
    expect(to?.path.links.includes('ab') && (to?.start ?? 0) < window.end).toBe(false);
    expect(world.auditor.breaches).toEqual([]);
  });

  test('half of a link goes: only as many leave as have to', () => {
    const world = new World(square);
    const ones = [1, 2].map(() => flexible('t:a', 't:b', 5, 10, [10, 60]));
    for (const one of ones) world.request(one);
    const share = { edge: edge(world, 'ab'), mbps: 5, ...window };
    const { moves, stuck } = asked(world, () => clear(world.fleet, [share], world.now));
    expect([moves.length, stuck.length]).toEqual([1, 0]);
    expect(moves[0]?.to).toMatchObject({ start: 10, path: { links: ['ac', 'cb'] } });
  });

  test('those with nowhere to go are stuck and keep their places', () => {
    const world = new World(net(['ab'], { mbps: 10 }));
    const one = flexible('t:a', 't:b', 5, 10, [10, 25]);
    world.request(one);
    const share = { edge: edge(world, 'ab'), mbps: 10, ...window };
    expect(asked(world, () => clear(world.fleet, [share], world.now))).toEqual({
      moves: [],
      free: false,
      stuck: [one.id],
    });
  });

  test('the holder of a label gives it up', () => {
    const world = new World(net(['ab'], { unlabelled: false, vlans: '2-3' }));
    const one = flexible('t:a', 't:b', 1, 10, [10, 60]);
    world.request(one);
    const share = { edge: edge(world, 'ab'), mbps: 0, label: 2, ...window };
    const { moves, stuck } = asked(world, () => clear(world.fleet, [share], world.now));
    expect(stuck).toEqual([]);
    expect(moves.map(({ id, to }) => [id, to.path.uses[1]?.label])).toEqual([[one.id, 3]]);
  });
});

describe('a change of a booking', () => {
  const line = net(['ab'], { mbps: 10 });

  test.each([
    ['may not move stays on its road', false, undefined],
    ['may move takes another', true, ['ac', 'cb']],
  ])('one that %s, where there is no room to last longer', (_what, movable, links) => {
    const world = new World(square);
    const one = flexible('t:a', 't:b', 6, 10, [20, 60], { movable });
    const next = fixed('t:a', 't:b', 6, [30, 40]);
    for (const ask of [one, next]) world.request(ask);
    const { id: nextId } = next;
    expect([one.id, nextId].map((id) => world.fleet.get(id)?.start)).toEqual([20, 30]);
    const answer = asked(world, () =>
      canChange(world.fleet, one.id, { duration: 15, deadline: 35 }, world.now),
    );
    expect(answer).toMatchObject(
      links === undefined ? { possible: false } : { possible: true, seat: { path: { links } } },
    );
  });

  test('one that is lit lasts longer, and a flexible one makes room', () => {
    const world = new World(line);
    const lit = fixed('t:a', 't:b', 6, [0, 10]);
    const next = flexible('t:a', 't:b', 6, 10, [0, 60]);
    for (const one of [lit, next]) world.request(one);
    world.pass(5);
    const answer = asked(world, () =>
      canChange(world.fleet, lit.id, { duration: 15, deadline: 15 }, world.now),
    );
    expect(answer).toMatchObject({ possible: true, moves: [{ id: next.id, to: { start: 15 } }] });
    expect(answer).not.toHaveProperty('seat');
  });

  test('a pinned neighbour does not: the change is refused and names it', () => {
    const world = new World(line);
    const lit = fixed('t:a', 't:b', 6, [0, 10]);
    const next = fixed('t:a', 't:b', 6, [10, 20]);
    for (const one of [lit, next]) world.request(one);
    world.pass(5);
    const answer = asked(world, () =>
      canChange(world.fleet, lit.id, { duration: 15, deadline: 15 }, world.now),
    );
    expect(answer).toEqual({ possible: false, stuck: [next.id] });
  });

  test('more than its own path carries takes another path, as long as it has not begun', () => {
    const world = new World(square);
    world.request(fixed('t:a', 't:b', 5, [10, 20], { constraints: { max_hops: 1 } }));
    const one = flexible('t:a', 't:b', 5, 10, [10, 20]);
    world.request(one);
    const answer = asked(world, () => canChange(world.fleet, one.id, { mbps: 8 }, world.now));
    expect(answer).toMatchObject({ possible: true, seat: { start: 10, path: { links: ['ac', 'cb'] } } });
  });

  test('less, or a wider window, changes nothing else', () => {
    const world = new World(line);
    const one = flexible('t:a', 't:b', 5, 10, [10, 20]);
    world.request(one);
    const answer = asked(world, () => canChange(world.fleet, one.id, { mbps: 2, deadline: 40 }, world.now));
    expect(answer).toMatchObject({ possible: true, ask: { mbps: 2, deadline: 40 }, moves: [] });
  });

  test('a window that shuts out its place moves it into the window', () => {
    const world = new World(line);
    const one = flexible('t:a', 't:b', 5, 10, [10, 100]);
    world.request(one);
    const answer = asked(world, () => canChange(world.fleet, one.id, { notBefore: 50 }, world.now));
    expect(answer).toMatchObject({ possible: true, seat: { start: 50 } });
  });
});
