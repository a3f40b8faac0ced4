/**
 * The ladder of admission: a slot that is free; else proof that even moving everybody would not help; else
 * three ways of making room, each dearer than the one before. The answer says who moves where and in which
 * order, or why not. The fleet is left exactly as it was: the caller enters what it accepts.
 */
import { invariant } from '../../kernel/assert.ts';
import type { Seconds } from '../../model/capacity.ts';
import type { Ask, Cut, Placed, Refused, Rung } from './booking.ts';
import { type ChainLimits, chain } from './chain.ts';
import { firstCourse } from './course.ts';
import type { Entry, Fleet } from './fleet.ts';
import { type GuidedLimits, guided } from './guided.ts';
import { refuse, refusedBy, tooShort } from './refusal.ts';
import { seatOf, settle } from './settle.ts';
import { shortCourse } from './short.ts';
import { type SqueakyLimits, squeaky } from './squeaky.ts';
import { type Asked, Trial } from './trial.ts';

/** What the ladder may spend. All of it counts links and bookings, nothing counts time. */
export interface Limits {
  /** Undefined: that rung is left out. */
  readonly chain?: ChainLimits;
  readonly guided?: GuidedLimits;
  readonly squeaky?: SqueakyLimits;
  /** Of all that is free, rather a short way than an early start. */
  readonly short?: boolean;
  /** Name bottlenecks and alternatives in a refusal. */
  readonly explain: boolean;
  /** See Move.step. False: no two bookings ever change places at once, and some requests find no way. */
  readonly circles: boolean;
}

export const usual: Limits = {
  chain: { depth: 2, work: 12_000, starts: 12, tries: 5, ejected: 12 },
  guided: {
    restarts: 8,
    rounds: 600,
    work: 50_000,
    starts: 10,
    looks: 5,
    unplaced: 40,
    ejected: 8,
    shifts: 4,
  },
  squeaky: { rounds: 40, work: 8_000, size: 24 },
  short: true,
  explain: true,
  circles: true,
};

/** First fit in the window and nobody moves: what the others are compared with. */
export const withoutMoves: Limits = { explain: false, circles: false };

export function place(fleet: Fleet, ask: Ask, now: Seconds, limits: Limits = usual): Placed | Refused {
  fleet.advance(now);
  const trial = new Trial(fleet, now, 0);
  const newcomer = trial.newcomer(ask);
  const asked = trial.ask(newcomer);
  if ('found' in asked) return refusedBy(asked);
  const from = trial.earliest(newcomer);
  const latest = trial.latest(newcomer);
  if (from > latest) return tooShort(trial, newcomer, limits.explain);

  const direct = (limits.short === true ? shortCourse : firstCourse)(asked.total, ask.duration, from, latest);
  if (typeof direct !== 'string')
    return { placed: true, seat: seatOf(trial, newcomer, direct), moves: [], by: 'DIRECT' };

  const force = (): Placed | Refused => makeWay(trial, newcomer, asked, from, latest, limits);
  // Whoever must stay clear of the newcomer knows it by its name.
  if (fleet.shunnedBy(ask.id).length > 0) return force();
  return fleet.refusals.orElse(fleet.version, ask, now, limits, force);
}

/** Where nothing is free: by moving others, or not at all. */
function makeWay(
  trial: Trial,
  newcomer: Entry,
  asked: Asked,
  from: Seconds,
  latest: Seconds,
  limits: Limits,
): Placed | Refused {
  const cuts: Cut[] = [];
  const rigid = firstCourse(asked.rigid, newcomer.booking.duration, from, latest, cuts);
  if (rigid === 'NONE') return refuse(trial, newcomer, 'PROVEN_IMPOSSIBLE', cuts, limits.explain);

  for (const [rung, climb] of rungs) {
    try {
      if (!climb(trial, newcomer, limits)) continue;
      const course = trial.courseOf(newcomer);
      invariant(course !== undefined, 'the newcomer has a course');
      const moves = settle(trial, newcomer, limits.circles);
      if (moves !== undefined)
        return { placed: true, seat: seatOf(trial, newcomer, course), moves, by: rung };
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
