/**
 * A circuit as it is served: what was asked, where it was placed, how far it is, and what may be done to it
 * now. Only what is there is written: absent, never null. The view changes with the circuit's revision alone,
 * so that its ETag tells the truth; nothing in it depends on when it is read.
 */
import { type Static, Type } from 'typebox';
import { ref } from '../../http/schema.ts';
import { type InstantMs, NEVER, rfc3339 } from '../../kernel/clock.ts';
import {
  type Circuit,
  type Pending,
  type Placement,
  type Schedule,
  type Segment,
  states,
} from '../../model/circuit.ts';
import { type Label, UNTAGGED } from '../../model/label.ts';
import { allowed } from '../../model/lifecycle.ts';
import { waysOf } from '../../model/ways.ts';
import { secondsBetween } from '../../model/window.ts';
import { idSchema, ProblemSchema, Time } from './common.ts';
import { CircuitRequestSchema, writeRequest } from './request.ts';
import { endTime, Mbps } from './schedule.ts';

const Vlan = Type.Union([Type.Integer({ minimum: 1, maximum: 4094 }), Type.Literal('UNTAGGED')], {
  description: 'The VLAN that was given, or the whole port',
});

const placementFields = {
  start_time: Time,
  end_time: Type.Optional(Type.String({ ...Time, description: 'Absent: until it is released' })),
  bandwidth_mbps: Mbps,
  a_vlan: Type.Optional(Vlan),
  z_vlan: Type.Optional(Vlan),
};

export const PlacementSchema = Type.Object(
  {
    ...placementFields,
    laxity_s: Type.Integer({ description: 'deadline - max(now, not_before) - duration at admission' }),
    slack_s: Type.Integer({ description: 'deadline - end of the placement' }),
    movable: Type.Boolean({
      description: 'May the broker still choose another slot, until notice_s before it?',
    }),
    moves: Type.Integer({ minimum: 0, description: 'How often it did' }),
    actual_start_time: Type.Optional(Time),
    actual_end_time: Type.Optional(Time),
  },
  { $id: 'Placement', description: 'The slot, the rate and the labels that were given' },
);

export const PendingSchema = Type.Object(
  {
    ...placementFields,
    phase: Type.Enum(['HOLDING', 'COMMITTING', 'LIGHTING']),
    expire_time: Type.Optional(Time),
  },
  { $id: 'PendingPlacement', description: 'A placement under negotiation; the present one stays until then' },
);

export const SegmentSchema = Type.Object(
  {
    domain: Type.String(),
    peer_ref: Type.Optional(Type.String({ description: "The peer's own id of its part" })),
    a_port: Type.String(),
    z_port: Type.String(),
    links: Type.Array(Type.String()),
    latency_ms: Type.Number(),
    way: Type.Optional(
      Type.Enum(['WORKING', 'PROTECTING'], {
        description:
          'PROTECTED over several domains: the way in use, or the other. Where both pass, two segments',
      }),
    ),
    backup_links: Type.Optional(
      Type.Array(Type.String(), {
        description: 'PROTECTED inside one domain: the second road, held and dark',
      }),
    ),
    state: Type.Enum(['ASKED', 'HELD', 'COMMITTED']),
    data_plane: Type.Enum(['DOWN', 'STARTING', 'UP', 'STOPPING'], {
      description: 'DOWN: not lit, or lit and of no use, for its road is out of order',
    }),
    impaired: Type.Optional(Type.String({ description: 'What its domain says is out of order' })),
    lost: Type.Optional(
      Type.String({ description: 'PROTECTED over several domains: why it has no light, and should' }),
    ),
  },
  { $id: 'Segment', description: 'The part of a circuit inside one domain' },
);

export const PathSchema = Type.Object(
  {
    domains: Type.Array(Type.String()),
    links: Type.Array(Type.String()),
    latency_ms: Type.Number(),
    backup_domains: Type.Optional(Type.Array(Type.String())),
    backup_links: Type.Optional(Type.Array(Type.String())),
  },
  { $id: 'Path', description: 'The way in use; `backup_...`: the other one of what is PROTECTED' },
);

export const ConditionSchema = Type.Object(
  {
    type: Type.Enum(['DataPlaneUp', 'Protected']),
    status: Type.Enum(['TRUE', 'FALSE', 'UNKNOWN']),
    reason: Type.String({ description: 'A word in upper case, for programs' }),
    detail: Type.Optional(Type.String({ description: 'The same for people, where there is more to say' })),
    last_transition_time: Time,
  },
  { $id: 'Condition', description: 'What devices report: an observation, not a state' },
);

export const circuitActions = [
  'commit',
  'abort',
  'extend-hold',
  'provision',
  'release',
  'cancel',
  'extend',
  'modify',
  'reroute',
] as const;

export const circuitFields = {
  id: idSchema('cir', 'Sorts by creation'),
  short_code: Type.String({ pattern: '^[234679CDFGHJKMNPRTWXYZ]{4}$', description: 'For the telephone' }),
  state: Type.Enum([...states]),
  state_reason: Type.Object({ code: Type.String(), detail: Type.String() }),
  revision: Type.Integer({ minimum: 1, description: 'Counts writes; the ETag' }),
  role: Type.Enum(['HOME', 'PARTICIPANT'], { description: 'HOME: asked for here. PARTICIPANT: by a peer' }),
  owner: Type.String({ description: 'The principal that asked' }),
  request: ref(CircuitRequestSchema),
  placement: Type.Optional(ref(PlacementSchema)),
  pending: Type.Optional(ref(PendingSchema)),
  hold_expire_time: Type.Optional(Time),
  path: Type.Optional(ref(PathSchema)),
  segments: Type.Array(ref(SegmentSchema)),
  conditions: Type.Array(ref(ConditionSchema)),
  allowed_actions: Type.Array(Type.Enum([...circuitActions])),
  decision_ids: Type.Array(Type.String()),
  problem: Type.Optional(ref(ProblemSchema)),
  series_id: Type.Optional(Type.String()),
  set_id: Type.Optional(Type.String()),
  create_time: Time,
  update_time: Time,
};
export const CircuitSchema = Type.Object(circuitFields, {
  $id: 'Circuit',
  examples: [
    {
      id: 'cir_01m7vjz7sh2w1hw8gq0tm5f63q',
      short_code: 'CX47',
      state: 'SCHEDULED',
      state_reason: { code: 'COMMITTED', detail: 'every domain has agreed' },
      revision: 2,
      role: 'HOME',
      owner: 'urn:turnpike:development|user',
      request: {
        project: 'lhc',
        a: { port: 'ams:host1', vlan: 'ANY' },
        z: { port: 'ams:host2', vlan: 'ANY' },
        bandwidth_mbps: 1000,
        protection: 'UNPROTECTED',
        constraints: {},
        provision: 'AUTOMATIC',
        hold_s: 0,
        pinned: false,
        notice_s: 60,
        priority: 50,
        schedule: {
          type: 'FIXED',
          start_time: '2027-03-01T05:00:00Z',
          end_time: '2027-03-01T07:00:00Z',
        },
      },
      placement: {
        start_time: '2027-03-01T05:00:00Z',
        end_time: '2027-03-01T07:00:00Z',
        bandwidth_mbps: 1000,
        a_vlan: 2,
        z_vlan: 2,
        laxity_s: 0,
        slack_s: 0,
        movable: false,
        moves: 0,
      },
      path: { domains: ['ams.example'], links: ['ams-1'], latency_ms: 0.4 },
      segments: [
        {
          domain: 'ams.example',
          a_port: 'ams:host1',
          z_port: 'ams:host2',
          links: ['ams-1'],
          latency_ms: 0.4,
          state: 'COMMITTED',
          data_plane: 'DOWN',
        },
      ],
      conditions: [
        {
          type: 'DataPlaneUp',
          status: 'FALSE',
          reason: 'NOT_YET_DUE',
          last_transition_time: '2027-02-28T17:00:00Z',
        },
      ],
      allowed_actions: ['release', 'cancel', 'extend', 'modify', 'reroute'],
      decision_ids: ['dec_01m7vjz7sh2w1hw8gq0tm5f63q'],
      create_time: '2027-02-28T17:00:00Z',
      update_time: '2027-02-28T17:00:00Z',
    },
  ],
});
export type WireCircuit = Static<typeof CircuitSchema>;

export const circuitSchemas = [
  PlacementSchema,
  PendingSchema,
  SegmentSchema,
  PathSchema,
  ConditionSchema,
  CircuitSchema,
];

/** May it move at all? FLEXIBLE and VOLUME may, unless pinned or with a second road, until they have begun. */
const movable = (c: Circuit): boolean =>
  (c.request.schedule.type === 'FLEXIBLE' || c.request.schedule.type === 'VOLUME') &&
  !c.request.pinned &&
  c.request.protection === 'UNPROTECTED' &&
  (c.state === 'HELD' || c.state === 'SCHEDULED');

const deadlineOf = (s: Schedule): InstantMs | undefined =>
  s.type === 'FLEXIBLE' || s.type === 'VOLUME' ? s.deadline : undefined;

function slackS(c: Circuit, p: Placement): number {
  const deadline = deadlineOf(c.request.schedule);
  return deadline === undefined || p.window.end >= NEVER ? 0 : secondsBetween(p.window.end, deadline);
}

const vlan = (label: Label): number | 'UNTAGGED' => (label === UNTAGGED ? 'UNTAGGED' : label);

function slot(p: Placement) {
  const a = p.segments[0]?.a.label;
  const z = p.segments.at(-1)?.z.label;
  return {
    start_time: rfc3339(p.window.start),
    ...endTime(p.window.end),
    bandwidth_mbps: p.mbps,
    ...(a === undefined ? {} : { a_vlan: vlan(a) }),
    ...(z === undefined ? {} : { z_vlan: vlan(z) }),
  };
}

const writePlacement = (c: Circuit, p: Placement): Static<typeof PlacementSchema> => ({
  ...slot(p),
  laxity_s: c.laxityS,
  slack_s: slackS(c, p),
  movable: movable(c),
  moves: c.moves,
  ...(c.actualStart === undefined ? {} : { actual_start_time: rfc3339(c.actualStart) }),
  ...(c.actualEnd === undefined ? {} : { actual_end_time: rfc3339(c.actualEnd) }),
});

/** What is only being put out, or has lapsed, is under negotiation no longer. */
function writePending(pending: Pending | undefined): { pending?: Static<typeof PendingSchema> } {
  if (pending === undefined || pending.phase === 'RETIRING' || pending.phase === 'EXPIRED') return {};
  return {
    pending: {
      ...slot(pending.placement),
      phase: pending.phase,
      ...(pending.until === undefined ? {} : { expire_time: rfc3339(pending.until) }),
    },
  };
}

/** Must others agree before the change is in force? */
export const underNegotiation = (c: Circuit): boolean =>
  c.pending?.phase === 'HOLDING' || c.pending?.phase === 'COMMITTING';

const DATA_PLANE = { DARK: 'DOWN', LIGHTING: 'STARTING', LIT: 'UP', DARKENING: 'STOPPING' } as const;

export function writeAllSegments(c: Circuit): Static<typeof SegmentSchema>[] {
  const placement = c.current ?? c.pending?.placement;
  return placement === undefined ? [] : writeSegments(placement);
}

function writeSegments(p: Placement): Static<typeof SegmentSchema>[] {
  const { first, second } = waysOf(p);
  if (p.segments.length === 1 || second.length === 0) return first.map((s) => writeSegment(s));
  const working = first.map(({ backup: _, ...s }) => writeSegment(s, 'WORKING'));
  return [...working, ...second.map((s) => writeSegment(s, 'PROTECTING'))];
}

const writeSegment = (s: Segment, way?: 'WORKING' | 'PROTECTING'): Static<typeof SegmentSchema> => ({
  domain: s.domain,
  ...(s.peerRef === undefined ? {} : { peer_ref: s.peerRef }),
  a_port: s.a.port,
  z_port: s.z.port,
  links: [...s.links],
  latency_ms: roundMs(s.latencyMs),
  ...(way === undefined ? {} : { way }),
  ...(s.backup === undefined ? {} : { backup_links: [...s.backup.links] }),
  state: s.agreed,
  data_plane: s.impaired === undefined ? DATA_PLANE[s.light] : 'DOWN',
  ...(s.impaired === undefined ? {} : { impaired: s.impaired.detail }),
  ...(s.lost === undefined ? {} : { lost: s.lost }),
});

export const roundMs = (ms: number): number => Math.round(ms * 1000) / 1000;

function writePath(p: Placement): Static<typeof PathSchema> {
  const { first, second } = waysOf(p);
  return {
    domains: first.map((s) => s.domain),
    links: first.flatMap((s) => s.links),
    latency_ms: roundMs(first.reduce((sum, s) => sum + s.latencyMs, 0)),
    ...(second.length < 2 ? {} : { backup_domains: second.map((s) => s.domain) }),
    ...(second.length === 0 ? {} : { backup_links: second.flatMap((s) => s.links) }),
  };
}

export function writeCircuit(c: Circuit): WireCircuit {
  return {
    id: c.id,
    short_code: c.shortCode,
    state: c.state,
    state_reason: { code: c.reason.code, detail: c.reason.detail },
    revision: c.revision,
    role: c.role,
    owner: c.owner,
    request: writeRequest(c.request),
    ...(c.current === undefined
      ? {}
      : { placement: writePlacement(c, c.current), path: writePath(c.current) }),
    ...writePending(c.pending),
    ...(c.holdExpire === undefined ? {} : { hold_expire_time: rfc3339(c.holdExpire) }),
    segments: writeAllSegments(c),
    conditions: c.conditions.map((condition) => ({
      type: condition.type,
      status: condition.status,
      reason: condition.reason,
      ...(condition.detail === undefined ? {} : { detail: condition.detail }),
      last_transition_time: rfc3339(condition.since),
    })),
    allowed_actions: allowed(c),
    decision_ids: [...c.decisionIds],
    // A stored problem has the shape of the schema; the model keeps its lists read-only.
    ...(c.problem === undefined ? {} : { problem: c.problem as Static<typeof ProblemSchema> }),
    ...(c.seriesId === undefined ? {} : { series_id: c.seriesId }),
    ...(c.setId === undefined ? {} : { set_id: c.setId }),
    create_time: rfc3339(c.createTime),
    update_time: rfc3339(c.updateTime),
  };
}
