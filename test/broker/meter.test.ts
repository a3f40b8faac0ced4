/** What circuits have carried, looked at when the light goes on and out and in between, and kept over a restart. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Devices } from '../../src/broker/devices/devicePorts.ts';
import type { OctetRecord } from '../../src/broker/devices/octetRecords.ts';
import { MemoryDevices } from '../../src/drivers/memory.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import type { Circuit, CircuitRequest } from '../../src/model/circuit.ts';
import type { Counters } from '../../src/model/octets.ts';
import { aRequest, fixed, T0 } from '../support/builders.ts';
import { call, OneDomain, operator, user } from '../support/oneDomain.ts';

let world: OneDomain;
/** By "device port"; a device that is not here has no counters. */
let counters: Map<string, { in: bigint; restartedAt: number }>;
let mute: boolean;
let asked: string[];
beforeEach(async () => {
  counters = new Map();
  mute = false;
  asked = [];
  world = await OneDomain.start({
    devices: (clock): Devices => {
      const memory = new MemoryDevices({ clock, random: seededRandom(7) });
      return {
        light: (...order) => memory.light(...order),
        dark: (...order) => memory.dark(...order),
        observe: () => memory.observe(),
        counters: async (device, port): Promise<Counters | undefined> => {
          asked.push(`${device} ${port}`);
          const there = counters.get(`${device} ${port}`);
          if (there === undefined || mute) return undefined;
          const upTicks = Math.floor((clock.now() - there.restartedAt) / 10);
          return { inOctets: there.in, outOctets: 0n, discontinuity: 0, upTicks };
        },
      };
    },
  });
  for (const port of ['sw1 host1', 'sw2 host2'])
    counters.set(port, { in: 1_000n, restartedAt: T0 - 3_600_000 });
});
afterEach(() => world.end());

const book = async (over: Partial<CircuitRequest> = {}): Promise<Circuit> => {
  const done = await world.broker.createCircuit(call(), aRequest({ schedule: fixed(10, 1_000), ...over }));
  if (done.kind !== 'done') throw new Error('not a replay');
  return done.value;
};
const flow = (octets: bigint): void => {
  for (const there of counters.values()) there.in += octets;
};
const seen = async (c: Circuit): Promise<readonly OctetRecord[]> => world.broker.octets(c.id);
const countsOf = async (c: Circuit) =>
  (await seen(c)).map(({ end, octets }) => [end, octets.in, octets.gaps]);

it('from light to dark, and neither before nor after', async () => {
  const circuit = await book({ a: { port: 'ams:host1' as never, vlan: 'UNTAGGED' } });
  flow(500n);
  await world.pass(20);
  flow(40n);
  // The usual round comes every five minutes.
  await world.pass(310);
  expect(await countsOf(circuit)).toEqual([
    ['A', 40n, 0],
    ['Z', 40n, 0],
  ]);
  expect((await seen(circuit)).map(({ exclusive, device, port }) => [device, port, exclusive])).toEqual([
    ['sw1', 'host1', true],
    ['sw2', 'host2', false],
  ]);
  flow(2n);
  await world.pass(700);
  expect((await world.broker.circuit(user, circuit.id)).state).toBe('ENDED');
  flow(10_000n);
  await world.pass(400);
  expect(await countsOf(circuit)).toEqual([
    ['A', 42n, 0],
    ['Z', 42n, 0],
  ]);
});

it('a restart of the broker loses nothing that was counted, nor what came meanwhile', async () => {
  const circuit = await book();
  await world.pass(20);
  flow(7n);
  await world.pass(310);
  flow(11n);
  await world.restart();
  await world.pass(310);
  expect(await countsOf(circuit)).toEqual([
    ['A', 18n, 0],
    ['Z', 18n, 0],
  ]);
});

it('a restart of a device is a gap, and a device that does not answer is asked again', async () => {
  const circuit = await book();
  await world.pass(20);
  flow(100n);
  counters.set('sw1 host1', { in: 5n, restartedAt: world.clock.now() });
  mute = true;
  await world.pass(310);
  mute = false;
  await world.pass(300);
  expect(await countsOf(circuit)).toEqual([
    ['A', 5n, 1],
    ['Z', 100n, 0],
  ]);
});

it('where a device has no counters, nothing is said of that end', async () => {
  counters.delete('sw2 host2');
  const circuit = await book();
  await world.pass(320);
  expect((await seen(circuit)).map(({ end }) => end)).toEqual(['A']);
  // Another circuit's port is nobody's business here.
  expect(new Set(asked)).toEqual(new Set(['sw1 host1', 'sw2 host2']));
  expect(await world.broker.circuit(operator, circuit.id)).toMatchObject({ state: 'ACTIVE' });
});
