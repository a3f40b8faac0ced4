/**
 * What a circuit has carried, counted from looks at the counters of its ports. Counters only mean something as
 * differences, and not across a restart of the device or anything else that set them anew: what went through
 * unseen then is not guessed, but counted as a gap. 64 bits last for decades; a wrap is counted all the same.
 */
import type { InstantMs } from '../kernel/clock.ts';

/** The counters of one port, as a device says them. */
export interface Counters {
  readonly inOctets: bigint;
  readonly outOctets: bigint;
  /** Differences across a change of this mean nothing. */
  readonly discontinuity: number;
  /** Hundredths of a second since the device started; begins again after 497 days. */
  readonly upTicks: number;
}

export interface Reading extends Counters {
  readonly at: InstantMs;
}

export interface Octets {
  readonly in: bigint;
  readonly out: bigint;
  readonly since: InstantMs;
  readonly last: Reading;
  /** Has it light? What goes through the port otherwise is somebody else's. */
  readonly open: boolean;
  /** How often something may have gone through unseen. */
  readonly gaps: number;
}

const TICKS = 2 ** 32;
const WRAP = 1n << 64n;
const HALF = 1n << 63n;
/** Clocks of devices drift, and answers take their time. */
const SLACK_TICKS = 6_000;

/** The light goes on: from here on the circuit is counted, and what was before is not. */
export const begin = (before: Octets | undefined, now: Reading): Octets =>
  before === undefined
    ? { in: 0n, out: 0n, since: now.at, last: now, open: true, gaps: 0 }
    : before.open
      ? advance(before, now)
      : { ...before, last: now, open: true };

/** Another look while it is on, or the last one. */
export function advance(before: Octets, now: Reading, open = true): Octets {
  if (!before.open) return before;
  const { last } = before;
  const into = grown(last, now, 'inOctets');
  const out = grown(last, now, 'outOctets');
  return {
    ...before,
    in: before.in + into.by,
    out: before.out + out.by,
    last: now,
    open,
    gaps: before.gaps + (into.gap || out.gap ? 1 : 0),
  };
}

function grown(last: Reading, now: Reading, which: 'inOctets' | 'outOctets'): { by: bigint; gap: boolean } {
  const by = now[which] - last[which];
  // After a restart a counter says what has come since; what came before it, unseen, is lost.
  if (restarted(last, now)) return { by: now[which], gap: true };
  if (now.discontinuity !== last.discontinuity) return { by: 0n, gap: true };
  if (by >= 0n) return { by, gap: false };
  return last[which] >= HALF && now[which] < HALF
    ? { by: by + WRAP, gap: false }
    : // Somebody has cleared it.
      { by: now[which], gap: true };
}

function restarted(last: Reading, now: Reading): boolean {
  if (now.upTicks >= last.upTicks) return false;
  const expected = last.upTicks + (now.at - last.at) / 10;
  return expected < TICKS - SLACK_TICKS;
}
