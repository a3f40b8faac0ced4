/**
 * Which labels of one edge are claimed when: claims sorted by start, in blocks of at most 32, each with the
 * latest end in it, so that a question about a window reads the blocks that reach into it and no others.
 * Laid out like steps.ts, for the same reason. Whether a label may be claimed is the search's business.
 */
import type { Seconds } from '../model/capacity.ts';
import type { Label, LabelSet } from '../model/label.ts';
import { grown, move, touch } from './points.ts';

const BLOCK_CLAIMS = 32;
const HALF = BLOCK_CLAIMS / 2;
/** Start, end, label. */
const CLAIM = 3;
const SLOT = CLAIM * BLOCK_CLAIMS;

const FIRST = 0;
const LATEST_END = 1;
const AT = 2;
const COUNT = 3;
const FIELDS = 4;

export class LabelClaims {
  #index = new Int32Array(FIELDS);
  /** Per block the latest end in it and all before it: it never falls from block to block, so it can be searched. */
  #reach = new Int32Array(1);
  #claims = new Int32Array(4 * CLAIM);
  #blocks = 1;
  #slots = 1;
  readonly #spare: number[] = [];
  /** The block that was read ahead. */
  #hint = 0;
  /** Claims that end by then have been forgotten. */
  #horizon: Seconds = 0;

  /** The last block that begins before `start`, or the first: equal starts may go on in the next ones. */
  #find(start: Seconds): number {
    const index = this.#index;
    let low = 0;
    let high = this.#blocks - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((index[middle * FIELDS] as number) < start) low = middle;
      else high = middle - 1;
    }
    return low * FIELDS;
  }

  #end(block: number): number {
    return (this.#index[block + AT] as number) + CLAIM * (this.#index[block + COUNT] as number);
  }

  add(label: Label, start: Seconds, end: Seconds): void {
    if (end <= this.#horizon) return;
    let block = this.#find(start);
    if (this.#index[block + COUNT] === BLOCK_CLAIMS) {
      this.#halve(block);
      if (start > (this.#index[block + FIELDS] as number)) block += FIELDS;
    }
    const index = this.#index;
    const begin = index[block + AT] as number;
    const last = this.#end(block);
    if (last === this.#claims.length) this.#claims = grown(this.#claims, Math.min(SLOT, 2 * last));
    const claims = this.#claims;
    let i = last;
    while (i > begin && (claims[i - CLAIM] as number) > start) i -= CLAIM;
    move(claims, i + CLAIM, i, last);
    claims[i] = start;
    claims[i + 1] = end;
    claims[i + 2] = label;
    index[block + COUNT] = (index[block + COUNT] as number) + 1;
    index[block + FIRST] = claims[begin] as number;
    if (end > (index[block + LATEST_END] as number)) {
      index[block + LATEST_END] = end;
      this.#reachFrom(block);
    }
  }

  /** Brings the reach up to date from a block on, as far as anything changes. */
  #reachFrom(block: number): void {
    const from = block / FIELDS;
    let reach = from === 0 ? 0 : (this.#reach[from - 1] as number);
    for (let at = from; at < this.#blocks; at++) {
      reach = Math.max(reach, this.#index[at * FIELDS + LATEST_END] as number);
      if (this.#reach[at] === reach && at > from) return;
      this.#reach[at] = reach;
    }
  }

  /** The first block with a claim that ends after `start`, or past the last. */
  #reaching(start: Seconds): number {
    const reach = this.#reach;
    // What was read ahead is asked for next.
    const hint = this.#hint;
    if (
      hint < this.#blocks &&
      (reach[hint] as number) > start &&
      (hint === 0 || (reach[hint - 1] as number) <= start)
    ) {
      return hint * FIELDS;
    }
    let low = 0;
    let high = this.#blocks;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((reach[middle] as number) <= start) low = middle + 1;
      else high = middle;
    }
    return low * FIELDS;
  }

  #halve(block: number): void {
    const slot = this.#spare.pop() ?? this.#slots++;
    const to = slot * SLOT;
    if (to + SLOT > this.#claims.length) this.#claims = grown(this.#claims, (slot + (slot >> 2) + 2) * SLOT);
    if ((this.#blocks + 1) * FIELDS > this.#index.length) {
      const room = this.#blocks + (this.#blocks >> 1) + 2;
      this.#index = grown(this.#index, room * FIELDS);
      this.#reach = grown(this.#reach, room);
    }
    const index = this.#index;
    const from = (index[block + AT] as number) + CLAIM * HALF;
    this.#claims.copyWithin(to, from, from + CLAIM * HALF);
    const right = block + FIELDS;
    index.copyWithin(right + FIELDS, right, this.#blocks * FIELDS);
    this.#reach.copyWithin(right / FIELDS + 1, right / FIELDS, this.#blocks);
    this.#blocks++;
    index[right + FIRST] = this.#claims[to] as number;
    index[right + AT] = to;
    index[right + COUNT] = HALF;
    index[block + COUNT] = HALF;
    this.#measure(block);
    this.#measure(right);
    // The block that was moved along keeps its reach, so the walk may not stop at the new one.
    this.#reach[right / FIELDS] = -1;
    this.#reachFrom(block);
  }

  #measure(block: number): void {
    let latest = 0;
    for (let i = this.#index[block + AT] as number; i < this.#end(block); i += CLAIM) {
      latest = Math.max(latest, this.#claims[i + 1] as number);
    }
    this.#index[block + LATEST_END] = latest;
  }

  /** False when there is no such claim. One that has been forgotten counts as removed. */
  remove(label: Label, start: Seconds, end: Seconds): boolean {
    if (end <= this.#horizon) return true;
    const claims = this.#claims;
    for (let block = this.#find(start); block < this.#blocks * FIELDS; block += FIELDS) {
      const last = this.#end(block);
      for (let i = this.#index[block + AT] as number; i < last; i += CLAIM) {
        if ((claims[i] as number) > start) return false;
        if (claims[i] !== start || claims[i + 1] !== end || claims[i + 2] !== label) continue;
        this.#removeAt(block, i);
        return true;
      }
    }
    return false;
  }

  #removeAt(block: number, i: number): void {
    const index = this.#index;
    const end = this.#claims[i + 1] as number;
    this.#claims.copyWithin(i, i + CLAIM, this.#end(block));
    index[block + COUNT] = (index[block + COUNT] as number) - 1;
    if (index[block + COUNT] === 0) this.#removeBlock(block);
    else {
      index[block + FIRST] = this.#claims[index[block + AT] as number] as number;
      if (end === index[block + LATEST_END]) {
        this.#measure(block);
        this.#reachFrom(block);
      }
    }
  }

  /** The last block stays, even if it is empty. */
  #removeBlock(block: number): void {
    if (this.#blocks === 1) {
      this.#index[block + LATEST_END] = 0;
      this.#reach[0] = 0;
      return;
    }
    this.#spare.push((this.#index[block + AT] as number) / SLOT);
    this.#index.copyWithin(block, block + FIELDS, this.#blocks * FIELDS);
    this.#reach.copyWithin(block / FIELDS, block / FIELDS + 1, this.#blocks);
    this.#blocks--;
    if (block < this.#blocks * FIELDS) this.#reachFrom(block);
  }

  /** The block that a question about [start, ...) opens first, for touch(). */
  blockAt(start: Seconds): number {
    const block = this.#reaching(start);
    this.#hint = block / FIELDS;
    return block;
  }
  touch(block: number, end: Seconds): number {
    const index = this.#index;
    const stop = this.#blocks * FIELDS;
    // A single block may be shorter, and is soon read.
    if (stop === FIELDS || block >= stop) return 0;
    const sum = touch(this.#claims, index[block + AT] as number);
    const next = block + FIELDS;
    if (next >= stop || (index[next + FIRST] as number) >= end) return sum;
    return sum ^ touch(this.#claims, index[next + AT] as number);
  }

  /** Adds the labels claimed at any second of [start, end) to `into`. */
  collect(start: Seconds, end: Seconds, into: LabelSet): void {
    const words = into.words;
    const index = this.#index;
    const claims = this.#claims;
    const stop = this.#blocks * FIELDS;
    for (let block = this.#reaching(start); block < stop && (index[block] as number) < end; block += FIELDS) {
      if ((index[block + LATEST_END] as number) <= start) continue;
      const last = this.#end(block);
      for (let i = index[block + AT] as number; i < last && (claims[i] as number) < end; i += CLAIM) {
        const label = claims[i + 2] as number;
        // 1 if it ends after `start`: half of them do, and a branch would go the wrong way as often.
        const bit = (start - (claims[i + 1] as number)) >>> 31;
        words[label >>> 5] = (words[label >>> 5] as number) | (bit << (label & 31));
      }
    }
  }

  /** Visits the claims that touch [from, to), by start. */
  each(from: Seconds, to: Seconds, visit: (label: Label, start: Seconds, end: Seconds) => void): void {
    for (let block = this.#reaching(from); block < this.#blocks * FIELDS; block += FIELDS) {
      if ((this.#index[block + FIRST] as number) >= to) return;
      if ((this.#index[block + LATEST_END] as number) <= from) continue;
      for (let i = this.#index[block + AT] as number; i < this.#end(block); i += CLAIM) {
        const [start, end] = [this.#claims[i] as number, this.#claims[i + 1] as number];
        if (start < to && end > from) visit(this.#claims[i + 2] as number, start, end);
      }
    }
  }

  /** The first second after `start` at which a claim that touches [start, end) ends. */
  nextEnd(start: Seconds, end: Seconds): Seconds | undefined {
    let first: Seconds | undefined;
    this.each(start, end, (_label, _start, ends) => {
      if (first === undefined || ends < first) first = ends;
    });
    return first;
  }

  dropBefore(at: Seconds): void {
    if (at <= this.#horizon) return;
    this.#horizon = at;
    const left: [Label, Seconds, Seconds][] = [];
    let ended = false;
    for (let block = 0; block < this.#blocks * FIELDS && !ended; block += FIELDS) {
      for (let i = this.#index[block + AT] as number; i < this.#end(block) && !ended; i += CLAIM) {
        ended = (this.#claims[i + 1] as number) <= at;
      }
    }
    if (!ended) return;
    this.each(at, Number.POSITIVE_INFINITY, (label, start, end) => left.push([label, start, end]));
    this.#index = new Int32Array(FIELDS);
    this.#reach = new Int32Array(1);
    this.#claims = new Int32Array(4 * CLAIM);
    this.#blocks = 1;
    this.#slots = 1;
    this.#spare.length = 0;
    for (const claim of left) this.add(...claim);
  }
}
