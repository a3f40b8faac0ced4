/**
 * Virtual time. Alarms fire in the order of their time, then of their setting; nothing else moves the clock.
 * Each broker reads it through its own watch, which may be off by a little and dies with the process.
 */
import { type Cancel, type Clock, type InstantMs, instant } from '../../src/kernel/clock.ts';

interface Alarm {
  readonly at: number;
  readonly order: number;
  readonly wake: () => void;
}

export class SimClock implements Clock {
  #now: number;
  #order = 0;
  readonly #alarms = new Set<Alarm>();

  constructor(start: InstantMs) {
    this.#now = start;
  }

  now(): InstantMs {
    return instant(this.#now);
  }

  alarm(at: InstantMs, wake: () => void): Cancel {
    const alarm: Alarm = { at: Math.max(at, this.#now), order: this.#order++, wake };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.alarm(instant(this.#now + ms), resolve);
    });
  }

  /** Goes to the next alarm that is not after `until` and fires it; false, and time is `until`, when there is none. */
  step(until: InstantMs): boolean {
    let next: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (next === undefined || alarm.at < next.at || (alarm.at === next.at && alarm.order < next.order))
        next = alarm;
    }
    if (next === undefined || next.at > until) {
      this.#now = Math.max(this.#now, until);
      return false;
    }
    this.#alarms.delete(next);
    this.#now = next.at;
    next.wake();
    return true;
  }
}

/** One process's clock: off by `skewMs`, and silent once the process has died. */
export class Watch implements Clock {
  readonly #clock: SimClock;
  readonly #skewMs: number;
  readonly #alive: () => boolean;

  constructor(clock: SimClock, skewMs: number, alive: () => boolean) {
    this.#clock = clock;
    this.#skewMs = skewMs;
    this.#alive = alive;
  }
  now(): InstantMs {
    return instant(this.#clock.now() + this.#skewMs);
  }
  alarm(at: InstantMs, wake: () => void): Cancel {
    return this.#clock.alarm(instant(at - this.#skewMs), () => {
      if (this.#alive()) wake();
    });
  }
}
