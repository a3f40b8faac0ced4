/** A home tells what all domains have committed with whatever it says next; only where that is lost is it asked. */
import { afterEach, expect, it } from 'vitest';
import type { PeerMessage } from '../../src/broker/abroad/peerPorts.ts';
import type { Circuit, CircuitRequest } from '../../src/model/circuit.ts';
import { topologyOf } from '../sim/network.ts';
import { aRequest, fixed } from '../support/builders.ts';
import { call } from '../support/oneDomain.ts';
import { Several } from '../support/several.ts';

const name = (i: number): string => `d${i}.example`;

let world: Several;
afterEach(() => world.end());

const two = async (): Promise<void> => {
  world = await Several.start([0, 1].map((i) => topologyOf(i, 2)));
};
const book = async (n: number): Promise<Circuit['id']> => {
  const over: Partial<CircuitRequest> = {
    a: { port: 'd0:h1', vlan: 'ANY' },
    z: { port: 'd1:h1', vlan: 'ANY' },
    schedule: fixed(1_000 * n, 1_000 * n + 500),
  };
  const id = await world.book(name(0), aRequest(over));
  await world.settle();
  return id;
};
const queries = (id: Circuit['id']): number =>
  world.said.filter(({ message }) => message.op === 'query' && message.circuit === id).length;
const toldBy = (op: PeerMessage['op'], id: Circuit['id']): unknown[] =>
  world.said.flatMap(({ message }) =>
    message.op === op && 'agreed' in message
      ? (message.agreed ?? []).filter(({ circuit }) => circuit === id)
      : [],
  );

it('what was agreed goes with the next hold, is said once, and is not asked for', async () => {
  await two();
  const [first, second, third] = [await book(1), await book(2), await book(3)];
  await world.pass(60);
  expect(toldBy('hold', first)).toEqual([{ circuit: first, version: 1 }]);
  expect(toldBy('commit', first)).toEqual([]);
  expect([queries(first), queries(second)]).toEqual([0, 0]);
  expect(world.guest(name(1), first)?.home).toMatchObject({ told: true });
  // Nobody said anything after the last.
  expect(queries(third)).toBe(1);
  expect(world.guest(name(1), third)?.home).toMatchObject({ told: true });
});

it('lost with the message that it went with, it is asked for', async () => {
  await two();
  const first = await book(1);
  let lost = 0;
  world.between = (_from, _to, message, deliver) => {
    if (message.op !== 'hold' || lost++ > 0) return deliver();
    return Promise.reject(new Error('lost'));
  };
  await book(2);
  await world.pass(60);
  expect(lost).toBeGreaterThan(1);
  expect(toldBy('hold', first)).toHaveLength(1);
  expect(queries(first)).toBe(1);
});

it('asked for after a later version has been given up, it is heard all the same', async () => {
  await two();
  world.between = (_from, _to, message, deliver) =>
    message.op === 'query'
      ? Promise.reject(new Error('lost'))
      : message.op === 'hold' && message.version > 1
        ? Promise.resolve({ state: 'REFUSED', kind: 'ROOM', cause: 'full', epoch: 1 })
        : deliver();
  const first = await book(1);
  await world.at(name(0)).broker.change(call(), first, { mbps: 2_000 });
  await world.settle();
  expect(world.guest(name(1), first)?.home).toMatchObject({ told: false, floor: 2 });
  world.between = (_from, _to, _message, deliver) => deliver();
  await world.pass(60);
  expect(world.guest(name(1), first)?.home).toMatchObject({ told: true, floor: 2 });
  expect(world.guest(name(1), first)).toMatchObject({ state: 'SCHEDULED', current: { version: 1 } });
});

it.each([
  ['of another version', 2, 0],
  ['of a circuit that is not the sender’s', 1, 1],
])('%s: changes nothing', async (_what, version, from) => {
  await two();
  const first = await book(1);
  const guest = world.guest(name(1), first);
  expect(guest?.home?.told).toBe(false);
  const hold = world.said.find(({ message }) => message.op === 'hold')?.message;
  if (hold?.op !== 'hold') throw new Error('it was held');
  const message: PeerMessage = { ...hold, circuit: 'cir_other', agreed: [{ circuit: first, version }] };
  await world.at(name(1)).broker.peer(from === 0 ? name(0) : 'd7.example', message);
  expect(world.guest(name(1), first)).toEqual(guest);
});

it('nothing is said of a circuit that is no longer as it was', async () => {
  await two();
  const first = await book(1);
  await world.at(name(0)).broker.act(call(), first, { type: 'cancel', detail: 'not needed' });
  await book(2);
  expect(toldBy('hold', first)).toEqual([]);
});
