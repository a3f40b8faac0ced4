/** When roads fail or close: protection, rerouting, maintenance, and what can be had when. */
import { afterEach, expect, it } from 'vitest';
import type { Devices } from '../../src/broker/devices/devicePorts.ts';
import { MemoryDevices } from '../../src/drivers/memory.ts';
import { BrokerError } from '../../src/kernel/errors.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import type { Circuit, CircuitRequest } from '../../src/model/circuit.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { aRequest, at, fixed } from '../support/builders.ts';
import { call, OneDomain, operator, triangle } from '../support/oneDomain.ts';

/** The same, its long way closed for the first five minutes. */
const closing: TopologyDocument = {
  ...triangle,
  maintenance_windows: [
    { id: 'mnt_0', links: ['l2'], start_time: '2026-01-01T00:00:00Z', end_time: '2026-01-01T00:05:00Z' },
  ],
};

let world: OneDomain;
afterEach(() => world.end());

const book = async (over: Partial<CircuitRequest> = {}): Promise<Circuit> => {
  const done = await world.broker.createCircuit(call(), aRequest(over));
  if (done.kind !== 'done') throw new Error('not a replay');
  return done.value;
};
const look = (c: Circuit): Promise<Circuit> => world.broker.circuit(operator, c.id);
const linksOf = async (c: Circuit): Promise<readonly string[] | undefined> =>
  (await look(c)).current?.segments[0]?.links;
const down = (id: string) => world.broker.setLink(call(operator), id, { oper: 'DOWN' });
const lit = async (): Promise<string[]> =>
  [...new Set((await world.broker.observed()).map((connect) => connect.device))].sort();
const condition = async (c: Circuit, type: string): Promise<string | undefined> =>
  (await look(c)).conditions.find((one) => one.type === type)?.status;
const typesOf = async (c: Circuit): Promise<string[]> =>
  (await world.broker.events(operator, { circuitId: c.id, afterSeq: 0, limit: 100 })).map(
    (event) => event.type,
  );
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'ok',
    (e: unknown) => (e instanceof BrokerError ? e.code : String(e)),
  );

it('an unprotected circuit whose link fails is lit on another road, and the old one goes out', async () => {
  world = await OneDomain.start({ topology: triangle });
  const c = await book({ schedule: fixed(10, 500) });
  await world.pass(20);
  expect([await linksOf(c), await lit()]).toEqual([['l1'], ['sw1', 'sw2']]);
  await down('l1');
  await world.pass(2);
  expect(await linksOf(c)).toEqual(['l2', 'l3']);
  expect(await lit()).toEqual(['sw1', 'sw2', 'sw3']);
  expect((await world.broker.observed()).filter((connect) => connect.owner?.circuit === c.id)).toHaveLength(
    3,
  );
  expect(await typesOf(c)).toContain('circuit.rerouted');
  expect((await look(c)).state).toBe('ACTIVE');
});

it('where there is no other road it says so, and takes the first that comes', async () => {
  world = await OneDomain.start({ topology: triangle });
  const c = await book({ schedule: fixed(10, 500) });
  await world.pass(20);
  await down('l3');
  await down('l1');
  await world.pass(2);
  expect(await condition(c, 'DataPlaneUp')).toBe('FALSE');
  expect((await look(c)).conditions).toContainEqual(
    expect.objectContaining({
      reason: 'ROAD_OUT_OF_SERVICE',
      detail: expect.stringMatching(/^link .* service$/),
    }),
  );
  expect(await linksOf(c)).toEqual(['l1']);
  await world.broker.setLink(call(operator), 'l3', { oper: 'UP' });
  await world.pass(2);
  expect(await linksOf(c)).toEqual(['l2', 'l3']);
  expect(await condition(c, 'DataPlaneUp')).toBe('TRUE');
});

it('a protected circuit holds both roads, switches to the second, and is protected again when it can be', async () => {
  world = await OneDomain.start({ topology: triangle });
  const c = await book({ protection: 'PROTECTED', mbps: 6_000, schedule: fixed(10, 500) });
  expect(c.current?.segments[0]?.backup?.links).toEqual(['l2', 'l3']);
  expect(await condition(c, 'Protected')).toBe('TRUE');
  expect(
    await codeOf(book({ mbps: 5_000, a: { port: 'ams:host3', vlan: 'ANY' }, schedule: fixed(10, 500) })),
  ).toBe('NO_FEASIBLE_SLOT');
  await world.pass(20);
  expect(await lit()).toEqual(['sw1', 'sw2']);
  await down('l1');
  await world.pass(2);
  expect(await linksOf(c)).toEqual(['l2', 'l3']);
  expect(await lit()).toEqual(['sw1', 'sw2', 'sw3']);
  expect(await condition(c, 'Protected')).toBe('FALSE');
  await world.broker.setLink(call(operator), 'l1', { oper: 'UP' });
  await world.pass(2);
  expect((await look(c)).current?.segments[0]?.backup?.links).toEqual(['l1']);
  expect(await condition(c, 'Protected')).toBe('TRUE');
  await world.broker.act(call(), c.id, { type: 'release', detail: 'done' });
  await world.pass(2);
  expect((await look(c)).state).toBe('ENDED');
  expect(await condition(c, 'Protected')).toBeUndefined();
});

it('a protected circuit is refused where there are no two ways', async () => {
  world = await OneDomain.start();
  expect(await codeOf(book({ protection: 'PROTECTED' }))).toBe('NO_FEASIBLE_SLOT');
});

it('a link that flaps does not drag a circuit along for ever', async () => {
  world = await OneDomain.start({ topology: triangle });
  const c = await book({ schedule: fixed(10, 3_000) });
  await world.pass(20);
  for (let i = 0; i < 4; i++) {
    await down((await linksOf(c))?.[0] ?? '');
    await world.pass(2);
    for (const id of ['l1', 'l2']) await world.broker.setLink(call(operator), id, { oper: 'UP' });
    await world.pass(2);
  }
  const given = (await typesOf(c)).filter((type) => type === 'circuit.rerouted');
  expect(given).toHaveLength(3);
});

it('what starts days ahead is not moved for a link that is out of order today', async () => {
  world = await OneDomain.start({ topology: triangle });
  const later = await book({ schedule: fixed(90_000, 91_000) });
  await down('l1');
  await world.pass(2);
  expect(await linksOf(later)).toEqual(['l1']);
  expect((await book({ schedule: fixed(90_000, 91_000) })).current?.segments[0]?.links).toEqual(['l1']);
  expect((await book({ schedule: fixed(50, 60) })).current?.segments[0]?.links).toEqual(['l2', 'l3']);
});

it('maintenance is a booking: what is in the way moves beforehand, and nothing new is placed there', async () => {
  world = await OneDomain.start({ topology: triangle });
  const c = await book({ schedule: fixed(100, 500) });
  const ask = { links: ['l1'], nodes: [], window: { start: at(200), end: at(300) } };
  expect(await codeOf(world.broker.createMaintenance(call(operator), { ...ask, conflict: 'REJECT' }))).toBe(
    'MAINTENANCE_CONFLICT',
  );
  const done = await world.broker.createMaintenance(call(operator), { ...ask, conflict: 'MIGRATE_FLEXIBLE' });
  if (done.kind !== 'done') throw new Error('not a replay');
  expect(done.value.impact).toEqual([{ circuitId: c.id, outcome: 'REROUTED' }]);
  expect(await linksOf(c)).toEqual(['l2', 'l3']);
  expect((await book({ schedule: fixed(250, 260) })).current?.segments[0]?.links).toEqual(['l2', 'l3']);
  expect((await book({ schedule: fixed(300, 310) })).current?.segments[0]?.links).toEqual(['l1']);
  await world.restart();
  expect(world.broker.maintenance(done.value.window.id).impact).toEqual([]);
  await world.broker.cancelMaintenance(call(operator), done.value.window.id);
  expect(
    (await book({ schedule: fixed(250, 260), a: { port: 'ams:host3', vlan: 'ANY' } })).current?.segments[0]
      ?.links,
  ).toEqual(['l1']);
});

it('maintenance that preempts shortens what has begun by then and cancels what has not', async () => {
  world = await OneDomain.start();
  const begun = await book({ schedule: fixed(100, 500) });
  const during = await book({ schedule: fixed(220, 240) });
  const before = await book({ schedule: fixed(20, 50) });
  const ask = {
    links: ['l1'],
    nodes: [],
    window: { start: at(200), end: at(300) },
    conflict: 'PREEMPT' as const,
  };
  await world.broker.createMaintenance(call(operator), ask);
  expect((await look(begun)).current?.window.end).toBe(at(200));
  expect((await look(during)).state).toBe('CANCELLED');
  expect((await look(before)).current?.window).toEqual({ start: at(20), end: at(50) });
});

it('what is on its way out is in nobody’s way, even if its devices do not answer', async () => {
  world = await OneDomain.start({
    devices: (clock): Devices => {
      const memory = new MemoryDevices({ clock, random: seededRandom(7) });
      return {
        light: (segment, context) => memory.light(segment, context),
        dark: async () => ({ ok: false, retry: true, detail: 'it does not answer', elements: [] }),
        observe: () => memory.observe(),
      };
    },
  });
  const c = await book({ schedule: fixed(10, 500) });
  await world.pass(20);
  await world.broker.act(call(), c.id, { type: 'release', detail: 'done' });
  await world.pass(5);
  expect((await look(c)).state).toBe('RELEASING');
  for (const conflict of ['REJECT', 'PREEMPT'] as const) {
    const ask = { links: ['l1'], nodes: [], window: { start: at(200), end: at(300) }, conflict };
    expect(await codeOf(world.broker.createMaintenance(call(operator), ask))).toBe('ok');
  }
  expect((await look(c)).state).toBe('RELEASING');
});

it('availability is the step function of what one more circuit could have', async () => {
  world = await OneDomain.start({ topology: triangle });
  await book({ mbps: 4_000, schedule: fixed(100, 200) });
  await book({ mbps: 5_000, a: { port: 'ams:host3', vlan: 'ANY' }, schedule: fixed(150, 180) });
  const ends = [
    { port: 'ams:host1', vlan: 'ANY' },
    { port: 'ams:host2', vlan: 'ANY' },
  ] as const;
  const { steps, until } = world.broker.availability(...ends, { start: at(0), end: at(1_000) });
  expect(steps.map(({ from, freeMbps }) => [(from - at(0)) / 1000, freeMbps])).toEqual([
    [0, 10_000],
    [100, 6_000],
    [150, 1_000],
    [180, 6_000],
    [200, 10_000],
  ]);
  expect(until).toBe(at(1_000));
});

it('maintenance moves circuits with a window in time, where there is no other road', async () => {
  world = await OneDomain.start();
  const schedule = { type: 'FLEXIBLE' as const, durationS: 100, notBefore: at(100), deadline: at(1_000) };
  const bob = await book({ schedule });
  const ask = {
    links: ['l1'],
    nodes: [],
    window: { start: at(150), end: at(300) },
    conflict: 'MIGRATE_FLEXIBLE' as const,
  };
  const done = await world.broker.createMaintenance(call(operator), ask);
  expect(done.kind === 'done' && done.value.impact).toEqual([{ circuitId: bob.id, outcome: 'MOVED' }]);
  expect((await look(bob)).current?.window.start).toBe(at(300));
  expect(await typesOf(bob)).toContain('circuit.moved');
});

it('a failed link moves a circuit in time only until its notice: from then on it stays', async () => {
  world = await OneDomain.start({ topology: closing });
  // The way round is closed at first, so that there is no other road at the time that it has.
  const schedule = { type: 'FLEXIBLE' as const, durationS: 50, notBefore: at(100), deadline: at(1_000) };
  const told = await book({ schedule, mbps: 4_000, noticeS: 5 });
  const locked = await book({ schedule, mbps: 4_000, noticeS: 90 });
  await world.pass(20);
  await down('l1');
  await world.settle();
  const starts = [(await look(told)).current?.window.start, (await look(locked)).current?.window.start];
  expect(starts).toEqual([at(300), at(100)]);
});

it('a lit circuit is not given a road that another one has until the end of this second', async () => {
  const narrow = triangle.links.map((link) => ({ ...link, capacity_mbps: 5_000 }));
  world = await OneDomain.start({ topology: { ...triangle, links: narrow } });
  const first = await book({ mbps: 5_000, schedule: fixed(10, 30) });
  const third = { port: 'ams:host3', vlan: 'ANY' } as const;
  const second = await book({ a: third, mbps: 5_000, schedule: fixed(10, 100) });
  expect([await linksOf(first), await linksOf(second)]).toEqual([['l1'], ['l2', 'l3']]);
  await world.pass(29.5);
  await down('l2');
  await world.settle();
  expect((await look(second)).pending).toBeUndefined();
  await world.pass(35);
  expect(await linksOf(second)).toEqual(['l1']);
});
