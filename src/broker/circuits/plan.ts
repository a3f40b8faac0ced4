/**
 * From a request and a slot to a placement: which segments, over which links, with which labels. Asks the
 * path search over the calendar and says in the API's words what blocks and what could be had instead.
 */
import { type InstantMs, NEVER, rfc3339 } from '../../kernel/clock.ts';
import { type Alternative, type Bottleneck, BrokerError } from '../../kernel/errors.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import { fromSeconds, LAST_SECOND, type Seconds, toSeconds } from '../../model/capacity.ts';
import {
  type CircuitRequest,
  type Placement,
  placements,
  type Road,
  type Segment,
} from '../../model/circuit.ts';
import { type PortId, prefixOf } from '../../model/port.ts';
import { waysOf } from '../../model/ways.ts';
import type { Window } from '../../model/window.ts';
import type { Move } from '../../scheduler/laxity/booking.ts';
import { findEarliest } from '../../topology/search/earliest.ts';
import { findPath, findWidest } from '../../topology/search/find.ts';
import { findPair } from '../../topology/search/pair.ts';
import type {
  Bottleneck as Blocked,
  Path,
  PathQuery,
  Refusal,
  Snapshot,
} from '../../topology/search/question.ts';
import type { Ground } from '../ground.ts';
import { MENDED_AFTER_MS } from '../limits.ts';

export interface Slot {
  readonly window: Window;
  readonly mbps: number;
}

/** What is asked of time: a slot, or a window to choose one in. */
export interface Wish {
  readonly notBefore: InstantMs;
  readonly deadline: InstantMs;
  readonly durationS: Seconds;
  readonly mbps: number;
  readonly movable: boolean;
}

export type Placing =
  | {
      readonly kind: 'placed';
      readonly slot: Slot;
      readonly segments: readonly Segment[];
      readonly moves: readonly Move[];
    }
  | { readonly kind: 'refused'; readonly problem: BrokerError };

export type Plan =
  | { readonly kind: 'placed'; readonly segments: readonly Segment[] }
  | { readonly kind: 'refused'; readonly problem: BrokerError };

/** Between two ports of ours. */
export function plan(ground: Ground, request: CircuitRequest, slot: Slot): Plan {
  const found = roadsFor(snapshot(ground), request, queryOf(ground, request, slot));
  return found.found
    ? { kind: 'placed', segments: [localSegmentOf(ground, found.road, found.second && roadOf(found.second))] }
    : { kind: 'refused', problem: problemOf(ground, request, slot, found) };
}

export const isOurs = ({ network }: Ground, { a, z }: CircuitRequest): boolean =>
  prefixOf(a.port) === network.document.prefix && prefixOf(z.port) === network.document.prefix;

/** One road, or for a protected circuit two that share no link, and no node where that is possible. */
export function roadsFor(
  on: Snapshot,
  request: CircuitRequest,
  query: PathQuery,
): { readonly found: true; readonly road: Path; readonly second?: Path } | Refusal {
  if (request.protection === 'UNPROTECTED') {
    const road = findPath(on, query);
    return road.found ? { found: true, road } : road;
  }
  const apart = findPair(on, { ...query, disjoint: 'NODE' });
  const pair = apart.found ? apart : findPair(on, { ...query, disjoint: 'LINK' });
  return pair.found ? { found: true, road: pair.paths[0], second: pair.paths[1] } : pair;
}

export const roadOf = ({ links, latencyMs, uses, hops }: Path): Road => ({ links, latencyMs, uses, hops });

/** A segment between two of our own ports, as a peer asks for it. */
export function planSegment(ground: Ground, request: CircuitRequest, slot: Slot): Segment | Refusal {
  const found = findPath(snapshot(ground), queryOf(ground, request, slot));
  return found.found ? localSegmentOf(ground, found, undefined) : found;
}

export const placementOf = (version: number, slot: Slot, segments: readonly Segment[]): Placement => ({
  version,
  window: slot.window,
  mbps: slot.mbps,
  segments,
});

const snapshot = ({ network, calendar }: Ground): Snapshot => ({
  network,
  free: calendar,
});

export const queryOf = (ground: Ground, request: CircuitRequest, { window, mbps }: Slot): PathQuery => ({
  a: request.a,
  z: request.z,
  mbps,
  start: toSeconds(window.start),
  end: toSeconds(window.end),
  constraints: request.constraints,
  linksOf: (id) => linksOf(ground, id),
  // What is out of order today is taken to be mended by then; what is taken out of service is not.
  ignoreOperState: window.start > ground.now + MENDED_AFTER_MS,
});

/**
 * The links that another circuit runs over, those of borders and the ways through other domains among them: what a
 * diverse one keeps away from. Of a protected one those of the way in use.
 */
export function linksOf({ circuits }: Pick<Ground, 'circuits'>, id: string): readonly string[] | undefined {
  const circuit = circuits.get(id as CircuitId);
  if (circuit === undefined) return undefined;
  return placements(circuit).flatMap((p) => linksOfWay(waysOf(p).first));
}

export const linksOfWay = (way: readonly Segment[]): string[] =>
  way.flatMap(({ links, z }) => [...links, ...(z.border === undefined ? [] : [z.border])]);

function localSegmentOf({ network }: Ground, found: Path, backup: Road | undefined): Segment {
  return {
    domain: network.document.domain,
    local: true,
    // The search was given these ports as they are.
    a: { ...found.a, port: found.a.port as PortId },
    z: { ...found.z, port: found.z.port as PortId },
    links: found.links,
    latencyMs: found.latencyMs,
    uses: found.uses,
    hops: found.hops,
    ...(backup === undefined ? {} : { backup }),
    agreed: 'HELD',
    light: 'DARK',
  };
}

// ---- refusals --------------------------------------------------------------------------------------------

/** How far ahead an alternative start is looked for. */
const LOOK_AHEAD_S = 30 * 86_400;

function problemOf(ground: Ground, request: CircuitRequest, slot: Slot, refusal: Refusal): BrokerError {
  return refusedBy(request, slot, refusal, [
    ...later(ground, request, slot),
    ...slowerHere(ground, request, slot),
  ]);
}

/** What the search says no to, in the words of the API. */
export function refusedBy(
  request: CircuitRequest,
  slot: Slot,
  refusal: Refusal,
  alternatives: readonly Alternative[],
): BrokerError {
  if (refusal.reason === 'INVALID')
    return new BrokerError('INVALID_REQUEST', refusal.detail, { errors: refusal.errors });
  const bottlenecks = refusal.bottlenecks.map((b) => wireBottleneck(b, slot));
  return new BrokerError('NO_FEASIBLE_SLOT', refusal.detail, {
    bottlenecks:
      bottlenecks.length > 0
        ? bottlenecks
        : [{ kind: 'NO_ROUTE', id: `${request.a.port}-${request.z.port}`, detail: refusal.detail }],
    ...(alternatives.length === 0 ? {} : { alternatives }),
    proof: refusal.proven ? 'PROVEN_IMPOSSIBLE' : 'BUDGET_SPENT',
  });
}

/** The search's bottleneck in the words of the API. */
export function wireBottleneck(blocked: Blocked, { window, mbps }: Slot): Bottleneck {
  const [place, id] = [
    blocked.edge.slice(0, blocked.edge.indexOf(':')),
    blocked.edge.slice(blocked.edge.indexOf(':') + 1),
  ];
  const times = { start_time: rfc3339(window.start), ...endTime(window.end) };
  const opens =
    blocked.opens === undefined || blocked.opens >= LAST_SECOND
      ? ''
      : `; it opens at ${rfc3339(fromSeconds(blocked.opens))}`;
  if (blocked.node !== undefined && blocked.kind === 'BARRED')
    return { kind: 'NODE', id: blocked.node, detail: `its device takes no orders now: ${id}`, ...times };
  if (blocked.node !== undefined)
    return { kind: 'NODE', id: blocked.node, detail: 'every pair of paths would share it', ...times };
  switch (blocked.kind) {
    case 'LABELS':
      return { kind: 'LABEL', id, detail: `${blocked.free} labels are free there${opens}`, ...times };
    case 'BARRED':
      return {
        kind: place === 'port' ? 'PORT' : 'LINK',
        id,
        detail: 'not usable for this request: its state, its capacity or a constraint',
        ...times,
      };
    case 'SHARED': {
      const detail = 'every pair of paths would share it';
      return { kind: 'LINK', id, free_mbps: blocked.free, needed_mbps: 2 * mbps, detail, ...times };
    }
    case 'FULL': {
      const kind = place === 'link' ? 'LINK' : 'PORT';
      return {
        kind,
        id,
        free_mbps: blocked.free,
        needed_mbps: mbps,
        ...(opens === '' ? {} : { detail: opens.slice(2) }),
        ...times,
      };
    }
  }
}

const endTime = (end: InstantMs): { end_time?: string } => (end === NEVER ? {} : { end_time: rfc3339(end) });

/** The same for as long, as soon as it can be had after the asked start. */
function later(ground: Ground, request: CircuitRequest, slot: Slot): Alternative[] {
  if (slot.window.end === NEVER) return [];
  const { start, end, ...query } = queryOf(ground, request, slot);
  const found = findEarliest(snapshot(ground), {
    ...query,
    notBefore: start + 1,
    latest: start + LOOK_AHEAD_S,
    duration: end - start,
  });
  if (!found.found) return [];
  return [
    {
      start_time: rfc3339(fromSeconds(found.start)),
      ...endTime(fromSeconds(found.end)),
      bandwidth_mbps: slot.mbps,
    },
  ];
}

/** The same slot at the highest rate that fits. */
export function slowerHere(ground: Ground, request: CircuitRequest, slot: Slot): Alternative[] {
  const found = findWidest(snapshot(ground), queryOf(ground, request, { ...slot, mbps: 1 }));
  if (!found.found || found.mbps >= slot.mbps) return [];
  return [
    { start_time: rfc3339(slot.window.start), ...endTime(slot.window.end), bandwidth_mbps: found.mbps },
  ];
}
