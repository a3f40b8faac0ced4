/**
 * Stories of what the simulation has found and nobody has mended yet (open.ts): each says what should be, and
 * is expected to fail. The first that passes turns red here, and then both go.
 */
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
const book = async (over: Partial<CircuitRequest>): Promise<Circuit> => {
  const done = await world.broker.createCircuit(call(), aRequest(over));
  if (done.kind !== 'done') throw new Error('not a replay');
  return done.value;
};
const look = (c: Circuit): Promise<Circuit> => world.broker.circuit(operator, c.id);
/** Whatever the change came to, the circuit as it is then. */
const change = async (c: Circuit, wish: Parameters<OneDomain['broker']['change']>[2]): Promise<Circuit> => {
  await world.broker.change(call(), c.id, wish).catch((error: unknown) => {
    if (!(error instanceof BrokerError)) throw error;
  });
  return look(c);
};

it.fails('a volume that is changed still carries its bytes, or the change is refused', async () => {
  world = await OneDomain.start();
  const schedule: Schedule = {
    type: 'VOLUME',
    volumeBytes: 125_000_000_000,
    notBefore: at(100),
    deadline: at(10_000),
  };
  const after = await change(await book({ mbps: 10_000, schedule }), { end: at(120) });
  const { window, mbps } = after.current ?? { window: { start: 0, end: 0 }, mbps: 0 };
  // Mb/s over ms is kilobits.
  expect((window.end - window.start) * mbps * 125).toBeGreaterThanOrEqual(125_000_000_000);
});

it.fails('a pinned circuit is inside its window after its window is changed, or the change is refused', async () => {
  world = await OneDomain.start();
  const pinned = await book({ pinned: true, schedule: flexible(100, 1_000, 100) });
  const { current, request } = await change(pinned, { deadline: at(150) });
  const deadline = request.schedule.type === 'FLEXIBLE' ? request.schedule.deadline : 0;
  expect(current?.window.end).toBeLessThanOrEqual(deadline);
});

it.fails('what has begun ends by its deadline after it is extended, or the deadline goes with it', async () => {
  world = await OneDomain.start();
  const lit = await book({ schedule: flexible(10, 200, 100) });
  await world.pass(30);
  const { current, request } = await change(lit, { extendS: 300 });
  const deadline = request.schedule.type === 'FLEXIBLE' ? request.schedule.deadline : 0;
  expect(current?.window.end).toBeLessThanOrEqual(deadline);
});

it.fails('a set keeps its order when one of it is extended, or the extension is refused', async () => {
  world = await OneDomain.start();
  const member = { request: aRequest({ schedule: flexible(100, 2_000, 100) }) };
  const done = await world.broker.createSet(call(), [
    { key: 'first', ...member },
    { key: 'second', ...member, after: 'first', gapS: 50 },
  ]);
  if (done.kind !== 'done') throw new Error('not a replay');
  const [first, second] = done.value.circuits as [Circuit, Circuit];
  await world.pass(120);
  const after = await change(first, { extendS: 100 });
  const gap = ((await look(second)).current?.window.start ?? 0) - (after.current?.window.end ?? 0);
  expect(gap).toBeGreaterThanOrEqual(50_000);
});

it.fails('a refused change says whether it is proven', async () => {
  world = await OneDomain.start();
  const lit = await book({ mbps: 10_000, schedule: fixed(10, 100) });
  await book({ mbps: 10_000, schedule: fixed(100, 200) });
  await world.pass(20);
  const error: unknown = await world.broker.change(call(), lit.id, { extendS: 50 }).catch((e: unknown) => e);
  expect(error instanceof BrokerError && error.details.proof).toBe('PROVEN_IMPOSSIBLE');
});
