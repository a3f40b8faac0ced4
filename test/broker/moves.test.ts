/** A circuit that other domains have a part in makes room for another: in all of them, or in none. */
import { afterEach, describe, expect, it } from 'vitest';
import { REST_S } from '../../src/broker/limits.ts';
import { sleep } from '../../src/kernel/clock.ts';
import type { Circuit, CircuitRequest } from '../../src/model/circuit.ts';
import type { PortId } from '../../src/model/port.ts';
import { topologyOf } from '../sim/network.ts';
import { afterwards, rule } from '../sim/planting.ts';
import { aRequest, at, fixed } from '../support/builders.ts';
import { call, operator } from '../support/oneDomain.ts';
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

describe('a border with a single label, as one of fibre has', () => {
  const narrow = async (): Promise<Several> => {
    several = await Several.start(
      [0, 1].map((i) => {
        const topology = topologyOf(i, 2);
        const ports = topology.ports.map((port) => (port.kind === 'BORDER' ? { ...port, vlans: '3' } : port));
        return { ...topology, ports };
      }),
    );
    return several;
  };

  it('who is moved steps so far aside that the label has rested before the next has it', async () => {
    const world = await narrow();
    const first = await world.book(name(0), between('d0:h1', 'd1:h1', flexible()));
    await world.pass(3);
    const second = await world.book(name(0), between('d0:h1', 'd1:h1', { schedule: fixed(700, 1_000) }));
    await world.pass(8);
    const [moved, newcomer] = [await world.circuit(name(0), first), await world.circuit(name(0), second)];
    expect([newcomer.state, startOf(newcomer)]).toEqual(['SCHEDULED', 700]);
    expect([moved.state, moved.moves, startOf(moved)]).toEqual(['SCHEDULED', 1, 1_000 + REST_S]);
  });

  it('is asked for where only the label is in the way, and the ports have room for both', async () => {
    const world = await narrow();
    const first = await world.book(name(0), between('d0:h1', 'd1:h1', flexible({ mbps: 1_000 })));
    await world.pass(3);
    const more = { mbps: 1_000, schedule: fixed(700, 1_000) } as const;
    const second = await world.book(name(0), between('d0:h2', 'd1:h2', more));
    await world.pass(8);
    expect((await world.circuit(name(0), second)).state).toBe('SCHEDULED');
    expect(startOf(await world.circuit(name(0), first))).toBe(1_000 + REST_S);
  });
});

describe('a move that all have agreed to, but the last of them is heard too late', () => {
  /** The hold is answered after most of the time for it, and the commit after the notice has begun. */
  async function slowly(): Promise<{ readonly late: boolean; readonly stays: Circuit }> {
    const world = await three();
    const noticeS = 545;
    const first = await world.book(name(0), between('d0:h1', 'd1:h1', flexible({ noticeS })));
    await world.pass(3);
    world.between = async (from, _to, message, deliver) => {
      const answer = await deliver();
      if ('kind' in message && message.kind === 'MOVE')
        await sleep(world.at(from).clock, message.op === 'hold' ? 27_000 : 26_000);
      return answer;
    };
    await world.book(name(0), between('d0:h1', 'd1:h1', { schedule: fixed(700, 1_000) }));
    await world.pass(60);
    const events = await world.at(name(0)).broker.events(call().principal, { afterSeq: 0, limit: 500 });
    const told = events.find((event) => event.type === 'circuit.moved');
    const late = told !== undefined && told.time >= at(600) - noticeS * 1000;
    return { late, stays: await world.circuit(name(0), first) };
  }

  it('does not take place: it stays where its client was told', async () => {
    const { late, stays } = await slowly();
    expect([late, startOf(stays), stays.moves, stays.pending]).toEqual([false, 600, 0, undefined]);
  });

  it('planted: a home without a deadline moves it within its notice', async () => {
    const undo = rule('HOME', 'held', (run, c, e) => {
      if (c.pending?.cause !== 'MOVE') return run(c, e);
      const { cause, ...pending } = c.pending;
      const result = run({ ...c, pending }, e);
      return afterwards(result, (now) =>
        now.pending === undefined ? now : { ...now, pending: { ...now.pending, cause } },
      );
    });
    const { late } = await slowly().finally(undo);
    expect(late).toBe(true);
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

  it('waits for it also while it is at both its places', async () => {
    const world = await three();
    const first = await world.book(
      name(2),
      between('d2:h1', 'd1:h1', flexible({ constraints: { exclude_domains: [name(0)] } })),
    );
    await world.pass(3);
    // The old place is let go some seconds after the new one is agreed, and meanwhile it is asked for again.
    let frees = 0;
    world.between = (_from, _to, message, deliver) =>
      message.op === 'free' && ++frees < 5 ? Promise.reject(new Error('silence')) : deliver();
    const second = await world.book(name(0), between('d0:h1', 'd1:h1', { schedule: fixed(700, 1_000) }));
    await world.pass(20);
    expect(frees).toBeGreaterThanOrEqual(5);
    expect((await world.circuit(name(2), first)).moves).toBe(1);
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

describe('a participant whose room is taken by a circuit of its own', () => {
  /** In the second domain, from one switch to the other: the way round is too narrow for either. */
  const inside = (over: Partial<CircuitRequest> = {}): CircuitRequest =>
    between('d1:h1', 'd1:h3', flexible(over));
  const through = between('d0:h1', 'd1:h3', { schedule: fixed(700, 1_000) });

  it('moves it inside its window in the transaction of the hold, and it stays there whatever comes of that', async () => {
    const world = await three();
    const local = await world.book(name(1), inside());
    await world.pass(1);
    expect(startOf(await world.circuit(name(1), local))).toBe(600);
    const newcomer = await world.book(name(0), through);
    await world.pass(3);
    const booked = await world.circuit(name(0), newcomer);
    expect([booked.state, booked.version, startOf(booked)]).toEqual(['SCHEDULED', 1, 700]);
    const moved = await world.circuit(name(1), local);
    expect([moved.state, moved.moves]).toEqual(['SCHEDULED', 1]);
    expect(startOf(moved)).toBeGreaterThanOrEqual(1_000);
    const told = await world
      .at(name(1))
      .broker.events(operator, { circuitId: local, afterSeq: 0, limit: 100 });
    expect(
      told.flatMap(({ type, data }) => (type === 'circuit.moved' ? [data['for_circuit_id']] : [])),
    ).toEqual([world.guest(name(1), newcomer)?.id]);
    await world.at(name(0)).broker.act(call(), newcomer, { type: 'cancel', detail: 'not needed' });
    await world.pass(3);
    expect(startOf(await world.circuit(name(1), local))).toBe(startOf(moved));
    expect(world.said.some(({ message }) => message.op === 'ask-move')).toBe(false);
  });

  it('refuses when that circuit may not move, or not far enough', async () => {
    const world = await three();
    await world.book(name(1), inside({ pinned: true }));
    await world.pass(1);
    const newcomer = await world.book(name(0), through);
    await world.pass(8);
    expect((await world.circuit(name(0), newcomer)).state).toBe('REJECTED');
  });
});

describe('a newcomer for whom one circuit is not enough', () => {
  /** Over the one border between the first two domains, of ten gigabits. */
  const direct = (a: PortId, z: PortId, over: Partial<CircuitRequest> = {}): CircuitRequest =>
    between(a, z, { ...flexible(), constraints: { exclude_domains: [name(2)] }, ...over });

  it('gets the room of two that both move, and of no third', async () => {
    const world = await three();
    const first = await world.book(name(0), direct('d0:h1', 'd1:h1', { mbps: 4_000 }));
    await world.pass(2);
    const second = await world.book(name(0), direct('d0:h2', 'd1:h2', { mbps: 4_000 }));
    await world.pass(2);
    const third = await world.book(name(0), direct('d0:h4', 'd1:h4', { mbps: 1_000, priority: 90 }));
    await world.pass(2);
    const newcomer = await world.book(
      name(0),
      direct('d0:h3', 'd1:h3', { mbps: 9_000, schedule: fixed(700, 1_000) }),
    );
    await world.pass(10);
    const booked = await world.circuit(name(0), newcomer);
    expect([booked.state, startOf(booked)]).toEqual(['SCHEDULED', 700]);
    const moves = [];
    for (const id of [first, second, third]) {
      const circuit = await world.circuit(name(0), id);
      moves.push(circuit.moves);
      if (circuit.moves > 0) expect(startOf(circuit)).toBeGreaterThanOrEqual(1_000);
      expect(circuit.pending).toBeUndefined();
    }
    expect(moves).toEqual([1, 1, 0]);
  });

  it('gets the room of one of its own home and of one that another home is asked to move', async () => {
    const world = await three();
    const ours = await world.book(name(0), direct('d0:h2', 'd1:h2'));
    const others = between('d2:h1', 'd1:h1', flexible({ constraints: { exclude_domains: [name(0)] } }));
    const theirs = await world.book(name(2), others);
    await world.pass(3);
    const newcomer = await world.book(name(0), direct('d0:h1', 'd1:h1', { schedule: fixed(700, 1_000) }));
    await world.pass(20);
    const booked = await world.circuit(name(0), newcomer);
    expect([booked.state, booked.version, startOf(booked)]).toEqual(['SCHEDULED', 1, 700]);
    for (const [domain, id] of [
      [name(0), ours],
      [name(2), theirs],
    ] as const) {
      const moved = await world.circuit(domain, id);
      expect([moved.state, moved.moves]).toEqual(['SCHEDULED', 1]);
      expect(startOf(moved)).toBeGreaterThanOrEqual(1_000);
    }
    expect(world.said.filter(({ message }) => message.op === 'ask-move')).toHaveLength(1);
  });

  it('has two of another home asked for where both are in the way, and takes the room when both have gone', async () => {
    const world = await three();
    const half = { mbps: 5_000, constraints: { exclude_domains: [name(0)] } };
    const first = await world.book(name(2), between('d2:h1', 'd1:h1', flexible(half)));
    await world.pass(2);
    const second = await world.book(name(2), between('d2:h2', 'd1:h1', flexible(half)));
    await world.pass(2);
    const newcomer = await world.book(name(0), direct('d0:h1', 'd1:h1', { schedule: fixed(700, 1_000) }));
    await world.pass(20);
    expect((await world.circuit(name(0), newcomer)).state).toBe('SCHEDULED');
    const moves = [];
    for (const id of [first, second]) moves.push((await world.circuit(name(2), id)).moves);
    expect(moves).toEqual([1, 1]);
    expect(world.said.filter(({ message }) => message.op === 'ask-move')).toHaveLength(2);
  });

  it('may be a volume', async () => {
    const world = await three();
    const first = await world.book(name(0), direct('d0:h1', 'd1:h1'));
    await world.pass(3);
    const newcomer = await world.book(
      name(0),
      direct('d0:h2', 'd1:h2', {
        mbps: 0,
        schedule: {
          type: 'VOLUME',
          // Five minutes at 8 Gb/s.
          volumeBytes: 300e9,
          minMbps: 8_000,
          maxMbps: 8_000,
          notBefore: at(700),
          deadline: at(1_000),
        },
      }),
    );
    await world.pass(10);
    const booked = await world.circuit(name(0), newcomer);
    expect([booked.state, booked.current?.mbps, startOf(booked)]).toEqual(['SCHEDULED', 8_000, 700]);
    expect((await world.circuit(name(0), first)).moves).toBe(1);
  });
});
