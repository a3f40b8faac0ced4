/**
 * Simple paths in order of length, one after another: Yen's method in Lawler's form (every further path comes
 * from a subproblem that no other one overlaps, so nothing is found twice), with subproblems searched only
 * when their lower bound is the least of all. Two parallel links make two paths.
 */
import type { Core } from './core.ts';
import { describe } from './describe.ts';
import { ask, withinBounds } from './find.ts';
import { Heap } from './heap.ts';
import { labelsFor } from './labels.ts';
import { type Path, type PathQuery, pose, type Question, type Refusal, type Snapshot } from './question.ts';
import { explain, fullPort, portWithoutLabel } from './refusal.ts';

/** All simple paths that begin with `head` and go on by none of `banned`. */
interface Subproblem {
  readonly head: readonly number[];
  readonly banned: readonly number[];
  /** The shortest of them, once it has been searched for. */
  found?: { readonly links: readonly number[]; readonly length: number };
}

export class Ranked {
  readonly #core: Core;
  readonly #begin: () => void;
  readonly #source: number;
  readonly #target: number;
  readonly #subproblems: Subproblem[] = [];
  readonly #heap = new Heap();

  /** `begin` sees to it, before each path, that the core still has the question: others may have asked. */
  constructor(core: Core, begin: () => void, source: number, target: number) {
    this.#core = core;
    this.#begin = begin;
    this.#source = source;
    this.#target = target;
    this.#add({ head: [], banned: [] }, 0);
  }

  #add(subproblem: Subproblem, atLeast: number): void {
    this.#heap.push(atLeast, this.#subproblems.length);
    this.#subproblems.push(subproblem);
  }

  /** The next longer path, or undefined when there are no more. */
  next(): readonly number[] | undefined {
    this.#begin();
    while (this.#heap.size > 0) {
      const subproblem = this.#subproblems[this.#heap.pop()] as Subproblem;
      const { found } = subproblem;
      if (found !== undefined) {
        this.#divide(subproblem, found.links);
        return found.links;
      }
      this.#solve(subproblem);
      if (subproblem.found !== undefined) this.#add(subproblem, subproblem.found.length);
    }
    return undefined;
  }

  #solve(subproblem: Subproblem): void {
    const core = this.#core;
    core.begin();
    let node = this.#source;
    let length = 0;
    for (const link of subproblem.head) {
      core.avoidNode(node);
      node = core.network.other(link, node);
      length += core.weight(link);
    }
    for (const link of subproblem.banned) core.avoidLink(link);
    if (!core.search(node, this.#target)) return;
    const tail = core.path(this.#target);
    subproblem.found = {
      links: [...subproblem.head, ...tail],
      length: length + (core.distance[this.#target] as number),
    };
  }

  /** The rest of a subproblem whose shortest path has been taken, cut where the others leave that path. */
  #divide(subproblem: Subproblem, links: readonly number[]): void {
    const core = this.#core;
    const { offset, to, via } = core.network;
    const bounds = core.bounds(this.#target);
    let node = this.#source;
    let length = 0;
    const passed = new Set<number>();
    links.forEach((link, i) => {
      passed.add(node);
      if (i >= subproblem.head.length) {
        const banned = i === subproblem.head.length ? [...subproblem.banned, link] : [link];
        // The least that any way out of here can come to. None at all saves the search.
        let least = Number.POSITIVE_INFINITY;
        for (let out = offset[node] as number; out < (offset[node + 1] as number); out++) {
          const way = via[out] as number;
          const next = to[out] as number;
          if (passed.has(next) || banned.includes(way) || !core.isOpen(way)) continue;
          least = Math.min(least, core.weight(way) + (bounds[next] as number));
        }
        if (least < Number.POSITIVE_INFINITY) {
          this.#add({ head: links.slice(0, i), banned }, length + least);
        }
      }
      length += core.weight(link);
      node = core.network.other(link, node);
    });
  }
}

/** Paths looked at per question: most of them are dropped for their sums, passages or labels. */
export const MAX_CANDIDATES = 2_000;

export interface RankedPaths {
  readonly found: true;
  readonly paths: readonly Path[];
  /** There are no further ones, or as many as were asked for. False when the bounded work ran out before. */
  readonly complete: boolean;
}

/** The `count` shortest simple paths that meet the query, each with labels of its own. */
export function findShortest(snapshot: Snapshot, query: PathQuery, count: number): RankedPaths | Refusal {
  const question = pose(snapshot, query);
  if ('found' in question) return question;
  const blocked = fullPort(question, query) ?? portWithoutLabel(question, query);
  if (blocked !== undefined) return blocked;
  const paths: Path[] = [];
  let complete = true;
  for (const candidate of acceptable(question, query)) {
    if (candidate === 'BUDGET') complete = false;
    else paths.push(describe(question, candidate.links, candidate.labels));
    if (paths.length >= count) break;
  }
  if (paths.length > 0) return { found: true, paths, complete };
  return explain(question, query, complete ? 'NONE' : 'BUDGET');
}

type Acceptable = { links: readonly number[]; labels: NonNullable<ReturnType<typeof labelsFor>> };

/** Paths that meet everything, shortest first; 'BUDGET' at the end when there may be more. */
export function* acceptable(
  question: Question,
  window: PathQuery,
): Generator<Acceptable | 'BUDGET', void, void> {
  const core = ask(question, window);
  let asked = core.question;
  const begin = (): void => {
    // Asking again forgets which links were tested: only when somebody else has asked in between.
    if (core.question === asked) return;
    ask(question, window);
    asked = core.question;
  };
  const ranked = new Ranked(core, begin, question.a.node, question.z.node);
  for (let tried = 0; tried < MAX_CANDIDATES; tried++) {
    const links = ranked.next();
    if (links === undefined) return;
    if (!withinBounds(question, links) || !passes(question, links)) continue;
    const labels = labelsFor(question, links, window);
    if (labels !== undefined) yield { links, labels };
  }
  yield 'BUDGET';
}

/** Does the path pass all that it has to? */
export function passes(question: Question, links: readonly number[]): boolean {
  return question.rules.automata.every((automaton) => {
    let node = question.a.node;
    let state = automaton.start(node);
    for (const link of links) {
      node = question.network.other(link, node);
      state = automaton.step(state, link, node);
      if (state < 0) return false;
    }
    return automaton.accepts(state);
  });
}
