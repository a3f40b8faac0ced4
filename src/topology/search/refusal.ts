/**
 * Why there is no path: the cut that blocks, found by walking outward from one end over what is open and
 * listing what stops the walk. What nothing could open (state, constraints) is told apart from what is full.
 * This runs only after a search has failed; it may take its time.
 */
import type { Edge, Seconds } from '../../model/capacity.ts';
import type { NetworkPort } from '../network.ts';
import { Core, coreOf } from './core.ts';
import { nodesOf } from './describe.ts';
import { type Exact, searchExactly } from './exact.ts';
import { assign, type Choice, countFree, portChoice, rowOf } from './labels.ts';
import { type Bottleneck, type Question, type Refusal, refuse, type Window } from './question.ts';

/** A refusal names at most so many edges, those first that lack least. */
export const MAX_BOTTLENECKS = 16;

/** The first of the edges of a port (itself, its groups) that has no room in the window. */
export function fullPort(question: Question, { start, end }: Window): Refusal | undefined {
  for (const port of [question.a, question.z]) {
    for (const edge of [port.edge, ...port.groups]) {
      if (question.free.fits(edge, question.mbps, start, end)) continue;
      const detail = `port ${port.id} has no ${question.mbps} Mb/s free in the window`;
      return refuse('PORT', detail, { bottlenecks: [full(question, edge, start, end)] });
    }
  }
  return undefined;
}

export function portWithoutLabel(question: Question, window: Window): Refusal | undefined {
  const ends: [NetworkPort, Choice][] = [
    [question.a, portChoice(question, question.a, question.askA, window)],
    [question.z, portChoice(question, question.z, question.askZ, window)],
  ];
  const blocked = ends.find(([, choice]) => choice.empty)?.[0];
  if (blocked === undefined) return undefined;
  const edge = question.network.names.name(blocked.edge);
  return refuse('PORT', `port ${blocked.id} has no label free in the window`, {
    bottlenecks: [{ edge, kind: 'LABELS', free: 0 }],
  });
}

function full(question: Question, edge: Edge, start: Seconds, end: Seconds): Bottleneck {
  const opens = question.free.nextOpen(edge, question.mbps, end - start, start);
  return {
    edge: question.network.names.name(edge),
    kind: 'FULL',
    free: question.free.free(edge, start, end),
    ...(opens === undefined ? {} : { opens }),
  };
}

/**
 * Why no path meets the question over `window`, whose ports have room. `cut`: the core has just searched in
 * vain for any open path, and still knows which links are.
 */
export function explain(question: Question, window: Window, failed: Exact['found'], cut = false): Refusal {
  const { network, rules } = question;
  const core = coreOf(network);
  const named = [
    ...new Set([...rules.links, ...rules.nodes, ...rules.bounds, ...rules.automata].map((rule) => rule.name)),
  ];
  if (failed === 'BUDGET') {
    return refuse('BUDGET', 'the search gave up within its bounded work', { constraints: named });
  }
  const free = (link: number): number =>
    question.free.free(network.link(link).edge, window.start, window.end);
  const open = (link: number): boolean => !question.barred(link) && free(link) >= question.mbps;
  // What is claimed in this window is to blame if the network as such joins the ends.
  const silent = (link: number): number | undefined =>
    question.reach && network.outOfReach[link] === 1 ? network.silentOn(link) : undefined;
  const fullCut = (): number[] =>
    smallerCut(question, core, (link) => !question.barred(link) || silent(link) !== undefined, free);
  const mute = (): string => {
    if (!question.reach || !network.outOfReach.includes(1)) return '';
    const nodes = [...network.links.keys()].flatMap((link) => silent(link) ?? []);
    const devices = [...new Set(nodes.map((node) => network.node(node).device))];
    return `; no orders are taken now by ${devices.slice(0, MAX_BOTTLENECKS).join(', ')}`;
  };
  const barred = (link: number): Bottleneck => {
    const node = silent(link);
    return {
      edge: network.names.name(network.link(link).edge),
      kind: 'BARRED',
      free: network.capacity[link] as number,
      ...(node === undefined ? {} : { node: network.node(node).id }),
    };
  };
  let blocked = cut ? fullCut() : undefined;
  core.ask((link) => !question.barred(link), question.metric, question.salt);
  if (!core.search(question.a.node, question.z.node)) {
    const against = [...rules.links, ...rules.nodes].map((rule) => rule.name);
    const carries = (link: number): number => network.capacity[link] as number;
    return refuse(
      against.length > 0 && joinedWithoutRules(question) ? 'CONSTRAINTS' : 'DISCONNECTED',
      `no path of links that can carry ${question.mbps} Mb/s and are allowed joins the two ports${mute()}`,
      {
        constraints: against,
        bottlenecks: smallerCut(question, core, () => true, carries).map(barred),
      },
    );
  }
  if (blocked === undefined) {
    core.ask(open, question.metric, question.salt);
    if (!core.search(question.a.node, question.z.node)) blocked = fullCut();
  }
  if (blocked !== undefined) {
    return refuse('CAPACITY', `no path has ${question.mbps} Mb/s free over the whole window${mute()}`, {
      bottlenecks: blocked.map((link) =>
        silent(link) === undefined
          ? full(question, network.link(link).edge, window.start, window.end)
          : barred(link),
      ),
      constraints: named,
    });
  }
  // There is a path with room, so it is what the path as a whole must meet: sums, passages or labels.
  if (searchExactly(question, core, undefined).found === 'PATH') {
    return refuse('LABELS', 'every path with room lacks a label that is free all the way', {
      bottlenecks: labelCut(question, core, window),
      constraints: named,
    });
  }
  core.ask((link) => !question.barred(link), question.metric, question.salt);
  const ideal = searchExactly(question, core, undefined);
  if (ideal.found === 'PATH') {
    // Meeting the constraints would take links that are full: those of the best path that does.
    const bottlenecks = ideal.links
      .filter((link) => !open(link))
      .map((link) => full(question, network.link(link).edge, window.start, window.end));
    return refuse('CAPACITY', 'the paths that meet the constraints have no room in the window', {
      bottlenecks,
      constraints: named,
    });
  }
  const proven = ideal.found === 'NONE';
  return refuse('CONSTRAINTS', `no path meets ${named.join(', ')}`, { constraints: named, proven });
}

function joinedWithoutRules(question: Question): boolean {
  const { network } = question;
  const core = new Core(network);
  core.ask((link) => (network.capacity[link] as number) >= question.mbps, 'hops', 0);
  return core.search(question.a.node, question.z.node);
}

/**
 * After a search in vain: the links that stop a walk from the smaller side, or from either port the fewer of
 * them; those of them that count, the ones with most free first.
 */
function smallerCut(
  question: Question,
  core: Core,
  counts: (link: number) => boolean,
  free: (link: number) => number,
): number[] {
  const cuts: number[][] = [];
  // The side that the search has just settled, and then all that hangs on each end.
  for (const end of [undefined, question.a.node, question.z.node]) {
    if (end !== undefined) {
      core.begin();
      core.flood(end);
    }
    const cut = cutAround(core).filter(counts);
    // A side without any link that counts explains nothing.
    if (cut.length === 0) continue;
    cuts.push(cut);
    // What lies behind the cut is the smaller side: the other one would take a walk through the whole network.
    if (2 * core.settledCount <= question.network.nodes.length) break;
  }
  return (cuts.sort((x, y) => x.length - y.length)[0] ?? [])
    .map((link) => ({ link, free: free(link) }))
    .sort((x, y) => y.free - x.free || x.link - y.link)
    .slice(0, MAX_BOTTLENECKS)
    .map(({ link }) => link);
}

/** The links with one end among the settled nodes. */
export function cutAround(core: Core): number[] {
  const { offset, to, via } = core.network;
  const cut: number[] = [];
  for (let i = 0; i < core.settledCount; i++) {
    const node = core.order[i] as number;
    for (let out = offset[node] as number; out < (offset[node + 1] as number); out++) {
      if (!core.isSettled(to[out] as number)) cut.push(via[out] as number);
    }
  }
  return cut;
}

/**
 * Places that every path with room passes and that lack labels: of each path in turn, shortest first, those of
 * the first run that finds no common label, and then no further path over the scarcest link of that run.
 */
function labelCut(question: Question, core: Core, window: Window): Bottleneck[] {
  const { network, a, z } = question;
  const found = new Map<Edge, number>();
  const without = new Set<number>();
  while (found.size < MAX_BOTTLENECKS) {
    core.begin();
    for (const link of without) core.avoidLink(link);
    if (!core.search(a.node, z.node)) break;
    const links = core.path(z.node);
    const run = labelsLacking(question, links, window);
    const [scarcest] = run.filter(({ link }) => link !== undefined).sort((x, y) => x.free - y.free);
    for (const { edge, free } of run) found.set(edge, free);
    // The ports alone, which are on every path; or this path is refused for something else than its labels.
    if (scarcest?.link === undefined) break;
    without.add(scarcest.link);
  }
  return [...found]
    .map(([edge, free]): Bottleneck => ({ edge: network.names.name(edge), kind: 'LABELS', free }))
    .sort((x, y) => x.free - y.free)
    .slice(0, MAX_BOTTLENECKS);
}

interface Lacking {
  readonly edge: Edge;
  /** Undefined for a port. */
  readonly link: number | undefined;
  readonly free: number;
}

/** The places of the first run on this path that finds no common label; none if all do. */
function labelsLacking(question: Question, links: readonly number[], window: Window): Lacking[] {
  const { network, a, z } = question;
  const places = [a.edge, ...links.map((link) => network.link(link).edge), z.edge];
  const choices = rowOf(question, links, window);
  const assigned = assign(question, choices, nodesOf(question, links));
  if ('labels' in assigned) return [];
  return places
    .map((edge, i) => ({ edge, link: links[i - 1], free: countFree(choices[i] as Choice) }))
    .slice(assigned.from, assigned.to + 1);
}
