/**
 * Leaves a device or a peer alone that does not answer: after three failures in a row nothing is sent for a
 * while, then one attempt is let through, and each that fails doubles the wait. So that a dead switch costs its
 * callers nothing, and a switch that comes back is not met by all of them at once.
 */
import { type Clock, type InstantMs, instant } from './clock.ts';
import type { Random } from './random.ts';

const FAILURES = 3;
const FIRST_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 60_000;

export class Breaker {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #onChange: (state: 'OPEN' | 'CLOSED') => void;
  #failures = 0;
  #waitMs = FIRST_WAIT_MS;
  #openUntil: InstantMs | undefined;
  #probing = false;

  constructor(clock: Clock, random: Random, onChange: (state: 'OPEN' | 'CLOSED') => void) {
    this.#clock = clock;
    this.#random = random;
    this.#onChange = onChange;
  }

  get state(): 'CLOSED' | 'OPEN' {
    return this.#openUntil === undefined ? 'CLOSED' : 'OPEN';
  }

  /** May something be sent now? While open, one attempt at a time once the wait is over. */
  enter(): boolean {
    if (this.#openUntil === undefined) return true;
    if (this.#probing || this.#clock.now() < this.#openUntil) return false;
    this.#probing = true;
    return true;
  }

  /** It answered, whatever it said. */
  answered(): void {
    const wasOpen = this.#openUntil !== undefined;
    this.#failures = 0;
    this.#waitMs = FIRST_WAIT_MS;
    this.#openUntil = undefined;
    this.#probing = false;
    if (wasOpen) this.#onChange('CLOSED');
  }

  silent(): void {
    this.#failures += 1;
    this.#probing = false;
    if (this.#failures < FAILURES) return;
    const wasOpen = this.#openUntil !== undefined;
    // Up to a quarter more, so that breakers that opened together do not close together.
    const wait = this.#waitMs + this.#random.int(Math.max(1, this.#waitMs / 4));
    this.#openUntil = instant(this.#clock.now() + wait);
    this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * 2);
    if (!wasOpen) this.#onChange('OPEN');
  }
}
