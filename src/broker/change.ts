/**
 * Changing a circuit that has its place: another rate, another end. The path stays; what more is needed must
 * be free beside everybody else, while what the circuit has already counts as free for itself. A change that
 * does not fit changes nothing.
 */
import { type InstantMs, instant, NEVER, rfc3339 } from '../kernel/clock.ts';
import { type Bottleneck, BrokerError } from '../kernel/errors.ts';
import { fromSeconds, toSeconds } from '../model/capacity.ts';
import { type Circuit, type CircuitRequest, type Placement, usesOf } from '../model/circuit.ts';
import { labelFits } from '../model/label.ts';
import { plusSeconds } from '../model/window.ts';
import { ATTEMPT_MS, HORIZON_S } from './limits.ts';
import type { Tx } from './tx.ts';
import type { CircuitChange } from './usecases.ts';

/** Applies the change as one event; throws the refusal. */
export function applyChange(tx: Tx, circuit: Circuit, change: CircuitChange, decisionId: string): Circuit {
  const current = circuit.current;
  if (current === undefined)
    throw new BrokerError('WRONG_STATE', 'the circuit has no placement to change', { allowed_actions: [] });
  if (change.notBefore !== undefined || change.deadline !== undefined) {
    throw new BrokerError(
      'INVALID_REQUEST',
      `a ${circuit.request.schedule.type} circuit has no window to move in`,
      {
        errors: [
          {
            pointer: `/schedule/${change.deadline === undefined ? 'not_before_time' : 'deadline_time'}`,
            detail: 'only for FLEXIBLE and VOLUME',
          },
        ],
      },
    );
  }
  const end = newEnd(current, change, tx.now);
  const mbps = change.mbps ?? current.mbps;
  if (end === current.window.end && mbps === current.mbps) return circuit;
  const placement: Placement = {
    version: circuit.version + 1,
    window: { start: current.window.start, end },
    mbps,
    segments: current.segments.map((s) =>
      s.local ? { ...s, light: 'DARK' as const } : { ...s, agreed: 'ASKED' as const, light: 'DARK' as const },
    ),
  };
  const blocked = tx.book.without(circuit, () => bottlenecks(tx, placement));
  if (blocked.length > 0) {
    const first = blocked[0] as Bottleneck;
    throw new BrokerError(
      'NO_FEASIBLE_SLOT',
      `${first.kind.toLowerCase()} ${first.id} has no room for the change`,
      { bottlenecks: blocked },
    );
  }
  const request = changedRequest(circuit.request, end, mbps, current);
  tx.apply(
    circuit.id,
    { type: 'modify', placement, request, until: instant(tx.now + ATTEMPT_MS), at: tx.now },
    decisionId,
  );
  return tx.mustGet(circuit.id);
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
  end: InstantMs,
  mbps: number,
  current: Placement,
): CircuitRequest {
  const { schedule } = request;
  if (schedule.type === 'NOW') {
    const durationS = end === NEVER ? 'NEVER' : Math.round((end - current.window.start) / 1000);
    return { ...request, mbps, schedule: { type: 'NOW', durationS } };
  }
  return schedule.type === 'FIXED'
    ? { ...request, mbps, schedule: { ...schedule, end } }
    : { ...request, mbps };
}

const invalid = (detail: string): BrokerError =>
  new BrokerError('INVALID_REQUEST', detail, { errors: [{ pointer: '/schedule/end_time', detail }] });
