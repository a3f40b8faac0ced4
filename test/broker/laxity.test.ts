/** Everybody fits: circuits with a window step aside inside it, and nobody's promise is broken. */
import { afterEach, expect, it } from 'vitest';
import { BrokerError } from '../../src/kernel/errors.ts';
import type { Circuit, CircuitRequest, Schedule } from '../../src/model/circuit.ts';
import { aRequest, at, fixed } from '../support/builders.ts';
import { call, OneDomain, operator } from '../support/oneDomain.ts';

let world: OneDomain;
afterEach(() => world.end());

const flexible = (notBefore: number, deadline: number, durationS: number): Schedule => ({
  type: 'FLEXIBLE',
  durationS,
  notBefore: at(notBefore),
  deadline: at(deadline),
});
const book = async (over: Partial<CircuitRequest> = {}): Promise<Circuit> => {
  const done = await world.broker.createCircuit(call(), aRequest({ mbps: 10_000, ...over }));
  if (done.kind !== 'done') throw new Error('not a replay');
  return done.value;
};
const slot = async (c: Circuit): Promise<[number, number]> => {
  const { current } = await world.broker.circuit(operator, c.id);
  if (current === undefined) throw new Error('has no place');
  return [(current.window.start - at(0)) / 1000, (current.window.end - at(0)) / 1000];
};
const problemOf = async (promise: Promise<unknown>): Promise<BrokerError> => {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(BrokerError);
  return error as BrokerError;
};
const H = 3_600;

it('Bob has half an hour in 4:00-5:30 and was given 4:00; Alice wants an hour in 3:30-5:00: Bob moves, both fit', async () => {
  world = await OneDomain.start();
  const bob = await book({ schedule: flexible(4 * H, 5.5 * H, H / 2) });
  expect(await slot(bob)).toEqual([4 * H, 4.5 * H]);
  expect(bob.laxityS).toBe(H);
  const alice = await book({ schedule: flexible(3.5 * H, 5 * H, H) });
  expect(await slot(alice)).toEqual([3.5 * H, 4.5 * H]);
  expect(await slot(bob)).toEqual([4.5 * H, 5 * H]);
  const told = await world.broker.events(operator, {
    circuitId: bob.id,
    types: ['circuit.moved'],
    afterSeq: 0,
    limit: 10,
  });
  expect(told.map((event) => event.data)).toMatchObject([
    {
      from: { start_time: '2026-01-01T04:00:00Z', end_time: '2026-01-01T04:30:00Z' },
      to: { start_time: '2026-01-01T04:30:00Z', end_time: '2026-01-01T05:00:00Z' },
      for_circuit_id: alice.id,
    },
  ]);
  expect((await world.broker.circuit(operator, bob.id)).moves).toBe(1);
});

it('with Bob pinned Alice is refused, with the reason, a proof and a slot that she could have', async () => {
  world = await OneDomain.start();
  const bob = await book({ pinned: true, schedule: flexible(4 * H, 5.5 * H, H / 2) });
  const problem = await problemOf(book({ schedule: flexible(3.5 * H, 5 * H, H) }));
  expect(problem.code).toBe('NO_FEASIBLE_SLOT');
  expect(problem.details.proof).toBe('PROVEN_IMPOSSIBLE');
  expect(problem.details.bottlenecks?.length).toBeGreaterThan(0);
  expect(problem.details.alternatives?.length).toBeGreaterThan(0);
  expect(await slot(bob)).toEqual([4 * H, 4.5 * H]);
});

it('a FIXED newcomer makes a flexible one step aside, and a refusal leaves every bit as it was', async () => {
  world = await OneDomain.start();
  const bob = await book({ schedule: flexible(100, 1_000, 100) });
  await book({ schedule: fixed(100, 200) });
  expect(await slot(bob)).toEqual([200, 300]);
  const before = JSON.stringify([...(world.broker.term?.book.circuits.values() ?? [])]);
  await problemOf(book({ schedule: fixed(150, 250) }));
  expect(JSON.stringify([...(world.broker.term?.book.circuits.values() ?? [])])).toBe(before);
});

it('from its notice on it is frozen, and what has started stays where it is', async () => {
  world = await OneDomain.start();
  const soon = await book({ noticeS: 60, schedule: flexible(100, 1_000, 100) });
  await world.pass(45);
  expect((await problemOf(book({ schedule: fixed(100, 200) }))).code).toBe('NO_FEASIBLE_SLOT');
  await world.pass(60);
  expect((await world.broker.circuit(operator, soon.id)).state).toBe('ACTIVE');
  expect((await problemOf(book({ schedule: fixed(150, 250) }))).code).toBe('NO_FEASIBLE_SLOT');
});

it('a deadline that cannot be met is told with the time that is missing', async () => {
  world = await OneDomain.start();
  const problem = await problemOf(book({ schedule: flexible(100, 150, 100) }));
  expect(problem.code).toBe('DEADLINE_UNREACHABLE');
  expect(problem.message).toContain('50 s');
});

it('moves survive a restart, and a moved circuit is lit at its new time only', async () => {
  world = await OneDomain.start();
  const bob = await book({ schedule: flexible(100, 1_000, 100) });
  await book({ schedule: fixed(100, 200) });
  await world.restart();
  expect(await slot(bob)).toEqual([200, 300]);
  await world.pass(150);
  expect((await world.broker.observed()).some((connect) => connect.owner?.circuit === bob.id)).toBe(false);
  await world.pass(60);
  expect((await world.broker.circuit(operator, bob.id)).state).toBe('ACTIVE');
});

it('a set moves others for all its members or for none', async () => {
  world = await OneDomain.start();
  const bob = await book({ schedule: flexible(100, 1_000, 100) });
  const member = (key: string, schedule: Schedule) => ({
    key,
    request: aRequest({ mbps: 10_000, schedule }),
  });
  await problemOf(
    world.broker.createSet(call(), [member('one', fixed(100, 200)), member('two', fixed(150, 250))]),
  );
  expect(await slot(bob)).toEqual([100, 200]);
  await world.broker.createSet(call(), [member('one', fixed(100, 200)), member('two', fixed(200, 300))]);
  expect(await slot(bob)).toEqual([300, 400]);
});
