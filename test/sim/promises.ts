/**
 * What is promised to whoever has a place, checked against what became durable: the window, the room and the
 * labels at every instant, who may be moved and when, and that a move is part of the admission that caused it
 * and is told. It is written against the promises and knows nothing of the engine: only circuits, events and
 * the topology, one group of the store after another.
 */
import { isDeepStrictEqual } from 'node:util';
import type { EventRecord, Group } from '../../src/broker/ports.ts';
import { NEVER } from '../../src/kernel/clock.ts';
import { toSeconds } from '../../src/model/capacity.ts';
import { type Circuit, isFinal, localSegment, type Placement, type Road } from '../../src/model/circuit.ts';
import type { MaintenanceWindowDocument, TopologyDocument } from '../../src/topology/document.ts';
import { placementsOf, sharesOf } from './checkers.ts';
import { law } from './laws.ts';
import { roadIsSound, roomOf } from './ways.ts';

/** One event of a circuit, and the circuit on either side of it. */
export interface Step {
  readonly event: EventRecord;
  readonly before: Circuit | undefined;
  readonly after: Circuit;
}

type Modify = Extract<NonNullable<EventRecord['input']>, { type: 'modify' }>;

/** A FIXED start may be this far past, and is then the next full second. */
const LATE_START_MS = 6_000;
const BITS_PER_MEGABIT = 1_000_000;

export class PromiseKeeper {
  #document: TopologyDocument;
  /** Circuits that a maintenance window has cut short: their duration and volume are no longer promised. */
  readonly #shortened = new Set<string>();
  /** Circuits that their own client has changed since they were placed. */
  readonly #touched = new Set<string>();
  /** Pairs of members whose order has been broken, and said to be. */
  readonly #outOfOrder = new Set<string>();
  #wrong: string[] = [];

  constructor(document: TopologyDocument) {
    this.#document = document;
  }

  /** Takes in a group with the steps that it is made of; `live` is what there is after it. */
  enter(group: Group, steps: readonly Step[], live: ReadonlyMap<string, Circuit>): string[] {
    this.#wrong = [];
    let next = 0;
    for (const event of group.events) {
      // Of several changes in one group only the last is known; the others are of no account to circuits.
      if (event.type === 'topology.changed' && group.topology !== undefined)
        this.#document = group.topology.document;
      const step = steps[next];
      if (step?.event !== event) continue;
      next++;
      this.#step(step);
      if (event.input?.type === 'modify' && event.input.cause === 'MOVE')
        this.#hasItsCause(event.input, step, steps, group);
    }
    this.#toldOnce(steps);
    this.#room(group, live);
    this.#order(steps, live);
    return this.#wrong;
  }

  // ---- what is granted -------------------------------------------------------------------------------------

  #step({ event, before, after }: Step): void {
    const { input } = event;
    const change = input?.type === 'modify' ? input : undefined;
    if (change !== undefined && change.cause === undefined) this.#touched.add(after.id);
    if (change?.placement !== undefined && before?.current !== undefined) {
      const { current } = before;
      if (change.cause === 'MOVE' && isAbroad(change.placement)) this.#mayMove(change, before, current);
      else if (change.cause === 'MOVE') this.#moved(event, change, before, current, change.placement, after);
      else if (change.cause === undefined) this.#changed(change, before, current, change.placement);
      else this.#rerouted(change, before, current, change.placement);
    }
    if (change === undefined && before !== undefined) this.#movedAbroad(event, before, after);
    for (const placement of placementsOf(after)) {
      const known = before === undefined ? undefined : find(before, placement.version);
      if (known !== undefined) {
        this.#unchanged(after, known, placement);
        if (before?.request === after.request) continue;
      } else this.#roads(before, after, placement, event);
      this.#asAsked(after, placement, event);
    }
    const proposed = before?.pending?.cause === 'MOVE';
    if (event.type === 'circuit.moved' && change?.cause !== 'MOVE' && !proposed)
      this.#say(after, 'is said to have moved and has not');
  }

  /** A placement never changes; another one is another version. */
  #unchanged(after: Circuit, was: Placement, is: Placement): void {
    const same =
      was.mbps === is.mbps &&
      isDeepStrictEqual(was.window, is.window) &&
      (isDeepStrictEqual(localSegment(was)?.uses, localSegment(is)?.uses) ||
        // Who waits for another to move has no road of its own yet.
        localSegment(was)?.agreed === 'ASKED' ||
        agreed(was, is));
    if (!same) this.#say(after, `v${is.version} is not what it was`);
  }

  /** The slot, the rate and the duration are those of the request. */
  #asAsked(circuit: Circuit, placement: Placement, event: EventRecord): void {
    if (circuit.role !== 'HOME' || isFinal(circuit.state)) return;
    const { pending } = circuit;
    if (pending?.placement === placement && pending.phase === 'RETIRING') return;
    const request = pending?.placement === placement ? (pending.request ?? circuit.request) : circuit.request;
    const { start, end } = placement.window;
    const { schedule } = request;
    const whole = !this.#shortened.has(circuit.id);
    const say = (what: string): void =>
      this.#say(circuit, `v${placement.version} ${this.#by(circuit, event)} ${what}`);
    if (schedule.type !== 'VOLUME' && placement.mbps !== request.mbps)
      say(`has ${placement.mbps} Mb/s of ${request.mbps}`);
    switch (schedule.type) {
      case 'NOW':
        if (schedule.durationS !== 'NEVER' && whole && end - start !== schedule.durationS * 1000)
          say(`lasts ${(end - start) / 1000} s of ${schedule.durationS}`);
        return;
      case 'FIXED':
        if (start < schedule.start || start > schedule.start + LATE_START_MS)
          say('does not start when it was asked for');
        if (whole ? end !== schedule.end : end > schedule.end) say('does not end when it was asked for');
        return;
      case 'FLEXIBLE':
      case 'VOLUME':
        // Once it has begun, an earliest start means nothing any more.
        if (start < (schedule.notBefore ?? circuit.createTime) && start > event.time)
          say('starts before its window');
        if (end > schedule.deadline) say('ends after its deadline');
    }
    if (!whole) return;
    if (schedule.type === 'FLEXIBLE') {
      if (end - start !== schedule.durationS * 1000)
        say(`lasts ${(end - start) / 1000} s of ${schedule.durationS}`);
      return;
    }
    const { minMbps = 1, maxMbps = Number.POSITIVE_INFINITY, volumeBytes } = schedule;
    if (placement.mbps < minMbps || placement.mbps > maxMbps)
      say(`has ${placement.mbps} Mb/s of ${minMbps} to ${maxMbps}`);
    if (((end - start) / 1000) * placement.mbps * BITS_PER_MEGABIT < volumeBytes * 8)
      say(`carries less than its ${volumeBytes} bytes`);
  }

  /** New roads are sound, and lead over nothing that is out of use. */
  #roads(before: Circuit | undefined, after: Circuit, placement: Placement, event: EventRecord): void {
    const segment = localSegment(placement);
    if (segment === undefined) return;
    for (const road of [segment, ...(segment.backup === undefined ? [] : [segment.backup])]) {
      const ends = 'ends' in road && road.ends !== undefined ? road.ends : segment;
      for (const fault of roadIsSound(this.#document, ends, road))
        this.#say(after, `v${placement.version}: ${fault}`);
      // Who stays on its road may have been there when it failed.
      if (before !== undefined && placementsOf(before).some((p) => runsOver(p, road))) continue;
      const down = road.links.filter((id) => {
        const link = this.#document.links.find((one) => one.id === id);
        const soon = placement.window.start <= event.time + 3_600_000;
        return link?.admin_state === 'DOWN' || (soon && link?.oper_state === 'DOWN');
      });
      if (down.length > 0)
        this.#say(after, `v${placement.version} is placed on ${down.join()}, which is down`);
    }
    const twice = segment.links.filter((id) => segment.backup?.links.includes(id));
    if (twice.length > 0) this.#say(after, `v${placement.version} has ${twice.join()} on both its roads`);
    for (const window of this.#document.maintenance_windows ?? []) {
      const over = Date.parse(window.end_time) <= event.time || placement.window.end <= event.time;
      if (!over && meets(window, placement))
        this.#say(
          after,
          `v${placement.version} ${this.#by(after, event)} is placed on ${window.links} while it is closed`,
        );
    }
  }

  // ---- what changes ----------------------------------------------------------------------------------------

  #moved(
    { type, data }: EventRecord,
    input: Modify,
    before: Circuit,
    from: Placement,
    to: Placement,
    after: Circuit,
  ): void {
    const { request } = before;
    const say = (what: string): void => this.#say(before, `was moved ${what}`);
    const locked = input.at + request.noticeS * 1000;
    if (before.role !== 'HOME' || before.state !== 'SCHEDULED' || before.pending !== undefined)
      say(`as ${before.role} in ${before.state}`);
    if (request.pinned) say('and is pinned');
    if (request.schedule.type !== 'FLEXIBLE' && request.schedule.type !== 'VOLUME')
      say(`and is ${request.schedule.type}`);
    if (from.window.start <= locked) say(`within its notice of ${request.noticeS} s`);
    if (to.window.start <= locked) say('to where it cannot be told in time');
    if (lasts(from) !== lasts(to) || from.mbps !== to.mbps) say('and lost duration or rate');
    if (!isDeepStrictEqual(after.request, request)) say('and its request with it');
    if (after.moves !== before.moves + 1) say('and it is not counted');
    if (after.current?.version !== to.version) say('and is not there');
    if (type !== 'circuit.moved') say(`and told ${type}`);
    const told = data as { from?: Told; to?: Told; for_circuit_id?: unknown };
    if (!tells(told.from, from) || !tells(told.to, to)) say('and told other slots');
    if (told.for_circuit_id !== input.for) say('and not told for whom');
  }

  /** Proposed to the other domains: nothing has moved yet, and it must be decided before the notice begins. */
  #mayMove(input: Modify, before: Circuit, from: Placement): void {
    const { request } = before;
    const say = (what: string): void => this.#say(before, `is to be moved ${what}`);
    if (request.pinned) say('and is pinned');
    if (before.state !== 'SCHEDULED' || before.pending !== undefined) say(`in ${before.state}`);
    if (request.schedule.type !== 'FLEXIBLE' && request.schedule.type !== 'VOLUME')
      say(`and is ${request.schedule.type}`);
    if (from.window.start <= input.at + request.noticeS * 1000)
      say(`within its notice of ${request.noticeS} s`);
  }

  /** All domains have agreed: now it is told, with both slots and for whom, long enough before either start. */
  #movedAbroad({ type, data, time }: EventRecord, before: Circuit, after: Circuit): void {
    const [from, to] = [before.current, after.current];
    if (before.pending?.cause !== 'MOVE' || from === undefined || to === undefined) return;
    if (before.role !== 'HOME' || from.version === to.version) return;
    const say = (what: string): void => this.#say(before, `was moved ${what}`);
    const { noticeS } = before.request;
    const told = data as { from?: Told; to?: Told; for_circuit_id?: unknown };
    if (type !== 'circuit.moved') say(`and told ${type}`);
    if (!tells(told.from, from) || !tells(told.to, to)) say('and told other slots');
    if (told.for_circuit_id !== before.pending.for) say('and not told for whom');
    if (after.moves !== before.moves + 1) say('and it is not counted');
    if (lasts(from) !== lasts(to) || from.mbps !== to.mbps) say('and lost duration or rate');
    const first = Math.min(from.window.start, to.window.start);
    if (time >= first - noticeS * 1000)
      this.#wrong.push(law(7, `${before.id} was moved within its notice of ${noticeS} s`));
  }

  /** As its client asked: what has begun, is locked, pinned or FIXED stays on its road and at its start. */
  #changed(input: Modify, before: Circuit, from: Placement, to: Placement): void {
    const { request } = before;
    const movable = request.schedule.type === 'FLEXIBLE' || request.schedule.type === 'VOLUME';
    const locked = from.window.start <= input.at + request.noticeS * 1000;
    if (movable && !locked && !request.pinned) return;
    if (from.window.start !== to.window.start)
      this.#say(before, 'was changed and its start with it, which was frozen');
    if (!isDeepStrictEqual(localSegment(from)?.links, localSegment(to)?.links))
      this.#say(before, 'was changed and its road with it, which was frozen');
  }

  /** Another road, nothing else; but maintenance that preempts may cut it short. */
  #rerouted(input: Modify, before: Circuit, from: Placement, to: Placement): void {
    const closes = (this.#document.maintenance_windows ?? []).some(
      (window) => Date.parse(window.start_time) === to.window.end,
    );
    if (to.window.end < from.window.end && closes) this.#shortened.add(before.id);
    else if (to.window.end !== from.window.end)
      this.#say(before, `was given another end by a ${input.cause}`);
    if (to.window.start !== from.window.start || to.mbps !== from.mbps)
      this.#say(before, `was given another slot by a ${input.cause}`);
    if (!isDeepStrictEqual(input.request, before.request))
      this.#say(before, `was given another request by a ${input.cause}`);
    const [old, now] = [localSegment(from), localSegment(to)];
    // At a border domains agree on one anew; what its client was promised is the label at the client's port.
    const labels = (s: typeof old) => [s?.a, s?.z].map((end) => (end?.border === undefined ? end?.label : 0));
    if (!isDeepStrictEqual(labels(old), labels(now)))
      this.#say(before, `was given other labels at its ends by a ${input.cause}`);
  }

  /** Nobody moves without a cause, which comes in the same transaction: a newcomer, maintenance, a road that failed. */
  #hasItsCause(input: Modify, { before, after }: Step, steps: readonly Step[], group: Group): void {
    // Of several domains each move stands for itself: whoever it was for may still be refused elsewhere.
    if (input.placement !== undefined && isAbroad(input.placement)) return;
    if (input.for === undefined) {
      const links = before?.current === undefined ? [] : (localSegment(before.current)?.links ?? []);
      const down = this.#document.links.some(
        ({ id, admin_state, oper_state }) =>
          links.includes(id) && (admin_state === 'DOWN' || oper_state === 'DOWN'),
      );
      if (!down) this.#say(after, 'was moved for nobody');
      return;
    }
    const windows = group.topology?.document.maintenance_windows ?? [];
    const closing = windows.find((window) => window.id === input.for);
    if (closing !== undefined && input.placement !== undefined) {
      if (meets(closing, input.placement)) this.#say(after, 'was moved to where maintenance meets it');
      return;
    }
    const own = steps.findIndex((step) => step.after === after);
    const cause = steps.slice(own + 1).find(({ event: { circuitId, input: theirs } }) => {
      if (circuitId !== input.for) return false;
      // A peer's newcomer comes as a hold.
      if (theirs?.type === 'hold') return true;
      return theirs?.type === 'place' || (theirs?.type === 'modify' && theirs.cause !== 'MOVE');
    });
    if (cause === undefined) this.#say(after, `was moved for ${input.for}, who did not come`);
  }

  /** One notice for each who moves, however many steps it takes: until the newcomer has come. */
  #toldOnce(steps: readonly Step[]): void {
    const told = new Map<unknown, Set<string>>();
    for (const { event, after } of steps) {
      const { input } = event;
      if (input?.type !== 'modify' || input.cause !== 'MOVE') {
        if (input?.type === 'place' || input?.type === 'modify') told.delete(after.id);
        continue;
      }
      const ids = told.get(input.for) ?? new Set();
      if (ids.has(after.id)) this.#say(after, `is moved and told twice for ${input.for}`);
      told.set(input.for, ids.add(after.id));
    }
  }

  // ---- all together ----------------------------------------------------------------------------------------

  /** Never more than there is on any edge at any instant from now on, and no label twice. */
  #room(group: Group, live: ReadonlyMap<string, Circuit>): void {
    const shares = new Map<
      string,
      { who: string; from: number; to: number; mbps: number; labels: readonly number[] }[]
    >();
    for (const circuit of live.values()) {
      for (const [edge, pieces] of sharesOf(circuit)) {
        const there = shares.get(edge) ?? [];
        shares.set(edge, there);
        there.push(...pieces.map((piece) => ({ ...piece, who: circuit.id })));
      }
    }
    const now = toSeconds(group.now);
    for (const [edge, pieces] of shares) {
      const room = roomOf(this.#document, edge);
      for (const at of new Set([now, ...pieces.map((p) => p.from)])) {
        if (at < now) continue;
        const here = pieces.filter((p) => p.from <= at && at < p.to);
        const sum = here.reduce((all, p) => all + p.mbps, 0);
        if (sum > room)
          this.#wrong.push(law(6, `${edge} is promised ${sum} of ${room} Mb/s to ${here.map((p) => p.who)}`));
        const owners = new Map<number, string>();
        for (const { who, labels } of here) {
          for (const label of labels) {
            const other = owners.get(label);
            if (other !== undefined && other !== who)
              this.#wrong.push(`${edge} label ${label} is promised to ${other} and ${who}`);
            owners.set(label, who);
          }
        }
      }
    }
  }

  /** The circuits of a set keep their order, their gaps and their distance. What was asked is in the description. */
  #order(steps: readonly Step[], live: ReadonlyMap<string, Circuit>): void {
    const changedBy = (...causes: Modify['cause'][]): Set<string> =>
      new Set(
        steps.flatMap(({ event: { input }, after }) =>
          input?.type === 'modify' && causes.includes(input.cause) ? [after.id] : [],
        ),
      );
    const changed = changedBy(undefined);
    const rerouted = changedBy('REROUTE', 'SWITCH');
    const inSets = [...live.values()].filter((c) => c.setId !== undefined && c.current !== undefined);
    for (const circuit of inSets) {
      const { after, gapS = 0, diverse } = flightPlan(circuit.request.description);
      const other = (key: string | undefined): Circuit | undefined =>
        inSets.find((c) => c.setId === circuit.setId && c.setKey === key && c.state !== 'RELEASING');
      const before = other(after);
      if (circuit.state === 'RELEASING') continue;
      if (before?.current !== undefined && circuit.current !== undefined) {
        const gap = (circuit.current.window.start - before.current.window.end) / 1000;
        const pair = `${before.id} ${circuit.id}`;
        if (gap < gapS && !this.#outOfOrder.has(pair)) {
          const touched = changed.has(circuit.id) || changed.has(before.id);
          const why = touched ? ', one of them changed by its client' : '';
          this.#say(circuit, `starts ${gap} s after ${before.id} and not ${gapS}${why}`);
          this.#outOfOrder.add(pair);
        }
      }
      const apart = other(diverse);
      const mine = circuit.current === undefined ? [] : (localSegment(circuit.current)?.links ?? []);
      const theirs = apart?.current === undefined ? [] : (localSegment(apart.current)?.links ?? []);
      const shared = mine.filter((link) => theirs.includes(link));
      const pair = `${apart?.id} beside ${circuit.id}`;
      if (shared.length > 0 && !this.#outOfOrder.has(pair)) {
        const given = rerouted.has(circuit.id) || rerouted.has(apart?.id ?? '');
        const why = given ? ', one of them given another road' : '';
        this.#say(circuit, `shares ${shared.join()} with ${apart?.id}${why}`);
        this.#outOfOrder.add(pair);
      }
    }
  }

  /** By whose wish: what its client has changed is another matter than what the broker did by itself. */
  #by({ id }: Circuit, { input }: EventRecord): string {
    if (input?.type === 'modify' && input.cause === undefined) return '(changed by its client)';
    const cause = input?.type === 'modify' ? input.cause : input?.type;
    return this.#touched.has(id) ? `(${cause}, changed by its client before)` : `(${cause})`;
  }

  #say(circuit: Circuit, what: string): void {
    this.#wrong.push(`${circuit.id} ${what}`);
  }
}

interface Told {
  readonly start_time?: string;
  readonly end_time?: string;
  readonly bandwidth_mbps?: number;
}

const tells = (told: Told | undefined, { window, mbps }: Placement): boolean =>
  told !== undefined &&
  Date.parse(told.start_time ?? '') === window.start &&
  (window.end === NEVER ? told.end_time === undefined : Date.parse(told.end_time ?? '') === window.end) &&
  told.bandwidth_mbps === mbps;

/** Does it run over what the window closes? */
function meets(window: MaintenanceWindowDocument, placement: Placement): boolean {
  const links = localSegment(placement)?.links ?? [];
  return (
    (window.links ?? []).some((id) => links.includes(id)) &&
    placement.window.start < Date.parse(window.end_time) &&
    Date.parse(window.start_time) < placement.window.end
  );
}

const lasts = ({ window }: Placement): number => window.end - window.start;

const isAbroad = (p: Placement): boolean => p.segments.length > 1;

/** The same road, on which a border has got one of the labels that were held there for it. */
function agreed(was: Placement, is: Placement): boolean {
  const [before, after] = [localSegment(was), localSegment(is)];
  if (before === undefined || after === undefined) return false;
  const held = [before.a, before.z].flatMap(({ port, offered = [] }) =>
    offered.map((one) => `port:${port} ${one}`),
  );
  return before.uses.every((use, i) => {
    const now = after.uses[i];
    return now?.edge === use.edge && (now.label === use.label || held.includes(`${use.edge} ${now.label}`));
  });
}

const find = (c: Circuit, version: number): Placement | undefined =>
  placementsOf(c).find((p) => p.version === version);

function runsOver(placement: Placement, road: Road): boolean {
  const segment = localSegment(placement);
  return [segment, segment?.backup].some(
    (one) => one !== undefined && isDeepStrictEqual(one.links, road.links),
  );
}

/** What a member of a set was asked to keep to, as its client wrote it down. */
export interface FlightPlan {
  readonly after?: string;
  readonly gapS?: number;
  readonly diverse?: string;
}
export const writePlan = (plan: FlightPlan): string => JSON.stringify(plan);
const flightPlan = (description: string | undefined): FlightPlan =>
  description === undefined ? {} : (JSON.parse(description) as FlightPlan);
