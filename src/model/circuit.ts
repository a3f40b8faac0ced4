/**
 * The nouns: what was asked (CircuitRequest), what was placed (Placement: one slot, one rate, a Segment per
 * domain with its hops), and the Circuit that carries both through the lifecycle. Everything here is data;
 * what may happen to it is in lifecycle.ts. A circuit is immutable: a change makes a new one.
 *
 * `role` is HOME where the client asked and PARTICIPANT where a peer's broker did. `current` is the placement
 * in force, `pending` the one that is being agreed (or, once replaced, being put out): one of each at most.
 * `revision` counts writes and is the ETag; `version` is the highest placement number ever issued for this
 * circuit, and none is used twice.
 */
import { type InstantMs, instant } from '../kernel/clock.ts';
import type { Problem } from '../kernel/errors.ts';
import type { CircuitId, OfferId, SeriesId, SetId } from '../kernel/ids.ts';
import { type Claim, type EdgeId, portEdge } from './capacity.ts';
import type { Label, LabelAsk } from './label.ts';
import type { PortId } from './port.ts';
import { overlaps, type Window } from './window.ts';

export const states = [
  'RESERVING',
  'HELD',
  'COMMITTING',
  'SCHEDULED',
  'PROVISIONING',
  'ACTIVE',
  'RELEASING',
  'ENDED',
  'REJECTED',
  'HOLD_EXPIRED',
  'CANCELLED',
  'FAILED',
] as const;
export type State = (typeof states)[number];
export const finalStates = ['ENDED', 'REJECTED', 'HOLD_EXPIRED', 'CANCELLED', 'FAILED'] as const;
export type FinalState = (typeof finalStates)[number];
export const isFinal = (state: State): state is FinalState =>
  (finalStates as readonly string[]).includes(state);

export interface EndpointAsk {
  readonly port: PortId;
  readonly vlan: LabelAsk;
}

export type Schedule =
  | { readonly type: 'NOW'; readonly durationS: number | 'NEVER' }
  | { readonly type: 'FIXED'; readonly start: InstantMs; readonly end: InstantMs }
  | {
      readonly type: 'FLEXIBLE';
      readonly durationS: number;
      readonly notBefore?: InstantMs;
      readonly deadline: InstantMs;
    }
  | {
      readonly type: 'VOLUME';
      readonly volumeBytes: number;
      readonly notBefore?: InstantMs;
      readonly deadline: InstantMs;
      readonly minMbps?: number;
      readonly maxMbps?: number;
    };

/** Path constraints by name, as the request carried them; topology/constraints knows what each means. */
export type Constraints = Readonly<Record<string, unknown>>;

export interface CircuitRequest {
  readonly project: string;
  readonly description?: string;
  readonly clientRef?: string;
  readonly a: EndpointAsk;
  readonly z: EndpointAsk;
  readonly mbps: number;
  readonly protection: 'UNPROTECTED' | 'PROTECTED';
  readonly constraints: Constraints;
  readonly provision: 'AUTOMATIC' | 'MANUAL';
  readonly holdS: number;
  readonly pinned: boolean;
  readonly noticeS: number;
  readonly priority: number;
  readonly schedule: Schedule;
  /** RFC 7517 public key that the capability token will be bound to. */
  readonly holderJwk?: Readonly<Record<string, unknown>>;
}

/** One side of a cross-connect: a device's own name for a port, and the label there. */
export interface Attachment {
  readonly port: string;
  readonly label: Label;
}

/** One cross-connect. It carries device, port and label, so that desired state needs no topology. */
export interface Hop {
  readonly device: string;
  readonly in: Attachment;
  readonly out: Attachment;
}

/** A share of an edge (see capacity.ts) that the segment needs. */
export interface Use {
  readonly edge: EdgeId;
  readonly label?: Label;
}

/** A way through one domain: what it crosses, what it claims, what must be connected. */
export interface Road {
  readonly links: readonly string[];
  readonly latencyMs: number;
  readonly uses: readonly Use[];
  readonly hops: readonly Hop[];
}

/** The second road of what is PROTECTED: held and dark, for when the first one fails. */
export interface Backup extends Road {
  /** Over several domains it comes from another border than the first road, or goes to another. */
  readonly ends?: { readonly a: SegmentEnd; readonly z: SegmentEnd };
  readonly impaired?: Impairment;
}

/** DARK is verified or never lit; anything else may be carrying light. */
export type Light = 'DARK' | 'LIGHTING' | 'LIT' | 'DARKENING';

export interface SegmentEnd {
  readonly port: PortId;
  readonly label?: Label;
  /** The link to the next domain that it is an end of. */
  readonly border?: string;
  /** Labels asked for or held there, until both domains have agreed on one; in the order of preference. */
  readonly offered?: readonly Label[];
}

/** The part of a circuit inside one domain, between two of its ports. */
export interface Segment {
  readonly domain: string;
  /** Ours to light; otherwise a peer's, reached by messages. */
  readonly local: boolean;
  /** The participant's own id for it, once it has told us. */
  readonly peerRef?: string;
  readonly a: SegmentEnd;
  readonly z: SegmentEnd;
  readonly links: readonly string[];
  readonly latencyMs: number;
  readonly uses: readonly Use[];
  readonly hops: readonly Hop[];
  readonly backup?: Backup;
  /** PROTECTED over several domains: only the second way passes here. It is lit all the time, and the ends switch. */
  readonly standby?: true;
  readonly agreed: 'ASKED' | 'HELD' | 'COMMITTED';
  /** There is room for it as soon as another circuit of ours has moved away. */
  readonly waits?: true;
  readonly light: Light;
  /** Of another domain: it has said that no order to a device will mend its road. */
  readonly impaired?: Impairment;
  /** PROTECTED over several domains: it was lit, and is not; what was said of it. */
  readonly lost?: string;
}

export interface Impairment {
  readonly detail: string;
  /** The end that is out of order, and not what lies between. */
  readonly port?: PortId;
}

export interface Placement {
  readonly version: number;
  readonly window: Window;
  /** Set up before its window, so that it has light when that begins: what it uses is claimed from here on. */
  readonly lightFrom?: InstantMs;
  readonly mbps: number;
  readonly segments: readonly Segment[];
}

export const claimedFrom = ({ lightFrom, window }: Placement): InstantMs => lightFrom ?? window.start;

/**
 * HOLDING and COMMITTING: being agreed. LIGHTING: agreed, being lit beside the current one (make before
 * break). RETIRING: replaced, being put out. EXPIRED (participants): its hold ran out, it claims nothing.
 */
export type PendingPhase = 'HOLDING' | 'COMMITTING' | 'LIGHTING' | 'RETIRING' | 'EXPIRED';

/** MOVE: for another's sake, in time or space. REROUTE: its road failed or closes. SWITCH: to its backup. */
export type ChangeCause = 'MOVE' | 'REROUTE' | 'SWITCH';

export interface Pending {
  readonly phase: PendingPhase;
  readonly placement: Placement;
  /** When the attempt is given up (home), or the hold expires (participant). */
  readonly until?: InstantMs;
  /** What the request becomes once this is in force. */
  readonly request?: CircuitRequest;
  /** Why it is changed, when not because the client asked. */
  readonly cause?: ChangeCause;
  /** MOVE: the circuit that needs the room. */
  readonly for?: string;
  /** RESERVING: circuits of ours that move away first, as soon as everything else is held. */
  readonly waitsFor?: readonly string[];
  /** What they left, for those who still have it: it goes over to this circuit. */
  readonly frees?: readonly Freed[];
}

/** A version that is no longer in force, and the one that is. */
export interface Freed {
  readonly circuit: string;
  readonly version: number;
  readonly active: number;
}

export interface Reason {
  readonly code: string;
  readonly detail: string;
}

export interface Condition {
  /** Protected: only on circuits that asked for it. */
  readonly type: 'DataPlaneUp' | 'Protected';
  readonly status: 'TRUE' | 'FALSE' | 'UNKNOWN';
  /** A word for programs; what a person would want to know besides is the detail. */
  readonly reason: string;
  readonly detail?: string;
  readonly since: InstantMs;
}

export interface Circuit {
  readonly id: CircuitId;
  readonly role: 'HOME' | 'PARTICIPANT';
  readonly shortCode: string;
  /** The principal that asked; for a participant, the pseudonym that the home gave. */
  readonly owner: string;
  readonly request: CircuitRequest;
  readonly state: State;
  readonly reason: Reason;
  readonly revision: number;
  readonly version: number;
  readonly current?: Placement;
  readonly pending?: Pending;
  /** When a client's hold runs out (HELD), or the time for an agreement does (COMMITTING). */
  readonly holdExpire?: InstantMs;
  /** MANUAL: somebody has asked for light. */
  readonly armed: boolean;
  /** What RELEASING leads to. */
  readonly outcome?: 'ENDED' | 'CANCELLED' | 'FAILED' | 'RESERVING';
  readonly conditions: readonly Condition[];
  readonly actualStart?: InstantMs;
  readonly actualEnd?: InstantMs;
  readonly laxityS: number;
  readonly moves: number;
  readonly createTime: InstantMs;
  readonly updateTime: InstantMs;
  readonly decisionIds: readonly string[];
  readonly seriesId?: SeriesId;
  readonly setId?: SetId;
  readonly setKey?: string;
  /** A member of a set may move only as far as the order in the set allows: its own window, cut. */
  readonly bounds?: Window;
  /** A firm offer that has not been taken: capacity held for whoever takes it. */
  readonly offer?: { readonly id: OfferId; readonly option: number };
  /** RESERVING: until then other domains are asked when they could, before a place is looked for. */
  readonly scouting?: InstantMs;
  /** What was refused since it last had a placement: the next attempt goes another way. */
  readonly setbacks?: readonly Setback[];
  /** Why a circuit that was stored before it was decided was refused. */
  readonly problem?: Problem;
  /** Labels of borders that it had lit and has no longer, with when that was: another's clock may be behind. */
  readonly left?: readonly LeftLabel[];
  /** How often another home has had it moved, and when last. */
  readonly asked?: { readonly times: number; readonly last: InstantMs };
  /** Participant only: where the home is, what it calls the circuit, and whether it has confirmed. */
  readonly home?: HomeRef;
}

export interface LeftLabel {
  readonly port: PortId;
  readonly label: Label;
  readonly at: InstantMs;
}

/** Why an attempt over several domains failed, and what of it the next one must not try again. */
export interface Setback {
  readonly version: number;
  readonly domain: string;
  /** What the domain said, or SILENT, ENDED. */
  readonly kind: string;
  readonly detail: string;
  readonly start: InstantMs;
  /** What the segment went over; of a LABEL: the border link. */
  readonly links: readonly string[];
  /** LABEL: those that are left to try; none: all but those that were. */
  readonly left?: readonly Label[];
  readonly asked?: readonly Label[];
  /** When there may be room. */
  readonly opens?: InstantMs;
  /** When it was said of a reroute, while the circuit goes on. */
  readonly at?: InstantMs;
}

export interface HomeRef {
  readonly domain: string;
  readonly circuit: string;
  /** Versions up to here are closed, unless one of them is current. */
  readonly floor: number;
  /** Since then it has been tried to be agreed, over however many versions; not once it is committed. */
  readonly tryingSince?: InstantMs;
  /** The home has told us that the commit stands. Until then we ask. */
  readonly told: boolean;
  /** Of a segment without an end: it goes on until then, and longer each time that its home confirms it. */
  readonly leaseUntil?: InstantMs;
  readonly askAt?: InstantMs;
  readonly asks: number;
  /** Counts what we tell the home, so that it can put a late one aside. */
  readonly sequence: number;
  /** How often the home has answered that it knows nothing of it, and the epoch of its commit. */
  readonly unknowns: number;
  readonly epoch: number;
  /** The tombstone is kept until then. */
  readonly keepUntil: InstantMs;
}

export const placements = (c: Circuit): Placement[] => [
  ...(c.current === undefined ? [] : [c.current]),
  ...(c.pending === undefined || c.pending.phase === 'EXPIRED' ? [] : [c.pending.placement]),
];

/** What all domains have agreed on: at home a change counts as soon as nothing but its own light is missing. */
export const agreedOf = ({ current, pending }: Circuit): Placement | undefined =>
  pending?.phase === 'LIGHTING' ? pending.placement : current;

export const localSegment = (p: Placement): Segment | undefined => p.segments.find((s) => s.local);

/** The ports at which a segment begins and ends, and those of its second road where they are others. */
export const endsOf = ({ a, z, backup }: Segment): SegmentEnd[] => [
  a,
  z,
  ...(backup?.ends === undefined ? [] : [backup.ends.a, backup.ends.z]),
];

export const isLit = (s: Segment): boolean => s.light !== 'DARK';

/** Something of it is lit here, or is not verified out. */
export const hasOwnLight = (c: Circuit): boolean =>
  placements(c).some((p) => {
    const segment = localSegment(p);
    return segment !== undefined && isLit(segment);
  });

function claimsOf(p: Placement): Claim[] {
  const { end } = p.window;
  const start = claimedFrom(p);
  const here = p.segments.filter((s) => s.local && s.agreed !== 'ASKED');
  const claims = here.flatMap(usesOf).map(
    ({ edge, label }): Claim => ({
      edge,
      mbps: p.mbps,
      start,
      end,
      ...(label === undefined ? {} : { label }),
    }),
  );
  for (const { port, label, offered = [] } of here.flatMap(endsOf)) {
    for (const other of offered)
      if (other !== label) claims.push({ edge: portEdge(port), mbps: 0, start, end, label: other });
  }
  return claims;
}

/** Of both its roads, where there are two: the ports, and a label of a node, which they share, once. */
export function usesOf(s: Segment): Use[] {
  if (s.backup === undefined) return [...s.uses];
  const key = ({ edge, label }: Use): string => `${edge} ${label}`;
  const known = new Set(s.uses.map(key));
  return [...s.uses, ...s.backup.uses.filter((use) => !known.has(key(use)))];
}

/**
 * What a circuit claims of this domain's room: its placements, and where two of them overlap on one edge the
 * larger, not the sum (else a circuit would block its own move). Nothing once it is final.
 */
export function claims(c: Circuit): Claim[] {
  if (isFinal(c.state)) return [];
  const [first, second] = placements(c);
  if (first === undefined) return [];
  const mine = claimsOf(first);
  if (second === undefined) return mine;
  return [...mine, ...claimsOf(second).flatMap((claim) => beyond(claim, mine))];
}

/** The part of `claim` that the same circuit's claims of the same edge do not cover already. */
function beyond(claim: Claim, mine: readonly Claim[]): Claim[] {
  const there = mine.filter((m) => m.edge === claim.edge);
  const same = there.find((m) => m.label === claim.label && m.mbps > 0);
  const twin = same ?? there.find((m) => m.mbps > 0) ?? there[0];
  if (twin === undefined || !overlaps(claim, twin)) return [claim];
  const pieces: Claim[] = [];
  if (claim.start < twin.start) pieces.push({ ...claim, end: twin.start });
  if (twin.end < claim.end) pieces.push({ ...claim, start: twin.end });
  const start = instant(Math.max(claim.start, twin.start));
  const end = instant(Math.min(claim.end, twin.end));
  const { label, ...bare } = claim;
  const newLabel = label !== undefined && !there.some((m) => m.label === label);
  const more = Math.max(0, claim.mbps - twin.mbps);
  if (more > 0 || newLabel) pieces.push({ ...bare, mbps: more, start, end, ...(newLabel ? { label } : {}) });
  return pieces;
}
