/**
 * Making room for something that is no request: an edge that loses capacity for a while, a lit circuit that
 * is to last longer or carry more where it is. Whoever is in the way and may move is given another place;
 * who cannot be is named. Nothing is changed: the caller enters the moves, then the claims.
 */
import type { Seconds } from '../../model/capacity.ts';
import { UNTAGGED } from '../../model/label.ts';
import type { Share } from '../calendar.ts';
import type { Move } from './booking.ts';
import { hurtOf, rehouse, tightestFirst } from './chain.ts';
import { leastHurt } from './displace.ts';
import type { Entry, Fleet, Undo } from './fleet.ts';
import { type Limits, usual } from './place.ts';
import { settle } from './settle.ts';
import { Trial } from './trial.ts';

export interface Cleared {
  /** In order, as those of a placement. */
  readonly moves: readonly Move[];
  /** After the moves the shares are free. Not so where somebody is stuck, or where there never was as much. */
  readonly free: boolean;
  /** Those who are in the way and stay there: rigid, or with nowhere to go. */
  readonly stuck: readonly string[];
}

export function clear(fleet: Fleet, shares: readonly Share[], now: Seconds, limits: Limits = usual): Cleared {
  fleet.advance(now);
  const how = limits.chain;
  const trial = new Trial(fleet, now, 0);
  const { out, stuck, enough } = inTheWay(trial, shares);
  try {
    whileClaimed(fleet, shares, () => {
      // One after the other, the rest still where they are: so there is an order, and who is stuck has its place.
      for (const one of tightestFirst(trial, [...out])) {
        // Each has its own budget: who comes late in a large maintenance must not be stuck for that.
        trial.work = how?.work ?? 0;
        const mark = trial.mark;
        trial.take(one);
        if (how !== undefined && rehouse(trial, one, how, new Set(out))) continue;
        trial.back(mark);
        stuck.add(one);
      }
    });
    const moves = settle(trial, undefined, limits.circles);
    // They know where to go, but not one after the other.
    if (moves === undefined) for (const one of out) stuck.add(one);
    return {
      moves: moves ?? [],
      free: enough && stuck.size === 0,
      stuck: [...stuck].map(({ booking }) => booking.id).sort(),
    };
  } finally {
    trial.back(0);
  }
}

function whileClaimed(fleet: Fleet, shares: readonly Share[], look: () => void): void {
  const undo: Undo[] = [];
  try {
    for (const share of shares) fleet.block(share, undo);
    look();
  } finally {
    for (const one of undo.reverse()) one();
  }
}

interface InTheWay {
  /** They would have to leave, and may. */
  readonly out: Set<Entry>;
  readonly stuck: Set<Entry>;
  /** With everybody gone who may leave there would be room. */
  enough: boolean;
}

function inTheWay(trial: Trial, shares: readonly Share[]): InTheWay {
  const found: InTheWay = { out: new Set(), stuck: new Set(), enough: true };
  try {
    for (const share of shares) empty(trial, share, found);
  } finally {
    trial.back(0);
  }
  return found;
}

/** Takes out those who are in the way of one share, and notes those who cannot be. */
function empty(trial: Trial, share: Share, found: InTheWay): void {
  const { edge, mbps, label, end } = share;
  const { presence, total } = trial.fleet;
  const path = new Set([edge]);
  const take = (one: Entry): void => {
    trial.take(one);
    found.out.add(one);
  };
  let from = share.start;
  for (let over = total.firstOver(edge, mbps, from, end); over !== undefined; ) {
    const { at, mbps: missing } = over;
    const one = leastHurt(trial, edge, at, (entry) => hurtOf(trial, entry, missing, path));
    if (one !== undefined) {
      take(one);
      from = at;
    } else {
      // Only those are left who stay; what lies beyond this step may be another matter.
      found.enough = false;
      presence.visit(edge, at, at + 1, (entry) => found.stuck.add(entry));
      from = at + stepAfter(trial, share, at);
    }
    over = from < end ? total.firstOver(edge, mbps, from, end) : undefined;
  }
  if (label === undefined) return;
  const holders: Entry[] = [];
  presence.visit(edge, share.start, end, (entry) => {
    const has = entry.uses.find((use) => use.edge === edge)?.label;
    if (has !== undefined && (has === label || has === UNTAGGED || label === UNTAGGED)) holders.push(entry);
  });
  for (const one of tightestFirst(trial, holders)) {
    if (trial.canMove(one) && trial.canBeAsked(one)) take(one);
    else found.stuck.add(one);
  }
}

/** How long what is claimed at `at` stays the same. */
function stepAfter({ fleet: { total } }: Trial, { edge, end }: Share, at: Seconds): number {
  const step = total.profile(edge, at, end)[0];
  return Math.max(1, (step?.end ?? end) - at);
}
