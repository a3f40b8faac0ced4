/**
 * Asking a home to move a circuit of its own, for a hold that finds no room here; and being asked. An ask names
 * a live hold, whose home tries again meanwhile; the room that comes free becomes that hold in the same
 * transaction. An ask never causes an ask, so that no two homes push a circuit to and fro.
 */
import { type InstantMs, instant } from '../../kernel/clock.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import { type Circuit, placements } from '../../model/circuit.ts';
import { overlaps, type Window } from '../../model/window.ts';
import { fewest, withoutAll } from '../circuits/instead.ts';
import type { Tx } from '../tx.ts';
import { planGuest, requestOf } from './guest.ts';
import type { PeerAnswer, PeerMessage } from './peerPorts.ts';
import { couldLeave } from './placeInstead.ts';

type Hold = Extract<PeerMessage, { readonly op: 'hold' }>;
type AskMove = Extract<PeerMessage, { readonly op: 'ask-move' }>;

const MOST_ASKS = 3;
const MOST_BLOCKERS = 16;
const MOST_WAITING = 256;
/** A hold that waits is forgotten after this long, if its home has not given up before. */
const WAIT_MS = 60_000;
/** Moves of one circuit because others asked, and the time between two. */
const MOST_ASKED_MOVES = 3;
const BETWEEN_MS = 600_000;
/** A peer may ask for so many moves more than it has granted to us. */
const CREDIT = 5;

interface Waiting {
  readonly from: string;
  readonly message: Hold;
  readonly until: InstantMs;
  readonly asked: Set<CircuitId>;
}

export interface OutgoingAsk {
  readonly to: string;
  readonly message: AskMove & { readonly circuit: string };
}

export interface AskedMove {
  readonly id: CircuitId;
  readonly avoid: Window;
  readonly by: string;
}

export class Asks {
  readonly #waiting = new Map<string, Waiting>();
  readonly #credit = new Map<string, number>();
  /** To be sent, and to be begun, once what led to them is durable. */
  readonly outgoing: OutgoingAsk[] = [];
  readonly moves: AskedMove[] = [];

  /** A hold found no room: is somebody in the way who could be asked to go? Gives whether it is worth waiting. */
  ask(tx: Tx, from: string, message: Hold): boolean {
    if (message.kind === 'MOVE') return false;
    const key = `${from}/${message.circuit}`;
    const before = this.#waiting.get(key);
    const asked = before?.asked ?? new Set<CircuitId>();
    const blockers = this.#blockers(tx, from, message, asked);
    if (blockers === undefined) return false;
    const others = blockers.filter(({ id }) => !asked.has(id));
    if (asked.size + others.length > MOST_ASKS) return false;
    if (before === undefined && this.#waiting.size >= MOST_WAITING) this.#forgetLate(tx.now);
    if (before === undefined && this.#waiting.size >= MOST_WAITING) return false;
    const until = instant(Math.min(message.until, tx.now + WAIT_MS));
    this.#waiting.set(key, { from, message, until, asked });
    for (const { id, home } of others) {
      if (home === undefined) continue;
      asked.add(id);
      this.outgoing.push({
        to: home.domain,
        message: {
          op: 'ask-move',
          circuit: home.circuit,
          epoch: tx.epoch,
          floor: 0,
          window: message.segment.window,
          askId: `${message.circuit}/${message.version}/${home.circuit}`,
          waiting: message.circuit,
          reason: 'a hold finds no room',
        },
      });
    }
    return true;
  }

  #forgetLate(now: InstantMs): void {
    for (const [key, { until }] of this.#waiting) if (until <= now) this.#waiting.delete(key);
  }

  /**
   * Guests of other homes that may still be moved, as few as it takes for it to fit once they are gone, and those that
   * its own home means to move away.
   */
  #blockers(
    tx: Tx,
    from: string,
    { segment, after = [] }: Hold,
    asked: ReadonlySet<CircuitId>,
  ): readonly Circuit[] | undefined {
    const request = requestOf(segment, from);
    const going = after.flatMap((name) => guestOf(tx, from, name) ?? []);
    const movable: Circuit[] = [];
    for (const circuit of tx.book.circuits.values()) {
      const { home, current, state } = circuit;
      if (home === undefined || home.domain === from || current === undefined || state !== 'SCHEDULED')
        continue;
      if (
        circuit.request.pinned ||
        // Who has been asked is perhaps on his way already.
        (circuit.pending !== undefined && !asked.has(circuit.id)) ||
        !overlaps(current.window, segment.window)
      )
        continue;
      if (tx.now >= current.window.start - circuit.request.noticeS * 1000) continue;
      movable.push(circuit);
      if (movable.length >= MOST_BLOCKERS) break;
    }
    const needed = fewest(movable, (some) =>
      withoutAll(tx.book, [...going, ...some], () => 'segment' in planGuest(tx.ground, segment, request)),
    );
    return needed?.length === 0 ? undefined : needed;
  }

  /** A version was let go here: holds that waited for that circuit, to be looked at again before anybody else. */
  freed(tx: Tx, circuit: Circuit): readonly { readonly from: string; readonly message: Hold }[] {
    return [...this.#waiting.values()].filter(({ asked, until }) => asked.has(circuit.id) && tx.now < until);
  }

  forget(from: string, circuit: string): void {
    this.#waiting.delete(`${from}/${circuit}`);
  }

  // ---- being asked -----------------------------------------------------------------------------------------

  /** A participant asks us, the home, to move a circuit that it has a part in. */
  asked(tx: Tx, circuit: Circuit, from: string, { window, askId }: AskMove): PeerAnswer {
    const { epoch } = tx;
    const refused = (kind: 'CAP' | 'ROOM', cause: string): PeerAnswer => ({
      state: 'REFUSED',
      kind,
      cause,
      epoch,
    });
    const version = circuit.current?.version ?? 0;
    const here = placements(circuit).some((p) => overlaps(p.window, window));
    if (!here) return { state: 'MOVED', version, epoch };
    if (circuit.pending !== undefined) return { state: 'BUSY', epoch };
    const credit = this.#credit.get(from) ?? CREDIT;
    if (credit < 1) return refused('CAP', 'too many asks for what was granted');
    const { times, last } = circuit.asked ?? { times: 0, last: -BETWEEN_MS };
    if (times >= MOST_ASKED_MOVES) return refused('CAP', `it was moved ${times} times for others`);
    if (tx.now - last < BETWEEN_MS) return refused('CAP', 'it was moved for others a moment ago');
    if (!couldLeave(tx, circuit, window)) return refused('ROOM', 'it has no other place in its window');
    this.#credit.set(from, credit - 1);
    this.moves.push({ id: circuit.id, avoid: window, by: `${from}/${askId}` });
    return { state: 'BUSY', epoch };
  }

  /** A peer has granted what we asked of it: it may ask once more. */
  granted(by: string): void {
    this.#credit.set(by, Math.min(CREDIT, (this.#credit.get(by) ?? CREDIT) + 1));
  }
}

/** What we have of a peer's circuit. */
export function guestOf(tx: Tx, from: string, name: string): Circuit | undefined {
  const id = tx.book.byHomeRef(from, name);
  return id === undefined ? undefined : tx.book.circuits.get(id);
}
