/**
 * Changing a circuit that has its place: another rate, another end. The path stays; what more is needed must
 * be free beside everybody else, while what the circuit has already counts as free for itself. A change that
 * does not fit changes nothing.
 */
import { type InstantMs, instant, NEVER, rfc3339 } from '../../kernel/clock.ts';
import { type Bottleneck, BrokerError } from '../../kernel/errors.ts';
import { fromSeconds, LAST_SECOND, toSeconds } from '../../model/capacity.ts';
import {
  type Circuit,
  type CircuitRequest,
  claimedFrom,
  type Placement,
  usesOf,
} from '../../model/circuit.ts';
import { labelFits } from '../../model/label.ts';
import { plusSeconds } from '../../model/window.ts';
import { canChange } from '../../scheduler/laxity/change.ts';
import type { CircuitChange } from '../calls.ts';
import { ATTEMPT_MS, HORIZON_S } from '../limits.ts';
import type { Tx } from '../tx.ts';
import { isMovable } from './movable.ts';
import { applyMoves, problemOf, segmentOf } from './place.ts';
import { portsOf } from './request.ts';

/** Applies the change as one event, with the moves that make room for it; throws the refusal. */
export function applyChange(tx: Tx, circuit: Circuit, change: CircuitChange, decisionId: string): Circuit {
  const { current, request } = circuit;
  if (current === undefined)
    throw new BrokerError('WRONG_STATE', 'the circuit has no placement to change', { allowed_actions: [] });
  const window = newWindow(circuit, change);
  const end = newEnd(current, change, tx.now);
  const mbps = change.mbps ?? current.mbps;
  if (end === current.window.end && mbps === current.mbps && window === undefined) return circuit;
  const asked = changedRequest(request, window, end, mbps, current);
  keepPromises(circuit, asked, change, { window, end, mbps });
  const alone = current.segments.length === 1 && circuit.pending === undefined;
  return alone && circuit.state !== 'HELD'
    ? byEngine(tx, circuit, current, asked, { window, end, mbps }, decisionId)
    : inPlace(tx, circuit, current, asked, { end, mbps }, decisionId);
}

interface Target {
  readonly window?: { readonly notBefore: InstantMs; readonly deadline: InstantMs } | undefined;
  readonly end: InstantMs;
  readonly mbps: number;
}

/** What no change may do: to a volume's rate, beyond a window that it cannot move in, against the order of its set. */
function keepPromises(
  circuit: Circuit,
  asked: CircuitRequest,
  change: CircuitChange,
  { window, end }: Target,
): void {
  const { schedule } = asked;
  if (
    schedule.type === 'VOLUME' &&
    (change.mbps !== undefined || change.end !== undefined || change.extendS !== undefined)
  ) {
    const pointer = change.mbps === undefined ? '/schedule/end_time' : '/bandwidth_mbps';
    const detail = 'rate and slot of a VOLUME are chosen together: change its window, or book anew';
    throw new BrokerError('INVALID_REQUEST', detail, { errors: [{ pointer, detail }] });
  }
  const { current, bounds } = circuit;
  const start = current?.window.start ?? NEVER;
  const stays = !isMovable(circuit);
  if ((schedule.type === 'FLEXIBLE' || schedule.type === 'VOLUME') && (stays || window === undefined)) {
    const { notBefore, deadline } = schedule;
    const early = window !== undefined && notBefore !== undefined && start < notBefore;
    if (end > deadline || early)
      throw outside(
        `it stays from ${rfc3339(start)} to ${rfc3339(end)}, outside the window that is asked for`,
      );
  }
  if (bounds !== undefined && end > bounds.end && stays)
    throw outside(`the order of its set lets it last until ${rfc3339(bounds.end)}`);
}

const outside = (detail: string): BrokerError =>
  new BrokerError('NO_FEASIBLE_SLOT', detail, { proof: 'PROVEN_IMPOSSIBLE' });

/** Where it is if that can be, elsewhere in its window if it may move, and others step aside if they can. */
function byEngine(
  tx: Tx,
  circuit: Circuit,
  current: Placement,
  request: CircuitRequest,
  target: Target,
  decisionId: string,
): Circuit {
  const { window, end, mbps } = target;
  // As the engine has it: from its early light on.
  const duration = (end === NEVER ? LAST_SECOND : toSeconds(end)) - toSeconds(claimedFrom(current));
  const movable = isMovable(circuit);
  const limits = movable
    ? window === undefined
      ? {}
      : withinBounds(circuit, window)
    : { deadline: toSeconds(end) };
  const answer = canChange(tx.book.fleet, circuit.id, { mbps, duration, ...limits }, toSeconds(tx.now));
  if (answer === undefined)
    throw new BrokerError('WRONG_STATE', 'the circuit claims nothing that could change', {
      allowed_actions: [],
    });
  if (!answer.possible) {
    if (answer.refused !== undefined) {
      const { notBefore, deadline } = window ?? { notBefore: current.window.start, deadline: end };
      throw problemOf(answer.refused, { notBefore, deadline, durationS: duration, mbps, movable }, undefined);
    }
    throw refusedAt(tx.book.without(circuit, () => bottlenecks(tx, grown(circuit, current, { end, mbps }))));
  }
  applyMoves(tx, answer.moves, circuit.id, decisionId);
  const { seat } = answer;
  const placement: Placement =
    seat === undefined
      ? grown(circuit, current, { end, mbps })
      : {
          version: circuit.version + 1,
          window: { start: fromSeconds(seat.start), end: fromSeconds(seat.end) },
          mbps: seat.mbps,
          segments: [segmentOf(tx, seat)],
        };
  return modify(tx, circuit, placement, request, decisionId);
}

/** The new window, as far as the order of its set allows. */
function withinBounds(
  { bounds }: Circuit,
  window: NonNullable<Target['window']>,
): { readonly notBefore: number; readonly deadline: number } {
  const notBefore = toSeconds(window.notBefore);
  const deadline = toSeconds(window.deadline);
  if (bounds === undefined) return { notBefore, deadline };
  return {
    notBefore: Math.max(notBefore, toSeconds(bounds.start)),
    deadline: Math.min(deadline, toSeconds(bounds.end)),
  };
}

/** Over the same road, with what is free beside everybody else. */
function inPlace(
  tx: Tx,
  circuit: Circuit,
  current: Placement,
  request: CircuitRequest,
  target: Target,
  decisionId: string,
): Circuit {
  const placement = grown(circuit, current, target);
  const blocked = tx.book.without(circuit, () => bottlenecks(tx, placement));
  if (blocked.length > 0) throw refusedAt(blocked);
  return modify(tx, circuit, placement, request, decisionId);
}

function modify(
  tx: Tx,
  circuit: Circuit,
  placement: Placement,
  request: CircuitRequest,
  decisionId: string,
): Circuit {
  const over = isLess(placement, circuit.current)
    ? undefined
    : tx.book.accounts.refusal(circuit.id, request.project, portsOf(request), placement);
  if (over !== undefined) throw over;
  tx.apply(
    circuit.id,
    { type: 'modify', placement, request, until: instant(tx.now + ATTEMPT_MS), at: tx.now },
    decisionId,
  );
  return tx.mustGet(circuit.id);
}

/** No quota stands in the way of giving something back. */
const isLess = (next: Placement, now: Placement | undefined): boolean =>
  now !== undefined &&
  next.mbps <= now.mbps &&
  next.window.start >= now.window.start &&
  next.window.end <= now.window.end;

/** The same road with another end or rate, which other domains are asked for. */
export const grown = (
  circuit: Circuit,
  current: Placement,
  { end, mbps }: Pick<Target, 'end' | 'mbps'>,
): Placement => ({
  version: circuit.version + 1,
  window: { start: current.window.start, end },
  mbps,
  segments: current.segments.map((s) =>
    s.local ? { ...s, light: 'DARK' as const } : { ...s, agreed: 'ASKED' as const, light: 'DARK' as const },
  ),
});

function refusedAt(blocked: readonly Bottleneck[]): BrokerError {
  const first = blocked[0];
  const where = first === undefined ? 'something on its road' : `${first.kind.toLowerCase()} ${first.id}`;
  return new BrokerError('NO_FEASIBLE_SLOT', `${where} has no room for the change`, {
    bottlenecks: blocked,
    // Nobody was asked to move for it, or not everybody could be tried.
    proof: 'BUDGET_SPENT',
  });
}

/** The window to move in as the change leaves it; undefined when the change does not speak of it. */
function newWindow({ request: { schedule }, createTime }: Circuit, change: CircuitChange): Target['window'] {
  if (change.notBefore === undefined && change.deadline === undefined) return undefined;
  if (schedule.type !== 'FLEXIBLE' && schedule.type !== 'VOLUME') {
    const field = change.deadline === undefined ? 'not_before_time' : 'deadline_time';
    throw new BrokerError('INVALID_REQUEST', `a ${schedule.type} circuit has no window to move in`, {
      errors: [{ pointer: `/schedule/${field}`, detail: 'only for FLEXIBLE and VOLUME' }],
    });
  }
  return {
    notBefore: change.notBefore ?? schedule.notBefore ?? createTime,
    deadline: change.deadline ?? schedule.deadline,
  };
}

function newEnd(current: Placement, change: CircuitChange, now: InstantMs): InstantMs {
  if (change.end === undefined && change.extendS === undefined) return current.window.end;
  if (change.extendS !== undefined && current.window.end === NEVER)
    throw invalid('the circuit has no end to extend');
  const end =
    change.end === 'NEVER' ? NEVER : (change.end ?? plusSeconds(current.window.end, change.extendS ?? 0));
  if (end !== NEVER) {
    if (end <= current.window.start) throw invalid('the end must lie after the start');
    if (end <= now) throw invalid('the end has passed already; release the circuit instead');
    if (change.laterOnly === true && end < current.window.end)
      throw new BrokerError('INVALID_REQUEST', `the circuit ends at ${rfc3339(current.window.end)}`, {
        errors: [{ pointer: '/end_time', detail: 'is earlier than its end; PATCH makes it shorter' }],
      });
    if (end > now + HORIZON_S * 1000) throw invalid('more than ten years ahead');
  }
  return end;
}

function bottlenecks(tx: Tx, placement: Placement): Bottleneck[] {
  const { calendar, names } = tx.book;
  const start = toSeconds(placement.window.start);
  const end = toSeconds(placement.window.end);
  const times = {
    start_time: rfc3339(placement.window.start),
    ...(placement.window.end === NEVER ? {} : { end_time: rfc3339(fromSeconds(end)) }),
  };
  const found: Bottleneck[] = [];
  for (const segment of placement.segments) {
    if (!segment.local) continue;
    for (const use of usesOf(segment)) {
      const edge = names.intern(use.edge);
      const [kind, id] = use.edge.startsWith('port:')
        ? (['PORT', use.edge.slice(5)] as const)
        : (['LINK', use.edge.slice(5)] as const);
      const free = calendar.free(edge, start, end);
      if (free < placement.mbps)
        found.push({ kind, id, free_mbps: Math.max(0, free), needed_mbps: placement.mbps, ...times });
      else if (use.label !== undefined && !labelFits(calendar.labels(edge, start, end), use.label)) {
        found.push({ kind: 'LABEL', id, detail: `VLAN ${use.label} is taken later on`, ...times });
      }
    }
  }
  return found;
}

/** The request as it reads after the change, so that what was asked and what is in force agree. */
function changedRequest(
  request: CircuitRequest,
  window: Target['window'],
  end: InstantMs,
  mbps: number,
  current: Placement,
): CircuitRequest {
  const { schedule } = request;
  const durationS = Math.round((end - current.window.start) / 1000);
  switch (schedule.type) {
    case 'NOW':
      return { ...request, mbps, schedule: { type: 'NOW', durationS: end === NEVER ? 'NEVER' : durationS } };
    case 'FIXED':
      return { ...request, mbps, schedule: { ...schedule, end } };
    case 'FLEXIBLE':
      return { ...request, mbps, schedule: { ...schedule, ...window, durationS } };
    case 'VOLUME':
      return { ...request, mbps, schedule: { ...schedule, ...window } };
  }
}

const invalid = (detail: string): BrokerError =>
  new BrokerError('INVALID_REQUEST', detail, { errors: [{ pointer: '/schedule/end_time', detail }] });
