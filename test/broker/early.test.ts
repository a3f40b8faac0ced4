/** Devices that take ten seconds: light is on at the start where the way there is free, and at nobody's cost. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isFreeUntil } from '../../src/broker/circuits/gate.ts';
import type { Devices } from '../../src/broker/devices/devicePorts.ts';
import { MemoryDevices } from '../../src/drivers/memory.ts';
import { instant, sleep } from '../../src/kernel/clock.ts';
import { BrokerError } from '../../src/kernel/errors.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import type { Circuit, CircuitRequest } from '../../src/model/circuit.ts';
import { aRequest, at, fixed } from '../support/builders.ts';
import type { HandClock } from '../support/handClock.ts';
import { call, OneDomain, operator, user } from '../support/oneDomain.ts';

const SETUP_MS = 10_000;
let world: OneDomain;
let setupMs: number | undefined;
/** "light" and "dark" with the second at which each was ordered. */
let orders: [what: string, circuit: string, at: number][];
let stuck: boolean;

beforeEach(async () => {
  setupMs = SETUP_MS;
  orders = [];
  stuck = false;
  const seconds = (clock: HandClock): number => (clock.now() - at(0)) / 1000;
  world = await OneDomain.start({
    devices: (clock): Devices => {
      const memory = new MemoryDevices({ clock, random: seededRandom(7) });
      return {
        async light(segment, context) {
          orders.push(['light', context.circuit, seconds(clock)]);
          await sleep(clock, SETUP_MS);
          return memory.light(segment, context);
        },
        async dark(segment, context) {
          orders.push(['dark', context.circuit, seconds(clock)]);
          if (stuck) return { ok: false, retry: true, detail: 'it does not answer', elements: [] };
          return memory.dark(segment, context);
        },
        observe: () => memory.observe(),
        setupMs: () => setupMs,
      };
    },
  });
});
afterEach(() => world.end());

const book = async (over: Partial<CircuitRequest> = {}): Promise<Circuit> => {
  const done = await world.broker.createCircuit(call(), aRequest(over));
  if (done.kind !== 'done') throw new Error('not a replay');
  return done.value;
};
const look = (c: Circuit): Promise<Circuit> => world.broker.circuit(user, c.id);
const lightOf = (c: Circuit): number | undefined =>
  orders.find(([what, id]) => what === 'light' && id === c.id)?.[2];
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof BrokerError ? error.code : String(error)),
  );
const whole = { mbps: 10_000 };

it('is on when the window begins, and not ordered earlier than that takes', async () => {
  const circuit = await book({ schedule: fixed(100, 200) });
  await world.pass(88);
  expect(lightOf(circuit)).toBeUndefined();
  await world.pass(12);
  expect(lightOf(circuit)).toBeGreaterThanOrEqual(89);
  expect(lightOf(circuit)).toBeLessThanOrEqual(90);
  const lit = await look(circuit);
  expect(lit.state).toBe('ACTIVE');
  expect(lit.actualStart).toBeLessThanOrEqual(at(100));
  expect(lit.current?.window).toEqual({ start: at(100), end: at(200) });
});

it('never more than half a minute, however slow the devices', async () => {
  setupMs = 300_000;
  const circuit = await book({ schedule: fixed(100, 200) });
  await world.pass(100);
  expect(lightOf(circuit)).toBeGreaterThanOrEqual(69);
});

it.each([undefined, 100])('what is quick or not known is ordered at its start (%s ms)', async (ms) => {
  setupMs = ms;
  const circuit = await book({ schedule: fixed(100, 200) });
  await world.pass(105);
  expect(lightOf(circuit)).toBe(100);
});

it('what it has early is claimed: nobody gets it meanwhile', async () => {
  const circuit = await book({ ...whole, schedule: fixed(100, 200) });
  await world.pass(85);
  // Until it is ordered the time before its start is anybody's.
  const only = call(user, { validateOnly: true });
  const asked = aRequest({ ...whole, schedule: fixed(93, 99) });
  expect(await codeOf(world.broker.createCircuit(only, asked))).toBe('none');
  await world.pass(7);
  expect(lightOf(circuit)).toBeDefined();
  expect(await codeOf(book({ ...whole, schedule: fixed(93, 99) }))).toBe('NO_FEASIBLE_SLOT');
});

it('whoever is there until the start stays there: back to back is lit at its start', async () => {
  const before = await book({ ...whole, schedule: fixed(20, 100) });
  const circuit = await book({ ...whole, schedule: fixed(100, 200) });
  await world.pass(115);
  expect((await look(before)).state).toBe('ENDED');
  expect(lightOf(circuit)).toBe(100);
});

it('whose time is over this very second, or was over and is not written yet, is still there', async () => {
  await book({ ...whole, schedule: fixed(20, 100) });
  const { id } = await book({ ...whole, schedule: fixed(105, 200) });
  await world.pass(99);
  const known = world.broker.term?.book;
  const segment = known?.circuits.get(id)?.current?.segments[0];
  if (known === undefined || segment === undefined) throw new Error('it is booked');
  const isFree = (from: number): boolean => isFreeUntil(known, segment, whole.mbps, at(from), at(105));
  expect([isFree(100), isFree(103)]).toEqual([false, false]);
  await world.pass(2);
  expect(orders.find(([what, circuit]) => what === 'light' && circuit === id)?.[2]).toBe(101);
});

it('who has gone, but is not verified dark, is still there', async () => {
  const before = await book({ ...whole, schedule: fixed(20, 60) });
  const circuit = await book({ ...whole, schedule: fixed(100, 200) });
  await world.pass(50);
  stuck = true;
  await world.pass(49);
  expect((await look(before)).state).toBe('RELEASING');
  expect(lightOf(circuit)).toBeUndefined();
  stuck = false;
  await world.pass(60);
  const dark = orders.findLast(([what, id]) => what === 'dark' && id === before.id)?.[2];
  expect(lightOf(circuit)).toBeGreaterThanOrEqual(dark ?? Number.POSITIVE_INFINITY);
});

it('nor does who has been made larger and smaller meanwhile let go of his label', async () => {
  const seven = [[7, 7]] as const;
  const { a, z } = aRequest({});
  const ends = { a: { ...a, vlan: seven }, z: { ...z, vlan: seven } };
  const before = await book({ ...ends, mbps: 1_000, schedule: fixed(20, 100) });
  const circuit = await book({ ...ends, mbps: 1_000, schedule: fixed(100, 200) });
  await world.pass(50);
  stuck = true;
  for (const mbps of [5_000, 1_000]) {
    await world.broker.change(call(), before.id, { mbps });
    await world.pass(15);
  }
  await world.pass(40);
  expect((await look(before)).state).toBe('RELEASING');
  expect(lightOf(circuit)).toBeUndefined();
  stuck = false;
  await world.pass(60);
  expect((await look(circuit)).state).toBe('ACTIVE');
});

it('and cut short by maintenance keeps what it has before its start', async () => {
  const circuit = await book({ ...whole, schedule: fixed(100, 200) });
  await world.pass(95);
  const lightFrom = (await look(circuit)).current?.lightFrom;
  expect(lightFrom).toBeLessThan(at(100));
  const window = { start: at(150), end: at(180) };
  const ask = { links: ['l1'], nodes: [], window, conflict: 'PREEMPT' } as const;
  await world.broker.createMaintenance(call(operator), ask);
  expect((await look(circuit)).current).toMatchObject({
    lightFrom,
    window: { start: at(100), end: at(150) },
  });
});

it('between its order and its start it is not changed, may be released, and then costs and keeps nothing', async () => {
  const circuit = await book({ ...whole, schedule: fixed(100, 200) });
  await world.pass(95);
  const longer = { end: instant(at(300)) };
  expect(await codeOf(world.broker.change(call(), circuit.id, longer))).toBe('CHANGE_PENDING');
  await world.broker.act(call(), circuit.id, { type: 'release', detail: 'not needed' });
  await world.pass(30);
  expect((await look(circuit)).state).toBe('ENDED');
  expect(await world.broker.observed()).toEqual([]);
  expect(await codeOf(book({ ...whole, schedule: fixed(130, 190) }))).toBe('none');
});

it('may be made longer later, and who steps aside for that steps behind its new end', async () => {
  const circuit = await book({ ...whole, schedule: fixed(100, 200) });
  const next = await book({
    ...whole,
    schedule: { type: 'FLEXIBLE', durationS: 60, notBefore: at(200), deadline: at(500) },
  });
  await world.pass(110);
  await world.broker.change(call(), circuit.id, { end: at(230) });
  const [first, second] = [await look(circuit), await look(next)];
  expect(first.current?.window).toEqual({ start: at(100), end: at(230) });
  expect(second.current?.window).toEqual({ start: at(230), end: at(290) });
});

it('a restart in between takes it up where it was', async () => {
  const circuit = await book({ ...whole, schedule: fixed(100, 200) });
  await world.pass(92);
  await world.restart();
  expect(await codeOf(book({ ...whole, schedule: fixed(94, 99) }))).toBe('NO_FEASIBLE_SLOT');
  await world.pass(30);
  expect(await look(circuit)).toMatchObject({ state: 'ACTIVE', current: { lightFrom: expect.any(Number) } });
  await world.pass(100);
  expect((await look(circuit)).state).toBe('ENDED');
});
