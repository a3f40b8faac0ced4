/** Faults that the simulation has found, each as a short story, so that none comes back. */
import { expect, it } from 'vitest';
import type { PeerMessage, Peers } from '../../src/broker/abroad/peerPorts.ts';
import type { Devices } from '../../src/broker/devices/devicePorts.ts';
import { Lanes } from '../../src/broker/lanes.ts';
import type { EffectRecord } from '../../src/broker/ports.ts';
import { MemoryDevices } from '../../src/drivers/memory.ts';
import { instant } from '../../src/kernel/clock.ts';
import type { CircuitId } from '../../src/kernel/ids.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { topologyOf } from '../sim/network.ts';
import { aRequest, fixed, T0 } from '../support/builders.ts';
import { calm, HandClock } from '../support/handClock.ts';
import { call, OneDomain, operator, twoSwitches } from '../support/oneDomain.ts';

it('a circuit that ends while its last order is being written still says goodbye', async () => {
  // Seeds 8 and 14: the hold is answered so late that it has run out at once. The circuit is forgotten when
  // the hold's effect is done, before the end that names the goodbye is durable, and the goodbye is dropped.
  const sent: PeerMessage[] = [];
  let world: OneDomain | undefined;
  const peers: Peers = {
    async send(_domain, message) {
      sent.push(message);
      const now = (world as OneDomain).clock.now();
      return message.op === 'hold'
        ? {
            state: 'HELD',
            version: 1,
            until: instant(now + 1_000),
            peerRef: 'cir_far',
            aLabels: message.segment.a.candidates ?? [],
            epoch: 1,
          }
        : { state: 'CLOSED', dark: true, epoch: 1 };
    },
  };
  world = await OneDomain.start({ topology: topologyOf(0, 2), peers });
  try {
    const request = aRequest({
      a: { port: 'd0:h1', vlan: 'ANY' },
      z: { port: 'd1:h1', vlan: 'ANY' },
      holdS: 30,
      schedule: fixed(100, 200),
    });
    const done = await world.broker.createCircuit(call(), request);
    await world.pass(5);
    const id = done.kind === 'done' ? done.value.id : ('cir_none' as CircuitId);
    expect((await world.broker.circuit(call().principal, id)).state).toBe('HOLD_EXPIRED');
    expect(sent.map((message) => message.op)).toEqual(['hold', 'cancel']);
  } finally {
    await world.end();
  }
});

it('an order to go dark does not wait out the pause of the light that failed before it', async () => {
  // News for a lane cuts short a pause that has begun; news that comes while the try is still under way does
  // not, and a circuit that was released in those seconds shines for up to half a minute more.
  const clock = new HandClock(T0);
  const tried: number[] = [];
  const record = (seq: number): EffectRecord => ({
    seq,
    circuitId: 'cir_1',
    effect: { type: seq === 1 ? 'device.light' : 'device.dark', version: 1 },
    time: T0,
    decisionId: '',
  });
  let fail: () => void = () => {};
  const lanes = new Lanes(
    clock,
    seededRandom(1),
    (effect) => {
      tried.push(effect.seq);
      if (tried.length > 1) return Promise.resolve('done');
      return new Promise((resolve) => {
        fail = () => resolve({ retryInMs: 30_000 });
      });
    },
    () => {},
  );
  lanes.push([record(1)]);
  await calm();
  lanes.push([record(2)]);
  fail();
  await clock.advance(1_000);
  expect(tried).toEqual([1, 1, 2]);
});

const second = { a: { node: 'sw1', port: 't2' }, z: { node: 'sw2', port: 't2' } };
const parallel: TopologyDocument = {
  ...twoSwitches,
  links: [...twoSwitches.links, { id: 'l2', ...second, capacity_mbps: 10_000, latency_ms: 5 }],
};

it('a member of a set is not rerouted onto the links of one that keeps clear of it', async () => {
  const world = await OneDomain.start({ topology: parallel });
  const one = aRequest({ schedule: fixed(100, 200) });
  const done = await world.broker.createSet(call(), [
    { key: 'm0', request: one },
    { key: 'm1', request: one, diverse: ['m0'] },
  ]);
  if (done.kind !== 'done') throw new Error('not a replay');
  const linksOf = async (c: Circuit): Promise<readonly string[]> =>
    (await world.broker.circuit(operator, c.id)).current?.segments[0]?.links ?? [];
  const [m0, m1] = done.value.circuits as [Circuit, Circuit];
  const [failing] = await linksOf(m0);
  await world.broker.setLink(call(operator), failing ?? '', { oper: 'DOWN' });
  await world.settle();
  expect(await linksOf(m0)).not.toEqual(await linksOf(m1));
  await world.end();
});

it('a lower rate frees its room only once the devices have taken the higher one back', async () => {
  let mute = false;
  const devices = (clock: HandClock): Devices => {
    const memory = new MemoryDevices({ clock, random: seededRandom(1) });
    const silent = { ok: false, retry: true, detail: 'no answer', elements: [] };
    return {
      light: async (segment, context) => (mute ? silent : memory.light(segment, context)),
      dark: async (segment, context) => (mute ? silent : memory.dark(segment, context)),
      observe: () => memory.observe(),
    };
  };
  const world = await OneDomain.start({ devices });
  const ask = (mbps: number, start: number) =>
    world.broker.createCircuit(call(), aRequest({ mbps, schedule: fixed(start, 200) }));
  const done = await ask(10_000, 10);
  if (done.kind !== 'done') throw new Error('not a replay');
  await world.pass(20);
  mute = true;
  await world.broker.change(call(), done.value.id, { mbps: 4_000 });
  await world.pass(30);
  // Both rates are on the way: the circuit counts with the larger, and nobody else gets the difference.
  await expect(ask(6_000, 60)).rejects.toMatchObject({ code: 'NO_FEASIBLE_SLOT' });
  mute = false;
  await world.pass(60);
  expect((await world.broker.circuit(operator, done.value.id)).current?.mbps).toBe(4_000);
  await expect(ask(6_000, 120)).resolves.toMatchObject({ kind: 'done' });
  await world.end();
});

it('a device that is silent about one version keeps no other version shining elsewhere', async () => {
  // The old road's dark is never answered; the circuit is released, and its new road goes out all the same.
  const dark: number[] = [];
  const written: number[] = [];
  const effect = (seq: number, type: 'device.light' | 'device.dark', version: number): EffectRecord => ({
    seq,
    circuitId: 'cir_1',
    effect: { type, version },
    time: T0,
    decisionId: '',
  });
  let speak: (value?: unknown) => void = () => {};
  const silence = new Promise((resolve) => {
    speak = resolve;
  });
  const lanes = new Lanes(
    new HandClock(T0),
    seededRandom(1),
    async ({ effect: { type }, seq }, _attempt, _answered, isFirst) => {
      if (seq === 1) await silence;
      if (type === 'device.dark') dark.push(seq);
      if (isFirst()) written.push(seq);
      return isFirst() ? 'done' : 'early';
    },
    () => {},
  );
  lanes.push([effect(1, 'device.dark', 1)]);
  lanes.push([effect(2, 'device.dark', 2), effect(3, 'device.light', 3), effect(4, 'device.dark', 4)]);
  await calm();
  // A light waits for every dark before it, and the dark behind it for the light.
  expect(dark).toEqual([2]);
  expect(lanes.outstanding('cir_1')).toBe(4);
  speak();
  await calm();
  // Seed 401: an extended circuit had ended by the dark of its last version, and still shone for the one before.
  expect(written).toEqual([1, 2, 3, 4]);
});

it('a light of another version does not wait for a dark that no device answers', async () => {
  // Between them stood a light that nobody wanted any more, and the versions behind it shone on where they could go out.
  const order = (seq: number, type: 'device.light' | 'device.dark', version: number): EffectRecord => ({
    seq,
    circuitId: 'cir_1' as CircuitId,
    decisionId: '',
    time: T0,
    effect: { type, version },
  });
  const clock = new HandClock(T0);
  const tried: number[] = [];
  const lanes = new Lanes(
    clock,
    seededRandom(1),
    async ({ seq }, _attempt, _answered, isFirst) => {
      tried.push(seq);
      if (seq === 1) return { retryInMs: 30_000 };
      return seq === 2 || isFirst() ? 'done' : 'early';
    },
    () => {},
  );
  lanes.push([order(1, 'device.dark', 1), order(2, 'device.light', 3), order(3, 'device.dark', 2)]);
  await calm();
  expect([...new Set(tried)]).toEqual([1, 2, 3]);
  expect(lanes.outstanding('cir_1' as CircuitId)).toBe(2);
  // The same version is not lit beside an order to put it out.
  lanes.push([order(4, 'device.light', 1)]);
  await calm();
  expect(tried.filter((seq) => seq === 4)).toEqual([]);
});

it('what is over is put out although the light that replaces it fails', async () => {
  // A device that was silent about the new road kept the old one shining on the others, long past its end.
  const order = (
    seq: number,
    type: 'device.light' | 'device.dark',
    version: number,
    more: object = {},
  ): EffectRecord => ({
    seq,
    circuitId: 'cir_1' as CircuitId,
    decisionId: '',
    time: T0,
    effect: { type, version, ...more },
  });
  const clock = new HandClock(T0);
  const tried: number[] = [];
  const lanes = new Lanes(
    clock,
    seededRandom(1),
    async ({ effect: { type }, seq }, _attempt, _answered, isFirst) => {
      tried.push(seq);
      if (type === 'device.light') return { retryInMs: 30_000 };
      return isFirst() ? 'done' : 'early';
    },
    () => {},
  );
  lanes.push([order(1, 'device.light', 2)]);
  await calm();
  // The second shares its cross-connects with the light: it lets go when that has taken over, and not before.
  lanes.push([order(2, 'device.dark', 1), order(3, 'device.dark', 2, { segment: {} })]);
  await calm();
  expect(tried.filter((seq) => seq !== 1)).toEqual([2]);
  expect(lanes.outstanding('cir_1' as CircuitId)).toBe(3);
});
