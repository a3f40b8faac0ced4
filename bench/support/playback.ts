/**
 * Plays a workload through one policy and counts: who was accepted, how much that is, who was moved, how long
 * each decision took, and whether anything that was promised did not hold. Decisions are entered as a broker
 * would; what has ended is dropped.
 */
import { stopwatch } from '../../src/kernel/clock.ts';
import { Calendar } from '../../src/scheduler/calendar.ts';
import { type Ask, bookingOf, type Placed, type Refused } from '../../src/scheduler/laxity/booking.ts';
import { Fleet } from '../../src/scheduler/laxity/fleet.ts';
import { type Limits, place } from '../../src/scheduler/laxity/place.ts';
import { compile } from '../../src/topology/compile.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import type { Arrival } from './workload.ts';

export interface Played {
  accepted: number;
  /** Mb/s x seconds. */
  carried: number;
  moves: number;
  moved: number;
  shiftS: number;
  violations: string[];
  readonly by: Record<string, number>;
  /** `cpu` is the processor time of the same, for machines on which others are at work. */
  readonly us: {
    readonly all: number[];
    readonly decision: number[];
    readonly cpu: number[];
    readonly by: Record<string, number[]>;
  };
  mostLive: number;
  seconds: number;
}

export interface Watch {
  /** After each refusal, the fleet as the decision found it. */
  readonly refused?: (fleet: Fleet, ask: Ask, refused: Refused, now: number) => void;
  /** Somebody else's try where the engine has given up: true when it has entered the newcomer. */
  readonly rescue?: (fleet: Fleet, ask: Ask, now: number) => Promise<boolean>;
}

/** What is past is forgotten every so many arrivals. */
const FORGET_EVERY = 1_000;

export async function play(
  document: TopologyDocument,
  arrivals: readonly Arrival[],
  limits: Limits,
  watch: Watch = {},
): Promise<Played> {
  const network = compile(document);
  const calendar = new Calendar();
  for (const [edge, room] of network.rooms()) calendar.setRoom(edge, room);
  const fleet = new Fleet(network, calendar);
  const played: Played = {
    accepted: 0,
    carried: 0,
    moves: 0,
    moved: 0,
    shiftS: 0,
    violations: [],
    by: {},
    us: { all: [], decision: [], cpu: [], by: {} },
    mostLive: 0,
    seconds: 0,
  };
  const endings = new Timetable();
  const cancels = new Timetable();
  let busy = 0;
  for (const [i, { at, ask, cancelAt }] of arrivals.entries()) {
    for (const id of endings.due(at)) {
      const booking = fleet.get(id);
      if (booking === undefined) continue;
      if (booking.start + booking.duration > at) endings.add(booking.start + booking.duration, id);
      else fleet.drop(id, []);
    }
    for (const id of cancels.due(at)) {
      const booking = fleet.get(id);
      if (booking !== undefined && booking.start > at) fleet.drop(id, []);
    }
    if (i % FORGET_EVERY === 0) {
      calendar.dropBefore(at);
      fleet.dropBefore(at);
    }
    const spent = process.cpuUsage();
    const before = stopwatch();
    const answer = place(fleet, ask, at, limits);
    played.us.decision.push((stopwatch() - before) * 1000);
    if (answer.placed) enter(fleet, ask, answer);
    const us = (stopwatch() - before) * 1000;
    busy += us;
    const { user, system } = process.cpuUsage(spent);
    played.us.cpu.push(user + system);
    const outcome = answer.placed ? answer.by : answer.proof;
    played.by[outcome] = (played.by[outcome] ?? 0) + 1;
    played.us.all.push(us);
    const alike = played.us.by[outcome] ?? [];
    alike.push(us);
    played.us.by[outcome] = alike;
    if (answer.placed) count(played, fleet, ask, answer, at);
    else watch.refused?.(fleet, ask, answer, at);
    const rescued =
      outcome === 'BUDGET_SPENT' && watch.rescue !== undefined && (await watch.rescue(fleet, ask, at));
    if (answer.placed || rescued) {
      played.accepted++;
      played.carried += ask.mbps * ask.duration;
      endings.add(answer.placed ? answer.seat.end : at, ask.id);
      if (cancelAt !== undefined) cancels.add(cancelAt, ask.id);
    }
    played.mostLive = Math.max(played.mostLive, fleet.size);
  }
  played.seconds = busy / 1e6;
  audit(played, fleet);
  return played;
}

function enter(fleet: Fleet, ask: Ask, { seat, moves }: Placed): void {
  const intern = (edge: string) => fleet.network.names.intern(edge);
  for (const { id, to } of moves) {
    const booking = fleet.get(id);
    if (booking !== undefined) fleet.put(bookingOf(booking, to, intern), []);
  }
  fleet.put(bookingOf(ask, seat, intern), []);
}

function count(played: Played, fleet: Fleet, ask: Ask, { seat, moves }: Placed, now: number): void {
  if (seat.start < ask.notBefore || seat.end > ask.deadline) played.violations.push(`${ask.id}: window`);
  played.moves += moves.length;
  if (moves.length > 0) played.moved++;
  for (const { id, from, to } of moves) {
    played.shiftS += Math.abs(to.start - from.start);
    const booking = fleet.get(id);
    if (booking === undefined || !booking.movable)
      played.violations.push(`${id}: moved though it may not be`);
    else if (from.start <= now + booking.notice || to.start <= now + booking.notice)
      played.violations.push(`${id}: moved within its notice`);
    else if (to.start < booking.notBefore || to.end > booking.deadline)
      played.violations.push(`${id}: moved out of its window`);
  }
}

/** At the end: nothing overbooked, and the calendars are what the bookings add up to. */
function audit(played: Played, fleet: Fleet): void {
  const fresh = new Calendar();
  for (const booking of fleet.bookings()) {
    for (const { edge } of booking.uses)
      fresh.claim({
        edge,
        mbps: booking.mbps,
        start: booking.start,
        end: booking.start + booking.duration,
      });
  }
  for (const [edge, { mbps }] of fleet.network.rooms()) {
    if (fresh.overbooked(edge, fleet.now, mbps).length > 0)
      played.violations.push(`edge ${edge}: overbooked`);
    const [is, should] = [fleet.total, fresh].map((calendar) =>
      JSON.stringify(
        calendar.profile(edge, fleet.now, 2 ** 31 - 1).map(({ start, claimed }) => [start, claimed]),
      ),
    );
    if (is !== should) played.violations.push(`edge ${edge}: calendar differs from bookings`);
  }
}

/** Ids by time, in order. */
class Timetable {
  readonly #heap: [number, string][] = [];

  add(at: number, id: string): void {
    const heap = this.#heap;
    let i = heap.push([at, id]) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if ((heap[parent] as [number, string])[0] <= at) break;
      heap[i] = heap[parent] as [number, string];
      i = parent;
    }
    heap[i] = [at, id];
  }

  *due(now: number): Iterable<string> {
    const heap = this.#heap;
    while ((heap[0]?.[0] ?? Number.POSITIVE_INFINITY) <= now) {
      const [, id] = heap[0] as [number, string];
      const last = heap.pop() as [number, string];
      if (heap.length > 0) {
        let i = 0;
        for (;;) {
          let child = 2 * i + 1;
          if (child >= heap.length) break;
          if ((heap[child + 1]?.[0] ?? Number.POSITIVE_INFINITY) < (heap[child] as [number, string])[0])
            child++;
          if ((heap[child] as [number, string])[0] >= last[0]) break;
          heap[i] = heap[child] as [number, string];
          i = child;
        }
        heap[i] = last;
      }
      yield id;
    }
  }
}
