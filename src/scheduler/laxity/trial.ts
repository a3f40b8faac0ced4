/**
 * One decision in the making: bookings are taken out and given places in the fleet itself, every step with
 * its undo, until the ladder has an answer; then all of it is taken back. The trial also counts the work
 * that is left, in links looked at, so that the same question always stops at the same place.
 */
import type { Seconds } from '../../model/capacity.ts';
import type { PathQuery } from '../../topology/search/question.ts';
import { changed, pose, type Question, type Refusal } from '../../topology/search/question.ts';
import type { Ask, EdgeUse, Slot } from './booking.ts';
import { courseAt, firstCourse, usesOf } from './course.ts';
import type { Entry, Fleet } from './fleet.ts';
import type { Course, Found, Posed } from './pair.ts';

const MOST_PER_SEARCH = 100;
/** However small the network: a search has its own cost, and so has a step. */
const LEAST_PER_SEARCH = 40;
const LEAST_PER_STEP = 4;
/** With 50,000 bookings a step in the calendars takes about as long as a search on 100 links. */
const BOOKINGS_PER_LINK_SHIFT = 9;
/**
 * By as many bookings all of it becomes dearer by as much as it cost at first: who asks among a hundred thousand
 * is to be answered as soon as who asks among a few hundred, for whom there is time to look further.
 */
const BOOKINGS_PER_WEIGHT = 20_000;

interface Step {
  readonly entry: Entry;
  /** Taken from its place, or given one. */
  readonly taken: boolean;
  readonly start: Seconds;
  readonly uses: readonly EdgeUse[];
  readonly course: Course | undefined;
}

/** One question over each of the two calendars. The second is put only to those who do not fit as things are. */
export class Asked {
  readonly total: Posed;
  readonly #fleet: Fleet;
  #rigid: Posed | undefined;

  constructor(fleet: Fleet, total: Posed) {
    this.#fleet = fleet;
    this.total = total;
  }

  get rigid(): Posed {
    const { query, question, pair } = this.total;
    this.#rigid ??= { query, question: changed(question, { free: this.#fleet.rigid }), pair };
    return this.#rigid;
  }
}

export class Trial {
  readonly fleet: Fleet;
  readonly now: Seconds;
  /** Links that may still be looked at. */
  work: number;
  /** What one search is taken to look at: no more on a large network, where it stays near its path. */
  readonly #perSearch: number;
  /** What taking somebody out or giving it a place comes to: calendars grow with the fleet. */
  readonly #perStep: number;
  readonly #steps: Step[] = [];
  readonly #courses = new Map<Entry, Course>();
  readonly #asked = new Map<Entry, Asked | Refusal>();
  readonly #newcomers = new Set<Entry>();
  readonly #out = new Set<Entry>();
  readonly #held = new Set<Entry>();

  constructor(fleet: Fleet, now: Seconds, work: number) {
    this.fleet = fleet;
    this.now = now;
    this.work = work;
    const weight = 1 + fleet.size / BOOKINGS_PER_WEIGHT;
    this.#perSearch =
      weight * Math.max(LEAST_PER_SEARCH, Math.min(fleet.network.links.length, MOST_PER_SEARCH));
    this.#perStep =
      weight * Math.max(LEAST_PER_STEP, Math.min(fleet.size >>> BOOKINGS_PER_LINK_SHIFT, MOST_PER_SEARCH));
  }

  /** Counts a search. */
  spend(searches = 1): void {
    this.work -= searches * this.#perSearch;
  }

  newcomer(ask: Ask): Entry {
    const entry = this.fleet.stranger(ask);
    this.#newcomers.add(entry);
    this.#out.add(entry);
    return entry;
  }
  isNewcomer(entry: Entry): boolean {
    return this.#newcomers.has(entry);
  }

  /** May it be taken out of its place? A newcomer may too, as long as it gets another one. */
  canMove(entry: Entry): boolean {
    return !entry.rigid && !this.#held.has(entry);
  }

  /**
   * Can it be put anywhere at all? Not where its port is out of service: it is then left alone. Asked only of
   * those who have been chosen, since it takes looking up what they ask.
   */
  canBeAsked(entry: Entry): boolean {
    if ('total' in this.ask(entry)) return true;
    this.hold(entry);
    return false;
  }

  /** From here on the entry stays where it is, whoever wants its place. */
  hold(entry: Entry): void {
    this.#held.add(entry);
  }

  /** The earliest second at which it may start: whoever is moved is told `notice` seconds before, at least. */
  earliest(entry: Entry): Seconds {
    const { notBefore, notice } = entry.booking;
    return Math.max(notBefore, this.#newcomers.has(entry) ? this.now : this.now + notice + 1);
  }
  latest({ booking }: Entry): Seconds {
    return booking.deadline - booking.duration;
  }
  slack(entry: Entry): number {
    return (this.latest(entry) - this.earliest(entry)) / entry.booking.duration;
  }

  ask(entry: Entry): Asked | Refusal {
    const known = this.#asked.get(entry);
    if (known !== undefined) return known;
    const { fleet } = this;
    // A circuit that another one keeps clear of may be over by now; a newcomer has to name one that is there.
    const linksOf = this.#newcomers.has(entry)
      ? (id: string) => this.linksOf(id)
      : (id: string) => this.linksOf(id) ?? [];
    const query = queryOf(fleet, entry.booking, linksOf);
    const posed = pose({ network: fleet.network, free: fleet.total }, query);
    const pair = entry.booking.protected === true;
    const made = 'found' in posed ? posed : new Asked(fleet, { query, question: posed, pair });
    // What keeps off another circuit's links depends on where that one is now.
    if (query.constraints?.['diverse_from'] === undefined) this.#asked.set(entry, made);
    return made;
  }

  /** The question of an entry that has been found able to be asked before. */
  mustAsk(entry: Entry): Asked {
    return this.ask(entry) as Asked;
  }

  linksOf(id: string): readonly string[] | undefined {
    for (const entry of this.#newcomers) {
      if (entry.booking.id === id) return this.fleet.linksOfUses(entry.uses);
    }
    return this.fleet.linksOf(id);
  }

  /** The earliest course in its window, or from `from` on. */
  first(entry: Entry, from = this.earliest(entry)): Found {
    this.spend();
    const latest = this.latest(entry);
    if (from > latest) return 'NONE';
    return firstCourse(this.mustAsk(entry).total, entry.booking.duration, from, latest);
  }
  at(entry: Entry, start: Seconds): Found {
    this.spend();
    return courseAt(this.mustAsk(entry).total, { start, end: start + entry.booking.duration });
  }

  take(entry: Entry): void {
    this.work -= this.#perStep;
    this.#steps.push({
      entry,
      taken: true,
      start: entry.start,
      uses: entry.uses,
      course: this.#courses.get(entry),
    });
    this.fleet.lift(entry);
    this.#out.add(entry);
  }

  give(entry: Entry, course: Course): void {
    this.giveUses(entry, course.start, usesOf(this.questionOf(entry), course), course);
  }
  giveUses(entry: Entry, start: Seconds, uses: readonly EdgeUse[], course: Course | undefined): void {
    this.work -= this.#perStep;
    const { start: before, uses: had } = entry;
    this.#steps.push({ entry, taken: false, start: before, uses: had, course: this.#courses.get(entry) });
    this.fleet.seat(entry, start, uses);
    this.#out.delete(entry);
    this.#setCourse(entry, course);
  }

  questionOf(entry: Entry): Question {
    return this.mustAsk(entry).total.question;
  }

  /** Does it have a place at this moment? Those in the middle of being moved have none. */
  isSeated(entry: Entry): boolean {
    return !this.#out.has(entry);
  }

  /** Where the trial has put it; undefined while it is where it was before. */
  courseOf(entry: Entry): Course | undefined {
    return this.#courses.get(entry);
  }

  get mark(): number {
    return this.#steps.length;
  }

  back(mark: number): void {
    while (this.#steps.length > mark) {
      const step = this.#steps.pop() as Step;
      const { entry, taken, start, uses, course } = step;
      if (taken) {
        this.fleet.seat(entry, start, uses);
        this.#out.delete(entry);
      } else {
        this.fleet.lift(entry);
        this.#out.add(entry);
        entry.start = start;
        entry.end = start + entry.booking.duration;
        entry.uses = uses;
      }
      this.#setCourse(entry, course);
    }
  }

  #setCourse(entry: Entry, course: Course | undefined): void {
    if (course === undefined) this.#courses.delete(entry);
    else this.#courses.set(entry, course);
  }

  /** Everybody who has been taken out, and from where. */
  origins(): Map<Entry, { readonly slot: Slot; readonly uses: readonly EdgeUse[] }> {
    const origins = new Map<Entry, { slot: Slot; uses: readonly EdgeUse[] }>();
    for (const { entry, taken, start, uses } of this.#steps) {
      if (!taken || this.#newcomers.has(entry) || origins.has(entry)) continue;
      const { mbps, duration } = entry.booking;
      origins.set(entry, { slot: { start, end: start + duration, mbps }, uses });
    }
    return origins;
  }
}

/** What the booking asks of a path. Whoever must stay clear of it is kept clear of, too. */
export function queryOf(
  fleet: Fleet,
  { id, a, z, mbps, constraints, ignoreOperState }: Ask,
  linksOf: (id: string) => readonly string[] | undefined,
): Omit<PathQuery, 'start' | 'end'> {
  const shunned = fleet.shunnedBy(id);
  // The usual case, in the hot path.
  if (constraints === undefined && shunned.length === 0 && ignoreOperState === undefined)
    return { a, z, mbps, linksOf };
  const own = constraints?.['diverse_from'];
  const diverse = [...(Array.isArray(own) ? (own as string[]) : []), ...shunned];
  const all = diverse.length === 0 ? constraints : { ...constraints, diverse_from: diverse };
  return {
    a,
    z,
    mbps,
    ...(all === undefined ? {} : { constraints: all }),
    linksOf,
    ...(ignoreOperState === undefined ? {} : { ignoreOperState }),
  };
}
