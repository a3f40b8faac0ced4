/** Planted: a label does not rest between two circuits. A constant of the broker, so that it has a file of its own. */
import { expect, test, vi } from 'vitest';
import { lawOf } from './laws.ts';
import { simulate } from './world.ts';

vi.mock('../../src/broker/limits.ts', async (original) => ({
  ...(await original<typeof import('../../src/broker/limits.ts')>()),
  REST_S: 0,
}));

test('law 8 catches it', { timeout: 60_000 }, async () => {
  const { violations } = await simulate({
    seed: 1,
    domains: 2,
    safetyS: 200,
    swarm: { labels: '2-3', abroad: 0.95, wishes: 'BEHIND', touches: 10, pauseMs: 3_000, villains: false },
    stopAt: /law 8: /,
  });
  expect(violations.map(lawOf)).toContain(8);
});
