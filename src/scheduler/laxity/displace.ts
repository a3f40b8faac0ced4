/**
 * What it would take to have a slot that is not free: the path on which the least has to give way, and whom
 * to take out of it, link by link and then label by label. Only what is movable counts as in the way; where
 * rigid bookings leave no room, there is no price. Choosing among those in the way is the rung's business.
 */
import type { Edge, Seconds } from '../../model/capacity.ts';
import { type Label, UNTAGGED } from '../../model/label.ts';
import { nodesOf } from '../../topology/search/describe.ts';
import { type Choice, linkChoice, mustAgree, narrow, rowOf } from '../../topology/search/labels.ts';
import type { Question } from '../../topology/search/question.ts';
import { acceptable } from '../../topology/search/ranked.ts';
import { cheapest, edgesOf, endEdges, labelled, linksOf, type Priced } from './course.ts';
import { byId, type Entry } from './fleet.ts';
import { type Course, pairAt } from './pair.ts';
import type { Trial } from './trial.ts';

/** Prices of one unit over [start, end): of a link that is not free. Infinity when what is there is rigid. */
export type PriceOf = (edge: Edge, start: Seconds, end: Seconds, mbps: number) => number;

/** How much it would hurt to take `one` out, where `over` Mb/s too much are claimed. The least is taken. */
export type Hurt = (one: Entry, over: number, path: ReadonlySet<Edge>) => number;

/** Paths looked at where constraints or labels keep the cheapest one from being taken as it is. */
const MAX_PATHS = 8;
/** With so few labels, links run out of them before they run out of bandwidth. */
const SCARCE_WORDS = 4;

/** The cheapest path by `priceOf` that rigid bookings leave free at `start`, in room, labels and constraints. */
export function cheapestAt(trial: Trial, entry: Entry, start: Seconds, priceOf: PriceOf): Priced | undefined {
  trial.spend();
  const { mbps, duration } = entry.booking;
  const end = start + duration;
  const { total, rigid } = trial.mustAsk(entry);
  const { question } = rigid;
  for (const edge of endEdges(question)) {
    if (!question.free.fits(edge, mbps, start, end)) return undefined;
  }
  const price = (link: number): number => {
    const { edge } = question.network.link(link);
    if (total.question.free.fits(edge, mbps, start, end)) return 1 + scarce(total.question, link, start, end);
    return priceOf(edge, start, end, mbps);
  };
  if (rigid.pair) {
    trial.spend();
    const found = pairAt(rigid, { start, end });
    if (typeof found === 'string') return undefined;
    const links = linksOf(found);
    return { links, price: links.reduce((sum, link) => sum + price(link), 0) };
  }
  const { rules } = question;
  const plain = rules.automata.length === 0 && rules.bounds.length === 0;
  if (plain) {
    const found = cheapest(question, price);
    if (found === undefined) return undefined;
    if (labelled(question, found.links, { start, end }) !== undefined) return found;
  }
  let best: Priced | undefined;
  let looked = 0;
  for (const one of acceptable(question, { ...rigid.query, start, end })) {
    if (one === 'BUDGET' || ++looked > MAX_PATHS) break;
    let sum = 0;
    for (const link of one.links) sum += price(link);
    if (sum < (best?.price ?? Number.POSITIVE_INFINITY)) best = { links: one.links, price: sum };
  }
  return best;
}

/** Where every label is taken though there is bandwidth, somebody has to give way too. */
function scarce(question: Question, link: number, start: Seconds, end: Seconds): number {
  const { labels } = question.network.link(link);
  if (labels === undefined || labels.words > SCARCE_WORDS) return 0;
  return linkChoice(question, link, { start, end }).empty ? 8 : 0;
}

/**
 * Takes out what stands in the way of `entry` over `links` at `start`, at most `most` bookings, and says
 * which, and the course that is then free. Undefined when it cannot be done; what was taken by then stays
 * taken, so the caller goes back to its mark.
 */
export function makeRoom(
  trial: Trial,
  entry: Entry,
  start: Seconds,
  links: readonly number[],
  hurt: Hurt,
  most: number,
): { readonly course: Course; readonly out: readonly Entry[] } | undefined {
  trial.spend();
  const question = trial.questionOf(entry);
  const { mbps, duration } = entry.booking;
  const end = start + duration;
  const edges = edgesOf(question, links);
  const path = new Set(edges);
  const out: Entry[] = [];
  for (const edge of edges) {
    let from = start;
    for (;;) {
      const over = trial.fleet.total.firstOver(edge, mbps, from, end);
      if (over === undefined) break;
      from = over.at;
      const best = leastHurt(trial, edge, over.at, (one) => hurt(one, over.mbps, path));
      if (best === undefined || out.length >= most) return undefined;
      trial.take(best);
      out.push(best);
    }
  }
  const { total } = trial.mustAsk(entry);
  if (total.pair) {
    const pair = pairAt(total, { start, end });
    return typeof pair === 'string' ? undefined : { course: pair, out };
  }
  const free = labelled(question, links, { start, end });
  if (free !== undefined) return { course: free, out };
  const holders = labelHolders(trial, entry, links, start, end, (one) => hurt(one, 1, path));
  if (holders === undefined || out.length + holders.length > most) return undefined;
  for (const one of holders) trial.take(one);
  out.push(...holders);
  const course = labelled(question, links, { start, end });
  return course === undefined ? undefined : { course, out };
}

export function leastHurt(
  trial: Trial,
  edge: Edge,
  at: Seconds,
  hurt: (one: Entry) => number,
): Entry | undefined {
  let best: Entry | undefined;
  do {
    best = leastOf(trial, edge, at, hurt);
  } while (best !== undefined && !trial.canBeAsked(best));
  return best;
}

function leastOf(trial: Trial, edge: Edge, at: Seconds, hurt: (one: Entry) => number): Entry | undefined {
  let best: Entry | undefined;
  let least = Number.POSITIVE_INFINITY;
  trial.fleet.presence.visit(edge, at, at + 1, (one) => {
    if (!trial.canMove(one)) return;
    const pain = hurt(one);
    if (pain < least || (pain === least && best !== undefined && byId(one, best) < 0)) {
      if (pain === Number.POSITIVE_INFINITY) return;
      least = pain;
      best = one;
    }
  });
  return best;
}

/** Those who hold the labels that hurt least to be had on these links: one label for each run of places. */
function labelHolders(
  trial: Trial,
  entry: Entry,
  links: readonly number[],
  start: Seconds,
  end: Seconds,
  hurt: (one: Entry) => number,
): Entry[] | undefined {
  const { question } = trial.mustAsk(entry).rigid;
  const window = { start, end };
  const choices = rowOf(question, links, window);
  const edges = [question.a.edge, ...links.map((link) => question.network.link(link).edge), question.z.edge];
  const nodes = nodesOf(question, links);
  const holders = new Set<Entry>();
  for (let from = 0; from < choices.length; ) {
    let common = choices[from] as Choice;
    let to = from;
    while (
      to + 1 < choices.length &&
      mustAgree(question, nodes[to] as number, common, choices[to + 1] as Choice)
    ) {
      to++;
      common = narrow(common, choices[to] as Choice);
    }
    if (common.empty) return undefined;
    const run = cheapestLabel(
      trial,
      [...edges.slice(from, to + 1), ...spaces(question, nodes, from, to, common)],
      common,
      start,
      end,
      hurt,
    );
    if (run === undefined) return undefined;
    for (const one of run) holders.add(one);
    from = to + 1;
  }
  return [...holders].sort(byId);
}

/** The nodes along a run of places that have each VLAN only once: who holds it there is in the way too. */
function spaces(
  { network }: Question,
  nodes: readonly number[],
  from: number,
  to: number,
  { kind }: Choice,
): Edge[] {
  if (kind !== 'VLAN') return [];
  return nodes.slice(Math.max(0, from - 1), to + 1).flatMap((node) => network.space(node) ?? []);
}

function cheapestLabel(
  trial: Trial,
  edges: readonly Edge[],
  choice: Choice,
  start: Seconds,
  end: Seconds,
  hurt: (one: Entry) => number,
): readonly Entry[] | undefined {
  if (choice.kind === undefined && choice.fixed === undefined) return [];
  /** Who is in the way of each label; those on a whole port are in the way of all. */
  const byLabel = new Map<Label, Set<Entry>>();
  const always = new Set<Entry>();
  const wholePort = choice.fixed === UNTAGGED;
  for (const edge of edges) {
    trial.fleet.presence.visit(edge, start, end, (one) => {
      if (one.rigid) return;
      const label = one.uses.find((use) => use.edge === edge)?.label;
      if (label === undefined) return;
      if (wholePort || label === UNTAGGED) always.add(one);
      else byLabel.set(label, (byLabel.get(label) ?? new Set()).add(one));
    });
  }
  const price = (ones: Iterable<Entry>): number => {
    let sum = 0;
    for (const one of ones)
      sum += trial.canMove(one) && trial.canBeAsked(one) ? hurt(one) : Number.POSITIVE_INFINITY;
    return sum;
  };
  if (price(always) === Number.POSITIVE_INFINITY) return undefined;
  if (wholePort) return [...always];
  let best: ReadonlySet<Entry> | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (let word = 0; word < choice.length; word++) {
    for (let bits = choice.words[word] as number; bits !== 0; bits &= bits - 1) {
      const holding = byLabel.get(word * 32 + 31 - Math.clz32(bits & -bits));
      // Nobody holds it: no other can be cheaper.
      if (holding === undefined) return [...always];
      const pain = price(holding);
      if (pain < least) [best, least] = [holding, pain];
    }
  }
  return best && [...new Set([...always, ...best])];
}

/** Would it fit if everybody movable were away? Prices ask this first. */
export const rigidFits = (trial: Trial, edge: Edge, mbps: number, start: Seconds, end: Seconds): boolean =>
  trial.fleet.rigid.fits(edge, mbps, start, end);
