/**
 * Time enters the program here and nowhere else: every other file asks a Clock.
 * An alarm waits at most 60 s at a stretch and looks again, because setTimeout beyond 24.8 days fires at
 * once and because a suspended machine's timers drift. `now()` never goes back: a wall clock that is
 * stepped back stands still until it has caught up, so that no expired hold comes to life again.
 */

/** Milliseconds since the Unix epoch. */
export type InstantMs = number & { readonly __brand: 'InstantMs' };

export const instant = (ms: number): InstantMs => ms as InstantMs;

/** Later than every booking; the end of a circuit that was asked for without one. The last Date there is. */
export const NEVER = instant(8_640_000_000_000_000);

export type Cancel = () => void;

export interface Clock {
  now(): InstantMs;
  /** Calls `wake` once, at or after `at`. */
  alarm(at: InstantMs, wake: () => void): Cancel;
  /** From now on time does not fall below `floor`: what another process has seen counts here too. */
  raise?(floor: InstantMs): void;
}

const LONGEST_WAIT_MS = 60_000;

/** The wall clock. `floor` is the high-water mark of an earlier run: time never falls below it. */
export function wallClock(floor: InstantMs = instant(0)): Clock {
  let highest = floor;
  const now = (): InstantMs => {
    const read = instant(Date.now());
    if (read > highest) highest = read;
    return highest;
  };
  return {
    now,
    raise(seen) {
      if (seen > highest) highest = seen;
    },
    alarm(at, wake) {
      let timer: NodeJS.Timeout | undefined;
      const look = (): void => {
        const left = at - now();
        if (left <= 0) {
          timer = undefined;
          wake();
        } else {
          timer = setTimeout(look, Math.min(left, LONGEST_WAIT_MS));
        }
      };
      timer = setTimeout(look, Math.max(0, Math.min(at - now(), LONGEST_WAIT_MS)));
      return () => clearTimeout(timer);
    },
  };
}

export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.alarm(instant(clock.now() + ms), resolve);
  });
}

/** Calls `act` every `ms` until cancelled; the next wait begins when the last call has returned. */
export function every(clock: Clock, ms: number, act: () => void): Cancel {
  let stop: Cancel = () => {};
  const next = (): void => {
    stop = clock.alarm(instant(clock.now() + ms), () => {
      next();
      act();
    });
  };
  next();
  return () => stop();
}

/** Lets other work on the event loop go first. Not a timer: no time passes on any clock. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** A monotone stopwatch in milliseconds, for reports and metrics only: nothing is decided by it. */
export const stopwatch = (): number => performance.now();

/** RFC 3339 in UTC with whole seconds, as the API writes it. */
export function rfc3339(at: InstantMs): string {
  return `${new Date(Math.floor(at / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}
