/** What the writer promises when the store says no: one bad apple spoils nothing but itself, and memory follows the rows. */
import { afterEach, expect, it } from 'vitest';
import { type Group, type Store, StoreError } from '../../src/broker/ports.ts';
import { BrokerError } from '../../src/kernel/errors.ts';
import type { Circuit, CircuitRequest } from '../../src/model/circuit.ts';
import { aRequest, fixed } from '../support/builders.ts';
import { call, OneDomain, operator } from '../support/oneDomain.ts';

let world: OneDomain;
afterEach(() => world.end());

/** A store whose commits fail as the test says, before anything is written. */
function failing(
  fails: (group: Group) => StoreError | undefined,
  seen: { renewals: number; groups: number[] } = { renewals: 0, groups: [] },
) {
  return (store: Store): Store =>
    new Proxy(store, {
      get(target, name) {
        if (name === 'commit') {
          return async (group: Group) => {
            seen.groups.push(group.circuits.length);
            const error = fails(group);
            if (error !== undefined) throw error;
            await target.commit(group);
          };
        }
        if (name === 'renewLease') seen.renewals++;
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
}

const ask = (over: Partial<CircuitRequest> = {}) => world.broker.createCircuit(call(), aRequest(over));
const codeOf = (result: PromiseSettledResult<unknown>): string =>
  result.status === 'fulfilled'
    ? 'ok'
    : result.reason instanceof BrokerError
      ? result.reason.code
      : (result.reason as Error).message;
const stored = async (): Promise<Circuit[]> => [
  ...(await world.broker.circuits(operator, { sort: 'create_time', limit: 100 })).items,
];
const inMemory = (): Circuit[] => [...(world.broker.term?.book.circuits.values() ?? [])];

/** Memory is what the rows say: the same circuits, and a calendar that is the sum of them. */
async function agrees(): Promise<void> {
  expect(inMemory().sort(byId)).toEqual((await stored()).sort(byId));
  const book = world.broker.term?.book;
  const fresh = book?.rebuilt();
  for (const [edge] of book?.network.rooms() ?? []) {
    expect(book?.calendar.profile(edge, 0, 1e9)).toEqual(fresh?.profile(edge, 0, 1e9));
  }
}
const byId = (a: Circuit, b: Circuit): number => (a.id < b.id ? -1 : 1);

it('requests that arrive together are one transaction', async () => {
  const seen = { renewals: 0, groups: [] as number[] };
  world = await OneDomain.start({ wrapStore: failing(() => undefined, seen) });
  seen.groups.length = 0;
  await Promise.all(Array.from({ length: 20 }, () => ask({ mbps: 1 })));
  expect(seen.groups).toEqual([20]);
  await agrees();
});

it('a bad apple is refused alone; what was decided with it is written one by one', async () => {
  const bad = (group: Group) =>
    group.circuits.some(({ circuit }) => circuit.request.mbps === 666)
      ? new StoreError('CONFLICT', 'a constraint says no')
      : undefined;
  world = await OneDomain.start({ wrapStore: failing(bad) });
  const results = await Promise.allSettled([1, 2, 666, 3].map((mbps) => ask({ mbps })));
  expect(results.map(codeOf)).toEqual(['ok', 'ok', 'a constraint says no', 'ok']);
  expect((await stored()).map((c) => c.request.mbps).sort()).toEqual([1, 2, 3]);
  await agrees();
});

it('what was decided on top of a failed group is decided again on what is left', async () => {
  let first = true;
  const once = (group: Group) => {
    if (!first || group.circuits.length === 0) return undefined;
    first = false;
    return new StoreError('CONFLICT', 'once');
  };
  world = await OneDomain.start();
  await world.end();
  world = await OneDomain.start({
    wrapStore: failing((group) =>
      group.circuits.some(({ circuit }) => circuit.request.mbps === 10_000) ? once(group) : undefined,
    ),
  });
  // The second does not fit beside the first, and the first is written at the second try.
  const results = await Promise.allSettled([ask({ mbps: 10_000 }), ask({ mbps: 5_000 })]);
  expect(results.map(codeOf)).toEqual(['ok', 'NO_FEASIBLE_SLOT']);
  await agrees();
});

it('a full store turns new circuits away, lets go of old ones, and recovers by itself', async () => {
  let full = false;
  const fails = (group: Group) =>
    full && !group.reduces ? new StoreError('FULL', 'no space left') : undefined;
  world = await OneDomain.start({ wrapStore: failing(fails) });
  const kept = await ask({ mbps: 6_000 });
  if (kept.kind !== 'done') throw new Error('not a replay');
  full = true;
  const refused = await Promise.allSettled([ask({ mbps: 1 }), ask({ mbps: 2 })]);
  expect(refused.map(codeOf)).toEqual(['STORE_FULL', 'STORE_FULL']);
  expect(world.broker.readiness().store).toBe('FULL');
  await world.broker.act(call(), kept.value.id, { type: 'cancel', detail: 'make room' });
  expect(inMemory()).toEqual([]);
  full = false;
  await ask({ mbps: 10_000 });
  expect(world.broker.readiness().store).toBe('OK');
  await world.settle();
  expect((await stored()).map((c) => c.state).sort()).toEqual(['CANCELLED', 'SCHEDULED']);
});

it('an instance that was fenced answers NOT_LEADER and keeps nothing of what it decided', async () => {
  let fenced = false;
  world = await OneDomain.start({
    wrapStore: failing(() => (fenced ? new StoreError('FENCED', 'another has the lease') : undefined)),
  });
  await ask();
  fenced = true;
  const results = await Promise.allSettled([
    ask({ schedule: fixed(300, 400) }),
    ask({ schedule: fixed(400, 500) }),
  ]);
  expect(results.map(codeOf)).toEqual(['NOT_LEADER', 'NOT_LEADER']);
  expect((await Promise.allSettled([ask()])).map(codeOf)).toEqual(['NOT_LEADER']);
  expect(world.broker.readiness()).toMatchObject({ ready: false, role: 'STANDBY' });
  fenced = false;
  await world.pass(3);
  expect(world.broker.readiness().ready).toBe(true);
  expect(await stored()).toHaveLength(1);
  await agrees();
});

it('the lease is renewed for as long as the broker runs', async () => {
  const seen = { renewals: 0, groups: [] as number[] };
  world = await OneDomain.start({ wrapStore: failing(() => undefined, seen) });
  await world.pass(60);
  expect(seen.renewals).toBeGreaterThanOrEqual(25);
});
