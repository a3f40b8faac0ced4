/** Series of circuits that repeat, and sets of circuits that stand or fall together, as they are served. */
import { type Static, Type } from 'typebox';
import type { SetResult } from '../../broker/calls.ts';
import type { SeriesRecord } from '../../broker/ports.ts';
import { ref } from '../../http/schema.ts';
import { invariant } from '../../kernel/assert.ts';
import { rfc3339 } from '../../kernel/clock.ts';
import { circuitFields, writeCircuit } from './circuit.ts';
import { idSchema, ProblemSchema, Time } from './common.ts';
import { requestFields } from './request.ts';

const OccurrenceSchema = Type.Object(
  {
    start_time: Time,
    circuit_id: Type.Optional(Type.String()),
    problem: Type.Optional(ref(ProblemSchema)),
  },
  { $id: 'Occurrence', description: 'Either a circuit or why there is none' },
);

export const SeriesSchema = Type.Object(
  {
    id: idSchema('ser', 'Sorts by creation'),
    project: Type.String(),
    owner: Type.String(),
    revision: Type.Integer({ minimum: 1 }),
    state: Type.Enum(['ACTIVE', 'CANCELLED']),
    recurrence: Type.Object({
      rrule: Type.String(),
      timezone: Type.String(),
      duration_s: Type.Integer(),
      not_before_time: Time,
    }),
    occurrences: Type.Array(ref(OccurrenceSchema)),
    create_time: Time,
  },
  { $id: 'Series' },
);
export const seriesSchemas = [OccurrenceSchema, SeriesSchema];

export const writeSeries = (s: SeriesRecord): Static<typeof SeriesSchema> => ({
  id: s.id,
  project: s.project,
  owner: s.owner,
  revision: s.revision,
  state: s.cancelled ? 'CANCELLED' : 'ACTIVE',
  recurrence: {
    rrule: s.recurrence.rrule,
    timezone: s.recurrence.timezone,
    duration_s: s.recurrence.durationS,
    not_before_time: rfc3339(s.recurrence.notBefore),
  },
  occurrences: s.occurrences.map((o) => ({
    start_time: rfc3339(o.start),
    ...(o.circuitId === undefined ? {} : { circuit_id: o.circuitId }),
    // Stored as it was made, from a refusal: a Problem.
    ...(o.problem === undefined ? {} : { problem: o.problem as Static<typeof ProblemSchema> }),
  })),
  create_time: rfc3339(s.createTime),
});

// ---- sets ------------------------------------------------------------------------------------------------

export const MOST_MEMBERS = 64;
const Key = Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9._-]+$' });

export const SetMemberSchema = Type.Object(
  {
    key: Key,
    after: Type.Optional(
      Type.String({ ...Key, description: 'The key of a circuit of the set that must have ended first' }),
    ),
    gap_s: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 366 * 86_400,
        default: 0,
        description: 'With `after`: so long after its end at the earliest',
      }),
    ),
    diverse: Type.Optional(
      Type.Array(Key, {
        maxItems: MOST_MEMBERS,
        description: 'Keys of circuits of the set that it shares no link with',
      }),
    ),
    ...requestFields,
  },
  { $id: 'CircuitSetMember', additionalProperties: false, description: 'A circuit request with a name' },
);
export const SetRequestSchema = Type.Object(
  { circuits: Type.Array(ref(SetMemberSchema), { minItems: 1, maxItems: MOST_MEMBERS }) },
  {
    $id: 'CircuitSetRequest',
    additionalProperties: false,
    examples: [
      {
        circuits: [
          {
            key: 'there',
            a: { port: 'ams:host1' },
            z: { port: 'ams:host2' },
            bandwidth_mbps: 1000,
            hold_s: 600,
            schedule: { type: 'NOW', duration_s: 3600 },
          },
          {
            key: 'beside',
            a: { port: 'ams:host3' },
            z: { port: 'ams:host4' },
            bandwidth_mbps: 500,
            hold_s: 600,
            schedule: { type: 'NOW', duration_s: 3600 },
          },
        ],
      },
      {
        circuits: [
          {
            key: 'in',
            a: { port: 'ams:host1' },
            z: { port: 'ams:host2' },
            bandwidth_mbps: 1000,
            schedule: { type: 'FLEXIBLE', duration_s: 3600, deadline_time: '2027-03-01T06:00:00+01:00' },
          },
          {
            key: 'out',
            after: 'in',
            gap_s: 1800,
            a: { port: 'ams:host2' },
            z: { port: 'ams:host3' },
            bandwidth_mbps: 1000,
            schedule: { type: 'FLEXIBLE', duration_s: 3600, deadline_time: '2027-03-01T06:00:00+01:00' },
          },
        ],
      },
    ],
  },
);
const PlacedMemberSchema = Type.Object(
  { key: Key, ...circuitFields },
  { $id: 'CircuitSetCircuit', description: 'A circuit with its name in the set' },
);
export const SetSchema = Type.Object(
  {
    id: idSchema('set', 'Sorts by creation'),
    project: Type.String(),
    owner: Type.String(),
    revision: Type.Integer({ minimum: 1 }),
    circuits: Type.Array(ref(PlacedMemberSchema)),
    create_time: Time,
  },
  { $id: 'CircuitSet', description: 'Several circuits placed as one: all or none' },
);
export const setSchemas = [SetMemberSchema, SetRequestSchema, PlacedMemberSchema, SetSchema];

export function writeSet({ set, circuits }: SetResult): Static<typeof SetSchema> {
  const byId = new Map(circuits.map((circuit) => [circuit.id, circuit]));
  return {
    id: set.id,
    project: set.project,
    owner: set.owner,
    revision: set.revision,
    circuits: set.members.map(({ key, circuitId }) => {
      const circuit = byId.get(circuitId);
      invariant(circuit !== undefined, `${set.id} comes with all its circuits`);
      return { key, ...writeCircuit(circuit) };
    }),
    create_time: rfc3339(set.createTime),
  };
}
