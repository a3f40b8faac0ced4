/**
 * A place for a newcomer where circuits of ours over several domains are now, and the places that those could
 * have instead. Nothing is changed here: what this finds mover.ts proposes to the other domains.
 */
import { type InstantMs, instant } from '../../kernel/clock.ts';
import type { Circuit, CircuitRequest } from '../../model/circuit.ts';
import { MOVE_MARGIN_MS } from '../../model/home/change.ts';
import { overlaps, plusSeconds, secondsBetween, type Window } from '../../model/window.ts';
import { fewest, withoutAll } from '../circuits/instead.ts';
import { isMovableAbroad, windowOf } from '../circuits/movable.ts';
import type { Placing, Wish } from '../circuits/plan.ts';
import { ATTEMPT_MS, REST_S } from '../limits.ts';
import type { Tx } from '../tx.ts';
import { type Availability, placeAbroad } from './placeAbroad.ts';

/** Circuits that a newcomer may be tried in the place of, and how many of them may have to go. */
const MOST_VICTIMS = 8;
const MOST_TOGETHER = 3;
/** Everything else is held, and the move agreed, within this time. */
export const WAITING_MS = 60_000;

/** At its own rate, and without moving anybody else. */
export function placeElsewhere(
  tx: Tx,
  circuit: Circuit,
  wish: Wish,
  known: readonly Availability[] = [],
): Placing {
  const { current, request } = circuit;
  const mbps = current?.mbps ?? request.mbps;
  const plain: CircuitRequest = { ...request, mbps, schedule: { type: 'NOW', durationS: wish.durationS } };
  return tx.book.without(circuit, () => placeAbroad(tx.ground, circuit.id, plain, wish, [], known));
}

/** The parts of its own window, before and after the time that it is to leave, where it could still be told of. */
export function wishesOf(circuit: Circuit | undefined, avoid: Window, now: InstantMs, tries: number): Wish[] {
  if (circuit?.current === undefined || !isMovableAbroad(circuit)) return [];
  const { window, mbps } = circuit.current;
  const { notBefore, deadline } = windowOf(circuit);
  const soonest = now + circuit.request.noticeS * 1000 + MOVE_MARGIN_MS + ATTEMPT_MS;
  if (window.start <= soonest || !overlaps(window, avoid)) return [];
  const durationS = secondsBetween(window.start, window.end);
  // Each time a little later than what was refused before.
  const late = Math.floor(durationS / 2) * tries;
  const wish = (from: number, to: number): Wish[] => {
    const start = instant(Math.ceil(Math.max(notBefore, soonest, from) / 1000) * 1000);
    const end = instant(Math.min(deadline, to));
    if (plusSeconds(start, durationS + late) > end) return [];
    return [{ notBefore: plusSeconds(start, late), deadline: end, durationS, mbps, movable: false }];
  };
  // Better so far away that a label of a border has rested in between; the ends may have no other.
  const rest = REST_S * 1000;
  return [
    ...wish(0, avoid.start - rest),
    ...wish(avoid.end + rest, deadline),
    ...wish(0, avoid.start),
    ...wish(avoid.end, deadline),
  ];
}

/**
 * A place for a newcomer where circuits of ours over several domains are now, and could be elsewhere: what the
 * newcomer would take, and who has to go first. Undefined when there is none.
 */
export function placeInstead(
  tx: Tx,
  place: () => Placing,
):
  | { readonly slot: Placing & { readonly kind: 'placed' }; readonly waitsFor: readonly string[] }
  | undefined {
  const { abroad, waiting } = tx.book.parties;
  const going = new Set([...waiting].flatMap((id) => tx.mustGet(id).pending?.waitsFor ?? []));
  const movable = [...abroad]
    .map((id) => tx.mustGet(id))
    .filter((circuit) => isMovableAbroad(circuit) && !going.has(circuit.id))
    .sort((one, other) => one.request.priority - other.request.priority || (one.id < other.id ? -1 : 1))
    .slice(0, MOST_VICTIMS);
  const fits = (without: readonly Circuit[]): (Placing & { readonly kind: 'placed' }) | undefined => {
    const placing = withoutAll(tx.book, without, place);
    return placing.kind === 'placed' && placing.moves.length === 0 ? placing : undefined;
  };
  const couldGo = (slot: Placing & { readonly kind: 'placed' }, all: readonly Circuit[]): boolean =>
    all.every((circuit) =>
      wishesOf(circuit, slot.slot.window, tx.now, 0).some(
        (wish) => placeElsewhere(tx, circuit, wish).kind === 'placed',
      ),
    );
  for (const circuit of movable) {
    const slot = fits([circuit]);
    if (slot !== undefined && couldGo(slot, [circuit])) return { slot, waitsFor: [circuit.id] };
  }
  const several = fewest(movable, (all) => fits(all) !== undefined);
  const slot = several === undefined || several.length > MOST_TOGETHER ? undefined : fits(several);
  return several === undefined || slot === undefined || !couldGo(slot, several)
    ? undefined
    : { slot, waitsFor: several.map(({ id }) => id) };
}

/** For what the desk is asked by peers: could the circuit be moved out of that time at all? */
export const couldLeave = (tx: Tx, circuit: Circuit, avoid: Window): boolean =>
  wishesOf(circuit, avoid, tx.now, 0).length > 0;
