/**
 * How long a message that nobody answers is said again: until what it is about has been over for an hour. Then it
 * no longer matters to anybody's room, and the other side has closed it by its own clock, or its home's digest and
 * its own questions close it when it comes back. The circuit's row, and with it the tombstone, stays as it is.
 */
import { type InstantMs, instant, NEVER } from '../../kernel/clock.ts';
import { type Circuit, placements } from '../../model/circuit.ts';
import { LEASE_MS } from '../../model/participant/homeRef.ts';

const AFTER_MS = 3_600_000;

/** `since`: when it was to be said first. */
export function giveUpAt(circuit: Circuit, since: InstantMs): InstantMs {
  const ends = placements(circuit).map(({ window }) => window.end);
  const last = Math.max(since, ...(ends.length === 0 ? [requestedEnd(circuit)] : ends));
  return instant((last >= NEVER ? since + LEASE_MS : last) + AFTER_MS);
}

/** Of an attempt that has no placement any more: the latest that it could have had. */
function requestedEnd({ request: { schedule }, createTime }: Circuit): number {
  switch (schedule.type) {
    case 'FIXED':
      return schedule.end;
    case 'NOW':
      return schedule.durationS === 'NEVER' ? NEVER : createTime + schedule.durationS * 1000;
    default:
      return schedule.deadline;
  }
}
