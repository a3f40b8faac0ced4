/**
 * Changing what is booked: another rate, duration or window. Who has started keeps its path and start, and
 * others may have to make room for what it needs more; who has not is placed anew, where it is if that can
 * be. Answers only; the caller enters it.
 */
import type { Seconds } from '../../model/capacity.ts';
import type { Share } from '../calendar.ts';
import { type Ask, type Booking, type Move, type Refused, type Seat, sharesOf } from './booking.ts';
import { type Cleared, clear } from './clear.ts';
import { courseOver } from './course.ts';
import type { Fleet, Undo } from './fleet.ts';
import { type Limits, place, usual } from './place.ts';
import { seatOf } from './settle.ts';
import { Trial } from './trial.ts';

export interface Change {
  readonly mbps?: number;
  readonly duration?: number;
  readonly notBefore?: Seconds;
  readonly deadline?: Seconds;
}

export type Changed =
  | {
      readonly possible: true;
      /** The booking's new ask: its window, rate and duration. */
      readonly ask: Ask;
      /** Absent: it keeps its start, path and labels, and claims them at the new rate to the new end. */
      readonly seat?: Seat;
      readonly moves: readonly Move[];
    }
  | { readonly possible: false; readonly refused?: Refused; readonly stuck: readonly string[] };

export function canChange(
  fleet: Fleet,
  id: string,
  change: Change,
  now: Seconds,
  limits: Limits = usual,
): Changed | undefined {
  fleet.advance(now);
  const booking = fleet.get(id);
  if (booking === undefined) return undefined;
  const { start: _start, uses: _uses, claims: _claims, ...before } = booking;
  const ask: Ask = { ...before, ...change };
  const kept = inPlace(fleet, booking, ask, now, limits);
  if (kept !== undefined && kept.stuck.length === 0) return { possible: true, ask, moves: kept.moves };
  // What has begun, or is about to, cannot go elsewhere.
  if (booking.start <= now + booking.notice) return { possible: false, stuck: kept?.stuck ?? [] };
  const undo: Undo[] = [];
  try {
    fleet.drop(id, undo);
    const seat = samePath(fleet, booking, ask, now);
    if (seat !== undefined) return { possible: true, ask, seat, moves: [] };
    const placed = place(fleet, ask, now, limits);
    if (placed.placed) return { possible: true, ask, seat: placed.seat, moves: placed.moves };
    return { possible: false, refused: placed, stuck: kept?.stuck ?? [] };
  } finally {
    for (const one of undo.reverse()) one();
  }
}

/** Same start, path and labels: what it needs beyond what it has, if its window still allows that. */
function inPlace(
  fleet: Fleet,
  booking: Booking,
  ask: Ask,
  now: Seconds,
  limits: Limits,
): Cleared | undefined {
  const { start, uses } = booking;
  const end = start + ask.duration;
  const lit = start <= now;
  if ((!lit && start < ask.notBefore) || end > ask.deadline || end <= now) return undefined;
  const until = start + booking.duration;
  const from = Math.max(start, now);
  const more: Share[] = [];
  const shared = Math.min(end, until);
  if (ask.mbps > booking.mbps && from < shared) {
    const unlabelled = uses.map(({ edge }) => ({ edge }));
    more.push(...sharesOf(unlabelled, from, shared, ask.mbps - booking.mbps));
  }
  if (end > until) more.push(...sharesOf(uses, Math.max(from, until), end, ask.mbps));
  if (more.length === 0) return { moves: [], stuck: [] };
  const undo: Undo[] = [];
  try {
    // It must not be asked to make room for itself.
    fleet.put({ ...booking, movable: false }, undo);
    return clear(fleet, more, now, limits);
  } finally {
    for (const one of undo.reverse()) one();
  }
}

/** On its own links at its own start, with whichever labels are free. */
function samePath(fleet: Fleet, booking: Booking, ask: Ask, now: Seconds): Seat | undefined {
  const trial = new Trial(fleet, now, 0);
  const entry = trial.newcomer(ask);
  const { start } = booking;
  if (!('total' in trial.ask(entry)) || start < trial.earliest(entry) || start > trial.latest(entry))
    return undefined;
  const { network } = fleet;
  const links = fleet.linksOfUses(booking.uses).map((link) => network.linkIndex.get(link));
  const question = trial.questionOf(entry);
  const known = links.filter((link) => link !== undefined && !question.barred(link)) as number[];
  if (known.length < links.length) return undefined;
  const course = courseOver(question, known, { start, end: start + ask.duration });
  return course && seatOf(trial, entry, course);
}
