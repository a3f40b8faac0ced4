/**
 * Two roads at once, for what is protected: at a given start, and the earliest one in a window. Between the
 * starts that are tried nothing opens, so none of them is left out; where labels or constraints decide, more
 * of them are tried than bandwidth alone would ask for, and no answer is taken for a proof.
 */
import type { Edge, Seconds } from '../../model/capacity.ts';
import type { Label } from '../../model/label.ts';
import { findPair } from '../../topology/search/pair.ts';
import type { Path, PathQuery, Question, Refusal, Window } from '../../topology/search/question.ts';

/** The links, in the numbers of the search, and a label for each place: port a, the links, port z. */
export interface Way {
  readonly links: readonly number[];
  readonly labels: readonly (Label | undefined)[];
}

export interface Course extends Way {
  readonly start: Seconds;
  /** Of what is protected: it shares no link with the first. */
  readonly second?: Way;
}

export type Found = Course | 'NONE' | 'BUDGET';

/** A question with the query that it was posed from. */
export interface Posed {
  readonly query: Omit<PathQuery, 'start' | 'end'>;
  readonly question: Question;
  readonly pair: boolean;
}

/** Starts tried in one window: a pair takes a search of its own. */
const MAX_STARTS = 100;

/** Without a pair until more bandwidth is free, or for good: labels and bounds of each way have no say in it. */
const stands = ({ a, z }: Question, { reason, bottlenecks }: Refusal): boolean =>
  reason === 'CAPACITY' ||
  reason === 'DISCONNECTED' ||
  (reason === 'NOT_DISJOINT' && (bottlenecks.length > 0 || a.node === z.node));

/** At this very start; the ways share no node where that can be, else no link. */
export function pairAt({ query, question }: Posed, window: Window): Found | 'LABELS' {
  const snapshot = { network: question.network, free: question.free };
  let found = findPair(snapshot, { ...query, ...window, disjoint: 'NODE' });
  if (!found.found) found = findPair(snapshot, { ...query, ...window, disjoint: 'LINK' });
  if (!found.found) {
    if (!found.proven) return 'BUDGET';
    return stands(question, found) ? 'NONE' : 'LABELS';
  }
  const [first, second] = found.paths.map((path) => wayOf(question, path)) as [Way, Way];
  return { start: window.start, ...first, second };
}

export function firstPair(posed: Posed, duration: number, from: Seconds, latest: Seconds): Found {
  let sure = true;
  for (let start = from, tried = 0; tried < MAX_STARTS; tried++) {
    const found = pairAt(posed, { start, end: start + duration });
    if (typeof found !== 'string') return found;
    if (found !== 'NONE') sure = false;
    const next = nextChange(posed.question, { start, end: start + duration }, latest, found !== 'NONE');
    if (next === undefined) return sure ? 'NONE' : 'BUDGET';
    start = next;
  }
  return 'BUDGET';
}

/** The first later start at which something fits that does not fit now, or a label has come free. */
function nextChange(
  question: Question,
  { start, end }: Window,
  latest: Seconds,
  labels: boolean,
): Seconds | undefined {
  const { free, mbps, network, a, z } = question;
  let next: Seconds | undefined;
  const look = (edge: Edge): void => {
    const until = next === undefined ? latest : next - 1;
    if (until <= start) return;
    if (!free.fits(edge, mbps, start, end))
      next = free.nextOpen(edge, mbps, end - start, start + 1, until) ?? next;
    if (!labels) return;
    const comes = free.nextLabel(edge, start, end);
    if (comes !== undefined && comes <= until) next = comes;
  };
  for (const edge of [a.edge, z.edge, ...a.groups, ...z.groups]) look(edge);
  network.links.forEach(({ edge }, link) => {
    if (!question.barred(link)) look(edge);
  });
  return next;
}

export function wayOf({ network }: Question, { links, uses }: Path): Way {
  return {
    links: links.map((id) => network.linkIndex.get(id) as number),
    labels: uses.slice(0, links.length + 2).map((use) => use.label),
  };
}
