/** Which circuits may step aside for others, and how far: what the fleet must know of a circuit that is booked. */
import { invariant } from '../../kernel/assert.ts';
import { type InstantMs, instant } from '../../kernel/clock.ts';
import { type Circuit, type CircuitRequest, localSegment } from '../../model/circuit.ts';

/** Booked, dark, all ours, with a window and no change under way. */
export const isMovable = (circuit: Circuit): boolean =>
  couldMove(circuit) && circuit.current?.segments.length === 1;

/** The same of a circuit that other domains must agree to move. */
export const isMovableAbroad = (circuit: Circuit): boolean =>
  couldMove(circuit) && (circuit.current?.segments.length ?? 0) > 1;

function couldMove(circuit: Circuit): boolean {
  const { request, current, state } = circuit;
  if (
    circuit.role !== 'HOME' ||
    state !== 'SCHEDULED' ||
    current === undefined ||
    circuit.pending !== undefined
  )
    return false;
  if (!mayMove(request)) return false;
  const segment = localSegment(current);
  return segment?.light === 'DARK';
}

/** Was it asked for in a way that leaves us a choice? */
export const mayMove = ({ pinned, schedule }: CircuitRequest): boolean =>
  !pinned && (schedule.type === 'FLEXIBLE' || schedule.type === 'VOLUME');

/** The window that a booked circuit may be moved in. */
export function windowOf({ request, createTime, bounds }: Circuit): {
  readonly notBefore: InstantMs;
  readonly deadline: InstantMs;
} {
  const { schedule } = request;
  invariant(schedule.type === 'FLEXIBLE' || schedule.type === 'VOLUME', 'only what has a window may move');
  const notBefore = schedule.notBefore ?? createTime;
  if (bounds === undefined) return { notBefore, deadline: schedule.deadline };
  return {
    notBefore: instant(Math.max(notBefore, bounds.start)),
    deadline: instant(Math.min(schedule.deadline, bounds.end)),
  };
}
