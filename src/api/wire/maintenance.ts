/** Maintenance on the wire: the announcement, the window that is kept, and what it meets. */
import { type Static, Type } from 'typebox';
import type { MaintenanceAsk, MaintenanceImpact, MaintenanceView } from '../../broker/calls.ts';
import { ref } from '../../http/schema.ts';
import type { MaintenanceWindowDocument } from '../../topology/document.ts';
import { idSchema, invalid, LONGEST_S, readTime, Time } from './common.ts';

const Names = (what: string) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 256, pattern: '^[^\\u0000-\\u001f\\u007f]+$' }), {
    maxItems: 1_000,
    uniqueItems: true,
    description: what,
  });
const Reason = Type.String({
  maxLength: 256,
  pattern: '^[^\\u0000-\\u001f\\u007f]*$',
  description: 'For people',
});

export const MaintenanceRequestSchema = Type.Object(
  {
    links: Type.Optional(Names('Links that are out of use')),
    nodes: Type.Optional(Names('Nodes that are, with their links and ports')),
    start_time: Time,
    end_time: Time,
    reason: Type.Optional(Reason),
    conflict: Type.Optional(
      Type.Enum(['REJECT', 'MIGRATE_FLEXIBLE', 'PREEMPT'], {
        default: 'REJECT',
        description:
          'What becomes of circuits that have their place there. REJECT: they have it, the window is refused. MIGRATE_FLEXIBLE: each is given another road, or the window is refused. PREEMPT: those without another road end when the window begins, or are cancelled.',
      }),
    ),
  },
  {
    $id: 'MaintenanceRequest',
    additionalProperties: false,
    examples: [
      {
        links: ['ams-1'],
        start_time: '2027-03-01T02:00:00Z',
        end_time: '2027-03-01T04:00:00Z',
        reason: 'new line card',
        conflict: 'MIGRATE_FLEXIBLE',
      },
    ],
  },
);

const windowFields = {
  id: idSchema('mnt', 'Sorts by creation'),
  links: Type.Array(Type.String()),
  nodes: Type.Array(Type.String()),
  start_time: Time,
  end_time: Time,
  reason: Type.Optional(Type.String()),
};
export const MaintenanceSchema = Type.Object(windowFields, {
  $id: 'MaintenanceWindow',
  description: 'Links and nodes out of use for a time: all their room is booked',
});

export const MaintenanceImpactSchema = Type.Object(
  {
    circuit_id: Type.String(),
    outcome: Type.Enum(['IN_THE_WAY', 'MOVED', 'REROUTED', 'SHORTENED', 'ASKING', 'CANCELLED'], {
      description:
        'SHORTENED: it ends when the maintenance begins; ASKING: other domains are asked for another way, or for that end',
    }),
  },
  { $id: 'MaintenanceImpact', description: 'What becomes of one circuit' },
);
const impactField = {
  impact: Type.Array(ref(MaintenanceImpactSchema), { description: 'Circuits that had their place there' }),
};
export const MaintenanceOutcomeSchema = Type.Object(
  { ...windowFields, ...impactField },
  { $id: 'MaintenanceOutcome' },
);

export const maintenanceSchemas = [
  MaintenanceRequestSchema,
  MaintenanceSchema,
  MaintenanceImpactSchema,
  MaintenanceOutcomeSchema,
];

export function readMaintenance(wire: Static<typeof MaintenanceRequestSchema>): MaintenanceAsk {
  const start = readTime(wire.start_time, '/start_time');
  const end = readTime(wire.end_time, '/end_time');
  if (end <= start) throw invalid('/end_time', 'must lie after start_time');
  if (end - start > LONGEST_S * 1000) throw invalid('/end_time', 'is more than ten years after start_time');
  return {
    links: wire.links ?? [],
    nodes: wire.nodes ?? [],
    window: { start, end },
    ...(wire.reason === undefined ? {} : { reason: wire.reason }),
    conflict: wire.conflict ?? 'REJECT',
  };
}

export const writeMaintenance = (w: MaintenanceWindowDocument): Static<typeof MaintenanceSchema> => ({
  id: w.id,
  links: [...(w.links ?? [])],
  nodes: [...(w.nodes ?? [])],
  start_time: w.start_time,
  end_time: w.end_time,
  ...(w.reason === undefined ? {} : { reason: w.reason }),
});

export const writeImpactOf = ({ circuitId, outcome }: MaintenanceImpact) => ({
  circuit_id: circuitId,
  outcome,
});

export const writeOutcome = (v: MaintenanceView): Static<typeof MaintenanceOutcomeSchema> => ({
  ...writeMaintenance(v.window),
  impact: v.impact.map(writeImpactOf),
});
