/**
 * Courses: a start, the links and the labels, in the numbers of the search, before anybody wants names. The
 * earliest one in a window (as findEarliest, but without explaining a failure, which the inner loops of a
 * search cannot afford, and with the cuts that prove it when they are asked for), and the cheapest one where
 * each link has a price.
 */
import type { Edge, Seconds } from '../../model/capacity.ts';
import type { Label } from '../../model/label.ts';
import type { Network } from '../../topology/network.ts';
import { coreOf } from '../../topology/search/core.ts';
import { describe, nodesOf, nodeUses } from '../../topology/search/describe.ts';
import { findEarliest } from '../../topology/search/earliest.ts';
import { ask, attemptAt, withinBounds } from '../../topology/search/find.ts';
import { Heap } from '../../topology/search/heap.ts';
import { labelsFor } from '../../topology/search/labels.ts';
import type { Path, Question, Window } from '../../topology/search/question.ts';
import { cutAround } from '../../topology/search/refusal.ts';
import type { Cut, EdgeUse } from './booking.ts';
import { type Course, type Found, firstPair, type Posed, pairAt, type Way, wayOf } from './pair.ts';

/** Starts tried in one window; each is later than the last. */
const MAX_STARTS = 5_000;

/** What both ends have of their own: ports and groups, each once. */
export function endEdges({ a, z }: Question): Edge[] {
  return [...new Set([a.edge, z.edge, ...a.groups, ...z.groups])];
}

export function edgesOf(question: Question, links: readonly number[]): Edge[] {
  return [...endEdges(question), ...links.map((link) => question.network.link(link).edge)];
}

/** Of both ways, where there are two. */
export const linksOf = ({ links, second }: Course): readonly number[] =>
  second === undefined ? links : [...links, ...second.links];

export function usesOf(question: Question, { links, labels, second }: Course): EdgeUse[] {
  const { network, a, z } = question;
  const use = (edge: Edge, label: Label | undefined): EdgeUse =>
    label === undefined ? { edge } : { edge, label };
  const uses = [use(a.edge, labels[0])];
  links.forEach((link, i) => {
    uses.push(use(network.link(link).edge, labels[i + 1]));
  });
  uses.push(use(z.edge, labels.at(-1)));
  second?.links.forEach((link, i) => {
    uses.push(use(network.link(link).edge, second.labels[i + 1]));
  });
  for (const edge of new Set([...a.groups, ...z.groups])) uses.push({ edge });
  if (!network.anySpace) return uses;
  const inNodes = [{ links, labels }, ...(second === undefined ? [] : [second])].flatMap((way) =>
    nodeUses(question, way.links, nodesOf(question, way.links), way.labels),
  );
  for (const one of inNodes)
    if (!uses.some(({ edge, label }) => edge === one.edge && label === one.label)) uses.push(one);
  return uses;
}

export const pathOf = (question: Question, { links, labels }: Way): Path => describe(question, links, labels);

/** The course over given links, if they have room and labels in the window. */
export function courseOver(question: Question, links: readonly number[], window: Window): Course | undefined {
  const { free, mbps } = question;
  for (const edge of edgesOf(question, links)) {
    if (!free.fits(edge, mbps, window.start, window.end)) return undefined;
  }
  return labelled(question, links, window);
}

export function labelled(question: Question, links: readonly number[], window: Window): Course | undefined {
  const labels = labelsFor(question, links, window);
  return labels === undefined ? undefined : { start: window.start, links, labels };
}

/** Whichever path at this very start. */
export function courseAt(posed: Posed, window: Window): Found {
  const { question } = posed;
  const { free, mbps } = question;
  for (const edge of endEdges(question)) {
    if (!free.fits(edge, mbps, window.start, window.end)) return 'NONE';
  }
  if (posed.pair) {
    const pair = pairAt(posed, window);
    return pair === 'LABELS' ? 'NONE' : pair;
  }
  const core = ask(question, window);
  if (!core.search(question.a.node, question.z.node)) return 'NONE';
  return shortest(question, core.path(question.z.node), window) ?? exactly(question, window);
}

/** The earliest course that starts in [from, latest]. `cuts` gets what stands in the way of earlier starts. */
export function firstCourse(
  posed: Posed,
  duration: number,
  from: Seconds,
  latest: Seconds,
  cuts?: Cut[],
): Found {
  const { question } = posed;
  if (posed.pair) {
    // No pair starts sooner than a single one could.
    const single = firstCourse({ ...posed, pair: false }, duration, from, latest, cuts);
    if (typeof single === 'string') return single;
    const pair = firstPair(posed, duration, single.start, latest);
    if (pair === 'NONE') cuts?.push({ kind: 'OTHER', from, until: latest + 1, edges: [] });
    return pair;
  }
  const ends = endEdges(question);
  const blame = (since: Seconds, until: Seconds, edges: readonly Edge[]): void => {
    if (until > since)
      cuts?.push({
        kind: 'FULL',
        from: since,
        until,
        edges: edges.map((e) => question.network.names.name(e)),
      });
  };
  let start = from;
  for (let tried = 0; tried < MAX_STARTS; tried++) {
    for (let agreed = 0; agreed < ends.length; ) {
      agreed = 0;
      for (const edge of ends) {
        const opens = question.free.nextOpen(edge, question.mbps, duration, start, latest);
        if (opens !== start) blame(start, opens ?? latest + 1, [edge]);
        if (opens === undefined) return 'NONE';
        if (opens === start) agreed++;
        start = opens;
      }
    }
    const window = { start, end: start + duration };
    const core = ask(question, window);
    if (core.search(question.a.node, question.z.node)) {
      const course = shortest(question, core.path(question.z.node), window);
      if (course !== undefined) return course;
      // Bandwidth is not what is missing. That search is a matter of labels and constraints, and rare.
      return earliestWithLabels(posed, duration, start, latest, cuts);
    }
    const near = opening(question, window, latest);
    core.begin();
    core.flood(question.z.node);
    const far = opening(question, window, latest);
    const later = far.at === undefined || (near.at !== undefined && far.at > near.at) ? far : near;
    blame(start, later.at ?? latest + 1, later.edges);
    if (later.at === undefined || later.at > latest) return 'NONE';
    start = later.at;
  }
  return 'BUDGET';
}

/** When the first link around what the core has settled opens for the whole duration. */
function opening(
  question: Question,
  { start, end }: Window,
  latest: Seconds,
): { readonly at: Seconds | undefined; readonly edges: readonly Edge[] } {
  let at: Seconds | undefined;
  const edges: Edge[] = [];
  for (const link of cutAround(coreOf(question.network))) {
    if (question.barred(link)) continue;
    const { edge } = question.network.link(link);
    edges.push(edge);
    at = question.free.nextOpen(edge, question.mbps, end - start, start, at ?? latest) ?? at;
  }
  return { at, edges };
}

function shortest(question: Question, links: readonly number[], window: Window): Course | undefined {
  if (question.rules.automata.length > 0 || !withinBounds(question, links)) return undefined;
  return labelled(question, links, window);
}

function exactly(question: Question, window: Window): Found {
  const attempt = attemptAt(question, window);
  if (attempt.found !== 'PATH') return attempt.found;
  return labelled(question, attempt.links, window) ?? 'BUDGET';
}

function earliestWithLabels(
  { query, question }: Posed,
  duration: number,
  from: Seconds,
  latest: Seconds,
  cuts: Cut[] | undefined,
): Found {
  const { network, free } = question;
  const found = findEarliest({ network, free }, { ...query, notBefore: from, latest, duration });
  if (!found.found) {
    if (found.proven)
      cuts?.push({ kind: 'OTHER', from, until: latest + 1, edges: found.bottlenecks.map((b) => b.edge) });
    return found.proven ? 'NONE' : 'BUDGET';
  }
  return { start: found.start, ...wayOf(question, found.path) };
}

interface Scratch {
  readonly distance: Float64Array;
  readonly reachedBy: Int32Array;
  readonly done: Uint8Array;
  readonly prices: Float64Array;
  readonly heap: Heap;
}

const scratches = new WeakMap<Network, Scratch>();

function scratchOf(network: Network): Scratch {
  const known = scratches.get(network);
  if (known !== undefined) return known;
  const made = {
    distance: new Float64Array(network.nodes.length),
    reachedBy: new Int32Array(network.nodes.length),
    done: new Uint8Array(network.nodes.length),
    prices: new Float64Array(network.links.length),
    heap: new Heap(2 * network.links.length + 1),
  };
  scratches.set(network, made);
  return made;
}

export interface Priced {
  readonly links: readonly number[];
  readonly price: number;
}

/** The path with the least sum of prices; Infinity is a link that cannot be had. Prices are positive. */
export function cheapest(question: Question, priceOf: (link: number) => number): Priced | undefined {
  const { network, a, z } = question;
  const { offset, from, to, via } = network;
  const { distance, reachedBy, done, prices, heap } = scratchOf(network);
  distance.fill(Number.POSITIVE_INFINITY);
  done.fill(0);
  prices.fill(-1);
  heap.clear();
  distance[a.node] = 0;
  heap.push(0, a.node);
  while (heap.size > 0) {
    const node = heap.pop();
    if (done[node] === 1) continue;
    done[node] = 1;
    if (node === z.node) break;
    const last = offset[node + 1] as number;
    for (let out = offset[node] as number; out < last; out++) {
      const next = to[out] as number;
      if (done[next] === 1) continue;
      const link = via[out] as number;
      let price = prices[link] as number;
      if (price < 0) {
        price = question.barred(link) ? Number.POSITIVE_INFINITY : priceOf(link);
        prices[link] = price;
      }
      const through = (distance[node] as number) + price;
      if (through >= (distance[next] as number)) continue;
      distance[next] = through;
      reachedBy[next] = out;
      heap.push(through, next);
    }
  }
  if (done[z.node] === 0) return undefined;
  const links: number[] = [];
  for (let node = z.node; node !== a.node; ) {
    const half = reachedBy[node] as number;
    links.push(via[half] as number);
    node = from[half] as number;
  }
  return { links: links.reverse(), price: distance[z.node] as number };
}
