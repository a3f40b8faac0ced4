/**
 * A peer's segment through our domain: which road, and at a border which labels. Of the candidates that a home
 * offers, the end that is the link's label master holds the first that is free and the other end all that are.
 */
import { invariant } from '../../kernel/assert.ts';
import { type InstantMs, NEVER } from '../../kernel/clock.ts';
import { relabel } from '../../model/borders.ts';
import { fromSeconds, LAST_SECOND, portEdge, toSeconds } from '../../model/capacity.ts';
import type { Circuit, CircuitRequest, Constraints, Segment } from '../../model/circuit.ts';
import { type Label, type LabelAsk, rangesOf } from '../../model/label.ts';
import { secondOf, withSecond } from '../../model/ways.ts';
import type { Window } from '../../model/window.ts';
import type { Move } from '../../scheduler/laxity/booking.ts';
import { place, usual } from '../../scheduler/laxity/place.ts';
import type { PortDocument } from '../../topology/document.ts';
import type { Refusal } from '../../topology/search/question.ts';
import { borderId, masterOf } from '../../topology/stitch.ts';
import { unusable } from '../circuits/brokenRoads.ts';
import { askOf, segmentOf, wishOf } from '../circuits/place.ts';
import { planSegment, type Slot } from '../circuits/plan.ts';
import type { Ground } from '../ground.ts';
import { REST_S } from '../limits.ts';
import type { Tx } from '../tx.ts';
import type { PeerEnd, PeerSecond, PeerSegment, RefusalKind, SegmentConstraints } from './peerPorts.ts';

/** More labels than these are not looked at one by one. */
const MOST_CANDIDATES = 4;

export interface Declined {
  readonly kind: RefusalKind;
  readonly cause: string;
  readonly opens?: InstantMs;
}

export type Guest = { readonly segment: Segment } | Declined;

/** What a peer does not say: its own policies, protection and windows stay with it. */
export const requestOf = (
  segment: Pick<PeerSegment, 'a' | 'z' | 'window' | 'mbps' | 'provision' | 'constraints' | 'noticeS'>,
  from: string,
): CircuitRequest => ({
  project: `peer:${from}`,
  a: { port: segment.a.port, vlan: segment.a.labels },
  z: { port: segment.z.port, vlan: segment.z.labels },
  mbps: segment.mbps,
  provision: segment.provision,
  schedule:
    segment.window.end === NEVER
      ? { type: 'NOW', durationS: 'NEVER' }
      : { type: 'FIXED', start: segment.window.start, end: segment.window.end },
  protection: 'UNPROTECTED',
  constraints: constraintsOf(segment.constraints ?? {}),
  holdS: 0,
  // Whether its home may be asked to move it.
  pinned: segment.noticeS === undefined,
  noticeS: segment.noticeS ?? 0,
  priority: 50,
});

const constraintsOf = ({ maxLatencyMs, minMtu, excludeSrlgs }: SegmentConstraints): Constraints => ({
  ...(maxLatencyMs === undefined ? {} : { max_latency_ms: maxLatencyMs }),
  ...(minMtu === undefined ? {} : { min_mtu: minMtu }),
  ...(excludeSrlgs === undefined ? {} : { exclude_srlgs: excludeSrlgs }),
});

/** Where two ways are asked for, a second one beside the first; if that leaves it none, the other way about. */
export function planGuest(ground: Ground, asked: PeerSegment, request: CircuitRequest): Guest {
  const { second } = asked;
  if (second !== undefined && sharesBorder(ground, asked, second))
    return { kind: 'INVALID', cause: 'both ways go over one border' };
  const first = planOne(ground, asked, request);
  if (second === undefined || !('segment' in first)) return first;
  const other: PeerSegment = { ...asked, a: second.a, z: second.z };
  const latency = second.maxLatencyMs === undefined ? {} : { max_latency_ms: second.maxLatencyMs };
  const otherRequest = { ...request, constraints: { ...request.constraints, ...latency } };
  const beside = planBeside(ground, other, otherRequest, first.segment);
  if ('segment' in beside) return { segment: withSecond(first.segment, beside.segment) };
  const alone = planOne(ground, other, otherRequest);
  if (!('segment' in alone)) return alone;
  const instead = planBeside(ground, asked, request, alone.segment);
  return 'segment' in instead ? { segment: withSecond(instead.segment, alone.segment) } : beside;
}

const sharesBorder = ({ network }: Ground, one: PeerSegment, other: PeerSecond): boolean =>
  network.document.ports.some(
    ({ id, remote }) =>
      remote !== undefined &&
      [one.a, one.z].some((end) => end.port === id) &&
      [other.a, other.z].some((end) => end.port === id),
  );

/** Over no link of what is there, and with its label where both have a port. */
function planBeside(ground: Ground, asked: PeerSegment, request: CircuitRequest, there: Segment): Guest {
  const pinned = (end: 'a' | 'z'): PeerEnd => {
    const { port, label } = there[end];
    if (asked[end].port !== port || label === undefined) return asked[end];
    return { port, labels: label === 0 ? 'UNTAGGED' : [[label, label]] };
  };
  const clear = { ...request.constraints, exclude_links: there.links };
  const ends = { ...asked, a: pinned('a'), z: pinned('z') };
  return planOne(ground, ends, { ...request, constraints: clear });
}

function planOne(ground: Ground, asked: PeerSegment, request: CircuitRequest): Guest {
  const turns = turnsFor(ground, asked, request);
  if ('kind' in turns) return turns;
  let refusal: Refusal | undefined;
  for (const turn of turns) {
    const found = planSegment(ground, turn.request, slotOf(asked));
    if (!('found' in found)) return { segment: turn.settle(found) };
    refusal ??= found;
  }
  invariant(refusal !== undefined, 'there is one turn at least');
  return declined(refusal);
}

/**
 * The same, with circuits of our own stepping aside inside their windows: no other domain has a part in them, so that
 * this is decided here and at once.
 */
export function planInstead(
  tx: Tx,
  id: string,
  asked: PeerSegment,
  request: CircuitRequest,
): { readonly segment: Segment; readonly moves: readonly Move[] } | undefined {
  const turns = turnsFor(tx.ground, asked, request);
  if ('kind' in turns || asked.second !== undefined) return undefined;
  const wish = wishOf(request, slotOf(asked), tx.now);
  for (const turn of turns) {
    const ask = askOf(id, turn.request, wish, tx.now);
    const answer = place(tx.book.fleet, ask, toSeconds(tx.now), { ...usual, explain: false });
    if (answer.placed) return { segment: turn.settle(segmentOf(tx, answer.seat)), moves: answer.moves };
  }
  return undefined;
}

/**
 * What is held here already as the second road of that circuit, when its home asks for that road alone: it is
 * about to switch to it.
 */
export function heldAsSecond({ current }: Circuit, ground: Ground, asked: PeerSegment): Segment | undefined {
  const [segment] = current?.segments ?? [];
  const second = segment && secondOf(segment);
  if (second === undefined || current === undefined || asked.second !== undefined) return undefined;
  const same = (end: 'a' | 'z'): boolean =>
    second[end].port === asked[end].port &&
    second[end].offered === undefined &&
    asked[end].candidates === undefined &&
    allows(asked[end].labels, second[end].label);
  const { window, mbps } = asked;
  const within =
    window.start >= current.window.start && window.end <= current.window.end && mbps <= current.mbps;
  return within && same('a') && same('z') && unusable(ground, second, true) === undefined
    ? { ...second, agreed: 'HELD' }
    : undefined;
}

const allows = (labels: PeerEnd['labels'], label: Label | undefined): boolean =>
  labels === 'UNTAGGED'
    ? label === undefined || label === 0
    : label !== undefined && labels.some(([low, high]) => low <= label && label <= high);

const slotOf = ({ window, mbps }: PeerSegment): Slot => ({ window, mbps });

/** One choice of labels at the borders: what is searched for, and what is held of it. */
interface Turn {
  readonly request: CircuitRequest;
  settle(found: Segment): Segment;
}

function turnsFor(ground: Ground, asked: PeerSegment, request: CircuitRequest): readonly Turn[] | Declined {
  const slot = slotOf(asked);
  const [a, z] = [endOf(ground, asked.a, slot), endOf(ground, asked.z, slot)];
  if (a.vlan === undefined || z.vlan === undefined) {
    const { port } = a.vlan === undefined ? asked.a : asked.z;
    return { kind: 'LABEL', cause: `none of the labels offered at ${port} is free` };
  }
  const known = knownHere(ground, request);
  return inTurn(ground, { ...a, vlan: a.vlan }, { ...z, vlan: z.vlan }).map(([aVlan, zVlan]) => ({
    request: {
      ...known,
      a: { port: asked.a.port, vlan: aVlan },
      z: { port: asked.z.port, vlan: zVlan },
    },
    settle: (found) => settle(ground, settle(ground, found, 'a', a), 'z', z),
  }));
}

/** Where a border's node cannot change labels, the road has the label that is preferred, not the lowest. */
function inTurn(ground: Ground, a: Asked, z: Asked): [a: LabelAsk, z: LabelAsk][] {
  const [fixedA, fixedZ] = [a, z].map((end) => (swapsAt(ground, end) ? undefined : end.free));
  if (fixedA !== undefined) return fixedA.map((label) => [rangesOf([label]), z.vlan]);
  if (fixedZ !== undefined) return fixedZ.map((label) => [a.vlan, rangesOf([label])]);
  return [[a.vlan, z.vlan]];
}

const swapsAt = ({ network }: Ground, { border }: Pick<End, 'border'>): boolean =>
  border === undefined || network.swaps[network.nodeIndex.get(border.node) ?? 0] === 1;

interface End {
  /** Undefined: none of what is offered is free. */
  readonly vlan: LabelAsk | undefined;
  readonly border?: PortDocument;
  /** Free here, in the order of preference; absent where there is no choice to be made. */
  readonly free?: readonly Label[];
  /** The home has decided: the label that is named is the one. */
  readonly decided: boolean;
}
type Asked = End & { readonly vlan: LabelAsk };

function endOf(ground: Ground, { port, labels, candidates }: PeerEnd, { window }: Slot): End {
  const decided = candidates === undefined;
  const own = ground.network.document.ports.find((one) => one.id === port);
  if (own?.remote === undefined) return { vlan: labels, decided };
  const border = { border: own, decided };
  const offered = candidates ?? single(labels);
  if (offered === undefined) return { vlan: labels, ...border };
  const taken = takenAt(ground, own.id, window);
  const free = offered.slice(0, MOST_CANDIDATES).filter((label) => !taken(label));
  return { vlan: free.length === 0 ? undefined : rangesOf(free), free, ...border };
}

const single = (labels: PeerEnd['labels']): Label[] | undefined =>
  labels !== 'UNTAGGED' && labels.length === 1 && labels[0]?.[0] === labels[0]?.[1]
    ? labels.map(([label]) => label)
    : undefined;

/** Somebody has the label then, or so shortly before or after that the two ends might not agree who. */
function takenAt(ground: Ground, port: string, window: Window): (label: Label) => boolean {
  const edge = ground.network.ports.get(port)?.edge ?? ground.network.names.intern(portEdge(port));
  const start = Math.max(0, toSeconds(window.start) - REST_S);
  const end = Math.min(LAST_SECOND, toSeconds(window.end) + REST_S);
  const claimed = ground.calendar.labels(edge, start, end);
  const resting = ground.resting(port, window);
  return (label) => claimed.has(label) || resting.includes(label);
}

/** Writes into the segment which labels it holds at that end. */
function settle(ground: Ground, segment: Segment, end: 'a' | 'z', { border, free, decided }: End): Segment {
  if (border?.remote === undefined) return segment;
  const at = { ...segment[end], border: borderId(border.id, border.remote.port) };
  const made: Segment = { ...segment, [end]: at };
  if (free === undefined || at.label === undefined) return made;
  const { network } = ground;
  const swaps = swapsAt(ground, { border });
  const first = swaps ? (free[0] ?? at.label) : at.label;
  const relabelled = first === at.label ? made : relabel(made, end, first);
  if (decided) return relabelled;
  const own = { domain: network.document.domain, port: at.port };
  // Documents have been checked: what names a port has the form of one.
  const there = { domain: border.remote.domain, port: border.remote.port as typeof own.port };
  const decides = masterOf(own, there) === own.domain;
  const offered = decides || !swaps ? [first] : free;
  return { ...relabelled, [end]: { ...relabelled[end], offered } };
}

/** Names that only the home knows are nothing to be kept clear of here. */
function knownHere({ network }: Ground, request: CircuitRequest): CircuitRequest {
  const { exclude_srlgs, ...rest } = request.constraints as { exclude_srlgs?: readonly string[] };
  if (exclude_srlgs === undefined) return request;
  const srlgs = new Set(network.links.flatMap((link) => link.srlgs));
  const known = exclude_srlgs.filter((name) => srlgs.has(name));
  return { ...request, constraints: known.length === 0 ? rest : { ...rest, exclude_srlgs: known } };
}

export function declined(refusal: Refusal): Declined {
  const kind = refusal.reason === 'INVALID' ? 'INVALID' : refusal.reason === 'LABELS' ? 'LABEL' : 'ROOM';
  const times = refusal.bottlenecks.flatMap(({ opens }) =>
    opens === undefined || opens >= LAST_SECOND ? [] : [opens],
  );
  // Every way needs one of them: it opens when the first of them does.
  return {
    kind,
    cause: refusal.detail,
    ...(times.length === 0 ? {} : { opens: fromSeconds(Math.min(...times)) }),
  };
}
