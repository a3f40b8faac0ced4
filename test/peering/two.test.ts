/** Two domains and a circuit through both, over real HTTPS: booked, lit, released, and found again after a restart. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { instant } from '../../src/kernel/clock.ts';
import { call } from '../support/oneDomain.ts';
import { Town, until } from './town.ts';

let town: Town;
beforeAll(async () => {
  town = await Town.open();
});
afterAll(() => town.end());

test('a circuit is agreed with the neighbour, and each side has its part', async () => {
  const circuit = await town.book();
  expect(circuit.state).toBe('SCHEDULED');
  const part = town.house(1).partOf(circuit);
  expect(part).toMatchObject({ role: 'PARTICIPANT', state: 'SCHEDULED' });
  expect(circuit.current?.segments.map((s) => [s.domain, s.agreed])).toEqual([
    ['d0.example', 'COMMITTED'],
    ['d1.example', 'COMMITTED'],
  ]);
});

test('what a domain must keep to inside itself gets there', async () => {
  const circuit = await town.book({ constraints: { max_latency_ms: 500 } });
  expect(circuit.state).toBe('SCHEDULED');
  expect(town.house(1).partOf(circuit)?.request.constraints).toHaveProperty('max_latency_ms');
});

test('its messages can be looked at after a restart, the newest first', async () => {
  await town.book({ mbps: 100 });
  const ops = () =>
    town
      .house(0)
      .peering.office()
      .messages('d1.example')
      .filter(({ op }) => op === 'hold' || op === 'commit')
      .map(({ op, circuit, time, outcome }) => [op, circuit, time, outcome]);
  const before = ops();
  expect(before.slice(0, 2).map(([op]) => op)).toEqual(['commit', 'hold']);
  await town.restart(0);
  await until(() => ops().length === before.length, 'what the one before has kept');
  expect(ops()).toEqual(before);
});

test('it is lit on both sides when its time comes, and put out on both when it is released', async () => {
  const { broker, clock } = town.house(0);
  const start = instant(Math.ceil((clock.now() + 1_000) / 1000) * 1000);
  const circuit = await town.book({
    schedule: { type: 'FIXED', start, end: instant(start + 600_000) },
  });
  const now = () => town.house(0).broker.term?.book.circuits.get(circuit.id);
  await until(() => now()?.state === 'ACTIVE', 'light on both sides');
  expect(town.house(1).partOf(circuit)?.state).toBe('ACTIVE');
  await broker.act(call() as never, circuit.id, { type: 'release', detail: 'done' });
  await until(() => town.house(1).partOf(circuit)?.state === 'ENDED', 'the part is over');
  await until(() => now() === undefined, 'the whole is over');
});
