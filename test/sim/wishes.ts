/**
 * When clients want it: fixed times, windows with more or less laxity, volumes, on demand. Often where others
 * are already, since it is there that somebody has to step aside.
 */
import { type InstantMs, instant, rfc3339 } from '../../src/kernel/clock.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import type { Dice } from './devices.ts';
import type { Swarm } from './swarm.ts';

export const RATES = [1_000, 2_500, 5_000, 10_000] as const;
const NOTICES_S = [0, 5, 5, 20, 60, 400] as const;
/** Durations that a window has beside the circuit itself. */
const LAXITY = [0, 0.5, 1, 3, 8] as const;
const BYTES_PER_MEGABIT = 125_000;

export const pick = <T>(dice: Dice, list: readonly T[]): T => list[dice.int(list.length)] as T;

export const secondOf = (now: InstantMs): number => Math.floor(now / 1000) * 1000;

const time = (ms: number): string => rfc3339(instant(ms));

/** The part of a request that speaks of time and rate, as the API has it. */
export interface Wish {
  readonly schedule: Readonly<Record<string, unknown>>;
  readonly bandwidth_mbps?: number;
  readonly pinned?: boolean;
  readonly notice_s?: number;
  /** The latest that it may end. */
  readonly endMs: number;
}

/** How long, mostly a minute or two; some last long enough to see everything healed while they run. */
const duration = (dice: Dice, lasting: number): number =>
  dice.chance(lasting) ? 600 + dice.int(600) : 10 + dice.int(110);

/** Exactly where another one ends, on top of where one is, or anywhere in the next two minutes. */
function start(dice: Dice, now: InstantMs, near: Circuit | undefined, wishes: Swarm['wishes']): number {
  const there = near?.current?.window;
  if (wishes === 'BEHIND' && there !== undefined && there.end > now) return there.end;
  if (there !== undefined && there.start > now && dice.chance(0.4))
    return there.start + (dice.int(21) - 10) * 1000;
  if (there !== undefined && there.end > now && dice.chance(0.4)) return there.end;
  return secondOf(now) + (5 + dice.int(120)) * 1000;
}

/** `abroad`: a volume is carried by one domain alone. */
export function wish(
  dice: Dice,
  now: InstantMs,
  near: Circuit | undefined,
  abroad: boolean,
  { wishes, lasting }: Swarm,
): Wish {
  if (wishes === 'MOVABLE') return movable(dice, now);
  const kind = dice.int(100);
  const mbps = pick(dice, RATES);
  const from = Math.max(start(dice, now, near, wishes), secondOf(now) + 1_000);
  const durationS = duration(dice, lasting);
  if (kind < 10) {
    const short = 10 + dice.int(90);
    const schedule = { type: 'NOW', duration_s: short };
    return { schedule, bandwidth_mbps: mbps, endMs: now + short * 1000 };
  }
  if (kind < 40) {
    const endMs = from + durationS * 1000;
    const schedule = { type: 'FIXED', start_time: time(from), end_time: time(endMs) };
    return { schedule, bandwidth_mbps: mbps, endMs };
  }
  const ways = { notice_s: pick(dice, NOTICES_S), pinned: dice.chance(0.2) };
  const deadline = from + Math.ceil(durationS * (1 + pick(dice, LAXITY))) * 1000;
  const window = {
    ...(dice.chance(0.8) ? { not_before_time: time(from) } : {}),
    deadline_time: time(Math.min(deadline, from + 1_200_000)),
  };
  if (kind < 85 || abroad) {
    const fits = Math.min(durationS, 1_200);
    const schedule = { type: 'FLEXIBLE', duration_s: fits, ...window };
    return { schedule, bandwidth_mbps: mbps, ...ways, endMs: deadline };
  }
  const bytes = (10 + dice.int(80)) * mbps * BYTES_PER_MEGABIT;
  const limits = {
    ...(dice.chance(0.5) ? { min_bandwidth_mbps: 1_000 } : {}),
    ...(dice.chance(0.5) ? { max_bandwidth_mbps: pick(dice, [2_500, 5_000, 8_000]) } : {}),
  };
  const schedule = { type: 'VOLUME', volume_bytes: bytes, ...window, ...limits };
  return { schedule, ...ways, endMs: deadline };
}

/** The whole rate, about as soon as it can still be moved, with much choice, and now and then with none. */
function movable(dice: Dice, now: InstantMs): Wish {
  const durationS = 10 + dice.int(20);
  const from = secondOf(now) + (60 + dice.int(25)) * 1000;
  const rest = { bandwidth_mbps: 10_000, notice_s: pick(dice, [0, 0, 5]) };
  if (dice.chance(0.4)) {
    const endMs = from + durationS * 1000;
    return { schedule: { type: 'FIXED', start_time: time(from), end_time: time(endMs) }, ...rest, endMs };
  }
  const endMs = from + (300 + dice.int(200)) * 1000;
  const schedule = {
    type: 'FLEXIBLE',
    duration_s: durationS,
    not_before_time: time(from),
    deadline_time: time(endMs),
  };
  return { schedule, ...rest, endMs };
}

/** A change of rate, end or window, one or two of them at a time. */
export function patch(dice: Dice, now: InstantMs, circuit: Circuit | undefined): Record<string, unknown> {
  const { current, request } = circuit ?? {};
  const schedule: Record<string, string> = {};
  const window = request?.schedule.type === 'FLEXIBLE' || request?.schedule.type === 'VOLUME';
  const step = (): number => (dice.int(101) - 40) * 1000;
  if (current !== undefined && dice.chance(0.35))
    schedule['end_time'] = time(Math.max(current.window.end + step(), current.window.start + 1_000));
  if (window && dice.chance(0.4)) schedule['deadline_time'] = time(deadlineOf(circuit) + step());
  if (window && dice.chance(0.3))
    schedule['not_before_time'] = time(secondOf(now) + (dice.int(100) - 10) * 1000);
  const asked = Object.keys(schedule).length > 0;
  const rate = !asked || dice.chance(0.3) ? { bandwidth_mbps: pick(dice, RATES) } : {};
  return asked ? { ...rate, schedule } : rate;
}

function deadlineOf(circuit: Circuit | undefined): number {
  const schedule = circuit?.request.schedule;
  return schedule !== undefined && 'deadline' in schedule ? schedule.deadline : 0;
}
