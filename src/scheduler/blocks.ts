/**
 * The same step function as steps.ts for edges with tens of thousands of points, where moving one flat array
 * per booking costs more than reading it: blocks of at most 128 points, each with an amount still to be added
 * to all of its values and the largest and smallest of them, so that a long claim or a long search touches
 * the inside of two blocks only.
 */
import type { Seconds } from '../model/capacity.ts';
import type { Steps } from './steps.ts';

const BLOCK_POINTS = 128;

class Block {
  readonly times = new Int32Array(BLOCK_POINTS);
  /** Without `pending`, as are `most` and `least`. */
  readonly values = new Int32Array(BLOCK_POINTS);
  count = 0;
  pending = 0;
  most = 0;
  least = 0;

  /** The last point at or before `at`; the first when there is none. */
  find(at: Seconds): number {
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.times[middle] as number) <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  value(index: number): number {
    return (this.values[index] as number) + this.pending;
  }

  measure(): void {
    let most = this.values[0] as number;
    let least = most;
    for (let i = 1; i < this.count; i++) {
      const value = this.values[i] as number;
      if (value > most) most = value;
      else if (value < least) least = value;
    }
    this.most = most;
    this.least = least;
  }

  addInside(from: number, to: number, by: number): void {
    for (let i = from; i < to; i++) this.values[i] = (this.values[i] as number) + by;
    this.measure();
  }

  shift(from: number, by: number): void {
    this.times.copyWithin(from + by, from, this.count);
    this.values.copyWithin(from + by, from, this.count);
    this.count += by;
  }
}

export class BlockedSteps implements Steps {
  #blocks: Block[] = [];
  #points = 0;

  /** Takes over the points of a function that has grown too long. */
  static from(steps: Steps): BlockedSteps {
    const made = new BlockedSteps();
    let block: Block | undefined;
    steps.each(steps.base, Number.POSITIVE_INFINITY, (start, value) => {
      // Three quarters full, so that the next insertions do not split every block at once.
      if (block === undefined || block.count >= (BLOCK_POINTS * 3) / 4) {
        block?.measure();
        block = new Block();
        made.#blocks.push(block);
      }
      block.times[block.count] = start;
      block.values[block.count++] = value;
      made.#points++;
    });
    block?.measure();
    return made;
  }

  get points(): number {
    return this.#points;
  }
  get base(): Seconds {
    return this.#block(0).times[0] as number;
  }

  #block(index: number): Block {
    return this.#blocks[index] as Block;
  }

  #findBlock(at: Seconds): number {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#block(middle).times[0] as number) <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  max(start: Seconds, end: Seconds): number {
    return this.#extreme(start, end, 1);
  }
  min(start: Seconds, end: Seconds): number {
    return -this.#extreme(start, end, -1);
  }

  /** The largest value times `sign` over [start, end). */
  #extreme(start: Seconds, end: Seconds, sign: 1 | -1): number {
    let index = this.#findBlock(start);
    let block = this.#block(index);
    let i = block.find(start);
    let most = sign * block.value(i);
    for (;;) {
      for (i++; i < block.count; i++) {
        if ((block.times[i] as number) >= end) return most;
        most = Math.max(most, sign * block.value(i));
      }
      // Whole blocks from here on, as long as the next one begins before the end too.
      for (;;) {
        index++;
        if (index >= this.#blocks.length || (this.#block(index).times[0] as number) >= end) return most;
        block = this.#block(index);
        if ((block.times[block.count - 1] as number) >= end) break;
        most = Math.max(most, (sign === 1 ? block.most : -block.least) + sign * block.pending);
      }
      i = -1;
    }
  }

  add(start: Seconds, end: Seconds, by: number): void {
    const from = Math.max(start, this.base);
    if (from >= end || by === 0) return;
    this.#split(from);
    this.#split(end);
    const last = this.#findBlock(end);
    let index = this.#findBlock(from);
    const until = this.#block(last).find(end);
    const begin = this.#block(index).find(from);
    if (index === last) {
      this.#block(index).addInside(begin, until, by);
    } else {
      this.#block(index).addInside(begin, this.#block(index).count, by);
      for (index++; index < last; index++) this.#block(index).pending += by;
      if (until > 0) this.#block(last).addInside(0, until, by);
    }
    this.#join(end);
    this.#join(from);
  }

  /** Sees to it that there is a point at `at`. */
  #split(at: Seconds): void {
    let index = this.#findBlock(at);
    let block = this.#block(index);
    let i = block.find(at);
    if (block.times[i] === at) return;
    if (block.count === BLOCK_POINTS) {
      const half = BLOCK_POINTS / 2;
      const right = new Block();
      right.times.set(block.times.subarray(half));
      right.values.set(block.values.subarray(half));
      right.count = half;
      right.pending = block.pending;
      block.count = half;
      block.measure();
      right.measure();
      this.#blocks.splice(index + 1, 0, right);
      if (at >= (right.times[0] as number)) {
        index++;
        block = right;
      }
      i = block.find(at);
    }
    block.shift(i + 1, 1);
    block.times[i + 1] = at;
    block.values[i + 1] = block.values[i] as number;
    this.#points++;
  }

  /** Removes the point at `at` if the value does not change there. */
  #join(at: Seconds): void {
    const index = this.#findBlock(at);
    const block = this.#block(index);
    const i = block.find(at);
    if (block.times[i] !== at || (index === 0 && i === 0)) return;
    const before = i > 0 ? block.value(i - 1) : this.#lastValue(index - 1);
    if (before !== block.value(i)) return;
    this.#points--;
    if (block.count === 1) {
      this.#blocks.splice(index, 1);
      return;
    }
    block.shift(i + 1, -1);
    block.measure();
    this.#merge(index);
  }

  #lastValue(index: number): number {
    const block = this.#block(index);
    return block.value(block.count - 1);
  }

  /** Puts a block that has grown thin together with its neighbour, else cancellations would leave dust. */
  #merge(index: number): void {
    const block = this.#block(index);
    const next = this.#blocks[index + 1];
    if (next === undefined || block.count + next.count > BLOCK_POINTS / 2) return;
    for (let i = 0; i < next.count; i++) {
      block.times[block.count] = next.times[i] as number;
      block.values[block.count++] = next.value(i) - block.pending;
    }
    block.measure();
    this.#blocks.splice(index + 1, 1);
  }

  firstFit(limit: number, duration: number, from: Seconds, latest: Seconds): Seconds {
    const blocks = this.#blocks;
    let index = this.#findBlock(from);
    let block = this.#block(index);
    let i = block.find(from);
    let start = from;
    while (start <= latest) {
      // Forward over what fits, until the slot is full or something is in its way.
      for (;;) {
        if (i === 0 && block.most + block.pending <= limit) i = block.count;
        else if (block.value(i) > limit) break;
        else i++;
        if (i < block.count) {
          if ((block.times[i] as number) >= start + duration) return start;
          continue;
        }
        index++;
        if (index >= blocks.length || (this.#block(index).times[0] as number) >= start + duration)
          return start;
        block = this.#block(index);
        i = 0;
      }
      // Forward over what does not.
      for (;;) {
        if (i === 0 && block.least + block.pending > limit) i = block.count;
        else if (block.value(i) <= limit) break;
        else i++;
        if (i < block.count) continue;
        index++;
        if (index >= blocks.length) return -1;
        block = this.#block(index);
        if ((block.times[0] as number) > latest) return -1;
        i = 0;
      }
      start = block.times[i] as number;
    }
    return -1;
  }

  each(from: Seconds, to: Seconds, visit: (start: Seconds, value: number) => void): void {
    let index = this.#findBlock(from);
    let i = this.#block(index).find(from);
    visit(from, this.#block(index).value(i));
    for (; index < this.#blocks.length; index++) {
      const block = this.#block(index);
      for (i++; i < block.count; i++) {
        const time = block.times[i] as number;
        if (time >= to) return;
        visit(time, block.value(i));
      }
      i = -1;
    }
  }

  dropBefore(at: Seconds): void {
    const index = this.#findBlock(at);
    for (let gone = 0; gone < index; gone++) this.#points -= this.#block(gone).count;
    this.#blocks.splice(0, index);
    const block = this.#block(0);
    const keep = block.find(at);
    if (keep === 0) return;
    block.shift(keep, -keep);
    block.measure();
    this.#points -= keep;
  }
}
