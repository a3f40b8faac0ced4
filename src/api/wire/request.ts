/**
 * What a client asks for: the schema of a circuit request, and the way from the wire into the model and
 * back. Everything that can be said of a request by itself is said here; what depends on the time, the
 * network or other circuits is the broker's to say.
 */
import { type Static, Type } from 'typebox';
import type { RecurrenceAsk } from '../../broker/calls.ts';
import { ref } from '../../http/schema.ts';
import type { CircuitRequest, EndpointAsk, Schedule } from '../../model/circuit.ts';
import { formatLabels, HIGHEST_LABEL, type LabelAsk, parseLabels } from '../../model/label.ts';
import { PORT_MAX_LENGTH, PORT_PATTERN, type PortId } from '../../model/port.ts';
import type { Principal } from '../../model/principal.ts';
import { constraints } from '../../topology/constraints/index.ts';
import { invalid } from './common.ts';
import {
  Mbps,
  readSchedule,
  ScheduleSchema,
  scheduleSchemas,
  type Taking,
  writeSchedule,
} from './schedule.ts';
import { HolderJwk, readHolder } from './token.ts';

export const LONGEST_HOLD_S = 86_400;

const strict = { additionalProperties: false } as const;

export const PortSchema = Type.String({
  pattern: PORT_PATTERN,
  maxLength: PORT_MAX_LENGTH,
  description: '`prefix:local`; the prefix names the domain',
});

export const EndpointSchema = Type.Object(
  {
    port: PortSchema,
    vlan: Type.Optional(
      Type.Union(
        [
          Type.Integer({ minimum: 1, maximum: HIGHEST_LABEL }),
          Type.String({
            pattern: '^(?:ANY|UNTAGGED|[0-9]{1,4}(?:-[0-9]{1,4})?(?:,[0-9]{1,4}(?:-[0-9]{1,4})?)*)$',
            maxLength: 1024,
          }),
        ],
        {
          description:
            'A VLAN id, ranges such as "1800-1899", "ANY" (default), or "UNTAGGED" for the whole port',
        },
      ),
    ),
  },
  { $id: 'Endpoint', ...strict },
);

/** As the path search declares them: a new constraint there is a new field here. */
export const ConstraintsSchema = Type.Object(
  Object.fromEntries(constraints.map(({ name, schema }) => [name, Type.Optional(schema)])),
  { $id: 'Constraints', ...strict, description: 'What the path must be like' },
);

/** Text for people: no control characters but tab and line breaks. */
const Description = Type.String({
  maxLength: 1024,
  pattern: '^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f]*$',
});
export const ProjectName = Type.String({
  minLength: 1,
  maxLength: 64,
  pattern: '^[A-Za-z0-9][A-Za-z0-9._:/-]*$',
});
export const ClientRef = Type.String({
  minLength: 1,
  maxLength: 128,
  pattern: '^[^\\u0000-\\u001f\\u007f]+$',
  description: "The client's own name for the circuit, unique per project among live ones",
});

export const requestFields = {
  project: Type.Optional(ProjectName),
  description: Type.Optional(Description),
  client_ref: Type.Optional(ClientRef),
  a: ref(EndpointSchema),
  z: ref(EndpointSchema),
  bandwidth_mbps: Type.Optional(
    Type.Integer({
      ...Mbps,
      description:
        'Mb/s in each direction. For a VOLUME the most that it may take; with an OFFER the rate is that of the offer, whatever is said here',
    }),
  ),
  protection: Type.Optional(Type.Enum(['UNPROTECTED', 'PROTECTED'], { default: 'UNPROTECTED' })),
  constraints: Type.Optional(ref(ConstraintsSchema)),
  provision: Type.Optional(Type.Enum(['AUTOMATIC', 'MANUAL'], { default: 'AUTOMATIC' })),
  hold_s: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: LONGEST_HOLD_S,
      default: 0,
      description: 'Above 0: hold, and wait for commit',
    }),
  ),
  pinned: Type.Optional(Type.Boolean({ default: false, description: 'Never moved once it has a slot' })),
  notice_s: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 30 * 86_400,
      default: 60,
      description: 'Not moved from so long before its start',
    }),
  ),
  priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 100, default: 50 })),
  holder_jwk: Type.Optional(HolderJwk),
  schedule: ref(ScheduleSchema),
};
export const CircuitRequestSchema = Type.Object(requestFields, {
  $id: 'CircuitRequest',
  ...strict,
  examples: [
    {
      a: { port: 'ams:host1' },
      z: { port: 'ams:host2' },
      bandwidth_mbps: 1000,
      schedule: { type: 'NOW', duration_s: 3600 },
    },
    {
      project: 'lhc',
      description: 'CMS replay',
      client_ref: 'slurm:812334',
      a: { port: 'ams:cx3/1', vlan: 1801 },
      z: { port: 'sdg:cx1/4', vlan: '1800-1899' },
      bandwidth_mbps: 10_000,
      constraints: { exclude_links: ['ams-lon-2'], max_latency_ms: 90, max_hops: 12 },
      hold_s: 600,
      schedule: {
        type: 'FIXED',
        start_time: '2027-03-01T06:00:00+01:00',
        end_time: '2027-03-01T08:00:00+01:00',
      },
    },
    {
      a: { port: 'ams:host1', vlan: 'UNTAGGED' },
      z: { port: 'ams:host2' },
      bandwidth_mbps: 100,
      provision: 'MANUAL',
      schedule: {
        type: 'RECURRING',
        rrule: 'FREQ=WEEKLY;BYDAY=MO;COUNT=10',
        timezone: 'Europe/Amsterdam',
        duration_s: 7200,
        not_before_time: '2027-03-01T06:00:00+01:00',
      },
    },
  ],
});
export type WireRequest = Static<typeof CircuitRequestSchema>;
export const requestSchemas = [EndpointSchema, ConstraintsSchema, ...scheduleSchemas, CircuitRequestSchema];

// ---- from the wire ---------------------------------------------------------------------------------------

/** A request, and how it repeats or which offer it takes, if it does. `base` is where it stands in the body. */
export interface Asked {
  readonly request: CircuitRequest;
  readonly recurrence?: RecurrenceAsk;
  readonly taking?: Taking;
}

export function readRequest(wire: WireRequest, who: Principal, base = ''): Asked {
  const project = wire.project ?? who.projects[0];
  if (project === undefined) throw invalid(`${base}/project`, 'is required: you belong to no project');
  const a = readEndpoint(wire.a, `${base}/a`);
  const z = readEndpoint(wire.z, `${base}/z`);
  if (a.port === z.port) throw invalid(`${base}/z/port`, 'must differ from a: a circuit has two ends');
  const { schedule, recurrence, taking } = readSchedule(wire.schedule, `${base}/schedule`);
  const request: CircuitRequest = {
    project,
    a,
    z,
    mbps: readRate(wire, base),
    protection: wire.protection ?? 'UNPROTECTED',
    constraints: wire.constraints ?? {},
    provision: wire.provision ?? 'AUTOMATIC',
    holdS: wire.hold_s ?? 0,
    pinned: wire.pinned ?? false,
    noticeS: wire.notice_s ?? 60,
    priority: wire.priority ?? 50,
    schedule: schedule.type === 'VOLUME' ? capped(schedule, wire.bandwidth_mbps, base) : schedule,
    ...(wire.description === undefined ? {} : { description: wire.description }),
    ...(wire.client_ref === undefined ? {} : { clientRef: wire.client_ref }),
    ...(wire.holder_jwk === undefined
      ? {}
      : { holderJwk: { ...readHolder(wire.holder_jwk, `${base}/holder_jwk`) } }),
  };
  return {
    request,
    ...(recurrence === undefined ? {} : { recurrence }),
    ...(taking === undefined ? {} : { taking }),
  };
}

type Volume = Extract<Schedule, { type: 'VOLUME' }>;

/** A rate beside a volume is the most that it may take; where two such are named, the lower one is. */
function capped(volume: Volume, mbps: number | undefined, base: string): Volume {
  if (mbps === undefined) return volume;
  if (volume.minMbps !== undefined && volume.minMbps > mbps)
    throw invalid(`${base}/bandwidth_mbps`, 'must not be below min_bandwidth_mbps');
  return { ...volume, maxMbps: Math.min(mbps, volume.maxMbps ?? mbps) };
}

/** A VOLUME leaves the rate to the broker and an OFFER names it; nothing else does. */
function readRate(wire: WireRequest, base: string): number {
  if (wire.bandwidth_mbps !== undefined) return wire.bandwidth_mbps;
  if (wire.schedule.type === 'OFFER') return 1;
  if (wire.schedule.type === 'VOLUME')
    return wire.schedule.max_bandwidth_mbps ?? wire.schedule.min_bandwidth_mbps ?? 1;
  throw invalid(`${base}/bandwidth_mbps`, 'is required');
}

function readEndpoint(wire: Static<typeof EndpointSchema>, base: string): EndpointAsk {
  // The schema has matched it with the pattern of a port id.
  return { port: wire.port as PortId, vlan: readVlan(wire.vlan ?? 'ANY', `${base}/vlan`) };
}

export function readVlan(vlan: number | string, pointer: string): LabelAsk {
  if (vlan === 'ANY' || vlan === 'UNTAGGED') return vlan;
  const ranges = parseLabels(String(vlan));
  if (ranges === undefined) throw invalid(pointer, `must lie in 1 to ${HIGHEST_LABEL}, the lower end first`);
  return ranges;
}

// ---- to the wire -----------------------------------------------------------------------------------------

export function writeRequest(r: CircuitRequest): WireRequest {
  return {
    project: r.project,
    ...(r.description === undefined ? {} : { description: r.description }),
    ...(r.clientRef === undefined ? {} : { client_ref: r.clientRef }),
    a: writeEndpoint(r.a),
    z: writeEndpoint(r.z),
    // That of a VOLUME is the broker's choice; what limits it stands in the schedule.
    ...(r.schedule.type === 'VOLUME' ? {} : { bandwidth_mbps: r.mbps }),
    protection: r.protection,
    // Stored as it passed the schema.
    constraints: r.constraints as Static<typeof ConstraintsSchema>,
    provision: r.provision,
    hold_s: r.holdS,
    pinned: r.pinned,
    notice_s: r.noticeS,
    priority: r.priority,
    ...(r.holderJwk === undefined ? {} : { holder_jwk: r.holderJwk }),
    schedule: writeSchedule(r.schedule),
  };
}

export const writeEndpoint = (e: EndpointAsk): Static<typeof EndpointSchema> => ({
  port: e.port,
  vlan: writeVlan(e.vlan),
});

function writeVlan(vlan: LabelAsk): number | string {
  if (typeof vlan === 'string') return vlan;
  const [only] = vlan;
  return vlan.length === 1 && only !== undefined && only[0] === only[1] ? only[0] : formatLabels(vlan);
}
