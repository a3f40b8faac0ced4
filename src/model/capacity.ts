/**
 * What the path search asks of a calendar, and what a circuit claims of it. The search (topology) and the
 * calendar (scheduler) meet only here: the broker hands one to the other.
 *
 * An edge is anything whose room is shared: a link in one direction, or a port. Its id is text (`link:ID`,
 * `link:ID!` for the other direction, `port:ID`, `node:ID` for a node's VLANs) in stored rows and a small integer in the hot path;
 * EdgeNames keeps the two together for the life of the process.
 */
import { type InstantMs, instant, NEVER } from '../kernel/clock.ts';
import type { Label, LabelRanges, LabelSet } from './label.ts';

export type EdgeId = string;
export type Edge = number & { readonly __brand: 'Edge' };

export const linkEdge = (link: string): EdgeId => `link:${link}`;
export const portEdge = (port: string): EdgeId => `port:${port}`;
/** Ports that share room (a line card, an aggregate): a circuit on any of them claims the group's edge too. */
export const groupEdge = (group: string): EdgeId => `group:${group}`;
/** A node that has each VLAN only once, whatever the port: a circuit through it claims its VLAN there too. */
export const nodeEdge = (node: string): EdgeId => `node:${node}`;

/** Far above any interface there is, and far below where sums leave the integers. */
export const HIGHEST_MBPS = 100_000_000;

/** Whole seconds since 2020-01-01T00:00:00Z: fits 31 bits until 2088. */
export type Seconds = number;
const EPOCH_S = 1_577_836_800;
/** Stands for NEVER, and for anything past it. */
export const LAST_SECOND: Seconds = 2 ** 31 - 1;

export const toSeconds = (at: InstantMs): Seconds =>
  Math.max(0, Math.min(LAST_SECOND, Math.floor(at / 1000) - EPOCH_S));
export const fromSeconds = (s: Seconds): InstantMs =>
  s >= LAST_SECOND ? NEVER : instant((s + EPOCH_S) * 1000);

export interface Free {
  /** Is `mbps` free on the edge, on top of what is claimed, at every second of [start, end)? */
  fits(edge: Edge, mbps: number, start: Seconds, end: Seconds): boolean;
  /** The most that is free on the edge at every second of [start, end). */
  free(edge: Edge, start: Seconds, end: Seconds): number;
  /** The first second in [from, latest] at which `mbps` is free for `duration` seconds; undefined when none. */
  nextOpen(edge: Edge, mbps: number, duration: number, from: Seconds, latest?: Seconds): Seconds | undefined;
  /**
   * Labels that are claimed at any second of [start, end); UNTAGGED among them means the whole edge. They
   * are added to `into` when it is given, which spares the hot path an allocation per edge.
   */
  labels(edge: Edge, start: Seconds, end: Seconds, into?: LabelSet): LabelSet;
  /** Said before labels() is asked of each of these edges, by whoever knows them all: see scheduler/points.ts. */
  readLabels?(edges: readonly Edge[], start: Seconds, end: Seconds): void;
  /** The first second after `start` at which one of the labels claimed in [start, end) is let go. */
  nextLabel(edge: Edge, start: Seconds, end: Seconds): Seconds | undefined;
}

/** What an edge can carry. Labels are absent where the edge does not tell circuits apart. */
export interface EdgeRoom {
  readonly mbps: number;
  readonly labels?: LabelRanges;
}

/** One circuit's share of one edge over one window. */
export interface Claim {
  readonly edge: EdgeId;
  readonly mbps: number;
  readonly label?: Label;
  readonly start: InstantMs;
  readonly end: InstantMs;
}

export class EdgeNames {
  readonly #ids: EdgeId[] = [];
  readonly #edges = new Map<EdgeId, Edge>();

  intern(id: EdgeId): Edge {
    const known = this.#edges.get(id);
    if (known !== undefined) return known;
    const edge = this.#ids.length as Edge;
    this.#ids.push(id);
    this.#edges.set(id, edge);
    return edge;
  }
  name(edge: Edge): EdgeId {
    return this.#ids[edge] as EdgeId;
  }
  get size(): number {
    return this.#ids.length;
  }
}
