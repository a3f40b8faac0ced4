/**
 * What the rules are told of a request: its ends, its rate and slot as far as they are known, and what the
 * project and the groups of ports would then take at their fullest moment. What is not known yet is told as
 * the most that it can become, so that no ceiling is passed by leaving something open.
 */
import type { DecidedAction, Facts } from '../../aaa/decide.ts';
import { NEVER, rfc3339 } from '../../kernel/clock.ts';
import { toSeconds } from '../../model/capacity.ts';
import type { Circuit, CircuitRequest } from '../../model/circuit.ts';
import { overlaps, type Window } from '../../model/window.ts';
import { wishOf } from '../circuits/place.ts';
import type { Slot } from '../circuits/plan.ts';
import type { Tx } from '../tx.ts';
import type { Load } from './aggregates.ts';

/** What is asked for in the same breath and not entered yet: it counts as taken. */
export interface Sibling {
  readonly request: CircuitRequest;
  readonly slot?: Slot | undefined;
}

export interface About {
  /** The slot, where it is known. */
  readonly slot?: Slot | undefined;
  readonly siblings?: readonly Sibling[];
  /** The circuit that would change: what it has already is not counted twice. */
  readonly circuit?: Circuit;
}

export function factsOf(tx: Tx, action: DecidedAction, request: CircuitRequest, about: About = {}): Facts {
  const { slot } = about;
  const mbps = slot?.mbps ?? mostOf(tx, request);
  const { schedule } = request;
  const [from, to] = [request.a.port, request.z.port].map((port) => tx.book.rules.domainBehind(port));
  return {
    a_port: request.a.port,
    z_port: request.z.port,
    bandwidth_mbps: mbps,
    schedule: schedule.type,
    provision: request.provision,
    priority: request.priority,
    ...(from === undefined ? {} : { from_peer: from }),
    ...(to === undefined ? {} : { to_peer: to }),
    ...(slot === undefined ? sizeOf(request, mbps) : timesOf(slot.window)),
    ...loads(tx, action, { request, slot }, mbps, about),
  };
}

/** A circuit that stands: as it is placed, or as it would be after the change. */
export function factsOfCircuit(
  tx: Tx,
  action: DecidedAction,
  circuit: Circuit,
  change: Partial<Slot> = {},
): Facts {
  const placed = circuit.current ?? circuit.pending?.placement;
  const slot =
    placed === undefined
      ? undefined
      : { window: change.window ?? placed.window, mbps: change.mbps ?? placed.mbps };
  return factsOf(tx, action, circuit.request, { slot, circuit });
}

const timesOf = ({ start, end }: Window): Facts => ({
  start_time: rfc3339(start),
  ...(end === NEVER ? {} : { end_time: rfc3339(end) }),
});

/** Where the broker chooses the slot. */
function sizeOf({ schedule }: CircuitRequest, mbps: number): Facts {
  if (schedule.type === 'FLEXIBLE')
    return { duration_s: schedule.durationS, volume_mbit: mbps * schedule.durationS };
  return schedule.type === 'VOLUME' ? { volume_mbit: Math.ceil((schedule.volumeBytes * 8) / 1e6) } : {};
}

/** A volume without a ceiling of its own may be given all that the narrower of its ports has. */
function mostOf(tx: Tx, request: CircuitRequest): number {
  const { schedule } = request;
  if (schedule.type !== 'VOLUME') return request.mbps;
  if (schedule.maxMbps !== undefined) return schedule.maxMbps;
  const rooms = [request.a.port, request.z.port].flatMap((port) => tx.book.rules.capacityOf(port) ?? []);
  return rooms.length === 0 ? request.mbps : Math.min(...rooms);
}

const SUMS = ['project_circuits', 'project_mbps', 'group_circuits', 'group_mbps'] as const;

function loads(tx: Tx, action: DecidedAction, own: Sibling, mbps: number, about: About): Facts {
  if (!tx.book.rules.reads(action, ...SUMS)) return {};
  const { sums } = tx.book.rules;
  const { request } = own;
  const window = windowOf(tx, own);
  const [start, end] = [
    toSeconds(window.start),
    Math.max(toSeconds(window.start) + 1, toSeconds(window.end)),
  ];
  const { siblings = [] } = about;
  const rateOf = (one: Sibling): number =>
    overlaps(windowOf(tx, one), window) ? (one.slot?.mbps ?? mostOf(tx, one.request)) : 0;
  const withThem = (load: Load, those: readonly Sibling[]): Load => ({
    circuits: load.circuits + 1 + those.length,
    mbps: those.reduce((sum, one) => sum + rateOf(one), load.mbps + mbps),
  });
  if (about.circuit !== undefined) sums.enter(about.circuit, -1);
  const ofProject = siblings.filter((one) => one.request.project === request.project);
  const project = withThem(sums.project(request.project, start, end), ofProject);
  const fullest = sums.groups([request.a.port, request.z.port], start, end);
  if (about.circuit !== undefined) sums.enter(about.circuit, 1);
  const group = fullest === undefined ? undefined : withThem(fullest, siblings);
  return {
    project_circuits: project.circuits,
    project_mbps: project.mbps,
    ...(group === undefined ? {} : { group_circuits: group.circuits, group_mbps: group.mbps }),
  };
}

/** The slot, or all of the window in which the broker may choose one. */
function windowOf(tx: Tx, { request, slot }: Sibling): Window {
  if (slot !== undefined) return slot.window;
  if (request.schedule.type !== 'FLEXIBLE' && request.schedule.type !== 'VOLUME')
    return { start: tx.now, end: NEVER };
  const { notBefore, deadline } = wishOf(request, undefined, tx.now);
  return { start: notBefore, end: deadline };
}
