/**
 * Admission by the laxity engine: a slot and a road inside the window that was asked for, and who steps aside
 * for it inside his own. The engine answers with data; here it becomes events of the circuits that move, in an
 * order in which every state between is legal, in the transaction of the newcomer.
 */
import { invariant } from '../../kernel/assert.ts';
import { type InstantMs, instant, NEVER, rfc3339 } from '../../kernel/clock.ts';
import { BrokerError, type Alternative as WireAlternative } from '../../kernel/errors.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import { fromSeconds, LAST_SECOND, toSeconds } from '../../model/capacity.ts';
import type { CircuitRequest, Segment } from '../../model/circuit.ts';
import type { PortId } from '../../model/port.ts';
import { nextFullSecond } from '../../model/window.ts';
import type { Ask, Placed, Refused, Seat } from '../../scheduler/laxity/booking.ts';
import { place } from '../../scheduler/laxity/place.ts';
import { placeVolume, type VolumeAsk } from '../../scheduler/laxity/volume.ts';
import { MENDED_AFTER_MS } from '../limits.ts';
import type { Tx } from '../tx.ts';
import { changeTo } from './changeTo.ts';
import { type Placing, roadOf, type Slot, slowerHere, type Wish, wireBottleneck } from './plan.ts';

/** Asks the engine for a place between two of our own ports; changes nothing. */
export function placeHere(tx: Tx, id: CircuitId, request: CircuitRequest, wish: Wish): Placing {
  const first = place(tx.book.fleet, askOf(id, request, wish, tx.now), toSeconds(tx.now));
  const answer = first.placed ? first : (afterMending(tx, id, request, wish) ?? first);
  if (!answer.placed) return { kind: 'refused', problem: problemOf(answer, wish, slower(tx, request, wish)) };
  return {
    kind: 'placed',
    slot: slotOf(answer.seat, wish),
    segments: [segmentOf(tx, answer.seat)],
    moves: answer.moves,
  };
}

/** What is out of order or silent now may well do later in the same window. */
function afterMending(tx: Tx, id: CircuitId, request: CircuitRequest, wish: Wish): Placed | undefined {
  const mended = nextFullSecond(instant(tx.now + MENDED_AFTER_MS + 1));
  const late = { ...wish, notBefore: mended };
  if (wish.notBefore >= mended || !tx.book.network.anyImpaired) return undefined;
  if (toSeconds(mended) + wish.durationS > toSeconds(wish.deadline)) return undefined;
  const answer = place(tx.book.fleet, askOf(id, request, late, tx.now), toSeconds(tx.now));
  return answer.placed ? answer : undefined;
}

/** A volume: rate and slot chosen together. */
export function placeBytes(tx: Tx, id: CircuitId, request: CircuitRequest): Placing {
  const { schedule } = request;
  invariant(schedule.type === 'VOLUME', 'there is a volume to move');
  const earliest = nextFullSecond(tx.now);
  const notBefore =
    schedule.notBefore !== undefined && schedule.notBefore > earliest ? schedule.notBefore : earliest;
  const wish: Wish = {
    notBefore,
    deadline: schedule.deadline,
    durationS: 1,
    mbps: Math.max(1, request.mbps),
    movable: !request.pinned,
  };
  const answer = placeVolume(
    tx.book.fleet,
    bytesAsk(askOf(id, request, wish, tx.now), schedule),
    toSeconds(tx.now),
  );
  if (!answer.placed) return { kind: 'refused', problem: problemOf(answer, wish, undefined) };
  return {
    kind: 'placed',
    slot: slotOf(answer.seat, wish),
    segments: [segmentOf(tx, answer.seat)],
    moves: answer.moves,
  };
}

/** An ask for so many bytes instead of a rate and a duration. */
export function bytesAsk(
  { mbps: _mbps, duration: _duration, ...ask }: Ask,
  schedule: Extract<CircuitRequest['schedule'], { type: 'VOLUME' }>,
): VolumeAsk {
  return {
    ...ask,
    volumeBytes: schedule.volumeBytes,
    ...(schedule.minMbps === undefined ? {} : { minMbps: schedule.minMbps }),
    ...(schedule.maxMbps === undefined ? {} : { maxMbps: schedule.maxMbps }),
  };
}

/** Moves everybody who steps aside for `newcomer`, one event each. */
export function applyMoves(tx: Tx, moves: Placed['moves'], newcomer: string, decisionId: string): void {
  for (const { id, to } of moves) {
    const circuit = tx.mustGet(id as CircuitId);
    const window = { start: fromSeconds(to.start), end: fromSeconds(to.end) };
    const next = { window, mbps: to.mbps, segments: [segmentOf(tx, to)] };
    changeTo(tx, circuit, next, { cause: 'MOVE', for: newcomer }, decisionId);
  }
}

export const askOf = (id: string, request: CircuitRequest, wish: Wish, now: InstantMs): Ask => ({
  id,
  a: request.a,
  z: request.z,
  mbps: wish.mbps,
  duration: wish.durationS,
  notBefore: toSeconds(wish.notBefore),
  deadline: toSeconds(wish.deadline),
  notice: request.noticeS,
  priority: request.priority,
  movable: wish.movable,
  constraints: request.constraints,
  ...(request.protection === 'PROTECTED' ? { protected: true } : {}),
  ignoreOperState: wish.notBefore > now + MENDED_AFTER_MS,
});

export const slotOf = (seat: Seat, wish: Wish): Slot => ({
  window: { start: fromSeconds(seat.start), end: wish.deadline === NEVER ? NEVER : fromSeconds(seat.end) },
  mbps: seat.mbps,
});

export function segmentOf(tx: Tx, { path, backup }: Pick<Seat, 'path' | 'backup'>): Segment {
  return {
    domain: tx.book.network.document.domain,
    local: true,
    // The engine was given these ports as they are.
    a: { ...path.a, port: path.a.port as PortId },
    z: { ...path.z, port: path.z.port as PortId },
    ...roadOf(path),
    ...(backup === undefined ? {} : { backup: roadOf(backup) }),
    agreed: 'HELD',
    light: 'DARK',
  };
}

/** What a request wishes of time: its slot, or its window. */
export function wishOf(request: CircuitRequest, slot: Slot | undefined, now: InstantMs): Wish {
  const { schedule, mbps } = request;
  if (slot !== undefined) {
    const { start, end } = slot.window;
    const durationS = (end === NEVER ? LAST_SECOND : toSeconds(end)) - toSeconds(start);
    return { notBefore: start, deadline: end, durationS, mbps: slot.mbps, movable: false };
  }
  invariant(schedule.type === 'FLEXIBLE' || schedule.type === 'VOLUME', 'whatever has no slot has a window');
  const earliest = nextFullSecond(now);
  const notBefore =
    schedule.notBefore !== undefined && schedule.notBefore > earliest ? schedule.notBefore : earliest;
  return {
    notBefore,
    deadline: schedule.deadline,
    // A volume's duration comes with its rate.
    durationS: schedule.type === 'FLEXIBLE' ? schedule.durationS : 1,
    mbps,
    movable: !request.pinned,
  };
}

/** For a slot that the request names: the most that it could have there. In a window the engine's guess must do. */
function slower(tx: Tx, request: CircuitRequest, wish: Wish): readonly WireAlternative[] | undefined {
  const whole =
    wish.deadline === NEVER || toSeconds(wish.notBefore) + wish.durationS === toSeconds(wish.deadline);
  if (!whole) return undefined;
  return slowerHere(tx.ground, request, {
    window: { start: wish.notBefore, end: wish.deadline },
    mbps: wish.mbps,
  });
}

export function problemOf(
  refused: Refused,
  wish: Wish,
  exact: readonly WireAlternative[] | undefined,
): BrokerError {
  if (refused.reason === 'INVALID')
    return new BrokerError('INVALID_REQUEST', refused.detail, { errors: refused.errors });
  const guessed = refused.alternatives.filter((one) => one.kind !== 'SLOWER' || exact === undefined);
  const alternatives = guessed.map(
    ({ start, end, mbps }): WireAlternative => ({
      start_time: rfc3339(fromSeconds(start)),
      ...(end >= LAST_SECOND ? {} : { end_time: rfc3339(fromSeconds(end)) }),
      bandwidth_mbps: mbps,
    }),
  );
  alternatives.push(...(exact ?? []));
  const also = alternatives.length === 0 ? {} : { alternatives };
  if (refused.reason === 'WINDOW') {
    const missing = refused.shortfall === undefined ? '' : `: ${refused.shortfall} s are missing`;
    return new BrokerError('DEADLINE_UNREACHABLE', `the window is shorter than the duration${missing}`, {
      errors: [{ pointer: '/schedule/deadline_time', detail: `too early${missing}` }],
      ...also,
    });
  }
  // What stands in the way for good does so all through the window that was asked for.
  const bottlenecks = refused.bottlenecks.map((b) =>
    wireBottleneck(b, {
      window: {
        start: instant(Math.max(fromSeconds(b.start), wish.notBefore)),
        end: b.end >= LAST_SECOND ? wish.deadline : fromSeconds(b.end),
      },
      mbps: wish.mbps,
    }),
  );
  return new BrokerError('NO_FEASIBLE_SLOT', refused.detail, {
    bottlenecks:
      bottlenecks.length > 0 ? bottlenecks : [{ kind: 'NO_ROUTE', id: 'path', detail: refused.detail }],
    ...also,
    proof: refused.proof,
  });
}
