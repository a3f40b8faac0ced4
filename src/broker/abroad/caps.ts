/**
 * What one peer may hold of us at most, so that a bad one squats on its quota and no more: holds by number and
 * by bandwidth times time, attempts over a circuit's whole life, and fewer at a time the more it abandons.
 */
import { type InstantMs, NEVER } from '../../kernel/clock.ts';
import type { Circuit } from '../../model/circuit.ts';
import { LEASE_MS } from '../../model/participant/homeRef.ts';
import type { Book } from '../book.ts';
import type { PeerSegment } from './peerPorts.ts';

export interface Caps {
  readonly holds: number;
  /** Mb/s times seconds of all that is held and not committed. */
  readonly megabits: number;
  /** How long one circuit may be tried, over all its versions, before it is committed. */
  readonly tryingMs: number;
  /** Of this many abandoned holds for each that was committed, one is let through a second. */
  readonly abandonedPerCommit: number;
}

export const usualCaps: Caps = {
  holds: 256,
  // 400 Gb/s for 30 days.
  megabits: 400_000 * 30 * 86_400,
  tryingMs: 3_600_000,
  abandonedPerCommit: 8,
};

/** Nobody is judged by fewer holds than these. */
const FEW = 32;
const THROTTLE_MS = 1_000;
/** Old sins count half after so long. */
const HALF_LIFE_MS = 3_600_000;

interface Record {
  abandoned: number;
  committed: number;
  since: InstantMs;
  last: InstantMs;
}

export class PeerCaps {
  readonly #caps: Caps;
  readonly #records = new Map<string, Record>();

  constructor(caps: Caps = usualCaps) {
    this.#caps = caps;
  }

  /** Why a new hold is one too many; undefined when it is not. */
  over(
    book: Book,
    from: string,
    known: Circuit | undefined,
    { window, mbps }: Pick<PeerSegment, 'window' | 'mbps'>,
    now: InstantMs,
  ): string | undefined {
    const held = [...(book.parties.heldBy.get(from) ?? [])].filter((id) => id !== known?.id);
    if (held.length >= this.#caps.holds) return `${held.length} holds are not committed yet`;
    const size = (slot: Pick<PeerSegment, 'window' | 'mbps'>): number => {
      const { start, end } = slot.window;
      return (slot.mbps * (end === NEVER ? LEASE_MS : end - start)) / 1000;
    };
    const sum = held.reduce((all, id) => {
      const placement = book.circuits.get(id)?.pending?.placement;
      return placement === undefined ? all : all + size(placement);
    }, 0);
    if (sum + size({ window, mbps }) > this.#caps.megabits)
      return 'what is held and not committed would be too much';
    const trying = known?.home?.tryingSince;
    if (trying !== undefined && now - trying > this.#caps.tryingMs)
      return 'this circuit has been tried for too long without a commit';
    const { abandoned, committed, last } = this.#recordOf(from, now);
    const many = abandoned > FEW && abandoned > this.#caps.abandonedPerCommit * (committed + 1);
    return many && now - last < THROTTLE_MS
      ? `${Math.round(abandoned)} holds were abandoned and ${Math.round(committed)} committed: one a second`
      : undefined;
  }

  granted(from: string, now: InstantMs): void {
    this.#recordOf(from, now).last = now;
  }
  committed(from: string, now: InstantMs): void {
    this.#recordOf(from, now).committed++;
  }
  abandoned(from: string, now: InstantMs): void {
    this.#recordOf(from, now).abandoned++;
  }

  #recordOf(from: string, now: InstantMs): Record {
    let record = this.#records.get(from);
    if (record === undefined) {
      record = { abandoned: 0, committed: 0, since: now, last: 0 as InstantMs };
      this.#records.set(from, record);
    }
    if (now - record.since > HALF_LIFE_MS) {
      record.abandoned /= 2;
      record.committed /= 2;
      record.since = now;
    }
    return record;
  }
}
