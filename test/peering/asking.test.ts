/**
 * What domains ask each other besides holds and commits, over real HTTPS between three brokers: when they could,
 * to move out of the way, and which label is at the other end; and a token that somebody else brings.
 */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { PeerAnswer, PeerMessage } from '../../src/broker/abroad/peerPorts.ts';
import { instant } from '../../src/kernel/clock.ts';
import type { Circuit, CircuitRequest } from '../../src/model/circuit.ts';
import { Town, until } from './town.ts';

let town: Town;
/** What was said, by whom, and what was answered. */
const said: { from: string; to: string; message: PeerMessage; answer: PeerAnswer }[] = [];

beforeAll(async () => {
  town = await Town.open({ domains: 3 });
  for (const { name, peering } of town.houses) {
    const send = peering.send.bind(peering);
    vi.spyOn(peering, 'send').mockImplementation(async (to, message) => {
      const answer = await send(to, message);
      said.push({ from: name, to, message, answer });
      return answer;
    });
  }
  await town.acquainted();
});
afterAll(() => town.end());

const inSeconds = (s: number) => instant(Math.ceil(town.house(0).clock.now() / 1000 + s) * 1000);
const told = (op: PeerMessage['op'], from: string) =>
  said.filter((one) => one.message.op === op && one.from === from);
const now = (i: number, { id }: Circuit): Circuit | undefined =>
  town
    .house(i)
    .circuits()
    .find((circuit) => circuit.id === id);
/** Time goes on ten times as fast as the wall has it. */
const sooner = <T>(find: () => T | undefined | false, what: string): Promise<T> =>
  until(() => {
    town.pass(100);
    return find();
  }, what);
const large: Partial<CircuitRequest> = { mbps: 8_000, noticeS: 30 };

test('a circuit with a window is placed when all could; one in the way is asked for, and moves', async () => {
  const notBefore = inSeconds(3_600);
  const flexible = await town.book(
    {
      ...large,
      a: { port: 'd2:h1', vlan: 'ANY' },
      z: { port: 'd1:h1', vlan: 'ANY' },
      constraints: { exclude_domains: ['d0.example'] },
      schedule: { type: 'FLEXIBLE', durationS: 600, notBefore, deadline: instant(notBefore + 7_200_000) },
    },
    2,
  );
  expect(flexible.state).toBe('SCHEDULED');
  const [asked] = told('availability', 'd2.example');
  expect(asked).toMatchObject({ to: 'd1.example', answer: { state: 'AVAILABLE' } });
  const first = flexible.current?.window.start ?? notBefore;
  const start = instant(first + 60_000);
  const rigid = await town.book({
    ...large,
    a: { port: 'd0:h1', vlan: 'ANY' },
    z: { port: 'd1:h1', vlan: 'ANY' },
    constraints: { exclude_domains: ['d2.example'] },
    schedule: { type: 'FIXED', start, end: instant(start + 300_000) },
  });
  expect(rigid.problem?.detail).toBeUndefined();
  expect(rigid.state).toBe('SCHEDULED');
  expect(told('ask-move', 'd1.example').map(({ to, answer }) => [to, answer.state])).toEqual([
    ['d2.example', 'BUSY'],
  ]);
  const moved = await sooner(() => {
    const circuit = now(2, flexible);
    return circuit?.moves === 1 && circuit.pending === undefined && circuit;
  }, 'the one in the way has moved');
  expect(moved.current?.window.start).toBeGreaterThanOrEqual(start + 300_000);
  await sooner(
    () => town.house(1).partOf(flexible)?.current?.version === moved.current?.version,
    'and its part too',
  );
});

test('before light both ends of a border compare their labels', async () => {
  const start = inSeconds(5);
  const circuit = await town.book({
    a: { port: 'd0:h2', vlan: 'ANY' },
    z: { port: 'd1:h2', vlan: 'ANY' },
    constraints: { exclude_domains: ['d2.example'] },
    schedule: { type: 'FIXED', start, end: instant(start + 600_000) },
  });
  await sooner(() => now(0, circuit)?.state === 'ACTIVE', 'light on both sides');
  for (const from of ['d0.example', 'd1.example'])
    expect(told('border-match', from).map(({ answer }) => answer.state)).toContain('MATCH');
  const message = told('border-match', 'd0.example')[0]?.message;
  if (message?.op !== 'border-match') throw new Error('it was said');
  const { peering } = town.house(0);
  expect(await peering.send('d1.example', { ...message, label: message.label + 1 })).toMatchObject({
    state: 'MISMATCH',
    label: message.label,
  });
  expect(await peering.send('d1.example', { ...message, circuit: 'cir_none' })).toMatchObject({
    state: 'PENDING',
  });
});

test('attack 52: a token with its proof is worth nothing over the connection of another domain', async () => {
  const start = inSeconds(40_000);
  const circuit = await town.book({
    a: { port: 'd0:h2', vlan: 'ANY' },
    z: { port: 'd1:h2', vlan: 'ANY' },
    constraints: { exclude_domains: ['d2.example'] },
    schedule: { type: 'FIXED', start, end: instant(start + 600_000) },
  });
  expect(circuit.state).toBe('SCHEDULED');
  const commit = told('commit', 'd0.example').at(-1)?.message;
  if (commit?.op !== 'commit') throw new Error('it was committed');
  expect(commit.token).toBeDefined();
  const parts = () =>
    town
      .house(1)
      .circuits()
      .map(({ id }) => id);
  const before = parts();
  const thief = town.house(2).peering;
  // The same words, and the token with words of its own.
  for (const theirs of [commit, { ...commit, circuit: 'cir_of_the_thief', version: 9 }])
    expect(await thief.send('d1.example', theirs)).toMatchObject({
      state: 'REFUSED',
      kind: 'TOKEN',
      cause: expect.stringMatching(/^token [A-Z_]+: /),
    });
  expect(parts()).toEqual(before);
  expect(town.house(1).partOf(circuit)?.state).toBe('SCHEDULED');
});
