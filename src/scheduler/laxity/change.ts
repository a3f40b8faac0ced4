/**
 * Changing what is booked: another rate, duration or window. Who has started, or may not move, keeps its path
 * and start, and others may have to make room for what it needs more; who may is placed anew, where it is if
 * that can be. Answers only; the caller enters it.
 */
import type { Seconds } from '../../model/capacity.ts';
import type { Share } from '../calendar.ts';
import {
  type Ask,
  type Booking,
  bookingOf,
  type Move,
  type Placed,
  type Refused,
  type Seat,
  sharesOf,
} from './booking.ts';
import { type Cleared, clear } from './clear.ts';
import { courseOver } from './course.ts';
import type { Fleet, Undo } from './fleet.ts';
import { fits } from './order.ts';
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
      /** The moves need the room that the booking itself gives up: all of it happens in one step. */
      readonly together: boolean;
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
  if (kept?.free === true) return { possible: true, ask, moves: kept.moves, together: false };
  // What has begun, or is about to, cannot go elsewhere.
  if (booking.start <= now + booking.notice) return { possible: false, stuck: kept?.stuck ?? [] };
  const elsewhere = anew(fleet, booking, ask, now, limits);
  if (elsewhere === undefined) return { possible: false, stuck: kept?.stuck ?? [] };
  if (!elsewhere.placed) return { possible: false, refused: elsewhere, stuck: kept?.stuck ?? [] };
  const { seat, moves } = elsewhere;
  const together = !inOrder(fleet, moves, now);
  return together && !limits.circles
    ? { possible: false, stuck: moves.map((move) => move.id) }
    : { possible: true, ask, seat, moves, together };
}

/**
 * As if it were a new request, its old place free; on its old path at its old start if that can be. What may not
 * move has no other place.
 */
function anew(
  fleet: Fleet,
  booking: Booking,
  ask: Ask,
  now: Seconds,
  limits: Limits,
): Placed | Refused | undefined {
  const undo: Undo[] = [];
  try {
    fleet.drop(booking.id, undo);
    const seat = samePath(fleet, booking, ask, now);
    if (seat !== undefined) return { placed: true, seat, moves: [], by: 'DIRECT' };
    return booking.movable ? place(fleet, ask, now, limits) : undefined;
  } finally {
    for (const one of undo.reverse()) one();
  }
}

/** Are the moves legal one after the other while the booking is still in its old place? */
function inOrder(fleet: Fleet, moves: readonly Move[], now: Seconds): boolean {
  const trial = new Trial(fleet, now, 0);
  try {
    for (let i = 0; i < moves.length; ) {
      const { step } = moves[i] as Move;
      const together: Move[] = [];
      while (moves[i]?.step === step) together.push(moves[i++] as Move);
      const entries = together.map(({ id, to }) => ({ entry: fleet.entry(id), to }));
      for (const { entry } of entries) if (entry !== undefined) trial.take(entry);
      for (const { entry, to } of entries) {
        if (entry === undefined) continue;
        const { start, uses } = bookingOf(entry.booking, to, (edge) => fleet.network.names.intern(edge));
        if (!fits(trial, entry, start, uses)) return false;
        trial.giveUses(entry, start, uses, undefined);
      }
    }
    return true;
  } finally {
    trial.back(0);
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
  if (more.length === 0) return { moves: [], free: true, stuck: [] };
  const undo: Undo[] = [];
  try {
    // It must not be asked to make room for itself.
    fleet.put({ ...booking, movable: false }, undo);
    return clear(fleet, more, now, limits);
  } finally {
    for (const one of undo.reverse()) one();
  }
}

/** On its own links at its own start, with whichever labels are free. Two roads are looked for anew. */
function samePath(fleet: Fleet, booking: Booking, ask: Ask, now: Seconds): Seat | undefined {
  const trial = new Trial(fleet, now, 0);
  const entry = trial.newcomer(ask);
  const { start } = booking;
  if (
    ask.protected === true ||
    !('total' in trial.ask(entry)) ||
    start < trial.earliest(entry) ||
    start > trial.latest(entry)
  )
    return undefined;
  const { network } = fleet;
  const links = fleet.linksOfUses(booking.uses).map((link) => network.linkIndex.get(link));
  const question = trial.questionOf(entry);
  const known = links.filter((link) => link !== undefined && !question.barred(link)) as number[];
  if (known.length < links.length) return undefined;
  const course = courseOver(question, known, { start, end: start + ask.duration });
  return course && seatOf(trial, entry, course);
}
