/**
 * Admission over several domains: which start, which rate, which road. Only our own calendars are known for
 * certain; of the others there is what they have advertised, what they have said of their availability, and
 * what they have refused already.
 */

import { type InstantMs, instant, NEVER } from '../../kernel/clock.ts';
import { BrokerError } from '../../kernel/errors.ts';
import { fromSeconds, type Seconds, toSeconds } from '../../model/capacity.ts';
import type { CircuitRequest, Segment, Setback } from '../../model/circuit.ts';
import { contains, type Window } from '../../model/window.ts';
import { findEarliest } from '../../topology/search/earliest.ts';
import { type Placing, queryOf, type Slot, type Wish } from '../circuits/plan.ts';
import type { Ground } from '../ground.ts';
import { planAbroad, worldFree } from './abroad.ts';
import { gridUp } from './availability.ts';

/** Starts that are looked at for one rate. */
const MOST_STARTS = 48;
/** Rates that are tried for a volume, from the highest down. */
const MOST_RATES = 6;

/** What a domain has said of one way through it: starts that would do, and how far it has looked. */
export interface Availability {
  readonly domain: string;
  readonly a: string;
  readonly z: string;
  readonly mbps: number;
  readonly durationS: number;
  /** What it was asked for begins here; its answers begin on the grid. */
  readonly from: InstantMs;
  readonly intervals: readonly Window[];
  readonly until: InstantMs;
}

export function placeAbroad(
  ground: Ground,
  id: string,
  request: CircuitRequest,
  wish: Wish,
  setbacks: readonly Setback[] = [],
  known: readonly Availability[] = [],
): Placing {
  let problem: BrokerError | undefined;
  // What others have said is coarse: where it leaves nothing, holds decide without it.
  for (const said of known.length === 0 ? [known] : [known, []]) {
    for (const { mbps, durationS } of ratesOf(ground, request, wish)) {
      const placing = earliest(ground, id, request, { ...wish, mbps, durationS }, setbacks, said);
      if (placing.kind === 'placed') return placing;
      problem ??= placing.problem;
    }
  }
  const late = new BrokerError('DEADLINE_UNREACHABLE', 'the window is shorter than the duration');
  return { kind: 'refused', problem: problem ?? late };
}

interface Rate {
  readonly mbps: number;
  readonly durationS: number;
}

/** A volume finishes soonest at the highest rate; where that finds no room a lower one may. */
function ratesOf(ground: Ground, request: CircuitRequest, wish: Wish): Rate[] {
  const { schedule } = request;
  if (schedule.type !== 'VOLUME') return [{ mbps: wish.mbps, durationS: wish.durationS }];
  const world = ground.world();
  const ends = [request.a, request.z].map(({ port }) => world.network.ports.get(port)?.mbps ?? 0);
  const most = Math.min(...ends, schedule.maxMbps ?? Number.MAX_SAFE_INTEGER);
  const least = Math.max(1, schedule.minMbps ?? 1);
  const window = toSeconds(wish.deadline) - toSeconds(wish.notBefore);
  const rates: Rate[] = [];
  for (let mbps = most; mbps >= least && rates.length < MOST_RATES; mbps = Math.floor(mbps / 2)) {
    const durationS = Math.max(1, Math.ceil((schedule.volumeBytes * 8) / (mbps * 1e6)));
    if (durationS > window) break;
    rates.push({ mbps, durationS });
  }
  return rates;
}

/** From one start to the next at which our own network opens and everybody who has spoken agrees. */
function earliest(
  ground: Ground,
  id: string,
  request: CircuitRequest,
  wish: Wish,
  setbacks: readonly Setback[],
  known: readonly Availability[],
): Placing {
  const latest = toSeconds(wish.deadline) - wish.durationS;
  let start: Seconds | undefined = toSeconds(wish.notBefore);
  let problem: BrokerError | undefined;
  for (let i = 0; i < MOST_STARTS && start !== undefined && start <= latest; i++) {
    const end = wish.deadline === NEVER ? NEVER : fromSeconds(start + wish.durationS);
    const slot: Slot = { window: { start: fromSeconds(start), end }, mbps: wish.mbps };
    const planned = planAbroad(ground, id, request, slot, setbacks);
    if (planned.kind === 'refused') {
      problem ??= planned.problem;
      start = nextStart(ground, request, slot, latest, setbacks);
      continue;
    }
    const later = whenAllAgree(planned.segments, slot, wish.durationS, known);
    if (later === start) return { kind: 'placed', slot, segments: planned.segments, moves: [] };
    start = later;
  }
  const late = new BrokerError('DEADLINE_UNREACHABLE', 'the window is shorter than the duration');
  return { kind: 'refused', problem: problem ?? late };
}

/** The first start from the slot's on that suits every domain that has said when it could. */
function whenAllAgree(
  segments: readonly Segment[],
  { window, mbps }: Slot,
  durationS: number,
  known: readonly Availability[],
): Seconds | undefined {
  const said = known.filter(
    (one) =>
      one.mbps >= mbps &&
      one.durationS >= durationS &&
      segments.some((s) => s.domain === one.domain && s.a.port === one.a && s.z.port === one.z),
  );
  let start = window.start;
  for (let before: InstantMs | undefined; start !== before; ) {
    before = start;
    for (const { from, intervals, until } of said) {
      if (start >= until || start < gridUp(from)) continue;
      if (intervals.some((interval) => contains(interval, start))) continue;
      const next = intervals.find((interval) => interval.start > start);
      start = next?.start ?? until;
    }
  }
  return toSeconds(start);
}

/** When something opens on our side after a start that did not do, or others have said that theirs does. */
function nextStart(
  ground: Ground,
  request: CircuitRequest,
  slot: Slot,
  latest: Seconds,
  setbacks: readonly Setback[],
): Seconds | undefined {
  const { start, end, ...query } = queryOf(ground, request, slot);
  if (start + 1 > latest) return undefined;
  const { network, free } = worldFree(ground, slot, []);
  const found = findEarliest(
    { network, free },
    { ...query, notBefore: start + 1, latest, duration: end - start },
  );
  if (!found.found) return undefined;
  if (found.start > start + 1) return found.start;
  // Ours is open all along: what was refused elsewhere opens when it was said to, or step by step.
  const opens = setbacks.flatMap((s) =>
    s.opens !== undefined && s.opens > slot.window.start ? [s.opens] : [],
  );
  const soonest = opens.length === 0 ? undefined : toSeconds(instantMin(opens));
  const step = start + Math.max(1, Math.ceil((latest - start) / MOST_STARTS));
  return Math.min(latest, soonest ?? step);
}

const instantMin = (times: readonly InstantMs[]): InstantMs => instant(Math.min(...times));
