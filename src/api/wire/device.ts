/**
 * Devices on the wire: how each is, what it really connects and how that differs from what it should, what a
 * circuit needs from them and got, and what they see of their neighbours.
 */
import { type Static, Type } from 'typebox';
import type { MaintenanceAsk } from '../../broker/calls.ts';
import type {
  DeviceAudit,
  DeviceOrder,
  DevicePlan,
  DeviceState,
  Discovery,
} from '../../broker/devices/inspection.ts';
import { ref } from '../../http/schema.ts';
import { type InstantMs, instant, rfc3339 } from '../../kernel/clock.ts';
import { LONGEST_S, Time } from './common.ts';
import { CrossConnectSchema, LinkSchema, TopologySchema, writeCrossConnect } from './topology.ts';

const Ms = Type.Integer({ minimum: 0 });
const Names = Type.Array(Type.String());
const Action = Type.Enum(['LIGHT', 'DARK']);

export const DeviceSchema = Type.Object(
  {
    id: Type.String(),
    nodes: Type.Array(Type.String(), { description: 'The nodes of the topology that it is' }),
    protocol: Type.Optional(
      Type.Enum(['SNMP', 'TL1', 'MEMORY'], {
        description: 'MEMORY lights nothing. Absent: no element of that name is configured',
      }),
    ),
    dialect: Type.Optional(Type.String()),
    breaker: Type.Optional(
      Type.Enum(['CLOSED', 'OPEN'], {
        description: 'OPEN: it has not answered lately and is left alone for a while',
      }),
    ),
    orders_waiting: Type.Optional(Type.Integer({ minimum: 0 })),
    last_seen_time: Type.Optional(Time),
    setup_ms: Type.Optional(
      Type.Integer({ minimum: 0, description: 'How long a change takes here, from order to light' }),
    ),
    quarantine: Type.Optional(
      Type.Array(Type.Object({ ports: Names, circuit_id: Type.String() }), {
        description: 'Ports closed to all but one circuit, because nobody knows what they are set to',
      }),
    ),
    capabilities: Type.Optional(
      Type.Object({
        layer: Type.Enum(['FIBRE', 'TDM', 'ETHERNET']),
        labels: Type.Enum(['NONE', 'TIMESLOT', 'VLAN']),
        swaps_labels: Type.Boolean(),
        rate_limit: Type.Enum(['NONE', 'PORT', 'VLAN']),
        atomic_batch: Type.Boolean({ description: 'Several settings in one request, all or none' }),
        fence: Type.Enum(['LOCK', 'NONE'], {
          description: 'How a late request of an old master is kept out',
        }),
        events: Type.Boolean({ description: 'Tells of changes by itself' }),
      }),
    ),
  },
  { $id: 'Device' },
);

const upper = <T extends string>(text: T): Uppercase<T> =>
  // The compiler does not follow the method of the same name.
  text.toUpperCase() as Uppercase<T>;

export function writeDevice(
  id: string,
  nodes: readonly string[],
  state: DeviceState | undefined,
): Static<typeof DeviceSchema> {
  if (state === undefined) return { id, nodes: [...nodes] };
  const { capabilities: can, lastSeen, setupMs } = state;
  return {
    id,
    nodes: [...nodes],
    protocol: upper(state.protocol),
    dialect: state.dialect,
    breaker: state.breaker,
    orders_waiting: state.waiting,
    ...(lastSeen === undefined ? {} : { last_seen_time: rfc3339(lastSeen) }),
    ...(setupMs === undefined ? {} : { setup_ms: Math.round(setupMs) }),
    quarantine: state.quarantine.map(({ ports, circuit }) => ({ ports: [...ports], circuit_id: circuit })),
    ...(can === undefined
      ? {}
      : {
          capabilities: {
            layer: upper(can.layer),
            labels: upper(can.labels),
            swaps_labels: can.swapsLabels,
            rate_limit: upper(can.rateLimit),
            atomic_batch: can.atomicBatch,
            fence: upper(can.fence),
            events: can.events,
          },
        }),
  };
}

// ---- a circuit's part -------------------------------------------------------------------------------------

const Commands = Type.Array(Type.String(), { description: 'The exact requests in order, without secrets' });
const DeviceOrderSchema = Type.Object(
  {
    device: Type.String(),
    action: Action,
    version: Type.Integer({ description: 'Of the placement' }),
    time: Time,
    outcome: Type.Enum(['APPLIED', 'ALREADY', 'REJECTED', 'UNKNOWN'], {
      description: 'APPLIED and ALREADY were read back; UNKNOWN: nobody could look',
    }),
    detail: Type.String(),
    commands: Commands,
    queue_ms: Ms,
    protocol_ms: Ms,
    settle_ms: Ms,
    verify_ms: Ms,
  },
  { $id: 'DeviceOrder' },
);

export const DevicePlanSchema = Type.Object(
  {
    items: Type.Array(ref(CrossConnectSchema), {
      description: 'In the order of the path, the present placement first',
    }),
    commands: Type.Array(
      Type.Object({
        device: Type.String(),
        action: Action,
        version: Type.Integer({ description: 'Of the placement' }),
        commands: Commands,
        error: Type.Optional(Type.String({ description: 'Why they cannot be told now' })),
      }),
      { description: 'What would be sent now; nothing to a device that is set already' },
    ),
    orders: Type.Array(ref(DeviceOrderSchema), {
      description: 'What was sent and what became of it, oldest first, since this broker started',
    }),
  },
  { $id: 'DevicePlan' },
);

const writeOrder = (order: DeviceOrder): Static<typeof DeviceOrderSchema> => {
  const { kind, version, at, detail, report } = order;
  return {
    device: report.device,
    action: upper(kind),
    version,
    time: rfc3339(at),
    outcome: upper(report.outcome),
    detail,
    commands: [...(report.commands ?? [])],
    queue_ms: Math.round(report.queue_ms),
    protocol_ms: Math.round(report.protocol_ms),
    settle_ms: Math.round(report.settle_ms),
    verify_ms: Math.round(report.verify_ms),
  };
};

export const writePlan = (plan: DevicePlan): Static<typeof DevicePlanSchema> => ({
  items: plan.connects.map(writeCrossConnect),
  commands: plan.commands.map(({ device, kind, version, commands, error }) => ({
    device,
    action: upper(kind),
    version,
    commands: [...commands],
    ...(error === undefined ? {} : { error }),
  })),
  orders: plan.orders.map(writeOrder),
});

// ---- audit and discovery ----------------------------------------------------------------------------------

const connects = (description: string) => Type.Array(ref(CrossConnectSchema), { description });
export const DeviceAuditSchema = Type.Object(
  {
    device: Type.String(),
    time: Time,
    answered: Type.Boolean({ description: 'false: nobody could look, and nothing is said of what is there' }),
    error: Type.Optional(Type.String()),
    in_step: Type.Integer({ minimum: 0, description: 'Cross-connects that are there and should be' }),
    missing: connects('Should be there and is not'),
    extra: connects('Ours, and no circuit wants it any more'),
    foreign: connects("Somebody else's: never touched"),
  },
  { $id: 'DeviceAudit' },
);

export const writeAudit = (audit: DeviceAudit): Static<typeof DeviceAuditSchema> => ({
  device: audit.device,
  time: rfc3339(audit.time),
  answered: audit.error === undefined,
  ...(audit.error === undefined ? {} : { error: audit.error }),
  in_step: audit.inStep,
  missing: audit.missing.map(writeCrossConnect),
  extra: audit.extra.map(writeCrossConnect),
  foreign: audit.foreign.map(writeCrossConnect),
});

const FoundEnd = Type.Object({ device: Type.String(), port: Type.String() });
export const DiscoverySchema = Type.Object(
  {
    asked: Type.Array(Type.String(), { description: 'Devices that answered' }),
    unreachable: Type.Array(Type.Object({ device: Type.String(), error: Type.String() })),
    add: Type.Array(ref(LinkSchema), { description: 'Both ends see it, and the topology has it not' }),
    remove: Type.Array(Type.String(), {
      description: 'Links of the topology between devices that tell of neighbours, and seen by neither',
    }),
    capacity: Type.Array(
      Type.Object({ link: Type.String(), was_mbps: Type.Integer(), is_mbps: Type.Integer() }),
    ),
    unplaced: Type.Array(Type.Object({ a: FoundEnd, z: FoundEnd }), {
      description: 'At devices that no node of the topology is, or of unknown speed',
    }),
    doubts: Type.Array(Type.Object({ from: FoundEnd, to: FoundEnd, why: Type.String() }), {
      description: 'Only one end sees it: proposed to nobody',
    }),
    proposed: ref(TopologySchema),
  },
  {
    $id: 'Discovery',
    description:
      'What the devices see, against the topology in force. Nothing is applied: PUT `proposed` to do so',
  },
);

export const writeDiscovery = (found: Discovery): Static<typeof DiscoverySchema> => ({
  asked: [...found.asked],
  unreachable: found.unreachable.map(({ device, error }) => ({ device, error })),
  // The document's words are those of the wire.
  add: found.add as Static<typeof LinkSchema>[],
  remove: [...found.remove],
  capacity: found.capacity.map(({ link, was, is }) => ({ link, was_mbps: was, is_mbps: is })),
  unplaced: found.unplaced.map(({ a, z }) => ({ a, z })),
  doubts: found.doubts.map(({ from, to, why }) => ({ from, to, why })),
  proposed: found.proposed as Static<typeof TopologySchema>,
});

// ---- drain ------------------------------------------------------------------------------------------------

export const DrainSchema = Type.Object(
  {
    duration_s: Type.Integer({ minimum: 1, maximum: LONGEST_S, description: 'For how long' }),
    reason: Type.Optional(
      Type.String({
        maxLength: 256,
        pattern: '^[^\\u0000-\\u001f\\u007f]*$',
        description: 'For people',
      }),
    ),
    conflict: Type.Optional(
      Type.Enum(['REJECT', 'MIGRATE_FLEXIBLE', 'PREEMPT'], {
        default: 'MIGRATE_FLEXIBLE',
        description: 'What becomes of its circuits, as with maintenance windows',
      }),
    ),
  },
  {
    $id: 'DeviceDrain',
    additionalProperties: false,
    examples: [{ duration_s: 7200, reason: 'new software' }],
  },
);

export function readDrain(
  wire: Static<typeof DrainSchema>,
  device: string,
  nodes: readonly string[],
  now: InstantMs,
): MaintenanceAsk {
  const start = instant(Math.ceil(now / 1000) * 1000);
  return {
    links: [],
    nodes,
    window: { start, end: instant(start + wire.duration_s * 1000) },
    reason: wire.reason ?? `drain of ${device}`,
    conflict: wire.conflict ?? 'MIGRATE_FLEXIBLE',
  };
}

export const deviceSchemas = [
  DrainSchema,
  DeviceSchema,
  DeviceOrderSchema,
  DevicePlanSchema,
  DeviceAuditSchema,
  DiscoverySchema,
];
