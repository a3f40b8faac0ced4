/**
 * The ejection chain: the newcomer takes the slot that costs others least; those who had to leave are put
 * back, the tightest first: at the same start on another path, where nobody notices, else as early as their
 * window allows; and who finds nothing may eject in turn, once more. Depth and work are bounded.
 */
import type { Edge } from '../../model/capacity.ts';
import { cheapestAt, makeRoom, rigidFits } from './displace.ts';
import { byId, type Entry } from './fleet.ts';
import { startsFor } from './starts.ts';
import type { Trial } from './trial.ts';

export interface ChainLimits {
  readonly depth: number;
  /** Links looked at, all together. */
  readonly work: number;
  readonly starts: number;
  /** Slots that are really tried, cheapest first, at each depth. */
  readonly tries: number;
  readonly ejected: number;
}

export function chain(trial: Trial, newcomer: Entry, limits: ChainLimits): boolean {
  trial.work = limits.work;
  return place(trial, newcomer, limits.depth, limits, new Set([newcomer]));
}

function place(trial: Trial, entry: Entry, depth: number, limits: ChainLimits, tabu: Set<Entry>): boolean {
  const { total, rigid } = trial.fleet;
  const price = (edge: Edge, start: number, end: number, mbps: number): number => {
    if (!rigidFits(trial, edge, mbps, start, end)) return Number.POSITIVE_INFINITY;
    const missing = mbps - total.free(edge, start, end);
    return 1 + 8 * (1 + missing / Math.max(1, rigid.room(edge)?.mbps ?? 1));
  };
  const slots: { start: number; links: readonly number[]; price: number }[] = [];
  for (const start of startsFor(trial, entry, limits.starts, false, 0)) {
    if (trial.work <= 0) break;
    const found = cheapestAt(trial, entry, start, price);
    if (found !== undefined) slots.push({ start, ...found });
  }
  slots.sort((x, y) => x.price - y.price || x.start - y.start);
  const mark = trial.mark;
  for (const { start, links } of slots.slice(0, limits.tries)) {
    if (trial.work <= 0) break;
    const hurt = (one: Entry, over: number, path: ReadonlySet<Edge>): number =>
      tabu.has(one) ? Number.POSITIVE_INFINITY : hurtOf(trial, one, over, path);
    const room = makeRoom(trial, entry, start, links, hurt, limits.ejected);
    if (room !== undefined) {
      trial.give(entry, room.course);
      const added = room.out.filter((one) => !tabu.has(one));
      for (const one of added) tabu.add(one);
      if (putBack(trial, room.out, depth, limits, tabu)) return true;
      for (const one of added) tabu.delete(one);
    }
    trial.back(mark);
  }
  return false;
}

function putBack(
  trial: Trial,
  out: readonly Entry[],
  depth: number,
  limits: ChainLimits,
  tabu: Set<Entry>,
): boolean {
  const left: Entry[] = [];
  for (const one of tightestFirst(trial, out)) {
    if (reinsert(trial, one)) continue;
    if (depth <= 1) return false;
    left.push(one);
  }
  return left.every((one) => place(trial, one, depth - 1, limits, tabu));
}

export const tightestFirst = (trial: Trial, out: readonly Entry[]): Entry[] =>
  [...out].sort((x, y) => trial.slack(x) - trial.slack(y) || byId(x, y));

/** Finds a place for somebody who has been taken out, at the cost of others if it must be. */
export function rehouse(trial: Trial, one: Entry, limits: ChainLimits, tabu: Set<Entry>): boolean {
  return reinsert(trial, one) || place(trial, one, limits.depth, limits, tabu);
}

/** At the same start on another path if that can be, else as early as it can be. */
function reinsert(trial: Trial, one: Entry): boolean {
  const same = one.start >= trial.earliest(one) ? trial.at(one, one.start) : 'NONE';
  const found = typeof same === 'string' ? trial.first(one) : same;
  if (typeof found === 'string') return false;
  trial.give(one, found);
  return true;
}

/** The lowest priority first; among equals who has most slack, leaves least waste and blocks most of the path. */
const PRIORITY_STEP = 1e12;

export function hurtOf(trial: Trial, one: Entry, over: number, path: ReadonlySet<Edge>): number {
  const { mbps, duration, priority } = one.booking;
  let shared = 0;
  for (const { edge } of one.uses) if (path.has(edge)) shared++;
  const waste = mbps >= over ? mbps / over : (2 * over) / mbps;
  const size = Math.sqrt((duration * mbps * one.uses.length) / shared);
  return priority * PRIORITY_STEP + (waste * size) / (1 + Math.max(0, trial.slack(one)));
}
