/**
 * Who is on an edge, and when: the question of every search for somebody to move. A booking lies in one
 * bucket per edge, at the level whose buckets are at least as long as it lasts, under its start; so whoever
 * is there at some second lies, at each level, in that second's bucket or the one before. The order of what
 * is visited means nothing: who chooses among them compares.
 */
import type { Edge, Seconds } from '../../model/capacity.ts';
import type { EdgeUse } from './booking.ts';

/** What the index needs of an entry. */
export interface Present {
  readonly start: Seconds;
  readonly end: Seconds;
  readonly uses: readonly EdgeUse[];
}

/**
 * Buckets of the lowest level last 2^14 s, four and a half hours, those of the next eight times as long, and so on:
 * with fewer and fuller buckets there is less to look up and to make anew. In the last there is one for all time.
 */
const SHIFTS = [14, 17, 20, 23, 26, 31] as const;
const LEVELS = SHIFTS.length;

type Level<T> = Map<number, T[]>;

function levelOf(length: number): number {
  let level = 0;
  while (level < LEVELS - 1 && length > 2 ** (SHIFTS[level] as number)) level++;
  return level;
}

export class Presence<T extends Present> {
  readonly #edges: (Level<T> | undefined)[][] = [];

  add(one: T): void {
    const level = levelOf(one.end - one.start);
    const key = one.start >>> (SHIFTS[level] as number);
    for (const { edge } of one.uses) {
      let levels = this.#edges[edge];
      if (levels === undefined) {
        levels = new Array<Level<T> | undefined>(LEVELS).fill(undefined);
        this.#edges[edge] = levels;
      }
      let buckets = levels[level];
      if (buckets === undefined) {
        buckets = new Map();
        levels[level] = buckets;
      }
      const bucket = buckets.get(key);
      if (bucket === undefined) buckets.set(key, [one]);
      else bucket.push(one);
    }
  }

  remove(one: T): void {
    const level = levelOf(one.end - one.start);
    const key = one.start >>> (SHIFTS[level] as number);
    for (const { edge } of one.uses) {
      const buckets = this.#edges[edge]?.[level];
      const bucket = buckets?.get(key);
      const i = bucket?.indexOf(one) ?? -1;
      if (bucket === undefined || i < 0) continue;
      const last = bucket.pop() as T;
      if (i < bucket.length) bucket[i] = last;
      if (bucket.length === 0) buckets?.delete(key);
    }
  }

  /** Everybody on the edge at any second of [start, end). */
  visit(edge: Edge, start: Seconds, end: Seconds, see: (one: T) => void): void {
    const levels = this.#edges[edge];
    if (levels === undefined) return;
    for (let level = 0; level < LEVELS; level++) {
      const buckets = levels[level];
      if (buckets === undefined || buckets.size === 0) continue;
      const shift = SHIFTS[level] as number;
      const first = Math.max(0, (start >>> shift) - 1);
      const last = (end - 1) >>> shift;
      // A window of years has more buckets than there are bookings.
      if (last - first >= buckets.size) {
        for (const [key, bucket] of buckets) if (key >= first && key <= last) look(bucket, start, end, see);
      } else {
        for (let key = first; key <= last; key++) {
          const bucket = buckets.get(key);
          if (bucket !== undefined) look(bucket, start, end, see);
        }
      }
    }
  }
}

function look<T extends Present>(bucket: readonly T[], start: Seconds, end: Seconds, see: (one: T) => void) {
  for (const one of bucket) if (one.start < end && one.end > start) see(one);
}
