/**
 * So many bytes by then: rate and slot chosen together, the earliest finish first. Every rate in the range is
 * looked at where it is narrow, else some on a geometric scale, and then what the slot of the best one has
 * room for; rates that could not finish earlier, however soon they began, are not. Only when none fits as things are, others
 * are asked to make room.
 */
import type { Seconds } from '../../model/capacity.ts';
import { findWidest } from '../../topology/search/find.ts';
import type { Ask, Placed, Refused } from './booking.ts';
import { firstCourse } from './course.ts';
import type { Fleet } from './fleet.ts';
import { type Limits, place, usual } from './place.ts';
import { seatOf } from './settle.ts';
import { Trial } from './trial.ts';

export interface VolumeAsk extends Omit<Ask, 'mbps' | 'duration'> {
  readonly volumeBytes: number;
  readonly minMbps?: number;
  readonly maxMbps?: number;
}

/** Rates that are tried as things are; a narrower range is tried whole. */
const RATES = 24;
/** How often the best slot is widened. */
const REFINEMENTS = 6;
/** Rates for which others are asked to make room. */
const RATES_BY_FORCE = 4;

const BITS_PER_MEGABIT = 1_000_000;

export const secondsFor = (volumeBytes: number, mbps: number): number =>
  Math.ceil((volumeBytes * 8) / (mbps * BITS_PER_MEGABIT));

export type VolumePlaced = Placed & { readonly ask: Ask };

export function placeVolume(
  fleet: Fleet,
  volume: VolumeAsk,
  now: Seconds,
  limits: Limits = usual,
): VolumePlaced | Refused {
  fleet.advance(now);
  const [least, most] = rangeOf(fleet, volume, now);
  const trial = new Trial(fleet, now, 0);
  const best = earliestFinish(trial, volume, least, most);
  if (best !== undefined) {
    const entry = trial.newcomer(best.ask);
    const found = trial.first(entry);
    if (typeof found !== 'string')
      return { placed: true, seat: seatOf(trial, entry, found), moves: [], by: 'DIRECT', ask: best.ask };
  }
  // As little as the lowest rate for as short as the highest: what not even this can have, no rate can.
  const relaxed = place(
    fleet,
    { ...askAt(volume, least), duration: secondsFor(volume.volumeBytes, most) },
    now,
    { explain: limits.explain, circles: false },
  );
  if (!relaxed.placed && relaxed.proof === 'PROVEN_IMPOSSIBLE') return relaxed;
  let refused: Refused | undefined;
  for (const mbps of scale(least, most, RATES_BY_FORCE)) {
    const ask = askAt(volume, mbps);
    const placed = place(fleet, ask, now, limits);
    if (placed.placed) return { ...placed, ask };
    refused ??= placed;
  }
  // Each rate may be impossible by itself; that all between them are has not been shown.
  return { ...(refused as Refused), proof: least === most ? (refused as Refused).proof : 'BUDGET_SPENT' };
}

export function askAt({ volumeBytes, minMbps: _min, maxMbps: _max, ...ask }: VolumeAsk, mbps: number): Ask {
  return { ...ask, mbps, duration: secondsFor(volumeBytes, mbps) };
}

/** No lower than the window allows, no higher than the ports carry. */
export function rangeOf(fleet: Fleet, volume: VolumeAsk, now: Seconds): [least: number, most: number] {
  const { ports } = fleet.network;
  const ends = [volume.a, volume.z].map(({ port }) => ports.get(port)?.mbps ?? Number.POSITIVE_INFINITY);
  const wanted = Math.min(volume.maxMbps ?? Number.POSITIVE_INFINITY, ...ends);
  const most = Number.isFinite(wanted) ? wanted : (volume.minMbps ?? 1);
  const window = volume.deadline - Math.max(volume.notBefore, now);
  const needed = window <= 0 ? most : Math.ceil((volume.volumeBytes * 8) / (window * BITS_PER_MEGABIT));
  const least = Math.max(volume.minMbps ?? 1, needed, 1);
  // More than can be had: asked for at the most, which says by how much the window is too short.
  return [Math.min(least, most), most];
}

/** From the highest to the lowest. */
function scale(least: number, most: number, steps: number): number[] {
  if (most - least < steps) return Array.from({ length: most - least + 1 }, (_, i) => most - i);
  const rates = Array.from({ length: steps }, (_, i) =>
    Math.round(most * (least / most) ** (i / (steps - 1))),
  );
  return [...new Set(rates)].sort((x, y) => y - x);
}

export interface Finish {
  readonly ask: Ask;
  readonly start: Seconds;
  readonly end: Seconds;
}

/** The earliest finish of all rates, the higher rate among equals. */
export function earliestFinish(
  trial: Trial,
  volume: VolumeAsk,
  least: number,
  most: number,
): Finish | undefined {
  let best: Finish | undefined;
  const look = (mbps: number): boolean => {
    const ask = askAt(volume, mbps);
    const entry = trial.newcomer(ask);
    const asked = trial.ask(entry);
    const from = trial.earliest(entry);
    const latest = Math.min(trial.latest(entry), (best?.end ?? Number.POSITIVE_INFINITY) - ask.duration - 1);
    if (!('total' in asked) || from > latest) return false;
    const found = firstCourse(asked.total, ask.duration, from, latest);
    if (typeof found === 'string') return false;
    best = { ask, start: found.start, end: found.start + ask.duration };
    return true;
  };
  const rates = scale(least, most, RATES);
  for (const mbps of rates) look(mbps);
  // Nor is there a widest pair to be had.
  if (rates.length > most - least || volume.protected === true) return best;
  // In the slot of the best rate there may be room for more, which then takes less long, and so on.
  for (let step = 0; step < REFINEMENTS && best !== undefined; step++) {
    const { ask, start, end } = best as Finish;
    const { network, total } = trial.fleet;
    const query = { ...trial.mustAsk(trial.newcomer(ask)).total.query, start, end };
    const wider = findWidest({ network, free: total }, query);
    if (!wider.found || !look(Math.min(wider.mbps, most))) break;
  }
  return best;
}
