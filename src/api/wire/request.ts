/**
 * What a client asks for: the schema of a circuit request, and the way from the wire into the model and
 * back. Everything that can be said of a request by itself is said here; what depends on the time, the
 * network or other circuits is the broker's to say.
 */
import { type Static, Type } from 'typebox';
import type { RecurrenceAsk } from '../../broker/usecases.ts';
import { ref, taggedUnion } from '../../http/schema.ts';
import { type InstantMs, instant, NEVER, rfc3339 } from '../../kernel/clock.ts';
import { BrokerError } from '../../kernel/errors.ts';
import type { CircuitRequest, EndpointAsk, Schedule } from '../../model/circuit.ts';
import { formatLabels, HIGHEST_LABEL, type LabelAsk, parseLabels } from '../../model/label.ts';
import { PORT_MAX_LENGTH, PORT_PATTERN, type PortId } from '../../model/port.ts';
import type { Principal } from '../../model/principal.ts';
import { constraints } from '../../topology/constraints/index.ts';
import { invalid, LONGEST_S, readTime, Time } from './common.ts';

/** Far above any interface there is, and far below where sums leave the integers. */
export const HIGHEST_MBPS = 100_000_000;
export const LONGEST_HOLD_S = 86_400;

const strict = { additionalProperties: false } as const;

export const Mbps = Type.Integer({
  minimum: 1,
  maximum: HIGHEST_MBPS,
  description: 'Mb/s in each direction',
});
const Duration = Type.Integer({ minimum: 1, maximum: LONGEST_S, description: 'seconds' });
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

const NowSchema = Type.Object(
  {
    type: Type.Literal('NOW'),
    duration_s: Type.Optional(Duration),
    end: Type.Optional(Type.Literal('NEVER', { description: 'Instead of a duration: until it is released' })),
  },
  { $id: 'NowSchedule', ...strict, description: 'On demand: from the next full second' },
);
const FixedSchema = Type.Object(
  { type: Type.Literal('FIXED'), start_time: Time, end_time: Time },
  { $id: 'FixedSchedule', ...strict, description: 'At a time of day' },
);
const FlexibleSchema = Type.Object(
  {
    type: Type.Literal('FLEXIBLE'),
    duration_s: Duration,
    not_before_time: Type.Optional(Time),
    deadline_time: Time,
  },
  {
    $id: 'FlexibleSchedule',
    ...strict,
    description: 'So long, somewhere in a window; the broker picks the slot',
  },
);
const VolumeSchema = Type.Object(
  {
    type: Type.Literal('VOLUME'),
    volume_bytes: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    not_before_time: Type.Optional(Time),
    deadline_time: Time,
    min_bandwidth_mbps: Type.Optional(Mbps),
    max_bandwidth_mbps: Type.Optional(Mbps),
  },
  {
    $id: 'VolumeSchedule',
    ...strict,
    description: 'So many bytes by a deadline; the broker picks slot and rate',
  },
);
const OfferSchema = Type.Object(
  {
    type: Type.Literal('OFFER'),
    offer_id: Type.String({ minLength: 1, maxLength: 64 }),
    option: Type.Integer({ minimum: 0, maximum: 1_000 }),
  },
  { $id: 'OfferSchedule', ...strict, description: 'One of the slots that an offer named' },
);
const RecurringSchema = Type.Object(
  {
    type: Type.Literal('RECURRING'),
    rrule: Type.String({ minLength: 1, maxLength: 512, description: 'RFC 5545, with COUNT or UNTIL' }),
    timezone: Type.String({ minLength: 1, maxLength: 64, description: 'IANA name' }),
    duration_s: Duration,
    not_before_time: Time,
  },
  { $id: 'RecurringSchedule', ...strict, description: 'Again and again; answered with a series' },
);

const branches = [
  NowSchema,
  FixedSchema,
  FlexibleSchema,
  VolumeSchema,
  OfferSchema,
  RecurringSchema,
] as const;
export const ScheduleSchema = taggedUnion(
  'type',
  [
    ref(NowSchema),
    ref(FixedSchema),
    ref(FlexibleSchema),
    ref(VolumeSchema),
    ref(OfferSchema),
    ref(RecurringSchema),
  ],
  { $id: 'Schedule' },
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
  bandwidth_mbps: Type.Optional(Mbps),
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
  holder_jwk: Type.Optional(
    Type.Record(Type.String({ maxLength: 32 }), Type.Unknown(), {
      maxProperties: 16,
      description: 'Public key (RFC 7517) that the capability token will be bound to',
    }),
  ),
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
export const requestSchemas = [
  EndpointSchema,
  ConstraintsSchema,
  ...branches,
  ScheduleSchema,
  CircuitRequestSchema,
];

// ---- from the wire ---------------------------------------------------------------------------------------

/** A request, and how it repeats if it does. `base` is where it stands in the body. */
export interface Asked {
  readonly request: CircuitRequest;
  readonly recurrence?: RecurrenceAsk;
}

export function readRequest(wire: WireRequest, who: Principal, base = ''): Asked {
  const project = wire.project ?? who.projects[0];
  if (project === undefined) throw invalid(`${base}/project`, 'is required: you belong to no project');
  const a = readEndpoint(wire.a, `${base}/a`);
  const z = readEndpoint(wire.z, `${base}/z`);
  if (a.port === z.port) throw invalid(`${base}/z/port`, 'must differ from a: a circuit has two ends');
  const { schedule, recurrence } = readSchedule(wire.schedule, `${base}/schedule`);
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
    schedule,
    ...(wire.description === undefined ? {} : { description: wire.description }),
    ...(wire.client_ref === undefined ? {} : { clientRef: wire.client_ref }),
    ...(wire.holder_jwk === undefined ? {} : { holderJwk: readHolder(wire.holder_jwk, base) }),
  };
  return recurrence === undefined ? { request } : { request, recurrence };
}

/** A VOLUME may leave the rate to the broker; nothing else may. */
function readRate(wire: WireRequest, base: string): number {
  if (wire.bandwidth_mbps !== undefined) return wire.bandwidth_mbps;
  if (wire.schedule.type === 'VOLUME')
    return wire.schedule.max_bandwidth_mbps ?? wire.schedule.min_bandwidth_mbps ?? 1;
  throw invalid(`${base}/bandwidth_mbps`, 'is required');
}

function readHolder(jwk: Record<string, unknown>, base: string): Readonly<Record<string, unknown>> {
  for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']) {
    if (Object.hasOwn(jwk, secret))
      throw invalid(`${base}/holder_jwk/${secret}`, 'is secret: send the public key only');
  }
  return jwk;
}

function readEndpoint(wire: Static<typeof EndpointSchema>, base: string): EndpointAsk {
  // The schema has matched it with the pattern of a port id.
  return { port: wire.port as PortId, vlan: readVlan(wire.vlan ?? 'ANY', `${base}/vlan`) };
}

function readVlan(vlan: number | string, pointer: string): LabelAsk {
  if (vlan === 'ANY' || vlan === 'UNTAGGED') return vlan;
  const ranges = parseLabels(String(vlan));
  if (ranges === undefined) throw invalid(pointer, `must lie in 1 to ${HIGHEST_LABEL}, the lower end first`);
  return ranges;
}

type Wire<T> = Extract<Static<typeof ScheduleSchema>, { type: T }>;

function readSchedule(
  wire: Static<typeof ScheduleSchema>,
  base: string,
): { readonly schedule: Schedule; readonly recurrence?: RecurrenceAsk } {
  switch (wire.type) {
    case 'NOW':
      if ((wire.duration_s === undefined) === (wire.end === undefined)) {
        throw invalid(`${base}/duration_s`, 'or end "NEVER": exactly one of the two is required');
      }
      return { schedule: { type: 'NOW', durationS: wire.duration_s ?? 'NEVER' } };
    case 'FIXED': {
      const start = readTime(wire.start_time, `${base}/start_time`);
      const end = readTime(wire.end_time, `${base}/end_time`);
      if (end <= start) throw invalid(`${base}/end_time`, 'must lie after start_time');
      if (end - start > LONGEST_S * 1000)
        throw invalid(`${base}/end_time`, 'is more than ten years after start_time');
      return { schedule: { type: 'FIXED', start, end } };
    }
    case 'FLEXIBLE':
      return {
        schedule: {
          type: 'FLEXIBLE',
          durationS: wire.duration_s,
          ...readWindow(wire, base, wire.duration_s),
        },
      };
    case 'VOLUME':
      return { schedule: readVolume(wire, base) };
    case 'OFFER':
      throw new BrokerError('NOT_SUPPORTED', 'schedule type OFFER is not offered by this broker', {
        errors: [{ pointer: `${base}/type`, detail: 'not offered here' }],
      });
    case 'RECURRING':
      return readRecurring(wire, base);
  }
}

function readWindow(
  wire: { readonly not_before_time?: string; readonly deadline_time: string },
  base: string,
  durationS: number,
): { readonly notBefore?: InstantMs; readonly deadline: InstantMs } {
  const deadline = readTime(wire.deadline_time, `${base}/deadline_time`);
  if (wire.not_before_time === undefined) return { deadline };
  const notBefore = readTime(wire.not_before_time, `${base}/not_before_time`);
  if (deadline <= notBefore) throw invalid(`${base}/deadline_time`, 'must lie after not_before_time');
  if (deadline - notBefore > LONGEST_S * 1000) {
    throw invalid(`${base}/deadline_time`, 'is more than ten years after not_before_time');
  }
  if (deadline - notBefore < durationS * 1000) {
    throw invalid(`${base}/duration_s`, 'is longer than the window from not_before_time to deadline_time');
  }
  return { notBefore, deadline };
}

function readVolume(wire: Wire<'VOLUME'>, base: string): Schedule {
  const { min_bandwidth_mbps: minMbps, max_bandwidth_mbps: maxMbps } = wire;
  if (minMbps !== undefined && maxMbps !== undefined && minMbps > maxMbps) {
    throw invalid(`${base}/max_bandwidth_mbps`, 'must not be below min_bandwidth_mbps');
  }
  return {
    type: 'VOLUME',
    volumeBytes: wire.volume_bytes,
    ...readWindow(wire, base, 0),
    ...(minMbps === undefined ? {} : { minMbps }),
    ...(maxMbps === undefined ? {} : { maxMbps }),
  };
}

/** The request carries the first window that could be meant; each occurrence will get its own. */
function readRecurring(
  wire: Wire<'RECURRING'>,
  base: string,
): { readonly schedule: Schedule; readonly recurrence: RecurrenceAsk } {
  const notBefore = readTime(wire.not_before_time, `${base}/not_before_time`);
  const durationS = wire.duration_s;
  return {
    schedule: { type: 'FIXED', start: notBefore, end: instant(notBefore + durationS * 1000) },
    recurrence: { rrule: wire.rrule, timezone: wire.timezone, durationS, notBefore },
  };
}

// ---- to the wire -----------------------------------------------------------------------------------------

export function writeRequest(r: CircuitRequest): WireRequest {
  return {
    project: r.project,
    ...(r.description === undefined ? {} : { description: r.description }),
    ...(r.clientRef === undefined ? {} : { client_ref: r.clientRef }),
    a: writeEndpoint(r.a),
    z: writeEndpoint(r.z),
    bandwidth_mbps: r.mbps,
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

const writeEndpoint = (e: EndpointAsk): Static<typeof EndpointSchema> => ({
  port: e.port,
  vlan: writeVlan(e.vlan),
});

function writeVlan(vlan: LabelAsk): number | string {
  if (typeof vlan === 'string') return vlan;
  const [only] = vlan;
  return vlan.length === 1 && only !== undefined && only[0] === only[1] ? only[0] : formatLabels(vlan);
}

/** Absent stands for no end. */
export const endTime = (end: InstantMs): { end_time?: string } =>
  end >= NEVER ? {} : { end_time: rfc3339(end) };

function writeSchedule(s: Schedule): Static<typeof ScheduleSchema> {
  switch (s.type) {
    case 'NOW':
      return s.durationS === 'NEVER'
        ? { type: 'NOW', end: 'NEVER' }
        : { type: 'NOW', duration_s: s.durationS };
    case 'FIXED':
      return { type: 'FIXED', start_time: rfc3339(s.start), end_time: rfc3339(s.end) };
    case 'FLEXIBLE':
      return {
        type: 'FLEXIBLE',
        duration_s: s.durationS,
        ...(s.notBefore === undefined ? {} : { not_before_time: rfc3339(s.notBefore) }),
        deadline_time: rfc3339(s.deadline),
      };
    case 'VOLUME':
      return {
        type: 'VOLUME',
        volume_bytes: s.volumeBytes,
        ...(s.notBefore === undefined ? {} : { not_before_time: rfc3339(s.notBefore) }),
        deadline_time: rfc3339(s.deadline),
        ...(s.minMbps === undefined ? {} : { min_bandwidth_mbps: s.minMbps }),
        ...(s.maxMbps === undefined ? {} : { max_bandwidth_mbps: s.maxMbps }),
      };
  }
}
