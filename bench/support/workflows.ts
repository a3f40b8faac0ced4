/**
 * Workflows of three circuits, each after the one before: asked for as one set, or one by one as a client
 * must who has no sets. That one takes the earliest slot for the first, then the earliest after it for the
 * second, pins them so that the order holds, and gives all back when a later one finds nothing.
 */
import { Calendar } from '../../src/scheduler/calendar.ts';
import { type Ask, bookingOf, type Move, type Seat } from '../../src/scheduler/laxity/booking.ts';
import { Fleet } from '../../src/scheduler/laxity/fleet.ts';
import { type Limits, place } from '../../src/scheduler/laxity/place.ts';
import { type Member, placeSet } from '../../src/scheduler/laxity/sets.ts';
import { compile } from '../../src/topology/compile.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import type { Arrival } from './workload.ts';

const MEMBERS = 3;
const GAP_S = 600;
/** The workflow's window, as a multiple of what its circuits take one after the other. */
const WINDOW = 2;

export interface Workflow {
  readonly at: number;
  readonly members: readonly Member[];
}

export function workflows(arrivals: readonly Arrival[]): Workflow[] {
  const made: Workflow[] = [];
  for (let i = 0; i + MEMBERS <= arrivals.length; i += MEMBERS) {
    const asks = arrivals.slice(i, i + MEMBERS).map(({ ask }) => ask);
    const at = arrivals[i + MEMBERS - 1]?.at ?? 0;
    const notBefore = Math.max(at, asks[0]?.notBefore ?? 0);
    const length = asks.reduce((sum, ask) => sum + ask.duration + GAP_S, 0);
    const window = { notBefore, deadline: notBefore + WINDOW * length, movable: true };
    const members = asks.map(
      (ask, k): Member => ({
        key: ask.id,
        ask: { ...ask, ...window },
        ...(k === 0 ? {} : { after: asks[k - 1]?.id ?? '', gap: GAP_S }),
      }),
    );
    made.push({ at, members });
  }
  return made;
}

/** How many workflows were accepted whole. */
export function accepted(
  document: TopologyDocument,
  all: readonly Workflow[],
  limits: Limits,
  asOne: boolean,
): number {
  const network = compile(document);
  const calendar = new Calendar();
  for (const [edge, room] of network.rooms()) calendar.setRoom(edge, room);
  const fleet = new Fleet(network, calendar);
  const intern = (edge: string) => network.names.intern(edge);
  const enter = (ask: Ask, seat: Seat, moves: readonly Move[]): void => {
    for (const { id, to } of moves) {
      const booking = fleet.get(id);
      if (booking !== undefined) fleet.put(bookingOf(booking, to, intern), []);
    }
    fleet.put(bookingOf(ask, seat, intern), []);
  };
  const oneByOne = ({ at, members }: Workflow): boolean => {
    let rest = members.reduce((sum, { ask }) => sum + ask.duration + GAP_S, 0);
    let from = 0;
    const done: string[] = [];
    for (const { ask } of members) {
      rest -= ask.duration + GAP_S;
      const next = {
        ...ask,
        notBefore: Math.max(ask.notBefore, from),
        deadline: ask.deadline - rest,
        movable: false,
      };
      const answer = place(fleet, next, at, limits);
      if (!answer.placed) {
        for (const id of done) fleet.drop(id, []);
        return false;
      }
      enter(next, answer.seat, answer.moves);
      done.push(next.id);
      from = answer.seat.end + GAP_S;
    }
    return true;
  };
  let count = 0;
  for (const workflow of all) {
    if (!asOne) {
      if (oneByOne(workflow)) count++;
      continue;
    }
    const answer = placeSet(fleet, workflow.members, workflow.at, limits);
    if (!answer.placed) continue;
    for (const { ask, seat, moves } of answer.members) enter(ask, seat, moves);
    count++;
  }
  return count;
}
