/**
 * The Merkle log in memory: enough nodes to give a root at once and any proof with the help of at most two
 * tiles of leaf hashes. A tile is 256 leaves; its hash is kept for ever, its leaves only until they are
 * durable, because the store has them. 10 million records are 2.5 MB here.
 * Appending can be taken back down to what is durable, as a failed group of the writer needs it.
 */
import { invariant } from '../../kernel/assert.ts';
import {
  consistencyRanges,
  type Hash,
  inclusionRanges,
  type Node,
  nodeHash,
  nodesOf,
  type Range,
  rangeHash,
} from './tree.ts';

const TILE_LEVEL = 8;
export const TILE = 2 ** TILE_LEVEL;

/** The leaf hashes of a tile, by its number. */
export type Tiles = ReadonlyMap<number, readonly Hash[]>;

export class MerkleLog {
  #size = 0;
  /** Leaves before this are durable, and their nodes below tile level may be gone. A multiple of TILE. */
  #base = 0;
  /** Level by level; below tile level the first one is that of #base. */
  readonly #levels: Hash[][] = [[]];

  /** From what is stored: the hashes of full tiles, and the leaf hashes after the last of them. */
  constructor(tiles: readonly Hash[] = [], tail: readonly Hash[] = []) {
    invariant(tail.length < TILE, 'the tail of the log is shorter than a tile');
    while (this.#levels.length <= TILE_LEVEL) this.#levels.push([]);
    this.#base = tiles.length * TILE;
    this.#size = this.#base;
    for (const [i, tile] of tiles.entries()) this.#enter(TILE_LEVEL, i, tile);
    for (const leaf of tail) this.append(leaf);
  }

  get size(): number {
    return this.#size;
  }

  /** Gives the hash of the tile that this leaf completes, to be stored with it. */
  append(leaf: Hash): { readonly tile: number; readonly hash: Hash } | undefined {
    this.#enter(0, this.#size, leaf);
    this.#size += 1;
    if (this.#size % TILE !== 0) return undefined;
    const tile = this.#size / TILE - 1;
    return { tile, hash: this.#node({ level: TILE_LEVEL, index: tile }) };
  }

  #enter(level: number, index: number, hash: Hash): void {
    const nodes = this.#levels[level] ?? [];
    this.#levels[level] = nodes;
    nodes.push(hash);
    if (index % 2 === 1) {
      this.#enter(level + 1, (index - 1) / 2, nodeHash(nodes[nodes.length - 2] as Hash, hash));
    }
  }

  /** Back to an earlier size that is not yet durable. */
  truncate(size: number): void {
    invariant(size >= this.#base && size <= this.#size, 'the log goes back no further than what is durable');
    for (const [level, nodes] of this.#levels.entries())
      nodes.length = Math.floor(size / 2 ** level) - this.#first(level);
    this.#size = size;
  }

  /** Everything before `size` is durable: what is below its tiles can be had from the store. */
  durable(size: number): void {
    const base = Math.min(size, this.#size) - (Math.min(size, this.#size) % TILE);
    if (base <= this.#base) return;
    for (let level = 0; level < TILE_LEVEL; level++)
      this.#levels[level]?.splice(0, (base - this.#base) / 2 ** level);
    this.#base = base;
  }

  root(size: number = this.#size): Hash {
    invariant(
      size <= this.#size && (size >= this.#base || size % TILE === 0),
      'no root of that size is kept',
    );
    return rangeHash({ from: 0, to: size }, (node) => this.#node(node));
  }

  /** Which tiles the proof functions need for these sizes, to be fetched before. */
  tilesForInclusion(index: number, size: number): number[] {
    return this.#tilesFor(inclusionRanges(index, size));
  }
  tilesForConsistency(old: number, size: number): number[] {
    return this.#tilesFor(consistencyRanges(old, size));
  }
  inclusion(index: number, size: number, tiles: Tiles): Hash[] {
    invariant(size <= this.#size, 'the log is shorter than that');
    return inclusionRanges(index, size).map((range) => rangeHash(range, (n) => this.#node(n, tiles)));
  }
  consistency(old: number, size: number, tiles: Tiles): Hash[] {
    invariant(size <= this.#size, 'the log is shorter than that');
    return consistencyRanges(old, size).map((range) => rangeHash(range, (n) => this.#node(n, tiles)));
  }

  #first(level: number): number {
    return level < TILE_LEVEL ? this.#base / 2 ** level : 0;
  }

  #tilesFor(ranges: readonly Range[]): number[] {
    const missing = ranges
      .flatMap(nodesOf)
      .filter((n) => n.level < TILE_LEVEL && n.index < this.#first(n.level));
    return [...new Set(missing.map((n) => Math.floor((n.index * 2 ** n.level) / TILE)))];
  }

  #node(node: Node, tiles?: Tiles): Hash {
    const kept = this.#levels[node.level]?.[node.index - this.#first(node.level)];
    if (kept !== undefined && node.index >= this.#first(node.level)) return kept;
    const from = node.index * 2 ** node.level;
    const leaves = tiles?.get(Math.floor(from / TILE));
    invariant(leaves !== undefined && leaves.length === TILE, `tile ${Math.floor(from / TILE)} is at hand`);
    return subtree(leaves, from % TILE, 2 ** node.level);
  }
}

function subtree(leaves: readonly Hash[], from: number, count: number): Hash {
  if (count === 1) return leaves[from] as Hash;
  const half = count / 2;
  return nodeHash(subtree(leaves, from, half), subtree(leaves, from + half, half));
}
