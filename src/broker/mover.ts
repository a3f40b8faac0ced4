/**
 * Moves circuits of ours that other domains have a part in, so that somebody who needs the room can have it.
 * The newcomer is held everywhere else first and the move comes last: a new version is held and committed in
 * every domain, and only then is the old one let go. Whoever is to move, and for whom, follows from the circuits
 * that wait, also after a restart; only how often it was tried is remembered here.
 */
import { type Clock, type InstantMs, instant } from '../kernel/clock.ts';
import type { CircuitId } from '../kernel/ids.ts';
import type { Circuit, CircuitRequest, Placement } from '../model/circuit.ts';
import { MOVE_MARGIN_MS } from '../model/home/change.ts';
import { remotes } from '../model/rules.ts';
import { overlaps, plusSeconds, secondsBetween, type Window } from '../model/window.ts';
import { fewest, withoutAll } from './instead.ts';
import { ATTEMPT_MS, REST_S } from './limits.ts';
import { isMovableAbroad, windowOf } from './movable.ts';
import { type Availability, placeAbroad } from './placeAbroad.ts';
import type { Placing, Wish } from './plan.ts';
import type { Scout } from './scout.ts';
import type { Tx } from './tx.ts';
import type { Writer } from './writer.ts';

/** New places that are tried for one circuit before whoever waits for it is told no. */
const MOST_TRIES = 3;
/** Circuits that a newcomer may be tried in the place of, and how many of them may have to go. */
const MOST_VICTIMS = 8;
const MOST_TOGETHER = 3;
/** Everything else is held, and the move agreed, within this time. */
export const WAITING_MS = 60_000;

interface Moving {
  readonly id: CircuitId;
  readonly avoid: Window;
  readonly for: string;
  /** Another home has asked for it. */
  readonly asked?: true;
  tries: number;
  /** The version that was tried last. */
  version: number;
}

export class Mover {
  readonly #writer: Writer;
  readonly #scout: Scout;
  readonly #clock: Clock;
  readonly #moving = new Map<CircuitId, Moving>();
  #stopped = false;

  constructor(writer: Writer, scout: Scout, ports: { readonly clock: Clock }) {
    this.#writer = writer;
    this.#scout = scout;
    this.#clock = ports.clock;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Looks after the circuits that have changed: who waits for a move, and whose move has come to its end. */
  look(ids: Iterable<CircuitId>): void {
    for (const id of ids) {
      if (this.#stopped) return;
      const circuit = this.#writer.book.circuits.get(id);
      if (circuit?.pending?.waitsFor !== undefined && allElseHeld(circuit))
        for (const other of circuit.pending.waitsFor)
          this.move(other as CircuitId, circuit.pending.placement.window, { by: id });
      const moving = this.#moving.get(id);
      if (moving !== undefined) this.#after(moving, circuit);
    }
  }

  /** Begins to move a circuit out of a time; false when it cannot be, or is being moved for somebody else. */
  move(id: CircuitId, avoid: Window, { by, asked }: { readonly by: string; readonly asked?: true }): boolean {
    const known = this.#moving.get(id);
    if (known !== undefined) return known.for === by;
    const more = asked === undefined ? {} : { asked };
    const moving: Moving = { id, avoid, for: by, ...more, tries: 0, version: 0 };
    const circuit = this.#writer.book.circuits.get(id);
    const { pending } = circuit ?? {};
    if (pending?.cause === 'MOVE' && pending.for === by) {
      // Proposed before a restart: it is waited for, not proposed again.
      this.#moving.set(id, { ...moving, tries: 1, version: pending.placement.version });
      return true;
    }
    if (wishesOf(circuit, avoid, this.#clock.now(), 0).length === 0) {
      this.#refuse(moving, 'it cannot be moved');
      return false;
    }
    this.#moving.set(id, moving);
    void this.#try(moving);
    return true;
  }

  /** The attempt has ended one way or the other: agreed, or dropped and perhaps tried elsewhere. */
  #after(moving: Moving, circuit: Circuit | undefined): void {
    if (moving.version === 0 || circuit?.pending?.placement.version === moving.version) return;
    const agreed = circuit?.current !== undefined && circuit.current.version >= moving.version;
    if (circuit === undefined || agreed || circuit.pending !== undefined) {
      this.#moving.delete(moving.id);
      if (!agreed) this.#refuse(moving, 'it is changed in another way');
      return;
    }
    moving.version = 0;
    void this.#try(moving);
  }

  async #try(moving: Moving): Promise<void> {
    const { id, avoid } = moving;
    const circuit = this.#writer.book.circuits.get(id);
    const wishes = wishesOf(circuit, avoid, this.#clock.now(), moving.tries);
    moving.tries++;
    const [wish] = wishes;
    if (circuit === undefined || wish === undefined || moving.tries > MOST_TRIES) {
      this.#moving.delete(id);
      this.#refuse(moving, 'there is no other place for it that all domains have agreed to');
      return;
    }
    await this.#scout.ask(id, circuit.request, wish);
    if (this.#stopped) return;
    let version = 0;
    await this.#writer
      .submit((tx: Tx) => {
        version = propose(tx, id, wishes, this.#scout.said(id), moving);
      })
      .catch(() => {});
    if (version > 0) moving.version = version;
    else void this.#try(moving);
  }

  /** Whoever waits for it looks for another place. */
  #refuse({ id, for: waiting }: Moving, why: string): void {
    const { book } = this.#writer;
    const newcomer = book.circuits.get(waiting as CircuitId);
    if (newcomer?.pending?.waitsFor?.includes(id) !== true) return;
    const { version } = newcomer.pending.placement;
    const domain = book.network.document.domain;
    void this.#writer
      .submit((tx: Tx) => {
        const now = tx.book.circuits.get(newcomer.id);
        if (now?.pending?.placement.version !== version || now.pending.waitsFor === undefined) return;
        const cause = `${id} is in the way, and ${why}`;
        tx.apply(newcomer.id, { type: 'refused', domain, version, cause, kind: 'ROOM', at: tx.now });
      }, true)
      // It runs out of time by itself.
      .catch(() => {});
  }
}

const allElseHeld = ({ pending }: Circuit): boolean =>
  pending !== undefined && remotes(pending.placement).every((s) => s.agreed === 'HELD' || s.waits === true);

/** Gives the version under which the move was proposed, 0 when there was nothing to propose. */
function propose(
  tx: Tx,
  id: CircuitId,
  wishes: readonly Wish[],
  known: readonly Availability[],
  { avoid, for: by, asked }: Moving,
): number {
  const circuit = tx.book.circuits.get(id);
  if (circuit === undefined || !isMovableAbroad(circuit)) return 0;
  for (const wish of wishes) {
    const placing = placeElsewhere(tx, circuit, wish, known);
    if (placing.kind === 'refused' || overlaps(placing.slot.window, avoid)) continue;
    const placement: Placement = {
      version: circuit.version + 1,
      window: placing.slot.window,
      mbps: placing.slot.mbps,
      segments: placing.segments,
    };
    const until = instant(tx.now + ATTEMPT_MS);
    tx.apply(id, {
      type: 'modify',
      placement,
      request: circuit.request,
      until,
      cause: 'MOVE',
      for: by,
      ...(asked === undefined ? {} : { asked }),
      at: tx.now,
    });
    return placement.version;
  }
  return 0;
}

/** At its own rate, and without moving anybody else. */
function placeElsewhere(tx: Tx, circuit: Circuit, wish: Wish, known: readonly Availability[] = []): Placing {
  const { current, request } = circuit;
  const mbps = current?.mbps ?? request.mbps;
  const plain: CircuitRequest = { ...request, mbps, schedule: { type: 'NOW', durationS: wish.durationS } };
  return tx.book.without(circuit, () => placeAbroad(tx.ground, circuit.id, plain, wish, [], known));
}

/** The parts of its own window, before and after the time that it is to leave, where it could still be told of. */
function wishesOf(circuit: Circuit | undefined, avoid: Window, now: InstantMs, tries: number): Wish[] {
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
