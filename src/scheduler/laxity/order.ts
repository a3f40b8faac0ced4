/**
 * From where everybody should be in the end to a row of moves, each legal when its turn comes: while one is
 * moved, its old and its new place are both claimed, and nobody else's stands in the way. Where some wait for
 * each other in a circle, one of them steps aside first, to any place in its window, and is moved twice.
 */
import type { Seconds } from '../../model/capacity.ts';
import { labelFits } from '../../model/label.ts';
import type { EdgeUse } from './booking.ts';
import { byId } from './chain.ts';
import type { Course } from './course.ts';
import type { Entry } from './fleet.ts';
import type { Trial } from './trial.ts';

export interface Target {
  readonly entry: Entry;
  readonly start: Seconds;
  readonly uses: readonly EdgeUse[];
  readonly course: Course;
}

/** Performs the moves in the trial, in the order found; undefined when there is none. */
export function order(trial: Trial, targets: readonly Target[]): Target[] | undefined {
  const waiting = [...targets].sort((x, y) => byId(x.entry, y.entry));
  const row: Target[] = [];
  const aside = new Set<Entry>();
  while (waiting.length > 0) {
    const next = waiting.findIndex((target) => move(trial, target));
    if (next >= 0) {
      row.push(...waiting.splice(next, 1));
      continue;
    }
    let parked: Target | undefined;
    for (const { entry } of waiting) {
      if (aside.has(entry)) continue;
      parked = park(trial, entry);
      if (parked !== undefined) break;
    }
    if (parked === undefined) return undefined;
    aside.add(parked.entry);
    row.push(parked);
  }
  return row;
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
