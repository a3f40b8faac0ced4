import { expect, test } from 'vitest';
import { seededRandom } from '../../src/kernel/random.ts';
import { LabelSet } from '../../src/model/label.ts';
import { LabelClaims } from '../../src/scheduler/label-claims.ts';

type Claim = [label: number, start: number, end: number];

test('thousands of claims over many blocks answer as a list does, short, long and without end', () => {
  for (const seed of [1, 2, 3]) {
    const random = seededRandom(seed);
    const claims = new LabelClaims();
    let live: Claim[] = [];
    let horizon = 0;
    for (let round = 0; round < 9_000; round++) {
      const start = horizon + random.int(5_000);
      if (random.chance(0.55)) {
        const length = random.chance(0.01)
          ? 2 ** 31 - 1 - start
          : 1 + random.int(random.chance(0.1) ? 3_000 : 60);
        const claim: Claim = [random.int(4096), start, start + length];
        live.push(claim);
        claims.add(...claim);
      } else if (live.length > 0) {
        const [gone] = live.splice(random.int(live.length), 1) as [Claim];
        expect(claims.remove(...gone)).toBe(true);
      }
      if (round % 1_000 === 999) {
        horizon += 200;
        claims.dropBefore(horizon);
        live = live.filter(([, , end]) => end > horizon);
      }
      if (round % 10 !== 0) continue;
      const end = start + 1 + random.int(200);
      const touching = live.filter((claim) => claim[1] < end && claim[2] > start);
      const set = new LabelSet();
      claims.collect(start, end, set);
      const expected = new LabelSet();
      for (const [label] of touching) expected.add(label);
      expect(set.words).toEqual(expected.words);
      const ends = touching.map((claim) => claim[2]);
      expect(claims.nextEnd(start, end)).toBe(ends.length === 0 ? undefined : Math.min(...ends));
    }
    expect(live.length).toBeGreaterThan(300);
    expect(claims.remove(4095, horizon + 1, 2 ** 31 - 2)).toBe(false);
    for (const claim of live) expect(claims.remove(...claim)).toBe(true);
    expect(claims.nextEnd(0, 2 ** 31 - 1)).toBe(undefined);
  }
});
