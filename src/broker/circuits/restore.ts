/**
 * Gives circuits another road when theirs has failed or closed: a protected one switches to its backup and is
 * given a new one, the others are placed anew, the most important first. Like reconcile it takes no input:
 * what is broken follows from the circuits and the topology (brokenRoads.ts), so that it may run at any time and as
 * often as it likes. Where there is no road it says so on the circuit and looks again later. Of a peer's segment it
 * only tells the home.
 */
import { type Cancel, type Clock, type InstantMs, instant, sleep } from '../../kernel/clock.ts';
import { textOf } from '../../kernel/errors.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import type { Log } from '../../kernel/log.ts';
import { toSeconds } from '../../model/capacity.ts';
import { type Circuit, localSegment, type Segment } from '../../model/circuit.ts';
import { remotes } from '../../model/rules.ts';
import { nextFullSecond, plusSeconds, secondsBetween } from '../../model/window.ts';
import { findPath } from '../../topology/search/find.ts';
import { askFor, protectedAnew, roadWindow, switched, wayInstead } from '../abroad/restoreAbroad.ts';
import { type Ground, groundOf } from '../ground.ts';
import type { Tx } from '../tx.ts';
import type { Writer } from '../writer.ts';
import { isHealed, isSecondHealed, type Need, needOf, unusable } from './brokenRoads.ts';
import { changeTo } from './changeTo.ts';
import { isMovable, windowOf } from './movable.ts';
import { placeHere } from './place.ts';
import { linksOf, plan, roadOf, type Wish } from './plan.ts';

/** Circuits per transaction, and the pause between two: a failed trunk must not stop everything else. */
const ROUND = 32;
const PAUSE_MS = 50;
/** What found no road is tried again after this long. */
const AGAIN_MS = 30_000;
/** A circuit that was given so many roads within this time keeps what it has: something is flapping. */
const MOST_ROADS = 3;
const DAMPING_MS = 600_000;
/** Each time that no way over several domains is found, the pause doubles up to this. */
const LONGEST_PAUSE_MS = 600_000;

interface Given {
  readonly at: InstantMs;
  readonly version: number;
}
interface Pause {
  readonly until: InstantMs;
  readonly times: number;
}

export class Restorer {
  readonly #writer: Writer;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #given = new Map<CircuitId, readonly Given[]>();
  readonly #pauses = new Map<CircuitId, Pause>();
  #alarm: Cancel = () => {};
  #running = false;
  #again = false;
  /** Woken within a moment. */
  #soon = false;
  #stopped = false;

  constructor(writer: Writer, ports: { clock: Clock; log: Log }) {
    this.#writer = writer;
    this.#clock = ports.clock;
    this.#log = ports.log;
  }

  /** Call when the topology has changed, here or elsewhere, and at the start of a term. */
  renew(): void {
    this.#pauses.clear();
    this.wake();
  }

  /** Something about these circuits is durable: what is wrong with one is looked after in a moment. */
  look(ids: Iterable<CircuitId>): void {
    if (this.#stopped) return;
    const { book } = this.#writer;
    const on = groundOf(book, this.#clock.now());
    for (const id of ids) {
      const circuit = book.circuits.get(id);
      const need = circuit === undefined ? undefined : needOf(on, circuit);
      if (need === undefined && circuit?.pending === undefined) this.#pauses.delete(id);
      if (need === undefined || this.#soon || this.#pauses.has(id)) continue;
      // With whatever else comes of the same fault: the most important goes first.
      this.#soon = true;
      this.#alarm();
      this.#alarm = this.#clock.alarm(instant(on.now + PAUSE_MS), () => this.wake());
    }
  }

  wake(): void {
    if (this.#stopped) return;
    this.#soon = false;
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
    for (const [id, given] of this.#given)
      if (given.every(({ at }) => at + DAMPING_MS <= now)) this.#given.delete(id);
    for (const id of this.#pauses.keys()) if (!book.circuits.has(id)) this.#pauses.delete(id);
    const on = groundOf(book, now);
    const broken: Circuit[] = [];
    for (const circuit of book.circuits.values()) {
      if (needOf(on, circuit) !== undefined || isHealed(on, circuit) || isSecondHealed(on, circuit))
        broken.push(circuit);
    }
    broken.sort((a, b) => b.request.priority - a.request.priority || (a.id < b.id ? -1 : 1));
    return broken.map((circuit) => circuit.id);
  }

  /** What other domains have refused was not given. */
  #damped({ id, setbacks = [] }: Circuit, now: InstantMs): boolean {
    const given = (this.#given.get(id) ?? []).filter(
      ({ at, version }) => at + DAMPING_MS > now && !setbacks.some((one) => one.version === version),
    );
    this.#given.set(id, given);
    return given.length >= MOST_ROADS;
  }

  #restore(tx: Tx, id: CircuitId): void {
    const circuit = tx.book.circuits.get(id);
    if (circuit === undefined) return;
    const need = needOf(tx.ground, circuit);
    if (need === undefined) {
      this.#pauses.delete(id);
      const version = circuit.current?.version;
      const domain = tx.book.network.document.domain;
      const type = circuit.role === 'HOME' ? 'up' : 'mended';
      if (version !== undefined && isHealed(tx.ground, circuit))
        tx.apply(id, { type, domain, version, at: tx.now });
      if (version !== undefined && isSecondHealed(tx.ground, circuit))
        tx.apply(id, { type: 'mended', domain, version, second: true, at: tx.now });
      return;
    }
    const stays = circuit.role !== 'HOME' || need.stays === true;
    const damped = stays || (need.road && this.#damped(circuit, tx.now));
    const found = damped ? undefined : this.#find(tx, circuit, need);
    if (found === undefined && need.passes === true) return;
    if (found === undefined && !damped && need.road && elsewhen(tx, circuit)) return;
    if (found === undefined) {
      const { segment, current, detail, port } = need;
      const { domain } = segment;
      const { version } = current;
      const what = {
        ...(port === undefined ? {} : { port }),
        ...(need.second === undefined ? {} : { second: need.second }),
      };
      if (need.road || need.second === true)
        tx.apply(id, { type: 'impaired', domain, version, detail, ...what, at: tx.now });
      return;
    }
    const { segments, cause } = found;
    const { version } = changeTo(tx, circuit, { ...need.current, segments }, { cause });
    if (need.road) {
      const given = { at: tx.now, version };
      this.#given.set(id, [...(this.#given.get(id) ?? []), given]);
    }
  }

  /** Another road inside, or another way over the domains. */
  #find(tx: Tx, circuit: Circuit, need: Need): Found | undefined {
    const on = tx.ground;
    if (remotes(need.current).length === 0)
      return tx.book.without(circuit, () => otherRoad(on, circuit, need));
    const second = switched(on, circuit, need);
    if (second !== undefined) return { segments: second, cause: 'SWITCH' };
    if (need.passes === true) return undefined;
    const { until, times } = this.#pauses.get(circuit.id) ?? { until: on.now, times: 0 };
    if (until > on.now) return undefined;
    const look = need.road ? wayInstead : protectedAnew;
    const segments = tx.book.without(circuit, () => look(on, circuit, need));
    if (segments !== undefined) return { segments, cause: 'REROUTE' };
    const pause = Math.min(AGAIN_MS * 2 ** times, LONGEST_PAUSE_MS);
    this.#pauses.set(circuit.id, { until: instant(on.now + pause), times: times + 1 });
    return undefined;
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
  changeTo(tx, circuit, { ...placing.slot, segments: placing.segments }, { cause: 'MOVE' });
  return true;
}

/** Where the circuit could run instead, everything else as it is: another road inside, or another way over the domains. */
export function anotherWay(on: Ground, circuit: Circuit): readonly Segment[] | undefined {
  const { current } = circuit;
  const segment = current === undefined ? undefined : localSegment(current);
  if (current === undefined || segment === undefined) return undefined;
  const need = { current, segment, road: true, detail: '' };
  return remotes(current).length > 0
    ? wayInstead(on, circuit, need)
    : otherRoad(on, circuit, need, false)?.segments;
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

const excluded = (constraints: Circuit['request']['constraints']): readonly string[] =>
  (constraints['exclude_links'] as readonly string[] | undefined) ?? [];
