/**
 * An event of the log as the world outside sees it: a CloudEvents 1.0 object in JSON, the same over the list,
 * the stream and the webhooks. `source` names the domain, because ids count up in each domain for itself and
 * CloudEvents wants source and id together to be unique. Who may see an event is decided elsewhere.
 */
import { type InstantMs, rfc3339 } from '../kernel/clock.ts';
import { eventId } from '../kernel/ids.ts';

/** Every type there is, without its prefix. */
export const eventTypes = [
  'circuit.created',
  'circuit.held',
  'circuit.hold_extended',
  'circuit.committing',
  'circuit.scheduled',
  'circuit.provisioning',
  'circuit.active',
  'circuit.degraded',
  'circuit.restored',
  'circuit.modified',
  'circuit.moved',
  'circuit.rerouted',
  'circuit.releasing',
  'circuit.ended',
  'circuit.rejected',
  'circuit.hold_expired',
  'circuit.cancelled',
  'circuit.failed',
  'circuit.updated',
  'topology.changed',
] as const;
export type EventType = (typeof eventTypes)[number];

/** What of a line of the log is shown. */
export interface LoggedEvent {
  readonly seq: number;
  readonly type: EventType;
  readonly time: InstantMs;
  readonly circuitId?: string;
  readonly project: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: EventType;
  readonly subject?: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly data: Readonly<Record<string, unknown>>;
}

export function cloudEvent(event: LoggedEvent, domain: string): CloudEvent {
  return {
    specversion: '1.0',
    id: eventId(event.seq),
    source: `//${domain}/v1/${event.circuitId === undefined ? 'topology' : 'circuits'}`,
    type: event.type,
    ...(event.circuitId === undefined ? {} : { subject: event.circuitId }),
    time: rfc3339(event.time),
    datacontenttype: 'application/json',
    data: { ...(event.project === '' ? {} : { project: event.project }), ...event.data },
  };
}

/** The type of that name; undefined when there is none such. */
export const eventType = (text: string): EventType | undefined => eventTypes.find((type) => type === text);
