/**
 * Gives circuits another road when theirs has failed or closed: a protected one switches to its backup and is
 * given a new one, the others are placed anew, the most important first. Like reconcile it takes no input:
 * what is broken follows from the circuits and the topology, so that it may run at any time and as often as
 * it likes. Where there is no road it says so on the circuit and looks again later.
 */
import { type Cancel, type Clock, type InstantMs, instant, sleep } from '../kernel/clock.ts';
import { textOf } from '../kernel/errors.ts';
import type { CircuitId } from '../kernel/ids.ts';
import type { Log } from '../kernel/log.ts';
import { toSeconds } from '../model/capacity.ts';
import {
  type Circuit,
  claimedFrom,
  localSegment,
  type Placement,
  type Road,
  type Segment,
} from '../model/circuit.ts';
import type { LabelAsk } from '../model/label.ts';
import { ROAD_IMPAIRED, remotes } from '../model/rules.ts';
import { nextFullSecond, plusSeconds, secondsBetween } from '../model/window.ts';
import { ADMIN_UP, USABLE } from '../topology/network.ts';
import { findPath } from '../topology/search/find.ts';
import { planAbroad } from './abroad.ts';
import { type Ground, groundOf } from './ground.ts';
import { ATTEMPT_MS, MENDED_AFTER_MS } from './limits.ts';
import { isMovable, windowOf } from './movable.ts';
import { placeHere } from './place.ts';
import { linksOf, plan, roadOf, type Wish } from './plan.ts';
import type { Tx } from './tx.ts';
import type { Writer } from './writer.ts';

/** Circuits per transaction, and the pause between two: a failed trunk must not stop everything else. */
const ROUND = 32;
const PAUSE_MS = 50;
/** What found no road is tried again after this long. */
const AGAIN_MS = 30_000;
/** A circuit that was given so many roads within this time keeps what it has: something is flapping. */
const MOST_ROADS = 3;
const DAMPING_MS = 600_000;

export class Restorer {
  readonly #writer: Writer;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #given = new Map<CircuitId, InstantMs[]>();
  #alarm: Cancel = () => {};
  #running = false;
  #again = false;
  #stopped = false;

  constructor(writer: Writer, ports: { clock: Clock; log: Log }) {
    this.#writer = writer;
    this.#clock = ports.clock;
    this.#log = ports.log;
  }

  /** Call when the topology has changed, and at the start of a term. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#alarm();
    this.#running = true;
    void this.#rounds();
  }

  stop(): void {
    this.#stopped = true;
    this.#alarm();
  }

  async #rounds(): Promise<void> {
    const left = this.#broken();
    try {
      for (
        let round = left.splice(0, ROUND);
        round.length > 0 && !this.#stopped;
        round = left.splice(0, ROUND)
      ) {
        await this.#writer.submit((tx) => {
          for (const id of round) this.#restore(tx, id);
        }, true);
        if (left.length > 0) await sleep(this.#clock, PAUSE_MS);
      }
    } catch (error) {
      this.#log.warn({
        event: 'settle.failed',
        error: `restore: ${textOf(error)}`,
      });
    }
    this.#running = false;
    if (this.#stopped) return;
    if (this.#again) {
      this.#again = false;
      this.wake();
    } else if (this.#broken().length > 0) {
      this.#alarm = this.#clock.alarm(instant(this.#clock.now() + AGAIN_MS), () => this.wake());
    }
  }

  /** Circuits whose road, or whose second road, cannot be used: by priority, then by age. */
  #broken(): CircuitId[] {
    const { book } = this.#writer;
    const now = this.#clock.now();
    for (const [id, times] of this.#given)
      if (times.every((at) => at + DAMPING_MS <= now)) this.#given.delete(id);
    const on = groundOf(book, now);
    const broken: Circuit[] = [];
    for (const circuit of book.circuits.values()) {
      const need = needOf(on, circuit);
      if (need !== undefined || healed(on, circuit)) broken.push(circuit);
    }
    broken.sort((a, b) => b.request.priority - a.request.priority || (a.id < b.id ? -1 : 1));
    return broken.map((circuit) => circuit.id);
  }

  #damped(id: CircuitId, now: InstantMs): boolean {
    return (this.#given.get(id) ?? []).filter((at) => at + DAMPING_MS > now).length >= MOST_ROADS;
  }

  #restore(tx: Tx, id: CircuitId): void {
    const circuit = tx.book.circuits.get(id);
    if (circuit === undefined) return;
    const need = needOf(tx.ground, circuit);
    if (need === undefined) {
      const version = circuit.current?.version;
      const domain = tx.book.network.document.domain;
      if (version !== undefined && healed(tx.ground, circuit))
        tx.apply(id, { type: 'up', domain, version, at: tx.now });
      return;
    }
    const damped = need.stays === true || (need.road && this.#damped(id, tx.now));
    const abroad = remotes(need.current).length > 0;
    const found = damped
      ? undefined
      : tx.book.without(circuit, () => (abroad ? otherWay : otherRoad)(tx.ground, circuit, need));
    if (found === undefined && !damped && need.road && elsewhen(tx, circuit)) return;
    if (found === undefined) {
      const { segment, current, detail } = need;
      if (need.road)
        tx.apply(id, {
          type: 'impaired',
          domain: segment.domain,
          version: current.version,
          detail,
          at: tx.now,
        });
      return;
    }
    const placement: Placement = { ...need.current, version: circuit.version + 1, segments: found.segments };
    const until = instant(tx.now + ATTEMPT_MS);
    tx.apply(id, {
      type: 'modify',
      placement,
      request: circuit.request,
      until,
      cause: found.cause,
      at: tx.now,
    });
    if (need.road) this.#given.set(id, [...(this.#given.get(id) ?? []), tx.now]);
  }
}

/** A circuit with a window may be placed at another time in it, without moving anybody else. */
function elsewhen(tx: Tx, circuit: Circuit): boolean {
  if (!isMovable(circuit) || circuit.current === undefined) return false;
  const { notBefore, deadline } = windowOf(circuit);
  const { window, mbps } = circuit.current;
  // Within its notice it stays where it is, whatever failed; and it is told that long before its new start.
  const soonest = plusSeconds(nextFullSecond(tx.now), circuit.request.noticeS);
  if (window.start < soonest) return false;
  const wish: Wish = {
    notBefore: instant(Math.max(notBefore, soonest)),
    deadline,
    durationS: secondsBetween(window.start, window.end),
    mbps,
    movable: true,
  };
  const placing = tx.book.without(circuit, () => placeHere(tx, circuit.id, circuit.request, wish));
  if (placing.kind === 'refused' || placing.moves.length > 0) return false;
  const placement: Placement = {
    version: circuit.version + 1,
    window: placing.slot.window,
    mbps: placing.slot.mbps,
    segments: placing.segments,
  };
  tx.apply(circuit.id, {
    type: 'modify',
    placement,
    request: circuit.request,
    until: instant(tx.now + ATTEMPT_MS),
    cause: 'MOVE',
    at: tx.now,
  });
  return true;
}

/** What is wrong with a circuit's roads. `road`: the one it uses; otherwise only its backup. */
interface Need {
  readonly current: Placement;
  readonly segment: Segment;
  readonly road: boolean;
  /** Another road would not help: it is one of the circuit's own ports. */
  readonly stays?: true;
  readonly detail: string;
}

function needOf(on: Ground, circuit: Circuit): Need | undefined {
  const { current } = circuit;
  if (circuit.role !== 'HOME' || current === undefined || circuit.pending !== undefined) return undefined;
  if (circuit.state !== 'SCHEDULED' && circuit.state !== 'PROVISIONING' && circuit.state !== 'ACTIVE')
    return undefined;
  const segment = localSegment(current);
  if (segment === undefined) return undefined;
  const soon = current.window.start <= on.now + MENDED_AFTER_MS;
  const bad = unusable(on, segment, soon);
  if (bad !== undefined) return { current, segment, road: true, detail: `link ${bad} is out of service` };
  const dark = circuit.state === 'ACTIVE' ? darkEnd(on, segment) : undefined;
  if (dark !== undefined)
    return { current, segment, road: true, stays: true, detail: `port ${dark} has no light` };
  if (circuit.request.protection !== 'PROTECTED') return undefined;
  const second = segment.backup === undefined ? 'it has none' : unusable(on, segment.backup, soon);
  return second === undefined ? undefined : { current, segment, road: false, detail: `backup: ${second}` };
}

/** Was its road out of order, and is it no longer? Its light has been on all the time. */
function healed(on: Ground, { current, conditions, state }: Circuit): boolean {
  const reason = conditions.find((one) => one.type === 'DataPlaneUp' && one.status === 'FALSE')?.reason;
  if (state !== 'ACTIVE' || current === undefined || reason !== ROAD_IMPAIRED) return false;
  const segment = localSegment(current);
  return (
    segment?.light === 'LIT' &&
    unusable(on, segment, true) === undefined &&
    darkEnd(on, segment) === undefined
  );
}

const darkEnd = ({ darkPorts }: Ground, { a, z }: Segment): string | undefined =>
  [a.port, z.port].find((port) => darkPorts.has(port));

function unusable({ network }: Ground, road: Road, soon: boolean): string | undefined {
  const needed = soon ? USABLE : ADMIN_UP;
  return road.links.find((id) => {
    const link = network.linkIndex.get(id);
    return link === undefined || ((network.state[link] as number) & needed) !== needed;
  });
}

/** Where the circuit could run instead, everything else as it is: another road if it must, a better one if it can. */
export function anotherRoad(on: Ground, circuit: Circuit): Segment | undefined {
  const { current } = circuit;
  const segment = current === undefined ? undefined : localSegment(current);
  if (current === undefined || segment === undefined) return undefined;
  return otherRoad(on, circuit, { current, segment, road: true, detail: '' }, false)?.segments[0];
}

/** Over several domains, between the same ends and with their labels: the others are asked for what it needs of them. */
function otherWay(on: Ground, circuit: Circuit, { current }: Need): Found | undefined {
  const { request } = circuit;
  const [first, last] = [current.segments[0], current.segments.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const a = first.a.label === undefined ? request.a : { port: first.a.port, vlan: askFor(first.a.label) };
  const z = last.z.label === undefined ? request.z : { port: last.z.port, vlan: askFor(last.z.label) };
  const slot = { window: roadWindow(on, current), mbps: current.mbps };
  const planned = planAbroad(on, circuit.id, { ...request, a, z }, slot);
  return planned.kind === 'placed' ? { segments: planned.segments, cause: 'REROUTE' } : undefined;
}

/** It is lit at once: whoever is there for the rest of this second is in the way. */
function roadWindow(on: Ground, current: Placement): Placement['window'] {
  const { window } = current;
  const start = claimedFrom(current) > on.now ? window.start : instant(Math.floor(on.now / 1000) * 1000);
  return { start, end: window.end };
}

interface Found {
  readonly segments: readonly Segment[];
  readonly cause: 'SWITCH' | 'REROUTE';
}

/** Another road for the same ends, labels and slot; undefined when there is none, or nothing better. */
function otherRoad(on: Ground, circuit: Circuit, need: Need, mayUseBackup = true): Found | undefined {
  const { segment, current } = need;
  const { backup, ...bare } = segment;
  if (mayUseBackup && need.road && backup !== undefined && unusable(on, backup, true) === undefined) {
    return { segments: [{ ...bare, ...backup, light: 'DARK' }], cause: 'SWITCH' };
  }
  const slot = { window: roadWindow(on, current), mbps: current.mbps };
  const ends = {
    a: { port: segment.a.port, vlan: askFor(segment.a.label) },
    z: { port: segment.z.port, vlan: askFor(segment.z.label) },
  };
  const apart = on.shunnedBy(circuit.id).flatMap((id) => linksOf(on, id) ?? []);
  const constraints =
    apart.length === 0
      ? circuit.request.constraints
      : {
          ...circuit.request.constraints,
          exclude_links: [
            ...excluded(circuit.request.constraints),
            ...apart.filter((link) => on.network.linkIndex.has(link)),
          ],
        };
  const request = { ...circuit.request, ...ends, constraints };
  if (!need.road) {
    const second = findPath(
      { network: on.network, free: on.calendar },
      {
        ...ends,
        mbps: slot.mbps,
        start: toSeconds(slot.window.start),
        end: toSeconds(slot.window.end),
        constraints: {
          ...request.constraints,
          exclude_links: [...excluded(request.constraints), ...segment.links],
        },
      },
    );
    if (second.found)
      return { segments: [{ ...bare, backup: roadOf(second), light: 'DARK' }], cause: 'REROUTE' };
    return backup === undefined ? undefined : { segments: [{ ...bare, light: 'DARK' }], cause: 'REROUTE' };
  }
  const planned = plan(on, request, slot);
  if (planned.kind === 'placed') return oneSegment(planned.segments);
  if (request.protection === 'UNPROTECTED') return undefined;
  // No second road any more: one is better than none.
  const single = plan(on, { ...request, protection: 'UNPROTECTED' }, slot);
  return single.kind === 'placed' ? oneSegment(single.segments) : undefined;
}

const oneSegment = ([segment]: readonly Segment[]): Found | undefined =>
  segment === undefined ? undefined : { segments: [{ ...segment, light: 'DARK' }], cause: 'REROUTE' };

const askFor = (label: number | undefined): LabelAsk =>
  label === undefined ? 'ANY' : label === 0 ? 'UNTAGGED' : [[label, label]];

const excluded = (constraints: Circuit['request']['constraints']): readonly string[] =>
  (constraints['exclude_links'] as readonly string[] | undefined) ?? [];
