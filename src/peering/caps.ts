/**
 * What one peer may ask of us: so many messages a second, so many at once, and each of them once. All of it is
 * in memory and bounded; after a restart nothing of it is needed, because the session is another.
 */
import type { Clock, InstantMs } from '../kernel/clock.ts';

/** A bucket that fills at `perSecond` and holds what two seconds bring. */
export class Bucket {
  readonly #clock: Clock;
  readonly #perSecond: number;
  #tokens: number;
  #at: InstantMs;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#tokens = 2 * perSecond;
    this.#at = clock.now();
  }

  take(): boolean {
    const now = this.#clock.now();
    this.#tokens = Math.min(2 * this.#perSecond, this.#tokens + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

/** Keys that were seen within the last `keepMs`; never more than `most`, then nothing new is let in. */
export class Seen<V = true> {
  readonly #keys = new Map<string, { readonly value: V; readonly until: number }>();
  readonly #keepMs: number;
  readonly #most: number;

  constructor(keepMs: number, most: number) {
    this.#keepMs = keepMs;
    this.#most = most;
  }

  get(key: string, now: InstantMs): V | undefined {
    const entry = this.#keys.get(key);
    return entry !== undefined && entry.until > now ? entry.value : undefined;
  }

  /** False when there is no room: what cannot be remembered must not be accepted. */
  add(key: string, value: V, now: InstantMs): boolean {
    // Entered in the order of time, and all kept equally long: the oldest are first.
    for (const [old, { until }] of this.#keys) {
      if (until > now) break;
      this.#keys.delete(old);
    }
    if (this.#keys.size >= this.#most) return false;
    this.#keys.set(key, { value, until: now + this.#keepMs });
    return true;
  }
}
