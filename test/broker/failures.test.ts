/** What breaks in another domain, or between two, while a circuit runs over them: its home finds another way. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Circuit, CircuitRequest } from '../../src/model/circuit.ts';
import { topologyOf } from '../sim/network.ts';
import { aRequest, fixed } from '../support/builders.ts';
import { call, operator } from '../support/oneDomain.ts';
import { Several } from '../support/several.ts';

const name = (i: number): string => `d${i}.example`;

let world: Several;
afterEach(() => world.end());

/** Four in a ring, so that there are two ways between the first and the third. */
const ring = async (): Promise<Several> => {
  const topologies = [0, 1, 2, 3]
    .map((i) => topologyOf(i, 4))
    .map((topology) => ({
      ...topology,
      // In the last one, too, the borders are at two switches.
      ports: topology.ports.map((port) => (port.id === 'd3:to-d0' ? { ...port, node: 'sw2' } : port)),
    }));
  world = await Several.start(topologies);
  return world;
};

const across = (over: Partial<CircuitRequest> = {}): CircuitRequest =>
  aRequest({
    a: { port: 'd0:h1', vlan: 'ANY' },
    z: { port: 'd2:h1', vlan: 'ANY' },
    mbps: 2_000,
    schedule: fixed(20, 900),
    ...over,
  });

const home = (id: Circuit['id']): Promise<Circuit> => world.circuit(name(0), id);
const way = (c: Circuit): readonly string[] | undefined => c.current?.segments.map((s) => s.domain);
const lightOf = ({ conditions }: Circuit) => conditions.find(({ type }) => type === 'DataPlaneUp');
const set = (domain: string, link: string, oper: 'UP' | 'DOWN') =>
  world.at(domain).broker.setLink(call(operator), link, { oper });
const roadIn = (domain: string, id: Circuit['id']) => world.guest(domain, id)?.current?.segments[0]?.links;
const lit = async (domain: string): Promise<number> => (await world.at(domain).broker.observed()).length;

/** Which of the two it passes, and the other. */
const middle = (c: Circuit): [passes: string, other: string] => {
  const passes = way(c)?.[1] ?? '';
  return [passes, passes === name(1) ? name(3) : name(1)];
};

describe('a link in the domain of a peer', () => {
  it('is gone round inside it, where that can be: the same borders, the same labels, agreed as a new version', async () => {
    await ring();
    const id = await world.book(name(0), across());
    await world.pass(25);
    const before = await home(id);
    const [passes] = middle(before);
    expect([before.state, roadIn(passes, id)]).toEqual(['ACTIVE', ['trunk']]);
    await set(passes, 'trunk', 'DOWN');
    await world.pass(3);
    const after = await home(id);
    expect([after.state, way(after), after.version]).toEqual(['ACTIVE', way(before), 2]);
    expect(lightOf(after)).toMatchObject({ status: 'TRUE' });
    expect(roadIn(passes, id)).not.toContain('trunk');
    const borders = (c: Circuit) =>
      c.current?.segments.map((s) => [s.a.border, s.a.label, s.z.border, s.z.label]);
    expect(borders(after)).toEqual(borders(before));
    // What was replaced is out, everywhere.
    expect([after.pending, world.guest(passes, id)?.pending]).toEqual([undefined, undefined]);
  });

  it('leads over other domains, where that domain has no other road, and says so meanwhile', async () => {
    await ring();
    const id = await world.book(name(0), across());
    await world.pass(25);
    const [passes, other] = middle(await home(id));
    let said: unknown;
    world.between = async (_from, to, message, deliver) => {
      if (to === other && message.op === 'hold') {
        const now = await home(id);
        said = [now.state, lightOf(now), now.current?.segments[1]?.impaired];
      }
      return deliver();
    };
    await set(passes, 'round-1', 'DOWN');
    await set(passes, 'trunk', 'DOWN');
    await world.pass(5);
    expect(said).toMatchObject([
      'ACTIVE',
      { status: 'FALSE', reason: 'ROAD_OUT_OF_SERVICE', detail: 'link trunk is out of service' },
      { detail: 'link trunk is out of service' },
    ]);
    const after = await home(id);
    expect([after.state, way(after)]).toEqual(['ACTIVE', [name(0), other, name(2)]]);
    expect([lightOf(after)?.status, after.setbacks]).toEqual(['TRUE', undefined]);
    // Who is no longer passed has nothing left of it.
    expect([world.guest(passes, id)?.current, await lit(passes)]).toEqual([undefined, 0]);
  });

  it('and whoever holds a part of the new way only lets it go when the circuit is released', async () => {
    // The release found a hold and nothing committed, and was refused until the hold ran out.
    await ring();
    const id = await world.book(name(0), across());
    await world.pass(25);
    const [passes, other] = middle(await home(id));
    const refused: unknown[] = [];
    world.between = async (_from, to, message, deliver) => {
      if (message.op === 'hold' && to === name(2)) throw new Error('no answer');
      const answer = await deliver();
      if (message.op === 'release' && answer.state !== 'CLOSED') refused.push([to, answer]);
      return answer;
    };
    for (const link of ['round-1', 'trunk']) await set(passes, link, 'DOWN');
    await world.pass(3);
    expect(world.guest(other, id)?.state).toBe('HELD');
    await world.at(name(0)).broker.act(call(), id, { type: 'release', detail: 'enough' });
    await world.pass(2);
    expect([world.guest(other, id)?.state, refused]).toEqual(['ENDED', []]);
  });

  it('is moved away from before it starts, too, and what waits for its key is not lit by that', async () => {
    await ring();
    const id = await world.book(name(0), across({ schedule: fixed(300, 900), provision: 'MANUAL' }));
    await world.pass(3);
    const [passes, other] = middle(await home(id));
    await set(passes, 'round-2', 'DOWN');
    await set(passes, 'trunk', 'DOWN');
    await world.pass(5);
    const after = await home(id);
    expect([after.state, way(after)]).toEqual(['SCHEDULED', [name(0), other, name(2)]]);
    expect(lightOf(after)).toMatchObject({ reason: 'NOT_YET_DUE' });
    await world.pass(300);
    expect(await lit(other)).toBe(0);
    await world.at(name(0)).broker.act(call(operator, { override: 'to see it' }), id, { type: 'provision' });
    await world.pass(3);
    expect((await home(id)).state).toBe('ACTIVE');
  });

  it('takes a lit circuit that waited for its key to a domain that has never heard of the key', async () => {
    await ring();
    const id = await world.book(name(0), across({ provision: 'MANUAL' }));
    await world.pass(2);
    await world.at(name(0)).broker.act(call(operator, { override: 'to see it' }), id, { type: 'provision' });
    await world.pass(25);
    const [passes, other] = middle(await home(id));
    await set(passes, 'round-2', 'DOWN');
    await set(passes, 'trunk', 'DOWN');
    await world.pass(5);
    const after = await home(id);
    expect([after.state, way(after)?.[1], lightOf(after)?.status]).toEqual(['ACTIVE', other, 'TRUE']);
  });

  it('is waited for where there is no other way, and the circuit goes on when it is mended', async () => {
    await ring();
    const only = across({ constraints: { exclude_domains: [name(3)] } });
    const id = await world.book(name(0), only);
    await world.pass(25);
    await set(name(1), 'round-2', 'DOWN');
    await set(name(1), 'trunk', 'DOWN');
    await world.pass(40);
    const down = await home(id);
    expect([down.state, lightOf(down)?.status, down.current?.version]).toEqual(['ACTIVE', 'FALSE', 1]);
    // Asked for again at each look, less and less often: not at every message.
    expect(down.version).toBeLessThan(4);
    await set(name(1), 'trunk', 'UP');
    await world.pass(3);
    const up = await home(id);
    expect([lightOf(up)?.status, up.current?.segments[1]?.impaired]).toEqual(['TRUE', undefined]);
  });

  it('that flaps does not drag a circuit along for ever', async () => {
    await ring();
    const id = await world.book(name(0), across());
    await world.pass(25);
    for (let i = 0; i < 5; i++) {
      const [passes] = middle(await home(id));
      await set(passes, 'round-2', 'DOWN');
      await set(passes, 'trunk', 'DOWN');
      await world.pass(3);
      await set(passes, 'round-2', 'UP');
      await set(passes, 'trunk', 'UP');
      await world.pass(3);
    }
    const events = await world
      .at(name(0))
      .broker.events(operator, { circuitId: id, afterSeq: 0, limit: 500 });
    expect(events.filter(({ type }) => type === 'circuit.rerouted')).toHaveLength(3);
  });

  it('takes the most important away first', async () => {
    await ring();
    const ids: Circuit['id'][] = [];
    for (const [port, priority] of [
      ['d0:h1', 10],
      ['d0:h2', 90],
      ['d0:h3', 50],
    ] as const) {
      ids.push(
        await world.book(
          name(0),
          across({
            a: { port, vlan: 'ANY' },
            priority,
            mbps: 500,
            constraints: { exclude_domains: [name(3)] },
          }),
        ),
      );
      await world.pass(2);
    }
    await world.pass(25);
    const from = world.said.length;
    await set(name(1), 'trunk', 'DOWN');
    await world.pass(3);
    const again = world.said
      .slice(from)
      .filter(({ to, message }) => to === name(1) && message.op === 'hold')
      .map(({ message }) => message.circuit);
    expect(again).toEqual([ids[1], ids[2], ids[0]]);
  });
});

describe('the cable between two domains', () => {
  const dark = (domain: string, port: string): Promise<unknown> | undefined => {
    const document = world.at(domain).broker.topology().document;
    const found = document.ports.find(({ id }) => id === port);
    const device = found?.node ?? '';
    const known = new Map([[device, new Map([[port.slice(port.indexOf(':') + 1), false]])]]);
    return world.at(domain).broker.term?.portStates(known, device, new Set());
  };

  it('is gone round when our end has no light', async () => {
    await ring();
    const id = await world.book(name(0), across());
    await world.pass(25);
    const before = await home(id);
    const [, other] = middle(before);
    await dark(name(0), before.current?.segments[0]?.z.port ?? '');
    await world.pass(5);
    expect([way(await home(id)), lightOf(await home(id))?.status]).toEqual([
      [name(0), other, name(2)],
      'TRUE',
    ]);
  });

  it('is gone round when a peer says that its end has none, and nothing new is put there', async () => {
    await ring();
    const id = await world.book(name(0), across());
    await world.pass(25);
    const before = await home(id);
    const [passes, other] = middle(before);
    await dark(passes, before.current?.segments[1]?.z.port ?? '');
    await world.pass(5);
    expect(way(await home(id))).toEqual([name(0), other, name(2)]);
  });
});
