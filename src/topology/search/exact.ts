/**
 * The search for everything that one distance per node cannot express: sums that must stay within bounds,
 * labels that must agree, and things that a path must have passed. It keeps several partial paths per node
 * and drops one only when another is no worse in every respect. Exact as far as its budget goes; when that is
 * spent it says so. core.ts is asked first: what it finds usually meets all of this already.
 *
 * When may a partial path A to a node take B's place? Always if A costs no more, sums up to no more, and has
 * at least B's labels left, as long as cutting a loop out of a path can only help. It can hurt in two cases:
 * a loop may pass what must be passed, or a node that swaps labels. Then A must also have passed no node
 * that B has not, because what follows B may pass that node later and no path passes one twice.
 */
import type { Core } from './core.ts';
import { Heap } from './heap.ts';
import { type Choice, linkChoice, mustAgree, narrow, portChoice, within } from './labels.ts';
import type { Question, Window } from './question.ts';

/** Partial paths kept per search: some tens of milliseconds at most. */
export const MAX_PARTIAL_PATHS = 20_000;

interface Partial {
  readonly node: number;
  readonly link: number;
  readonly before: Partial | undefined;
  readonly length: number;
  /** By each bound's metric, in ticks times unit. */
  readonly sums: readonly number[];
  readonly states: readonly number[];
  readonly labels: Choice;
  readonly passed: Uint32Array;
  dropped: boolean;
}

export type Exact =
  | { readonly found: 'PATH'; readonly links: number[] }
  | { readonly found: 'NONE' }
  | { readonly found: 'BUDGET' };

/** `core` has been asked the question: it knows which links are open. Without a window labels are no matter. */
export function searchExactly(question: Question, core: Core, window: Window | undefined): Exact {
  const { network, rules, a, z } = question;
  const bounds = rules.bounds.map((bound) => {
    const weights = network.weights[bound.metric];
    return {
      perLink: weights.perLink,
      least: core.bounds(z.node, bound.metric),
      // Half a tick, so that a bound written in decimals is met by a sum of the same decimals.
      most: (bound.most * weights.scale + 0.5) * network.unit,
    };
  });
  const first = window && portChoice(question, a, question.askA, window);
  const last = window && portChoice(question, z, question.askZ, window);
  if (first?.empty === true || last?.empty === true) return { found: 'NONE' };
  const choices = new Map<number, Choice>();
  const choiceOf = (link: number): Choice | undefined => {
    if (window === undefined) return undefined;
    const known = choices.get(link);
    if (known !== undefined) return known;
    const made = linkChoice(question, link, window);
    choices.set(link, made);
    return made;
  };

  const toTarget = core.bounds(z.node);
  /** No accepted continuation is shorter: it passes what is still to be passed. */
  const atLeast = (node: number, states: readonly number[]): number => {
    let least = toTarget[node] as number;
    rules.automata.forEach((automaton, i) => {
      for (const stop of automaton.pending?.(states[i] as number) ?? []) {
        const around = (core.bounds(stop)[node] as number) + (toTarget[stop] as number);
        if (around > least) least = around;
      }
    });
    return least;
  };

  const pathsOnly = rules.automata.length > 0 || (window !== undefined && !network.uniformLabels);
  const words = (network.nodes.length + 31) >>> 5;
  const kept = new Map<number, Partial[]>();
  const partials: Partial[] = [];
  const heap = new Heap(256);

  const offer = (partial: Partial): boolean => {
    const least = atLeast(partial.node, partial.states);
    if (least === Number.POSITIVE_INFINITY) return true;
    let place = partial.node;
    rules.automata.forEach((automaton, i) => {
      place = place * automaton.states + (partial.states[i] as number);
    });
    const rivals = kept.get(place);
    if (rivals === undefined) kept.set(place, [partial]);
    else {
      for (const rival of rivals) if (replaces(rival, partial, pathsOnly)) return true;
      const rest = rivals.filter((rival) => {
        rival.dropped = replaces(partial, rival, pathsOnly);
        return !rival.dropped;
      });
      rest.push(partial);
      kept.set(place, rest);
    }
    if (partials.length >= MAX_PARTIAL_PATHS) return false;
    heap.push(partial.length + least, partials.length);
    partials.push(partial);
    return true;
  };

  const passed = new Uint32Array(words);
  passed[a.node >>> 5] = 1 << (a.node & 31);
  const noLabels: Choice = { kind: undefined, words: new Uint32Array(0), length: 0, empty: false };
  offer({
    node: a.node,
    link: -1,
    before: undefined,
    length: 0,
    sums: bounds.map(() => 0),
    states: rules.automata.map((automaton) => automaton.start(a.node)),
    labels: first ?? noLabels,
    passed,
    dropped: false,
  });

  while (heap.size > 0) {
    const partial = partials[heap.pop()] as Partial;
    if (partial.dropped) continue;
    const { node } = partial;
    if (node === z.node) {
      const accepted = rules.automata.every((automaton, i) => automaton.accepts(partial.states[i] as number));
      const ends =
        last === undefined ||
        !mustAgree(question, node, partial.labels, last) ||
        !narrow(partial.labels, last).empty;
      if (accepted && ends) return { found: 'PATH', links: linksOf(partial) };
      // A path ends at its target; what passed it would have to come back to it.
      continue;
    }
    const until = network.offset[node + 1] as number;
    next: for (let out = network.offset[node] as number; out < until; out++) {
      const to = network.to[out] as number;
      const link = network.via[out] as number;
      if ((((partial.passed[to >>> 5] as number) >>> (to & 31)) & 1) === 1 || !core.isOpen(link)) continue;
      const sums: number[] = [];
      for (const [i, bound] of bounds.entries()) {
        const sum = (partial.sums[i] as number) + (bound.perLink[link] as number);
        if (sum + (bound.least[to] as number) > bound.most) continue next;
        sums.push(sum);
      }
      const states: number[] = [];
      for (const [i, automaton] of rules.automata.entries()) {
        const state = automaton.step(partial.states[i] as number, link, to);
        if (state < 0) continue next;
        states.push(state);
      }
      let labels = choiceOf(link) ?? noLabels;
      if (mustAgree(question, node, partial.labels, labels)) labels = narrow(partial.labels, labels);
      if (labels.empty) continue;
      // Past a node that swaps, one label is as good as another: fewer partial paths to tell apart.
      if (network.swaps[to] === 1) labels = noLabels;
      const passedNow = partial.passed.slice();
      passedNow[to >>> 5] = (passedNow[to >>> 5] as number) | (1 << (to & 31));
      const length = partial.length + core.weight(link);
      const grown = { node: to, link, before: partial, length, sums, states, labels, passed: passedNow };
      if (!offer({ ...grown, dropped: false })) return { found: 'BUDGET' };
    }
  }
  return { found: 'NONE' };
}

function replaces(one: Partial, other: Partial, pathsOnly: boolean): boolean {
  if (one.length > other.length) return false;
  for (let i = 0; i < one.sums.length; i++) {
    if ((one.sums[i] as number) > (other.sums[i] as number)) return false;
  }
  if (!within(other.labels, one.labels)) return false;
  if (!pathsOnly) return true;
  for (let w = 0; w < one.passed.length; w++) {
    if (((one.passed[w] as number) & ~(other.passed[w] as number)) !== 0) return false;
  }
  return true;
}

function linksOf(partial: Partial): number[] {
  const links: number[] = [];
  for (let at: Partial | undefined = partial; at?.before !== undefined; at = at.before) links.push(at.link);
  return links.reverse();
}
