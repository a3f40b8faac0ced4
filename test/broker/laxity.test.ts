/** Everybody fits: circuits with a window step aside inside it, and nobody's promise is broken. */
import { afterEach, expect, it } from 'vitest';
import type { CircuitChange } from '../../src/broker/calls.ts';
import { BrokerError } from '../../src/kernel/errors.ts';
import type { Circuit, CircuitRequest, Schedule } from '../../src/model/circuit.ts';
import { aRequest, at, fixed } from '../support/builders.ts';
import { call, OneDomain, operator, twoSwitches } from '../support/oneDomain.ts';

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

it('a protected circuit steps aside with both its roads, and a protected volume finds two', async () => {
  const [link] = twoSwitches.links;
  if (link === undefined) throw new Error('there is a link');
  const second = { ...link, id: 'l2', a: { node: 'sw1', port: 't2' }, z: { node: 'sw2', port: 't2' } };
  world = await OneDomain.start({ topology: { ...twoSwitches, links: [link, second] } });
  const bob = await book({ protection: 'PROTECTED', schedule: flexible(100, 1_000, 100) });
  expect(await slot(bob)).toEqual([100, 200]);
  await book({ schedule: fixed(100, 200) });
  expect(await slot(bob)).toEqual([200, 300]);
  const moved = await world.broker.circuit(operator, bob.id);
  const [segment] = moved.current?.segments ?? [];
  expect([segment?.links, segment?.backup?.links].flat().sort()).toEqual(['l1', 'l2']);
  expect(moved.conditions.find(({ type }) => type === 'Protected')?.status).toBe('TRUE');
  const schedule: Schedule = { type: 'VOLUME', volumeBytes: 10e9, deadline: at(1_000) };
  const bytes = await book({ protection: 'PROTECTED', schedule });
  expect((await world.broker.circuit(operator, bytes.id)).current?.segments[0]?.backup).toBeDefined();
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

it('a volume gets the rate that finishes first, within what it may take', async () => {
  world = await OneDomain.start();
  const volume = (over: Partial<Extract<Schedule, { type: 'VOLUME' }>> = {}): Schedule => ({
    type: 'VOLUME',
    volumeBytes: 125_000_000_000,
    notBefore: at(100),
    deadline: at(10_000),
    ...over,
  });
  // 1,000,000 Mbit: a hundred seconds at 10 Gb/s, two hundred at five.
  const fast = await book({ schedule: volume() });
  expect([await slot(fast), fast.current?.mbps]).toEqual([[100, 200], 10_000]);
  const slow = await book({ schedule: volume({ notBefore: at(200), maxMbps: 5_000 }) });
  expect([await slot(slow), slow.current?.mbps]).toEqual([[200, 400], 5_000]);
  const never = await problemOf(book({ schedule: volume({ volumeBytes: 2 ** 52 }) }));
  expect(['DEADLINE_UNREACHABLE', 'NO_FEASIBLE_SLOT']).toContain(never.code);
});

it('the circuits of a set keep their order and their gap, also when one is moved later', async () => {
  world = await OneDomain.start();
  const member = (key: string, over: object = {}) => ({
    key,
    request: aRequest({ mbps: 10_000, schedule: flexible(100, 2_000, 100) }),
    ...over,
  });
  const done = await world.broker.createSet(call(), [
    member('second', { after: 'first', gapS: 50 }),
    member('first'),
  ]);
  if (done.kind !== 'done') throw new Error('not a replay');
  const [second, first] = done.value.circuits as [Circuit, Circuit];
  const [, firstEnd] = await slot(first);
  expect((await slot(second))[0]).toBeGreaterThanOrEqual(firstEnd + 50);
  expect(await slot(second)).toEqual([250, 350]);
  await book({ schedule: fixed(250, 300) });
  expect(await slot(second)).toEqual([300, 400]);
  expect(await slot(first)).toEqual([100, 200]);
});

it('an extension makes a flexible one step aside, and one that cannot changes nothing', async () => {
  world = await OneDomain.start();
  const lit = await book({ schedule: fixed(10, 100) });
  const bob = await book({ schedule: flexible(100, 1_000, 100) });
  await world.pass(20);
  await world.broker.change(call(), lit.id, { end: at(150) });
  expect(await slot(lit)).toEqual([10, 150]);
  expect((await slot(bob))[0]).toBeGreaterThanOrEqual(150);
  const before = await slot(bob);
  expect((await problemOf(world.broker.change(call(), lit.id, { end: at(950) }))).code).toBe(
    'NO_FEASIBLE_SLOT',
  );
  expect([await slot(lit), await slot(bob)]).toEqual([[10, 150], before]);
});

it('a flexible circuit may be given a later deadline, a longer duration or another rate', async () => {
  world = await OneDomain.start();
  const bob = await book({ mbps: 4_000, schedule: flexible(100, 300, 100) });
  await world.broker.change(call(), bob.id, { deadline: at(2_000) });
  await book({ schedule: fixed(100, 400) });
  expect((await slot(bob))[0]).toBe(400);
  await world.broker.change(call(), bob.id, { mbps: 10_000 });
  expect((await world.broker.circuit(operator, bob.id)).current?.mbps).toBe(10_000);
});

it('an indicative offer names slots and holds nothing; taken while it is free, refused when it is gone', async () => {
  world = await OneDomain.start();
  const ask = {
    request: aRequest({ mbps: 10_000, schedule: flexible(100, 1_000, 100) }),
    wanted: 'ALL_SLOTS' as const,
    most: 3,
  };
  const made = await world.broker.offers(call(), ask);
  if (made.kind !== 'done') throw new Error('not a replay');
  const { id, options } = made.value;
  expect(options.map((o) => [(o.start - at(0)) / 1000, o.mbps])).toEqual([
    [100, 10_000],
    [200, 10_000],
    [300, 10_000],
  ]);
  const taken = await world.broker.takeOffer(call(), id, 1, ask.request);
  expect(taken.kind === 'done' && (await slot(taken.value))).toEqual([200, 300]);
  expect((await problemOf(world.broker.takeOffer(call(), id, 1, ask.request))).code).toBe('OFFER_TAKEN');
  await world.restart();
  expect((await problemOf(world.broker.takeOffer(call(), id, 0, ask.request))).code).toBe('OFFER_EXPIRED');
});

it('a firm offer holds its options until one is taken, over a restart too', async () => {
  world = await OneDomain.start();
  const ask = {
    request: aRequest({ mbps: 10_000, schedule: flexible(100, 1_000, 100) }),
    wanted: 'ALL_SLOTS' as const,
    most: 2,
    firmS: 60,
  };
  const made = await world.broker.offers(call(), ask);
  if (made.kind !== 'done') throw new Error('not a replay');
  await problemOf(book({ schedule: fixed(100, 200) }));
  await world.restart();
  const elsewhere = { ...ask.request, a: { port: 'ams:host3' as const, vlan: 'ANY' as const } };
  expect((await problemOf(world.broker.takeOffer(call(), made.value.id, 1, elsewhere))).code).toBe(
    'INVALID_REQUEST',
  );
  const named = { ...ask.request, clientRef: 'job-1' };
  const taken = await world.broker.takeOffer(call(), made.value.id, 1, named);
  expect(taken.kind === 'done' && taken.value.request.clientRef).toBe('job-1');
  expect((await problemOf(world.broker.takeOffer(call(), made.value.id, 0, ask.request))).code).toBe(
    'OFFER_TAKEN',
  );
  expect(taken.kind === 'done' && [taken.value.state, await slot(taken.value)]).toEqual([
    'SCHEDULED',
    [200, 300],
  ]);
  await book({ schedule: fixed(100, 200) });
});

it('an offer that was only tried is not remembered', async () => {
  world = await OneDomain.start();
  const ask = {
    request: aRequest({ schedule: flexible(100, 1_000, 100) }),
    wanted: 'ALL_SLOTS' as const,
    most: 1,
  };
  const tried = await world.broker.offers({ ...call(), validateOnly: true }, ask);
  if (tried.kind !== 'done') throw new Error('not a replay');
  expect((await problemOf(world.broker.takeOffer(call(), tried.value.id, 0, ask.request))).code).toBe(
    'OFFER_EXPIRED',
  );
});

it('a set of which one has ended is cancelled with the rest, and answered with all its circuits', async () => {
  world = await OneDomain.start();
  const done = await world.broker.createSet(call(), [
    { key: 'one', request: aRequest({ schedule: fixed(10, 20) }) },
    { key: 'two', request: aRequest({ schedule: fixed(100, 200) }) },
  ]);
  if (done.kind !== 'done') throw new Error('not a replay');
  await world.pass(60);
  const cancelled = await world.broker.actOnSet(call(), done.value.set.id, 'cancel');
  expect(cancelled.kind === 'done' && cancelled.value.circuits.map((c) => c.state)).toEqual([
    'ENDED',
    'CANCELLED',
  ]);
});

it('a member of a set whose window was narrowed is not moved out of it later', async () => {
  world = await OneDomain.start();
  const member = { request: aRequest({ mbps: 10_000, schedule: flexible(100, 2_000, 100) }) };
  const done = await world.broker.createSet(call(), [
    { key: 'first', ...member },
    { key: 'second', ...member, after: 'first', gapS: 50 },
  ]);
  if (done.kind !== 'done') throw new Error('not a replay');
  const second = done.value.circuits[1] as Circuit;
  await world.broker.change(call(), second.id, { notBefore: at(400) });
  expect(await slot(second)).toEqual([400, 500]);
  await book({ schedule: fixed(400, 500) });
  expect(await slot(second)).toEqual([500, 600]);
});

/** Whatever the change came to, the circuit as it is then. */
const change = async (c: Circuit, wish: CircuitChange): Promise<Circuit> => {
  await world.broker.change(call(), c.id, wish).catch((error: unknown) => {
    if (!(error instanceof BrokerError)) throw error;
  });
  return world.broker.circuit(operator, c.id);
};

it('a volume that is changed still carries its bytes, or the change is refused', async () => {
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

it('a pinned circuit is inside its window after its window is changed, or the change is refused', async () => {
  world = await OneDomain.start();
  const pinned = await book({ pinned: true, schedule: flexible(100, 1_000, 100) });
  const { current, request } = await change(pinned, { deadline: at(150) });
  const deadline = request.schedule.type === 'FLEXIBLE' ? request.schedule.deadline : 0;
  expect(current?.window.end).toBeLessThanOrEqual(deadline);
});

it('what has begun ends by its deadline after it is extended, or the deadline goes with it', async () => {
  world = await OneDomain.start();
  const lit = await book({ schedule: flexible(10, 200, 100) });
  await world.pass(30);
  const { current, request } = await change(lit, { extendS: 300 });
  const deadline = request.schedule.type === 'FLEXIBLE' ? request.schedule.deadline : 0;
  expect(current?.window.end).toBeLessThanOrEqual(deadline);
});

it('a set keeps its order when one of it is extended, or the extension is refused', async () => {
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
  const gap =
    ((await world.broker.circuit(operator, second.id)).current?.window.start ?? 0) -
    (after.current?.window.end ?? 0);
  expect(gap).toBeGreaterThanOrEqual(50_000);
});

it('a refused change says whether it is proven', async () => {
  world = await OneDomain.start();
  const lit = await book({ mbps: 10_000, schedule: fixed(10, 100) });
  await book({ mbps: 10_000, schedule: fixed(100, 200) });
  await world.pass(20);
  const error: unknown = await world.broker.change(call(), lit.id, { extendS: 50 }).catch((e: unknown) => e);
  expect(error instanceof BrokerError && error.details.proof).toBeTruthy();
});

it('a member of a set that nobody waits for may be extended like any other', async () => {
  world = await OneDomain.start();
  const done = await world.broker.createSet(call(), [
    { key: 'one', request: aRequest({ schedule: fixed(10, 100) }) },
    { key: 'two', request: aRequest({ schedule: fixed(10, 100) }) },
  ]);
  if (done.kind !== 'done') throw new Error('not a replay');
  await world.pass(20);
  const after = await change(done.value.circuits[0] as Circuit, { extendS: 50 });
  expect(after.current?.window.end).toBe(at(150));
});
