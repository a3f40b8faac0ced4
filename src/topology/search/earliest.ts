/**
 * The earliest start within [notBefore, latest] at which a path is free for the whole duration: exact, and
 * without trying every second. When no path is open at t, the links that stop the search form a cut; no path
 * exists before the first of them opens for long enough, so that is the next t worth trying. The cut seen
 * from the other end gives a second such t; the later of the two holds (laxity.md).
 */
import { invariant } from '../../kernel/assert.ts';
import type { Edge, Seconds } from '../../model/capacity.ts';
import { coreOf } from './core.ts';
import { attemptAt } from './find.ts';
import {
  type Path,
  type PathQuery,
  pose,
  type Question,
  type Refusal,
  refuse,
  type Snapshot,
  type Window,
} from './question.ts';
import { cutAround, explain, fullPort, portWithoutLabel } from './refusal.ts';

/** Starts tried per question. One or two are usual; labels that come and go all the time can take many. */
export const MAX_STARTS = 5_000;

export interface EarliestQuery extends Omit<PathQuery, 'start' | 'end'> {
  readonly notBefore: Seconds;
  /** The last second at which it may start. */
  readonly latest: Seconds;
  readonly duration: number;
}

export interface Earliest {
  readonly found: true;
  readonly start: Seconds;
  readonly end: Seconds;
  readonly path: Path;
  /** No earlier start exists. False when the search gave up at an earlier one within its bounded work. */
  readonly exact: boolean;
  /** How many starts were tried. */
  readonly tried: number;
}

export function findEarliest(snapshot: Snapshot, query: EarliestQuery): Earliest | Refusal {
  const { notBefore, latest, duration } = query;
  const question = pose(snapshot, query);
  if ('found' in question) return question;
  if (notBefore > latest) return refuse('CAPACITY', 'the window is shorter than the duration');
  let start = notBefore;
  let exact = true;
  for (let tried = 1; tried <= MAX_STARTS; tried++) {
    const ports = portsOpen(question, start, latest, duration);
    if (ports === undefined) {
      return fullPort(question, { start, end: start + duration }) ?? noSlot(question, start, duration);
    }
    start = ports;
    const window: Window = { start, end: start + duration };
    const attempt = attemptAt(question, window);
    if (attempt.found === 'PATH') return { found: true, ...window, path: attempt.path, exact, tried };
    if (attempt.found === 'BUDGET') exact = false;
    const next = attempt.cut
      ? cutOpens(question, window, latest)
      : somethingChanges(question, window, latest);
    if (next === undefined) {
      return !exact
        ? explain(question, window, 'BUDGET')
        : (portWithoutLabel(question, window) ?? explain(question, window, 'NONE', attempt.cut));
    }
    invariant(next > start, 'what opens later opens later');
    start = next;
  }
  return refuse('BUDGET', `none of the first ${MAX_STARTS} starts worth trying has a path`);
}

const noSlot = (question: Question, start: Seconds, duration: number): Refusal =>
  // Each port alone has an opening, the two (or their groups) never at the same time.
  refuse('PORT', 'the two ports are never free together within the window', {
    bottlenecks: [question.a, question.z].map((port) => ({
      edge: question.network.names.name(port.edge),
      kind: 'FULL' as const,
      free: question.free.free(port.edge, start, start + duration),
    })),
  });

/** The first moment at which both ports and their groups have room for the duration. */
function portsOpen(
  question: Question,
  from: Seconds,
  latest: Seconds,
  duration: number,
): Seconds | undefined {
  const edges: Edge[] = [question.a, question.z].flatMap((port) => [port.edge, ...port.groups]);
  let at = from;
  for (let agreed = 0; agreed < edges.length; ) {
    agreed = 0;
    for (const edge of edges) {
      const opens = question.free.nextOpen(edge, question.mbps, duration, at, latest);
      if (opens === undefined) return undefined;
      if (opens === at) agreed++;
      at = opens;
    }
  }
  return at;
}

/** After a search that open links stopped: the first moment at which the cuts that it saw have an opening. */
function cutOpens(question: Question, window: Window, latest: Seconds): Seconds | undefined {
  const core = coreOf(question.network);
  const fromSource = firstOpening(question, cutAround(core), window, latest);
  // A search that found its target closed off has only looked at what is around it: no other cut is as small.
  if (fromSource === undefined || core.isSettled(question.z.node)) return fromSource;
  core.begin();
  core.flood(question.z.node);
  const fromTarget = firstOpening(question, cutAround(core), window, latest);
  return fromTarget === undefined ? undefined : Math.max(fromSource, fromTarget);
}

function firstOpening(
  question: Question,
  links: Iterable<number>,
  { start, end }: Window,
  latest: Seconds,
): Seconds | undefined {
  let first: Seconds | undefined;
  let until = latest;
  for (const link of links) {
    if (question.barred(link)) continue;
    const { edge } = question.network.link(link);
    const opens = question.free.nextOpen(edge, question.mbps, end - start, start, until);
    if (opens === undefined) continue;
    first = opens;
    // A later one is of no interest any more.
    until = opens - 1;
  }
  return first;
}

/**
 * A path is open but misses a bound, a passage or a label. Nothing changes for the better before some link
 * that is full now opens, or some label that is taken now is let go.
 */
function somethingChanges(question: Question, window: Window, latest: Seconds): Seconds | undefined {
  const { network, free } = question;
  const core = coreOf(network);
  const closed: number[] = [];
  let first: Seconds | undefined;
  const note = (at: Seconds | undefined): void => {
    if (at !== undefined && at <= latest && (first === undefined || at < first)) first = at;
  };
  for (const port of [question.a, question.z]) note(free.nextLabel(port.edge, window.start, window.end));
  for (let node = 0; network.anySpace && node < network.nodes.length; node++) {
    const space = network.space(node);
    if (space !== undefined) note(free.nextLabel(space, window.start, window.end));
  }
  network.links.forEach((link, i) => {
    if (question.barred(i)) return;
    if (core.isOpen(i)) note(free.nextLabel(link.edge, window.start, window.end));
    else closed.push(i);
  });
  note(firstOpening(question, closed, window, latest));
  return first;
}
