/**
 * Labels along a path. The path is a row of places, the first port, the links, the last port; a label has to
 * be free at each place, and the same at both sides of a node that cannot swap labels. Places that must agree
 * form a run. (Where the kind of label changes, or a port is untagged, a tag is pushed or popped, which every
 * node can do.) Choosing the path together with its labels is exact.ts's work; it asks here what is free.
 */
import type { Edge } from '../../model/capacity.ts';
import { type Label, type LabelAsk, LabelSet, UNTAGGED } from '../../model/label.ts';
import type { LabelKind, Labels, NetworkPort } from '../network.ts';
import { nodesOf } from './describe.ts';
import type { Question, Window } from './question.ts';

/** What is free at one place: a set, or nothing to choose (no labels there, or UNTAGGED). */
export interface Choice {
  readonly kind: LabelKind | undefined;
  readonly words: Uint32Array;
  /** Words from here on are empty. */
  readonly length: number;
  readonly fixed?: Label;
  readonly empty: boolean;
}

const NOTHING_TO_CHOOSE: Choice = { kind: undefined, words: new Uint32Array(0), length: 0, empty: false };
const NONE_FREE: Choice = { ...NOTHING_TO_CHOOSE, empty: true };
const WHOLE_PORT: Choice = { ...NOTHING_TO_CHOOSE, fixed: UNTAGGED };

const busy = new LabelSet();

/** Where the words of a choice come from: kept ones are new, passing ones are taken from a pool. */
export type Words = (length: number) => Uint32Array;
const kept: Words = (length) => new Uint32Array(length);

/** Half a kilobyte per place of every path asked about is most of what a search would leave to collect. */
const pool: Uint32Array[] = [];
let pooled = 0;
const passing: Words = () => {
  const words = pool[pooled] ?? new Uint32Array(128);
  pool[pooled++] = words;
  return words;
};

function freeLabels(
  question: Question,
  edge: Edge,
  labels: Labels,
  { start, end }: Window,
  take: Words,
): Choice {
  busy.words.fill(0);
  question.free.labels(edge, start, end, busy);
  if (busy.has(UNTAGGED)) return NONE_FREE;
  const words = take(labels.words);
  let any = 0;
  for (let w = 0; w < labels.words; w++) {
    const free = (labels.set.words[w] as number) & ~(busy.words[w] as number);
    words[w] = free;
    any |= free;
  }
  return { kind: labels.kind, words, length: labels.words, empty: any === 0 };
}

export function linkChoice(question: Question, link: number, window: Window, take = kept): Choice {
  const { edge, labels } = question.network.link(link);
  return labels === undefined ? NOTHING_TO_CHOOSE : freeLabels(question, edge, labels, window, take);
}

export function portChoice(
  question: Question,
  port: NetworkPort,
  ask: LabelAsk,
  window: Window,
  take = kept,
): Choice {
  if (ask === 'UNTAGGED') {
    busy.words.fill(0);
    return question.free.labels(port.edge, window.start, window.end, busy).empty ? WHOLE_PORT : NONE_FREE;
  }
  if (port.labels === undefined) {
    // A client that names a label cannot get it where there are none.
    return ask === 'ANY' ? NOTHING_TO_CHOOSE : NONE_FREE;
  }
  const choice = freeLabels(question, port.edge, port.labels, window, take);
  return ask === 'ANY' || choice.empty ? choice : narrow(choice, { ...choice, words: asked(ask) }, take);
}

/** What is free at each place of a path: the first port, the links, the last port. */
export const rowOf = (
  question: Question,
  links: readonly number[],
  window: Window,
  take = kept,
): Choice[] => [
  portChoice(question, question.a, question.askA, window, take),
  ...links.map((link) => linkChoice(question, link, window, take)),
  portChoice(question, question.z, question.askZ, window, take),
];

const asked = (ask: Exclude<LabelAsk, string>): Uint32Array => LabelSet.of(ask).words;

/** What is free at both places; they are of one kind. */
export function narrow(one: Choice, other: Choice, take = kept): Choice {
  const length = Math.min(one.length, other.length);
  const words = take(length);
  let any = 0;
  for (let w = 0; w < length; w++) {
    const both = (one.words[w] as number) & (other.words[w] as number);
    words[w] = both;
    any |= both;
  }
  return { kind: one.kind, words, length, empty: any === 0 };
}

/** Is everything that is free in `part` free in `whole` too? */
export function within(part: Choice, whole: Choice): boolean {
  if (part.kind !== whole.kind) return false;
  for (let w = 0; w < part.length; w++) {
    if (((part.words[w] as number) & ~((whole.words[w] ?? 0) as number)) !== 0) return false;
  }
  return true;
}

/** Must the labels before and after this node be the same? */
export const mustAgree = (question: Question, node: number, before: Choice, after: Choice): boolean =>
  before.kind !== undefined && before.kind === after.kind && question.network.swaps[node] === 0;

export function countFree(choice: Choice): number {
  let count = 0;
  for (let w = 0; w < choice.length; w++) {
    for (let bits = choice.words[w] as number; bits !== 0; bits &= bits - 1) count++;
  }
  return count;
}

function lowest(choice: Choice): Label | undefined {
  for (let w = 0; w < choice.length; w++) {
    const bits = choice.words[w] as number;
    if (bits !== 0) return w * 32 + 31 - Math.clz32(bits & -bits);
  }
  return undefined;
}

const has = (choice: Choice, label: Label): boolean =>
  label >>> 5 < choice.length && (((choice.words[label >>> 5] as number) >>> (label & 31)) & 1) === 1;

export interface Assigned {
  /** One per place: first port, links, last port. Undefined where there are no labels. */
  readonly labels: readonly (Label | undefined)[];
}

/** The places of a run without a common label, by their index in the row. */
export interface Unassignable {
  readonly from: number;
  readonly to: number;
}

/**
 * Picks labels for the row of `choices`; `nodes` has the node between each place and the next. Each run takes
 * the label of the run before it if it can, so that a path is translated as rarely as possible, else its lowest.
 */
export function assign(
  question: Question,
  choices: readonly Choice[],
  nodes: readonly number[],
  take = kept,
): Assigned | Unassignable {
  const labels: (Label | undefined)[] = [];
  let last: Label | undefined;
  for (let from = 0; from < choices.length; ) {
    let common = choices[from] as Choice;
    let to = from;
    while (
      to + 1 < choices.length &&
      !common.empty &&
      mustAgree(question, nodes[to] as number, common, choices[to + 1] as Choice)
    ) {
      to++;
      common = narrow(common, choices[to] as Choice, take);
    }
    if (common.empty) return { from, to };
    const label: Label | undefined =
      common.fixed ?? (last !== undefined && has(common, last) ? last : lowest(common));
    for (let i = from; i <= to; i++) labels.push(label);
    if (common.fixed === undefined && label !== undefined) last = label;
    from = to + 1;
  }
  return { labels };
}

/** Labels for a path over a window, or undefined when there are none all the way. */
export function labelsFor(
  question: Question,
  links: readonly number[],
  window: Window,
): Assigned['labels'] | undefined {
  const nodes = nodesOf(question, links);
  if (nodes.every((node) => question.network.swaps[node] === 1))
    return eachForItself(question, links, window);
  pooled = 0;
  const assigned = assign(
    question,
    rowOf(question, links, window, passing),
    nodesOf(question, links),
    passing,
  );
  return 'labels' in assigned ? assigned.labels : undefined;
}

/** What assign() comes to where every node swaps: no sets to keep, each place takes what it finds first. */
function eachForItself(
  question: Question,
  links: readonly number[],
  window: Window,
): (Label | undefined)[] | undefined {
  const { network, a, z, askA, askZ } = question;
  const row: (Label | undefined)[] = [];
  let last: Label | undefined;
  const take = (edge: Edge, labels: Labels | undefined): boolean => {
    if (labels === undefined) {
      row.push(undefined);
      return true;
    }
    busy.words.fill(0);
    question.free.labels(edge, window.start, window.end, busy);
    if (busy.has(UNTAGGED)) return false;
    if (last === undefined || !labels.set.has(last) || busy.has(last)) {
      last = undefined;
      for (let w = 0; w < labels.words && last === undefined; w++) {
        const free = (labels.set.words[w] as number) & ~(busy.words[w] as number);
        if (free !== 0) last = w * 32 + 31 - Math.clz32(free & -free);
      }
      if (last === undefined) return false;
    }
    row.push(last);
    return true;
  };
  const takeEnd = (port: NetworkPort, ask: LabelAsk): boolean => {
    if (ask === 'ANY') return take(port.edge, port.labels);
    pooled = 0;
    const choice = portChoice(question, port, ask, window, passing);
    if (choice.empty) return false;
    const label = choice.fixed ?? (last !== undefined && has(choice, last) ? last : lowest(choice));
    if (choice.fixed === undefined) last = label;
    row.push(label);
    return true;
  };
  if (!takeEnd(a, askA)) return undefined;
  for (const index of links) {
    const link = network.link(index);
    if (!take(link.edge, link.labels)) return undefined;
  }
  return takeEnd(z, askZ) ? row : undefined;
}

/** The labels that the first and the last place can have on this path; `one` when they must be the same. */
export interface EndChoices {
  readonly first: Choice;
  readonly last: Choice;
  readonly one: boolean;
}

export function endChoices(
  question: Question,
  choices: readonly Choice[],
  nodes: readonly number[],
): EndChoices {
  const run = (from: number, step: 1 | -1): { common: Choice; at: number } => {
    let at = from;
    let common = choices[at] as Choice;
    for (;;) {
      const next = choices[at + step];
      const between = nodes[step === 1 ? at : at - 1] as number;
      if (next === undefined || common.empty || !mustAgree(question, between, common, next)) break;
      common = narrow(common, next);
      at += step;
    }
    return { common, at };
  };
  const first = run(0, 1);
  const last = run(choices.length - 1, -1);
  const one = first.at === choices.length - 1 && first.common.kind !== undefined;
  return { first: first.common, last: last.common, one };
}

/** A choice as somebody could ask for it. */
export function asAsk(choice: Choice): LabelAsk {
  if (choice.fixed !== undefined) return 'UNTAGGED';
  if (choice.kind === undefined) return 'ANY';
  const ranges: [number, number][] = [];
  for (let label = 1; label < choice.length * 32; label++) {
    if (!has(choice, label)) continue;
    const range = ranges.at(-1);
    if (range !== undefined && range[1] === label - 1) range[1] = label;
    else ranges.push([label, label]);
  }
  return ranges;
}

/** The lowest label of a choice, as somebody could ask for it. */
export function lowestAsAsk(choice: Choice): LabelAsk {
  const label = lowest(choice);
  return label === undefined ? asAsk(choice) : [[label, label]];
}
