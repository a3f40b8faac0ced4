/** Several domains with partitions, one that lies and one that dies for good. What is planted in them: plants.test.ts. */
import { describe, expect, test } from 'vitest';
import { simulate } from './world.ts';

describe('laws hold in a ring of domains', () => {
  test.each([
    ['with partitions', 6, 3],
    ['when one of them lies', 7, 3],
    ['when one of them dies for good', 9, 3],
  ])('%s: seed %i, %i domains', async (_what, seed, domains) => {
    const result = await simulate({ seed, domains, safetyS: 200 });
    expect(result.violations).toEqual([]);
    expect(result.circuits).toBeGreaterThan(20);
  });
});
