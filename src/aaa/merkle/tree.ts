/**
 * RFC 6962 hashing and the geometry of its proofs. A proof is first a list of ranges of leaves, then their
 * hashes; a range that is a complete subtree is one node, so whoever holds nodes can say beforehand which
 * ones it needs. Verification needs no tree at all. Where nodes are kept is log.ts.
 */
import { hash } from 'node:crypto';
import { invariant } from '../../kernel/assert.ts';

export type Hash = Buffer;

// One call for each hash: making a Hash object costs more than hashing a record.
const digest = (data: string | Uint8Array): Hash => hash('sha256', data, 'buffer');

const LEAF = 0;
const NODE = 1;
const HASH_BYTES = 32;
/** Both children behind the mark of a node; used again and again, and never kept by anybody. */
const pair = Buffer.alloc(1 + 2 * HASH_BYTES, NODE);

export function leafHash(record: string | Uint8Array): Hash {
  const bytes = typeof record === 'string' ? Buffer.from(record, 'utf8') : record;
  const marked = Buffer.allocUnsafe(1 + bytes.length);
  marked[0] = LEAF;
  marked.set(bytes, 1);
  return digest(marked);
}
export function nodeHash(left: Uint8Array, right: Uint8Array): Hash {
  invariant(left.length === HASH_BYTES && right.length === HASH_BYTES, 'a hash has 32 bytes');
  pair.set(left, 1);
  pair.set(right, 1 + HASH_BYTES);
  return digest(pair);
}
export const emptyRoot = (): Hash => digest('');

/** Leaves [from, to). */
export interface Range {
  readonly from: number;
  readonly to: number;
}
/** The complete subtree over leaves [index << level, (index + 1) << level). */
export interface Node {
  readonly level: number;
  readonly index: number;
}
export type ReadNode = (node: Node) => Hash;

/** The largest power of two below `n`, for n > 1: where RFC 6962 splits. */
function splitOf(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
}

/** Complete subtrees that make up a range which begins where RFC 6962 begins one; from left to right. */
export function nodesOf({ from, to }: Range): Node[] {
  const nodes: Node[] = [];
  for (let at = from; at < to; ) {
    let level = 0;
    while (at % 2 ** (level + 1) === 0 && at + 2 ** (level + 1) <= to) level++;
    nodes.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return nodes;
}

export function rangeHash(range: Range, read: ReadNode): Hash {
  const nodes = nodesOf(range).map(read);
  const last = nodes.pop();
  // The ragged edge hangs to the right: the last two first.
  return last === undefined ? emptyRoot() : nodes.reduceRight((right, left) => nodeHash(left, right), last);
}

/** The ranges whose hashes prove that leaf `index` is in the tree of `size` leaves; nearest first. */
export function inclusionRanges(index: number, size: number): Range[] {
  if (!(index >= 0 && index < size)) throw new RangeError(`no leaf ${index} among ${size}`);
  const ranges: Range[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (index < middle) {
      ranges.push({ from: middle, to });
      to = middle;
    } else {
      ranges.push({ from, to: middle });
      from = middle;
    }
  }
  return ranges.reverse();
}

/** The ranges whose hashes prove that the tree of `old` leaves is the beginning of that of `size`. */
export function consistencyRanges(old: number, size: number): Range[] {
  if (!(old >= 0 && old <= size)) throw new RangeError(`${old} is not a size up to ${size}`);
  if (old === 0 || old === size) return [];
  const ranges: Range[] = [];
  let [from, to] = [0, size];
  while (old !== to) {
    const middle = from + splitOf(to - from);
    if (old <= middle) {
      ranges.push({ from: middle, to });
      to = middle;
    } else {
      ranges.push({ from, to: middle });
      from = middle;
    }
  }
  // Where the old tree is a complete subtree of its own, its root is known and not part of the proof.
  if (from > 0) ranges.push({ from, to });
  return ranges.reverse();
}

const areHashes = (texts: readonly Uint8Array[]): boolean => texts.every((h) => h.length === HASH_BYTES);

export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return false;
  if (!areHashes([leaf, root, ...proof])) return false;
  const ranges = inclusionRanges(index, size);
  if (ranges.length !== proof.length) return false;
  let hash: Uint8Array = leaf;
  for (const [i, { from }] of ranges.entries()) {
    const sibling = proof[i] as Uint8Array;
    hash = from > index ? nodeHash(hash, sibling) : nodeHash(sibling, hash);
  }
  return Buffer.compare(hash, root) === 0;
}

/** Both roots are computed from the same hashes: the old one without what lies beyond it. */
export function verifyConsistency(
  old: number,
  oldRoot: Uint8Array,
  size: number,
  root: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  if (!Number.isSafeInteger(old) || !Number.isSafeInteger(size) || old < 0 || old > size) return false;
  if (!areHashes([oldRoot, root, ...proof])) return false;
  if (old === 0) return proof.length === 0 && Buffer.compare(oldRoot, emptyRoot()) === 0;
  const ranges = consistencyRanges(old, size);
  if (ranges.length !== proof.length) return false;
  const seeded = ranges[0] !== undefined && ranges[0].to === old;
  const seed = seeded ? (proof[0] as Uint8Array) : oldRoot;
  let [oldHash, newHash] = [seed, seed];
  for (let i = seeded ? 1 : 0; i < ranges.length; i++) {
    const { from } = ranges[i] as Range;
    const sibling = proof[i] as Uint8Array;
    if (from >= old) newHash = nodeHash(newHash, sibling);
    else {
      oldHash = nodeHash(sibling, oldHash);
      newHash = nodeHash(sibling, newHash);
    }
  }
  return Buffer.compare(oldHash, oldRoot) === 0 && Buffer.compare(newHash, root) === 0;
}
