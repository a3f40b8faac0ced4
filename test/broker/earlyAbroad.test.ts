/** Slow devices in several domains: each sees to its own part in time, and what is asked for now is lit at once. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Devices } from '../../src/broker/devices/devicePorts.ts';
import { REST_S } from '../../src/broker/limits.ts';
import { MemoryDevices } from '../../src/drivers/memory.ts';
import { sleep } from '../../src/kernel/clock.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import type { CircuitRequest } from '../../src/model/circuit.ts';
import { topologyOf } from '../sim/network.ts';
import { aRequest, at, fixed } from '../support/builders.ts';
import type { HandClock } from '../support/handClock.ts';
import { call } from '../support/oneDomain.ts';
import { Several } from '../support/several.ts';

const SETUP_MS = 10_000;
const name = (i: number): string => `d${i}.example`;

let several: Several;
/** The second at which each segment was ordered to be lit, by what it belongs to. */
let lights: { readonly from: string; readonly circuit: string; readonly at: number }[];

beforeEach(async () => {
  lights = [];
  const devices = (clock: HandClock): Devices => {
    const memory = new MemoryDevices({ clock, random: seededRandom(7) });
    return {
      async light(segment, context) {
        lights.push({ from: segment.domain, circuit: context.circuit, at: (clock.now() - at(0)) / 1000 });
        await sleep(clock, SETUP_MS);
        return memory.light(segment, context);
      },
      dark: (segment, context) => memory.dark(segment, context),
      observe: () => memory.observe(),
      setupMs: () => SETUP_MS,
    };
  };
  // One label: whoever comes next at a border gets the one that was there before.
  several = await Several.start(
    [0, 1, 2].map((i) => topologyOf(i, 3, '7')),
    { devices },
  );
});
afterEach(() => several.end());

const across = (over: Partial<CircuitRequest> = {}): CircuitRequest =>
  aRequest({ a: { port: 'd0:h1', vlan: 'ANY' }, z: { port: 'd1:h1', vlan: 'ANY' }, ...over });

it('shines from end to end when the window begins', async () => {
  const id = await several.book(name(0), across({ schedule: fixed(100, 200) }));
  await several.pass(88);
  expect(lights).toEqual([]);
  await several.pass(12);
  expect(lights.map((one) => one.from).sort()).toEqual([name(0), name(1)]);
  for (const one of lights) expect([89, 90]).toContain(one.at);
  const circuit = await several.circuit(name(0), id);
  expect(circuit.state).toBe('ACTIVE');
  expect(circuit.actualStart).toBeLessThanOrEqual(at(100));
});

it('what is asked for now does not wait for the next second', async () => {
  const id = await several.book(name(0), across({ schedule: { type: 'NOW', durationS: 100 } }));
  await several.pass(0);
  const circuit = await several.circuit(name(0), id);
  expect(circuit).toMatchObject({ state: 'PROVISIONING', current: { window: { start: at(1) } } });
  expect(lights.map((one) => [one.from, one.at]).sort()).toEqual([
    [name(0), 0],
    [name(1), 0],
  ]);
});

it('a label of a border rests before it shines for the next, however slow the devices are', async () => {
  const first = await several.book(name(0), across({ schedule: fixed(20, 100) }));
  const second = await several.book(name(0), across({ schedule: fixed(100 + REST_S, 200) }));
  await several.pass(130);
  expect((await several.circuit(name(0), first)).state).toBe('ENDED');
  expect((await several.circuit(name(0), second)).state).toBe('ACTIVE');
  const next = lights.filter((one) => one.at > 30);
  expect(next.map((one) => one.from).sort()).toEqual([name(0), name(1)]);
  // One of the two was told of the end a second before that struck on its own clock.
  for (const one of next) expect(one.at).toBeGreaterThanOrEqual(100 + REST_S - 1);
});

it('may be let go between its order and its start, and then costs and keeps nothing', async () => {
  const id = await several.book(name(0), across({ schedule: fixed(100, 200) }));
  await several.pass(95);
  await several.at(name(0)).broker.act(call(), id, { type: 'cancel', detail: 'not needed' });
  await several.pass(20);
  expect((await several.circuit(name(0), id)).state).toBe('CANCELLED');
  for (const i of [0, 1]) expect(await several.at(name(i)).broker.observed()).toEqual([]);
});
