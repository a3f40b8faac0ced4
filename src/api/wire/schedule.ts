/**
 * When: the schedules that a client can ask for, the only union of the API, and the way of each into the model
 * and back. What depends on the present time is the broker's to say.
 */
import { type Static, Type } from 'typebox';
import type { RecurrenceAsk } from '../../broker/calls.ts';
import { ref, taggedUnion } from '../../http/schema.ts';
import { type InstantMs, instant, NEVER, rfc3339 } from '../../kernel/clock.ts';
import type { OfferId } from '../../kernel/ids.ts';
import { HIGHEST_MBPS } from '../../model/capacity.ts';
import type { Schedule } from '../../model/circuit.ts';
import { invalid, LONGEST_S, readTime, Time } from './common.ts';

const strict = { additionalProperties: false } as const;

export const Mbps = Type.Integer({
  minimum: 1,
  maximum: HIGHEST_MBPS,
  description: 'Mb/s in each direction',
});
const Duration = Type.Integer({ minimum: 1, maximum: LONGEST_S, description: 'seconds' });

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
  {
    $id: 'OfferSchedule',
    ...strict,
    description:
      'One of the slots that an offer named, at the rate that it named; constraints are those that were asked of the offer',
  },
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
/** What an offer can be asked for: everything that is one slot, and not the offer itself. */
export const OfferableSchema = taggedUnion(
  'type',
  [ref(NowSchema), ref(FixedSchema), ref(FlexibleSchema), ref(VolumeSchema)],
  { $id: 'OfferableSchedule' },
);
export const scheduleSchemas = [...branches, ScheduleSchema, OfferableSchema];

/** One option of an offer, to be taken. */
export interface Taking {
  readonly offer: OfferId;
  readonly option: number;
}

type Wire<T> = Extract<Static<typeof ScheduleSchema>, { type: T }>;

export function readSchedule(
  wire: Static<typeof ScheduleSchema>,
  base: string,
): { readonly schedule: Schedule; readonly recurrence?: RecurrenceAsk; readonly taking?: Taking } {
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
        schedule: { type: 'FLEXIBLE', durationS: wire.duration_s, ...readWindow(wire, base) },
      };
    case 'VOLUME':
      return { schedule: readVolume(wire, base) };
    case 'OFFER':
      // The slot is the offer's; the broker puts it in. What is no id names no offer, and is answered as that.
      return {
        schedule: { type: 'NOW', durationS: 1 },
        taking: { offer: wire.offer_id as OfferId, option: wire.option },
      };
    case 'RECURRING':
      return readRecurring(wire, base);
  }
}

/** Whether the work can be done in it depends on the present time too: the broker says by how much it cannot. */
function readWindow(
  wire: { readonly not_before_time?: string; readonly deadline_time: string },
  base: string,
): { readonly notBefore?: InstantMs; readonly deadline: InstantMs } {
  const deadline = readTime(wire.deadline_time, `${base}/deadline_time`);
  if (wire.not_before_time === undefined) return { deadline };
  const notBefore = readTime(wire.not_before_time, `${base}/not_before_time`);
  if (deadline <= notBefore) throw invalid(`${base}/deadline_time`, 'must lie after not_before_time');
  if (deadline - notBefore > LONGEST_S * 1000) {
    throw invalid(`${base}/deadline_time`, 'is more than ten years after not_before_time');
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
    ...readWindow(wire, base),
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

/** Absent stands for no end. */
export const endTime = (end: InstantMs): { end_time?: string } =>
  end >= NEVER ? {} : { end_time: rfc3339(end) };

export function writeSchedule(s: Schedule): Static<typeof ScheduleSchema> {
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
