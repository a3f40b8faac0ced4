/**
 * Planning a circuit over several domains: one search over everybody's network, cut into a segment per domain
 * at the borders. What was refused before is left out: a label, a way through a domain, a whole domain. What
 * it plans is a proposal; holds decide.
 */
import { type Bottleneck, BrokerError } from '../../kernel/errors.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import { relabel } from '../../model/borders.ts';
import { type Edge, linkEdge, portEdge } from '../../model/capacity.ts';
import type {
  CircuitRequest,
  EndpointAsk,
  Hop,
  Segment,
  SegmentEnd,
  Setback,
  Use,
} from '../../model/circuit.ts';
import { type Label, type LabelAsk, LabelSet } from '../../model/label.ts';
import { prefixOf } from '../../model/port.ts';
import { bothWays } from '../../model/ways.ts';
import type { Path } from '../../topology/search/question.ts';
import { type World, WorldFree } from '../../topology/stitch.ts';
import { isSoon } from '../circuits/brokenRoads.ts';
import { type Plan, queryOf, refusedBy, roadsFor, type Slot } from '../circuits/plan.ts';
import type { Ground } from '../ground.ts';
import { REST_S } from '../limits.ts';
import { labelsToTry } from './borderOffer.ts';

/** Lines of a refusal that repeat what domains have said. */
const MOST_SAID = 4;
/** Paths that come back to a domain that they have left are put aside, so many of them. */
const MOST_LOOPS = 16;

/**
 * One way, or for a protected circuit two that share no link, and no node where that is possible. `avoiding`: links
 * that are not to be used. Throws what no attempt can change: a port that nobody has, or ends of which neither is ours.
 */
export function planAbroad(
  ground: Ground,
  id: string,
  request: CircuitRequest,
  slot: Slot,
  setbacks: readonly Setback[] = [],
  avoiding: readonly string[] = [],
): Plan {
  const world = ground.world();
  const { domain } = ground.network.document;
  refuseStrangers(world, domain, request);
  const barred = barredBy(world, slot, setbacks, darkBorders(ground, world, slot));
  barred.push(...avoiding.filter((link) => world.network.linkIndex.has(link)));
  for (let i = 0; i <= MOST_LOOPS; i++) {
    const { free } = worldFree(ground, slot, setbacks, barred);
    const found = roadsFor({ network: world.network, free }, request, queryOf(ground, request, slot));
    if (!found.found) return { kind: 'refused', problem: refused(request, slot, found, setbacks) };
    const { road, second } = found;
    const loop = loopOf(world, road) ?? (second && loopOf(world, second));
    if (loop !== undefined) {
      barred.push(loop);
      continue;
    }
    const asked = { id, request, slot };
    const first = cut(ground, world, asked, road, free);
    const other = second === undefined ? [] : cut(ground, world, asked, second, free);
    return { kind: 'placed', segments: bothWays(first, other) };
  }
  const detail = 'every way found comes back to a domain that it has left';
  return {
    kind: 'refused',
    problem: new BrokerError('NO_FEASIBLE_SLOT', detail, { proof: 'BUDGET_SPENT' }),
  };
}

/** Everybody's network, with what is free of ours and what the others have not refused. */
export function worldFree(
  ground: Ground,
  slot: Slot,
  setbacks: readonly Setback[],
  closed: readonly string[] = [],
): { readonly network: World['network']; readonly free: WorldFree } {
  const world = ground.world();
  const free = new WorldFree(ground.calendar, world, {
    domain: ground.network.document.domain,
    closed,
    restS: REST_S,
    withheld: withheld(ground, world, slot, setbacks),
  });
  return { network: world.network, free };
}

function refused(
  request: CircuitRequest,
  slot: Slot,
  refusal: Parameters<typeof refusedBy>[2],
  setbacks: readonly Setback[],
): BrokerError {
  const last = setbacks.at(-1);
  if (last === undefined) return refusedBy(request, slot, refusal, []);
  // Nothing is left to try; what stands in the way is what the domains have said.
  return new BrokerError('NO_FEASIBLE_SLOT', `${last.domain}: ${last.detail}`, {
    domain: last.domain,
    bottlenecks: saidBy(setbacks),
    proof: 'BUDGET_SPENT',
  });
}

/** What the domains have said last, however often: one line each. */
function saidBy(setbacks: readonly Setback[]): Bottleneck[] {
  const lines = new Map<string, Bottleneck>();
  for (const { domain, kind, detail } of setbacks.toReversed()) {
    const line = `${kind}: ${detail}`;
    const what = kind === 'LABEL' ? 'LABEL' : 'LINK';
    if (lines.size < MOST_SAID) lines.set(`${domain} ${line}`, { kind: what, id: domain, detail: line });
  }
  return [...lines.values()].reverse();
}

function refuseStrangers(world: World, domain: string, { a, z }: CircuitRequest): void {
  const [aDomain, zDomain] = [a, z].map(({ port }) => world.domainOfPrefix.get(prefixOf(port)));
  if (aDomain !== domain && zDomain !== domain) {
    const ask = aDomain ?? zDomain;
    throw new BrokerError(
      'NOT_HOME',
      `neither ${a.port} nor ${z.port} is a port of ${domain}`,
      ask === undefined ? {} : { domain: ask },
    );
  }
  for (const [side, { port }] of [['a', a] as const, ['z', z] as const]) {
    if (world.network.ports.has(port)) continue;
    throw new BrokerError('INVALID_REQUEST', `no port ${port} is known`, {
      errors: [{ pointer: `/${side}/port`, detail: 'no such port' }],
    });
  }
}

/** Borders whose cable has no light at our end, and is not taken to be mended by then. */
function darkBorders({ darkPorts, now }: Ground, { borders }: World, { window }: Slot): string[] {
  if (darkPorts.size === 0 || !isSoon(window.start, now)) return [];
  return [...borders.values()].flatMap(({ id, ends }) =>
    ends.some(({ port }) => darkPorts.has(port)) ? [id] : [],
  );
}

/** The links that an earlier refusal rules out for this slot. */
function barredBy(
  world: World,
  slot: Slot,
  setbacks: readonly Setback[],
  darkBorders: readonly string[],
): string[] {
  const links = new Set<string>(darkBorders);
  for (const { kind, domain, links: theirs, start, opens } of setbacks) {
    if (kind === 'LABEL') continue;
    if (kind === 'IMPAIRED') {
      for (const id of theirs) links.add(id);
      continue;
    }
    // No room then says nothing of another time.
    const still = start === slot.window.start || (opens !== undefined && slot.window.start < opens);
    if (kind === 'ROOM' && !still) continue;
    const way = theirs.filter((id) => world.network.linkIndex.has(id));
    if (kind === 'ROOM' && way.length > 0) for (const id of way) links.add(id);
    else
      for (const { id, ends } of world.borders.values())
        if (ends.some((end) => end.domain === domain)) links.add(id);
  }
  return [...links];
}

/** Labels of border links that are not to be tried: they rest, or the other end has said no to them. */
function withheld(
  ground: Ground,
  world: World,
  { window }: Slot,
  setbacks: readonly Setback[],
): ReadonlyMap<Edge, LabelSet> {
  const all = new Map<Edge, LabelSet>();
  const { domain } = ground.network.document;
  for (const border of world.borders.values()) {
    if (!border.labelled) continue;
    const index = world.network.linkIndex.get(border.id);
    const ranges = index === undefined ? undefined : world.network.link(index).labels?.ranges;
    if (ranges === undefined) continue;
    const out = new LabelSet();
    const mine = border.ends.find((end) => end.domain === domain);
    if (mine !== undefined) for (const label of ground.resting(mine.port, window)) out.add(label);
    for (const { kind, links, left, asked } of setbacks) {
      if (kind !== 'LABEL' || !links.includes(border.id)) continue;
      if (left !== undefined && left.length > 0) {
        for (const [low, high] of ranges)
          for (let label = low; label <= high; label++) if (!left.includes(label)) out.add(label);
      } else for (const label of asked ?? []) out.add(label);
    }
    all.set(world.network.names.intern(linkEdge(border.id)), out);
  }
  return all;
}

const domainAt = (world: World, node: string): string =>
  world.network.node(world.network.nodeIndex.get(node) ?? 0).domain;

/** The border link by which a path comes back to a domain; undefined when it does not. */
function loopOf(world: World, { nodes, links }: Path): string | undefined {
  const seen = new Set<string>();
  let here = '';
  for (const [i, node] of nodes.entries()) {
    const domain = domainAt(world, node);
    if (domain === here) continue;
    if (seen.has(domain)) return links[i - 1];
    seen.add(domain);
    here = domain;
  }
  return undefined;
}

/** One segment per domain, in the order of the path. */
function cut(ground: Ground, world: World, asked: Asked, path: Path, free: WorldFree): Segment[] {
  const segments: Segment[] = [];
  let first = 0;
  for (let i = 1; i <= path.nodes.length; i++) {
    const link = world.borders.get(path.links[i - 1] ?? '');
    if (i < path.nodes.length && link === undefined) continue;
    segments.push(piece(ground, world, asked.request, path, first, i - 1));
    first = i;
  }
  const { domain } = ground.network.document;
  const present = ground.circuits.get(asked.id as CircuitId)?.current;
  const labels = labelsToTry(world, domain, asked, path, free, present);
  return segments.map((segment) => offer(segment, labels));
}

interface Asked {
  readonly id: string;
  readonly request: CircuitRequest;
  readonly slot: Slot;
}

/** What lies between two nodes of the path, in one domain. */
function piece(
  ground: Ground,
  world: World,
  request: CircuitRequest,
  path: Path,
  first: number,
  last: number,
): Segment {
  const domain = domainAt(world, path.nodes[first] ?? '');
  const local = domain === ground.network.document.domain;
  // Which label a client's port elsewhere gets is for its domain to say, unless only one will do.
  const client = (found: Path['a'], { port, vlan }: EndpointAsk): SegmentEnd => {
    const label = local ? found.label : onlyLabel(vlan);
    return { port, ...(label === undefined ? {} : { label }) };
  };
  const a = borderAt(world, path, domain, first - 1) ?? client(path.a, request.a);
  const z = borderAt(world, path, domain, last) ?? client(path.z, request.z);
  const links = path.links.slice(first, last);
  const { network } = world;
  const of = (link: string) => network.link(network.linkIndex.get(link) ?? 0);
  const latencyMs = links.reduce((sum, link) => sum + Math.round(of(link).latencyMs * 1000), 0) / 1000;
  const hops: readonly Hop[] = local ? path.hops.slice(first, last + 1) : [];
  return {
    domain,
    local,
    a,
    z,
    links,
    latencyMs,
    uses: local ? usesOf(world, path, a, z, first, last) : [],
    hops,
    agreed: local ? 'HELD' : 'ASKED',
    light: 'DARK',
  };
}

/** Our end of the border link with that index on the path; undefined where the path itself ends. */
function borderAt(world: World, path: Path, domain: string, link: number): SegmentEnd | undefined {
  const border = world.borders.get(path.links[link] ?? '');
  const end = border?.ends.find((one) => one.domain === domain);
  return border === undefined || end === undefined ? undefined : { port: end.port, border: border.id };
}

/** The one label that an end can only have, if it was asked for by name. */
function onlyLabel(ask: LabelAsk): Label | undefined {
  if (ask === 'UNTAGGED') return 0;
  const [first, second] = ask === 'ANY' ? [] : ask;
  return first !== undefined && second === undefined && first[0] === first[1] ? first[0] : undefined;
}

function usesOf(world: World, path: Path, a: SegmentEnd, z: SegmentEnd, first: number, last: number): Use[] {
  const { network } = world;
  const labelOf = (place: number): { label?: Label } => {
    const label = path.uses[place]?.label;
    return label === undefined ? {} : { label };
  };
  // In path.uses the first port comes before the links.
  const uses: Use[] = [
    { edge: portEdge(a.port), ...labelOf(first) },
    ...path.uses.slice(first + 1, last + 1),
    { edge: portEdge(z.port), ...labelOf(last + 1) },
  ];
  const groups = new Set([a, z].flatMap(({ port }) => network.ports.get(port)?.groups ?? []));
  // Behind both ports and the links come groups, and the labels of nodes that have each only once: ours alone.
  const ofNodes = path.uses.slice(path.links.length + 2).filter((use) => use.label !== undefined);
  return [...uses, ...[...groups].map((edge): Use => ({ edge: network.names.name(edge) })), ...ofNodes];
}

/** Names the labels that are to be tried at each border of the segment; ours are claimed with it. */
function offer(segment: Segment, labels: ReadonlyMap<string, readonly Label[]>): Segment {
  let made = segment;
  for (const end of ['a', 'z'] as const) {
    const offered = labels.get(segment[end].border ?? '');
    const label = offered?.[0];
    if (offered === undefined || label === undefined) continue;
    if (segment.local) made = relabel(made, end, label);
    made = { ...made, [end]: { ...made[end], offered } };
  }
  return made;
}
