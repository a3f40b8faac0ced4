/** What domains have agreed, or were about to, when a process dies: after it is there again, and after a day of silence. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Circuit, CircuitRequest } from '../../src/model/circuit.ts';
import type { PortId } from '../../src/model/port.ts';
import { topologyOf } from '../sim/network.ts';
import { aRequest, at, fixed } from '../support/builders.ts';
import { call } from '../support/oneDomain.ts';
import { Several } from '../support/several.ts';

const name = (i: number): string => `d${i}.example`;
const HOUR_MS = 3_600_000;

let world: Several;
afterEach(() => world.end());

const between = (a: PortId, z: PortId, over: Partial<CircuitRequest> = {}): CircuitRequest =>
  aRequest({ a: { port: a, vlan: 'ANY' }, z: { port: z, vlan: 'ANY' }, mbps: 8_000, noticeS: 30, ...over });

describe('a label that was lit a moment ago', () => {
  /** Two domains with one label between them. */
  const narrow = async (): Promise<Several> => {
    const topologies = [0, 1]
      .map((i) => topologyOf(i, 2))
      .map((topology) => ({
        ...topology,
        ports: topology.ports.map((port) => (port.kind === 'BORDER' ? { ...port, vlans: '3' } : port)),
      }));
    world = await Several.start(topologies);
    return world;
  };
  const now = { type: 'NOW', durationS: 100 } as const;

  it('still rests after its home was killed', async () => {
    await narrow();
    const first = await world.book(name(0), between('d0:h1', 'd1:h1', { schedule: now }));
    await world.pass(5);
    expect((await world.circuit(name(0), first)).state).toBe('ACTIVE');
    await world.at(name(0)).broker.act(call(), first, { type: 'release', detail: 'done' });
    await world.pass(2);
    expect((await world.circuit(name(0), first)).state).toBe('ENDED');
    await world.at(name(0)).restart();
    const early = world.book(name(0), between('d0:h2', 'd1:h2', { schedule: now }));
    await expect(early).rejects.toMatchObject({ code: 'NO_FEASIBLE_SLOT' });
    await world.pass(8);
    const later = await world.book(name(0), between('d0:h2', 'd1:h2', { schedule: now }));
    await world.pass(3);
    expect((await world.circuit(name(0), later)).state).toBe('ACTIVE');
  });

  it('rests at a participant by what its own rows say', async () => {
    await narrow();
    const first = await world.book(name(0), between('d0:h1', 'd1:h1', { schedule: now }));
    await world.pass(5);
    await world.at(name(0)).broker.act(call(), first, { type: 'release', detail: 'done' });
    await world.pass(1);
    const rests = () => {
      const book = world.at(name(1)).broker.term?.book;
      const start = world.at(name(1)).clock.now();
      return book?.rests.at('d1:to-d0', { start, end: start });
    };
    expect(rests()).toEqual([3]);
    await world.at(name(1)).restart();
    expect(rests()).toEqual([3]);
    await world.pass(7);
    expect(rests()).toEqual([]);
  });
});

describe('a home that dies between a proposal and its end', () => {
  it('goes on with it: the circuit moves once, and whoever waited for it gets its room', async () => {
    world = await Several.start([0, 1].map((i) => topologyOf(i, 2)));
    const schedule = { type: 'FLEXIBLE' as const, durationS: 600, notBefore: at(600), deadline: at(7_200) };
    const first = await world.book(name(0), between('d0:h1', 'd1:h1', { schedule }));
    await world.pass(3);
    world.between = (_from, _to, message, deliver) =>
      message.op === 'hold' && message.kind === 'MOVE' ? Promise.reject(new Error('silence')) : deliver();
    const second = await world.book(name(0), between('d0:h2', 'd1:h2', { schedule: fixed(700, 1_000) }));
    await world.pass(3);
    const waits = await world.circuit(name(0), second);
    expect(waits.pending?.waitsFor).toEqual([first]);
    expect((await world.circuit(name(0), first)).pending?.for).toBe(second);
    await world.at(name(0)).restart();
    world.between = (_from, _to, _message, deliver) => deliver();
    await world.pass(15);
    const [moved, booked] = [await world.circuit(name(0), first), await world.circuit(name(0), second)];
    expect([moved.state, moved.moves, moved.version]).toEqual(['SCHEDULED', 1, 2]);
    expect([booked.state, booked.version]).toEqual(['SCHEDULED', 1]);
  });
});

it('who was moved for another home a moment ago is not moved again, also after a restart', async () => {
  world = await Several.start([0, 1, 2].map((i) => topologyOf(i, 3)));
  const schedule = { type: 'FLEXIBLE' as const, durationS: 600, notBefore: at(600), deadline: at(7_200) };
  const theirs = between('d2:h1', 'd1:h1', { schedule, constraints: { exclude_domains: [name(0)] } });
  const first = await world.book(name(2), theirs);
  await world.pass(3);
  await world.book(name(0), between('d0:h1', 'd1:h1', { schedule: fixed(700, 1_000) }));
  await world.pass(12);
  const moved = await world.circuit(name(2), first);
  expect([moved.moves, moved.asked?.times]).toEqual([1, 1]);
  await world.at(name(2)).restart();
  const start = ((moved.current?.window.start ?? 0) - at(0)) / 1000;
  const third = await world.book(name(0), between('d0:h2', 'd1:h1', { schedule: fixed(start, start + 300) }));
  await world.pass(50);
  expect((await world.circuit(name(0), third)).state).toBe('REJECTED');
  expect((await world.circuit(name(2), first)).moves).toBe(1);
});

describe('a circuit without an end', () => {
  const endless = async (): Promise<Circuit['id']> => {
    world = await Several.start([0, 1].map((i) => topologyOf(i, 2)));
    const id = await world.book(
      name(0),
      between('d0:h1', 'd1:h1', { schedule: { type: 'NOW', durationS: 'NEVER' } }),
    );
    await world.pass(8);
    expect((await world.circuit(name(0), id)).state).toBe('ACTIVE');
    return id;
  };
  const wait = async (hours: number): Promise<void> => {
    for (const one of world.domains.values()) await one.clock.advance(hours * HOUR_MS);
    await world.settle();
  };
  const lease = (id: Circuit['id']): number => {
    const left = (world.guest(name(1), id)?.home?.leaseUntil ?? 0) - world.at(name(1)).clock.now();
    return Math.round(left / HOUR_MS);
  };

  it('is confirmed to its participants three times a day, and goes on', async () => {
    const id = await endless();
    expect(lease(id)).toBe(24);
    expect(world.guest(name(1), id)?.request.schedule).toEqual({ type: 'NOW', durationS: 'NEVER' });
    for (let day = 0; day < 2; day++) {
      await wait(7);
      expect(lease(id)).toBe(17);
      await wait(1);
      expect(lease(id)).toBe(24);
    }
    expect(world.guest(name(1), id)?.state).toBe('ACTIVE');
  });

  it('ends where its home has not been heard of for a day, which says so', async () => {
    const id = await endless();
    world.between = (from, _to, _message, deliver) =>
      from === name(1) ? Promise.reject(new Error('silence')) : deliver();
    for (let i = 0; i < 23; i++) await wait(1);
    expect(world.guest(name(1), id)?.state).toBe('ACTIVE');
    await wait(1);
    const ended = world.guest(name(1), id);
    expect([ended?.state, ended?.reason.code]).toEqual(['ENDED', 'LEASE_LAPSED']);
    // Its home hears of it when it can be told, and a day later nobody needs to know.
    world.between = (_from, _to, _message, deliver) => deliver();
    await wait(1);
    expect((await world.circuit(name(0), id)).state).toBe('FAILED');
    await wait(24);
    expect(world.guest(name(1), id)).toBeUndefined();
  });
});
