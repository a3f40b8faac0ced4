/**
 * From the state that a search has left in a trial to what is to be done: who has really moved, in which
 * order, and in the words of the caller. The trial is taken back to its beginning on the way.
 */
import { invariant } from '../../kernel/assert.ts';
import type { EdgeUse, Move, Seat, Slot } from './booking.ts';
import { pathOf, usesOf } from './course.ts';
import type { Entry } from './fleet.ts';
import { fits, type Ordered, order, sameUses, type Target } from './order.ts';
import type { Course } from './pair.ts';
import type { Trial } from './trial.ts';

/**
 * The moves that lead there, the newcomer's place free after them; undefined when there is no order. Without
 * a newcomer everybody who was moved had a reason that the calendars do not show.
 */
export function settle(trial: Trial, newcomer: Entry | undefined, circles: boolean): Move[] | undefined {
  if (newcomer !== undefined) sendHome(trial);
  const origins = trial.origins();
  const targets: Target[] = [];
  for (const [entry, { slot, uses }] of origins) {
    if (entry.start === slot.start && sameUses(entry.uses, uses)) continue;
    const course = trial.courseOf(entry);
    invariant(course !== undefined, 'what has moved has a course');
    targets.push({ entry, start: entry.start, uses: entry.uses, course });
  }
  const course = newcomer && trial.courseOf(newcomer);
  trial.back(0);
  try {
    const row = order(trial, targets, circles);
    if (row === undefined) return undefined;
    if (newcomer !== undefined && course !== undefined) {
      if (!fits(trial, newcomer, course.start, usesOf(trial.questionOf(newcomer), course))) return undefined;
    }
    return movesOf(trial, row, origins);
  } finally {
    trial.back(0);
  }
}

/** Whoever has been moved and need not have been goes back to where it was. */
function sendHome(trial: Trial): void {
  for (const [entry, { slot, uses }] of trial.origins()) {
    if (entry.start === slot.start && sameUses(entry.uses, uses)) continue;
    const mark = trial.mark;
    trial.take(entry);
    if (fits(trial, entry, slot.start, uses)) trial.giveUses(entry, slot.start, uses, undefined);
    else trial.back(mark);
  }
}

function movesOf(
  trial: Trial,
  row: readonly Ordered[],
  origins: ReadonlyMap<Entry, { readonly slot: Slot; readonly uses: readonly EdgeUse[] }>,
): Move[] {
  const at = new Map<Entry, Slot>();
  return row.map(({ target: { entry, course }, step }) => {
    const from = at.get(entry) ?? origins.get(entry)?.slot;
    invariant(from !== undefined, 'what is moved was somewhere');
    const to = seatOf(trial, entry, course);
    at.set(entry, { start: to.start, end: to.end, mbps: to.mbps });
    return { id: entry.booking.id, from, to, step };
  });
}

export function seatOf(trial: Trial, entry: Entry, course: Course): Seat {
  const { mbps, duration } = entry.booking;
  const { start } = course;
  const question = trial.questionOf(entry);
  const path = pathOf(question, course);
  const seat = { start, end: start + duration, mbps, path };
  return course.second === undefined ? seat : { ...seat, backup: pathOf(question, course.second) };
}
