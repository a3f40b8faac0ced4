/**
 * How much of one edge is claimed over time: a step function on whole seconds, as one sorted pair of arrays
 * (second, claimed from then on). Up to some thousands of points nothing beats a flat array that fits the
 * cache; past that, blocks.ts takes over behind the same interface. What the numbers mean (room, labels,
 * circuits) is the calendar's business.
 */
import type { Seconds } from '../model/capacity.ts';

export interface Steps {
  readonly points: number;
  /** The second from which anything is known: what was dropped lies before it. */
  readonly base: Seconds;
  /** The largest and the smallest value at any second of [start, end). */
  max(start: Seconds, end: Seconds): number;
  min(start: Seconds, end: Seconds): number;
  add(start: Seconds, end: Seconds, by: number): void;
  /** The first second in [from, latest] from which the value stays <= limit for `duration` seconds; or -1. */
  firstFit(limit: number, duration: number, from: Seconds, latest: Seconds): Seconds;
  /** The steps of [from, to) in order: each value and the second from which it holds. */
  each(from: Seconds, to: Seconds, visit: (start: Seconds, value: number) => void): void;
  /** Forgets the steps before `at`; what was added earlier and reaches past it stays counted. */
  dropBefore(at: Seconds): void;
}

/**
 * The first point is the base: its value also stands for everything before it, and an addition is cut to
 * what lies after it. That is what lets the past be dropped while claims that began there still end well.
 */
export class FlatSteps implements Steps {
  #times = new Int32Array(8);
  #values = new Int32Array(8);
  #count = 1;

  get points(): number {
    return this.#count;
  }
  get base(): Seconds {
    return this.#times[0] as number;
  }

  /** The last point at or before `at`; the base when there is none. */
  #find(at: Seconds): number {
    const times = this.#times;
    let low = 0;
    let high = this.#count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((times[middle] as number) <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  max(start: Seconds, end: Seconds): number {
    const times = this.#times;
    const values = this.#values;
    const count = this.#count;
    let i = this.#find(start);
    let most = values[i] as number;
    while (++i < count && (times[i] as number) < end) {
      const value = values[i] as number;
      if (value > most) most = value;
    }
    return most;
  }

  min(start: Seconds, end: Seconds): number {
    let i = this.#find(start);
    let least = this.#values[i] as number;
    while (++i < this.#count && (this.#times[i] as number) < end) {
      least = Math.min(least, this.#values[i] as number);
    }
    return least;
  }

  add(start: Seconds, end: Seconds, by: number): void {
    const from = Math.max(start, this.#times[0] as number);
    if (from >= end || by === 0) return;
    let first = this.#find(from);
    if (this.#times[first] !== from) this.#insert(++first, from);
    let last = first;
    while (last < this.#count && (this.#times[last] as number) < end) last++;
    if (last === this.#count || this.#times[last] !== end) this.#insert(last, end);
    const values = this.#values;
    // The value at `last`, if it was just inserted, is the one before the addition, as it must be.
    for (let i = first; i < last; i++) values[i] = (values[i] as number) + by;
    if (values[last] === values[last - 1]) this.#remove(last);
    if (first > 0 && values[first] === values[first - 1]) this.#remove(first);
  }

  firstFit(limit: number, duration: number, from: Seconds, latest: Seconds): Seconds {
    const times = this.#times;
    const values = this.#values;
    const count = this.#count;
    let start = from;
    let i = this.#find(from);
    while (start <= latest) {
      if ((values[i] as number) > limit) {
        do i++;
        while (i < count && (values[i] as number) > limit);
        if (i >= count) return -1;
        start = times[i] as number;
      } else {
        i++;
        if (i >= count || (times[i] as number) >= start + duration) return start;
      }
    }
    return -1;
  }

  each(from: Seconds, to: Seconds, visit: (start: Seconds, value: number) => void): void {
    let i = this.#find(from);
    visit(from, this.#values[i] as number);
    while (++i < this.#count && (this.#times[i] as number) < to) {
      visit(this.#times[i] as number, this.#values[i] as number);
    }
  }

  dropBefore(at: Seconds): void {
    const keep = this.#find(at);
    if (keep === 0) return;
    this.#times.copyWithin(0, keep, this.#count);
    this.#values.copyWithin(0, keep, this.#count);
    this.#count -= keep;
    if (this.#times.length > 16 && this.#count * 4 < this.#times.length) this.#resize(this.#count * 2);
  }

  /** Inserts a point at `time` with the value that holds there already. */
  #insert(index: number, time: Seconds): void {
    // Half as much again, not double: a million bookings are mostly the slack of these arrays.
    if (this.#count === this.#times.length) this.#resize(this.#count + (this.#count >> 1) + 4);
    this.#times.copyWithin(index + 1, index, this.#count);
    this.#values.copyWithin(index + 1, index, this.#count);
    this.#times[index] = time;
    this.#values[index] = this.#values[index - 1] as number;
    this.#count++;
  }

  #remove(index: number): void {
    this.#times.copyWithin(index, index + 1, this.#count);
    this.#values.copyWithin(index, index + 1, this.#count);
    this.#count--;
  }

  #resize(length: number): void {
    const times = new Int32Array(Math.max(8, length));
    const values = new Int32Array(Math.max(8, length));
    times.set(this.#times.subarray(0, this.#count));
    values.set(this.#values.subarray(0, this.#count));
    this.#times = times;
    this.#values = values;
  }
}
