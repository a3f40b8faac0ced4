/**
 * Random walks through the lifecycle: a list of drawn numbers is read as a history, each number choosing an
 * event that could come next in the circuit's present state, wanted or not, early or late. The properties
 * are elsewhere; here is only how a history is made, so that all of them look at the same ones.
 */
import fc from 'fast-check';
import { type InstantMs, instant } from '../../src/kernel/clock.ts';
import {
  type Circuit,
  localSegment,
  type Placement,
  placements,
  type Segment,
} from '../../src/model/circuit.ts';
import type { CircuitEvent, HomeEvent, ParticipantEvent } from '../../src/model/events.ts';
import { dueAt, type Step, step } from '../../src/model/lifecycle.ts';
import {
  aCircuit,
  aHop,
  aParticipant,
  aPlacement,
  aRequest,
  aSegment,
  at,
  deepFreeze,
  T0,
  theirSegment,
} from '../support/builders.ts';

/** One drawn step of a history. */
interface Draw {
  /** Takes one of the events that lead on, so that histories get far; otherwise any event at all. */
  readonly onward: boolean;
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly wait: number;
}

export interface History {
  readonly role: Circuit['role'];
  readonly manual: boolean;
  readonly hold: boolean;
  readonly peers: boolean;
  readonly draws: readonly Draw[];
}

const draw: fc.Arbitrary<Draw> = fc.record({
  onward: fc.integer({ min: 0, max: 9 }).map((n) => n < 7),
  kind: fc.nat(30),
  a: fc.nat(60),
  b: fc.nat(60),
  wait: fc.constantFrom(0, 0, 0, 1, 5, 20, 60, -1, -1),
});

export const histories = (role?: Circuit['role']): fc.Arbitrary<History> =>
  fc.record({
    role: role === undefined ? fc.constantFrom<Circuit['role']>('HOME', 'PARTICIPANT') : fc.constant(role),
    manual: fc.boolean(),
    hold: fc.boolean(),
    peers: fc.boolean(),
    draws: fc.array(draw, { maxLength: 40, size: 'max' }),
  });

export function begin(h: History): Circuit {
  const request = aRequest({
    provision: h.manual ? 'MANUAL' : 'AUTOMATIC',
    holdS: h.hold && h.role === 'HOME' ? 30 : 0,
  });
  return deepFreeze(h.role === 'HOME' ? aCircuit({ request }) : aParticipant({ request }));
}

export const LOCAL = 'ams.example';
const FAR = 'sdg.example';

/** Three windows and two roads, so that changes overlap, touch and lie apart, with and without new hops. */
const starts = [100, 100, 150, 230];
export function placementOf(version: number, n: number, peers: boolean): Placement {
  const start = starts[n % starts.length] as number;
  const road: Partial<Segment> =
    n % 2 === 0
      ? {}
      : { hops: [aHop({ device: 'sw2' })], links: ['l2'], uses: [{ edge: 'link:l2', label: 7 }] };
  return aPlacement(version, {
    window: { start: at(start), end: at(start + 100) },
    mbps: 1000 + (n % 3) * 500,
    segments: peers ? [aSegment(road), theirSegment(FAR)] : [aSegment(road)],
  });
}

const pick = <T>(list: readonly T[], n: number): T => list[n % list.length] as T;

/** Versions that a message may name: those in play, one never heard of, and old ones. */
const versions = (c: Circuit): number[] => [
  ...(c.current === undefined ? [] : [c.current.version]),
  ...(c.pending === undefined ? [] : [c.pending.placement.version]),
  c.version,
  c.version + 1,
  Math.max(0, c.version - 1),
];

const withOwn = (p: Placement, agreed: 'ASKED' | 'HELD'): Placement => ({
  ...p,
  segments: p.segments.map((s) => (s.local ? { ...s, agreed } : s)),
});

function ownHeld({ pending }: Circuit): { segment?: Segment } {
  const segment = pending === undefined ? undefined : localSegment(withOwn(pending.placement, 'HELD'));
  return segment === undefined ? {} : { segment };
}

export function homeEvent(c: Circuit, d: Draw, now: InstantMs, peers: boolean): HomeEvent {
  const version = pick(versions(c), d.a);
  const domain = peers && d.b % 2 === 1 ? FAR : LOCAL;
  const until = instant(now + 40_000);
  const drawn = placementOf(c.version + 1, d.b, peers);
  // What is about to start or has started keeps its start; its end, rate and road may change.
  const frozen =
    c.current !== undefined && Math.min(c.current.window.start, drawn.window.start) < now + 60_000;
  const placement = frozen
    ? {
        ...drawn,
        window: {
          start: c.current.window.start,
          end: instant(Math.max(now, c.current.window.start) + 5000 + d.b * 1000),
        },
      }
    : drawn;
  const all: readonly HomeEvent[] = [
    { type: 'due', at: now },
    { type: 'place', placement, until, at: now },
    { type: 'held', domain: FAR, version, peerRef: 'cir_far', until, at: now },
    { type: 'committed', domain: FAR, version, at: now },
    { type: 'up', domain, version, at: now },
    { type: 'dark', domain, version, at: now },
    { type: 'commit', at: now },
    { type: 'provision', at: now },
    { type: 'modify', placement, request: { ...c.request, mbps: placement.mbps }, until, at: now },
    { type: 'due', at: now },
    { type: 'up', domain: FAR, version, at: now },
    { type: 'held', domain: FAR, version, peerRef: 'cir_far', until, aLabel: 9, at: now },
    { type: 'committed', domain: FAR, version, at: now },
    { type: 'down', domain, version, detail: 'no light', at: now },
    { type: d.b % 2 === 0 ? 'impaired' : 'mended', domain, version, detail: 'a link', at: now },
    { type: 'dark', domain, at: now },
    { type: 'extend-hold', until: instant(now + d.a * 1000), at: now },
    { type: 'refused', domain: FAR, version, cause: 'no room', at: now },
    { type: 'ended', domain: FAR, cause: 'cut', at: now },
    { type: 'release', detail: 'done', at: now },
    { type: 'cancel', detail: 'not wanted', at: now },
    { type: 'abort', at: now },
    { type: 'modify', request: { ...c.request, priority: 1 }, until, at: now },
    { type: 'place', placement: withOwn(placement, 'ASKED'), until, waitsFor: ['cir_other'], at: now },
    { type: 'waits', domain: FAR, version, at: now },
    { type: 'differs', domain: FAR, versions: d.b % 3 === 0 ? [] : [version], at: now },
    {
      type: 'room',
      version,
      ...ownHeld(c),
      frees: [{ circuit: 'cir_other', version: 1, active: 2 }],
      at: now,
    },
    {
      type: 'reject',
      problem: { type: 'urn:x', title: 'x', status: 409, code: 'NO_FEASIBLE_SLOT', detail: 'full' },
      at: now,
    },
  ];
  const onward = all.filter((e) => leadsOn(c, e, placement.version));
  return pick(d.onward && onward.length > 0 ? onward : all, d.kind);
}

/** Does the event belong to the way from request to light, or to a change of it, in this state? */
function leadsOn(c: Circuit, e: HomeEvent, fresh: number): boolean {
  if (e.type === 'due') return c.state !== 'RESERVING';
  const asked = c.pending?.placement.version;
  switch (c.state) {
    case 'RESERVING':
      if (c.pending === undefined) return e.type === 'place';
      return (e.type === 'held' || e.type === 'room') && e.version === asked;
    case 'HELD':
      return e.type === 'commit' || e.type === 'extend-hold';
    case 'COMMITTING':
      return e.type === 'committed' && e.version === c.current?.version;
    case 'RELEASING':
      return e.type === 'dark' || e.type === 'ended';
    default:
      if (e.type === 'modify') return e.placement?.version === fresh;
      if (e.type === 'held' || e.type === 'committed') return e.version === asked;
      if (e.type === 'up' || e.type === 'dark')
        return e.version === asked || e.version === c.current?.version;
      return e.type === 'provision';
  }
}

export function participantEvent(c: Circuit, d: Draw, now: InstantMs): ParticipantEvent {
  const version = pick(versions(c), d.a);
  const placement = placementOf(version, d.b, false);
  const until = instant(now + 40_000);
  const active = c.current?.version;
  const all: readonly ParticipantEvent[] = [
    { type: 'due', at: now },
    { type: 'hold', placement, until, at: now, ...(active === undefined ? {} : { replaces: active }) },
    { type: 'commit', placement, epoch: 1, at: now },
    { type: 'up', domain: LOCAL, version, at: now },
    { type: 'dark', domain: LOCAL, version, at: now },
    { type: 'provision', version, at: now },
    { type: 'told', state: 'ACTIVE', version, epoch: 1, at: now },
    { type: 'due', at: now },
    { type: 'hold', placement, until, at: now, ...(d.b % 5 === 0 ? {} : { replaces: active ?? 1 }) },
    { type: 'commit', placement, epoch: 1, at: now },
    { type: 'free', version: Math.max(0, version - 1), active: version, at: now },
    { type: 'down', domain: LOCAL, version, detail: 'no light', at: now },
    { type: d.b % 2 === 0 ? 'impaired' : 'mended', domain: LOCAL, version, detail: 'a link', at: now },
    { type: 'dark', domain: LOCAL, at: now },
    { type: 'extend-hold', version, until: instant(now + d.b * 1000), at: now },
    { type: 'abort', version, at: now, ...(active === undefined || d.b % 3 === 0 ? {} : { active }) },
    d.b % 7 === 6
      ? { type: 'differs', domain: FAR, versions: [], at: now }
      : { type: 'told', state: pick(['PENDING', 'UNKNOWN', 'ABORTED'] as const, d.b), epoch: 1, at: now },
    { type: 'release', detail: 'done', at: now },
    { type: 'cancel', floor: version, at: now },
  ];
  const onward = all.filter((e) => leadsParticipantOn(c, e));
  return pick(d.onward && onward.length > 0 ? onward : all, d.kind);
}

function leadsParticipantOn(c: Circuit, e: ParticipantEvent): boolean {
  const held = c.pending?.placement.version;
  switch (e.type) {
    case 'hold':
      return e.placement.version > c.version;
    case 'commit':
      return e.placement.version === held || c.state === 'RESERVING';
    case 'up':
      return e.version === held || e.version === c.current?.version;
    case 'free':
    case 'told':
      return e.type === 'free' ? e.active === held : e.state === 'ACTIVE' && e.version === held;
    case 'due':
    case 'provision':
    case 'dark':
      return c.current !== undefined;
    default:
      return false;
  }
}

/** Our own devices report only on what they were asked: light that never was is not news. */
function plausible(c: Circuit, e: CircuitEvent): boolean {
  if ((e.type !== 'up' && e.type !== 'down') || e.domain !== LOCAL) return true;
  return placements(c).some((p) => p.version === e.version && localSegment(p)?.light !== 'DARK');
}

export type Look = (before: Circuit, event: CircuitEvent, result: Step) => void;

export interface WalkOptions {
  /** Whatever is due is told so at its own second, before anything later happens. */
  readonly prompt?: boolean;
  /** May this happen now? What devices report must agree with what they were told. */
  readonly couldBe?: (c: Circuit, event: CircuitEvent) => boolean;
}

/** Calls `look` for every event of the history, also for those that changed nothing. */
export function walk(h: History, look: Look, options: WalkOptions = {}): Circuit {
  const couldBe = options.couldBe ?? plausible;
  let c = begin(h);
  let now: InstantMs = T0;
  const happen = (event: CircuitEvent): boolean => {
    const result = step(c, deepFreeze(event));
    look(c, event, result);
    if (result.kind === 'stepped') c = deepFreeze(result.circuit);
    return result.kind === 'stepped';
  };
  for (const d of h.draws) {
    const due = dueAt(c);
    const then =
      d.wait >= 0 || due === undefined
        ? instant(now + Math.max(0, d.wait) * 1000)
        : instant(Math.max(now, due));
    if (options.prompt === true) {
      for (let at = dueAt(c); at !== undefined && at <= then; at = dueAt(c)) {
        now = instant(Math.max(now, at));
        if (!happen({ type: 'due', at: now })) break;
      }
    }
    now = then;
    const event = c.role === 'HOME' ? homeEvent(c, d, now, h.peers) : participantEvent(c, d, now);
    if (couldBe(c, event)) happen(event);
  }
  return c;
}
