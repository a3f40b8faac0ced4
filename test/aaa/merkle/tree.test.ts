/**
 * The log beside a naive oracle: RFC 6962 section 2.1 written down as it stands, over the whole list each
 * time. Sizes go past a tile, so that nodes that were dropped and fetched again are in play.
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MerkleLog, TILE } from '../../../src/aaa/merkle/log.ts';
import { leafHash, verifyConsistency, verifyInclusion } from '../../../src/aaa/merkle/tree.ts';

const sha = (...parts: Uint8Array[]): Buffer =>
  parts.reduce((h, p) => h.update(p), createHash('sha256')).digest();
const split = (n: number): number => {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
};
function mth(d: readonly Buffer[]): Buffer {
  if (d.length === 0) return sha();
  if (d.length === 1) return sha(Buffer.from([0]), d[0] as Buffer);
  const k = split(d.length);
  return sha(Buffer.from([1]), mth(d.slice(0, k)), mth(d.slice(k)));
}
function path(m: number, d: readonly Buffer[]): Buffer[] {
  if (d.length === 1) return [];
  const k = split(d.length);
  return m < k
    ? [...path(m, d.slice(0, k)), mth(d.slice(k))]
    : [...path(m - k, d.slice(k)), mth(d.slice(0, k))];
}
function subproof(m: number, d: readonly Buffer[], whole: boolean): Buffer[] {
  if (m === d.length) return whole ? [] : [mth(d)];
  const k = split(d.length);
  return m <= k
    ? [...subproof(m, d.slice(0, k), whole), mth(d.slice(k))]
    : [...subproof(m - k, d.slice(k), false), mth(d.slice(0, k))];
}

const entry = (i: number): Buffer => Buffer.from(`record ${i}`);
const MANY = 2 * TILE + 90;
const entries = Array.from({ length: MANY }, (_, i) => entry(i));
const leaves = entries.map((e) => leafHash(e));

/** A log of the first `size`, of which the store keeps what lies before `durable`. */
function logOf(size: number, durable = 0): MerkleLog {
  const log = new MerkleLog();
  for (const leaf of leaves.slice(0, size)) log.append(leaf);
  log.durable(durable);
  return log;
}
const fetch = (numbers: readonly number[]): Map<number, Buffer[]> =>
  new Map(numbers.map((n) => [n, leaves.slice(n * TILE, (n + 1) * TILE)]));

test('roots of the eight leaves that every implementation is tried on', () => {
  const inputs = [
    '',
    '00',
    '10',
    '2021',
    '3031',
    '40414243',
    '5051525354555657',
    '606162636465666768696a6b6c6d6e6f',
  ];
  const log = new MerkleLog();
  const roots = inputs.map((hex) => {
    log.append(leafHash(Buffer.from(hex, 'hex')));
    return log.root().toString('hex');
  });
  expect(roots).toEqual([
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ]);
});

const size = fc.integer({ min: 1, max: MANY });

describe('as RFC 6962 says', () => {
  test('roots', () => {
    fc.assert(
      fc.property(size, fc.nat(MANY), (n, durable) => {
        expect(logOf(n, durable).root()).toEqual(mth(entries.slice(0, n)));
      }),
      { numRuns: 60 },
    );
  });
  test('inclusion, with nodes dropped and fetched', () => {
    fc.assert(
      fc.property(size, fc.nat(), fc.nat(MANY), (n, pick, durable) => {
        const index = pick % n;
        const log = logOf(n, durable);
        const needed = log.tilesForInclusion(index, n);
        expect(needed.length).toBeLessThanOrEqual(2);
        const proof = log.inclusion(index, n, fetch(needed));
        expect(proof).toEqual(path(index, entries.slice(0, n)));
        expect(verifyInclusion(leaves[index] as Buffer, index, n, proof, log.root())).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
  test('consistency, with nodes dropped and fetched', () => {
    fc.assert(
      fc.property(size, fc.nat(), fc.nat(MANY), (n, pick, durable) => {
        const old = (pick % n) + 1;
        const log = logOf(n, durable);
        const proof = log.consistency(old, n, fetch(log.tilesForConsistency(old, n)));
        expect(proof).toEqual(subproof(old, entries.slice(0, n), true));
        expect(verifyConsistency(old, mth(entries.slice(0, old)), n, log.root(), proof)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
  test('every size and place up to twenty', () => {
    for (let n = 1; n <= 20; n++) {
      const log = logOf(n);
      for (let i = 0; i < n; i++)
        expect(log.inclusion(i, n, new Map())).toEqual(path(i, entries.slice(0, n)));
      for (let m = 1; m <= n; m++)
        expect(log.consistency(m, n, new Map())).toEqual(subproof(m, entries.slice(0, n), true));
    }
  });
});

describe('a proof of something else is refused', () => {
  const change = fc.constantFrom('leaf', 'index', 'size', 'root', 'proof', 'shorter', 'longer');
  const flipped = (hash: Buffer): Buffer => {
    const other = Buffer.from(hash);
    other[7] = (other[7] ?? 0) ^ 1;
    return other;
  };
  test('inclusion', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 300 }), fc.nat(), fc.nat(), change, (n, pick, at, what) => {
        const index = pick % n;
        const log = logOf(n);
        const proof = log.inclusion(index, n, new Map());
        const bent = proof.map((h, i) => (what === 'proof' && i === at % proof.length ? flipped(h) : h));
        if (what === 'shorter') bent.pop();
        if (what === 'longer') bent.push(leaves[0] as Buffer);
        const leaf = leaves[what === 'leaf' ? (index + 1) % n : index] as Buffer;
        const place = what === 'index' ? (index + 1) % n : index;
        // Another size with the same path cannot be told apart by the path: RFC 6962 leaves it to the root.
        const root = what === 'root' || what === 'size' ? flipped(log.root()) : log.root();
        expect(verifyInclusion(leaf, place, n, bent, root)).toBe(false);
      }),
      { numRuns: 200 },
    );
  });
  test('consistency', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 300 }), fc.nat(), fc.nat(), change, (n, pick, at, what) => {
        const old = (pick % (n - 1)) + 1;
        const log = logOf(n);
        const proof = log.consistency(old, n, new Map());
        const bent = proof.map((h, i) => (what === 'proof' && i === at % proof.length ? flipped(h) : h));
        if (what === 'shorter') bent.pop();
        if (what === 'longer') bent.push(leaves[0] as Buffer);
        const oldRoot = mth(entries.slice(0, old));
        const [a, b] = [
          what === 'leaf' || what === 'index' ? flipped(oldRoot) : oldRoot,
          what === 'root' || what === 'size' ? flipped(log.root()) : log.root(),
        ];
        expect(verifyConsistency(old, a, n, b, bent)).toBe(false);
      }),
      { numRuns: 200 },
    );
  });
  test('one of pieces that are no hashes, even when their bytes add up', () => {
    const log = logOf(4);
    const [a = Buffer.alloc(0), b = Buffer.alloc(0)] = log.inclusion(0, 4, new Map());
    const leaf = leaves[0] as Buffer;
    expect(verifyInclusion(leaf, 0, 4, [a, b], log.root())).toBe(true);
    expect(
      verifyInclusion(leaf.subarray(0, 31), 0, 4, [Buffer.concat([leaf.subarray(31), a]), b], log.root()),
    ).toBe(false);
    expect(verifyInclusion(leaf, 0, 4, [Buffer.alloc(0), b], log.root())).toBe(false);
    expect(verifyConsistency(1, leaf.subarray(1), 4, log.root(), log.consistency(1, 4, new Map()))).toBe(
      false,
    );
  });
  test.each([
    [-1, 5],
    [5, 5],
    [0.5, 5],
    [Number.NaN, 5],
    [0, 2 ** 60],
  ])('leaf %d of %d', (index, n) => {
    expect(verifyInclusion(leaves[0] as Buffer, index, n, [], leaves[0] as Buffer)).toBe(false);
  });
});

describe('the log lives', () => {
  test('what a failed group appended is taken back, also over the edge of a tile', () => {
    fc.assert(
      fc.property(size, fc.nat(), fc.nat(600), (n, back, more) => {
        const log = logOf(n, n - (back % n));
        const keep = n - (back % n);
        log.truncate(keep);
        for (const leaf of leaves.slice(0, more)) log.append(leaf);
        expect(log.root()).toEqual(mth([...entries.slice(0, keep), ...entries.slice(0, more)]));
      }),
      { numRuns: 40 },
    );
  });
  test('it does not go back behind what is durable', () => {
    expect(() => logOf(600, 600).truncate(511)).toThrow(/durable/);
    expect(() => logOf(600, 600).truncate(601)).toThrow(/durable/);
  });
  test('a restart from tiles and tail is the same log', () => {
    fc.assert(
      fc.property(size, (n) => {
        const tiles: Buffer[] = [];
        const log = new MerkleLog();
        for (const leaf of leaves.slice(0, n)) {
          const full = log.append(leaf);
          if (full !== undefined) tiles[full.tile] = full.hash;
        }
        const again = new MerkleLog(tiles, leaves.slice(tiles.length * TILE, n));
        expect([again.size, again.root()]).toEqual([n, log.root()]);
        for (const both of [log, again]) both.append(leaves[0] as Buffer);
        expect(again.root()).toEqual(log.root());
      }),
      { numRuns: 40 },
    );
  });
  test('a proof without the tile that it needs is a bug, not a proof', () => {
    const log = logOf(600, 600);
    expect(log.tilesForInclusion(3, 600)).toEqual([0]);
    expect(() => log.inclusion(3, 600, new Map())).toThrow(/tile 0 is at hand/);
  });
});
