import { expect, it } from 'vitest';
import { seededRandom, systemRandom } from '../../src/kernel/random.ts';

it('no two callers hold the same bytes, and what one was given stays as it was', () => {
  const seen = new Set<string>();
  const kept: { bytes: Uint8Array; text: string }[] = [];
  for (let i = 0; i < 3_000; i++) {
    const bytes = systemRandom.bytes(16);
    const text = Buffer.from(bytes).toString('hex');
    expect(seen.has(text)).toBe(false);
    seen.add(text);
    kept.push({ bytes, text });
  }
  for (const { bytes, text } of kept) expect(Buffer.from(bytes).toString('hex')).toBe(text);
});

it('a seed gives the same chances again', () => {
  const draw = (seed: number): number[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 20 }, () => random.int(1_000));
  };
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
});

it('every number below the bound comes, and none beyond it', () => {
  const seen = new Set(Array.from({ length: 2_000 }, () => systemRandom.int(22)));
  expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: 22 }, (_, i) => i));
});
