/** The program by which the benchmarks say what no engine could have done, beside trying everything. */
import { expect, test } from 'vitest';
import { type Job, type Packed, Packer, type Packing } from '../../../bench/support/packing.ts';
import { seededRandom } from '../../../src/kernel/random.ts';

const GRANULES = 8;
const CASES = 200;

function randomPacking(seed: number): Packing {
  const random = seededRandom(seed);
  const links = random.chance(0.5) ? [0] : [0, 1];
  const rooms = links.map(() =>
    Array.from({ length: GRANULES }, () => (random.chance(0.7) ? 10 : random.int(11))),
  );
  const jobs = Array.from({ length: 1 + random.int(5) }, (): Job => {
    const duration = 1 + random.int(4);
    const from = random.int(GRANULES - duration + 1);
    const latest = from + random.int(GRANULES - duration - from + 1);
    return { from, latest, duration, mbps: 1 + random.int(9) };
  });
  return { links, jobs, room: (link, t) => rooms[link]?.[t] ?? 0 };
}

/** Every job on every link at every start; or, given the starts, at these. */
function canBePacked({ links, jobs, room }: Packing, starts?: readonly number[]): boolean {
  const used = new Map<string, number>();
  const add = (link: number, start: number, { duration, mbps }: Job, sign: 1 | -1): boolean => {
    let fits = true;
    for (let t = start; t < start + duration; t++) {
      const now = (used.get(`${link} ${t}`) ?? 0) + sign * mbps;
      used.set(`${link} ${t}`, now);
      if (now > room(link, t)) fits = false;
    }
    return fits;
  };
  const place = (i: number): boolean => {
    const job = jobs[i];
    if (job === undefined) return true;
    for (const link of links) {
      for (let start = job.from; start <= job.latest; start++) {
        if (starts !== undefined && starts[i] !== start) continue;
        const done = add(link, start, job, 1) && place(i + 1);
        add(link, start, job, -1);
        if (done) return true;
      }
    }
    return false;
  };
  return place(0);
}

test('what it calls impossible is, and what it packs is packed', async () => {
  const packer = await Packer.of(5);
  const seen = { packed: 0, impossible: 0 };
  for (let seed = 1; seed <= CASES; seed++) {
    const packing = randomPacking(seed);
    const packed: Packed = await packer.pack(packing);
    if (typeof packed === 'string') {
      expect([seed, packed, canBePacked(packing)]).toEqual([seed, 'IMPOSSIBLE', false]);
      seen.impossible++;
    } else {
      expect([seed, canBePacked(packing, packed)]).toEqual([seed, true]);
      seen.packed++;
    }
  }
  expect(Math.min(seen.packed, seen.impossible)).toBeGreaterThan(CASES / 10);
});
