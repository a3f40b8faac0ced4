/**
 * What an emulated element does wrong, and how long it takes over everything. Plain fields that a test or a
 * scenario file sets while the element runs; counters say how many of the next writes are hit. Chance comes from
 * the element's own seed, so that a run can be had again.
 */
import { type Clock, sleep } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';

export interface Faults {
  /** Time that a write takes, drawn evenly from a range. */
  writeMs: readonly [number, number];
  readMs: number;
  /** From the write until the light is on. */
  settleMs: number;
  /** Share of requests and answers that vanish. SNMP only: TCP has no loss. */
  loss: number;
  /** The next writes are carried out, and their answers lost. */
  loseAnswers: number;
  /** The next writes are denied with this code each (TL1 error code, or SNMP error-status by name). */
  deny: string[];
  /** Accepts everything, answers nothing. */
  mute: boolean;
  /** TL1: autonomous messages between the pages of an answer, and this many lines to a page. */
  noise: boolean;
  pageLines: number;
  /** TL1: this many autonomous messages are numbered and never sent. */
  skipMessages: number;
  /** TL1: bytes to a TCP segment; 0 sends all at once. */
  dripBytes: number;
  /** SNMP: the next writes fail in their commit phase and leave half of it done. */
  failCommits: number;
}

export const noFaults = (): Faults => ({
  writeMs: [0, 0],
  readMs: 0,
  settleMs: 0,
  loss: 0,
  loseAnswers: 0,
  deny: [],
  mute: false,
  noise: false,
  pageLines: 0,
  skipMessages: 0,
  dripBytes: 0,
  failCommits: 0,
});

export async function takeTime(faults: Faults, write: boolean, clock: Clock, random: Random): Promise<void> {
  const [low, high] = write ? faults.writeMs : [faults.readMs, faults.readMs];
  const ms = low + (high > low ? random.int(high - low + 1) : 0);
  if (ms > 0) await sleep(clock, ms);
}

/** True when this write's answer is to be lost; counts it. */
export function takeLostAnswer(faults: Faults): boolean {
  if (faults.loseAnswers <= 0) return false;
  faults.loseAnswers -= 1;
  return true;
}
