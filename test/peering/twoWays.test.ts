/** A protected circuit over real HTTPS: two ways in one message, and a peer whose protocol has no word for them. */
import { afterEach, expect, test } from 'vitest';
import { endsOf } from '../../src/model/circuit.ts';
import { Town } from './town.ts';

let town: Town;
afterEach(() => town.end());

const protectedOne = { protection: 'PROTECTED' } as const;

test('is agreed with a peer that is asked for one way in the words of before, and one that is asked for two', async () => {
  town = await Town.open({ domains: 3, protocols: (i) => (i === 1 ? [1] : undefined) });
  await town.acquainted();
  const circuit = await town.book(protectedOne);
  expect(circuit.state).toBe('SCHEDULED');
  expect(circuit.current?.segments.map(({ domain, standby }) => [domain, standby])).toEqual([
    ['d0.example', undefined],
    ['d1.example', true],
    ['d2.example', undefined],
  ]);
  const last = circuit.current?.segments.at(-1);
  const theirs = town.house(2).partOf(circuit)?.current?.segments[0];
  expect(last && endsOf(last).map(({ label }) => label)).toEqual(
    theirs && endsOf(theirs).map(({ label }) => label),
  );
  expect(theirs?.backup?.ends?.z).toEqual(theirs?.z);
});

test('a peer of an earlier version cannot be asked for two: the refusal says so, and nobody holds anything', async () => {
  town = await Town.open({ domains: 3, protocols: (i) => (i === 2 ? [1] : undefined) });
  await town.acquainted();
  const circuit = await town.book(protectedOne);
  expect(circuit.state).toBe('REJECTED');
  expect(circuit.problem).toMatchObject({ domain: 'd2.example' });
  expect(circuit.problem?.detail).toContain(
    'speaks version 1 of the peer protocol, which knows no second way',
  );
  expect(town.house(2).partOf(circuit)?.pending).toBeUndefined();
  expect((await town.book()).state).toBe('SCHEDULED');
});
