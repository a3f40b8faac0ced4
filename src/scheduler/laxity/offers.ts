/**
 * What could be had: options for a request, without booking anything. First those that are free as things
 * are; where there are none, what would be granted if others moved, which is then the only option.
 */
import type { Seconds } from '../../model/capacity.ts';
import type { NetworkPort } from '../../topology/network.ts';
import { findWidest } from '../../topology/search/find.ts';
import type { Ask, Refused, Seat } from './booking.ts';
import type { Entry, Fleet } from './fleet.ts';
import { type Limits, place, usual } from './place.ts';
import { seatOf } from './settle.ts';
import { startsFor } from './starts.ts';
import { Trial } from './trial.ts';
import { askAt, earliestFinish, placeVolume, rangeOf, type VolumeAsk } from './volume.ts';

export type Wanted = 'EARLIEST_START' | 'EARLIEST_FINISH' | 'MAX_BANDWIDTH' | 'ALL_SLOTS';

export interface Offer extends Seat {
  /** How many others would be moved for it. */
  readonly moves: number;
}

export type Offers =
  | { readonly found: true; readonly offers: readonly Offer[] }
  | { readonly found: false; readonly refused: Refused };

/** Starts at which the widest path is looked for. */
const WIDEST_STARTS = 24;

export function offers(
  fleet: Fleet,
  ask: Ask | VolumeAsk,
  wanted: Wanted,
  most: number,
  now: Seconds,
  limits: Limits = usual,
): Offers {
  fleet.advance(now);
  const trial = new Trial(fleet, now, 0);
  const found = 'volumeBytes' in ask ? ofVolume(trial, ask, wanted, most) : ofRate(trial, ask, wanted, most);
  if (found.length > 0) return { found: true, offers: found };
  const placed = 'volumeBytes' in ask ? placeVolume(fleet, ask, now, limits) : place(fleet, ask, now, limits);
  if (!placed.placed) return { found: false, refused: placed };
  return { found: true, offers: [{ ...placed.seat, moves: new Set(placed.moves.map(({ id }) => id)).size }] };
}

function ofRate(trial: Trial, ask: Ask, wanted: Wanted, most: number): Offer[] {
  const entry = trial.newcomer(ask);
  if (!('total' in trial.ask(entry))) return [];
  // At one rate, who starts first is finished first.
  return wanted === 'MAX_BANDWIDTH' ? widest(trial, entry, most) : inTurn(trial, entry, most);
}

/** One slot after the other, the earliest first, none overlapping the one before. */
function inTurn(trial: Trial, entry: Entry, most: number): Offer[] {
  const made: Offer[] = [];
  let from = trial.earliest(entry);
  while (made.length < most) {
    const found = trial.first(entry, from);
    if (typeof found === 'string') break;
    made.push({ ...seatOf(trial, entry, found), moves: 0 });
    from = found.start + entry.booking.duration;
  }
  return made;
}

/** The slots with the highest rates, the earlier first among equals. */
function widest(trial: Trial, entry: Entry, most: number): Offer[] {
  const { duration } = entry.booking;
  const { network, total } = trial.fleet;
  const { query, pair } = trial.mustAsk(entry).total;
  const made: Offer[] = [];
  for (const start of startsFor(trial, entry, WIDEST_STARTS, true, 0)) {
    const end = start + duration;
    if (pair) {
      made.push(...widestPair(trial, entry, start));
      continue;
    }
    const found = findWidest({ network, free: total }, { ...query, start, end });
    if (found.found) made.push({ start, end, mbps: found.mbps, path: found.path, moves: 0 });
  }
  return made.sort((x, y) => y.mbps - x.mbps || x.start - y.start).slice(0, most);
}

/** Two roads at this start, as wide as both can be; none where they cannot be as wide as is asked for. */
function widestPair(trial: Trial, { booking }: Entry, start: Seconds): Offer[] {
  const { network, total } = trial.fleet;
  const end = start + booking.duration;
  const edges = network.links.map(({ edge }) => edge);
  for (const { port } of [booking.a, booking.z]) {
    const { edge, groups } = network.ports.get(port) as NetworkPort;
    edges.push(edge, ...groups);
  }
  // As wide as one of the edges is free, or just as wide as is asked for: nothing changes in between.
  const free = edges.map((edge) => total.free(edge, start, end)).filter((mbps) => mbps > booking.mbps);
  const widths = [booking.mbps, ...new Set(free)].sort((x, y) => x - y);
  let best: Offer | undefined;
  for (let low = 0, high = widths.length - 1; low <= high; ) {
    // What has no room at the least rate has none at any.
    const middle = best === undefined ? 0 : (low + high) >> 1;
    const wide = trial.newcomer({ ...booking, mbps: widths[middle] as number });
    const found = 'total' in trial.ask(wide) ? trial.at(wide, start) : 'NONE';
    if (typeof found !== 'string') {
      best = { ...seatOf(trial, wide, found), moves: 0 };
      low = middle + 1;
    } else if (best === undefined) return [];
    else high = middle - 1;
  }
  return best === undefined ? [] : [best];
}

function ofVolume(trial: Trial, volume: VolumeAsk, wanted: Wanted, most: number): Offer[] {
  const [least, highest] = rangeOf(trial.fleet, volume, trial.now);
  switch (wanted) {
    case 'MAX_BANDWIDTH': {
      // The highest rate that fits anywhere; lower ones take longer and are of no interest.
      for (let mbps = highest; mbps >= least; mbps = Math.min(mbps - 1, Math.floor(mbps * 0.9))) {
        const made = inTurnAt(trial, volume, mbps, most);
        if (made.length > 0) return made;
      }
      return [];
    }
    case 'EARLIEST_START':
      return inTurnAt(trial, volume, least, most);
    default: {
      const made: Offer[] = [];
      let from = volume.notBefore;
      while (made.length < most) {
        const best = earliestFinish(trial, { ...volume, notBefore: from }, least, highest);
        if (best === undefined) break;
        made.push(...inTurnAt(trial, { ...volume, notBefore: best.start }, best.ask.mbps, 1));
        from = best.end;
      }
      return made;
    }
  }
}

function inTurnAt(trial: Trial, volume: VolumeAsk, mbps: number, most: number): Offer[] {
  const entry = trial.newcomer(askAt(volume, mbps));
  return 'total' in trial.ask(entry) ? inTurn(trial, entry, most) : [];
}
