/**
 * The points of one block of a step function (steps.ts): pairs (second, value from then on) in ascending order,
 * somewhere in a larger array. No two neighbours have the same value. And what else both kinds of blocks, these
 * and those of label-claims.ts, do with their flat arrays.
 */
import type { Seconds } from '../model/capacity.ts';

/**
 * Adds to every second of [from, end), both of which lie in the block of points[begin] to points[last - 2] or
 * behind its last point; `at` is the place of the last point at or before `from`. There is room for two points
 * more. Returns by how many points the block has grown.
 */
export function addTo(
  points: Int32Array,
  begin: number,
  last: number,
  at: number,
  from: Seconds,
  end: Seconds,
  by: number,
): number {
  const isThere = points[at] === from;
  const inside = isThere ? at : at + 2;
  let until = inside;
  while (until < last && (points[until] as number) < end) until += 2;
  const first = (points[at + 1] as number) + by;
  const before = points[until - 1] as number;
  const endIsThere = until < last && points[until] === end;
  // A point that is there stays unless the value before it is now the same.
  const joinsFrom = isThere && at > begin && points[at - 1] === first;
  const joinsEnd = endIsThere && points[until + 1] === before + by;
  const shift = isThere ? (joinsFrom ? -2 : 0) : 2;
  const tail = joinsEnd ? until + 2 : until;
  const to = until + shift + (endIsThere ? 0 : 2);
  // What moves up makes its way free from the end on, what moves down from the beginning.
  if (to > tail) move(points, to, tail, last);
  if (shift > 0) {
    for (let i = until - 2; i >= inside; i -= 2) {
      points[i + 2] = points[i] as number;
      points[i + 3] = (points[i + 1] as number) + by;
    }
    points[inside] = from;
    points[inside + 1] = first;
  } else {
    for (let i = inside - shift; i < until; i += 2) {
      points[i + shift] = points[i] as number;
      points[i + shift + 1] = (points[i + 1] as number) + by;
    }
  }
  if (to < tail) move(points, to, tail, last);
  if (!endIsThere) {
    points[until + shift] = end;
    points[until + shift + 1] = before;
  }
  return (to - tail) / 2;
}

/** The largest value from the place `i` on, before `end`; that of the place itself in any case. */
export function highest(points: Int32Array, i: number, last: number, end: Seconds): number {
  let most = points[i + 1] as number;
  for (let at = i + 2; at < last && (points[at] as number) < end; at += 2) {
    const value = points[at + 1] as number;
    if (value > most) most = value;
  }
  return most;
}

/** What copyWithin does; for so few numbers it would take longer to call it. */
export function move(array: Int32Array, to: number, from: number, last: number): void {
  const by = to - from;
  if (by > 0) for (let i = last - 1; i >= from; i--) array[i + by] = array[i] as number;
  else for (let i = from; i < last; i++) array[i + by] = array[i] as number;
}

/** Numbers per block in the array of heads; the first is the block's first second. */
export const HEAD = 2;

/** The last of so many blocks that begins at or before `at`, or the first. */
export function blockOf(heads: Int32Array, blocks: number, at: Seconds): number {
  let low = 0;
  let high = blocks - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((heads[HEAD * middle] as number) <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * The place of the last point at or before `at`, or of the first. One after the other: the processor reads what
 * comes next ahead of that, not where halving would go.
 */
export function placeIn(points: Int32Array, begin: number, last: number, at: Seconds): number {
  let i = begin + 2;
  while (i < last && (points[i] as number) <= at) i += 2;
  return i - 2;
}

/**
 * Reads one number of each of the four lines of memory from `at` on. What it returns is good for nothing but to
 * be kept, so that no compiler leaves the reading out. Many such calls in a row wait for memory all at once;
 * work on one block after the other would wait for each. So there is nothing to decide here, either.
 */
export const touch = (array: Int32Array, at: number): number =>
  (array[at] as number) ^
  (array[at + 16] as number) ^
  (array[at + 32] as number) ^
  (array[at + 48] as number);

/** A longer array that begins as this one does. */
export function grown(array: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length);
  larger.set(array);
  return larger;
}
