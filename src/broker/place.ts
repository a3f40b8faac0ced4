/**
 * Admission by the laxity engine: a slot and a road inside the window that was asked for, and who steps aside
 * for it inside his own. The engine answers with data; here it becomes events of the circuits that move, in an
 * order in which every state between is legal, in the transaction of the newcomer.
 */
import { invariant } from '../kernel/assert.ts';
import { type InstantMs, instant, NEVER, rfc3339 } from '../kernel/clock.ts';
import { BrokerError, type Alternative as WireAlternative } from '../kernel/errors.ts';
import type { CircuitId } from '../kernel/ids.ts';
import { fromSeconds, LAST_SECOND, type Seconds, toSeconds } from '../model/capacity.ts';
import {
  type Circuit,
  type CircuitRequest,
  localSegment,
  type Placement,
  type Segment,
} from '../model/circuit.ts';
import type { PortId } from '../model/port.ts';
import { nextFullSecond } from '../model/window.ts';
import type { Ask, Move, Placed, Refused, Seat } from '../scheduler/laxity/booking.ts';
import { place } from '../scheduler/laxity/place.ts';
import type { Path } from '../topology/search/question.ts';
import { ATTEMPT_MS, MENDED_AFTER_MS } from './limits.ts';
import { roadOf, type Slot, slowerHere, wireBottleneck } from './plan.ts';
import type { Tx } from './tx.ts';

/** What is asked of time: a slot, or a window to choose one in. */
export interface Wish {
  readonly notBefore: InstantMs;
  readonly deadline: InstantMs;
  readonly durationS: Seconds;
  readonly mbps: number;
  readonly movable: boolean;
}

export type Placing =
  | {
      readonly kind: 'placed';
      readonly slot: Slot;
      readonly segments: readonly Segment[];
      readonly moves: readonly Move[];
    }
  | { readonly kind: 'refused'; readonly problem: BrokerError };

/** Asks the engine for a place between two of our own ports; changes nothing. */
export function placeHere(tx: Tx, id: CircuitId, request: CircuitRequest, wish: Wish): Placing {
  const answer = place(tx.book.fleet, askOf(id, request, wish, tx.now), toSeconds(tx.now));
  if (!answer.placed) return { kind: 'refused', problem: problemOf(answer, wish, slower(tx, request, wish)) };
  return {
    kind: 'placed',
    slot: slotOf(answer.seat, wish),
    segments: [segmentOf(tx, answer.seat.path)],
    moves: answer.moves,
  };
}

/** Moves everybody who steps aside for `newcomer`, one event each. */
export function applyMoves(tx: Tx, moves: Placed['moves'], newcomer: CircuitId, decisionId: string): void {
  for (const { id, to } of moves) {
    const circuit = tx.mustGet(id as CircuitId);
    const placement: Placement = {
      version: circuit.version + 1,
      window: { start: fromSeconds(to.start), end: fromSeconds(to.end) },
      mbps: to.mbps,
      segments: [segmentOf(tx, to.path)],
    };
    const until = instant(tx.now + ATTEMPT_MS);
    tx.apply(
      circuit.id,
      {
        type: 'modify',
        placement,
        request: circuit.request,
        until,
        cause: 'MOVE',
        for: newcomer,
        at: tx.now,
      },
      decisionId,
    );
  }
}

const askOf = (id: string, request: CircuitRequest, wish: Wish, now: InstantMs): Ask => ({
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
  ignoreOperState: wish.notBefore > now + MENDED_AFTER_MS,
});

const slotOf = (seat: Seat, wish: Wish): Slot => ({
  window: { start: fromSeconds(seat.start), end: wish.deadline === NEVER ? NEVER : fromSeconds(seat.end) },
  mbps: seat.mbps,
});

function segmentOf(tx: Tx, path: Path): Segment {
  return {
    domain: tx.book.network.document.domain,
    local: true,
    // The engine was given these ports as they are.
    a: { ...path.a, port: path.a.port as PortId },
    z: { ...path.z, port: path.z.port as PortId },
    ...roadOf(path),
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
  invariant(schedule.type === 'FLEXIBLE', 'whatever has no slot has a window');
  const earliest = nextFullSecond(now);
  const notBefore =
    schedule.notBefore !== undefined && schedule.notBefore > earliest ? schedule.notBefore : earliest;
  return {
    notBefore,
    deadline: schedule.deadline,
    durationS: schedule.durationS,
    mbps,
    movable: !request.pinned,
  };
}

/** Where it is now, for its own window: what the engine needs to know of a circuit that is booked. */
export function isMovable(circuit: Circuit): boolean {
  const { request, current, state } = circuit;
  if (
    circuit.role !== 'HOME' ||
    state !== 'SCHEDULED' ||
    current === undefined ||
    circuit.pending !== undefined
  )
    return false;
  if (request.pinned || request.protection === 'PROTECTED') return false;
  if (request.schedule.type !== 'FLEXIBLE' && request.schedule.type !== 'VOLUME') return false;
  const segment = localSegment(current);
  return segment !== undefined && current.segments.length === 1 && segment.light === 'DARK';
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

function problemOf(refused: Refused, wish: Wish, exact: readonly WireAlternative[] | undefined): BrokerError {
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
  const bottlenecks = refused.bottlenecks.map((b) =>
    wireBottleneck(b, { window: { start: fromSeconds(b.start), end: fromSeconds(b.end) }, mbps: wish.mbps }),
  );
  return new BrokerError('NO_FEASIBLE_SLOT', refused.detail, {
    bottlenecks:
      bottlenecks.length > 0 ? bottlenecks : [{ kind: 'NO_ROUTE', id: 'path', detail: refused.detail }],
    ...also,
    proof: refused.proof,
  });
}
