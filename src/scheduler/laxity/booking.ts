/**
 * The words of the laxity engine: what is asked (Ask), what is booked (Booking), and what the engine answers.
 * All of it is data in whole seconds; circuits, lifecycles and stores are the broker's. The engine decides,
 * the caller enters the decision: nothing here claims anything.
 */
import type { Edge, EdgeId, Seconds } from '../../model/capacity.ts';
import type { Constraints } from '../../model/circuit.ts';
import type { Label } from '../../model/label.ts';
import type { Path, PathEnd, RefusalReason } from '../../topology/search/question.ts';
import type { Share } from '../calendar.ts';

/** Somebody wants `mbps` for `duration` seconds somewhere in [notBefore, deadline). */
export interface Ask {
  readonly id: string;
  readonly a: PathEnd;
  readonly z: PathEnd;
  readonly mbps: number;
  readonly duration: number;
  readonly notBefore: Seconds;
  readonly deadline: Seconds;
  /** From so many seconds before its start on, nothing about it changes any more. */
  readonly notice: number;
  /** Orders who is moved first, the lowest before the others; nobody's promise depends on it. */
  readonly priority: number;
  /** False for FIXED and pinned: once it has its slot and path, it keeps them. */
  readonly movable: boolean;
  readonly constraints?: Constraints;
  /** Two roads that share no link, both claimed all along; whoever moves it moves both. */
  readonly protected?: boolean;
  /** For windows far ahead: what is out of order now counts as usable. */
  readonly ignoreOperState?: boolean;
}

/** A share of an edge, for as long and as much as the booking it belongs to. */
export interface EdgeUse {
  readonly edge: Edge;
  readonly label?: Label;
}

/**
 * An ask that has been granted: [start, start + duration) at `mbps` over `uses`. Whatever must stay as it is
 * for reasons that the engine does not know (a change under way, another domain's consent) is not movable.
 */
export interface Booking extends Ask {
  readonly start: Seconds;
  readonly uses: readonly EdgeUse[];
  /** What it claims, where that is not `uses` over its slot: a circuit with two placements. Never movable. */
  readonly claims?: readonly Share[];
}

export interface Slot {
  readonly start: Seconds;
  readonly end: Seconds;
  readonly mbps: number;
}

/** A slot and the path in it: what the engine chooses. */
export interface Seat extends Slot {
  readonly path: Path;
  /** Of what is protected. */
  readonly backup?: Path;
}

export interface Move {
  readonly id: string;
  readonly from: Slot;
  readonly to: Seat;
  /** Steps follow each other. Those of one step form a circle, each waiting for the next: they go together. */
  readonly step: number;
}

/**
 * The moves come in an order in which each step is legal beside everybody's place at that moment, its own old
 * place still claimed where it is the only one of its step, and the newcomer after the last of them. Where
 * circles are not wanted, a booking may be moved twice: aside and home.
 */
export interface Placed {
  readonly placed: true;
  readonly seat: Seat;
  readonly moves: readonly Move[];
  /** How it was found: the rung of the ladder. */
  readonly by: Rung;
}

export type Rung = 'DIRECT' | 'CHAIN' | 'GUIDED' | 'SQUEAKY';

/**
 * For no start in [from, until) is there a path. FULL: every path needs one of `edges`, and at none of these
 * starts has any of them room for the whole duration beside what cannot be moved; without edges the two ends
 * are not joined at all. OTHER: labels or constraints decide, and `edges` are what is in the way at `from`.
 */
export interface Cut {
  readonly kind: 'FULL' | 'OTHER';
  readonly from: Seconds;
  readonly until: Seconds;
  readonly edges: readonly EdgeId[];
}

export interface Bottleneck {
  readonly edge: EdgeId;
  readonly kind: 'FULL' | 'LABELS' | 'BARRED' | 'SHARED';
  /** Mb/s free over the whole slot that was looked at; labels free, for LABELS. */
  readonly free: number;
  readonly start: Seconds;
  readonly end: Seconds;
  /** See the search's. */
  readonly node?: string;
}

/** Something that could be booked now, as it stands, without moving anybody. */
export interface Alternative extends Slot {
  readonly kind: 'EARLIER' | 'LATER' | 'SLOWER';
  /** The window that the ask would need to get this slot by itself. */
  readonly notBefore: Seconds;
  readonly deadline: Seconds;
}

export interface Refused {
  readonly placed: false;
  /** Impossible even if everything movable moved away; or not found within the bounded work. */
  readonly proof: 'PROVEN_IMPOSSIBLE' | 'BUDGET_SPENT';
  /** WINDOW: it is shorter than the duration, by `shortfall` seconds. */
  readonly reason: RefusalReason | 'WINDOW';
  readonly detail: string;
  readonly shortfall?: number;
  /** PROVEN_IMPOSSIBLE: together they cover every start of the window. */
  readonly cuts: readonly Cut[];
  readonly bottlenecks: readonly Bottleneck[];
  readonly alternatives: readonly Alternative[];
  /** INVALID: what is wrong, and where in the request. */
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[];
  readonly constraints: readonly string[];
}

export const sharesOf = (uses: readonly EdgeUse[], start: Seconds, end: Seconds, mbps: number): Share[] =>
  uses.map(({ edge, label }) =>
    label === undefined ? { edge, mbps, start, end } : { edge, mbps, label, start, end },
  );

/** The booking that an ask becomes with the seat it got. */
export function bookingOf(ask: Ask, seat: Seat, intern: (edge: EdgeId) => Edge): Booking {
  const { path, backup } = seat;
  const more =
    backup?.uses.filter(
      (use) => !path.uses.some(({ edge, label }) => edge === use.edge && label === use.label),
    ) ?? [];
  const uses = [...path.uses, ...more].map(
    ({ edge, label }): EdgeUse =>
      label === undefined ? { edge: intern(edge) } : { edge: intern(edge), label },
  );
  const { start, end, mbps } = seat;
  // Where what is spread is overridden, spreading takes as long as all the rest of entering a booking.
  return Object.assign({}, ask, { mbps, duration: end - start, start, uses });
}
