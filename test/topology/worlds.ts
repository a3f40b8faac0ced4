/**
 * Small random networks with random claims, and the slow, obvious way to answer every question about them:
 * list all simple paths and look at each. The fast searches are compared with it.
 */
import { type Random, seededRandom } from '../../src/kernel/random.ts';
import {
  type Edge,
  EdgeNames,
  linkEdge,
  nodeEdge,
  portEdge,
  type Seconds,
} from '../../src/model/capacity.ts';
import type { Constraints } from '../../src/model/circuit.ts';
import { type LabelAsk, LabelSet, parseLabels, UNTAGGED } from '../../src/model/label.ts';
import { Calendar } from '../../src/scheduler/calendar.ts';
import { compile } from '../../src/topology/compile.ts';
import type { LinkDocument, NodeDocument, TopologyDocument } from '../../src/topology/document.ts';
import type { Network } from '../../src/topology/network.ts';
import type { PathQuery, Snapshot } from '../../src/topology/search/question.ts';

export interface Shape {
  readonly nodes: number;
  readonly links: number;
  /** Costs are 0 .. costs - 1: few of them make many ties, and 0 makes cycles for nothing. */
  readonly costs?: number;
  readonly swap?: 'ALL' | 'NONE' | 'SOME';
  readonly vlans?: string;
  /** Do nodes that cannot swap have each VLAN only once? */
  readonly scope?: 'NODE' | 'PORT';
  readonly wavelengths?: boolean;
  readonly claims?: number;
  readonly span?: number;
  readonly capacity?: number;
  readonly srlgs?: number;
}

export interface World extends Snapshot {
  readonly document: TopologyDocument;
  readonly calendar: Calendar;
  readonly random: ReturnType<typeof seededRandom>;
}

const pick = <T>(random: Random, of: readonly T[]): T => of[random.int(of.length)] as T;

export function world(seed: number, shape: Shape): World {
  const random = seededRandom(seed);
  const nodes: NodeDocument[] = Array.from({ length: shape.nodes }, (_, i) => {
    const swaps = shape.swap === 'ALL' || (shape.swap === 'SOME' && random.chance(0.5));
    return {
      id: `n${i}`,
      domain: `d${i % 3}`,
      swaps_labels: swaps,
      label_scope: swaps ? 'PORT' : (shape.scope ?? 'PORT'),
    };
  });
  const links: LinkDocument[] = Array.from({ length: shape.links }, (_, i) => {
    const a = random.int(shape.nodes);
    const z = (a + 1 + random.int(shape.nodes - 1)) % shape.nodes;
    const srlgs = (shape.srlgs ?? 0) > 0 && random.chance(0.5) ? [`r${random.int(shape.srlgs ?? 0)}`] : [];
    return {
      id: `l${i}`,
      a: { node: `n${a}`, port: `x${i}` },
      z: { node: `n${z}`, port: `y${i}` },
      capacity_mbps: pick(random, [shape.capacity ?? 10, (shape.capacity ?? 10) - 3]),
      latency_ms: random.int(8) / 4,
      cost: random.int(shape.costs ?? 5),
      mtu: pick(random, [1500, 9000]),
      ...(shape.wavelengths === true && random.chance(0.3)
        ? { wavelengths: '1-3' }
        : { vlans: shape.vlans ?? '2-9' }),
      srlgs,
      ...(random.chance(0.05) ? { oper_state: 'DOWN' as const } : {}),
    };
  });
  const ports = nodes.map(({ id }) => ({
    id: `t:${id}`,
    node: id,
    kind: 'CLIENT' as const,
    capacity_mbps: 2 * (shape.capacity ?? 10),
    vlans: shape.vlans ?? '2-9',
    mtu: 9000,
  }));
  const document: TopologyDocument = { domain: 'test', prefix: 't', nodes, links, ports };
  const network = compile(document, new EdgeNames());
  const calendar = new Calendar();
  for (const [edge, room] of network.rooms()) calendar.setRoom(edge, room);
  const span = shape.span ?? 40;
  const labels = LabelSet.of(parseLabels(shape.vlans ?? '2-9') ?? []);
  const some = Array.from({ length: 10 }, (_, i) => i).filter((label) => labels.has(label));
  for (let i = 0; i < (shape.claims ?? 0); i++) {
    const start = random.int(span);
    const end = start + 1 + random.int(12);
    // Without bandwidth now and then: labels alone must be able to block.
    const onPort = random.chance(0.1);
    const edge = network.names.intern(
      onPort ? portEdge(pick(random, ports).id) : linkEdge(pick(random, links).id),
    );
    const mbps = random.int(5);
    if (!calendar.fits(edge, mbps, start, end)) continue;
    const label = random.chance(0.03) ? UNTAGGED : pick(random, some);
    calendar.claim({ edge, mbps, start, end, ...(shape.vlans === undefined ? {} : { label }) });
  }
  // What circuits elsewhere on a node have of its VLANs.
  for (const node of nodes.filter(({ label_scope }) => label_scope === 'NODE')) {
    for (let i = random.int(4); i > 0; i--) {
      const start = random.int(span);
      const edge = network.names.intern(nodeEdge(node.id));
      calendar.claim({
        edge,
        mbps: random.int(5),
        start,
        end: start + 1 + random.int(12),
        label: pick(random, some),
      });
    }
  }
  return { document, network, calendar, free: calendar, random };
}

export function query(w: World, more: Partial<PathQuery> = {}): PathQuery {
  const start = w.random.int(35);
  return {
    a: { port: `t:n${w.random.int(w.document.nodes.length)}`, vlan: 'ANY' },
    z: { port: `t:n${w.random.int(w.document.nodes.length)}`, vlan: 'ANY' },
    mbps: 1 + w.random.int(8),
    start,
    end: start + 1 + w.random.int(8),
    ...more,
  };
}

/** Random constraints of every kind, each seldom. */
export function someConstraints(w: World): Constraints {
  const { random, document } = w;
  const link = (): string => pick(random, document.links).id;
  const node = (): string => pick(random, document.nodes).id;
  const made: Record<string, unknown> = {};
  const seldom = (name: string, value: () => unknown): void => {
    if (random.chance(0.12)) made[name] = value();
  };
  seldom('exclude_links', () => [link(), link()]);
  seldom('exclude_nodes', () => [node()]);
  seldom('exclude_domains', () => [`d${random.int(3)}`]);
  seldom('include_links', () => [link()]);
  seldom('include_nodes', () => [node(), node()]);
  seldom('include_domains', () => [`d${random.int(3)}`]);
  seldom('explicit_route', () => [
    { node: node(), strict: random.chance(0.3) },
    random.chance(0.5) ? { link: link() } : { node: node() },
  ]);
  seldom('max_hops', () => 1 + random.int(4));
  seldom('max_latency_ms', () => random.int(16) / 4);
  seldom('max_cost', () => random.int(10));
  seldom('min_mtu', () => 9000);
  return made;
}

/** A path as the oracle sees it: link and node numbers from the source on. */
export interface Walk {
  readonly links: readonly number[];
  readonly nodes: readonly number[];
}

export function* simplePaths(network: Network, source: number, target: number): Generator<Walk> {
  const links: number[] = [];
  const nodes = [source];
  function* from(node: number): Generator<Walk> {
    if (node === target) {
      yield { links: [...links], nodes: [...nodes] };
      return;
    }
    for (const [i, link] of network.links.entries()) {
      if (link.a !== node && link.z !== node) continue;
      const next = link.a === node ? link.z : link.a;
      if (nodes.includes(next)) continue;
      links.push(i);
      nodes.push(next);
      yield* from(next);
      links.pop();
      nodes.pop();
    }
  }
  yield* from(source);
}

export function hasRoom(w: World, q: PathQuery, walk: Walk): boolean {
  const edges = [
    portEdge(q.a.port),
    portEdge(q.z.port),
    ...walk.links.map((l) => linkEdge(`${w.network.link(l).id}`)),
  ];
  return edges.every((id) => w.free.fits(w.network.names.intern(id), q.mbps, q.start, q.end));
}

export const usable = (w: World, walk: Walk): boolean =>
  walk.links.every(
    (l) => w.document.links.find(({ id }) => id === w.network.link(l).id)?.oper_state !== 'DOWN',
  );

/** Constraints, read straight from the request. */
export function meets(w: World, constraints: Constraints, walk: Walk): boolean {
  const links = walk.links.map((l) => w.network.link(l));
  const ids = links.map((l) => l.id);
  const nodes = walk.nodes.map((n) => w.network.node(n));
  const names = nodes.map((n) => n.id);
  const domains = nodes.map((n) => n.domain);
  const list = (name: string): string[] => (constraints[name] ?? []) as string[];
  const most = (name: string): number => (constraints[name] ?? Number.POSITIVE_INFINITY) as number;
  const sum = (of: readonly number[]): number => of.reduce((x, y) => x + y, 0);
  return (
    !list('exclude_links').some((id) => ids.includes(id)) &&
    !list('exclude_nodes').some((id) => names.includes(id)) &&
    !list('exclude_domains').some((id) => domains.includes(id)) &&
    !list('exclude_srlgs').some((id) => links.some((l) => l.srlgs.includes(id))) &&
    list('include_links').every((id) => ids.includes(id)) &&
    list('include_nodes').every((id) => names.includes(id)) &&
    list('include_domains').every((id) => domains.includes(id)) &&
    list('include_srlgs').every((id) => links.some((l) => l.srlgs.includes(id))) &&
    ids.length <= most('max_hops') &&
    sum(links.map((l) => l.latencyMs)) <= most('max_latency_ms') + 1e-9 &&
    sum(links.map((l) => l.cost)) <= most('max_cost') + 1e-9 &&
    links.every((l) => l.mtu >= ((constraints['min_mtu'] ?? 0) as number)) &&
    followsRoute((constraints['explicit_route'] ?? []) as RouteStep[], ids, names)
  );
}

type RouteStep = { node?: string; link?: string; strict?: boolean };

/** The path as a row n0 l0 n1 l1 ...: each step must be found after the one before; strict, as the next of it. */
function followsRoute(route: RouteStep[], links: string[], nodes: string[]): boolean {
  // Positions: node i is 2 i, link i is 2 i + 1. `at` is the last thing that was matched.
  let at = -1;
  for (const { node, link, strict } of route) {
    const found = node !== undefined ? 2 * nodes.indexOf(node) : 2 * links.indexOf(link ?? '') + 1;
    if (
      found <= at ||
      (node !== undefined && !nodes.includes(node)) ||
      (link !== undefined && !links.includes(link))
    ) {
      return false;
    }
    if (strict === true) {
      // Next node: the one after the last matched thing. At the very start the source counts as passed.
      const here = Math.max(at, 0);
      const next =
        node !== undefined ? (here % 2 === 0 ? here + 2 : here + 1) : here % 2 === 0 ? here + 1 : here + 2;
      if (!(found === next || (at < 0 && found === 0))) return false;
    }
    at = found;
  }
  return true;
}

/** Is there any way to give every place of the path a label? Tries all of them, place by place. */
export function canLabel(w: World, q: PathQuery, walk: Walk): boolean {
  const { network, free } = w;
  const set = (edge: Edge): LabelSet => free.labels(edge, q.start, q.end);
  type Place = { kind: string; labels: Set<number> };
  const place = (
    edge: Edge,
    labels: { kind: string; set: LabelSet } | undefined,
    ...nodes: readonly (number | undefined)[]
  ): Place => {
    if (labels === undefined) return { kind: 'none', labels: new Set([-1]) };
    const taken = set(edge);
    for (const node of nodes) {
      const { id = '', label_scope } =
        w.document.nodes.find(({ id }) => id === network.nodes[node ?? -1]?.id) ?? {};
      if (label_scope !== 'NODE' || labels.kind !== 'VLAN') continue;
      const there = set(network.names.intern(nodeEdge(id)));
      for (let label = 1; label < 10; label++) if (there.has(label)) taken.add(label);
    }
    // No world here has a label above 9.
    const all = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const open = taken.has(UNTAGGED) ? [] : all.filter((label) => labels.set.has(label) && !taken.has(label));
    return { kind: labels.kind, labels: new Set(open) };
  };
  const end = (port: string, ask: LabelAsk): Place => {
    const known = network.ports.get(port);
    if (known === undefined) throw new Error(port);
    if (ask === 'UNTAGGED') return { kind: 'none', labels: new Set(set(known.edge).empty ? [0] : []) };
    const open = place(known.edge, known.labels, known.node);
    if (ask === 'ANY') return open;
    const wanted = LabelSet.of(ask);
    return { ...open, labels: new Set([...open.labels].filter((label) => label >= 0 && wanted.has(label))) };
  };
  const places = [
    end(q.a.port, q.a.vlan),
    ...walk.links.map((l, i) =>
      place(network.link(l).edge, network.link(l).labels, walk.nodes[i], walk.nodes[i + 1]),
    ),
    end(q.z.port, q.z.vlan),
  ];
  let possible = (places[0] as Place).labels;
  for (let i = 1; i < places.length; i++) {
    const [before, here] = [places[i - 1] as Place, places[i] as Place];
    const swaps = network.swaps[walk.nodes[i - 1] as number] === 1;
    if (possible.size === 0) return false;
    possible =
      swaps || before.kind !== here.kind || here.kind === 'none'
        ? here.labels
        : new Set([...here.labels].filter((label) => possible.has(label)));
  }
  return possible.size > 0;
}

export function allWalks(w: World, q: PathQuery): Walk[] {
  const [a, z] = [w.network.ports.get(q.a.port), w.network.ports.get(q.z.port)];
  if (a === undefined || z === undefined || a === z) return [];
  return [...simplePaths(w.network, a.node, z.node)].filter((walk) => usable(w, walk));
}

export const good = (w: World, q: PathQuery, walk: Walk): boolean =>
  hasRoom(w, q, walk) && meets(w, q.constraints ?? {}, walk) && canLabel(w, q, walk);

export function lengthOf(w: World, metric: PathQuery['metric'], links: readonly number[]): number {
  if (metric === 'hops') return links.length;
  const of = (l: number): number =>
    metric === 'latency' ? w.network.link(l).latencyMs : w.network.link(l).cost;
  return Math.round(1000 * links.reduce((sum, l) => sum + of(l), 0));
}

export const shortest = (w: World, q: PathQuery, walks: readonly Walk[]): number | undefined =>
  walks.length === 0 ? undefined : Math.min(...walks.map((walk) => lengthOf(w, q.metric, walk.links)));

/** A found path in the oracle's terms. */
export function walkOf(w: World, path: { links: readonly string[]; nodes: readonly string[] }): Walk {
  return {
    links: path.links.map((id) => w.network.linkIndex.get(id) as number),
    nodes: path.nodes.map((id) => w.network.nodeIndex.get(id) as number),
  };
}

export const seconds = (from: Seconds, to: Seconds): Seconds[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
