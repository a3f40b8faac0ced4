/**
 * When a segment through our domain could start: what a peer's planner asks before it holds. Advisory, and
 * coarse on purpose, so that nobody reads our calendar out of the answers: bandwidth in 1-2-5 classes, start
 * times on a grid of five minutes rounded inwards, at most 32 intervals, published ports only, the same answer
 * to the same question for five seconds, and a budget per peer.
 */
import { type InstantMs, instant } from '../../kernel/clock.ts';
import { toSeconds } from '../../model/capacity.ts';
import type { PortId } from '../../model/port.ts';
import type { Window } from '../../model/window.ts';
import { findPath } from '../../topology/search/find.ts';
import type { Ground } from '../ground.ts';
import { HORIZON_S } from '../limits.ts';
import type { PeerAnswer } from './peerPorts.ts';

export const GRID_MS = 300_000;
const MOST_INTERVALS = 32;
/** Cells of the grid that one question may look at: two days. */
const MOST_CELLS = 576;
const CACHE_MS = 5_000;
const CACHED = 256;
/** Questions a second and peer; one that looks at a whole day counts as three. */
const PER_SECOND = 10;
const BURST = 2 * PER_SECOND;
const CELLS_PER_QUESTION = 144;

export interface AvailabilityAsk {
  readonly a: PortId;
  readonly z: PortId;
  readonly mbps: number;
  readonly durationS: number;
  readonly window: Window;
}

/** The least of 1, 2, 5, 10, 20, 50 ... that is as much. */
export function classOf(mbps: number): number {
  for (let decade = 1; ; decade *= 10)
    for (const step of [1, 2, 5]) if (step * decade >= mbps) return step * decade;
}

export const gridUp = (at: InstantMs): InstantMs => instant(Math.ceil(at / GRID_MS) * GRID_MS);
const gridDown = (at: number): InstantMs => instant(Math.floor(at / GRID_MS) * GRID_MS);

export interface Starts {
  readonly intervals: readonly Window[];
  /** Nothing is known from here on. */
  readonly until: InstantMs;
  readonly cells: number;
}

/**
 * Start times within the window of the question. A cell of the grid counts when one road is free from its
 * beginning until the duration after its end: then every start in it would do.
 */
export function startsOf(ground: Ground, ask: AvailabilityAsk): Starts {
  const { network, calendar, now } = ground;
  const first = gridUp(instant(Math.max(ask.window.start, now)));
  const horizon = now + HORIZON_S * 1000;
  const last = gridDown(Math.min(ask.window.end - ask.durationS * 1000 + 1000, horizon));
  // More than any port of ours can carry is answered like anything else that does not fit.
  const mbps = classOf(ask.mbps);
  const intervals: { start: InstantMs; end: InstantMs }[] = [];
  let cells = 0;
  let at = first;
  for (; at < last && cells < MOST_CELLS && intervals.length <= MOST_INTERVALS; at = instant(at + GRID_MS)) {
    cells++;
    const found = findPath(
      { network, free: calendar },
      {
        a: { port: ask.a, vlan: 'ANY' },
        z: { port: ask.z, vlan: 'ANY' },
        mbps: ask.mbps === mbps ? mbps : Math.min(mbps, widthOf(ground, ask)),
        start: toSeconds(at),
        end: toSeconds(instant(at + GRID_MS)) + ask.durationS,
        ignoreOperState: at > now + 3_600_000,
      },
    );
    if (!found.found) continue;
    const before = intervals.at(-1);
    if (before !== undefined && before.end === at) before.end = instant(at + GRID_MS);
    else intervals.push({ start: at, end: instant(at + GRID_MS) });
  }
  const cut = intervals[MOST_INTERVALS];
  return { intervals: intervals.slice(0, MOST_INTERVALS), until: cut?.start ?? at, cells };
}

/** A class above what the ports can carry would refuse what fits them exactly. */
function widthOf({ network }: Ground, { a, z, mbps }: AvailabilityAsk): number {
  const width = Math.min(network.ports.get(a)?.mbps ?? 0, network.ports.get(z)?.mbps ?? 0);
  return Math.max(width, mbps);
}

interface Kept {
  readonly answer: PeerAnswer;
  readonly until: InstantMs;
}

export class AvailabilityDesk {
  readonly #cache = new Map<string, Kept>();
  readonly #budgets = new Map<string, { tokens: number; at: InstantMs }>();

  answer(ground: Ground, from: string, ask: AvailabilityAsk, epoch: number): PeerAnswer {
    const { now } = ground;
    const refused = (kind: 'CAP' | 'INVALID', cause: string): PeerAnswer => ({
      state: 'REFUSED',
      kind,
      cause,
      epoch,
    });
    const budget = this.#budget(from, now);
    if (budget.tokens < 1) return refused('CAP', 'too many questions: ask again in a second');
    budget.tokens -= 1;
    const unknown = [ask.a, ask.z].find((port) => ground.network.ports.get(port)?.up !== true);
    if (unknown !== undefined) return refused('INVALID', `${unknown} is not a port that is published`);
    const key = JSON.stringify([from, ask.a, ask.z, classOf(ask.mbps), ask.durationS, ask.window]);
    const kept = this.#cache.get(key);
    if (kept !== undefined && now < kept.until) return kept.answer;
    const { intervals, until, cells } = startsOf(ground, ask);
    budget.tokens -= cells / CELLS_PER_QUESTION;
    const answer: PeerAnswer = { state: 'AVAILABLE', intervals, until, asOf: now, epoch };
    if (this.#cache.size >= CACHED) this.#cache.clear();
    this.#cache.set(key, { answer, until: instant(now + CACHE_MS) });
    return answer;
  }

  #budget(from: string, now: InstantMs): { tokens: number; at: InstantMs } {
    const known = this.#budgets.get(from) ?? { tokens: BURST, at: now };
    known.tokens = Math.min(BURST, known.tokens + ((now - known.at) / 1000) * PER_SECOND);
    known.at = now;
    this.#budgets.set(from, known);
    return known;
  }
}
