/** What a peer is told of when it could: coarse, inwards, bounded, and used to place a circuit with a window. */
import { afterEach, describe, expect, it } from 'vitest';
import { AvailabilityDesk, classOf, GRID_MS, startsOf } from '../../src/broker/abroad/availability.ts';
import { groundOf } from '../../src/broker/ground.ts';
import { instant } from '../../src/kernel/clock.ts';
import type { PortId } from '../../src/model/port.ts';
import { topologyOf } from '../sim/network.ts';
import { aRequest, at, fixed, span } from '../support/builders.ts';
import { call, OneDomain } from '../support/oneDomain.ts';
import { Several } from '../support/several.ts';

let ended: () => Promise<void> = async () => {};
afterEach(() => ended());

async function one(): Promise<OneDomain> {
  const world = await OneDomain.start({ topology: topologyOf(0, 2) });
  ended = () => world.end();
  return world;
}

const ground = (world: OneDomain) => {
  const book = world.broker.term?.book;
  if (book === undefined) throw new Error('the broker is in office');
  return groundOf(book, world.clock.now());
};
const a: PortId = 'd0:h1';
const z: PortId = 'd0:h2';
const ask = { a, z, mbps: 6_000, durationS: 600, window: span(0, 7_200) };

const inMinutes = (intervals: readonly { start: number; end: number }[]): [number, number][] =>
  intervals.map(({ start, end }) => [(start - at(0)) / 60_000, (end - at(0)) / 60_000]);

describe('the starts that a domain offers', () => {
  it('are all of the window where nothing is booked, as far as the duration allows', async () => {
    const world = await one();
    expect(inMinutes(startsOf(ground(world), ask).intervals)).toEqual([[0, 110]]);
  });

  it('leave out every cell of the grid from which some start would not do', async () => {
    const world = await one();
    const busy = aRequest({
      a: { port: a, vlan: 'ANY' },
      z: { port: z, vlan: 'ANY' },
      mbps: 8_000,
      schedule: fixed(1_830, 2_000),
    });
    await world.broker.createCircuit(call(), busy);
    // A start from 20:30 on would still be there at 30:30; one before 33:20 would be there too early.
    expect(inMinutes(startsOf(ground(world), ask).intervals)).toEqual([
      [0, 20],
      [35, 110],
    ]);
  });

  it('are those of the class above', async () => {
    const world = await one();
    const busy = aRequest({
      a: { port: a, vlan: 'ANY' },
      z: { port: z, vlan: 'ANY' },
      mbps: 6_000,
      schedule: fixed(3_600, 7_200),
    });
    await world.broker.createCircuit(call(), busy);
    expect([classOf(3_100), classOf(2_000), classOf(1)]).toEqual([5_000, 2_000, 1]);
    // 3,100 would fit beside 6,000 in 10,000; 5,000 do not.
    const answer = startsOf(ground(world), { ...ask, mbps: 3_100 });
    expect(inMinutes(answer.intervals)).toEqual([[0, 50]]);
  });

  it('are told the same for five seconds, to so many questions, for ports that there are', async () => {
    const world = await one();
    const desk = new AvailabilityDesk();
    const told = () => desk.answer(ground(world), 'd1.example', ask, 1);
    const first = told();
    const busy = aRequest({
      a: { port: a, vlan: 'ANY' },
      z: { port: z, vlan: 'ANY' },
      mbps: 8_000,
      schedule: fixed(1_830, 2_000),
    });
    await world.broker.createCircuit(call(), busy);
    expect(told()).toEqual(first);
    await world.pass(6);
    expect(told()).not.toEqual(first);
    expect(desk.answer(ground(world), 'd1.example', { ...ask, a: 'd0:secret' }, 1)).toMatchObject({
      kind: 'INVALID',
    });
    const states = Array.from({ length: 40 }, told).map((answer) => answer.state);
    expect(states).toContain('REFUSED');
    // Another peer's questions are his own.
    expect(desk.answer(ground(world), 'd2.example', ask, 1)).toMatchObject({ state: 'AVAILABLE' });
  });
});

describe('a circuit with a window over several domains', () => {
  it('is placed at a start that suits all of them', async () => {
    const several = await Several.start([0, 1, 2].map((i) => topologyOf(i, 3)));
    ended = () => several.end();
    // The far end's port is taken for the first half hour.
    const near: PortId = 'd2:h1';
    const busy = aRequest({
      a: { port: near, vlan: 'ANY' },
      z: { port: 'd2:h2', vlan: 'ANY' },
      mbps: 8_000,
      schedule: fixed(60, 1_800),
    });
    await several.book('d2.example', busy);
    const id = await several.book(
      'd0.example',
      aRequest({
        a: { port: 'd0:h1', vlan: 'ANY' },
        z: { port: near, vlan: 'ANY' },
        mbps: 5_000,
        schedule: { type: 'FLEXIBLE', durationS: 300, notBefore: at(300), deadline: at(7_200) },
      }),
    );
    expect((await several.circuit('d0.example', id)).state).toBe('RESERVING');
    await several.pass(3);
    const circuit = await several.circuit('d0.example', id);
    expect(circuit.state).toBe('SCHEDULED');
    expect(circuit.current?.window.start).toBe(instant(Math.ceil(at(1_800) / GRID_MS) * GRID_MS));
    // The first attempt was the right one.
    expect(circuit.version).toBe(1);
  });

  it('is placed by trying when nobody says when', async () => {
    const several = await Several.start([0, 1].map((i) => topologyOf(i, 2)));
    ended = () => several.end();
    several.between = (_from, _to, message, deliver) =>
      message.op === 'availability' ? Promise.reject(new Error('silence')) : deliver();
    const id = await several.book(
      'd0.example',
      aRequest({
        a: { port: 'd0:h1', vlan: 'ANY' },
        z: { port: 'd1:h1', vlan: 'ANY' },
        mbps: 5_000,
        schedule: { type: 'VOLUME', volumeBytes: 1e12, deadline: at(7_200) },
      }),
    );
    await several.pass(5);
    const circuit = await several.circuit('d0.example', id);
    expect([circuit.state, circuit.current?.mbps]).toEqual(['ACTIVE', 10_000]);
  });
});
