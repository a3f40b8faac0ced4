/** A clock that stands still until a test moves it. Alarms ring in the order of their time, then of their setting. */
import { setImmediate as turn } from 'node:timers/promises';
import { type Clock, type InstantMs, instant } from '../../src/kernel/clock.ts';

export class HandClock implements Clock {
  #now: number;
  #alarms: { readonly at: number; readonly wake: () => void }[] = [];

  constructor(start: InstantMs) {
    this.#now = start;
  }

  now(): InstantMs {
    return instant(this.#now);
  }

  alarm(at: InstantMs, wake: () => void): () => void {
    const alarm = { at: Math.max(at, this.#now), wake };
    this.#alarms.push(alarm);
    return () => {
      this.#alarms = this.#alarms.filter((other) => other !== alarm);
    };
  }

  /** How many alarms are set: a stopped thing leaves none behind. */
  get waiting(): number {
    return this.#alarms.length;
  }

  /** Goes `ms` ahead, ringing on the way, and lets what was woken do its work. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await calm();
      const due = this.#alarms.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#alarms = this.#alarms.filter((alarm) => alarm !== due);
      this.#now = due.at;
      due.wake();
    }
    this.#now = end;
    await calm();
  }
}

/** Lets everything that needs no time come to rest. */
export async function calm(): Promise<void> {
  for (let i = 0; i < 5; i++) await turn();
}
