/**
 * What the event log says about a step: one public type and a small snapshot, in the words of the API. Who
 * reads it is outside; what the lifecycle was given stands beside it in the same record.
 */
import { NEVER, rfc3339 } from '../kernel/clock.ts';
import type { Circuit, Placement } from '../model/circuit.ts';
import type { CircuitEvent } from '../model/events.ts';
import type { PublicType } from './ports.ts';

const byState = {
  RESERVING: 'circuit.updated',
  HELD: 'circuit.held',
  COMMITTING: 'circuit.committing',
  SCHEDULED: 'circuit.scheduled',
  PROVISIONING: 'circuit.provisioning',
  ACTIVE: 'circuit.active',
  RELEASING: 'circuit.releasing',
  ENDED: 'circuit.ended',
  REJECTED: 'circuit.rejected',
  HOLD_EXPIRED: 'circuit.hold_expired',
  CANCELLED: 'circuit.cancelled',
  FAILED: 'circuit.failed',
} as const satisfies Record<Circuit['state'], PublicType>;

export function announce(before: Circuit, event: CircuitEvent, after: Circuit): PublicType {
  if (after.state !== before.state) return byState[after.state];
  if (event.type === 'extend-hold') return 'circuit.hold_extended';
  if (after.current?.version !== before.current?.version || after.request !== before.request) {
    const cause = event.type === 'modify' ? event.cause : before.pending?.cause;
    return cause === undefined ? 'circuit.modified' : cause === 'MOVE' ? 'circuit.moved' : 'circuit.rerouted';
  }
  // It has light, and what is protected has a second way.
  const isWell = (c: Circuit): boolean => c.conditions.every(({ status }) => status !== 'FALSE');
  if (after.state === 'ACTIVE' && isWell(after) !== isWell(before))
    return isWell(after) ? 'circuit.restored' : 'circuit.degraded';
  return 'circuit.updated';
}

const placementData = (p: Placement): Record<string, unknown> => ({
  start_time: rfc3339(p.window.start),
  ...(p.window.end === NEVER ? {} : { end_time: rfc3339(p.window.end) }),
  bandwidth_mbps: p.mbps,
});

/** What moved, and for whom: from which slot to which. */
function moved(before: Circuit, event: CircuitEvent, after: Circuit): Record<string, unknown> {
  if (before.current === undefined || after.current === undefined) return {};
  const whom = event.type === 'modify' ? event.for : before.pending?.for;
  const by = whom === undefined ? {} : { for_circuit_id: whom };
  return { from: placementData(before.current), to: placementData(after.current), ...by };
}

export function describeStep(before: Circuit, event: CircuitEvent, after: Circuit): Record<string, unknown> {
  const type = announce(before, event, after);
  const more = type === 'circuit.moved' || type === 'circuit.rerouted' ? moved(before, event, after) : {};
  return { ...snapshot(after), ...more };
}

export function snapshot(c: Circuit): Record<string, unknown> {
  return {
    circuit_id: c.id,
    short_code: c.shortCode,
    state: c.state,
    state_reason: c.reason,
    revision: c.revision,
    ...(c.request.clientRef === undefined ? {} : { client_ref: c.request.clientRef }),
    ...(c.current === undefined ? {} : { placement: placementData(c.current) }),
    ...(c.setId === undefined ? {} : { set_id: c.setId }),
    ...(c.seriesId === undefined ? {} : { series_id: c.seriesId }),
  };
}
