/** One domain, one circuit, from request to light and back: the stories that every later part relies on. */
import { afterEach, expect, it } from 'vitest';
import { BrokerError } from '../../src/kernel/errors.ts';
import type { Circuit, CircuitRequest } from '../../src/model/circuit.ts';
import { fold } from '../../src/model/lifecycle.ts';
import { aRequest, at, fixed, type T0 } from '../support/builders.ts';
import { call, OneDomain, operator, stranger, user } from '../support/oneDomain.ts';
import { OPEN_POLICY, rulesFor } from '../support/policies.ts';

let world: OneDomain;
afterEach(() => world.end());

const book = async (over: Partial<CircuitRequest> = {}, who = user): Promise<Circuit> => {
  const done = await world.broker.createCircuit(call(who), aRequest(over));
  if (done.kind !== 'done') throw new Error('not a replay');
  return done.value;
};
const state = async (c: Circuit): Promise<string> => (await world.broker.circuit(operator, c.id)).state;
const problemOf = async (promise: Promise<unknown>): Promise<BrokerError> => {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(BrokerError);
  return error as BrokerError;
};

it('NOW: is scheduled at once, lit at the next full second, dark at its end', async () => {
  world = await OneDomain.start();
  const c = await book({ schedule: { type: 'NOW', durationS: 60 } });
  expect(c.state).toBe('SCHEDULED');
  expect(c.current?.window).toEqual({ start: at(1), end: at(61) });
  await world.pass(1);
  expect(await state(c)).toBe('ACTIVE');
  expect(await world.broker.observed()).toHaveLength(2);
  await world.pass(60);
  expect(await state(c)).toBe('ENDED');
  expect(await world.broker.observed()).toEqual([]);
});

it('FIXED: back-to-back windows on one port do not overlap; an overlapping one is refused with its bottleneck and an alternative', async () => {
  world = await OneDomain.start();
  await book({ mbps: 10_000, schedule: fixed(100, 200) });
  await book({ mbps: 10_000, schedule: fixed(200, 300) });
  const problem = await problemOf(book({ mbps: 4_000, schedule: fixed(150, 250) }));
  expect(problem.code).toBe('NO_FEASIBLE_SLOT');
  expect(problem.details.bottlenecks?.[0]).toMatchObject({
    kind: 'PORT',
    id: 'ams:host1',
    free_mbps: 0,
    needed_mbps: 4_000,
  });
  const starts = problem.details.alternatives?.map((one) => [one.start_time, one.bandwidth_mbps]);
  expect(starts).toContainEqual(['2026-01-01T00:05:00Z', 4_000]);
});

it('two that share a link get different VLANs on it; UNTAGGED wants the port for itself', async () => {
  world = await OneDomain.start();
  const first = await book();
  const second = await book({ a: { port: 'ams:host3', vlan: 'ANY' } });
  const link = (c: Circuit): number | undefined =>
    c.current?.segments[0]?.uses.find((use) => use.edge === 'link:l1')?.label;
  expect(link(first)).not.toBe(link(second));
  expect(
    (await problemOf(book({ a: { port: 'ams:host1', vlan: 'UNTAGGED' } }))).details.bottlenecks?.[0]?.kind,
  ).toBe('LABEL');
  await book({ a: { port: 'ams:host1', vlan: 'UNTAGGED' }, schedule: fixed(200, 300) });
});

it('a hold waits for the commit, and runs out without it', async () => {
  world = await OneDomain.start();
  const kept = await book({ holdS: 60, schedule: fixed(500, 600) });
  const left = await book({ holdS: 60, schedule: fixed(500, 600) });
  expect(kept.state).toBe('HELD');
  await world.broker.act(call(), kept.id, { type: 'extend-hold', holdS: 90 });
  await world.pass(61);
  expect(await state(left)).toBe('HOLD_EXPIRED');
  await world.broker.act(call(), kept.id, { type: 'commit' });
  expect(await state(kept)).toBe('SCHEDULED');
  expect((await problemOf(world.broker.act(call(), left.id, { type: 'commit' }))).code).toBe('HOLD_EXPIRED');
  expect(
    (await problemOf(world.broker.act(call(), kept.id, { type: 'abort' }))).details.allowed_actions,
  ).toContain('cancel');
});

it('a hold ends with its window at the latest, however long it was asked for', async () => {
  world = await OneDomain.start();
  const left = await book({ holdS: 3_600, schedule: fixed(10, 20) });
  expect(left.holdExpire).toBe(at(20));
  await world.broker.act(call(), left.id, { type: 'extend-hold', holdS: 7_200 });
  expect((await world.broker.circuit(operator, left.id)).holdExpire).toBe(at(20));
  await world.pass(20);
  expect(await state(left)).toBe('HOLD_EXPIRED');
});

it('the rest of a series is cancelled; the one that has begun goes on to its end', async () => {
  world = await OneDomain.start();
  const made = await world.broker.createSeries(call(), aRequest({ schedule: fixed(10, 70) }), {
    rrule: 'FREQ=MINUTELY;INTERVAL=2;COUNT=2',
    timezone: 'UTC',
    durationS: 60,
    notBefore: at(10),
  });
  if (made.kind !== 'done') throw new Error('not a replay');
  const ids = made.value.occurrences.flatMap((one) => one.circuitId ?? []);
  const states = async (): Promise<string[]> =>
    Promise.all(ids.map(async (id) => (await world.broker.circuit(operator, id)).state));
  await world.pass(20);
  await world.broker.cancelSeries(call(), made.value.id);
  expect(await states()).toEqual(['ACTIVE', 'CANCELLED']);
  await world.pass(60);
  expect(await states()).toEqual(['ENDED', 'CANCELLED']);
});

it('a port that can never serve a request stands in the way all through the window asked for', async () => {
  world = await OneDomain.start();
  const asked = book({ constraints: { exclude_domains: ['ams.example'] }, schedule: fixed(100, 200) });
  const { details } = await problemOf(asked);
  expect(details.bottlenecks?.[0]).toMatchObject({
    start_time: '2026-01-01T00:01:40Z',
    end_time: '2026-01-01T00:03:20Z',
  });
});

it('MANUAL is lit when it is asked for, and fails when nobody asks', async () => {
  world = await OneDomain.start();
  const asked = await book({ provision: 'MANUAL', schedule: fixed(10, 60) });
  const forgotten = await book({ provision: 'MANUAL', schedule: fixed(10, 60) });
  await world.pass(20);
  expect(await state(asked)).toBe('SCHEDULED');
  await world.broker.act(call(), asked.id, { type: 'provision' });
  await world.settle();
  expect(await state(asked)).toBe('ACTIVE');
  await world.pass(45);
  expect(await state(asked)).toBe('ENDED');
  expect(await state(forgotten)).toBe('FAILED');
});

it('release frees the rest of the slot; cancel before the start frees all of it', async () => {
  world = await OneDomain.start();
  const lit = await book({ mbps: 10_000, schedule: fixed(10, 1_000) });
  await world.pass(20);
  await world.broker.act(call(), lit.id, { type: 'release', detail: 'done early' });
  await world.settle();
  expect(await state(lit)).toBe('ENDED');
  const next = await book({ mbps: 10_000, schedule: fixed(30, 1_000) });
  await world.broker.act(call(), next.id, { type: 'cancel', detail: 'not needed' });
  expect(await state(next)).toBe('CANCELLED');
  await book({ mbps: 10_000, schedule: fixed(30, 1_000) });
});

it('a change in place counts its own room as free, and changes nothing when it does not fit', async () => {
  world = await OneDomain.start();
  const c = await book({ mbps: 6_000, schedule: fixed(10, 100) });
  await book({ mbps: 3_000, schedule: fixed(150, 300) });
  const more = await world.broker.change(call(), c.id, { mbps: 9_000 }, c.revision);
  expect(more.kind === 'done' && more.value.current?.mbps).toBe(9_000);
  expect((await problemOf(world.broker.change(call(), c.id, { extendS: 100 }))).code).toBe(
    'NO_FEASIBLE_SLOT',
  );
  await world.pass(20);
  const longer = await world.broker.change(call(), c.id, { end: at(140) });
  expect(longer.kind === 'done' && longer.value.state).toBe('ACTIVE');
  await world.pass(100);
  expect(await state(c)).toBe('ACTIVE');
  await world.pass(40);
  expect(await state(c)).toBe('ENDED');
});

it('a stale revision is refused, and the circuit of a stranger is not there', async () => {
  world = await OneDomain.start();
  const c = await book();
  expect((await problemOf(world.broker.change(call(), c.id, { mbps: 2 }, c.revision + 1))).code).toBe(
    'STALE_REVISION',
  );
  expect((await problemOf(world.broker.circuit(stranger, c.id))).code).toBe('NOT_FOUND');
  expect((await problemOf(world.broker.act(call(stranger), c.id, { type: 'cancel', detail: '' }))).code).toBe(
    'NOT_FOUND',
  );
});

it('validate_only answers as the real call would and leaves no trace', async () => {
  world = await OneDomain.start();
  const before = world.broker.stats();
  const looked = await world.broker.createCircuit(
    call(user, { validateOnly: true }),
    aRequest({ mbps: 10_000 }),
  );
  expect(looked.kind === 'done' && looked.value.state).toBe('SCHEDULED');
  expect(world.broker.stats().circuitsByState).toEqual(before.circuitsByState);
  await book({ mbps: 10_000 });
  expect(
    (await problemOf(world.broker.createCircuit(call(user, { validateOnly: true }), aRequest()))).code,
  ).toBe('NO_FEASIBLE_SLOT');
});

it('an Idempotency-Key acts once: the same again is replayed, another body is refused, a refusal is kept too', async () => {
  world = await OneDomain.start();
  const keyed = (key: string, bodyHash: string, who = user) =>
    call(who, {
      idempotency: {
        key,
        bodyHash,
        render: (outcome: { ok: Circuit } | { problem: BrokerError }) =>
          'ok' in outcome
            ? { status: 201, headers: {}, body: outcome.ok.id }
            : { status: outcome.problem.status, headers: {}, body: outcome.problem.code },
      },
    } as never);
  const first = await world.broker.createCircuit(keyed('k', 'b'), aRequest({ mbps: 10_000 }));
  const again = await world.broker.createCircuit(keyed('k', 'b'), aRequest({ mbps: 10_000 }));
  expect(first.kind === 'done' && again.kind === 'replayed' && again.answer.body).toBe(
    first.kind === 'done' && first.value.id,
  );
  expect((await problemOf(world.broker.createCircuit(keyed('k', 'other'), aRequest()))).code).toBe(
    'IDEMPOTENCY_KEY_REUSED',
  );
  expect((await problemOf(world.broker.createCircuit(keyed('k', 'b', stranger), aRequest()))).code).toBe(
    'IDEMPOTENCY_KEY_REUSED',
  );
  const both = await Promise.allSettled(
    [1, 2].map(() => world.broker.createCircuit(keyed('p', 'b'), aRequest({ schedule: fixed(300, 400) }))),
  );
  expect(both.map((r) => r.status).sort()).toEqual(['fulfilled', 'rejected']);
  await problemOf(world.broker.createCircuit(keyed('full', 'b'), aRequest()));
  await world.restart();
  const kept = await world.broker.createCircuit(keyed('full', 'b'), aRequest());
  expect(kept.kind === 'replayed' && kept.answer).toMatchObject({ status: 409, body: 'NO_FEASIBLE_SLOT' });
});

it('what policy denies is recorded and nothing else happens', async () => {
  world = await OneDomain.start({
    policy: rulesFor(
      `${OPEN_POLICY}@id("no-elephants") forbid (principal, action == Action::"circuit.create", resource);`,
    ),
  });
  const problem = await problemOf(book());
  expect(problem.code).toBe('POLICY_DENIED');
  const decision = await world.broker.decision(user, problem.details.decision_id as never);
  expect(decision).toMatchObject({ effect: 'DENY', reasons: ['no-elephants'], action: 'circuit.create' });
  expect((await world.broker.circuits(operator, { sort: 'create_time', limit: 10 })).items).toEqual([]);
});

it('a set is all or nothing, and says which member refused', async () => {
  world = await OneDomain.start();
  const member = (key: string, over: Partial<CircuitRequest>) => ({ key, request: aRequest(over) });
  const problem = await problemOf(
    world.broker.createSet(call(), [member('one', { mbps: 6_000 }), member('two', { mbps: 6_000 })]),
  );
  expect(problem.details.errors?.[0]?.pointer).toBe('/circuits/1');
  const done = await world.broker.createSet(call(), [
    member('one', { mbps: 6_000, holdS: 60 }),
    member('two', { mbps: 4_000, holdS: 60 }),
  ]);
  if (done.kind !== 'done') throw new Error('not a replay');
  const committed = await world.broker.actOnSet(call(), done.value.set.id, 'commit');
  expect(committed.kind === 'done' && committed.value.circuits.map((c) => c.state)).toEqual([
    'SCHEDULED',
    'SCHEDULED',
  ]);
  await world.broker.actOnSet(call(), done.value.set.id, 'cancel');
  expect((await world.broker.set(user, done.value.set.id)).circuits.map((c) => c.state)).toEqual([
    'CANCELLED',
    'CANCELLED',
  ]);
});

it('RECURRING keeps the wall-clock time over a change of daylight saving', async () => {
  world = await OneDomain.start();
  // 2026-03-28 06:00 in Amsterdam is 05:00 UTC; a day later, in summer time, it is 04:00 UTC.
  const notBefore = Date.UTC(2026, 2, 28, 5) as typeof T0;
  const done = await world.broker.createSeries(call(), aRequest(), {
    rrule: 'FREQ=DAILY;COUNT=3',
    timezone: 'Europe/Amsterdam',
    durationS: 3_600,
    notBefore,
  });
  if (done.kind !== 'done') throw new Error('not a replay');
  const times = done.value.occurrences.map((o) => new Date(o.start).toISOString().slice(0, 16));
  expect(times).toEqual(['2026-03-28T05:00', '2026-03-29T04:00', '2026-03-30T04:00']);
  await world.broker.cancelSeries(call(), done.value.id);
  expect(
    (await world.broker.circuits(user, { sort: 'start_time', limit: 10 })).items.map((c) => c.state),
  ).toEqual(['CANCELLED', 'CANCELLED', 'CANCELLED']);
});

it('a restart goes on where it was: what ended meanwhile is dark, what should shine shines', async () => {
  world = await OneDomain.start();
  const running = await book({ schedule: fixed(10, 1_000) });
  const ending = await book({ schedule: fixed(10, 50), a: { port: 'ams:host3', vlan: 'ANY' } });
  const missed = await book({ schedule: fixed(60, 70) });
  await world.pass(20);
  await world.broker.stop();
  await world.clock.advance(100_000);
  await world.store.close();
  world.store = { close: () => Promise.resolve() } as never;
  world.broker = { stop: () => Promise.resolve() } as never;
  await world.restart();
  expect(await state(running)).toBe('ACTIVE');
  expect(await state(ending)).toBe('ENDED');
  expect(await state(missed)).toBe('FAILED');
  expect((await world.broker.observed()).every((connect) => connect.owner?.circuit === running.id)).toBe(
    true,
  );
});

it('the stored events, folded, are the stored circuit', async () => {
  world = await OneDomain.start();
  const c = await book({ schedule: fixed(10, 100), holdS: 30 });
  await world.broker.act(call(), c.id, { type: 'commit' });
  await world.pass(20);
  await world.broker.change(call(), c.id, { mbps: 2_000 });
  await world.settle();
  await world.broker.act(call(), c.id, { type: 'release', detail: 'enough' });
  await world.settle();
  const events = await world.broker.events(operator, { circuitId: c.id, afterSeq: 0, limit: 100 });
  const [created, ...rest] = events.map((event) => event.input);
  if (created?.type !== 'created') throw new Error('the first event creates');
  expect(fold(created.circuit, rest as never)).toEqual(await world.store.circuit(c.id));
  expect(events.map((event) => event.type)).toEqual([
    'circuit.created',
    'circuit.held',
    'circuit.scheduled',
    'circuit.provisioning',
    'circuit.active',
    'circuit.modified',
    // The devices have the new rate.
    'circuit.updated',
    'circuit.releasing',
    'circuit.ended',
  ]);
});
