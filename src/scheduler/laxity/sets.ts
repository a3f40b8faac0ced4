/**
 * Several requests placed as one, all or none: some may have to wait for others and keep a gap, some to stay
 * clear of others' links. They are placed one after the other, whoever found nothing moving forward in the
 * queue for the next round. What comes out are bookings with windows of their own: cut so that, wherever
 * each is moved later within its window, the order between them holds.
 */
import type { Seconds } from '../../model/capacity.ts';
import { type Ask, bookingOf, type Move, type Refused, type Seat } from './booking.ts';
import type { Fleet, Undo } from './fleet.ts';
import { type Limits, place, usual } from './place.ts';

export interface Member {
  readonly key: string;
  readonly ask: Ask;
  /** The key of a member that must have ended `gap` seconds before this one starts. */
  readonly after?: string;
  readonly gap?: number;
  /** Keys of members with which it shares no link. */
  readonly diverse?: readonly string[];
}

export interface SeatedMember {
  readonly key: string;
  /** As it is to be booked: with its window cut, and the constraints that keep it clear of others. */
  readonly ask: Ask;
  readonly seat: Seat;
  /** To be entered before the member, the members in the order given. */
  readonly moves: readonly Move[];
}

export type SetPlaced =
  | { readonly placed: true; readonly members: readonly SeatedMember[] }
  /** `key` is the member at which it failed; the set is proven impossible only if that one alone is. */
  | { readonly placed: false; readonly key: string; readonly refused: Refused };

const MAX_ROUNDS = 8;

export function placeSet(
  fleet: Fleet,
  members: readonly Member[],
  now: Seconds,
  limits: Limits = usual,
): SetPlaced {
  fleet.advance(now);
  const wrong = mistake(members);
  if (wrong !== undefined) return wrong;
  const latest = latestEnds(members);
  let queue = [...members].sort(
    (x, y) => slackOf(x, latest) - slackOf(y, latest) || (x.key < y.key ? -1 : 1),
  );
  let failed: SetPlaced | undefined;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const outcome = attempt(fleet, queue, latest, now, { ...limits, explain: false });
    if (outcome.placed) return outcome;
    failed ??= outcome;
    const { key } = outcome;
    const loser = queue.findIndex((member) => member.key === key);
    if (loser === 0) break;
    const forward = queue.filter((_, i) => i !== loser);
    forward.splice(Math.floor(loser / 2), 0, queue[loser] as Member);
    if (forward.every((member, i) => member === queue[i])) break;
    queue = forward;
  }
  return explained(fleet, members, failed as SetPlaced & { placed: false }, now, limits);
}

/** Is the member impossible by itself? Only then is the set proven to be. */
function explained(
  fleet: Fleet,
  members: readonly Member[],
  failed: SetPlaced & { readonly placed: false },
  now: Seconds,
  limits: Limits,
): SetPlaced {
  for (const { key, ask } of members) {
    const alone = place(fleet, ask, now, limits);
    if (!alone.placed && alone.proof === 'PROVEN_IMPOSSIBLE') return { placed: false, key, refused: alone };
  }
  return { ...failed, refused: { ...failed.refused, proof: 'BUDGET_SPENT' } };
}

function attempt(
  fleet: Fleet,
  queue: readonly Member[],
  latest: ReadonlyMap<string, Seconds>,
  now: Seconds,
  limits: Limits,
): SetPlaced {
  const undo: Undo[] = [];
  const seated = new Map<string, SeatedMember>();
  const intern = (edge: string) => fleet.network.names.intern(edge);
  try {
    const waiting = [...queue];
    while (waiting.length > 0) {
      const next = waiting.findIndex(({ after }) => after === undefined || seated.has(after));
      const [member] = waiting.splice(next, 1) as [Member];
      const ask = askOf(member, seated, queue, latest);
      const answer = place(fleet, ask, now, limits);
      if (!answer.placed) return { placed: false, key: member.key, refused: answer };
      for (const { id, to } of answer.moves) {
        const moved = fleet.get(id);
        if (moved !== undefined) fleet.put(bookingOf(moved, to, intern), undo);
      }
      // Those of the set stay where they are while the others are placed.
      fleet.put({ ...bookingOf(ask, answer.seat, intern), movable: false }, undo);
      seated.set(member.key, { key: member.key, ask, seat: answer.seat, moves: answer.moves });
    }
  } finally {
    for (const one of undo.reverse()) one();
  }
  return { placed: true, members: [...seated.values()].map((one) => cut(one, queue, seated)) };
}

/** The ask as its place in the set leaves it: after who goes before, in time for who comes after. */
function askOf(
  { key, ask, after, gap = 0, diverse = [] }: Member,
  seated: ReadonlyMap<string, SeatedMember>,
  all: readonly Member[],
  latest: ReadonlyMap<string, Seconds>,
): Ask {
  const before = after === undefined ? undefined : seated.get(after);
  const shunned = all
    .filter((other) => diverse.includes(other.key) || other.diverse?.includes(key) === true)
    .flatMap((other) => seated.get(other.key)?.ask.id ?? []);
  const own = ask.constraints?.['diverse_from'];
  const clearOf = [...(Array.isArray(own) ? (own as string[]) : []), ...shunned];
  return {
    ...ask,
    notBefore: Math.max(
      ask.notBefore,
      (before?.seat.end ?? ask.notBefore) + (before === undefined ? 0 : gap),
    ),
    deadline: latest.get(key) ?? ask.deadline,
    ...(clearOf.length === 0 ? {} : { constraints: { ...ask.constraints, diverse_from: clearOf } }),
  };
}

/** Who goes before may last until its successor's present start less the gap; who comes after not start sooner. */
function cut(
  one: SeatedMember,
  all: readonly Member[],
  seated: ReadonlyMap<string, SeatedMember>,
): SeatedMember {
  const member = all.find(({ key }) => key === one.key);
  let { notBefore, deadline } = member?.ask ?? one.ask;
  if (member?.after !== undefined) notBefore = one.seat.start;
  for (const { key, after, gap = 0 } of all) {
    const successor = seated.get(key);
    if (after === one.key && successor !== undefined)
      deadline = Math.min(deadline, successor.seat.start - gap);
  }
  return { ...one, ask: { ...one.ask, notBefore, deadline } };
}

/** By when each must have ended, so that all those after it can still be in time. */
function latestEnds(members: readonly Member[]): Map<string, Seconds> {
  const latest = new Map(members.map(({ key, ask }) => [key, ask.deadline]));
  // As many passes as the longest chain can have members.
  for (const _ of members) {
    for (const { key, ask, after, gap = 0 } of members) {
      if (after === undefined) continue;
      const mine = (latest.get(key) ?? ask.deadline) - ask.duration - gap;
      latest.set(after, Math.min(latest.get(after) ?? mine, mine));
    }
  }
  return latest;
}

const slackOf = ({ key, ask }: Member, latest: ReadonlyMap<string, Seconds>): number =>
  (latest.get(key) ?? ask.deadline) - ask.notBefore - ask.duration;

/** Keys that are not there, or that wait for each other. */
function mistake(members: readonly Member[]): SetPlaced | undefined {
  const byKey = new Map(members.map((member) => [member.key, member]));
  for (const member of members) {
    const unknown = [member.after, ...(member.diverse ?? [])].find(
      (key) => key !== undefined && !byKey.has(key),
    );
    let at: Member | undefined = member;
    for (let steps = 0; at?.after !== undefined && steps <= members.length; steps++) {
      at = byKey.get(at.after);
      if (steps === members.length) return invalid(member.key, 'waits for itself');
    }
    if (unknown !== undefined) return invalid(member.key, `there is no member ${unknown}`);
  }
  if (byKey.size < members.length) return invalid(members[0]?.key ?? '', 'two members have one key');
  return undefined;
}

const invalid = (key: string, detail: string): SetPlaced => ({
  placed: false,
  key,
  refused: {
    placed: false,
    proof: 'PROVEN_IMPOSSIBLE',
    reason: 'INVALID',
    detail,
    cuts: [],
    bottlenecks: [],
    alternatives: [],
    errors: [{ pointer: '/after', detail }],
    constraints: [],
  },
});
