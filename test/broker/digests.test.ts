/**
 * What two domains have agreed, compared: what a lost message, a forgotten row or one too many has left different
 * is found by the digest and mended by the home's word or the participant's question. And the digest itself.
 */
import fc from 'fast-check';
import { afterEach, describe, expect, it, test } from 'vitest';
import { BUCKETS, bucketOf, type DigestLine, differences, Sums } from '../../src/broker/abroad/digest.ts';
import type { PeerAnswer } from '../../src/broker/abroad/peerPorts.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import { topologyOf } from '../sim/network.ts';
import { aRequest, fixed } from '../support/builders.ts';
import { call } from '../support/oneDomain.ts';
import { Several } from '../support/several.ts';

const [HOME, OTHER] = ['d0.example', 'd1.example'] as const;

describe('two domains', () => {
  let world: Several;
  afterEach(() => world.end());

  const start = async (): Promise<Several> => {
    world = await Several.start([topologyOf(0, 2), topologyOf(1, 2)]);
    return world;
  };
  const book = async (at = 10_000, mbps = 1_000): Promise<Circuit['id']> => {
    const id = await world.book(
      HOME,
      aRequest({
        a: { port: 'd0:h1', vlan: 'ANY' },
        z: { port: 'd1:h1', vlan: 'ANY' },
        schedule: fixed(at, at + 3_600),
        mbps,
      }),
    );
    await world.pass(2);
    expect((await world.circuit(HOME, id)).state).toBe('SCHEDULED');
    return id;
  };
  /** Nothing that was decided a moment ago counts as different. */
  const round = async (domain: string): Promise<void> => {
    await world.pass(31);
    await world.at(domain).broker.term?.abroad.digests.round();
    await world.pass(2);
  };
  /** Messages with these verbs are answered as if they had arrived. */
  const swallow = (ops: readonly string[], answer: PeerAnswer): void => {
    world.between = (_from, _to, message, deliver) =>
      ops.includes(message.op) ? Promise.resolve(answer) : deliver();
  };
  const versionsAt = (domain: string, id: Circuit['id']): (number | undefined)[] => {
    const guest = world.guest(domain, id);
    return [guest?.current?.version, guest?.pending?.placement.version];
  };
  const asked = (op: string): number => world.said.filter(({ message }) => message.op === op).length;

  it('say nothing more when they agree, and two kilobytes are enough to know', async () => {
    await start();
    await book();
    await book(20_000);
    for (const domain of [HOME, OTHER]) await round(domain);
    const said = world.said.map(({ message }) => message).filter(({ op }) => op.startsWith('digest'));
    expect(said.map(({ op }) => op)).toEqual(['digest', 'digest']);
    expect(JSON.stringify(said[0]).length).toBeLessThan(3_000);
  });

  it.each([HOME, OTHER])('a free that got lost is said again, when %s compares', async (who) => {
    await start();
    const id = await book();
    // Nobody tells it, and its own questions find nobody.
    world.between = (_from, _to, message, deliver) =>
      message.op === 'free'
        ? Promise.resolve({ state: 'CLOSED', dark: true, epoch: 1 })
        : message.op === 'query'
          ? Promise.reject(new Error('nobody'))
          : deliver();
    await world.at(HOME).broker.change(call(), id, { mbps: 2_000 } as never);
    await world.pass(3);
    expect(versionsAt(OTHER, id)).toEqual([1, 2]);
    world.between = (_from, _to, message, deliver) =>
      message.op === 'query' ? Promise.reject(new Error('nobody')) : deliver();
    await round(who);
    expect(versionsAt(OTHER, id)).toEqual([2, undefined]);
  });

  it.each([HOME, OTHER])('what a lost cancel left over is let go, when %s compares', async (who) => {
    await start();
    const [gone, stays] = [await book(), await book(20_000)];
    swallow(['cancel', 'release'], { state: 'CLOSED', dark: true, epoch: 1 });
    await world.at(HOME).broker.act(call(), gone, { type: 'cancel', detail: 'no longer' });
    await world.pass(2);
    expect(world.guest(OTHER, gone)?.state).toBe('SCHEDULED');
    world.between = (_from, _to, _message, deliver) => deliver();
    // The home knows nothing of it any more, and must say so twice.
    await round(who);
    expect(world.guest(OTHER, gone)?.home?.unknowns).toBe(1);
    await round(who);
    expect(world.guest(OTHER, gone)?.state).toBe('CANCELLED');
    expect(world.guest(OTHER, stays)?.state).toBe('SCHEDULED');
  });

  /** The other domain's store as it was before its last circuits. */
  const forgetting = async (make: () => Promise<Circuit['id']>): Promise<Circuit['id']> => {
    const other = world.at(OTHER);
    const copy = `${other.dir}/copy.db`;
    await other.broker.backup(copy);
    const id = await make();
    const { copyFileSync, rmSync } = await import('node:fs');
    await other.stopped(async (file) => {
      for (const end of ['-wal', '-shm']) rmSync(`${file}${end}`, { force: true });
      copyFileSync(copy, file);
    });
    expect(world.guest(OTHER, id)).toBeUndefined();
    return id;
  };

  it('a circuit that was forgotten is committed again, as it was', async () => {
    await start();
    const known = await book();
    const id = await forgetting(() => book(20_000));
    await round(HOME);
    expect(versionsAt(OTHER, id)).toEqual([1, undefined]);
    // It asks its home, as after any commit.
    await world.pass(5);
    expect(world.guest(OTHER, id)).toMatchObject({ state: 'SCHEDULED', home: { told: true } });
    const [home, guest] = [await world.circuit(HOME, id), world.guest(OTHER, id)];
    const labels = (c: Circuit | undefined, domain: string) =>
      c?.current?.segments.filter((s) => s.domain === domain).map((s) => [s.a.label, s.z.label]);
    expect(labels(guest, OTHER)?.[0]?.[0]).toBe(labels(home, OTHER)?.[0]?.[0]);
    expect(versionsAt(OTHER, known)).toEqual([1, undefined]);
    const before = asked('digest-lines');
    await round(HOME);
    expect(asked('digest-lines')).toBe(before);
  });

  it('a circuit that was forgotten in its middle shines again', async () => {
    await start();
    const id = await forgetting(() => book(60));
    await world.pass(70);
    await round(HOME);
    expect(world.guest(OTHER, id)?.state).toBe('ACTIVE');
    expect((await world.circuit(HOME, id)).state).toBe('ACTIVE');
  });

  it('what was forgotten and is taken now is agreed anew, or said to be lost', async () => {
    await start();
    const id = await forgetting(() => book(20_000, 10_000));
    const taken = await world.book(
      OTHER,
      aRequest({
        a: { port: 'd1:h1', vlan: 'ANY' },
        z: { port: 'd1:h3', vlan: 'ANY' },
        schedule: fixed(20_000, 24_000),
        mbps: 10_000,
      }),
    );
    await round(HOME);
    await world.pass(20);
    expect((await world.circuit(OTHER, taken)).state).toBe('SCHEDULED');
    const home = await world.circuit(HOME, id);
    expect(home.state).toBe('REJECTED');
    expect(world.guest(OTHER, id)?.current).toBeUndefined();
  });

  it('a peer that asks all the time is put off', async () => {
    await start();
    await book();
    const { broker } = world.at(HOME);
    const ask = { op: 'digest', sums: `${new Sums()}`, circuit: 'digest', epoch: 1, floor: 0 } as const;
    const states: string[] = [];
    for (let i = 0; i < 70; i++) states.push((await broker.peer(OTHER, ask)).state);
    expect(states.slice(0, 64).every((state) => state === 'DIFFERS')).toBe(true);
    expect(states.slice(64).every((state) => state === 'BUSY')).toBe(true);
    expect(await broker.peer('d9.example', { ...ask, sums: 'rubbish' })).toMatchObject({ state: 'REFUSED' });
  });

  it('a peer that says what is not so about circuits of others changes nothing', async () => {
    await start();
    const id = await book();
    await world.pass(31);
    const { broker } = world.at(HOME);
    const events = await broker.lastEventSeq();
    const lines = (home: string, circuit: string): DigestLine[] => [{ home, circuit, versions: [7] }];
    const foreign = [...lines(HOME, 'cir_none'), ...lines(OTHER, id), ...lines('d9.example', id)];
    const message = { op: 'digest-lines', circuit: 'digest', epoch: 1, floor: 0 } as const;
    const buckets = [...Array(BUCKETS).keys()];
    // From a domain that has no part in it.
    await broker.peer('d9.example', { ...message, buckets, lines: lines(HOME, id) });
    await broker.peer('d9.example', { ...message, buckets, lines: foreign });
    await world.settle();
    expect(world.guest(OTHER, id)?.state).toBe('SCHEDULED');
    expect((await world.circuit(HOME, id)).current?.version).toBe(1);
    expect(await broker.lastEventSeq()).toBe(events);
  });
});

describe('the digest', () => {
  const lines = fc
    .uniqueArray(fc.tuple(fc.constantFrom('a', 'b'), fc.integer({ min: 0, max: 40 })), {
      selector: ([home, n]) => `${home}${n}`,
      maxLength: 40,
    })
    .chain((keys) =>
      fc.tuple(
        ...keys.map(([home, n]) =>
          fc
            .uniqueArray(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 2 })
            .map((versions): DigestLine => ({ home, circuit: `cir_${n}`, versions: versions.sort() })),
        ),
      ),
    );
  const sumsOf = (all: readonly DigestLine[]): Sums => {
    const sums = new Sums();
    for (const line of all) sums.add(line);
    return sums;
  };
  const key = ({ home, circuit }: DigestLine): string => `${home}/${circuit}`;

  test('differs in exactly the buckets of what differs, whatever the order', () => {
    fc.assert(
      fc.property(lines, lines, (ours, theirs) => {
        const found = differences(ours, theirs);
        const buckets = new Set(found.ours.map(({ circuit }) => bucketOf(circuit)));
        const read = Sums.read(`${sumsOf([...theirs].reverse())}`) as Sums;
        expect(new Set(sumsOf(ours).differing(read))).toEqual(buckets);
        // Each sees the other's side of the same differences.
        const mirrored = differences(theirs, ours);
        const sorted = (list: readonly DigestLine[]) => list.map((l) => `${key(l)} ${l.versions}`).sort();
        expect(sorted(mirrored.ours)).toEqual(sorted(found.theirs));
        expect(sorted(mirrored.theirs)).toEqual(sorted(found.ours));
      }),
    );
  });

  test('of a hundred thousand circuits is as short, and leads to a few hundred lines', () => {
    const all = Array.from(
      { length: 100_000 },
      (_, i): DigestLine => ({ home: HOME, circuit: `cir_${i.toString(36)}`, versions: [1] }),
    );
    const [ours, theirs] = [sumsOf(all), sumsOf(all.slice(0, -1))];
    expect(`${ours}`.length).toBeLessThan(3_000);
    const differing = ours.differing(theirs);
    expect(differing).toEqual([bucketOf((all.at(-1) as DigestLine).circuit)]);
    const inBucket = all.filter(({ circuit }) => differing.includes(bucketOf(circuit)));
    expect(inBucket.length).toBeLessThan(1_000);
  });
});
