/** Devices that take no orders now: what starts soon goes round them or is refused by their name, what is later does not care. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Devices } from '../../src/broker/devices/devicePorts.ts';
import { MemoryDevices } from '../../src/drivers/memory.ts';
import { BrokerError } from '../../src/kernel/errors.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import type { CircuitRequest } from '../../src/model/circuit.ts';
import type { OutOfReach } from '../../src/topology/network.ts';
import { aRequest, at, fixed } from '../support/builders.ts';
import { call, OneDomain, operator, triangle } from '../support/oneDomain.ts';

let world: OneDomain;
let silent: OutOfReach[];
beforeEach(async () => {
  silent = [];
  world = await OneDomain.start({
    topology: triangle,
    devices: (clock): Devices => {
      const memory = new MemoryDevices({ clock, random: seededRandom(7) });
      return {
        light: (...order) => memory.light(...order),
        dark: (...order) => memory.dark(...order),
        observe: () => memory.observe(),
        outOfReach: () => silent,
      };
    },
  });
});
afterEach(() => world.end());

const say = (...out: OutOfReach[]): void => {
  silent = out;
  world.broker.news.lookWhoAnswers();
};
const linksOf = async (over: Partial<CircuitRequest>): Promise<readonly string[] | undefined> => {
  const done = await world.broker.createCircuit(call(), aRequest(over));
  if (done.kind !== 'done') throw new Error('not a replay');
  return done.value.current?.segments[0]?.links;
};
const refusalOf = async (over: Partial<CircuitRequest>): Promise<BrokerError> => {
  const error: unknown = await linksOf(over).catch((reason: unknown) => reason);
  if (!(error instanceof BrokerError)) throw new Error('it was not refused');
  return error;
};
const soon = fixed(100, 200);
const muchLater = fixed(3_700, 3_800);
const round = { a: { port: 'ams:host1', vlan: 'ANY' }, z: { port: 'ams:host2', vlan: 'ANY' } } as const;

it('a circuit that starts soon goes round the port of which nobody knows what it is set to, a later one does not', async () => {
  expect(await linksOf({ ...round, schedule: soon })).toEqual(['l1']);
  say({ device: 'sw1', ports: ['t1'] });
  expect(await linksOf({ ...round, schedule: soon })).toEqual(['l2', 'l3']);
  expect(await linksOf({ ...round, schedule: muchLater })).toEqual(['l1']);
  say();
  expect(await linksOf({ ...round, schedule: soon })).toEqual(['l1']);
});

it('a refusal names the device that does not answer', async () => {
  say({ device: 'sw2' });
  const atItsPort = await refusalOf({ schedule: soon });
  expect(atItsPort).toMatchObject({
    code: 'NO_FEASIBLE_SLOT',
    message: expect.stringContaining('device sw2'),
  });
  expect(atItsPort.details.bottlenecks).toMatchObject([{ kind: 'NODE', id: 'sw2' }]);
  say({ device: 'sw3' }, { device: 'sw1', ports: ['t1'] });
  const onTheWay = await refusalOf({ schedule: soon });
  expect(onTheWay.message).toMatch(/no orders are taken now by sw1, sw3/);
  expect(onTheWay.details.bottlenecks).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ kind: 'NODE', id: 'sw1' }),
      expect.objectContaining({ kind: 'NODE', id: 'sw3' }),
    ]),
  );
  expect(await linksOf({ schedule: muchLater })).toEqual(['l1']);
});

it('a window that begins soon and is long enough gets a slot when the device may answer again', async () => {
  say({ device: 'sw2' });
  const flexible = (deadline: number): CircuitRequest['schedule'] => ({
    type: 'FLEXIBLE',
    notBefore: at(10),
    deadline: at(deadline),
    durationS: 100,
  });
  await refusalOf({ schedule: flexible(3_600) });
  const done = await world.broker.createCircuit(call(), aRequest({ schedule: flexible(7_200) }));
  if (done.kind !== 'done') throw new Error('not a replay');
  expect(done.value.current?.window.start).toBeGreaterThan(at(3_600));
});

it('what is lit stays where it is: a device that takes no orders is not a road that has failed', async () => {
  const done = await world.broker.createCircuit(call(), aRequest({ schedule: soon }));
  if (done.kind !== 'done') throw new Error('not a replay');
  await world.pass(110);
  say({ device: 'sw1', ports: ['t1'] });
  await world.broker.setLink(call(operator), 'l3', { oper: 'UP' });
  await world.pass(5);
  const now = await world.broker.circuit(operator, done.value.id);
  expect(now).toMatchObject({ state: 'ACTIVE', current: { segments: [{ links: ['l1'] }] } });
});

it('a new topology and a new term know it too', async () => {
  say({ device: 'sw2' });
  await world.broker.setLink(call(operator), 'l3', { oper: 'UP' });
  await refusalOf({ schedule: soon });
  await world.restart();
  await refusalOf({ schedule: soon });
});
