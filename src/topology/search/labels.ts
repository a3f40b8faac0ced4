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

/** Adds the VLANs that are taken in the node as a whole, where it has each only once. */
function addNode({ network, free }: Question, node: number, { kind }: Labels, { start, end }: Window): void {
  const space = network.spaces[node] as Edge;
  if (space >= 0 && kind === 'VLAN') free.labels(space, start, end, busy);
}

function freeLabels(
  question: Question,
  edge: Edge,
  labels: Labels,
  window: Window,
  a: number,
  z?: number,
): Choice {
  busy.words.fill(0);
  question.free.labels(edge, window.start, window.end, busy);
  if (question.network.anySpace) {
    addNode(question, a, labels, window);
    if (z !== undefined) addNode(question, z, labels, window);
  }
  if (busy.has(UNTAGGED)) return NONE_FREE;
  const words = new Uint32Array(labels.words);
  let any = 0;
  for (let w = 0; w < labels.words; w++) {
    const free = (labels.set.words[w] as number) & ~(busy.words[w] as number);
    words[w] = free;
    any |= free;
  }
  return { kind: labels.kind, words, length: labels.words, empty: any === 0 };
}

export function linkChoice(question: Question, link: number, window: Window): Choice {
  const { edge, labels, a, z } = question.network.link(link);
  return labels === undefined ? NOTHING_TO_CHOOSE : freeLabels(question, edge, labels, window, a, z);
}

export function portChoice(question: Question, port: NetworkPort, ask: LabelAsk, window: Window): Choice {
  if (ask === 'UNTAGGED') {
    busy.words.fill(0);
    return question.free.labels(port.edge, window.start, window.end, busy).empty ? WHOLE_PORT : NONE_FREE;
  }
  if (port.labels === undefined) {
    // A client that names a label cannot get it where there are none.
    return ask === 'ANY' ? NOTHING_TO_CHOOSE : NONE_FREE;
  }
  const choice = freeLabels(question, port.edge, port.labels, window, port.node);
  return ask === 'ANY' || choice.empty ? choice : narrow(choice, { ...choice, words: asked(ask) });
}

/** What is free at each place of a path: the first port, the links, the last port. */
export const rowOf = (question: Question, links: readonly number[], window: Window): Choice[] => [
  portChoice(question, question.a, question.askA, window),
  ...links.map((link) => linkChoice(question, link, window)),
  portChoice(question, question.z, question.askZ, window),
];

const asked = (ask: Exclude<LabelAsk, string>): Uint32Array => LabelSet.of(ask).words;

/** What is free at both places; they are of one kind. */
export function narrow(one: Choice, other: Choice): Choice {
  const length = Math.min(one.length, other.length);
  const words = new Uint32Array(length);
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
      common = narrow(common, choices[to] as Choice);
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

/**
 * Labels for a path over a window, or undefined when there are none all the way: what assign() says, for the
 * hot path. All that is busy along a run goes into one set, so that a run of any length is looked through once.
 */
export function labelsFor(
  question: Question,
  links: readonly number[],
  window: Window,
): (Label | undefined)[] | undefined {
  const { network, free } = question;
  const nodes = nodesOf(question, links);
  const final = nodes.length;
  const row: (Label | undefined)[] = new Array(final + 1).fill(undefined);
  if (free.readLabels !== undefined) {
    const edges: Edge[] = [];
    for (let place = 0; place <= final; place++) edges.push(placeAt(question, links, place).edge);
    free.readLabels(edges, window.start, window.end);
  }
  let last: Label | undefined;
  for (let place = 0; place <= final; place++) {
    const { edge, labels } = placeAt(question, links, place);
    const ask = askAt(question, place, final);
    if (labels === undefined && ask === 'ANY') continue;
    busy.words.fill(0);
    free.labels(edge, window.start, window.end, busy);
    if (ask === 'UNTAGGED') {
      if (!busy.empty) return undefined;
      row[place] = UNTAGGED;
      continue;
    }
    if (labels === undefined) return undefined;
    if (network.anySpace) {
      if (place > 0) addNode(question, nodes[place - 1] as number, labels, window);
      if (place < final) addNode(question, nodes[place] as number, labels, window);
    }
    const sets = ask === 'ANY' ? [labels.set.words] : [labels.set.words, asked(ask)];
    let { words } = labels;
    const from = place;
    while (place < final && network.swaps[nodes[place] as number] === 0) {
      const next = placeAt(question, links, place + 1);
      const nextAsk = askAt(question, place + 1, final);
      if (next.labels?.kind !== labels.kind || nextAsk === 'UNTAGGED') break;
      free.labels(next.edge, window.start, window.end, busy);
      if (next.labels !== labels) sets.push(next.labels.set.words);
      if (nextAsk !== 'ANY') sets.push(asked(nextAsk));
      words = Math.min(words, next.labels.words);
      place++;
      if (network.anySpace && place < final) addNode(question, nodes[place] as number, labels, window);
    }
    last = busy.has(UNTAGGED) ? undefined : commonLabel(sets, words, last);
    if (last === undefined) return undefined;
    row.fill(last, from, place + 1);
  }
  return row;
}

/** The places of a path: the first port, its links, the last port. */
const placeAt = (
  { network, a, z }: Question,
  links: readonly number[],
  place: number,
): { readonly edge: Edge; readonly labels: Labels | undefined } =>
  place === 0 ? a : place > links.length ? z : network.link(links[place - 1] as number);

const askAt = ({ askA, askZ }: Question, place: number, final: number): LabelAsk =>
  place === 0 ? askA : place === final ? askZ : 'ANY';

/** What is in all sets and not busy, of one word. */
function freeIn(sets: readonly Uint32Array[], w: number): number {
  let free = ~(busy.words[w] as number);
  for (const set of sets) free &= set[w] as number;
  return free;
}

/** The lowest label that is in all sets and not busy, or `wanted` if that is one. */
function commonLabel(
  sets: readonly Uint32Array[],
  words: number,
  wanted: Label | undefined,
): Label | undefined {
  if (
    wanted !== undefined &&
    wanted >>> 5 < words &&
    ((freeIn(sets, wanted >>> 5) >>> (wanted & 31)) & 1) === 1
  ) {
    return wanted;
  }
  for (let w = 0; w < words; w++) {
    const free = freeIn(sets, w);
    if (free !== 0) return w * 32 + 31 - Math.clz32(free & -free);
  }
  return undefined;
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
