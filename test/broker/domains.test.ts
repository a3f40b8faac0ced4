/** One circuit over several domains, each with a broker of its own: two ways round, and what is refused on one. */
import { afterEach, describe, expect, it } from 'vitest';
import { instant } from '../../src/kernel/clock.ts';
import { type BrokerError, toProblem } from '../../src/kernel/errors.ts';
import type { Circuit, CircuitRequest } from '../../src/model/circuit.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { topologyOf } from '../sim/network.ts';
import { aRequest, fixed, T0 } from '../support/builders.ts';
import { call, operator } from '../support/oneDomain.ts';
import { Several } from '../support/several.ts';

const name = (i: number): string => `d${i}.example`;

let several: Several;
afterEach(() => several.end());

const ring = async (count: number): Promise<Several> => {
  several = await Several.start(Array.from({ length: count }, (_, i) => topologyOf(i, count)));
  return several;
};

const across = (over: Partial<CircuitRequest> = {}): CircuitRequest =>
  aRequest({
    a: { port: 'd0:h1', vlan: 'ANY' },
    z: { port: 'd2:h1', vlan: 'ANY' },
    schedule: fixed(100, 200),
    ...over,
  });

const passes = (c: Circuit): readonly string[] | undefined => c.current?.segments.map((s) => s.domain);

/** What home and participants name at each border, from a to z. */
const labels = (c: Circuit): (number | undefined)[] =>
  c.current?.segments.flatMap((s, i, all) => [
    ...(i > 0 ? [s.a.label] : []),
    ...(i + 1 < all.length ? [s.z.label] : []),
  ]) ?? [];

describe('a circuit over a ring of four domains', () => {
  it('is held and committed in each, with one label on both sides of every border', async () => {
    const world = await ring(4);
    const id = await world.book(name(0), across());
    await world.pass(2);
    const circuit = await world.circuit(name(0), id);
    expect([circuit.state, circuit.current?.segments.length]).toEqual(['SCHEDULED', 3]);
    const [first, second, third, fourth] = labels(circuit);
    expect([first, third]).toEqual([second, fourth]);
    for (const segment of circuit.current?.segments.slice(1) ?? []) {
      const theirs = world.guest(segment.domain, id)?.current?.segments[0];
      expect([theirs?.a.label, theirs?.z.label]).toEqual([
        segment.a.label,
        segment.z.label ?? theirs?.z.label,
      ]);
      // What was held beside the label that was agreed has been let go.
      expect([theirs?.a.offered, theirs?.z.offered]).toEqual([undefined, undefined]);
    }
    await world.pass(105);
    expect((await world.circuit(name(0), id)).state).toBe('ACTIVE');
    await world.pass(100);
    expect((await world.circuit(name(0), id)).state).toBe('ENDED');
  });

  it('goes where the constraints allow: through a domain, or round it', async () => {
    const world = await ring(4);
    const round = await world.book(name(0), across({ constraints: { exclude_domains: [name(1)] } }));
    const through = await world.book(name(0), across({ constraints: { include_domains: [name(1)] } }));
    await world.pass(2);
    expect(passes(await world.circuit(name(0), round))).toEqual([name(0), name(3), name(2)]);
    expect(passes(await world.circuit(name(0), through))).toEqual([name(0), name(1), name(2)]);
  });

  it('goes the other way when a domain refuses, and the refusal names it', async () => {
    const world = await ring(4);
    let refused = '';
    world.between = (_from, to, message, deliver) => {
      if (message.op !== 'hold' || to === name(2) || (refused !== '' && to !== refused)) return deliver();
      refused = to;
      return Promise.resolve({ state: 'REFUSED', kind: 'POLICY', cause: 'no transit for you', epoch: 1 });
    };
    const id = await world.book(name(0), across());
    await world.pass(3);
    const circuit = await world.circuit(name(0), id);
    expect(circuit.state).toBe('SCHEDULED');
    expect(passes(circuit)).not.toContain(refused);
    expect(circuit.version).toBe(2);
  });

  it('goes round a domain that does not answer', async () => {
    const world = await ring(4);
    world.between = (_from, to, message, deliver) =>
      to === name(1) && message.op === 'hold' ? Promise.reject(new Error('silence')) : deliver();
    const id = await world.book(name(0), across());
    await world.pass(35);
    expect(passes(await world.circuit(name(0), id))).toEqual([name(0), name(3), name(2)]);
  });

  it('is refused with the cause and the domain when nothing is left to try', async () => {
    const world = await ring(4);
    world.between = (_from, to, message, deliver) =>
      message.op === 'hold' && to === name(2)
        ? Promise.resolve({ state: 'REFUSED', kind: 'ROOM', cause: 'port d2:h1 is full', epoch: 1 })
        : deliver();
    const id = await world.book(name(0), across());
    await world.pass(10);
    const circuit = await world.circuit(name(0), id);
    expect(circuit.state).toBe('REJECTED');
    expect(circuit.problem).toMatchObject({ code: 'NO_FEASIBLE_SLOT', domain: name(2) });
    expect(circuit.problem?.detail).toContain('port d2:h1 is full');
    // Two ways were tried, and both ended at the same port.
    expect(circuit.problem?.bottlenecks).toEqual([
      { kind: 'LINK', id: name(2), detail: 'ROOM: port d2:h1 is full' },
    ]);
    // Nothing is left behind anywhere.
    for (const domain of [name(1), name(2), name(3)])
      expect(world.guest(domain, id)?.pending).toBeUndefined();
  });

  it('is asked for at one of its ends', async () => {
    const world = await ring(4);
    const strange = across({ a: { port: 'd1:h1', vlan: 'ANY' } });
    const problem = await world.book(name(0), strange).catch((error: BrokerError) => toProblem(error));
    expect(problem).toMatchObject({ code: 'NOT_HOME', domain: name(1) });
  });
});

describe('a link of ours that fails', () => {
  it('gives a circuit over several domains another way, agreed with all of them', async () => {
    const world = await ring(3);
    // From the first switch to the border in the second: over the trunk, or round it at half the rate.
    const id = await world.book(name(0), across({ z: { port: 'd1:h1', vlan: 'ANY' } }));
    await world.pass(3);
    const before = (await world.circuit(name(0), id)).current;
    expect(before?.segments[0]?.links).toEqual(['trunk']);
    await world.at(name(0)).broker.setLink(call(operator), 'trunk', { oper: 'DOWN' });
    await world.pass(5);
    const after = await world.circuit(name(0), id);
    expect([after.state, after.pending]).toEqual(['SCHEDULED', undefined]);
    expect(after.current?.segments[0]?.links).not.toContain('trunk');
    expect(after.current?.window).toEqual(before?.window);
    for (const { domain, local } of after.current?.segments ?? [])
      if (!local) expect(world.guest(domain, id)?.current?.version).toBe(after.current?.version);
  });
});

describe('while a home has not lit its own part of a change yet', () => {
  it('its word is the version that all have agreed on: the one before has been let go of', async () => {
    // Seed 2: a participant that asked was told the version that it had just been told to free.
    const world = await ring(2);
    const z = { port: 'd1:h1', vlan: 'ANY' } as const;
    const id = await world.book(name(0), across({ z }));
    await world.pass(110);
    world.between = (from, _to, message, deliver) =>
      message.op === 'border-match' && from === name(0)
        ? Promise.resolve({ state: 'MISMATCH', label: 9, epoch: 1 })
        : deliver();
    await world.at(name(0)).broker.setLink(call(operator), 'trunk', { oper: 'DOWN' });
    await world.pass(5);
    const { current, pending } = await world.circuit(name(0), id);
    expect([current?.version, pending?.phase]).toEqual([1, 'LIGHTING']);
    expect(world.guest(name(1), id)?.current?.version).toBe(2);
    const answer = await world
      .at(name(0))
      .broker.peer(name(1), { op: 'query', circuit: id, epoch: 1, floor: 0 });
    expect(answer).toMatchObject({ state: 'ACTIVE', version: 2 });
  });
});

describe('a home that means something else by a version than it said before', () => {
  it.each([
    ['another rate', { mbps: 10_000 }],
    ['another slot', { window: { start: T0, end: instant(T0 + 300_000) } }],
  ])('is refused: %s', async (_what, other) => {
    // Seed 12, with a domain that lies: what was held at one rate was committed at another, and counted as the first.
    const world = await ring(2);
    world.between = async (_from, to, message, deliver) => {
      if (message.op !== 'commit' || to !== name(1)) return deliver();
      const changed = { ...message, segment: { ...message.segment, ...other } };
      return world.at(name(1)).broker.peer(name(0), changed);
    };
    const id = await world.book(name(0), across({ z: { port: 'd1:h1', vlan: 'ANY' } }));
    await world.pass(2);
    const circuit = await world.circuit(name(0), id);
    expect(circuit.setbacks?.[0] ?? circuit.problem).toMatchObject({
      detail: expect.stringContaining('was asked for as something else'),
    });
    expect(world.guest(name(1), id)?.current).toBeUndefined();
  });
});

describe('before light', () => {
  it('the two ends of a border ask each other for the label: another one keeps it dark, silence does not', async () => {
    const world = await ring(3);
    const wrong = await world.book(name(0), across({ z: { port: 'd1:h1', vlan: 'ANY' } }));
    const silent = await world.book(name(0), across({ a: { port: 'd0:h2', vlan: 'ANY' } }));
    await world.pass(3);
    world.between = (_from, _to, message, deliver) => {
      if (message.op !== 'border-match') return deliver();
      return message.circuit === wrong
        ? Promise.resolve({ state: 'MISMATCH', label: 9, epoch: 1 })
        : Promise.reject(new Error('silence'));
    };
    await world.pass(110);
    expect((await world.circuit(name(0), wrong)).state).toBe('PROVISIONING');
    expect((await world.circuit(name(0), silent)).state).toBe('ACTIVE');
    const asked = world.said.filter(({ message }) => message.op === 'border-match');
    expect(new Set(asked.map(({ from }) => from)).size).toBeGreaterThan(1);
  });

  it('says what it has itself', async () => {
    const world = await ring(3);
    const id = await world.book(name(0), across({ z: { port: 'd1:h1', vlan: 'ANY' } }));
    await world.pass(3);
    const own = (await world.circuit(name(0), id)).current?.segments[0];
    const ask = (label: number) =>
      world.at(name(1)).broker.peer(name(0), {
        op: 'border-match',
        circuit: id,
        epoch: 1,
        floor: 0,
        home: name(0),
        port: own?.z.port ?? 'd0:none',
        label,
        version: 1,
      });
    const { label = 0 } = own?.z ?? {};
    expect((await ask(label)).state).toBe('MATCH');
    expect(await ask(label + 1)).toMatchObject({ state: 'MISMATCH', label });
  });
});

it('a label rests between two circuits, longer than clocks may differ', async () => {
  const one = [0, 1].map((i) => topologyOf(i, 2));
  const narrow = one.map((t) => ({
    ...t,
    ports: t.ports.map((port) => (port.kind === 'BORDER' ? { ...port, vlans: '3' } : port)),
  }));
  several = await Several.start(narrow);
  const book = (start: number, end: number) =>
    several.book(
      name(0),
      across({ z: { port: 'd1:h1', vlan: 'ANY' }, mbps: 100, schedule: fixed(start, end) }),
    );
  await book(100, 200);
  await several.pass(2);
  await expect(book(205, 300)).rejects.toMatchObject({ code: 'NO_FEASIBLE_SLOT' });
  const later = await book(207, 300);
  await several.pass(2);
  expect((await several.circuit(name(0), later)).state).toBe('SCHEDULED');
});

describe('a label that is free at one end only', () => {
  it('costs one more round, in which only what the other end has is asked for', async () => {
    const world = await ring(4);
    // d0 decides at its border to d1, and d1 has but one of the labels left.
    const only = await world.book(name(0), across({ constraints: { exclude_domains: [name(3)] } }));
    await world.pass(2);
    const before = world.said.length;
    world.between = async (_from, to, _message, deliver) => {
      const answer = await deliver();
      // d2 holds, of the candidates at its border with d1, the last alone.
      if (to !== name(2) || answer.state !== 'HELD' || answer.aLabels === undefined) return answer;
      return { ...answer, aLabels: answer.aLabels.slice(-1) };
    };
    const id = await world.book(name(0), across({ constraints: { exclude_domains: [name(3)] } }));
    await world.pass(4);
    const circuit = await world.circuit(name(0), id);
    expect(circuit.state).toBe('SCHEDULED');
    const holds = world.said
      .slice(before)
      .filter(({ to, message }) => to === name(1) && message.op === 'hold');
    expect(holds.length).toBe(2);
    expect((await world.circuit(name(0), only)).state).toBe('SCHEDULED');
  });
});

it('a domain that cannot change labels is asked first for one that all of the way could have', async () => {
  const wide = (labels: string) => (port: TopologyDocument['ports'][number]) => ({ ...port, vlans: labels });
  const topologies = [0, 1, 2, 3]
    .map((i) => topologyOf(i, 4))
    .map((topology, i) => ({
      ...topology,
      nodes: topology.nodes.map((node) => ({
        ...node,
        ...(i === 1 || i === 2 ? { swaps_labels: false } : {}),
      })),
      ports: topology.ports.map(wide('2-4000')),
      links: topology.links.map((link) => ({ ...link, vlans: '2-4000' })),
    }));
  const [first, second, ...others] = topologies;
  if (first === undefined || second === undefined) throw new Error('there are four');
  // Between the first two there is one label alone, as on a fibre.
  const narrow = [first, second].map((topology) => ({
    ...topology,
    ports: topology.ports.map((port) =>
      port.id.includes('to-d0') || port.id.includes('to-d1') ? wide('3210')(port) : port,
    ),
  }));
  several = await Several.start([...narrow, ...others]);
  const id = await several.book(name(0), across({ constraints: { exclude_domains: [name(3)] } }));
  await several.pass(2);
  const circuit = await several.circuit(name(0), id);
  expect([circuit.state, circuit.version]).toEqual(['SCHEDULED', 1]);
  expect(labels(circuit)).toEqual([3210, 3210, 3210, 3210]);
});

it('two keep clear of each other, and a third finds no way that does', async () => {
  const world = await ring(4);
  const first = await world.book(name(0), across({ mbps: 100 }));
  await world.pass(2);
  const apart = (...circuits: string[]): CircuitRequest =>
    across({ mbps: 100, constraints: { diverse_from: circuits } });
  const second = await world.book(name(0), apart(first));
  await world.pass(2);
  const [one, other] = [await world.circuit(name(0), first), await world.circuit(name(0), second)];
  expect(new Set([passes(one)?.[1], passes(other)?.[1]])).toEqual(new Set([name(1), name(3)]));
  const borders = (c: Circuit) => c.current?.segments.flatMap(({ a, z }) => [a.border, z.border]) ?? [];
  for (const border of borders(one)) if (border !== undefined) expect(borders(other)).not.toContain(border);
  await expect(world.book(name(0), apart(first, second))).rejects.toMatchObject({ code: 'NO_FEASIBLE_SLOT' });
});
