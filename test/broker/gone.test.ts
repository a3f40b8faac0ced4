/** A domain that is gone for good: what it is told has an end, the operator hears of it, and what it knew stays closed. */
import { afterEach, expect, it, test } from 'vitest';
import { giveUpAt } from '../../src/broker/abroad/giveUp.ts';
import { instant, NEVER } from '../../src/kernel/clock.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import { topologyOf } from '../sim/network.ts';
import { aCircuit, aPlacement, aRequest, at, fixed, T0 } from '../support/builders.ts';
import { call } from '../support/oneDomain.ts';
import { Several } from '../support/several.ts';

const HOUR_MS = 3_600_000;
const [HOME, OTHER] = ['d0.example', 'd1.example'] as const;

let world: Several | undefined;
afterEach(async () => {
  await world?.end();
  world = undefined;
});

test.each<[string, Partial<Circuit>, number]>([
  ['its window and an hour', { current: aPlacement(1, { window: { start: at(10), end: at(20) } }) }, 20_000],
  ['without a placement, what was asked for', { request: aRequest({ schedule: fixed(10, 30) }) }, 30_000],
  [
    'or its deadline',
    { request: aRequest({ schedule: { type: 'FLEXIBLE', durationS: 5, deadline: at(40) } }) },
    40_000,
  ],
  ['or how long it was to last', { request: aRequest({ schedule: { type: 'NOW', durationS: 50 } }) }, 50_000],
  [
    'without an end, a day',
    { current: aPlacement(1, { window: { start: at(10), end: NEVER } }) },
    5_000 + 24 * HOUR_MS,
  ],
  ['never before it was said', { request: aRequest({ schedule: fixed(1, 2) }) }, 5_000],
])('a message is given up after %s', (_what, over, ms) => {
  expect(giveUpAt({ ...aCircuit(), ...over }, instant(T0 + 5_000))).toBe(T0 + ms + HOUR_MS);
});

it('is told no more once it no longer matters; the operator hears of it, and the tombstone stays', async () => {
  world = await Several.start([topologyOf(0, 2), topologyOf(1, 2)]);
  const w = world;
  const id = await w.book(
    HOME,
    aRequest({
      a: { port: 'd0:h1', vlan: 'ANY' },
      z: { port: 'd1:h1', vlan: 'ANY' },
      schedule: fixed(60, 120),
    }),
  );
  await w.pass(7);
  expect((await w.circuit(HOME, id)).state).toBe('SCHEDULED');
  w.between = () => Promise.reject(new Error('gone'));
  const { broker, clock } = w.at(HOME);
  await broker.act(call(), id, { type: 'cancel', detail: 'no longer' });
  const waiting = () => broker.dealings(OTHER);
  await w.at(HOME).pass(50);
  expect(waiting()).toMatchObject({ waiting: 1, givenUp: 0 });
  // Its window and an hour later; one that is never answered is said again every five seconds at the most.
  const left = at(120) + HOUR_MS - clock.now();
  await clock.advance(left - 20_000);
  await w.at(HOME).settle();
  expect(waiting()).toMatchObject({ waiting: 1, givenUp: 0 });
  await w.at(HOME).pass(40);
  expect(waiting()).toMatchObject({ waiting: 0, givenUp: 1 });
  expect(w.logged(HOME, 'peer.given_up')).toMatchObject([{ peer: OTHER, circuit: id, message: 'cancel' }]);
  const before = w.said.length;
  await w.at(HOME).pass(60);
  expect(w.said.slice(before).filter(({ message }) => message.op !== 'digest')).toEqual([]);
  // When it comes back it is told what it missed: the home has closed it.
  expect((await w.circuit(HOME, id)).state).toBe('CANCELLED');
  w.between = (_from, _to, _message, deliver) => deliver();
  await w.at(OTHER).clock.advance(clock.now() - w.at(OTHER).clock.now());
  await w.settle();
  expect(w.guest(OTHER, id)?.state).not.toBe('ACTIVE');
  expect(w.guest(OTHER, id)?.current?.segments.every((s) => s.light === 'DARK')).toBe(true);
  const late = { op: 'commit', circuit: id, version: 1, epoch: 9, floor: 0 } as const;
  const segment = w.said.map(({ message }) => message).find((m) => m.op === 'commit');
  if (segment?.op !== 'commit') throw new Error('it was committed');
  expect(await w.at(OTHER).broker.peer(HOME, { ...late, segment: segment.segment })).toMatchObject({
    state: 'CLOSED',
  });
});

it('while it is waited for, what is dark here is in nobody’s way', async () => {
  world = await Several.start([topologyOf(0, 2), topologyOf(1, 2)]);
  const w = world;
  const from = { a: { port: 'd0:h1', vlan: 'ANY' }, mbps: 6_000 } as const;
  const over = aRequest({ ...from, z: { port: 'd1:h1', vlan: 'ANY' }, schedule: fixed(20, 60) });
  const gone = await w.book(HOME, over);
  await w.pass(30);
  expect((await w.circuit(HOME, gone)).state).toBe('ACTIVE');
  w.between = () => Promise.reject(new Error('gone'));
  await w.at(HOME).pass(40);
  const waits = await w.circuit(HOME, gone);
  expect([waits.state, waits.current?.segments.map((s) => s.light)]).toEqual([
    'RELEASING',
    ['DARK', 'DARKENING'],
  ]);
  const inside = aRequest({ ...from, z: { port: 'd0:h2', vlan: 'ANY' }, schedule: fixed(80, 120) });
  const next = await w.book(HOME, inside);
  await w.at(HOME).pass(20);
  expect((await w.circuit(HOME, next)).state).toBe('ACTIVE');
});
