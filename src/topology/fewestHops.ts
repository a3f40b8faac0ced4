/**
 * A first path search: fewest hops over links that are free in the whole window, breadth first. It looks at
 * one slot and one rate, chooses labels once it has a path (one label all the way if there is one), and says
 * what blocks when there is none.
 */
import type { Bottleneck } from '../kernel/errors.ts';
import type { Edge, Free, Seconds } from '../model/capacity.ts';
import { linkEdge, portEdge } from '../model/capacity.ts';
import type { Constraints, Hop, Use } from '../model/circuit.ts';
import {
  ALL_LABELS,
  type Label,
  type LabelAsk,
  type LabelRanges,
  LabelSet,
  parseLabels,
  UNTAGGED,
} from '../model/label.ts';
import { edgeFilters, pathChecks } from './constraints/index.ts';
import type { NetLink, NetPort, Network } from './network.ts';

export interface PathAsk {
  readonly a: { readonly port: NetPort; readonly labels: LabelAsk };
  readonly z: { readonly port: NetPort; readonly labels: LabelAsk };
  readonly mbps: number;
  readonly start: Seconds;
  readonly end: Seconds;
  readonly constraints: Constraints;
}

export interface FoundPath {
  readonly kind: 'found';
  readonly links: readonly string[];
  readonly latencyMs: number;
  readonly aLabel: Label;
  readonly zLabel: Label;
  readonly uses: readonly Use[];
  readonly hops: readonly Hop[];
}
export interface NoPath {
  readonly kind: 'none';
  readonly bottlenecks: readonly Bottleneck[];
}

export function findPath(network: Network, free: Free, ask: PathAsk): FoundPath | NoPath {
  const blocked = [ask.a.port, ask.z.port].flatMap((port) => portBottleneck(free, port, ask));
  if (blocked.length > 0) return { kind: 'none', bottlenecks: blocked };
  const route = search(network, free, ask);
  if (!Array.isArray(route)) return route;
  return label(network, free, ask, route);
}

function portBottleneck(free: Free, port: NetPort, ask: PathAsk): Bottleneck[] {
  const left = free.free(port.edge, ask.start, ask.end);
  return left >= ask.mbps
    ? []
    : [{ kind: 'PORT', id: port.id, free_mbps: Math.max(0, left), needed_mbps: ask.mbps }];
}

function search(network: Network, free: Free, ask: PathAsk): NetLink[] | NoPath {
  const usable = edgeFilters(ask.constraints);
  const origin = ask.a.port.node;
  const target = ask.z.port.node;
  const cameBy = new Map<string, NetLink | undefined>([[origin, undefined]]);
  const full: NetLink[] = [];
  const queue = [origin];
  for (let i = 0; i < queue.length && !cameBy.has(target); i++) {
    for (const link of network.leaving.get(queue[i] as string) ?? []) {
      if (cameBy.has(link.to) || !link.up || !usable(link)) continue;
      if (!free.fits(link.edge, ask.mbps, ask.start, ask.end)) {
        full.push(link);
        continue;
      }
      cameBy.set(link.to, link);
      queue.push(link.to);
    }
  }
  if (!cameBy.has(target)) {
    const cut = full.filter((link) => !cameBy.has(link.to));
    if (cut.length === 0)
      return none([{ kind: 'NO_ROUTE', id: `${origin}-${target}`, detail: 'no links lead there' }]);
    return none(cut.map((link) => linkBottleneck(free, link, ask)));
  }
  const route: NetLink[] = [];
  for (let at = cameBy.get(target); at !== undefined; at = cameBy.get(at.from)) route.unshift(at);
  const refusal = pathChecks(ask.constraints, route);
  return refusal === undefined ? route : none([refusal]);
}

function label(network: Network, free: Free, ask: PathAsk, route: readonly NetLink[]): FoundPath | NoPath {
  const edges = route.map((link) => ({
    edge: link.edge,
    id: link.id,
    kind: 'LINK' as const,
    allowed: rangesOf(link.document.vlans),
  }));
  const ends = [ask.a, ask.z].map((end) => ({
    edge: end.port.edge,
    id: end.port.id,
    kind: 'PORT' as const,
    allowed: askedOf(end.labels, end.port.labels),
  }));
  const taken = (edge: Edge): LabelSet => free.labels(edge, ask.start, ask.end);
  const all = [...ends, ...edges].map((place) => ({ ...place, taken: taken(place.edge) }));

  const labels: (Label | undefined)[] = [];
  for (const [i, place] of all.entries()) {
    if (place.taken.has(UNTAGGED)) labels[i] = undefined;
    else if (place.allowed === 'UNTAGGED') labels[i] = place.taken.empty ? UNTAGGED : undefined;
  }
  const tagged = all.filter((place) => place.allowed !== 'UNTAGGED');
  const common = commonLabel(tagged);
  const mustKeep = [ask.a.port.node, ...route.map((link) => link.to)].some(
    (id) => network.nodes.get(id)?.swaps_labels === false,
  );
  if (common === undefined && mustKeep && tagged.length > 1) {
    return none([
      {
        kind: 'LABEL',
        id: route[0]?.id ?? ask.a.port.id,
        detail: 'no VLAN is free on the whole path, and a node on it cannot swap',
      },
    ]);
  }
  for (const [i, place] of all.entries()) {
    if (place.allowed === 'UNTAGGED' || place.taken.has(UNTAGGED)) continue;
    labels[i] = common ?? place.taken.firstFree(place.allowed);
  }
  const missing = all.find((_, i) => labels[i] === undefined);
  if (missing !== undefined) {
    return none([
      {
        kind: 'LABEL',
        id: missing.id,
        detail: `no VLAN of those asked for is free on this ${missing.kind.toLowerCase()}`,
      },
    ]);
  }
  const [aLabel, zLabel, ...linkLabels] = labels as Label[];
  return assemble(network, ask, route, aLabel as Label, zLabel as Label, linkLabels);
}

function assemble(
  network: Network,
  ask: PathAsk,
  route: readonly NetLink[],
  aLabel: Label,
  zLabel: Label,
  linkLabels: readonly Label[],
): FoundPath {
  const hops: Hop[] = [];
  let at = { port: ask.a.port.devicePort, label: aLabel };
  let node = ask.a.port.node;
  const device = (id: string): string => network.nodes.get(id)?.device ?? id;
  for (const [i, link] of route.entries()) {
    const through = linkLabels[i] as Label;
    hops.push({ device: device(node), in: at, out: { port: link.fromPort, label: through } });
    at = { port: link.toPort, label: through };
    node = link.to;
  }
  hops.push({ device: device(node), in: at, out: { port: ask.z.port.devicePort, label: zLabel } });
  return {
    kind: 'found',
    links: route.map((link) => link.id),
    latencyMs: route.reduce((sum, link) => sum + link.latencyMs, 0),
    aLabel,
    zLabel,
    uses: [
      { edge: portEdge(ask.a.port.id), label: aLabel },
      ...route.map((link, i) => ({ edge: linkEdge(link.id), label: linkLabels[i] as Label })),
      { edge: portEdge(ask.z.port.id), label: zLabel },
    ],
    hops,
  };
}

const none = (bottlenecks: readonly Bottleneck[]): NoPath => ({ kind: 'none', bottlenecks });

const linkBottleneck = (free: Free, link: NetLink, ask: PathAsk): Bottleneck => ({
  kind: 'LINK',
  id: link.id,
  free_mbps: Math.max(0, free.free(link.edge, ask.start, ask.end)),
  needed_mbps: ask.mbps,
});

const rangesOf = (text: string | undefined): LabelRanges =>
  text === undefined ? ALL_LABELS : (parseLabels(text) ?? []);

/** What the client asked for, within what the port offers. */
function askedOf(ask: LabelAsk, offered: LabelRanges): LabelRanges | 'UNTAGGED' {
  if (ask === 'UNTAGGED') return 'UNTAGGED';
  if (ask === 'ANY') return offered;
  return ask.flatMap(([low, high]) =>
    offered.flatMap(([first, last]): [number, number][] =>
      Math.max(low, first) <= Math.min(high, last) ? [[Math.max(low, first), Math.min(high, last)]] : [],
    ),
  );
}

const sets = new WeakMap<LabelRanges, LabelSet>();

/** The same ranges come again with every request: their set is made once. */
function setOf(ranges: LabelRanges): LabelSet {
  let set = sets.get(ranges);
  if (set === undefined) {
    set = LabelSet.of(ranges);
    sets.set(ranges, set);
  }
  return set;
}

/** The lowest label that every place allows and has free. */
function commonLabel(
  places: readonly { readonly allowed: LabelRanges | 'UNTAGGED'; readonly taken: LabelSet }[],
): Label | undefined {
  const blocked = new LabelSet();
  for (const { allowed, taken } of places) {
    const open = allowed === 'UNTAGGED' ? new LabelSet() : setOf(allowed);
    for (let w = 0; w < blocked.words.length; w++) {
      blocked.words[w] =
        (blocked.words[w] as number) | (taken.words[w] as number) | ~(open.words[w] as number);
    }
    if (taken.has(UNTAGGED)) return undefined;
  }
  return places.length === 0 ? undefined : blocked.firstFree(ALL_LABELS);
}
