/**
 * What is claimed of every edge over time, and so what is free: the path search asks it through
 * model/capacity.ts. It counts and never refuses: who claims has asked before, and maintenance may claim
 * what circuits hold already. All of it is a fold of claims, so that it can be rebuilt from the store and
 * compared; claim and release undo each other exactly. It knows neither circuits nor the time of day.
 */
import { invariant } from '../kernel/assert.ts';
import {
  type Claim,
  type Edge,
  type EdgeNames,
  type EdgeRoom,
  type Free,
  LAST_SECOND,
  type Seconds,
  toSeconds,
} from '../model/capacity.ts';
import { type Label, LabelSet } from '../model/label.ts';
import { LabelClaims } from './label-claims.ts';
import { grown } from './points.ts';
import { Steps } from './steps.ts';

/** One circuit's share of one edge over [start, end), in the numbers of the hot path. */
export interface Share {
  readonly edge: Edge;
  readonly mbps: number;
  readonly label?: Label;
  readonly start: Seconds;
  readonly end: Seconds;
}

export const toShare = (names: EdgeNames, claim: Claim): Share => ({
  edge: names.intern(claim.edge),
  mbps: claim.mbps,
  ...(claim.label === undefined ? {} : { label: claim.label }),
  start: toSeconds(claim.start),
  end: toSeconds(claim.end),
});

/** What is claimed and free from `start` to `end` without a change. */
export interface Step {
  readonly start: Seconds;
  readonly end: Seconds;
  readonly claimed: number;
  readonly free: number;
}

export class Calendar implements Free {
  readonly #rooms: (EdgeRoom | undefined)[] = [];
  /** The rooms' Mb/s once more, side by side: what a test of a window asks first. */
  #mbps = new Int32Array(64);
  readonly #steps: (Steps | undefined)[] = [];
  readonly #labels: (LabelClaims | undefined)[] = [];
  /** For what is read ahead: its blocks, and something of it, see touch(). */
  readonly #ahead: number[] = [];
  #touched = 0;

  /** What the edge can carry from now on. Less than is claimed is allowed: see overbooked(). */
  setRoom(edge: Edge, room: EdgeRoom): void {
    invariant(
      Number.isInteger(room.mbps) && room.mbps >= 0 && room.mbps <= LAST_SECOND,
      `room of ${room.mbps} Mb/s is a whole number that 31 bits hold`,
    );
    this.#rooms[edge] = room;
    if (edge >= this.#mbps.length) this.#mbps = grown(this.#mbps, 2 * edge);
    this.#mbps[edge] = room.mbps;
  }

  room(edge: Edge): EdgeRoom | undefined {
    return this.#rooms[edge];
  }

  claim(share: Share): void {
    const { edge, mbps, label, start, end } = share;
    invariant(Number.isInteger(mbps) && mbps >= 0, 'a claim is for a whole number of Mb/s');
    invariant(start < end, 'a claim lasts');
    if (mbps > 0) {
      let steps = this.#steps[edge];
      if (steps === undefined) {
        steps = new Steps();
        this.#steps[edge] = steps;
      }
      steps.add(start, end, mbps);
    }
    if (label === undefined) return;
    let claims = this.#labels[edge];
    if (claims === undefined) {
      claims = new LabelClaims();
      this.#labels[edge] = claims;
    }
    claims.add(label, start, end);
  }

  /** All that a circuit claims. What that changes is read before, all of it at once. */
  claimAll(shares: readonly Share[]): void {
    this.#readAhead(shares);
    for (const share of shares) this.claim(share);
  }
  releaseAll(shares: readonly Share[]): void {
    this.#readAhead(shares);
    for (const share of shares) this.release(share);
  }

  #readAhead(shares: readonly Share[]): void {
    for (let i = 0; i < shares.length; i++) {
      const { edge, start } = shares[i] as Share;
      this.#ahead[i] = this.#steps[edge]?.blockAt(start) ?? -1;
    }
    let sum = 0;
    for (let i = 0; i < shares.length; i++) {
      const block = this.#ahead[i] as number;
      if (block >= 0) sum ^= (this.#steps[(shares[i] as Share).edge] as Steps).touch(block);
    }
    this.#touched ^= sum;
  }

  release(share: Share): void {
    const { edge, mbps, label, start, end } = share;
    if (mbps > 0) {
      const steps = this.#steps[edge];
      invariant(steps !== undefined, 'an edge with something to release has claims');
      steps.add(start, end, -mbps);
    }
    if (label === undefined) return;
    const removed = this.#labels[edge]?.remove(label, start, end) === true;
    if (!removed) invariant(false, `label ${label} was claimed on edge ${edge} for [${start}, ${end})`);
  }

  fits(edge: Edge, mbps: number, start: Seconds, end: Seconds): boolean {
    const limit = (this.#mbps[edge] ?? 0) - mbps;
    if (mbps === 0) return true;
    if (limit < 0) return false;
    const steps = this.#steps[edge];
    return steps === undefined || steps.fits(limit, start, end);
  }

  free(edge: Edge, start: Seconds, end: Seconds): number {
    const room = this.#rooms[edge];
    if (room === undefined) return 0;
    const steps = this.#steps[edge];
    if (steps === undefined) return room.mbps;
    const free = room.mbps - steps.max(start, end);
    return Math.max(free, 0);
  }

  nextOpen(
    edge: Edge,
    mbps: number,
    duration: number,
    from: Seconds,
    latest: Seconds = LAST_SECOND - 1,
  ): Seconds | undefined {
    if (from > latest) return undefined;
    if (mbps === 0) return from;
    const limit = (this.#rooms[edge]?.mbps ?? 0) - mbps;
    if (limit < 0) return undefined;
    const steps = this.#steps[edge];
    if (steps === undefined) return from;
    const start = steps.firstFit(limit, duration, from, latest);
    return start < 0 ? undefined : start;
  }

  /** The first second of [start, end) at which less than `mbps` is free, and how much is missing there. */
  firstOver(
    edge: Edge,
    mbps: number,
    start: Seconds,
    end: Seconds,
  ): { readonly at: Seconds; readonly mbps: number } | undefined {
    if (this.fits(edge, mbps, start, end)) return undefined;
    const limit = (this.#rooms[edge]?.mbps ?? 0) - mbps;
    const over = this.profile(edge, start, end).find(({ claimed }) => claimed > limit);
    return over && { at: over.start, mbps: over.claimed - limit };
  }

  /** What is missing for `mbps` in [start, end), times how long it is. */
  missing(edge: Edge, mbps: number, start: Seconds, end: Seconds): number {
    const limit = (this.#rooms[edge]?.mbps ?? 0) - mbps;
    let sum = 0;
    let at = start;
    let over = Math.max(0, -limit);
    this.#steps[edge]?.each(start, end, (from, claimed) => {
      sum += over * (from - at);
      at = from;
      over = Math.max(0, claimed - limit);
    });
    return sum + over * (end - at);
  }

  readLabels(edges: readonly Edge[], start: Seconds, end: Seconds): void {
    for (let i = 0; i < edges.length; i++) {
      this.#ahead[i] = this.#labels[edges[i] as Edge]?.blockAt(start) ?? -1;
    }
    let sum = 0;
    for (let i = 0; i < edges.length; i++) {
      const block = this.#ahead[i] as number;
      if (block >= 0) sum ^= (this.#labels[edges[i] as Edge] as LabelClaims).touch(block, end);
    }
    this.#touched ^= sum;
  }

  labels(edge: Edge, start: Seconds, end: Seconds, into = new LabelSet()): LabelSet {
    this.#labels[edge]?.collect(start, end, into);
    return into;
  }

  nextLabel(edge: Edge, start: Seconds, end: Seconds): Seconds | undefined {
    return this.#labels[edge]?.nextEnd(start, end);
  }

  /** The step function of one edge over [from, to): what GET /v1/links/{id}/calendar shows. */
  profile(edge: Edge, from: Seconds, to: Seconds): Step[] {
    const room = this.#rooms[edge]?.mbps ?? 0;
    const points: { start: Seconds; claimed: number }[] = [];
    this.#steps[edge]?.each(from, to, (start, claimed) => points.push({ start, claimed }));
    if (points.length === 0) points.push({ start: from, claimed: 0 });
    return points.map(({ start, claimed }, i) => ({
      start,
      end: points[i + 1]?.start ?? to,
      claimed,
      free: Math.max(0, room - claimed),
    }));
  }

  /** The label claims of one edge that touch [from, to), by start. */
  labelProfile(edge: Edge, from: Seconds, to: Seconds): { label: Label; start: Seconds; end: Seconds }[] {
    const claims: { label: Label; start: Seconds; end: Seconds }[] = [];
    this.#labels[edge]?.each(from, to, (label, start, end) => claims.push({ label, start, end }));
    return claims;
  }

  /** When, from `from` on, more is claimed than the edge has room for: what a smaller room would break. */
  overbooked(edge: Edge, from: Seconds, room = this.#rooms[edge]?.mbps ?? 0): Step[] {
    return this.profile(edge, from, LAST_SECOND).filter((step) => step.claimed > room);
  }

  /** Forgets what ended by `at`. Releasing a forgotten claim is no mistake. */
  dropBefore(at: Seconds): void {
    for (const steps of this.#steps) steps?.dropBefore(at);
    for (const claims of this.#labels) claims?.dropBefore(at);
  }

  /** Points held, over all edges: for metrics and benches. */
  get points(): number {
    return this.#steps.reduce((sum, steps) => sum + (steps?.points ?? 0), 0);
  }
}
