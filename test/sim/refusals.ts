/**
 * What is promised to whoever is refused, and to all others then: nothing has changed, and a refusal that says
 * it is proven is true. The proof is tried again the slow way, over all that is durable.
 */
import { type InstantMs, instant } from '../../src/kernel/clock.ts';
import { fromSeconds, LAST_SECOND, toSeconds } from '../../src/model/capacity.ts';
import type { Circuit, CircuitRequest } from '../../src/model/circuit.ts';
import type { LabelAsk } from '../../src/model/label.ts';
import type { PortId } from '../../src/model/port.ts';
import { nextFullSecond } from '../../src/model/window.ts';
import type { Node } from './node.ts';
import { anyStart, type Want } from './ways.ts';
import type { HttpAsk } from './workload.ts';

/** Everything in memory that a decision could have changed, as text; and how much was written by then. */
export interface Stand {
  readonly events: number;
  readonly text: string;
}

export function standOf(node: Node): Stand | undefined {
  const book = node.broker?.term?.book;
  if (book === undefined) return undefined;
  const now = toSeconds(node.watch.now());
  const circuits = [...book.circuits.values()].sort((x, y) => (x.id < y.id ? -1 : 1));
  const edges = Array.from(book.network.rooms(), ([edge]) => [
    book.names.name(edge),
    book.calendar.profile(edge, now, LAST_SECOND),
    book.calendar
      .labelProfile(edge, now, LAST_SECOND)
      .map((claim) => JSON.stringify(claim))
      .sort(),
    book.fleet.on(edge, now, LAST_SECOND),
  ]);
  const bookings = [...book.fleet.bookings()].sort((x, y) => (x.id < y.id ? -1 : 1));
  return {
    events: node.mirror.events,
    text: JSON.stringify([circuits, edges, bookings, book.topology.version]),
  };
}

/** After a refusal, or after something that was only tried. */
export function checkUntouched(node: Node, before: Stand | undefined, what: string): string[] {
  const after = standOf(node);
  // Another's change became durable meanwhile: then there is nothing to compare.
  if (before === undefined || after === undefined || after.events !== before.events) return [];
  if (after.text === before.text) return [];
  const at = [...after.text].findIndex((letter, i) => letter !== before.text[i]);
  const around = (text: string): string => text.slice(Math.max(0, at - 60), at + 60);
  return [`${node.name} ${what} was refused and left ${around(after.text)} for ${around(before.text)}`];
}

interface Problem {
  readonly code?: string;
  readonly proof?: string;
  readonly alternatives?: readonly { readonly start_time: string; readonly end_time?: string }[];
}

/** Says which it was, and is right: a request of one domain for a slot or a window. */
export function checkRefusal(node: Node, ask: HttpAsk, before: Stand | undefined, body: unknown): string[] {
  const problem = body as Problem;
  if (problem.code !== 'NO_FEASIBLE_SLOT' || !ask.url.startsWith('/v1/circuits')) return [];
  if (problem.proof !== 'PROVEN_IMPOSSIBLE' && problem.proof !== 'BUDGET_SPENT')
    return [
      `${node.name} ${ask.method} ${ask.url.split('/').slice(0, 3).join('/')} is refused without saying whether that is proven`,
    ];
  if (ask.method !== 'POST' || ask.circuit !== undefined || before?.events !== node.mirror.events) return [];
  const want = wantOf(ask.body as Wire, node);
  if (want === undefined) return [];
  const book = node.broker?.term?.book;
  if (book === undefined) return [];
  const secondsOf = (time: string): number => toSeconds(instant(Date.parse(time)));
  const find = (staying: readonly Circuit[]): number | undefined =>
    anyStart(book.topology.document, want, staying, secondsOf);
  const all = [...node.mirror.live.values()];
  const now = node.watch.now();
  const asked = JSON.stringify(ask.body);
  const direct = find(all);
  if (direct !== undefined)
    return [`${node.name} refuses ${asked} though it fits at ${timeOf(direct)} as things are`];
  const locked =
    problem.proof === 'PROVEN_IMPOSSIBLE' ? find(all.filter((c) => !mayMove(c, now))) : undefined;
  return locked === undefined
    ? []
    : [
        `${node.name} says that ${asked} is impossible, and it fits at ${timeOf(locked)} beside what is locked`,
      ];
}

const timeOf = (second: number): string => new Date(fromSeconds(second)).toISOString();

/** By what was promised, not by what the engine thinks. */
function mayMove(c: Circuit, now: InstantMs): boolean {
  const { request, current } = c;
  return (
    c.role === 'HOME' &&
    c.state === 'SCHEDULED' &&
    c.pending === undefined &&
    current !== undefined &&
    current.segments.length === 1 &&
    !request.pinned &&
    (request.schedule.type === 'FLEXIBLE' || request.schedule.type === 'VOLUME') &&
    toSeconds(current.window.start) > toSeconds(now) + request.noticeS
  );
}

/** Our own request, as workload.ts wrote it. */
interface Wire {
  readonly a: { readonly port: PortId };
  readonly z: { readonly port: PortId; readonly vlan?: number };
  readonly bandwidth_mbps?: number;
  readonly protection?: CircuitRequest['protection'];
  readonly schedule: {
    readonly type: string;
    readonly start_time?: string;
    readonly end_time?: string;
    readonly duration_s?: number;
    readonly not_before_time?: string;
    readonly deadline_time?: string;
  };
}

/** Undefined where another domain, a second road or a choice of rate has a say. */
function wantOf(wire: Wire, node: Node): Want | undefined {
  const { a, z, bandwidth_mbps: mbps, schedule } = wire;
  const ours = (port: string): boolean => node.topology.ports.some((one) => one.id === port);
  if (mbps === undefined || wire.protection === 'PROTECTED' || !ours(a.port) || !ours(z.port))
    return undefined;
  const soonest = nextFullSecond(node.watch.now());
  const vlan: LabelAsk = z.vlan === undefined ? 'ANY' : [[z.vlan, z.vlan]];
  const ends = { a: { port: a.port, vlan: 'ANY' as const }, z: { port: z.port, vlan }, mbps };
  const at = (time: string | undefined): InstantMs => instant(time === undefined ? 0 : Date.parse(time));
  const later = (time: InstantMs): number => toSeconds(instant(Math.max(time, soonest)));
  switch (schedule.type) {
    case 'NOW': {
      const durationS = schedule.duration_s ?? 0;
      const notBefore = toSeconds(soonest);
      return { ...ends, durationS, notBefore, deadline: notBefore + durationS };
    }
    case 'FIXED': {
      const notBefore = later(at(schedule.start_time));
      const deadline = toSeconds(at(schedule.end_time));
      return { ...ends, durationS: deadline - notBefore, notBefore, deadline };
    }
    case 'FLEXIBLE':
      return {
        ...ends,
        durationS: schedule.duration_s ?? 0,
        notBefore: later(at(schedule.not_before_time)),
        deadline: toSeconds(at(schedule.deadline_time)),
      };
    default:
      return undefined;
  }
}
