/**
 * The two paths of a protected circuit: disjoint in links, or also in nodes, and (srlg_disjoint) in shared
 * risk groups, with the least total length. Links and nodes are solved exactly and fast (disjoint.ts). Risk
 * groups, and bounds or labels that each path must meet, make the problem NP-hard: then first paths are taken
 * in order of length, each with its best partner, until no better total is possible. If that takes more than
 * the bounded work, the answer says that it is not proven.
 */
import type { Use } from '../../model/circuit.ts';
import type { Label } from '../../model/label.ts';
import { describe, nodesOf } from './describe.ts';
import { type Disjointness, disjointPair, type Reached } from './disjoint.ts';
import { ask, attemptAt, withinBounds } from './find.ts';
import {
  asAsk,
  type Choice,
  type EndChoices,
  endChoices,
  labelsFor,
  lowestAsAsk,
  narrow,
  rowOf,
} from './labels.ts';
import {
  type Bottleneck,
  changed,
  type Path,
  type PathQuery,
  pose,
  type Question,
  type Refusal,
  refuse,
  type Snapshot,
  type Window,
} from './question.ts';
import { acceptable, passes } from './ranked.ts';
import { explain, fullPort, MAX_BOTTLENECKS, portWithoutLabel } from './refusal.ts';

/** First paths that are tried with a partner each. */
export const MAX_FIRST_PATHS = 200;

export interface PairQuery extends PathQuery {
  readonly disjoint: Disjointness;
}

export interface PathPair {
  readonly found: true;
  /** The shorter one first. */
  readonly paths: readonly [Path, Path];
  /** What both claim together: the ports once. */
  readonly uses: readonly Use[];
  /** No other pair is shorter in total. */
  readonly proven: boolean;
}

export function findPair(snapshot: Snapshot, query: PairQuery): PathPair | Refusal {
  const question = pose(snapshot, query);
  if ('found' in question) return question;
  const blocked = fullPort(question, query);
  if (blocked !== undefined) return blocked;
  if (question.a.node === question.z.node) {
    const { network, a } = question;
    const node = network.node(a.node).id;
    return refuse('NOT_DISJOINT', 'both ports are on one node: there are no two ways between them', {
      bottlenecks: [{ edge: network.names.name(a.edge), kind: 'SHARED', free: a.mbps, node }],
    });
  }
  const core = ask(question, query);
  const pair = disjointPair(core, question.a.node, question.z.node, query.disjoint);
  if (!pair.found) {
    if (pair.first === undefined) return explain(question, query, 'NONE', true);
    return refuse('NOT_DISJOINT', `no two ${query.disjoint.toLowerCase()}-disjoint paths have room`, {
      bottlenecks: shared(question, query, pair.first, pair.reached),
    });
  }
  const risks = query.constraints?.['srlg_disjoint'] === true;
  const [one, other] = pair.paths;
  const meets = [one, other].every((links) => withinBounds(question, links) && passes(question, links));
  if (meets && !(risks && shareRisk(question, one, other))) {
    const found = together(question, query, one, other);
    if (found !== undefined) return { ...found, proven: true };
  }
  return portWithoutLabel(question, query) ?? enumerate(question, query, query.disjoint, risks);
}

function enumerate(
  question: Question,
  query: PathQuery,
  mode: Disjointness,
  risks: boolean,
): PathPair | Refusal {
  const core = ask(question, query);
  const lengthOf = (links: readonly number[]): number => {
    let sum = 0;
    for (const link of links) sum += core.weight(link);
    return sum;
  };
  let best: Omit<PathPair, 'proven'> | undefined;
  let least = Number.POSITIVE_INFINITY;
  let proven = true;
  let tried = 0;
  /** The shortest first path, and what its partner had to be: what stops that one is told in a refusal. */
  let wanted: { readonly links: readonly number[]; readonly partner: Question } | undefined;
  for (const first of acceptable(question, query)) {
    if (first === 'BUDGET' || ++tried > MAX_FIRST_PATHS) {
      proven = false;
      break;
    }
    // The partner is no shorter: it comes later in the order, or has been tried as a first path already.
    if (2 * lengthOf(first.links) >= least) break;
    const asked = partnerOf(question, query, first.links, mode, risks);
    wanted ??= { links: first.links, partner: asked };
    const partner = attemptAt(asked, query);
    if (partner.found === 'BUDGET') proven = false;
    if (partner.found !== 'PATH') continue;
    const total = lengthOf(first.links) + lengthOf(partner.links);
    if (total >= least) continue;
    const found = together(question, query, first.links, partner.links);
    // Each has labels, but not the same ones at the ports: another partner might do, and is not looked for.
    if (found === undefined) proven = false;
    else [best, least] = [found, total];
  }
  if (best !== undefined) return { ...best, proven };
  const names = [
    ...new Set([...question.rules.bounds, ...question.rules.automata].map((rule) => rule.name)),
    ...(risks ? ['srlg_disjoint'] : []),
  ];
  if (!proven) return refuse('BUDGET', 'no pair was found within the bounded work', { constraints: names });
  if (wanted === undefined) return explain(question, query, 'NONE');
  const { bottlenecks } = explain(wanted.partner, query, 'NONE');
  return refuse('NOT_DISJOINT', 'no two disjoint paths meet all that is asked', {
    // However empty the network, whatever meets the constraints needs something that the first path holds.
    bottlenecks: bottlenecks.length > 0 ? bottlenecks : heldBy(question, query, wanted.links, mode),
    constraints: names,
  });
}

function heldBy(
  question: Question,
  { start, end }: Window,
  links: readonly number[],
  mode: Disjointness,
): Bottleneck[] {
  const { network, free } = question;
  const edgeOf = (link: number): Bottleneck => {
    const { edge } = network.link(link);
    return { edge: network.names.name(edge), kind: 'BARRED', free: free.free(edge, start, end) };
  };
  const nodes = mode === 'NODE' ? nodesOf(question, links).slice(1, -1) : [];
  const shared = nodes.map(
    (node, i): Bottleneck => ({
      ...edgeOf(links[i] as number),
      kind: 'SHARED',
      node: network.node(node).id,
    }),
  );
  return [...shared, ...links.map(edgeOf)].slice(0, MAX_BOTTLENECKS);
}

/** The question that a partner of `first` has to answer. */
function partnerOf(
  question: Question,
  window: Window,
  first: readonly number[],
  mode: Disjointness,
  risks: boolean,
): Question {
  const { network } = question;
  const links = new Set(first);
  const inner = new Set(mode === 'NODE' ? nodesOf(question, first).slice(1, -1) : []);
  const groups = new Set(risks ? first.flatMap((link) => network.link(link).srlgs) : []);
  const ends = endsOf(question, first, window);
  return changed(question, {
    askA: asAsk(ends.first),
    askZ: asAsk(ends.last),
    barred: (index) => {
      if (links.has(index) || question.barred(index)) return true;
      const link = network.link(index);
      return inner.has(link.a) || inner.has(link.z) || link.srlgs.some((srlg) => groups.has(srlg));
    },
  });
}

function shareRisk({ network }: Question, one: readonly number[], other: readonly number[]): boolean {
  const risks = new Set(one.flatMap((link) => network.link(link).srlgs));
  return other.some((link) => network.link(link).srlgs.some((srlg) => risks.has(srlg)));
}

const endsOf = (question: Question, links: readonly number[], window: Window): EndChoices =>
  endChoices(question, rowOf(question, links, window), nodesOf(question, links));

type Row = readonly (Label | undefined)[];

/** Labels for both paths: the same at each port, since both leave and arrive there. */
function labelsOfBoth(
  question: Question,
  window: Window,
  one: readonly number[],
  other: readonly number[],
): readonly [Row, Row] | undefined {
  const { swaps } = question.network;
  if (swaps[question.a.node] === 1 && swaps[question.z.node] === 1) {
    // The ports' labels depend on nothing further in: what one path gets there, the other gets too.
    const first = labelsFor(question, one, window);
    const second = first && labelsFor(question, other, window);
    return second && [first, [first[0], ...second.slice(1, -1), first.at(-1)]];
  }
  const [mine, theirs] = [endsOf(question, one, window), endsOf(question, other, window)];
  const both = (x: Choice, y: Choice): Choice =>
    x.kind === undefined || x.kind !== y.kind ? x : narrow(x, y);
  let first = both(mine.first, theirs.first);
  let last = both(mine.last, theirs.last);
  if (mine.one || theirs.one) {
    first = both(first, last);
    last = first;
  }
  if (first.empty || last.empty) return undefined;
  const fixed = changed(question, { askA: lowestAsAsk(first), askZ: lowestAsAsk(last) });
  const rows = [labelsFor(fixed, one, window), labelsFor(fixed, other, window)];
  return rows[0] && rows[1] && [rows[0], rows[1]];
}

/** Both paths as they would be claimed, if labels allow. */
function together(
  question: Question,
  window: Window,
  one: readonly number[],
  other: readonly number[],
): Omit<PathPair, 'proven'> | undefined {
  const labelled = labelsOfBoth(question, window, one, other);
  if (labelled === undefined) return undefined;
  const paths = [describe(question, one, labelled[0]), describe(question, other, labelled[1])] as const;
  const uses = new Map([...paths[0].uses, ...paths[1].uses].map((use) => [`${use.edge} ${use.label}`, use]));
  return { found: true, paths, uses: [...uses.values()] };
}

/** What the second path could not do without: full links beside what the first one holds. */
function shared(
  question: Question,
  window: Window,
  first: readonly number[],
  reached: Reached,
): Bottleneck[] {
  const { network, free, mbps } = question;
  const { start, end } = window;
  const bottlenecks: Bottleneck[] = [];
  const held = new Set(first);
  const nodes = nodesOf(question, first);
  nodes.slice(1, -1).forEach((node, i) => {
    if (!reached.at(node) || reached.beyond(node)) return;
    const { edge, id } = { edge: network.link(first[i] as number).edge, id: network.node(node).id };
    bottlenecks.push({
      edge: network.names.name(edge),
      kind: 'SHARED',
      free: free.free(edge, start, end),
      node: id,
    });
  });
  network.links.forEach(({ a, z, edge }, link) => {
    const [near, far] = reached.beyond(a) ? [a, z] : [z, a];
    if (!reached.beyond(near) || reached.at(far) || question.barred(link)) return;
    if (!held.has(link) && free.fits(edge, mbps, start, end)) return;
    bottlenecks.push({
      edge: network.names.name(edge),
      kind: held.has(link) ? 'SHARED' : 'FULL',
      free: free.free(edge, start, end),
    });
  });
  return bottlenecks.slice(0, MAX_BOTTLENECKS);
}
