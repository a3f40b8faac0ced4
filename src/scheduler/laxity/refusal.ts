/**
 * What a refusal says besides no: what stands in the way, and what could be booked instead as things are. This
 * is worth some more searches, all of them counted; nothing here moves anybody.
 */
import { LAST_SECOND, type Seconds } from '../../model/capacity.ts';
import { findEarliest } from '../../topology/search/earliest.ts';
import { findPair } from '../../topology/search/pair.ts';
import type { Refusal } from '../../topology/search/question.ts';
import type { Alternative, Bottleneck, Cut, Refused } from './booking.ts';
import { firstCourse } from './course.ts';
import type { Entry } from './fleet.ts';
import type { Found, Posed } from './pair.ts';
import type { Trial } from './trial.ts';

/** A later slot is looked for so far ahead of the window's end. */
const LOOK_AHEAD_S = 30 * 86_400;
/** Halvings of the time before the window in which the latest earlier slot is looked for. */
const STEPS_BACK = 24;
/** Halvings of the rate before the closest one that fits is named. */
const RATE_STEPS = 8;
const MAX_BOTTLENECKS = 16;

const blank = {
  placed: false,
  cuts: [],
  bottlenecks: [],
  alternatives: [],
  errors: [],
  constraints: [],
} as const;

/** The ask cannot be put to this network at all. */
export const refusedBy = ({
  reason,
  detail,
  bottlenecks,
  errors,
  constraints,
  proven,
}: Refusal): Refused => ({
  ...blank,
  proof: proven ? 'PROVEN_IMPOSSIBLE' : 'BUDGET_SPENT',
  reason,
  detail,
  bottlenecks: bottlenecks.map((one) => ({ ...told(one), start: 0, end: LAST_SECOND })),
  errors,
  constraints,
});

const told = ({
  edge,
  kind,
  free,
  node,
}: Refusal['bottlenecks'][number]): Omit<Bottleneck, 'start' | 'end'> => ({
  edge,
  kind,
  free,
  ...(node === undefined ? {} : { node }),
});

export const tooShort = (trial: Trial, newcomer: Entry, explain: boolean): Refused => {
  const shortfall = trial.earliest(newcomer) - trial.latest(newcomer);
  return {
    ...blank,
    proof: 'PROVEN_IMPOSSIBLE',
    reason: 'WINDOW',
    detail: `the window is ${shortfall} s shorter than the duration`,
    shortfall,
    alternatives: explain ? alternatives(trial, newcomer) : [],
  };
};

export function refuse(
  trial: Trial,
  newcomer: Entry,
  proof: Refused['proof'],
  cuts: readonly Cut[],
  explain: boolean,
): Refused {
  const detail =
    proof === 'PROVEN_IMPOSSIBLE'
      ? 'what cannot be moved leaves no path in the window'
      : 'no way was found to make room within the bounded work';
  if (!explain) return { ...blank, proof, reason: 'CAPACITY', detail, cuts };
  const { rigid, total } = trial.mustAsk(newcomer);
  const why = reasons(trial, newcomer, proof === 'PROVEN_IMPOSSIBLE' ? rigid : total);
  return {
    ...blank,
    proof,
    reason: why.reason === 'BUDGET' ? 'CAPACITY' : why.reason,
    detail: why.reason === 'CAPACITY' || why.reason === 'BUDGET' ? detail : why.detail,
    cuts,
    bottlenecks: why.bottlenecks,
    constraints: why.constraints,
    alternatives: alternatives(trial, newcomer),
  };
}

function reasons(
  trial: Trial,
  newcomer: Entry,
  { query, question, pair }: Posed,
): Pick<Refusal, 'reason' | 'detail' | 'constraints'> & { readonly bottlenecks: readonly Bottleneck[] } {
  const { duration } = newcomer.booking;
  // At the first start that could have been: the window's later ones are in the cuts.
  const notBefore = trial.earliest(newcomer);
  const snapshot = { network: question.network, free: question.free };
  const end = notBefore + duration;
  const found = pair
    ? findPair(snapshot, { ...query, start: notBefore, end, disjoint: 'LINK' })
    : findEarliest(snapshot, { ...query, notBefore, latest: notBefore, duration });
  if (found.found) return { reason: 'CAPACITY', detail: '', constraints: [], bottlenecks: [] };
  const { reason, detail, constraints } = found;
  const bottlenecks = found.bottlenecks
    .slice(0, MAX_BOTTLENECKS)
    .map((one) => ({ ...told(one), start: notBefore, end }));
  return { reason, detail, constraints, bottlenecks };
}

function alternatives(trial: Trial, newcomer: Entry): Alternative[] {
  return [earlier(trial, newcomer), later(trial, newcomer), slower(trial, newcomer)].filter(
    (one) => one !== undefined,
  );
}

function look(trial: Trial, newcomer: Entry, from: Seconds, latest: Seconds): Found {
  if (from > latest) return 'NONE';
  return firstCourse(trial.mustAsk(newcomer).total, newcomer.booking.duration, from, latest);
}

function alternative(newcomer: Entry, kind: Alternative['kind'], found: Found): Alternative | undefined {
  if (typeof found === 'string') return undefined;
  const { duration, notBefore, deadline, mbps } = newcomer.booking;
  const end = found.start + duration;
  return {
    kind,
    start: found.start,
    end,
    mbps,
    notBefore: Math.min(notBefore, found.start),
    deadline: Math.max(deadline, end),
  };
}

/** The latest start before the window at which it fits, to within the steps that are counted. */
function earlier(trial: Trial, newcomer: Entry): Alternative | undefined {
  let low = trial.now;
  let high = Math.min(newcomer.booking.notBefore, trial.latest(newcomer) + 1) - 1;
  let best = alternative(newcomer, 'EARLIER', look(trial, newcomer, low, high));
  for (let step = 0; step < STEPS_BACK && best !== undefined; step++) {
    low = Math.max(best.start + 1, Math.ceil((best.start + high) / 2));
    if (low > high) break;
    const nearer = alternative(newcomer, 'EARLIER', look(trial, newcomer, low, high));
    if (nearer === undefined) high = low - 1;
    else best = nearer;
  }
  return best;
}

function later(trial: Trial, newcomer: Entry): Alternative | undefined {
  const { duration } = newcomer.booking;
  const from = Math.max(trial.now, trial.latest(newcomer) + 1);
  const latest = Math.min(from + LOOK_AHEAD_S, LAST_SECOND - duration - 1);
  return alternative(newcomer, 'LATER', look(trial, newcomer, from, latest));
}

/** In the window asked for, at the highest rate that fits, to within a two hundred and fifty-sixth. */
function slower(trial: Trial, newcomer: Entry): Alternative | undefined {
  const from = trial.earliest(newcomer);
  const latest = trial.latest(newcomer);
  let [low, high] = [0, newcomer.booking.mbps];
  let best: Alternative | undefined;
  for (let step = 0; step < RATE_STEPS && high - low > 1; step++) {
    const mbps = Math.floor((low + high) / 2);
    // Asked anew: links that are too small for the rate asked for may do for a lower one.
    const slow = trial.newcomer({ ...newcomer.booking, mbps });
    if (!('total' in trial.ask(slow))) break;
    const found = alternative(slow, 'SLOWER', look(trial, slow, from, latest));
    if (found === undefined) high = mbps;
    else [low, best] = [mbps, found];
  }
  return best;
}
