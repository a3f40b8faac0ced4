/**
 * The ladder of admission: a slot that is free; else proof that even moving everybody would not help; else
 * three ways of making room, each dearer than the one before. The answer says who moves where and in which
 * order, or why not. The fleet is left exactly as it was: the caller enters what it accepts.
 */
import { invariant } from '../../kernel/assert.ts';
import type { Seconds } from '../../model/capacity.ts';
import type { Ask, Cut, EdgeUse, Move, Placed, Refused, Rung, Seat, Slot } from './booking.ts';
import { type ChainLimits, chain } from './chain.ts';
import { type Course, firstCourse, pathOf, usesOf } from './course.ts';
import type { Entry, Fleet } from './fleet.ts';
import { type GuidedLimits, guided } from './guided.ts';
import { fits, order, sameUses, type Target } from './order.ts';
import { refuse, refusedBy, tooShort } from './refusal.ts';
import { type SqueakyLimits, squeaky } from './squeaky.ts';
import { Trial } from './trial.ts';

/** What the ladder may spend. All of it counts searches and bookings, nothing counts time. */
export interface Limits {
  /** Undefined: that rung is left out. */
  readonly chain?: ChainLimits;
  readonly guided?: GuidedLimits;
  readonly squeaky?: SqueakyLimits;
  /** Name bottlenecks and alternatives in a refusal. */
  readonly explain: boolean;
}

export const usual: Limits = {
  chain: { depth: 2, work: 150, starts: 24, tries: 6, ejected: 12 },
  guided: { restarts: 2, rounds: 24, work: 1_200, starts: 12, unplaced: 20, ejected: 5, shifts: 6 },
  squeaky: { rounds: 30, work: 700, size: 24 },
  explain: true,
};

/** First fit in the window and nobody moves: what the others are compared with. */
export const withoutMoves: Limits = { explain: false };

export function place(fleet: Fleet, ask: Ask, now: Seconds, limits: Limits = usual): Placed | Refused {
  fleet.advance(now);
  const trial = new Trial(fleet, now, 0);
  const newcomer = trial.newcomer(ask);
  const asked = trial.ask(newcomer);
  if ('found' in asked) return refusedBy(asked);
  const from = trial.earliest(newcomer);
  const latest = trial.latest(newcomer);
  if (from > latest) return tooShort(trial, newcomer, limits.explain);

  const direct = firstCourse(asked.total, ask.duration, from, latest);
  if (typeof direct !== 'string')
    return { placed: true, seat: seatOf(trial, newcomer, direct), moves: [], by: 'DIRECT' };

  const cuts: Cut[] = [];
  const rigid = firstCourse(asked.rigid, ask.duration, from, latest, cuts);
  if (rigid === 'NONE') return refuse(trial, newcomer, 'PROVEN_IMPOSSIBLE', cuts, limits.explain);

  for (const [rung, climb] of rungs) {
    try {
      if (!climb(trial, newcomer, limits)) continue;
      const placed = settle(trial, newcomer, rung);
      if (placed !== undefined) return placed;
    } finally {
      trial.back(0);
    }
  }
  return refuse(trial, newcomer, 'BUDGET_SPENT', [], limits.explain);
}

const rungs: readonly (readonly [Rung, (trial: Trial, newcomer: Entry, limits: Limits) => boolean])[] = [
  ['CHAIN', (trial, newcomer, limits) => limits.chain !== undefined && chain(trial, newcomer, limits.chain)],
  [
    'GUIDED',
    (trial, newcomer, limits) => limits.guided !== undefined && guided(trial, newcomer, limits.guided),
  ],
  [
    'SQUEAKY',
    (trial, newcomer, limits) => limits.squeaky !== undefined && squeaky(trial, newcomer, limits.squeaky),
  ],
];

/** From the state that a rung has left in the trial to an answer; undefined when it cannot be got to in order. */
function settle(trial: Trial, newcomer: Entry, by: Rung): Placed | undefined {
  sendHome(trial);
  const origins = trial.origins();
  const targets: Target[] = [];
  for (const [entry, { slot, uses }] of origins) {
    if (entry.start === slot.start && sameUses(entry.uses, uses)) continue;
    const course = trial.courseOf(entry);
    invariant(course !== undefined, 'what has moved has a course');
    targets.push({ entry, start: entry.start, uses: entry.uses, course });
  }
  const course = trial.courseOf(newcomer);
  invariant(course !== undefined, 'the newcomer has a course');
  trial.back(0);
  const row = order(trial, targets);
  if (row === undefined) return undefined;
  if (!fits(trial, newcomer, course.start, usesOf(trial.questionOf(newcomer), course))) return undefined;
  return { placed: true, seat: seatOf(trial, newcomer, course), moves: movesOf(trial, row, origins), by };
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
  row: readonly Target[],
  origins: ReadonlyMap<Entry, { readonly slot: Slot; readonly uses: readonly EdgeUse[] }>,
): Move[] {
  const at = new Map<Entry, Slot>();
  return row.map(({ entry, course }) => {
    const from = at.get(entry) ?? origins.get(entry)?.slot;
    invariant(from !== undefined, 'what is moved was somewhere');
    const to = seatOf(trial, entry, course);
    at.set(entry, { start: to.start, end: to.end, mbps: to.mbps });
    return { id: entry.booking.id, from, to };
  });
}

function seatOf(trial: Trial, entry: Entry, course: Course): Seat {
  const { mbps, duration } = entry.booking;
  const { start } = course;
  return { start, end: start + duration, mbps, path: pathOf(trial.questionOf(entry), course) };
}
