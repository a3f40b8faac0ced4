/** A circuit that other domains have a part in makes room for another: in all of them, or in none. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Circuit, CircuitRequest } from '../../src/model/circuit.ts';
import type { PortId } from '../../src/model/port.ts';
import { topologyOf } from '../sim/network.ts';
import { aRequest, at, fixed } from '../support/builders.ts';
import { call } from '../support/oneDomain.ts';
import { Several } from '../support/several.ts';

const name = (i: number): string => `d${i}.example`;

let several: Several;
afterEach(() => several.end());

const three = async (): Promise<Several> => {
  several = await Several.start([0, 1, 2].map((i) => topologyOf(i, 3)));
  return several;
};

const between = (a: PortId, z: PortId, over: Partial<CircuitRequest> = {}): CircuitRequest =>
  aRequest({ a: { port: a, vlan: 'ANY' }, z: { port: z, vlan: 'ANY' }, mbps: 8_000, noticeS: 30, ...over });

/** Some time between the tenth minute and the end of the second hour. */
const flexible = (over: Partial<CircuitRequest> = {}): Partial<CircuitRequest> => ({
  schedule: { type: 'FLEXIBLE', durationS: 600, notBefore: at(600), deadline: at(7_200) },
  ...over,
});

const startOf = (c: Circuit): number => ((c.current?.window.start ?? 0) - at(0)) / 1000;

describe('a newcomer that needs the room of a circuit with a window', () => {
  it('gets it: the other is moved in every domain, told once, and both keep their promises', async () => {
    const world = await three();
    const first = await world.book(name(0), between('d0:h1', 'd1:h1', flexible()));
    await world.pass(3);
    expect(startOf(await world.circuit(name(0), first))).toBe(600);
    const second = await world.book(name(0), between('d0:h1', 'd1:h1', { schedule: fixed(700, 1_000) }));
    await world.pass(8);
    const moved = await world.circuit(name(0), first);
    expect([moved.state, moved.moves]).toEqual(['SCHEDULED', 1]);
    expect(startOf(moved)).toBeGreaterThanOrEqual(1_000);
    const newcomer = await world.circuit(name(0), second);
    expect([newcomer.state, startOf(newcomer)]).toEqual(['SCHEDULED', 700]);
    const theirs = world.guest(name(1), first);
    expect(theirs?.current?.version).toBe(moved.current?.version);
    expect(theirs?.pending).toBeUndefined();
    const events = await world.at(name(0)).broker.events(call().principal, { afterSeq: 0, limit: 500 });
    const told = events.filter((event) => event.type === 'circuit.moved');
    expect(told.map((event) => [event.circuitId, event.data['for_circuit_id']])).toEqual([[first, second]]);
  });

  it('is held everywhere else before anybody is moved', async () => {
    const world = await three();
    await world.book(name(0), between('d0:h1', 'd1:h1', flexible()));
    await world.pass(3);
    const before = world.said.length;
    await world.book(name(0), between('d0:h1', 'd1:h1', { schedule: fixed(700, 1_000) }));
    await world.pass(8);
    const holds = world.said.slice(before).flatMap(({ message }) => (message.op === 'hold' ? [message] : []));
    expect(holds.map(({ kind, after, frees }) => [kind, after?.length, frees?.length])).toEqual([
      [undefined, 1, undefined],
      ['MOVE', undefined, undefined],
      [undefined, undefined, 1],
    ]);
  });

  it('is refused when the other domain does not agree to the move, and nothing has changed', async () => {
    const world = await three();
    const first = await world.book(name(0), between('d0:h1', 'd1:h1', flexible()));
    await world.pass(3);
    world.between = (_from, _to, message, deliver) =>
      message.op === 'hold' && message.kind === 'MOVE'
        ? Promise.resolve({ state: 'REFUSED', kind: 'ROOM', cause: 'full', epoch: 1 })
        : deliver();
    const second = await world.book(name(0), between('d0:h1', 'd1:h1', { schedule: fixed(700, 1_000) }));
    await world.pass(20);
    const refused = await world.circuit(name(0), second);
    expect([refused.state, refused.problem?.code]).toEqual(['REJECTED', 'NO_FEASIBLE_SLOT']);
    const stays = await world.circuit(name(0), first);
    expect([startOf(stays), stays.moves, stays.pending]).toEqual([600, 0, undefined]);
  });

  it('is refused once the notice has begun', async () => {
    const world = await three();
    const early = flexible({
      noticeS: 580,
      schedule: { type: 'FLEXIBLE', durationS: 600, notBefore: at(600), deadline: at(7_200) },
    });
    await world.book(name(0), between('d0:h1', 'd1:h1', early));
    await world.pass(3);
    const late = world.book(name(0), between('d0:h1', 'd1:h1', { schedule: fixed(700, 1_000) }));
    await expect(late).rejects.toMatchObject({ code: 'NO_FEASIBLE_SLOT' });
  });
});

describe('a participant whose room is taken by the circuit of a third domain', () => {
  it('asks its home to move it, and hands what comes free to the hold that waits', async () => {
    const world = await three();
    const first = await world.book(
      name(2),
      between('d2:h1', 'd1:h1', flexible({ constraints: { exclude_domains: [name(0)] } })),
    );
    await world.pass(3);
    const second = await world.book(name(0), between('d0:h1', 'd1:h1', { schedule: fixed(700, 1_000) }));
    await world.pass(12);
    const asks = world.said.filter(({ message }) => message.op === 'ask-move');
    expect(asks.map(({ from, to }) => [from, to])).toEqual([[name(1), name(2)]]);
    const moved = await world.circuit(name(2), first);
    expect([moved.state, moved.moves]).toEqual(['SCHEDULED', 1]);
    expect(startOf(moved)).toBeGreaterThanOrEqual(1_000);
    const newcomer = await world.circuit(name(0), second);
    expect([newcomer.state, newcomer.version, startOf(newcomer)]).toEqual(['SCHEDULED', 1, 700]);
  });

  it('is not asked for twice within ten minutes', async () => {
    const world = await three();
    const first = await world.book(
      name(2),
      between('d2:h1', 'd1:h1', flexible({ constraints: { exclude_domains: [name(0)] } })),
    );
    await world.pass(3);
    await world.book(name(0), between('d0:h1', 'd1:h1', { schedule: fixed(700, 1_000) }));
    await world.pass(12);
    const now = startOf(await world.circuit(name(2), first));
    const third = await world.book(name(0), between('d0:h2', 'd1:h1', { schedule: fixed(now, now + 300) }));
    await world.pass(50);
    expect((await world.circuit(name(0), third)).state).toBe('REJECTED');
    expect(startOf(await world.circuit(name(2), first))).toBe(now);
  });
});
