/**
 * A circuit that is PROTECTED over several domains: two ways with nothing in common, agreed as one, lit as far as
 * two lights can be, and switched when the one in use fails.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { PeerMessage } from '../../src/broker/abroad/peerPorts.ts';
import { MemoryDevices } from '../../src/drivers/memory.ts';
import { type Circuit, type CircuitRequest, endsOf, type Segment } from '../../src/model/circuit.ts';
import { waysOf } from '../../src/model/ways.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { topologyOf } from '../sim/network.ts';
import { aRequest, fixed } from '../support/builders.ts';
import { call, operator } from '../support/oneDomain.ts';
import { Several } from '../support/several.ts';

const name = (i: number): string => `d${i}.example`;

let world: Several;
afterEach(() => world.end());

const ring = async (count: number, change = (t: TopologyDocument): TopologyDocument => t): Promise<void> => {
  world = await Several.start(Array.from({ length: count }, (_, i) => change(topologyOf(i, count))));
};

const across = (over: Partial<CircuitRequest> = {}): CircuitRequest =>
  aRequest({
    a: { port: 'd0:h1', vlan: 'ANY' },
    z: { port: 'd2:h1', vlan: 'ANY' },
    schedule: fixed(20, 2_000),
    protection: 'PROTECTED',
    ...over,
  });

const book = async (over: Partial<CircuitRequest> = {}): Promise<Circuit['id']> => {
  const id = await world.book(name(0), across(over));
  await world.pass(3);
  return id;
};
const look = (id: Circuit['id']): Promise<Circuit> => world.circuit(name(0), id);
const named = (way: readonly Segment[]): string[] => way.map(({ domain }) => domain);
const ways = async (id: Circuit['id']): Promise<{ first: string[]; second: string[] }> => {
  const { current } = await look(id);
  if (current === undefined) return { first: [], second: [] };
  const { first, second } = waysOf(current);
  return { first: named(first), second: named(second) };
};
/** What the client's two ports have. */
const labels = async (id: Circuit['id']) => {
  const { segments = [] } = (await look(id)).current ?? {};
  return [segments[0]?.a.label, segments.at(-1)?.z.label];
};
const isProtected = async (id: Circuit['id']) =>
  (await look(id)).conditions.find(({ type }) => type === 'Protected');
const states = async (id: Circuit['id']): Promise<unknown[]> => [
  (await look(id)).state,
  ...[1, 2, 3].map((i) => world.guest(name(i), id)?.state),
];
/** Its devices lose all that they had lit, and are compared with what they should have. `blocked`: by a stranger. */
const wipe = async (domain: string, blocked?: Circuit): Promise<void> => {
  const { devices, broker } = world.at(domain);
  if (!(devices instanceof MemoryDevices)) throw new Error('devices in memory');
  devices.forget();
  for (const hop of blocked?.current?.segments[0]?.hops ?? []) devices.plant(hop);
  broker.term?.compareNow();
  await world.pass(8);
};
/** Whatever has light anywhere of the circuit, by domain. */
const shining = async (id: Circuit['id']): Promise<string[]> => {
  const lit: string[] = [];
  for (const [domain, { broker }] of world.domains) {
    const own = domain === name(0) ? id : world.guest(domain, id)?.id;
    if ((await broker.observed()).some(({ owner }) => owner?.circuit === own)) lit.push(domain);
  }
  return lit;
};
const holdsTo = (domain: string) =>
  world.said.flatMap(({ to, message }) => (to === domain && message.op === 'hold' ? [message] : []));

describe('over a ring of four domains', () => {
  it('both ways are one circuit in one version, with one label on both sides of every border', async () => {
    await ring(4);
    const id = await book();
    const circuit = await look(id);
    expect(circuit.state).toBe('SCHEDULED');
    const { first, second } = await ways(id);
    expect([first.length, second.length]).toEqual([3, 3]);
    expect(new Set([...first, ...second])).toEqual(new Set([0, 1, 2, 3].map(name)));
    expect(await isProtected(id)).toMatchObject({ status: 'TRUE', reason: 'BACKUP_HELD' });
    const borders = new Map<string, (number | undefined)[]>();
    for (const { domain, local } of circuit.current?.segments ?? []) {
      const theirs = local ? circuit : world.guest(domain, id);
      expect(theirs?.current?.version).toBe(circuit.current?.version);
      for (const { border, label, offered } of theirs?.current?.segments
        .filter((s) => s.local)
        .flatMap(endsOf) ?? []) {
        expect(offered).toBeUndefined();
        if (border !== undefined) borders.set(border, [...(borders.get(border) ?? []), label]);
      }
    }
    // Two borders to each way, each with two ends that say the same.
    expect(borders.size).toBe(4);
    for (const [one, other, ...more] of borders.values()) {
      expect([typeof one, more]).toEqual(['number', []]);
      expect(other).toBe(one);
    }
    // The domain at the far end was asked once, for both.
    expect(holdsTo(name(2)).map(({ segment }) => segment.second !== undefined)).toEqual([true]);
    const there = world.guest(name(2), id)?.current?.segments[0];
    expect(there?.backup?.ends?.z).toEqual(there?.z);
    expect(there?.links.filter((link) => there.backup?.links.includes(link))).toEqual([]);
  });

  it('is lit on the way in use, and stands by lit on the other; what fails there degrades it and no more', async () => {
    await ring(4);
    const id = await book();
    await world.pass(22);
    expect(await states(id)).toEqual(['ACTIVE', 'ACTIVE', 'ACTIVE', 'ACTIVE']);
    const [, standby = ''] = (await ways(id)).second;
    await wipe(standby);
    // Lit again by its own broker, and that is all.
    const types = (
      await world.at(name(0)).broker.events(operator, { circuitId: id, afterSeq: 0, limit: 99 })
    ).map(({ type }) => type);
    expect(types.slice(-2)).toEqual(['circuit.degraded', 'circuit.restored']);
    expect((await look(id)).current?.version).toBe(1);
    expect(await isProtected(id)).toMatchObject({ status: 'TRUE' });
  });

  it('says which way is dark for as long as it is', async () => {
    await ring(4);
    const id = await book();
    await world.pass(22);
    const [, standby = ''] = (await ways(id)).second;
    const tell = (what: 'UP' | 'DOWN', sequence: number) =>
      world.at(name(0)).broker.peer(standby, {
        ...{ op: 'notify', circuit: id, epoch: 1, floor: 0, what, version: 1, sequence, cause: 'laser off' },
      } as PeerMessage);
    await tell('DOWN', 8);
    await world.pass(5);
    expect(await isProtected(id)).toMatchObject({
      ...{ status: 'FALSE', reason: 'DEGRADED', detail: `${standby}: laser off` },
    });
    expect([(await look(id)).state, (await look(id)).pending]).toEqual(['ACTIVE', undefined]);
    expect((await look(id)).conditions.find(({ type }) => type === 'DataPlaneUp')?.status).toBe('TRUE');
    await tell('UP', 9);
    expect(await isProtected(id)).toMatchObject({ status: 'TRUE', reason: 'BACKUP_HELD' });
  });

  it('is switched to the other way when the one in use loses its light, and given a second way again', async () => {
    await ring(4);
    const id = await book();
    await world.pass(22);
    const before = await ways(id);
    const [, failing = ''] = before.first;
    const [a, z] = await labels(id);
    await wipe(failing, world.guest(failing, id));
    expect((await ways(id)).first).toEqual(before.second);
    expect((await look(id)).state).toBe('ACTIVE');
    expect((await look(id)).conditions.find(({ type }) => type === 'DataPlaneUp')?.status).toBe('TRUE');
    expect(await labels(id)).toEqual([a, z]);
    // It has the old way for its second one, which has no light until its devices obey.
    expect((await ways(id)).second).toEqual(before.first);
    expect(await isProtected(id)).toMatchObject({ status: 'FALSE', reason: 'DEGRADED' });
    await wipe(failing);
    await world.pass(40);
    expect(await states(id)).toEqual(['ACTIVE', 'ACTIVE', 'ACTIVE', 'ACTIVE']);
    expect(await isProtected(id)).toMatchObject({ status: 'TRUE' });
  });

  it('is switched when a link on the way in use goes out of service at home, and when a participant says so', async () => {
    await ring(4);
    const id = await book({ a: { port: 'd0:h1', vlan: 'ANY' } });
    await world.pass(22);
    const before = await ways(id);
    const [, transit = ''] = before.first;
    // Both ways through the domain in the middle: nothing there can mend it.
    for (const link of ['trunk', 'round-1'])
      await world.at(transit).broker.setLink(call(operator), link, { oper: 'DOWN' });
    await world.pass(5);
    const after = await ways(id);
    expect(after.first).toEqual(before.second);
    expect((await look(id)).state).toBe('ACTIVE');
    expect(await isProtected(id)).toMatchObject({ status: 'FALSE', reason: 'NO_BACKUP' });
    expect(await shining(id)).not.toContain(transit);
    for (const link of ['trunk', 'round-1'])
      await world.at(transit).broker.setLink(call(operator), link, { oper: 'UP' });
    await world.introduce();
    await world.pass(100);
    expect(await ways(id)).toEqual({ first: before.second, second: before.first });
    expect(await isProtected(id)).toMatchObject({ status: 'TRUE' });
  });

  it('says when the road that the far end holds in the dark is out of order, and has another or none', async () => {
    await ring(4);
    const id = await book({ mbps: 1_000 });
    const own = () => world.guest(name(2), id)?.current?.segments[0];
    const before = own()?.backup?.links ?? [];
    const set = (links: readonly string[], oper: 'UP' | 'DOWN') =>
      Promise.all(links.map((link) => world.at(name(2)).broker.setLink(call(operator), link, { oper }))).then(
        () => world.pass(5),
      );
    if (before.length === 0) throw new Error('its second road goes over links of its own');
    await set(before, 'DOWN');
    const after = own()?.backup?.links ?? [];
    expect(after.filter((link) => before.includes(link))).toEqual([]);
    expect(await isProtected(id)).toMatchObject({ status: 'TRUE' });
    await set(after, 'DOWN');
    expect(await isProtected(id)).toMatchObject({
      ...{ status: 'FALSE', reason: 'DEGRADED', detail: expect.stringContaining(`${name(2)}: `) },
    });
    expect((await look(id)).conditions.find(({ type }) => type === 'DataPlaneUp')?.reason).toBe(
      'NOT_YET_DUE',
    );
    await set([...before, ...after], 'UP');
    expect(await isProtected(id)).toMatchObject({ status: 'TRUE' });
    expect((await look(id)).state).toBe('SCHEDULED');
  });

  it.each([
    ['one way', undefined],
    ['the same way twice', 'first'],
  ])('a home that commits %s where it held two is refused', async (_what, other) => {
    await ring(4);
    world.between = (from, to, message, deliver) => {
      if (message.op !== 'commit' || to !== name(2)) return deliver();
      const { second: _, ...alone } = message.segment;
      const segment = other === undefined ? alone : { ...alone, second: { a: alone.a, z: alone.z } };
      return world.at(to).broker.peer(from, { ...message, segment });
    };
    const id = await book();
    expect((await look(id)).setbacks?.[0] ?? (await look(id)).problem).toMatchObject({
      detail: expect.stringContaining('was asked for as something else'),
    });
    expect(world.guest(name(2), id)?.current).toBeUndefined();
  });

  it('is held and committed whole or not at all', async () => {
    await ring(4);
    world.between = (_from, to, message, deliver) =>
      to === name(3) && message.op === 'hold'
        ? Promise.resolve({ state: 'REFUSED', kind: 'ROOM', cause: 'full', epoch: 1 })
        : deliver();
    const id = await book();
    expect(await look(id)).toMatchObject({ state: 'REJECTED', problem: { code: 'NO_FEASIBLE_SLOT' } });
    for (const domain of [1, 2, 3]) expect(world.guest(name(domain), id)?.pending).toBeUndefined();
  });

  it.each(['cancel', 'release'] as const)('is torn down whole: %s', async (type) => {
    await ring(4);
    const id = await book();
    await world.pass(22);
    expect((await shining(id)).length).toBe(4);
    await world.at(name(0)).broker.act(call() as never, id, { type, detail: 'enough' });
    await world.pass(5);
    expect(await shining(id)).toEqual([]);
    for (const state of await states(id)) expect(state).toBe(type === 'cancel' ? 'CANCELLED' : 'ENDED');
  });

  it('where there are no two ways it is refused, and nobody is asked', async () => {
    await ring(4);
    await expect(book({ constraints: { exclude_domains: [name(3)] } })).rejects.toMatchObject({
      code: 'NO_FEASIBLE_SLOT',
    });
    expect(holdsTo(name(2))).toEqual([]);
  });
});

it('between neighbours the second way goes round, and back when the round is over', async () => {
  await ring(3);
  const id = await book({ z: { port: 'd1:h1', vlan: 'ANY' } });
  expect(await ways(id)).toEqual({ first: [name(0), name(1)], second: [name(0), name(2), name(1)] });
  await world.pass(22);
  expect((await look(id)).state).toBe('ACTIVE');
});

it('a domain in the middle that carries both is asked for two roads that share nothing, or says that it has none', async () => {
  const bridged = [0, 1, 2].map((i) => twice(i));
  world = await Several.start(bridged);
  const id = await book();
  expect(await ways(id)).toEqual({ first: [0, 1, 2].map(name), second: [0, 1, 2].map(name) });
  const middle = world.guest(name(1), id)?.current?.segments[0];
  expect(middle?.backup?.ends).toBeDefined();
  expect(middle?.links.filter((link) => middle.backup?.links.includes(link))).toEqual([]);
  await world.pass(22);
  expect((await look(id)).state).toBe('ACTIVE');
  await world.at(name(1)).broker.setLink(call(operator), middle?.links[0] ?? '', { oper: 'DOWN' });
  await world.pass(5);
  const after = await look(id);
  expect(after.state).toBe('ACTIVE');
  expect(world.guest(name(1), id)?.current?.segments[0]?.links).toEqual(middle?.backup?.links);
});

/** A row of three, with two cables between each two, on different switches. */
function twice(i: number): TopologyDocument {
  const plain = topologyOf(i, 2);
  const [client] = plain.ports;
  if (client === undefined) throw new Error('it has clients');
  const border = (to: number, n: number): TopologyDocument['ports'][number] => ({
    ...client,
    id: `d${i}:to-d${to}-${n}`,
    node: `${to < i ? 'a' : 'z'}${n}`,
    kind: 'BORDER',
    remote: { domain: name(to), port: `d${to}:to-d${i}-${n}` },
  });
  const link = (n: number, a: string, z: string): TopologyDocument['links'][number] => ({
    ...{ id: `l${a}${z}`, capacity_mbps: 10_000, latency_ms: n, vlans: '2-5' },
    a: { node: a, port: `to-${z}` },
    z: { node: z, port: `to-${a}` },
  });
  const others = [i - 1, i + 1].filter((n) => n >= 0 && n < 3);
  return {
    domain: name(i),
    prefix: `d${i}`,
    nodes: ['c', 'a1', 'a2', 'z1', 'z2'].map((id) => ({ id })),
    ports: [
      { ...client, id: `d${i}:h1`, node: 'c' },
      ...others.flatMap((to) => [border(to, 1), border(to, 2)]),
    ],
    links: [
      ...['a1', 'a2', 'z1', 'z2'].map((node) => link(1, 'c', node)),
      link(1, 'a1', 'z1'),
      link(2, 'a2', 'z2'),
      link(9, 'a1', 'z2'),
    ],
  };
}
