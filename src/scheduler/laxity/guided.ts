/**
 * Guided ejection search, after Nagata and Braysy: whoever cannot be placed ejects those who have been hard
 * to place least often so far; each failure makes its owner dearer to eject, so the search leaves the circles
 * that a chain runs in. Small random shifts in between open gaps. The seed comes from what is asked, so that
 * the same question has the same answer.
 */
import { seededRandom } from '../../kernel/random.ts';
import type { Edge, Seconds } from '../../model/capacity.ts';
import { hashText } from '../../topology/network.ts';
import { cheapestAt, makeRoom } from './displace.ts';
import { byId, type Entry } from './fleet.ts';
import { startsFor } from './starts.ts';
import type { Trial } from './trial.ts';

export interface GuidedLimits {
  readonly restarts: number;
  readonly rounds: number;
  /** Links looked at, all together. */
  readonly work: number;
  readonly starts: number;
  /** Of these, the cheapest, for which it is found out who would have to leave. */
  readonly looks: number;
  /** More without a place than this, and the search has lost its way. */
  readonly unplaced: number;
  /** Ejected for one placement at most. */
  readonly ejected: number;
  /** Random shifts after each ejection. */
  readonly shifts: number;
}

type Random = ReturnType<typeof seededRandom>;

export function seedOf({ booking }: Entry, round: number): number {
  const { a, z, mbps, duration, notBefore, deadline } = booking;
  return hashText(`${a.port} ${z.port} ${mbps} ${duration} ${notBefore} ${deadline} ${round}`);
}

export function guided(trial: Trial, newcomer: Entry, limits: GuidedLimits): boolean {
  trial.work = limits.work;
  const mark = trial.mark;
  for (let run = 0; run < limits.restarts && trial.work > 0; run++) {
    if (new Search(trial, newcomer, limits, seededRandom(seedOf(newcomer, run))).run()) return true;
    trial.back(mark);
  }
  return false;
}

/** A free link costs 1. This is what one costs besides of which everything would have to leave. */
const PRICE_OF_ALL = 4;
/** And this for each failure of those who are there, the more of it the more would have to leave. */
const LEAST_GRUDGE = 0.2;

class Search {
  readonly #trial: Trial;
  readonly #newcomer: Entry;
  readonly #limits: GuidedLimits;
  readonly #random: Random;
  /** How often each has failed to find a place; 1 for those who never have. */
  readonly #failures = new Map<Entry, number>();
  readonly #touched: Entry[] = [];
  readonly #unplaced: Entry[] = [];

  constructor(trial: Trial, newcomer: Entry, limits: GuidedLimits, random: Random) {
    this.#trial = trial;
    this.#newcomer = newcomer;
    this.#limits = limits;
    this.#random = random;
  }

  run(): boolean {
    const { rounds, unplaced } = this.#limits;
    this.#unplaced.push(this.#newcomer);
    for (let round = 0; round < rounds && this.#trial.work > 0; round++) {
      const entry = this.#unplaced.pop() as Entry;
      if (this.#placeFree(entry, round)) {
        if (this.#unplaced.length === 0) return true;
        continue;
      }
      this.#failures.set(entry, this.#dear(entry) + 1);
      if (!this.#placeByForce(entry)) return false;
      // It may find room at a start that the first look did not come to, and then nobody has to leave.
      if (this.#unplaced.length === 0) return true;
      this.#shift();
      if (this.#unplaced.length > unplaced) return false;
    }
    return false;
  }

  #dear(one: Entry): number {
    return this.#failures.get(one) ?? 1;
  }

  #placeFree(entry: Entry, round: number): boolean {
    const trial = this.#trial;
    // Now and then not as early as possible: what is always packed the same way fails the same way.
    let found = round > 2 && this.#random.int(3) === 0 ? trial.first(entry, this.#anywhere(entry)) : 'NONE';
    if (typeof found === 'string') found = trial.first(entry);
    if (typeof found === 'string') return false;
    trial.give(entry, found);
    return true;
  }

  #anywhere(entry: Entry): Seconds {
    const from = this.#trial.earliest(entry);
    return from + Math.floor(Math.max(0, this.#trial.latest(entry) - from) * this.#random.float());
  }

  /** In the slot whose occupants are the least dear together. */
  #placeByForce(entry: Entry): boolean {
    const trial = this.#trial;
    const { starts, looks, ejected } = this.#limits;
    const price = (edge: Edge, start: Seconds, end: Seconds, mbps: number): number =>
      this.#price(edge, start, end, mbps) + 0.05 + 0.2 * this.#random.float();
    const slots: { start: Seconds; links: readonly number[]; price: number }[] = [];
    for (const start of startsFor(trial, entry, starts, true, this.#random.float())) {
      if (trial.work <= 0) break;
      const found = cheapestAt(trial, entry, start, price);
      if (found !== undefined) slots.push({ start, ...found });
    }
    slots.sort((x, y) => x.price - y.price || x.start - y.start);
    let best: { start: Seconds; links: readonly number[] } | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const { start, links } of slots.slice(0, looks)) {
      const mark = trial.mark;
      const room = makeRoom(trial, entry, start, links, this.#hurt, ejected);
      trial.back(mark);
      if (room === undefined) continue;
      let sum = 0.01 * links.length + 1e-5 * this.#random.float();
      for (const one of room.out) sum += (this.#dear(one) * weight(one)) / USUAL_WEIGHT;
      if (sum < least) [best, least] = [{ start, links }, sum];
    }
    if (best === undefined) return false;
    const room = makeRoom(trial, entry, best.start, best.links, this.#hurt, ejected);
    if (room === undefined) return false;
    trial.give(entry, room.course);
    this.#touch(entry);
    // The tightest comes last and so is placed next.
    const out = [...room.out].sort((x, y) => trial.slack(y) - trial.slack(x) || byId(x, y));
    for (const one of out) {
      this.#unplaced.push(one);
      this.#touch(one);
    }
    return true;
  }

  readonly #hurt = (one: Entry, over: number): number => {
    const { mbps, duration } = one.booking;
    const area = mbps * duration;
    const dear = (this.#dear(one) * weight(one)) / USUAL_WEIGHT;
    return dear * (mbps >= over ? 1 : over / mbps) + (1e-3 * area) / (1e4 + area);
  };

  /** What would have to leave a full link, of all that the newcomer wants of it, and who has been dear there. */
  #price(edge: Edge, start: Seconds, end: Seconds, mbps: number): number {
    const { rigid, total } = this.#trial.fleet;
    if (!rigid.fits(edge, mbps, start, end)) return Number.POSITIVE_INFINITY;
    const share = total.missing(edge, mbps, start, end) / (mbps * (end - start));
    return PRICE_OF_ALL * share + this.#grudge(edge, start, end) * Math.max(share, LEAST_GRUDGE);
  }

  /** How dear those are, beyond the usual, who are on the edge then. */
  #grudge(edge: Edge, start: Seconds, end: Seconds): number {
    let sum = 0;
    for (const [one, failures] of this.#failures) {
      if (one.start >= end || one.end <= start || !this.#trial.isSeated(one)) continue;
      if (one.uses.some((use) => use.edge === edge)) sum += ((failures - 1) * weight(one)) / USUAL_WEIGHT;
    }
    return sum;
  }

  #touch(entry: Entry): void {
    if (!this.#touched.includes(entry)) this.#touched.push(entry);
  }

  /** Puts some of those who have been touched elsewhere in their windows. */
  #shift(): void {
    const trial = this.#trial;
    for (let i = 0; i < this.#limits.shifts; i++) {
      const one = this.#touched[this.#random.int(this.#touched.length)] as Entry;
      if (this.#unplaced.includes(one)) continue;
      const from = this.#anywhere(one);
      const mark = trial.mark;
      if (trial.isSeated(one)) trial.take(one);
      const found = trial.first(one, from);
      if (typeof found === 'string') trial.back(mark);
      else trial.give(one, found);
    }
  }
}

/**
 * A higher priority is dearer to move, by up to three times from the lowest to the highest. Whole numbers: a
 * sum of them is the same in whatever order those who are there are met.
 */
const weight = ({ booking }: Entry): number => 50 + booking.priority;
const USUAL_WEIGHT = 100;
