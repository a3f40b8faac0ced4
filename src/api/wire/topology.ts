/**
 * The network as it is written and served: the topology document, and the views of ports, links, domains,
 * devices and cross-connects. The document's own words are those of the API already, so it has a schema and
 * no mapping.
 */
import { type Static, Type } from 'typebox';
import type { CalendarStep, PortView, TopologyImpact } from '../../broker/calls.ts';
import type { ObservedConnect } from '../../broker/devices/devicePorts.ts';
import { ref } from '../../http/schema.ts';
import { type InstantMs, rfc3339 } from '../../kernel/clock.ts';
import { UNTAGGED } from '../../model/label.ts';
import { PREFIX_PATTERN } from '../../model/port.ts';
import type { LinkDocument, TopologyDocument } from '../../topology/document.ts';
import { Time } from './common.ts';
import { WarningSchema } from './notation.ts';
import { PortSchema } from './request.ts';
import { Mbps } from './schedule.ts';

const strict = { additionalProperties: false } as const;
const Name = Type.String({ minLength: 1, maxLength: 128, pattern: '^[^\\u0000-\\u001f\\u007f]+$' });
export const DomainName = Type.String({ minLength: 1, maxLength: 253, pattern: '^[a-z0-9.-]+$' });
const Prefix = Type.String({ pattern: PREFIX_PATTERN });
const Vlans = Type.String({
  pattern: '^[0-9,-]+$',
  maxLength: 1024,
  description: 'Ranges, as "2-99,200-4094"',
});
const Mtu = Type.Integer({ minimum: 68, maximum: 65_535 });

const State = Type.Enum(['UP', 'DOWN'], { default: 'UP' });
const Maintenance = Type.Array(
  Type.Object(
    { start_time: Time, end_time: Time, reason: Type.Optional(Type.String({ maxLength: 256 })) },
    strict,
  ),
  { maxItems: 256, description: 'When it is out of use' },
);
/** One kind of label at most; VLANs 2-4094 when none is named. */
const labels = {
  vlans: Type.Optional(Vlans),
  wavelengths: Type.Optional(Vlans),
  time_slots: Type.Optional(Vlans),
  unlabelled: Type.Optional(Type.Boolean({ description: 'Circuits share it without being told apart' })),
};

const MaintenanceWindow = Type.Object(
  {
    id: Type.String({ pattern: '^mnt_[0-9a-z]{26}$' }),
    start_time: Time,
    end_time: Time,
    links: Type.Optional(Type.Array(Name, { maxItems: 1_000 })),
    nodes: Type.Optional(Type.Array(Name, { maxItems: 1_000 })),
    reason: Type.Optional(Type.String({ maxLength: 256 })),
  },
  strict,
);

const SiteSchema = Type.Object(
  {
    id: Name,
    name: Type.Optional(Name),
    latitude: Type.Optional(Type.Number({ minimum: -90, maximum: 90 })),
    longitude: Type.Optional(Type.Number({ minimum: -180, maximum: 180 })),
  },
  { $id: 'TopologySite', ...strict },
);
const SrlgSchema = Type.Object(
  { id: Name, description: Type.Optional(Type.String({ maxLength: 256 })) },
  { $id: 'TopologySrlg', ...strict },
);
const PortGroupSchema = Type.Object(
  { id: Name, ports: Type.Array(PortSchema, { minItems: 1, maxItems: 1_000 }), capacity_mbps: Mbps },
  { $id: 'TopologyPortGroup', ...strict, description: 'Ports that share room: a line card, an aggregate' },
);
const NodeSchema = Type.Object(
  {
    id: Name,
    site: Type.Optional(Name),
    latitude: Type.Optional(Type.Number({ minimum: -90, maximum: 90 })),
    longitude: Type.Optional(Type.Number({ minimum: -180, maximum: 180 })),
    device: Type.Optional(
      Type.String({ ...Name, description: 'The element; the id of the node when absent' }),
    ),
    swaps_labels: Type.Optional(Type.Boolean({ default: true })),
    label_scope: Type.Optional(
      Type.Enum(['NODE', 'PORT'], {
        description:
          'NODE: it has each VLAN only once, whatever the port; where `swaps_labels` is false, unless said otherwise',
      }),
    ),
    domain: Type.Optional(DomainName),
    admin_state: Type.Optional(State),
    oper_state: Type.Optional(State),
    maintenance: Type.Optional(Maintenance),
  },
  { $id: 'TopologyNode', ...strict },
);
const TopologyPortSchema = Type.Object(
  {
    id: PortSchema,
    node: Name,
    kind: Type.Enum(['CLIENT', 'BORDER']),
    capacity_mbps: Mbps,
    ...labels,
    mtu: Type.Optional(Mtu),
    device_port: Type.Optional(Name),
    admin_state: Type.Optional(State),
    remote: Type.Optional(
      Type.Object(
        {
          domain: DomainName,
          port: PortSchema,
          latency_ms: Type.Optional(Type.Number({ minimum: 0, maximum: 1e6 })),
          cost: Type.Optional(Type.Number({ minimum: 0, maximum: 1e9 })),
          srlgs: Type.Optional(Type.Array(Name, { maxItems: 64 })),
        },
        strict,
      ),
    ),
  },
  { $id: 'TopologyPort', ...strict },
);
const LinkEnd = Type.Object({ node: Name, port: Name }, strict);
export const LinkSchema = Type.Object(
  {
    id: Name,
    a: LinkEnd,
    z: LinkEnd,
    capacity_mbps: Mbps,
    capacity_za_mbps: Type.Optional(Mbps),
    latency_ms: Type.Optional(Type.Number({ minimum: 0, maximum: 1_000_000 })),
    cost: Type.Optional(Type.Number({ minimum: 0, maximum: 1_000_000_000 })),
    mtu: Type.Optional(Mtu),
    ...labels,
    srlgs: Type.Optional(Type.Array(Name, { maxItems: 256, description: 'What fails together' })),
    admin_state: Type.Optional(State),
    oper_state: Type.Optional(State),
    maintenance: Type.Optional(Maintenance),
  },
  { $id: 'Link', ...strict },
);
const NeighbourSchema = Type.Object(
  {
    domain: DomainName,
    prefix: Prefix,
    api: Type.Optional(Type.String({ format: 'uri', maxLength: 2048 })),
    ports: Type.Array(
      Type.Object(
        { id: PortSchema, capacity_mbps: Mbps, vlans: Type.Optional(Vlans), mtu: Type.Optional(Mtu) },
        strict,
      ),
      { maxItems: 20_000 },
    ),
  },
  { $id: 'TopologyNeighbour', ...strict },
);
export const TopologySchema = Type.Object(
  {
    domain: DomainName,
    prefix: Prefix,
    nodes: Type.Array(ref(NodeSchema), { maxItems: 20_000 }),
    ports: Type.Array(ref(TopologyPortSchema), { maxItems: 20_000 }),
    links: Type.Array(ref(LinkSchema), { maxItems: 20_000 }),
    neighbours: Type.Optional(Type.Array(ref(NeighbourSchema), { maxItems: 1_000 })),
    sites: Type.Optional(Type.Array(ref(SiteSchema), { maxItems: 20_000 })),
    port_groups: Type.Optional(Type.Array(ref(PortGroupSchema), { maxItems: 20_000 })),
    srlgs: Type.Optional(Type.Array(ref(SrlgSchema), { maxItems: 20_000 })),
    maintenance_windows: Type.Optional(
      Type.Array(MaintenanceWindow, { maxItems: 10_000, description: 'See /v1/maintenance-windows' }),
    ),
  },
  {
    $id: 'Topology',
    ...strict,
    examples: [
      {
        domain: 'ams.example',
        prefix: 'ams',
        nodes: [{ id: 'sw1' }, { id: 'sw2', site: 'Amsterdam', latitude: 52.36, longitude: 4.95 }],
        ports: [
          { id: 'ams:host1', node: 'sw1', kind: 'CLIENT', capacity_mbps: 100_000 },
          { id: 'ams:host2', node: 'sw2', kind: 'CLIENT', capacity_mbps: 100_000, vlans: '2-99,200-4094' },
        ],
        links: [
          {
            id: 'ams-1',
            a: { node: 'sw1', port: '1/1' },
            z: { node: 'sw2', port: '1/1' },
            capacity_mbps: 100_000,
            latency_ms: 0.4,
            srlgs: ['duct-7'],
          },
        ],
      },
    ],
  },
);

/** The schema allows exactly what the document's type says: a domain's YAML and PUT come in through here. */
export const readTopology = (wire: Static<typeof TopologySchema>): TopologyDocument =>
  wire as TopologyDocument;

const impactFields = {
  version: Type.Integer({ description: 'Of the topology after the change; its ETag' }),
  broken: Type.Array(Type.Object({ circuit_id: Type.String(), detail: Type.String() }), {
    description: 'Circuits that lose their road or their room',
  }),
};
export const ImpactSchema = Type.Object(
  { ...impactFields, warnings: Type.Optional(Type.Array(ref(WarningSchema))) },
  { $id: 'TopologyImpact' },
);
export const writeImpact = ({ version, broken }: TopologyImpact) => ({
  version,
  broken: broken.map(({ circuitId, detail }) => ({ circuit_id: circuitId, detail })),
});

export const LinkPatchSchema = Type.Object(
  {
    admin_state: Type.Optional(Type.Enum(['UP', 'DOWN'], { description: 'What the operator wants' })),
    oper_state: Type.Optional(Type.Enum(['UP', 'DOWN'], { description: 'What was seen' })),
  },
  { $id: 'LinkPatch', ...strict, minProperties: 1 },
);
export const LinkChangeSchema = Type.Object(
  { link: ref(LinkSchema), ...impactFields },
  { $id: 'LinkChange' },
);

/** What graphology exports. The attributes are the fields of the document, which has schemas of its own. */
const attributes = Type.Record(Type.String(), Type.Unknown());
export const GraphSchema = Type.Object(
  {
    attributes,
    options: Type.Optional(attributes),
    nodes: Type.Array(Type.Object({ key: Type.String(), attributes: Type.Optional(attributes) })),
    edges: Type.Array(
      Type.Object({
        key: Type.String(),
        source: Type.String(),
        target: Type.String(),
        attributes: Type.Optional(attributes),
        undirected: Type.Optional(Type.Boolean()),
      }),
    ),
  },
  { $id: 'TopologyGraph', description: 'As graphology imports and exports it' },
);

export const PortViewSchema = Type.Object(
  {
    id: PortSchema,
    domain: Type.String(),
    capacity_mbps: Type.Integer({ description: 'Shared by all circuits on it' }),
    vlans: Type.String(),
    mtu: Type.Optional(Type.Integer()),
    kind: Type.Enum(['CLIENT', 'BORDER']),
    node: Type.Optional(Type.String()),
  },
  { $id: 'Port' },
);
export const writePort = (p: PortView): Static<typeof PortViewSchema> => ({
  id: p.id,
  domain: p.domain,
  capacity_mbps: p.capacityMbps,
  vlans: p.vlans,
  ...(p.mtu === undefined ? {} : { mtu: p.mtu }),
  kind: p.kind,
  ...(p.node === undefined ? {} : { node: p.node }),
});

export const CalendarSchema = Type.Object(
  {
    link: Type.String(),
    capacity_mbps: Type.Integer(),
    from_time: Time,
    to_time: Time,
    steps: Type.Array(
      Type.Object({ start_time: Time, claimed_mbps: Type.Integer(), free_mbps: Type.Integer() }),
      { description: 'Each holds until the next begins' },
    ),
  },
  { $id: 'LinkCalendar' },
);
export const writeCalendar = (
  link: LinkDocument,
  from: InstantMs,
  to: InstantMs,
  steps: readonly CalendarStep[],
): Static<typeof CalendarSchema> => ({
  link: link.id,
  capacity_mbps: link.capacity_mbps,
  from_time: rfc3339(from),
  to_time: rfc3339(to),
  steps: steps.map((step) => ({
    start_time: rfc3339(step.from),
    claimed_mbps: step.claimedMbps,
    // A topology that shrank may carry more promises than it has room.
    free_mbps: Math.max(0, link.capacity_mbps - step.claimedMbps),
  })),
});

export const DomainSchema = Type.Object(
  {
    name: Type.String(),
    prefix: Type.String(),
    role: Type.Enum(['OWN', 'NEIGHBOUR', 'BEYOND'], {
      description: 'BEYOND: it has no link to us, but has told us of itself',
    }),
    api: Type.Optional(Type.String({ format: 'uri' })),
    ports: Type.Integer({ description: 'How many it has, or advertises' }),
  },
  { $id: 'Domain' },
);

const AttachmentSchema = Type.Object({
  port: Type.String({ description: "The device's own name for it" }),
  vlan: Type.Union([Type.Integer(), Type.Literal('UNTAGGED')]),
});
export const CrossConnectSchema = Type.Object(
  {
    device: Type.String(),
    in: AttachmentSchema,
    out: AttachmentSchema,
    circuit_id: Type.Optional(Type.String({ description: 'Absent on what is not ours' })),
    version: Type.Optional(Type.Integer({ description: 'Of the placement' })),
  },
  { $id: 'CrossConnect' },
);

const writeSide = (side: ObservedConnect['in']) => ({
  port: side.port,
  vlan: side.label === UNTAGGED ? ('UNTAGGED' as const) : side.label,
});

export const writeCrossConnect = (c: ObservedConnect): Static<typeof CrossConnectSchema> => ({
  device: c.device,
  in: writeSide(c.in),
  out: writeSide(c.out),
  ...(c.owner === undefined ? {} : { circuit_id: c.owner.circuit, version: c.owner.version }),
});

export const topologySchemas = [
  SiteSchema,
  SrlgSchema,
  PortGroupSchema,
  NodeSchema,
  TopologyPortSchema,
  LinkSchema,
  NeighbourSchema,
  TopologySchema,
  GraphSchema,
  WarningSchema,
  ImpactSchema,
  LinkPatchSchema,
  LinkChangeSchema,
  PortViewSchema,
  CalendarSchema,
  DomainSchema,
  CrossConnectSchema,
];
