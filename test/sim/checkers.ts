/**
 * The laws, as somebody outside would check them: from what the stores durably hold, from what the devices
 * really have lit, and from the calendar that the broker goes by. None of them uses the code that it checks.
 */
import { isDeepStrictEqual } from 'node:util';
import { readNote } from '../../src/aaa/merkle/note.ts';
import { type InstantMs, instant } from '../../src/kernel/clock.ts';
import { LAST_SECOND, toSeconds } from '../../src/model/capacity.ts';
import {
  type Circuit,
  type Hop,
  isFinal,
  type Placement,
  type Segment,
  type Use,
} from '../../src/model/circuit.ts';
import { dueAt } from '../../src/model/lifecycle.ts';
import { law } from './laws.ts';
import { deviceCapacities } from './network.ts';
import type { Node } from './node.ts';

/** Work that is due may wait this long for its turn before it counts as forgotten. */
const LATE_MS = 5_000;
/** An order to go dark is tried within this time, whatever failed before it. */
const PUT_OUT_MS = 5_000;

/** Nothing is lit longer before its window than devices may take, and the second in which that is looked at. */
const MOST_EARLY_MS = 31_000;
const claimedFrom = ({ lightFrom, window }: Placement): InstantMs => lightFrom ?? window.start;

export const placementsOf = (c: Circuit): Placement[] => [
  ...(c.current === undefined ? [] : [c.current]),
  ...(c.pending === undefined || c.pending.phase === 'EXPIRED' ? [] : [c.pending.placement]),
];

/** No port carries more than it can, and no label of a port two circuits. */
export function checkPorts(node: Node): string[] {
  const wrong: string[] = [];
  const rooms = deviceCapacities(node.topology);
  for (const device of node.devices.values()) {
    const loads = new Map<string, Map<string, number>>();
    const labels = new Map<string, string>();
    for (const { hop, circuit, mbps } of device.lit.values()) {
      for (const side of [hop.in, hop.out]) {
        const port = `${device.name} ${side.port}`;
        const load = loads.get(port) ?? new Map<string, number>();
        load.set(circuit, Math.max(load.get(circuit) ?? 0, mbps));
        loads.set(port, load);
        const label = `${port} label ${side.label}`;
        const other = labels.get(label);
        if (other !== undefined && other !== circuit)
          wrong.push(`${node.name} ${label} carries ${other} and ${circuit}`);
        labels.set(label, circuit);
      }
    }
    for (const [port, load] of loads) {
      const sum = [...load.values()].reduce((a, b) => a + b, 0);
      const room = rooms.get(port);
      if (room === undefined) wrong.push(`${node.name} lights ${port}, which the topology does not know`);
      else if (sum > room) wrong.push(`${node.name} ${port} carries ${sum} of ${room} Mb/s`);
    }
  }
  return wrong;
}

/** What shines is wanted, in its window; else its device has not answered since it was told. */
export function checkLight(node: Node): string[] {
  const wrong: string[] = [];
  const now = node.watch.now();
  const seen = new Set<string>();
  for (const device of node.devices.values()) {
    for (const lit of device.lit.values()) {
      const circuit = node.mirror.circuits.get(lit.circuit);
      if (circuit === undefined || isFinal(circuit.state)) {
        wrong.push(law(15, `${node.name} ${lit.circuit} is ${circuit?.state} and shines on ${device.name}`));
        continue;
      }
      for (const version of lit.versions) {
        const of = placementsOf(circuit).find((p) => p.version === version);
        if (of !== undefined && Math.max(claimedFrom(of), of.window.start - MOST_EARLY_MS) > now)
          wrong.push(`${node.name} ${lit.circuit} v${version} shines before its time`);
        // Another version may want the same cross-connect: then it shines for that one.
        if (placementsOf(circuit).some((p) => has(p, lit.hop) && wants(circuit, p, now))) continue;
        const key = `${device.name} ${lit.circuit} v${version} ${lit.hop.in.port} ${lit.hop.out.port}`;
        seen.add(key);
        const since = node.unwanted.get(key) ?? now;
        node.unwanted.set(key, since);
        const told = device.told.get(`${lit.circuit} v${version}`);
        const waited = now - Math.max(since, node.upSince, node.orders?.lastBack.get(lit.circuit) ?? 0);
        const answering = (node.orders?.underWay.get(lit.circuit) ?? 0) > 0;
        if (!node.up || waited < PUT_OUT_MS || answering) continue;
        if (told === undefined || told.at < since)
          wrong.push(
            law(
              15,
              `${node.name} ${key} (${circuit.state}) shines ${waited} ms past its time and is not put out`,
            ),
          );
        else if (told.answered && told.kind === 'dark')
          wrong.push(law(15, `${node.name} ${key} (${circuit.state}) was said to be dark and shines`));
      }
    }
  }
  for (const key of node.unwanted.keys()) if (!seen.has(key)) node.unwanted.delete(key);
  return wrong;
}

const has = (p: Placement, hop: Hop): boolean =>
  p.segments.some((s) => s.local && s.hops.some((h) => isDeepStrictEqual(h, hop)));

function wants(c: Circuit, p: Placement, now: InstantMs): boolean {
  if (c.state === 'RELEASING') return false;
  const light = p.segments.find((s) => s.local)?.light;
  return (light === 'LIT' || light === 'LIGHTING') && now < p.window.end;
}

/** What is kept beside the key, for whoever opens the log next, is never ahead of what is durable. */
export function checkHead(node: Node): string[] {
  const size = readNote(node.audit.kept ?? '')?.checkpoint.size ?? 0;
  return size <= node.mirror.log.size
    ? []
    : [law(12, `${node.name} has signed ${size} records, of which ${node.mirror.log.size} are durable`)];
}

/** Whatever is due has been done: a hold past its expiry, a start, an end. */
export function checkDue(node: Node): string[] {
  const now = node.watch.now();
  if (!node.up || now - node.upSince < LATE_MS) return [];
  const wrong: string[] = [];
  for (const circuit of node.mirror.live.values()) {
    const due = dueAt(circuit);
    if (due !== undefined && due < now - LATE_MS)
      wrong.push(`${node.name} ${circuit.id} ${circuit.role} ${circuit.state} was due ${now - due} ms ago`);
  }
  return wrong;
}

/** The calendar is the sum of the live circuits and of what is closed: on every edge, from now on, wherever anything changes. */
export function checkCalendar(node: Node): string[] {
  const book = node.broker?.term?.book;
  if (book === undefined) return [];
  const shares = new Map<string, Piece[]>();
  for (const circuit of book.circuits.values()) {
    if (isFinal(circuit.state)) continue;
    for (const [edge, pieces] of sharesOf(circuit))
      shares.set(edge, [...(shares.get(edge) ?? []), ...pieces]);
  }
  const document = book.topology.document;
  for (const window of document.maintenance_windows ?? []) {
    for (const id of window.links ?? []) {
      const mbps = document.links.find((link) => link.id === id)?.capacity_mbps ?? 0;
      const [from, to] = [window.start_time, window.end_time].map((time) =>
        toSeconds(instant(Date.parse(time))),
      );
      const piece = { from: from as number, to: to as number, mbps, labels: [] };
      shares.set(`link:${id}`, [...(shares.get(`link:${id}`) ?? []), piece]);
    }
  }
  const wrong: string[] = [];
  const now = toSeconds(node.watch.now());
  for (const [number] of book.network.rooms()) {
    const edge = book.names.name(number);
    const pieces = shares.get(edge) ?? [];
    const profile = book.calendar.profile(number, now, LAST_SECOND);
    const times = [now, ...pieces.flatMap((p) => [p.from, p.to]), ...profile.map((step) => step.start)];
    for (const at of new Set(times.filter((t) => t >= now && t < LAST_SECOND))) {
      const here = pieces.filter((p) => p.from <= at && at < p.to);
      const load = here.reduce((sum, p) => sum + p.mbps, 0);
      const claimed = profile.findLast((step) => step.start <= at)?.claimed ?? 0;
      if (load !== claimed) {
        wrong.push(law(6, `${node.name} ${edge}: the calendar says ${claimed}, the circuits ${load} Mb/s`));
        break;
      }
      const labels = [...new Set(here.flatMap((p) => p.labels))];
      const taken = book.calendar.labels(number, at, at + 1);
      if (labels.some((label) => !taken.has(label)) || (labels.length === 0 && !taken.empty)) {
        wrong.push(
          law(6, `${node.name} ${edge}: the calendar's labels are not the circuits' ${labels.join(', ')}`),
        );
        break;
      }
    }
  }
  return wrong;
}

/** The rigid calendar is the sum of those that may not be moved, as of the second that the fleet has come to. */
export function checkRigid(node: Node): string[] {
  const fleet = node.broker?.term?.book.fleet;
  if (fleet === undefined) return [];
  return [...fleet.bookings()].flatMap(({ id, movable, start, notice }) => {
    const locked = !movable || start <= fleet.now + notice;
    return fleet.isRigid(id) === locked
      ? []
      : [`${node.name} ${id} is taken to be ${locked ? 'movable' : 'locked'}, and starts at ${start}`];
  });
}

/** What a process has in memory is what is durable, once nothing is under way. */
export function checkMemory(node: Node): string[] {
  const book = node.broker?.term?.book;
  if (book === undefined) return [];
  const wrong: string[] = [];
  for (const circuit of book.circuits.values()) {
    const stored = node.mirror.circuits.get(circuit.id);
    if (stored?.revision !== circuit.revision || stored.state !== circuit.state)
      wrong.push(
        `${node.name} ${circuit.id} is ${circuit.state} r${circuit.revision} in memory, and stored ${stored?.state} r${stored?.revision}`,
      );
  }
  for (const id of node.mirror.live.keys())
    if (!book.circuits.has(id)) wrong.push(`${node.name} ${id} is stored and not in memory`);
  return wrong;
}

/** In the calendar's seconds. */
export interface Piece {
  readonly from: number;
  readonly to: number;
  readonly mbps: number;
  readonly labels: readonly number[];
}

/** One circuit's shares by edge: at each moment the larger of its placements, and the labels of both. */
export function sharesOf(c: Circuit): Map<string, Piece[]> {
  const uses = placementsOf(c).flatMap((p) =>
    p.segments
      .filter((s) => s.local && s.agreed !== 'ASKED')
      .flatMap((s) => [...usesOf(s), ...endsOf(s).flatMap(heldAt)].map((use) => ({ p, ...use }))),
  );
  const shares = new Map<string, Piece[]>();
  for (const edge of new Set(uses.map((use) => use.edge))) {
    const on = uses.filter((use) => use.edge === edge);
    const times = [...new Set(on.flatMap(({ p }) => [claimedFrom(p), p.window.end]))].sort((x, y) => x - y);
    const pieces = times.slice(1).map((to, i): Piece => {
      const from = times[i] as number;
      const here = on.filter(({ p }) => claimedFrom(p) <= from && from < p.window.end);
      return {
        from: toSeconds(instant(from)),
        to: toSeconds(instant(to)),
        mbps: Math.max(0, ...here.map(({ p }) => p.mbps)),
        labels: here.flatMap(({ label }) => (label === undefined ? [] : [label])),
      };
    });
    shares.set(edge, pieces);
  }
  return shares;
}

/** Of a protected circuit both roads count; the ports at its ends, which they share, once and as the first has them. */
const usesOf = (s: Segment): readonly Use[] => [
  ...s.uses,
  ...(s.backup?.uses ?? []).filter((second) => !s.uses.some((use) => use.edge === second.edge)),
];

export const endsOf = ({ a, z, backup }: Segment): Segment['a'][] => [
  ...[a, z],
  ...(backup?.ends === undefined ? [] : [backup.ends.a, backup.ends.z]),
];

/** Labels that are held at a border until both ends have agreed on one. */
const heldAt = ({ port, offered = [] }: Segment['a']): Use[] =>
  offered.map((label) => ({ edge: `port:${port}`, label }));

/** At the very end: everything has ended, nothing shines, nothing is claimed, nothing waits. */
export function checkEnd(node: Node, buried?: string): string[] {
  const wrong = [...node.mirror.live.values()].map(
    (c) => `${node.name} ${c.id} ${c.role} is still ${c.state}: ${c.reason.code}`,
  );
  for (const device of node.devices.values())
    for (const lit of device.lit.values())
      wrong.push(`${node.name} ${lit.circuit} still shines on ${device.name}`);
  // Nobody will ever answer that one.
  for (const effect of node.mirror.effects.values())
    if (!('domain' in effect.effect) || effect.effect.domain !== buried)
      wrong.push(`${node.name} ${effect.effect.type} of ${effect.circuitId} was never done`);
  const book = node.broker?.term?.book;
  if (book === undefined) return [...wrong, `${node.name} is not in office`];
  for (const [edge] of book.network.rooms()) {
    if (book.calendar.profile(edge, 0, LAST_SECOND).some((step) => step.claimed !== 0))
      wrong.push(`${node.name} ${book.names.name(edge)} is still claimed`);
  }
  return wrong;
}
