/** Makes the message that a peer effect stands for, from the circuit as it is now. Undefined: no longer needed. */
import { instant } from '../../kernel/clock.ts';
import {
  agreedOf,
  type Circuit,
  type CircuitRequest,
  type Pending,
  type Placement,
  placements,
  type Segment,
  type SegmentEnd,
} from '../../model/circuit.ts';
import type { Effect } from '../../model/effects.ts';
import { ALL_LABELS, type Label, type LabelRanges, rangesOf } from '../../model/label.ts';
import type { PortId } from '../../model/port.ts';
import { stands } from '../../model/rules.ts';
import { secondOf, waysOf } from '../../model/ways.ts';
import { mayMove } from '../circuits/movable.ts';
import type {
  ChangeKind,
  PeerEnd,
  PeerMessage,
  PeerSecond,
  PeerSegment,
  SegmentConstraints,
} from './peerPorts.ts';

type PeerEffect = Exclude<Effect, { type: 'device.light' | 'device.dark' }>;

/** A hold asks for this long beyond the time in which the home decides. */
const HOLD_TTL_MS = 60_000;

export function messageFor(circuit: Circuit, effect: PeerEffect, epoch: number): PeerMessage | undefined {
  const settled = stands(circuit);
  const active = settled ? agreedOf(circuit)?.version : undefined;
  const header = {
    circuit: circuit.home?.circuit ?? circuit.id,
    epoch,
    floor: 0,
    ...(active === undefined ? {} : { active }),
  };
  switch (effect.type) {
    case 'peer.hold': {
      const pending = inPhase(circuit, 'HOLDING', effect.version);
      const segment =
        pending === undefined ? undefined : segmentFor(circuit, pending.placement, effect.domain);
      if (pending === undefined || segment === undefined) return undefined;
      const until = instant(
        (pending.until ?? circuit.updateTime) + HOLD_TTL_MS + circuit.request.holdS * 1000,
      );
      return {
        ...header,
        op: 'hold',
        version: effect.version,
        segment,
        until,
        ...kindOf(circuit, pending),
        ...(effect.replaces === undefined ? {} : { replaces: effect.replaces }),
        ...(pending.waitsFor === undefined ? {} : { after: pending.waitsFor }),
        ...(pending.frees === undefined ? {} : { frees: pending.frees }),
      };
    }
    case 'peer.commit': {
      // Also what is in force already: said again to a domain that has forgotten it.
      const inForce = settled || circuit.state === 'COMMITTING';
      const placement =
        inForce && circuit.current?.version === effect.version
          ? circuit.current
          : inPhase(circuit, 'COMMITTING', effect.version)?.placement;
      const segment = placement === undefined ? undefined : segmentFor(circuit, placement, effect.domain);
      return segment === undefined
        ? undefined
        : {
            ...header,
            op: 'commit',
            version: effect.version,
            segment,
            ...kindOf(circuit, inPhase(circuit, 'COMMITTING', effect.version)),
          };
    }
    case 'peer.extend':
      return circuit.state === 'HELD'
        ? { ...header, op: 'extend', version: effect.version, until: instant(effect.until + HOLD_TTL_MS) }
        : undefined;
    case 'peer.provision':
      return circuit.armed && settled
        ? { ...header, op: 'provision', version: inForce(circuit, effect.version) }
        : undefined;
    case 'peer.abort':
      return { ...header, op: 'abort', version: effect.version };
    case 'peer.free':
      return { ...header, op: 'free', version: effect.version, active: effect.active };
    case 'peer.release':
      return { ...header, op: 'release', reason: effect.reason };
    case 'peer.cancel':
      return { ...header, op: 'cancel', floor: effect.floor };
    case 'peer.query':
      return { ...header, op: 'query' };
    case 'peer.notify':
      return {
        ...header,
        op: 'notify',
        what: effect.what,
        version: effect.version,
        sequence: effect.sequence,
        ...(effect.cause === undefined ? {} : { cause: effect.cause }),
        ...(effect.port === undefined ? {} : { port: effect.port }),
        ...(effect.second === undefined ? {} : { second: effect.second }),
      };
  }
}

/** Of what is there by now: it may have been moved since light was asked for. */
const inForce = (circuit: Circuit, version: number): number =>
  placements(circuit).some((p) => p.version === version) ? version : (circuit.current?.version ?? version);

/** Of an attempt that changes what is in force already. */
const kindOf = ({ current }: Circuit, pending: Pending | undefined): { kind?: ChangeKind } =>
  current === undefined || pending === undefined
    ? {}
    : { kind: pending.cause === 'MOVE' ? 'MOVE' : 'MODIFY' };

const inPhase = (c: Circuit, phase: Pending['phase'], version: number): Pending | undefined =>
  c.pending?.phase === phase && c.pending.placement.version === version ? c.pending : undefined;

function segmentFor(circuit: Circuit, placement: Placement, domain: string): PeerSegment | undefined {
  const segment = placement.segments.find((s) => !s.local && s.domain === domain);
  if (segment === undefined) return undefined;
  const second = secondFor(circuit, segment);
  const ways = waysOf(placement);
  return {
    a: endFor(circuit.request, segment.a),
    z: endFor(circuit.request, segment.z),
    ...(second === undefined ? {} : { second }),
    window: placement.window,
    mbps: placement.mbps,
    provision: circuit.request.provision,
    requester: circuit.owner,
    ...constraintsFor(circuit, segment),
    ...(mayMove(circuit.request) ? { noticeS: circuit.request.noticeS } : {}),
    path: (segment.standby === true ? ways.second : ways.first).map((s) => s.domain),
  };
}

function secondFor(circuit: Circuit, segment: Segment): PeerSecond | undefined {
  const road = segment.backup?.ends === undefined ? undefined : secondOf(segment);
  if (road === undefined) return undefined;
  const { maxLatencyMs } = constraintsFor(circuit, road).constraints ?? {};
  const [a, z] = [endFor(circuit.request, road.a), endFor(circuit.request, road.z)];
  return { a, z, ...(maxLatencyMs === undefined ? {} : { maxLatencyMs }) };
}

export function endFor(request: CircuitRequest, { port, label, offered }: SegmentEnd): PeerEnd {
  if (offered !== undefined) return { port, labels: rangesOf(offered), candidates: offered };
  return { port, labels: labelsOf(request, port, label) };
}

/** What of the request's constraints a domain has to keep to inside itself. */
function constraintsFor({ request }: Circuit, segment: Segment): { constraints?: SegmentConstraints } {
  const { max_latency_ms, min_mtu, exclude_srlgs } = request.constraints as {
    readonly max_latency_ms?: number;
    readonly min_mtu?: number;
    readonly exclude_srlgs?: readonly string[];
  };
  const all: SegmentConstraints = {
    // What the whole may take is shared out as the domains themselves have said.
    ...(max_latency_ms === undefined ? {} : { maxLatencyMs: segment.latencyMs }),
    ...(min_mtu === undefined ? {} : { minMtu: min_mtu }),
    ...(exclude_srlgs === undefined ? {} : { excludeSrlgs: exclude_srlgs }),
  };
  return Object.keys(all).length === 0 ? {} : { constraints: all };
}

function labelsOf(
  { a, z }: CircuitRequest,
  port: PortId,
  label: Label | undefined,
): LabelRanges | 'UNTAGGED' {
  if (label === 0) return 'UNTAGGED';
  if (label !== undefined) return [[label, label]];
  const ask = [a, z].find((end) => end.port === port)?.vlan ?? 'ANY';
  return ask === 'ANY' ? ALL_LABELS : ask;
}
