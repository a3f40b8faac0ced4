/**
 * One walk through the network, depth first, that finds what separates it: articulation points and bridges
 * (Hopcroft and Tarjan). Nodes are numbered in the order in which they are met, so that what hangs together,
 * and what hangs behind one node or link, is a range of that order and need not be listed.
 */
import type { Network } from '../network.ts';
import { linkCounts, nodeCounts, type Scope } from './scope.ts';

/** Places [from, to) of the order. */
export type Range = readonly [from: number, to: number];

export interface Separator {
  /** One of the two. */
  readonly node?: number;
  readonly link?: number;
  readonly part: Range;
  /** Its own place, if it is a node. */
  readonly own: readonly Range[];
  /** What hangs behind it, each by itself; the rest of the part is one more piece. */
  readonly behind: readonly Range[];
}

export interface Walk {
  /** The nodes that count, as they were met. */
  readonly order: readonly number[];
  readonly parts: readonly Range[];
  readonly separators: readonly Separator[];
}

export function walk(scope: Scope): Walk {
  const { network } = scope;
  const order: number[] = [];
  const parts: Range[] = [];
  const separators: Separator[] = [];
  const stroll = new Stroll(network);
  for (let root = 0; root < network.nodes.length; root++) {
    if (stroll.place[root] !== -1 || !nodeCounts(scope, root)) continue;
    const from = order.length;
    const behindNode = new Map<number, Range[]>();
    const bridges: { link: number; behind: Range }[] = [];
    stroll.through(scope, root, order, (node, before, link) => {
      const behind: Range = [stroll.place[node] as number, order.length];
      if ((stroll.back[node] as number) > (stroll.place[before] as number)) bridges.push({ link, behind });
      if ((stroll.back[node] as number) < (stroll.place[before] as number)) return;
      const known = behindNode.get(before);
      if (known === undefined) behindNode.set(before, [behind]);
      else known.push(behind);
    });
    const part: Range = [from, order.length];
    parts.push(part);
    for (const [node, behind] of behindNode) {
      // Whatever the walk began with has everything behind it: it separates if that is more than one piece.
      if (node === root && behind.length === 1) continue;
      const at = stroll.place[node] as number;
      separators.push({ node, part, own: [[at, at + 1]], behind });
    }
    for (const { link, behind } of bridges) separators.push({ link, part, own: [], behind: [behind] });
  }
  return { order, parts, separators };
}

class Stroll {
  /** The place of each node in the order, -1 before it is met. */
  readonly place: Int32Array;
  /** The first place that the node, or what was met from it, leads back to other than by the way it came. */
  readonly back: Int32Array;
  readonly #network: Network;
  /** Per node: the half-edge to try next, and the one that the walk came by. */
  readonly #next: Int32Array;
  readonly #came: Int32Array;

  constructor(network: Network) {
    const size = network.nodes.length;
    this.#network = network;
    this.place = new Int32Array(size).fill(-1);
    this.back = new Int32Array(size);
    this.#next = network.offset.slice();
    this.#came = new Int32Array(size).fill(-1);
  }

  /** `leave` is told of each node when all behind it has been met: the last that `order` then has. */
  through(
    scope: Scope,
    root: number,
    order: number[],
    leave: (node: number, before: number, link: number) => void,
  ): void {
    const { offset, from, to, via } = this.#network;
    const meet = (node: number): void => {
      this.place[node] = order.length;
      this.back[node] = order.length;
      order.push(node);
    };
    meet(root);
    for (let node = root; ; ) {
      const came = this.#came[node] as number;
      const half = this.#next[node] as number;
      if (half === (offset[node + 1] as number)) {
        if (node === root) return;
        const before = from[came] as number;
        leave(node, before, via[came] as number);
        this.back[before] = Math.min(this.back[before] as number, this.back[node] as number);
        node = before;
        continue;
      }
      this.#next[node] = half + 1;
      const link = via[half] as number;
      // The link that it came by leads back; a parallel one is a way round.
      if (!linkCounts(scope, link) || (came !== -1 && via[came] === link)) continue;
      const other = to[half] as number;
      if (this.place[other] === -1) {
        meet(other);
        this.#came[other] = half;
        node = other;
      } else {
        this.back[node] = Math.min(this.back[node] as number, this.place[other] as number);
      }
    }
  }
}
