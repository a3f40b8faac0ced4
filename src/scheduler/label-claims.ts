/**
 * Which labels of one edge are claimed when. The claims lie sorted by start in blocks of at most 128, each
 * with the latest end in it, so that a question about a window reads the blocks that reach into it and no
 * others. Whether a label may be claimed is the search's business.
 */
import type { Seconds } from '../model/capacity.ts';
import type { Label, LabelSet } from '../model/label.ts';

const BLOCK_CLAIMS = 128;

class Block {
  starts = new Int32Array(4);
  ends = new Int32Array(4);
  labels = new Uint16Array(4);
  count = 0;
  latestEnd = 0;

  insert(index: number, label: Label, start: Seconds, end: Seconds): void {
    if (this.count === this.starts.length) this.#resize(this.count * 2);
    this.#shift(index, 1);
    this.starts[index] = start;
    this.ends[index] = end;
    this.labels[index] = label;
    if (end > this.latestEnd) this.latestEnd = end;
  }

  remove(index: number): void {
    const end = this.ends[index] as number;
    this.#shift(index + 1, -1);
    if (end === this.latestEnd) this.measure();
  }

  #shift(from: number, by: number): void {
    this.starts.copyWithin(from + by, from, this.count);
    this.ends.copyWithin(from + by, from, this.count);
    this.labels.copyWithin(from + by, from, this.count);
    this.count += by;
  }

  #resize(length: number): void {
    const { starts, ends, labels } = this;
    this.starts = new Int32Array(length);
    this.ends = new Int32Array(length);
    this.labels = new Uint16Array(length);
    this.starts.set(starts);
    this.ends.set(ends);
    this.labels.set(labels);
  }

  measure(): void {
    let latest = 0;
    for (let i = 0; i < this.count; i++) latest = Math.max(latest, this.ends[i] as number);
    this.latestEnd = latest;
  }

  /** Moves the upper half to a new block. */
  split(): Block {
    const half = this.count >> 1;
    const right = new Block();
    right.starts = this.starts.slice(half);
    right.ends = this.ends.slice(half);
    right.labels = this.labels.slice(half);
    right.count = this.count - half;
    right.measure();
    this.count = half;
    this.measure();
    return right;
  }

  dropEndedBy(at: Seconds): void {
    let kept = 0;
    for (let i = 0; i < this.count; i++) {
      if ((this.ends[i] as number) <= at) continue;
      this.starts[kept] = this.starts[i] as number;
      this.ends[kept] = this.ends[i] as number;
      this.labels[kept++] = this.labels[i] as number;
    }
    this.count = kept;
  }
}

export class LabelClaims {
  #blocks: Block[] = [];
  /** Claims that end by then have been forgotten. */
  #horizon: Seconds = 0;

  /** The last block that begins before `start`, or the first: equal starts may go on in the next ones. */
  #findBlock(start: Seconds): number {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (((this.#blocks[middle] as Block).starts[0] as number) < start) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  add(label: Label, start: Seconds, end: Seconds): void {
    if (end <= this.#horizon || end <= start) return;
    if (this.#blocks.length === 0) this.#blocks.push(new Block());
    const index = this.#findBlock(start);
    let block = this.#blocks[index] as Block;
    if (block.count === BLOCK_CLAIMS) {
      const right = block.split();
      this.#blocks.splice(index + 1, 0, right);
      if (start > (right.starts[0] as number)) block = right;
    }
    let i = block.count;
    while (i > 0 && (block.starts[i - 1] as number) > start) i--;
    block.insert(i, label, start, end);
  }

  /** False when there is no such claim. One that has been forgotten counts as removed. */
  remove(label: Label, start: Seconds, end: Seconds): boolean {
    if (end <= this.#horizon || end <= start) return true;
    for (let index = this.#findBlock(start); index < this.#blocks.length; index++) {
      const block = this.#blocks[index] as Block;
      if ((block.starts[0] as number) > start) return false;
      for (let i = 0; i < block.count && (block.starts[i] as number) <= start; i++) {
        if (block.starts[i] !== start || block.ends[i] !== end || block.labels[i] !== label) continue;
        block.remove(i);
        if (block.count === 0) this.#blocks.splice(index, 1);
        return true;
      }
    }
    return false;
  }

  /** Adds the labels claimed at any second of [start, end) to `into`. */
  collect(start: Seconds, end: Seconds, into: LabelSet): void {
    const words = into.words;
    for (const block of this.#blocks) {
      if ((block.starts[0] as number) >= end) return;
      if (block.latestEnd <= start) continue;
      const { starts, ends, labels, count } = block;
      for (let i = 0; i < count && (starts[i] as number) < end; i++) {
        if ((ends[i] as number) <= start) continue;
        const label = labels[i] as number;
        words[label >>> 5] = (words[label >>> 5] as number) | (1 << (label & 31));
      }
    }
  }

  /** The first second after `start` at which a claim that touches [start, end) ends. */
  nextEnd(start: Seconds, end: Seconds): Seconds | undefined {
    let first: Seconds | undefined;
    for (const block of this.#blocks) {
      if ((block.starts[0] as number) >= end) break;
      if (block.latestEnd <= start) continue;
      for (let i = 0; i < block.count && (block.starts[i] as number) < end; i++) {
        const ends = block.ends[i] as number;
        if (ends > start && (first === undefined || ends < first)) first = ends;
      }
    }
    return first;
  }

  each(from: Seconds, to: Seconds, visit: (label: Label, start: Seconds, end: Seconds) => void): void {
    for (const block of this.#blocks) {
      for (let i = 0; i < block.count; i++) {
        const start = block.starts[i] as number;
        const end = block.ends[i] as number;
        if (start < to && end > from) visit(block.labels[i] as number, start, end);
      }
    }
  }

  dropBefore(at: Seconds): void {
    if (at <= this.#horizon) return;
    this.#horizon = at;
    for (const block of this.#blocks) {
      block.dropEndedBy(at);
      block.measure();
    }
    this.#blocks = this.#blocks.filter((block) => block.count > 0);
  }
}
