/**
 * One device as the executor has it: its driver, its queue, its breaker, and what is remembered of it. A question
 * goes past the queue, not past the breaker.
 */

import { Breaker } from '../kernel/breaker.ts';
import type { Clock, InstantMs } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';
import type { Driver } from './driver.ts';
import type { Tell } from './events.ts';
import { asFault } from './fault.ts';
import { Line } from './line.ts';
import type { ObservedConnect } from './port.ts';
import { SetupTimes } from './setupTimes.ts';

export const SILENCE: ReadonlySet<string> = new Set(['unreachable', 'timeout']);

export class Unit {
  readonly driver: Driver;
  readonly line = new Line();
  readonly #breaker: Breaker;
  readonly #clock: Clock;
  /** From order to light. */
  readonly setups = new SetupTimes();
  /** When it last answered. */
  lastSeen: InstantMs | undefined;
  /** The last that was read, for when it cannot be. */
  seen: readonly ObservedConnect[] | undefined;

  constructor(driver: Driver, clock: Clock, random: Random, tell: Tell) {
    this.driver = driver;
    this.#clock = clock;
    const { device } = driver;
    this.#breaker = new Breaker(clock, random, (state) => tell({ event: 'device.breaker', device, state }));
  }

  get breaker(): 'CLOSED' | 'OPEN' {
    return this.#breaker.state;
  }

  /** May something be sent now? */
  enter(): boolean {
    return this.#breaker.enter();
  }

  answered(): void {
    this.lastSeen = this.#clock.now();
    this.#breaker.answered();
  }

  silent(): void {
    this.#breaker.silent();
  }

  /** A question, not sent while the breaker is open; counted as an answer or a silence. */
  async ask<T>(question: () => Promise<T>): Promise<T> {
    if (!this.enter()) throw new Error(`${this.driver.device}: it has not answered lately`);
    try {
      const answer = await question();
      this.answered();
      return answer;
    } catch (error) {
      if (SILENCE.has(asFault(error).kind)) this.silent();
      else this.answered();
      throw error;
    }
  }
}
