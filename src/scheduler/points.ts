/**
 * The points of one block of a step function (steps.ts): pairs (second, value from then on) in ascending order,
 * somewhere in a larger array. No two neighbours have the same value.
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
  if (to > tail) points.copyWithin(to, tail, last);
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
  if (to < tail) points.copyWithin(to, tail, last);
  if (!endIsThere) {
    points[until + shift] = end;
    points[until + shift + 1] = before;
  }
  return (to - tail) / 2;
}

/** A longer array that begins as this one does. */
export function grown(array: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length);
  larger.set(array);
  return larger;
}
