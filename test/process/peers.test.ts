/**
 * Three real brokers of three domains under load, one of them killed again and again: what they agreed holds on
 * all sides, and what was only half agreed is gone on all sides. `killRounds.ts --rounds 50` does it for longer.
 */
import { beforeAll, expect, test } from 'vitest';
import { build } from './broker.ts';
import { killRounds } from './killRounds.ts';

beforeAll(() => build());

const ROUNDS = 6;

test('kill -9 of any of three at any moment: afterwards all agree', async () => {
  const said: string[] = [];
  const outcome = await killRounds(ROUNDS, 20_261_120, (text) => said.push(text));
  expect(outcome.disagreements, said.join('\n')).toEqual([]);
  expect(outcome.agreed).toBeGreaterThan(20);
  expect(outcome.ended).toBeGreaterThan(20);
}, 300_000);
