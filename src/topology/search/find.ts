/**
 * The questions about one window: the shortest path (findPath) and the widest (findWidest). The fast search
 * goes first; only when what it finds misses a bound or a label, or a path as a whole must meet something,
 * does the exact search follow. All answers are shortest paths, whichever search gave them.
 */
import { type Core, coreOf } from './core.ts';
import { describe } from './describe.ts';
import { type Exact, searchExactly } from './exact.ts';
import { labelsFor } from './labels.ts';
import {
  changed,
  type Path,
  type PathQuery,
  pose,
  type Question,
  type Refusal,
  type Snapshot,
  type Window,
} from './question.ts';
import { explain, fullPort, portWithoutLabel } from './refusal.ts';

/** The shortest path with room, labels and everything else over the whole window. */
export function findPath(snapshot: Snapshot, query: PathQuery): Path | Refusal {
  const question = pose(snapshot, query);
  if ('found' in question) return question;
  return answer(question, query);
}

export function answer(question: Question, window: Window): Path | Refusal {
  const blocked = fullPort(question, window);
  if (blocked !== undefined) return blocked;
  const attempt = attemptAt(question, window);
  if (attempt.found === 'PATH') return attempt.path;
  return portWithoutLabel(question, window) ?? explain(question, window, attempt.found, attempt.cut);
}

export type Attempt =
  | { readonly found: 'PATH'; readonly path: Path; readonly links: readonly number[] }
  /** `cut`: open links do not even join the ends, and the core's settled nodes are one side of the cut. */
  | { readonly found: 'NONE'; readonly cut: boolean }
  | { readonly found: 'BUDGET'; readonly cut: false };

/** One try over one window, the ports' room already tested. */
export function attemptAt(question: Question, window: Window): Attempt {
  const core = ask(question, window);
  if (!core.search(question.a.node, question.z.node)) return { found: 'NONE', cut: true };
  let links = core.path(question.z.node);
  if (question.rules.automata.length === 0 && withinBounds(question, links)) {
    const labels = labelsFor(question, links, window);
    if (labels !== undefined) return { found: 'PATH', path: describe(question, links, labels), links };
  }
  const exact: Exact = searchExactly(question, core, window);
  if (exact.found === 'BUDGET') return { found: 'BUDGET', cut: false };
  if (exact.found === 'NONE') return { found: 'NONE', cut: false };
  links = exact.links;
  const labels = labelsFor(question, links, window);
  // The exact search carries sets of labels along; picking one of each cannot fail.
  if (labels === undefined) return { found: 'BUDGET', cut: false };
  return { found: 'PATH', path: describe(question, links, labels), links };
}

/** Hands the question for one window to the core of its network. */
export function ask(question: Question, { start, end }: Window): Core {
  const { network, free, mbps, barred } = question;
  const core = coreOf(network);
  const { edge } = network;
  core.ask(
    // The edge numbers come from names.intern; a typed array cannot carry their brand.
    (link) => !barred(link) && free.fits(edge[link] as (typeof question.a)['edge'], mbps, start, end),
    question.metric,
    question.salt,
  );
  return core;
}

export function withinBounds(question: Question, links: readonly number[]): boolean {
  return question.rules.bounds.every(({ metric, most }) => {
    const { perLink, scale } = question.network.weights[metric];
    let sum = 0;
    for (const link of links) sum += perLink[link] as number;
    return sum <= (most * scale + 0.5) * question.network.unit;
  });
}

export interface Widest {
  readonly found: true;
  readonly mbps: number;
  readonly path: Path;
}

/**
 * The most Mb/s that one path can have over the window (at least the query's own), and the shortest path that
 * has it. What fits narrower fits too, so the widest is found among the widths that links have free.
 */
export function findWidest(snapshot: Snapshot, query: PathQuery): Widest | Refusal {
  const question = pose(snapshot, query);
  if ('found' in question) return question;
  const { network, free } = snapshot;
  const { start, end } = query;
  const ends = [question.a, question.z].flatMap((port) => [port.edge, ...port.groups]);
  const most = Math.min(...ends.map((edge) => free.free(edge, start, end)));
  const widths = new Set([query.mbps, most]);
  network.links.forEach((link, i) => {
    if (!question.barred(i)) widths.add(Math.min(most, free.free(link.edge, start, end)));
  });
  const candidates = [...widths].filter((mbps) => mbps >= query.mbps).sort((x, y) => x - y);
  const first = answer(question, query);
  if (!first.found) return first;
  let best: Widest = { found: true, mbps: query.mbps, path: first };
  let low = 1;
  let high = candidates.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const mbps = candidates[middle] as number;
    const attempt = attemptAt(changed(question, { mbps }), query);
    if (attempt.found === 'PATH') {
      best = { found: true, mbps, path: attempt.path };
      low = middle + 1;
    } else high = middle - 1;
  }
  return best;
}
