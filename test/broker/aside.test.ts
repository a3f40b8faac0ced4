/** Circuits that are all the home's step aside for its newcomer over several domains, as they do for one of its own. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BrokerError } from '../../src/kernel/errors.ts';
import type { Circuit, CircuitRequest } from '../../src/model/circuit.ts';
import type { PortId } from '../../src/model/port.ts';
import { topologyOf } from '../sim/network.ts';
import { aRequest, at, fixed } from '../support/builders.ts';
import { Several } from '../support/several.ts';

const [HOME, OTHER] = ['d0.example', 'd1.example'] as const;
const TIME = fixed(100, 160);

let world: Several;
beforeEach(async () => {
  world = await Several.start([0, 1].map((i) => topologyOf(i, 2)));
});
afterEach(() => world.end());

const wholly = (a: PortId, z: PortId, over: Partial<CircuitRequest>): CircuitRequest =>
  aRequest({ a: { port: a, vlan: 'ANY' }, z: { port: z, vlan: 'ANY' }, mbps: 10_000, ...over });
/** All of the trunk, which the newcomer needs too: the way round has half of it. */
const inside = (over: Partial<CircuitRequest> = {}): Promise<Circuit['id']> =>
  world.book(
    HOME,
    wholly('d0:h1', 'd0:h3', {
      schedule: { type: 'FLEXIBLE', durationS: 60, notBefore: at(100), deadline: at(400) },
      ...over,
    }),
  );
const newcomer = (over: Partial<CircuitRequest> = {}): Promise<Circuit['id']> =>
  world.book(HOME, wholly('d0:h2', 'd1:h1', { schedule: TIME, ...over }));
const look = (id: Circuit['id']): Promise<Circuit> => world.circuit(HOME, id);
const startOf = async (id: Circuit['id']): Promise<number | undefined> => {
  const { current } = await look(id);
  return current && (current.window.start - at(0)) / 1_000;
};
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof BrokerError ? error.code : String(error)),
  );

it('it is moved, the newcomer has its time, and both are lit when they were promised', async () => {
  const bob = await inside();
  expect(await startOf(bob)).toBe(100);
  const alice = await newcomer();
  await world.pass(2);
  expect((await look(alice)).state).toBe('SCHEDULED');
  expect([await startOf(alice), await startOf(bob)]).toEqual([100, 160]);
  expect(await look(bob)).toMatchObject({ state: 'SCHEDULED', moves: 1 });
  await world.pass(110);
  expect((await look(alice)).state).toBe('ACTIVE');
  await world.pass(60);
  expect([(await look(alice)).state, (await look(bob)).state]).toEqual(['ENDED', 'ACTIVE']);
});

it('a newcomer with a window waits for its turn rather than move anybody', async () => {
  const bob = await inside();
  const alice = await newcomer({
    schedule: { type: 'FLEXIBLE', durationS: 60, notBefore: at(100), deadline: at(300) },
  });
  await world.pass(2);
  expect([await startOf(alice), await startOf(bob)]).toEqual([160, 100]);
});

it.each<[string, Partial<CircuitRequest>]>([
  ['pinned', { pinned: true }],
  ['at a time of its own', { schedule: TIME }],
])('who is %s stays, and the newcomer is told what is in the way', async (_what, over) => {
  const bob = await inside(over);
  expect(await codeOf(newcomer())).toBe('NO_FEASIBLE_SLOT');
  expect(await startOf(bob)).toBe(100);
});

it('where the other domain says no, the newcomer is refused and whoever moved keeps his promise', async () => {
  const bob = await inside();
  await world.book(OTHER, wholly('d1:h1', 'd1:h2', { schedule: TIME }));
  const alice = await newcomer();
  await world.pass(40);
  expect((await look(alice)).state).toBe('REJECTED');
  const { current, state } = await look(bob);
  expect(state).toBe('SCHEDULED');
  expect(current?.window.start).toBeGreaterThanOrEqual(at(100));
  expect(current?.window.end).toBeLessThanOrEqual(at(400));
});

it('its labels at the border are still agreed by both ends', async () => {
  await inside();
  const alice = await newcomer();
  await world.pass(2);
  const [ours, theirs] = (await look(alice)).current?.segments ?? [];
  const guest = world.guest(OTHER, alice)?.current?.segments[0];
  expect(ours?.z.label).toBeDefined();
  expect([theirs?.a.label, guest?.a.label]).toEqual([ours?.z.label, ours?.z.label]);
  expect(ours?.z.offered).toBeUndefined();
});
