/**
 * Moves circuits of ours that other domains have a part in, so that somebody who needs the room can have it.
 * The newcomer is held everywhere else first and the move comes last: a new version is held and committed in
 * every domain, and only then is the old one let go. Whoever is to move, and for whom, follows from the circuits
 * that wait, also after a restart; only how often it was tried is remembered here.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import type { Circuit } from '../../model/circuit.ts';
import { remotes } from '../../model/rules.ts';
import { overlaps, type Window } from '../../model/window.ts';
import { changeTo } from '../circuits/changeTo.ts';
import { isMovableAbroad } from '../circuits/movable.ts';
import type { Wish } from '../circuits/plan.ts';
import type { Tx } from '../tx.ts';
import type { Writer } from '../writer.ts';
import type { Availability } from './placeAbroad.ts';
import { placeElsewhere, wishesOf } from './placeInstead.ts';
import type { Scout } from './scout.ts';

/** New places that are tried for one circuit before whoever waits for it is told no. */
const MOST_TRIES = 3;

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
    const why = { cause: 'MOVE', for: by, ...(asked === undefined ? {} : { asked }) } as const;
    return changeTo(tx, circuit, { ...placing.slot, segments: placing.segments }, why).version;
  }
  return 0;
}
