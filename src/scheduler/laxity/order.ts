/**
 * From where everybody should be in the end to a row of moves, each legal when its turn comes: while one is
 * moved, its old and its new place are both claimed, and nobody else's stands in the way. Where some wait for
 * each other in a circle, they go together in one step; or, where that is not wanted, one of them steps aside
 * first, to any place in its window, and is moved twice.
 */
import type { Seconds } from '../../model/capacity.ts';
import { labelFits } from '../../model/label.ts';
import type { EdgeUse } from './booking.ts';
import { byId, type Entry } from './fleet.ts';
import type { Course } from './pair.ts';
import type { Trial } from './trial.ts';

export interface Target {
  readonly entry: Entry;
  readonly start: Seconds;
  readonly uses: readonly EdgeUse[];
  readonly course: Course;
}

export interface Ordered {
  readonly target: Target;
  readonly step: number;
}

/** Performs the moves in the trial, in the order found; undefined when there is none. */
export function order(trial: Trial, targets: readonly Target[], circles: boolean): Ordered[] | undefined {
  const waiting = new Set([...targets].sort((x, y) => byId(x.entry, y.entry)));
  const row: Ordered[] = [];
  const aside = new Set<Entry>();
  for (let step = 0; waiting.size > 0; step++) {
    const single = [...waiting].find((target) => move(trial, target));
    const together = single !== undefined ? [single] : circles ? turn(trial, waiting) : undefined;
    if (together !== undefined) {
      for (const target of together) {
        waiting.delete(target);
        row.push({ target, step });
      }
      continue;
    }
    const parked = circles ? undefined : stepAside(trial, waiting, aside);
    if (parked === undefined) return undefined;
    aside.add(parked.entry);
    row.push({ target: parked, step });
  }
  return row;
}

/** The smallest circle: all those who, directly or not, stand where one of them wants to be. */
function turn(trial: Trial, waiting: ReadonlySet<Target>): readonly Target[] | undefined {
  const byEntry = new Map([...waiting].map((target) => [target.entry, target]));
  let least: readonly Target[] | undefined;
  for (const first of waiting) {
    const circle = new Set([first]);
    for (const { entry, start, uses } of circle) {
      for (const { edge } of uses) {
        trial.fleet.presence.visit(edge, start, start + entry.booking.duration, (one) => {
          const target = byEntry.get(one);
          if (target !== undefined) circle.add(target);
        });
      }
    }
    if (least === undefined || circle.size < least.length)
      least = [...circle].sort((x, y) => byId(x.entry, y.entry));
  }
  if (least === undefined) return undefined;
  const mark = trial.mark;
  for (const { entry } of least) trial.take(entry);
  for (const { entry, start, uses, course } of least) {
    if (!fits(trial, entry, start, uses)) {
      trial.back(mark);
      return undefined;
    }
    trial.giveUses(entry, start, uses, course);
  }
  return least;
}

function stepAside(
  trial: Trial,
  waiting: ReadonlySet<Target>,
  aside: ReadonlySet<Entry>,
): Target | undefined {
  for (const { entry } of waiting) {
    if (aside.has(entry)) continue;
    const parked = park(trial, entry);
    if (parked !== undefined) return parked;
  }
  return undefined;
}

/** Moves it if it can be: `take` leaves its old place free, which is right, for it is its own. */
function move(trial: Trial, { entry, start, uses, course }: Target): boolean {
  const mark = trial.mark;
  trial.take(entry);
  if (fits(trial, entry, start, uses)) {
    trial.giveUses(entry, start, uses, course);
    return true;
  }
  trial.back(mark);
  return false;
}

/** To a place beside all that is claimed, its own present one included: else it would not step aside. */
function park(trial: Trial, entry: Entry): Target | undefined {
  const { start, uses } = entry;
  for (const from of [trial.earliest(entry), entry.end]) {
    const course = trial.first(entry, from);
    if (typeof course === 'string') continue;
    trial.take(entry);
    trial.give(entry, course);
    if (entry.start !== start || !sameUses(entry.uses, uses))
      return { entry, start: entry.start, uses: entry.uses, course };
    trial.back(trial.mark - 2);
  }
  return undefined;
}

export const sameUses = (some: readonly EdgeUse[], others: readonly EdgeUse[]): boolean =>
  some.length === others.length &&
  some.every(({ edge, label }, i) => edge === others[i]?.edge && label === others[i]?.label);

export function fits(trial: Trial, { booking }: Entry, start: Seconds, uses: readonly EdgeUse[]): boolean {
  const { total } = trial.fleet;
  const end = start + booking.duration;
  return uses.every(
    ({ edge, label }) =>
      total.fits(edge, booking.mbps, start, end) &&
      (label === undefined || labelFits(total.labels(edge, start, end), label)),
  );
}
