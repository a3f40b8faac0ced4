/**
 * One network out of our own topology and what the other domains say of theirs: abstract points and edges for
 * them, and between domains the links that both ends claim, at the lesser of their capacities. The same search
 * runs on it. It reads our calendars under their own names; of the others' rooms it knows only the size.
 */
import { invariant } from '../kernel/assert.ts';
import {
  type Edge,
  type EdgeNames,
  type Free,
  LAST_SECOND,
  linkEdge,
  type Seconds,
} from '../model/capacity.ts';
import { formatLabels, LabelSet, parseLabels } from '../model/label.ts';
import type { PortId } from '../model/port.ts';
import { compile } from './compile.ts';
import type { LinkDocument, NodeDocument, PortDocument, TopologyDocument } from './document.ts';
import type { DomainBorder, DomainDocument } from './domainDocument.ts';
import type { Network } from './network.ts';

/** A link between two domains, as a path crosses it. */
export interface BorderLink {
  readonly id: string;
  readonly ends: readonly [BorderEnd, BorderEnd];
  /** The domain whose end decides which label a circuit gets. */
  readonly master: string;
  readonly labelled: boolean;
}
export interface BorderEnd {
  readonly domain: string;
  readonly port: PortId;
}

export interface World {
  readonly network: Network;
  readonly borders: ReadonlyMap<string, BorderLink>;
  /** Which domain a prefix belongs to, as far as anybody has said. */
  readonly domainOfPrefix: ReadonlyMap<string, string>;
  readonly domains: ReadonlySet<string>;
  /** Claims that one domain makes and the other does not: no link. */
  readonly unmatched: readonly string[];
}

export const borderId = (one: string, other: string): string =>
  one < other ? `${one}~${other}` : `${other}~${one}`;

/** Nobody's choice, so that both ends name the same: the end with the lesser port id. */
export const masterOf = (one: BorderEnd, other: BorderEnd): string =>
  one.port < other.port ? one.domain : other.domain;

const nodeId = (domain: string, point: string): string => `${domain}/${point}`;

/** The documents must be of different domains, none of them ours. */
export function stitch(own: TopologyDocument, others: readonly DomainDocument[], names: EdgeNames): World {
  const nodes: NodeDocument[] = [...own.nodes];
  const ports: PortDocument[] = [...own.ports];
  const links: LinkDocument[] = own.links.filter(withinUs);
  const ends = new Map<string, Claimed>();
  for (const port of own.ports) {
    if (port.remote === undefined || port.admin_state === 'DOWN') continue;
    const { domain, port: remote, ...about } = port.remote;
    ends.set(port.id, {
      ...port,
      ...about,
      remote: { domain, port: remote },
      domain: own.domain,
      node: port.node,
      inside: port.device_port ?? port.id.slice(port.id.indexOf(':') + 1),
    });
  }
  const domainOfPrefix = new Map([[own.prefix, own.domain]]);
  for (const other of others) {
    invariant(other.domain !== own.domain, 'our own document is not another domain');
    domainOfPrefix.set(other.prefix, other.domain);
    const points = new Set([...other.ports, ...other.borders].map((port) => port.at));
    for (const edge of other.edges) points.add(edge.a).add(edge.z);
    for (const point of points) nodes.push({ id: nodeId(other.domain, point), domain: other.domain });
    for (const { at, ...port } of other.ports)
      ports.push({ ...port, node: nodeId(other.domain, at), kind: 'CLIENT' });
    for (const border of other.borders) {
      const node = nodeId(other.domain, border.at);
      ends.set(border.id, { ...border, domain: other.domain, node, inside: border.id });
      ports.push({ id: border.id, node, kind: 'BORDER', capacity_mbps: border.capacity_mbps });
    }
    const seen = new Map<string, number>();
    for (const { a, z, ...edge } of other.edges) {
      const pair = `${other.domain}:${a}-${z}`;
      const n = (seen.get(pair) ?? 0) + 1;
      seen.set(pair, n);
      const id = n === 1 ? pair : `${pair}.${n}`;
      links.push({
        ...edge,
        id,
        a: { node: nodeId(other.domain, a), port: `${id}>` },
        z: { node: nodeId(other.domain, z), port: `<${id}` },
        unlabelled: true,
      });
    }
  }
  const { borders, unmatched } = join(ends, links);
  const { port_groups, srlgs: _srlgs, maintenance_windows: _windows, ...rest } = own;
  const network = compile(
    { ...rest, nodes, ports, links, ...(port_groups === undefined ? {} : { port_groups }) },
    names,
  );
  return {
    network,
    borders,
    domainOfPrefix,
    domains: new Set(domainOfPrefix.values()),
    unmatched,
  };
}

/** Whoever calls a link of his own like a border would hide the border. */
const withinUs = (link: LinkDocument): boolean => !link.id.includes('~');

interface Claimed extends Omit<DomainBorder, 'at'> {
  readonly domain: string;
  readonly node: string;
  /** What the device, or the abstract point, calls the port. */
  readonly inside: string;
}

/** Makes a link of every pair of ends that name each other. */
function join(
  ends: ReadonlyMap<string, Claimed>,
  links: LinkDocument[],
): { borders: Map<string, BorderLink>; unmatched: string[] } {
  const borders = new Map<string, BorderLink>();
  const unmatched: string[] = [];
  for (const one of ends.values()) {
    const other = ends.get(one.remote.port);
    const mutual =
      other !== undefined &&
      other.domain === one.remote.domain &&
      other.remote.domain === one.domain &&
      other.remote.port === one.id;
    if (!mutual) {
      unmatched.push(one.id);
      continue;
    }
    const id = borderId(one.id, other.id);
    if (borders.has(id)) continue;
    const labels = commonLabels(one, other);
    if (labels === undefined || one.state === 'DOWN' || other.state === 'DOWN') continue;
    const srlgs = [...new Set([...(one.srlgs ?? []), ...(other.srlgs ?? [])])];
    const mtu = Math.min(one.mtu ?? Number.POSITIVE_INFINITY, other.mtu ?? Number.POSITIVE_INFINITY);
    links.push({
      id,
      a: { node: one.node, port: one.inside },
      z: { node: other.node, port: other.inside },
      capacity_mbps: Math.min(one.capacity_mbps, other.capacity_mbps),
      latency_ms: Math.max(one.latency_ms ?? 0, other.latency_ms ?? 0),
      cost: Math.max(one.cost ?? 1, other.cost ?? 1),
      ...(Number.isFinite(mtu) ? { mtu } : {}),
      ...(srlgs.length === 0 ? {} : { srlgs }),
      ...labels,
    });
    const pair: BorderLink['ends'] = [endOf(one), endOf(other)];
    const labelled = 'vlans' in labels;
    borders.set(id, { id, ends: pair, master: masterOf(pair[0], pair[1]), labelled });
  }
  return { borders, unmatched };
}

// Documents have been checked: what names a port has the form of one.
const endOf = ({ domain, id }: Claimed): BorderEnd => ({ domain, port: id as PortId });

/** What both ends can carry; undefined when that is nothing. */
function commonLabels(
  one: Claimed,
  other: Claimed,
): { readonly vlans: string } | { readonly unlabelled: true } | undefined {
  if (one.unlabelled === true || other.unlabelled === true)
    return one.unlabelled === other.unlabelled ? { unlabelled: true } : undefined;
  const [mine, theirs] = [one, other].map(({ vlans }) => parseLabels(vlans ?? '2-4094') ?? []);
  const both: [number, number][] = [];
  for (const [low, high] of mine ?? []) {
    for (const [from, to] of theirs ?? []) {
      const [start, end] = [Math.max(low, from), Math.min(high, to)];
      if (start <= end) both.push([start, end]);
    }
  }
  return both.length === 0 ? undefined : { vlans: formatLabels(both) };
}

/**
 * Our calendars, as the stitched network sees them: a border link has the room of our port at its end, and
 * what lies in other domains is free unless `closed` says what has been refused.
 */
export interface WorldView {
  /** Ours. */
  readonly domain: string;
  /** Links that are not to be used. */
  readonly closed: readonly string[];
  /** Labels of our borders are free only if nobody has them for so long before and after, either. */
  readonly restS: number;
  /** Labels that are not to be used, by link. */
  readonly withheld: ReadonlyMap<Edge, LabelSet>;
}

export class WorldFree implements Free {
  readonly #own: Free;
  readonly #view: WorldView;
  readonly #alias: ReadonlyMap<Edge, readonly Edge[]>;
  readonly #foreign: ReadonlyMap<Edge, number>;
  readonly #closed: ReadonlySet<Edge>;

  constructor(own: Free, world: World, view: WorldView) {
    const { domain, closed } = view;
    this.#own = own;
    this.#view = view;
    const { network } = world;
    const alias = new Map<Edge, readonly Edge[]>();
    const foreign = new Map<Edge, number>();
    for (const [i, link] of network.links.entries()) {
      if (network.node(link.a).domain === domain && network.node(link.z).domain === domain) continue;
      const end = world.borders.get(link.id)?.ends.find((one) => one.domain === domain);
      const port = end === undefined ? undefined : network.ports.get(end.port);
      if (port === undefined) foreign.set(link.edge, network.capacity[i] as number);
      else alias.set(link.edge, [port.edge, ...port.groups]);
    }
    for (const port of network.ports.values())
      if (network.node(port.node).domain !== domain) foreign.set(port.edge, port.mbps);
    this.#alias = alias;
    this.#foreign = foreign;
    this.#closed = new Set(closed.map((link) => network.names.intern(linkEdge(link))));
  }

  fits(edge: Edge, mbps: number, start: Seconds, end: Seconds): boolean {
    return this.free(edge, start, end) >= mbps;
  }
  free(edge: Edge, start: Seconds, end: Seconds): number {
    if (this.#closed.has(edge)) return 0;
    const room = this.#foreign.get(edge);
    if (room !== undefined) return room;
    const alias = this.#alias.get(edge);
    if (alias === undefined) return this.#own.free(edge, start, end);
    return Math.min(...alias.map((one) => this.#own.free(one, start, end)));
  }
  nextOpen(edge: Edge, mbps: number, duration: number, from: Seconds, latest?: Seconds): Seconds | undefined {
    if (this.#closed.has(edge)) return undefined;
    const room = this.#foreign.get(edge);
    if (room !== undefined) return room >= mbps ? from : undefined;
    const all = this.#alias.get(edge) ?? [edge];
    let at: Seconds | undefined = from;
    // Each pass moves the start on, or all of them agree on it.
    for (let before: Seconds | undefined; at !== undefined && at !== before; ) {
      before = at;
      for (const one of all) {
        at = at === undefined ? undefined : this.#own.nextOpen(one, mbps, duration, at, latest);
      }
    }
    return at;
  }
  labels(edge: Edge, start: Seconds, end: Seconds, into = new LabelSet()): LabelSet {
    const out = this.#view.withheld.get(edge);
    if (out !== undefined)
      for (const [i, word] of out.words.entries()) into.words[i] = (into.words[i] as number) | word;
    const port = this.#alias.get(edge)?.[0];
    if (port === undefined) return this.#foreign.has(edge) ? into : this.#own.labels(edge, start, end, into);
    const { restS } = this.#view;
    return this.#own.labels(port, Math.max(0, start - restS), Math.min(LAST_SECOND, end + restS), into);
  }
  nextLabel(edge: Edge, start: Seconds, end: Seconds): Seconds | undefined {
    return this.#own.nextLabel(this.#alias.get(edge)?.[0] ?? edge, start, end);
  }
}
