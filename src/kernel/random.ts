/**
 * Chance enters the program here and nowhere else. Production draws from the operating system; tests and
 * the simulation draw from a seed, so that a run can be had again.
 */
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';

export interface Random {
  bytes(length: number): Uint8Array;
  /** An integer in [0, below). */
  int(below: number): number;
}

/** Bytes are drawn from the operating system this many at a time: a call for each id costs more than the id. */
const POOL_BYTES = 8_192;

let pool = new Uint8Array(0);
let used = 0;

function draw(length: number): Uint8Array {
  if (length > POOL_BYTES) return randomBytes(length);
  if (used + length > pool.length) {
    // Not a Buffer, whose slice() would be a view and not a copy.
    pool = new Uint8Array(randomBytes(POOL_BYTES));
    used = 0;
  }
  // A copy, and the original wiped: no two callers ever hold the same bytes.
  const bytes = pool.slice(used, used + length);
  pool.fill(0, used, used + length);
  used += length;
  return bytes;
}

export const systemRandom: Random = {
  bytes: draw,
  int(below) {
    // 48 bits over any bound we use (< 2^24) leave a bias below 2^-24.
    return Buffer.from(draw(6)).readUIntBE(0, 6) % below;
  },
};

/** sfc32 (Doty-Humphrey), seeded by one number; small, fast and good enough for tests and workloads. */
export function seededRandom(seed: number): Random & { float(): number; chance(p: number): boolean } {
  let a = 0x9e3779b9 | 0;
  let b = 0x243f6a88 | 0;
  let c = seed | 0;
  let d = 1;
  const next = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return t >>> 0;
  };
  for (let warm = 0; warm < 12; warm++) next();
  const float = (): number => next() / 4294967296;
  return {
    float,
    chance: (p) => float() < p,
    int: (below) => Math.floor(float() * below),
    bytes: (length) => Uint8Array.from({ length }, () => next() & 0xff),
  };
}

/** A fresh private key of P-256. */
export const newP256Key = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
