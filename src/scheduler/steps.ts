/**
 * How much of one edge is claimed over time: a step function on whole seconds, as points (second, value from
 * then on) in blocks of at most 32. Each block has an amount still to be added to all of its values and the
 * largest and smallest of them, so that a long claim or a long search touches the inside of two blocks only.
 * What the numbers mean (room, labels, circuits) is the calendar's business.
 *
 * On a busy network the misses of the processor's cache are the cost, not the instructions. So what a test of a
 * window reads of every edge, where each block begins and the most in it, stands close together and apart from
 * the rest; the heads of all edges are a small part of the whole, and stay in the cache.
 */
import { invariant } from '../kernel/assert.ts';
import type { Seconds } from '../model/capacity.ts';
import { addTo, blockOf, grown, HEAD, highest, move, placeIn, touch } from './points.ts';

const BLOCK_POINTS = 32;
const HALF = BLOCK_POINTS / 2;
/** Two numbers a point, and so many a slot. */
const SLOT = 2 * BLOCK_POINTS;

/** Beside its first second (points.ts), the head of a block has its largest value. */
const MOST = 1;

/** What the index says of each block: no value is below `least`. Only the points are without `pending`. */
const AT = 0;
const COUNT = 1;
const PENDING = 2;
const LEAST = 3;
const FIELDS = 4;

/**
 * The first point is the base: its value also stands for everything before it, and an addition is cut to
 * what lies after it. That is what lets the past be dropped while claims that began there still end well.
 */
export class Steps {
  #heads = new Int32Array(HEAD);
  #index = new Int32Array(FIELDS);
  #points = new Int32Array(16);
  #blocks = 1;
  /** Slots ever used; those of removed blocks are in `spare`. */
  #slots = 1;
  readonly #spare: number[] = [];
  #count = 1;
  /** Where the last test of a window began. */
  #hint = 0;

  constructor() {
    this.#index[COUNT] = 1;
  }

  get points(): number {
    return this.#count;
  }
  get base(): Seconds {
    return this.#heads[0] as number;
  }

  /** The last block that begins at or before `at`, or the first. */
  #find(at: Seconds): number {
    return blockOf(this.#heads, this.#blocks, at);
  }

  /** The same for whoever asks about what was asked about just now: what is tested is often booked. */
  #findAgain(at: Seconds): number {
    const heads = this.#heads;
    const hint = this.#hint;
    const next = hint + 1;
    return hint < this.#blocks &&
      (heads[HEAD * hint] as number) <= at &&
      (next === this.#blocks || (heads[HEAD * next] as number) > at)
      ? hint
      : this.#find(at);
  }

  /** The place of the last point at or before `at` in a block, or of its first. */
  #findIn(block: number, at: Seconds): number {
    return placeIn(this.#points, this.#index[FIELDS * block + AT] as number, this.#end(block), at);
  }

  /** Just past the last point of a block. */
  #end(block: number): number {
    return (this.#index[FIELDS * block + AT] as number) + 2 * (this.#index[FIELDS * block + COUNT] as number);
  }

  #pending(block: number): number {
    return this.#index[FIELDS * block + PENDING] as number;
  }

  /** The block that an addition from `at` on changes first, for touch(). */
  blockAt(at: Seconds): number {
    return this.#findAgain(at);
  }
  touch(block: number): number {
    // A single block may be shorter, and is soon read.
    return this.#blocks === 1 ? 0 : touch(this.#points, this.#index[FIELDS * block + AT] as number);
  }

  /** The largest value at any second of [start, end). */
  max(start: Seconds, end: Seconds): number {
    const heads = this.#heads;
    const stop = HEAD * this.#blocks;
    let head = HEAD * this.#find(start);
    let most = this.#maxIn(head / HEAD, start, end);
    for (head += HEAD; head < stop && (heads[head] as number) < end; head += HEAD) {
      if ((heads[head + MOST] as number) > most) most = Math.max(most, this.#maxIn(head / HEAD, start, end));
    }
    return most;
  }

  /** The same within one block, which begins before the end. */
  #maxIn(block: number, start: Seconds, end: Seconds): number {
    return highest(this.#points, this.#findIn(block, start), this.#end(block), end) + this.#pending(block);
  }

  /** Is the value <= limit at every second of [start, end)? Where whole blocks say so, no point is looked at. */
  fits(limit: number, start: Seconds, end: Seconds): boolean {
    const heads = this.#heads;
    const stop = HEAD * this.#blocks;
    this.#hint = this.#find(start);
    let head = HEAD * this.#hint;
    do {
      if ((heads[head + MOST] as number) > limit && this.#maxIn(head / HEAD, start, end) > limit)
        return false;
      head += HEAD;
    } while (head < stop && (heads[head] as number) < end);
    return true;
  }

  /** Adds to every second of [start, end). No value may become negative. */
  add(start: Seconds, end: Seconds, by: number): void {
    const from = Math.max(start, this.base);
    if (from >= end || by === 0) return;
    const block = this.#roomIn(this.#findAgain(from), from);
    let last = block;
    while (last + 1 < this.#blocks && (this.#heads[HEAD * (last + 1)] as number) < end) last++;
    if (last > block) {
      last = this.#roomIn(last, end - 1);
      this.#addWithin(last, this.#heads[HEAD * last] as number, end, by);
      for (let inner = block + 1; inner < last; inner++) this.#addToAll(inner, by);
    }
    this.#addWithin(block, from, end, by);
    // Backwards, because a block may go.
    if (last + 1 < this.#blocks && this.#heads[HEAD * (last + 1)] === end) this.#joinFirst(last + 1);
    if (by < 0 && last > block) this.#merge(last);
    if (block > 0 && this.#heads[HEAD * block] === from) this.#joinFirst(block);
    if (by < 0) this.#merge(block);
  }

  /** Sees to it that two points more fit into the block of `at`, and says which block that is then. */
  #roomIn(block: number, at: Seconds): number {
    if ((this.#index[FIELDS * block + COUNT] as number) > BLOCK_POINTS - 2) {
      this.#halve(block);
      return at < (this.#heads[HEAD * (block + 1)] as number) ? block : block + 1;
    }
    // Only an edge with a single block has less than a whole slot for it.
    const { length } = this.#points;
    if (this.#end(block) + 4 > length) this.#points = grown(this.#points, Math.min(SLOT, 2 * length));
    return block;
  }

  /** What of [from, end) lies in this block, in one pass over it. */
  #addWithin(block: number, from: Seconds, end: Seconds, by: number): void {
    const count = FIELDS * block + COUNT;
    const begin = this.#index[FIELDS * block + AT] as number;
    const at = this.#findIn(block, from);
    let more = addTo(this.#points, begin, this.#end(block), at, from, end, by);
    // It ends where the next block begins, or later: the point for that, the last now, is too much here.
    if (block + 1 < this.#blocks && (this.#heads[HEAD * (block + 1)] as number) <= end) more--;
    this.#count += more;
    this.#index[count] = (this.#index[count] as number) + more;
    if (by < 0) this.#measure(block);
    else {
      // Only what has been added to can be more than it was.
      const most = HEAD * block + MOST;
      const here = highest(this.#points, at, this.#end(block), end) + this.#pending(block);
      if (here > (this.#heads[most] as number)) this.#heads[most] = here;
    }
  }

  #addToAll(block: number, by: number): void {
    const index = this.#index;
    const at = FIELDS * block;
    index[at + PENDING] = (index[at + PENDING] as number) + by;
    index[at + LEAST] = (index[at + LEAST] as number) + by;
    this.#heads[HEAD * block + MOST] = (this.#heads[HEAD * block + MOST] as number) + by;
    this.#check(block);
  }

  /** Removes the first point of a block if the value does not change there. */
  #joinFirst(block: number): void {
    const count = FIELDS * block + COUNT;
    const first = this.#index[FIELDS * block + AT] as number;
    if (this.#value(block, first) !== this.#value(block - 1, this.#end(block - 1) - 2)) return;
    this.#count--;
    if (this.#index[count] === 1) {
      this.#removeBlock(block);
      return;
    }
    move(this.#points, first, first + 2, this.#end(block));
    this.#index[count] = (this.#index[count] as number) - 1;
    this.#heads[HEAD * block] = this.#points[first] as number;
    this.#measure(block);
  }

  /** Moves the upper half of a block that is full, or nearly, to a new one after it. */
  #halve(block: number): void {
    const slot = this.#spare.pop() ?? this.#slots++;
    const to = slot * SLOT;
    if (to + SLOT > this.#points.length) this.#points = grown(this.#points, (slot + (slot >> 2) + 2) * SLOT);
    if ((this.#blocks + 1) * FIELDS > this.#index.length) {
      const room = this.#blocks + (this.#blocks >> 1) + 2;
      this.#index = grown(this.#index, room * FIELDS);
      this.#heads = grown(this.#heads, room * HEAD);
    }
    const index = this.#index;
    const left = FIELDS * block;
    const right = left + FIELDS;
    const from = (index[left + AT] as number) + 2 * HALF;
    this.#points.copyWithin(to, from, from + 2 * HALF);
    index.copyWithin(right + FIELDS, right, this.#blocks * FIELDS);
    this.#heads.copyWithin(HEAD * (block + 2), HEAD * (block + 1), this.#blocks * HEAD);
    this.#blocks++;
    this.#heads[HEAD * (block + 1)] = this.#points[to] as number;
    index[right + AT] = to;
    index[right + COUNT] = (index[left + COUNT] as number) - HALF;
    index[right + PENDING] = index[left + PENDING] as number;
    index[left + COUNT] = HALF;
    this.#measure(block);
    this.#measure(block + 1);
  }

  #value(block: number, i: number): number {
    return (this.#points[i + 1] as number) + this.#pending(block);
  }

  /** Puts a block that has grown thin together with the next, else cancellations would leave dust. */
  #merge(block: number): void {
    const next = block + 1;
    if (next >= this.#blocks) return;
    const index = this.#index;
    const more = index[FIELDS * next + COUNT] as number;
    if ((index[FIELDS * block + COUNT] as number) + more > HALF) return;
    const shift = this.#pending(next) - this.#pending(block);
    let to = this.#end(block);
    for (let i = index[FIELDS * next + AT] as number; i < this.#end(next); i += 2, to += 2) {
      this.#points[to] = this.#points[i] as number;
      this.#points[to + 1] = (this.#points[i + 1] as number) + shift;
    }
    index[FIELDS * block + COUNT] = (index[FIELDS * block + COUNT] as number) + more;
    this.#measure(block);
    this.#removeBlock(next);
  }

  #removeBlock(block: number): void {
    this.#spare.push((this.#index[FIELDS * block + AT] as number) / SLOT);
    this.#index.copyWithin(FIELDS * block, FIELDS * (block + 1), FIELDS * this.#blocks);
    this.#heads.copyWithin(HEAD * block, HEAD * (block + 1), HEAD * this.#blocks);
    this.#blocks--;
  }

  #measure(block: number): void {
    const points = this.#points;
    const end = this.#end(block);
    let i = this.#index[FIELDS * block + AT] as number;
    let most = points[i + 1] as number;
    let least = most;
    for (i += 2; i < end; i += 2) {
      const value = points[i + 1] as number;
      if (value > most) most = value;
      if (value < least) least = value;
    }
    const pending = this.#pending(block);
    this.#heads[HEAD * block + MOST] = most + pending;
    this.#index[FIELDS * block + LEAST] = least + pending;
    this.#check(block);
  }

  #check(block: number): void {
    const least = this.#index[FIELDS * block + LEAST] as number;
    // The message is not made unless it is needed: this runs for every edge of every booking.
    if (least < 0) invariant(false, `no more is released than was claimed, ${least} Mb/s are left`);
  }

  /** The first second in [from, latest] from which the value stays <= limit for `duration` seconds; or -1. */
  firstFit(limit: number, duration: number, from: Seconds, latest: Seconds): Seconds {
    const heads = this.#heads;
    const index = this.#index;
    const points = this.#points;
    const blocks = this.#blocks;
    let block = this.#find(from);
    let i = this.#findIn(block, from);
    let start = from;
    while (start <= latest) {
      // Forward over what fits, until the duration is full or something is in its way.
      for (;;) {
        const isFirst = i === index[FIELDS * block + AT];
        if (isFirst && (heads[HEAD * block + MOST] as number) <= limit) i = this.#end(block);
        else if (this.#value(block, i) > limit) break;
        else i += 2;
        if (i < this.#end(block)) {
          if ((points[i] as number) >= start + duration) return start;
          continue;
        }
        block++;
        if (block >= blocks || (heads[HEAD * block] as number) >= start + duration) return start;
        i = index[FIELDS * block + AT] as number;
      }
      // Forward over what does not.
      for (;;) {
        const isFirst = i === index[FIELDS * block + AT];
        if (isFirst && (index[FIELDS * block + LEAST] as number) > limit) i = this.#end(block);
        else if (this.#value(block, i) <= limit) break;
        else i += 2;
        if (i < this.#end(block)) continue;
        block++;
        if (block >= blocks || (heads[HEAD * block] as number) > latest) return -1;
        i = index[FIELDS * block + AT] as number;
      }
      start = points[i] as number;
    }
    return -1;
  }

  /** The steps of [from, to) in order: each value and the second from which it holds. */
  each(from: Seconds, to: Seconds, visit: (start: Seconds, value: number) => void): void {
    let block = this.#find(from);
    let i = this.#findIn(block, from);
    visit(from, this.#value(block, i));
    for (i += 2; ; i = this.#index[FIELDS * block + AT] as number) {
      for (const end = this.#end(block); i < end; i += 2) {
        const time = this.#points[i] as number;
        if (time >= to) return;
        visit(time, this.#value(block, i));
      }
      if (++block >= this.#blocks) return;
    }
  }

  /** Forgets the steps before `at`; what was added earlier and reaches past it stays counted. */
  dropBefore(at: Seconds): void {
    for (let gone = this.#find(at); gone > 0; gone--) {
      this.#count -= this.#index[COUNT] as number;
      this.#removeBlock(0);
    }
    const first = this.#index[AT] as number;
    const keep = this.#findIn(0, at);
    if (keep > first) {
      this.#points.copyWithin(first, keep, this.#end(0));
      this.#index[COUNT] = (this.#index[COUNT] as number) - (keep - first) / 2;
      this.#count -= (keep - first) / 2;
      this.#heads[0] = this.#points[first] as number;
      this.#measure(0);
    }
    if (this.#spare.length > this.#blocks + 8) this.#pack();
  }

  /** Gives back the memory of slots that nobody uses any more. */
  #pack(): void {
    const packed = new Int32Array((this.#blocks + 1) * SLOT);
    for (let block = 0; block < this.#blocks; block++) {
      const at = this.#index[FIELDS * block + AT] as number;
      packed.set(this.#points.subarray(at, this.#end(block)), block * SLOT);
      this.#index[FIELDS * block + AT] = block * SLOT;
    }
    this.#points = packed;
    this.#slots = this.#blocks;
    this.#spare.length = 0;
  }
}
