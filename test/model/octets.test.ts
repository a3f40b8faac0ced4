/** Counters as differences: what is counted, what is a gap, and what is nobody's. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { advance, begin, type Octets, type Reading } from '../../src/model/octets.ts';
import { at } from '../support/builders.ts';

/** A look `s` seconds after the first; the device started 1,000 s before it. */
const look = (s: number, octets: bigint, over: Partial<Reading> = {}): Reading => ({
  at: at(s),
  inOctets: octets,
  outOctets: 2n * octets,
  discontinuity: 0,
  upTicks: (1_000 + s) * 100,
  ...over,
});
const run = (first: Reading, ...rest: readonly Reading[]): Octets =>
  rest.reduce((octets, reading) => advance(octets, reading), begin(undefined, first));
const TOP = (1n << 64n) - 10n;

test.each<[string, Octets, bigint, number]>([
  ['what was there before is not counted', run(look(0, 500n)), 0n, 0],
  ['differences add up', run(look(0, 500n), look(10, 700n), look(20, 701n)), 201n, 0],
  ['a restart: what has come since it', run(look(0, 500n), look(10, 40n, { upTicks: 300 })), 40n, 1],
  ['a restart, and more than before since', run(look(0, 500n), look(10, 900n, { upTicks: 300 })), 900n, 1],
  ['a discontinuity: nothing is known', run(look(0, 500n), look(10, 900n, { discontinuity: 7 })), 0n, 1],
  ['cleared by hand', run(look(0, 500n), look(10, 30n)), 30n, 1],
  ['64 bits are full', run(look(0, TOP, { outOctets: 0n }), look(10, 5n, { outOctets: 0n })), 15n, 0],
  [
    'the uptime wraps after 497 days, and nothing has restarted',
    run(look(0, 500n, { upTicks: 2 ** 32 - 500 }), look(10, 600n, { upTicks: 500 })),
    100n,
    0,
  ],
])('%s', (_what, octets, counted, gaps) => {
  expect({ in: octets.in, gaps: octets.gaps }).toEqual({ in: counted, gaps });
});

test('what goes through while it is dark is not its own', () => {
  const ended = advance(begin(undefined, look(0, 0n)), look(10, 100n), false);
  expect(ended).toMatchObject({ in: 100n, open: false });
  expect(advance(ended, look(20, 5_000n))).toBe(ended);
  const again = begin(ended, look(30, 9_000n));
  expect(advance(again, look(40, 9_001n))).toMatchObject({ in: 101n, since: at(0), gaps: 0 });
  // Lit once more while it is lit: after a restart of the device, say.
  expect(begin(again, look(40, 9_001n))).toMatchObject({ in: 101n });
});

test('however often one looks in between, the sum is the same', () => {
  fc.assert(
    fc.property(
      fc.array(fc.bigInt({ min: 0n, max: 1n << 62n }), { minLength: 1, maxLength: 20 }),
      (steps) => {
        let total = (1n << 64n) - (1n << 40n);
        const looks = steps.map((step, i) => {
          total += step;
          return look(10 * (i + 1), total % (1n << 64n), { outOctets: 0n });
        });
        const sum = steps.reduce((all, step) => all + step, 0n);
        const octets = run(look(0, (1n << 64n) - (1n << 40n), { outOctets: 0n }), ...looks);
        expect([octets.in, octets.gaps]).toEqual([sum, 0]);
      },
    ),
  );
});
