/**
 * What a participant's row says to its home now: the columns of the message table. And what a hold or commit is
 * compared with: what is held already, and the clock.
 */
import type { InstantMs } from '../../kernel/clock.ts';
import { relabel } from '../../model/borders.ts';
import { type Circuit, isFinal, type Placement, type Segment } from '../../model/circuit.ts';
import type { HeldLabels, HomeEvent } from '../../model/events.ts';
import { anyLight } from '../../model/rules.ts';
import { secondOf, withSecond } from '../../model/ways.ts';
import type { PeerAnswer, PeerMessage, PeerSegment } from './peerPorts.ts';

/** A move must be known so long before the notice of its circuit begins. */
const LEAD_MS = 2_000;

/** The columns of the message table, from the row as it is. Without a version: the state of the whole. */
export function presentOf(c: Circuit, version: number | undefined, epoch: number): PeerAnswer {
  const { current, pending } = c;
  const dark = !anyLight(c);
  if (isFinal(c.state) || c.state === 'RELEASING') return { state: 'CLOSED', dark, epoch };
  const of = version ?? current?.version ?? pending?.placement.version;
  if (current !== undefined && current.version === of) {
    return {
      state: 'COMMITTED',
      version: current.version,
      lit: c.state === 'ACTIVE',
      peerRef: c.id,
      epoch,
    };
  }
  if (pending !== undefined && pending.placement.version === of) {
    if (pending.phase === 'EXPIRED') return { state: 'EXPIRED', version: of, epoch };
    if (pending.phase === 'COMMITTING')
      return { state: 'COMMITTED', version: of, lit: c.state === 'ACTIVE', peerRef: c.id, epoch };
    if (pending.phase === 'RETIRING') return { state: 'CLOSED', dark: false, epoch };
    const segment = pending.placement.segments[0];
    const ends = segment?.backup?.ends;
    return {
      state: 'HELD',
      version: of,
      until: pending.until ?? c.updateTime,
      peerRef: c.id,
      ...(segment === undefined ? {} : heldAt(segment)),
      ...(ends === undefined ? {} : { second: heldAt(ends) }),
      epoch,
    };
  }
  return of !== undefined && of > Math.max(c.version, c.home?.floor ?? 0)
    ? { state: 'UNKNOWN', epoch }
    : { state: 'CLOSED', dark, epoch };
}

const heldAt = ({ a, z }: Pick<Segment, 'a' | 'z'>): HeldLabels => ({
  ...(a.label === undefined ? {} : { aLabel: a.label }),
  ...(z.label === undefined ? {} : { zLabel: z.label }),
  ...(a.offered === undefined ? {} : { aLabels: a.offered }),
  ...(z.offered === undefined ? {} : { zLabels: z.offered }),
});

/** Of a move: once the notice of either of its starts has begun, by our clock, it is too late. */
export function isFrozen(now: InstantMs, known: Circuit | undefined, { segment, kind }: Taking): boolean {
  if (kind !== 'MOVE') return false;
  const start = Math.min(segment.window.start, known?.current?.window.start ?? segment.window.start);
  return now >= start - (segment.noticeS ?? 0) * 1000 - LEAD_MS;
}

export type Taking = Extract<PeerMessage, { readonly op: 'hold' | 'commit' }>;

/** What is held, with the labels that the commit names; undefined when it names others than are held. */
export function named(held: Placement, asked: PeerSegment): Placement | undefined {
  const [segment] = held.segments;
  const first = segment && labelled(segment, asked);
  const second = segment && secondOf(segment);
  if (first === undefined) return undefined;
  if (second === undefined || asked.second === undefined) return { ...held, segments: [first] };
  const other = labelled(second, asked.second);
  return other && { ...held, segments: [withSecond(first, other)] };
}

function labelled(segment: Segment, { a, z }: Pick<PeerSegment, 'a' | 'z'>): Segment | undefined {
  let made = segment;
  for (const [end, { labels, candidates }] of [['a', a] as const, ['z', z] as const]) {
    const { offered } = made[end];
    if (offered === undefined) continue;
    if (candidates !== undefined) return undefined;
    const label = labels === 'UNTAGGED' ? 0 : labels[0]?.[0];
    if (label === undefined || !offered.includes(label)) return undefined;
    made = relabel(made, end, label);
  }
  return made;
}

/** Between the same ports, in the same slot, at the same rate: a version is asked for once, however often it is said. */
export function isSameAsk(held: Placement, asked: PeerSegment): boolean {
  const { window, mbps, second } = asked;
  const [segment] = held.segments;
  return (
    held.mbps === mbps &&
    held.window.start === window.start &&
    held.window.end === window.end &&
    portsOf(segment) === portsOf(asked) &&
    portsOf(segment && secondOf(segment)) === portsOf(second)
  );
}

const portsOf = (of: { readonly a: { port: string }; readonly z: { port: string } } | undefined) =>
  of && `${of.a.port} ${of.z.port}`;

/** What a participant tells, as the lifecycle of a home hears it. */
export function newsOf(
  domain: string,
  { what, version, cause, port, second }: Extract<PeerMessage, { readonly op: 'notify' }>,
  at: InstantMs,
): HomeEvent {
  const of = { domain, version, at };
  const road = second === undefined ? {} : { second };
  switch (what) {
    case 'UP':
      return { type: 'up', ...of };
    case 'DOWN':
      return { type: 'down', detail: cause ?? 'no light', ...of };
    case 'IMPAIRED':
      return {
        type: 'impaired',
        detail: cause ?? 'its road is out of order',
        ...of,
        ...(port === undefined ? {} : { port }),
        ...road,
      };
    case 'MENDED':
      return { type: 'mended', ...of, ...road };
    case 'ENDED':
      return { type: 'ended', domain, cause: cause ?? 'ended by the participant', at };
  }
}
