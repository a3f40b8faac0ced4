/**
 * Terms of office of other domains, and quarantines: who speaks in an earlier term is refused, also after a restart,
 * until an operator has looked; and what a home in an earlier term does not know is not let go.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { PeerMessage } from '../../src/broker/abroad/peerPorts.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import { topologyOf } from '../sim/network.ts';
import { storedLog } from '../support/auditLog.ts';
import { aRequest, fixed } from '../support/builders.ts';
import { call, operator, user } from '../support/oneDomain.ts';
import { Several } from '../support/several.ts';

const [HOME, OTHER] = ['d0.example', 'd1.example'] as const;

let world: Several;
afterEach(() => world.end());

const start = async (): Promise<Circuit['id']> => {
  world = await Several.start([topologyOf(0, 2), topologyOf(1, 2)]);
  const id = await world.book(
    HOME,
    aRequest({
      a: { port: 'd0:h1', vlan: 'ANY' },
      z: { port: 'd1:h1', vlan: 'ANY' },
      schedule: fixed(10_000, 13_600),
    }),
  );
  await world.pass(7);
  expect(world.guest(OTHER, id)).toMatchObject({ state: 'SCHEDULED', home: { told: true, epoch: 1 } });
  return id;
};
const say = (message: Omit<PeerMessage, 'floor'>, from: string = HOME) =>
  world.at(OTHER).broker.peer(from, { floor: 0, ...message } as PeerMessage);
const readmit = (who = operator) =>
  world.at(OTHER).broker.standings.readmit(call(who) as never, HOME, 'its store was set back');

describe('an earlier term of office', () => {
  const verbs: readonly Record<string, unknown>[] = [
    { op: 'query' },
    { op: 'abort', version: 1 },
    { op: 'free', version: 1 },
    { op: 'release', reason: 'done' },
    { op: 'cancel', floor: 1 },
    { op: 'provision', version: 1 },
    { op: 'extend', version: 1, until: 0 },
    { op: 'digest', sums: '' },
    { op: 'border-match', home: HOME, port: 'd1:to-d0', label: 2, version: 1 },
  ];

  it('is refused whatever it says, also after a restart of the listener', async () => {
    const id = await start();
    expect(await say({ op: 'query', circuit: id, epoch: 5 } as never)).toMatchObject({ state: 'COMMITTED' });
    for (const again of [false, true]) {
      if (again) await world.at(OTHER).restart();
      for (const verb of verbs)
        await expect(say({ ...verb, circuit: id, epoch: 4 } as never)).rejects.toMatchObject({
          code: 'STALE_EPOCH',
        });
      expect(world.guest(OTHER, id)?.state).toBe('SCHEDULED');
    }
    // Another domain's term is its own.
    expect(await say({ op: 'query', circuit: id, epoch: 1 } as never, 'd9.example')).toMatchObject({
      state: 'UNKNOWN',
    });
  });

  it('gives no answers either: they count as none', async () => {
    const id = await start();
    let answers = 0;
    world.between = async (_from, _to, message, deliver) => {
      if (message.op !== 'cancel') return deliver();
      answers++;
      return { state: 'CLOSED', dark: true, epoch: answers === 1 ? 0 : 7 };
    };
    await world.at(HOME).broker.act(call(), id, { type: 'cancel', detail: 'no longer' });
    await world.pass(5);
    expect(answers).toBe(2);
  });

  it('is let in again by an operator alone', async () => {
    const id = await start();
    await say({ op: 'query', circuit: id, epoch: 5 } as never);
    await expect(readmit(user)).rejects.toMatchObject({ code: 'POLICY_DENIED' });
    await readmit();
    expect(await say({ op: 'query', circuit: id, epoch: 2 } as never)).toMatchObject({ state: 'COMMITTED' });
    await world.at(OTHER).restart();
    expect(await say({ op: 'query', circuit: id, epoch: 2 } as never)).toMatchObject({ state: 'COMMITTED' });
    const { records } = await storedLog(world.at(OTHER).store);
    expect(records.at(-1)).toMatchObject({ op: 'peer.change', peer: HOME, effect: 'readmitted' });
  });
});

describe('a home that knows nothing of what it committed', () => {
  const asks = async (epoch: number, times: number): Promise<void> => {
    world.between = (_from, to, message, deliver) =>
      to === HOME && message.op === 'query'
        ? Promise.resolve({ state: 'UNKNOWN' as const, epoch })
        : message.op.startsWith('digest')
          ? Promise.reject(new Error('not now'))
          : deliver();
    const { term } = world.at(OTHER).broker;
    for (let i = 0; i < times; i++) {
      await term?.writer.submit((tx) => {
        for (const { id, home, state } of tx.book.circuits.values())
          if (home !== undefined && state === 'SCHEDULED')
            tx.apply(id, { type: 'differs', domain: HOME, versions: [], at: tx.now });
      });
      await world.pass(1);
    }
  };

  it('must say so twice', async () => {
    const id = await start();
    await asks(1, 1);
    expect(world.guest(OTHER, id)).toMatchObject({ state: 'SCHEDULED', home: { unknowns: 1 } });
    await asks(1, 1);
    expect(world.guest(OTHER, id)?.state).toBe('CANCELLED');
  });

  it('and not know better in between', async () => {
    const id = await start();
    await asks(1, 1);
    world.between = (_from, _to, _message, deliver) => deliver();
    const { term } = world.at(OTHER).broker;
    await term?.writer.submit((tx) => {
      const guest = world.guest(OTHER, id) as Circuit;
      tx.apply(guest.id, { type: 'differs', domain: HOME, versions: [], at: tx.now });
    });
    await world.pass(1);
    expect(world.guest(OTHER, id)?.home?.unknowns).toBe(0);
    await asks(1, 1);
    expect(world.guest(OTHER, id)?.state).toBe('SCHEDULED');
  });

  it('and be in no earlier term than its commit: otherwise nothing is let go, with an alarm', async () => {
    const id = await start();
    await world.at(OTHER).broker.standings.readmit(call(operator) as never, HOME, 'set back');
    await asks(0, 3);
    expect(world.guest(OTHER, id)).toMatchObject({ state: 'SCHEDULED', home: { unknowns: 0 } });
    expect(world.logged(OTHER, 'peer.unknown')).toHaveLength(3);
  });
});

describe('a quarantine', () => {
  it('outlives a restart, is recorded, and ends by an operator', async () => {
    await start();
    const other = world.at(OTHER);
    await other.broker.standings.quarantine(HOME, 'two faces');
    await other.broker.standings.quarantine(HOME, 'two faces, still');
    await other.restart();
    expect(other.broker.standings.quarantineOf(HOME)).toBe('two faces');
    const { records } = await storedLog(other.store);
    expect(records.filter(({ effect }) => effect === 'quarantined')).toHaveLength(1);
    await readmit();
    expect(other.broker.standings.quarantineOf(HOME)).toBeUndefined();
    await other.restart();
    expect(other.broker.standings.quarantineOf(HOME)).toBeUndefined();
  });
});
