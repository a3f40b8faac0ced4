/**
 * The proof that the laws between domains are looked after: every planted fault is caught by the law that it
 * breaks, at the seed that was found for it or soon after (`npm run sim -- --plant TEXT --seeds 60` finds another).
 */
import { describe, expect, test } from 'vitest';
import { lawOf, laws } from './laws.ts';
import { elsewhere, harmless, plants } from './plants.ts';
import { tryPlant } from './world.ts';

const SEEDS = 60;

describe(`a planted fault is caught within ${SEEDS} seeds by the law that it breaks`, {
  timeout: 300_000,
}, () => {
  test.each(plants.map((plant) => ({ ...plant, title: `law ${plant.law}: ${plant.what}` })))(
    '$title',
    async (plant) => {
      // The one at which it was last found comes first; any change of the broker may make it another one.
      const seeds = [plant.ground.seed, ...Array.from({ length: SEEDS - 1 }, (_, i) => i + 1)];
      for (const seed of seeds) {
        const { violations } = await tryPlant(plant, seed);
        if (violations.map(lawOf).includes(plant.law)) return;
      }
      expect.fail('nobody has noticed');
    },
  );
});

describe('what has no place in this design does no harm', { timeout: 120_000 }, () => {
  test.each(harmless)('$what', async (plant) => {
    expect((await tryPlant(plant, plant.ground.seed)).violations).toEqual([]);
  });
});

test('every law has its plants', () => {
  const planted = [...plants, ...elsewhere, ...harmless].map(({ law }) => law);
  expect([...new Set(planted)].sort((a, b) => a - b)).toEqual(
    [...Object.keys(laws).map(Number), 13].sort((a, b) => a - b),
  );
  expect([plants.length, elsewhere.length, harmless.length]).toEqual([21, 3, 2]);
});
