/**
 * The form that the path search runs on: nodes, links and ports as small numbers in the order of their ids,
 * adjacency and metrics in flat arrays. compile.ts makes one from a document; what changes from minute to
 * minute (states, capacities) is changed in place, everything else compiles anew in milliseconds. What is
 * claimed over time is not here but behind Free.
 *
 * A circuit's bandwidth is reserved in both directions, so a link is one edge whose room is the lesser of its
 * two directions: one calendar answers for both. (`link:ID!` stays free for circuits of one direction.)
 */
import { invariant } from '../kernel/assert.ts';
import type { Edge, EdgeNames, EdgeRoom } from '../model/capacity.ts';
import { ALL_LABELS, type LabelRanges, type LabelSet } from '../model/label.ts';
import type { TopologyDocument } from './document.ts';

export type LabelKind = 'VLAN' | 'WAVELENGTH' | 'TIME_SLOT';

/** The labels that a link or port can carry at all. */
export interface Labels {
  readonly kind: LabelKind;
  readonly ranges: LabelRanges;
  readonly set: LabelSet;
  /** Words of the set beyond this one are empty: 96 wavelengths need three of the 128. */
  readonly words: number;
}

export type Metric = 'cost' | 'latency' | 'hops';

/**
 * A metric as whole ticks (microseconds, thousandths of a cost, hops) times `unit`. What lies below one unit
 * is room for a tie-break per link, at most 1,024 each, so that neither sums nor comparisons ever round.
 */
export interface Weights {
  readonly perLink: Float64Array;
  /** Ticks per millisecond, per cost of 1, per hop. */
  readonly scale: number;
}

export interface NetworkNode {
  readonly id: string;
  readonly device: string;
  readonly domain: string;
  readonly site?: string;
}

export interface NetworkPort {
  readonly id: string;
  readonly node: number;
  readonly devicePort: string;
  readonly edge: Edge;
  /** The edges of the groups it belongs to. */
  readonly groups: readonly Edge[];
  readonly labels: Labels | undefined;
  readonly mbps: number;
  readonly mtu: number;
  readonly up: boolean;
}

export interface NetworkLink {
  readonly id: string;
  readonly a: number;
  readonly z: number;
  readonly aPort: string;
  readonly zPort: string;
  readonly edge: Edge;
  readonly labels: Labels | undefined;
  readonly srlgs: readonly string[];
  readonly latencyMs: number;
  readonly cost: number;
  readonly mtu: number;
}

/** A device that cannot be set now, or ports of it: nothing is known of its light, only that it takes no orders. */
export interface OutOfReach {
  readonly device: string;
  /** Device ports; all of them when absent. */
  readonly ports?: readonly string[];
}

/** A petabit per second: no node has more, and twice as much is still a number of 31 bits in the calendar. */
const NODE_MBPS = 2 ** 30;

/** Bits of `state`: all of them set is a link that may carry a circuit. */
export const ADMIN_UP = 1;
export const OPER_UP = 2;
export const USABLE = ADMIN_UP | OPER_UP;

export interface NetworkParts {
  readonly document: TopologyDocument;
  readonly names: EdgeNames;
  readonly nodes: readonly NetworkNode[];
  readonly links: readonly NetworkLink[];
  readonly ports: ReadonlyMap<string, NetworkPort>;
  readonly groups: readonly { readonly edge: Edge; readonly mbps: number }[];
  readonly swaps: Uint8Array;
  readonly spaces: Int32Array;
  readonly nodeState: Uint8Array;
  readonly linkState: Uint8Array;
  readonly capacity: Int32Array;
  readonly weights: Readonly<Record<Metric, Weights>>;
  readonly unit: number;
}

export class Network {
  readonly document: TopologyDocument;
  readonly names: EdgeNames;
  readonly nodes: readonly NetworkNode[];
  readonly links: readonly NetworkLink[];
  readonly ports: ReadonlyMap<string, NetworkPort>;
  readonly nodeIndex: ReadonlyMap<string, number>;
  readonly linkIndex: ReadonlyMap<string, number>;

  /** The half-edges that leave node v are offset[v] .. offset[v + 1] - 1: to `to`, over link `via`. */
  readonly offset: Int32Array;
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly via: Int32Array;
  /** Per link: its edge in the calendar, what it carries at most, and its states with those of its ends. */
  readonly edge: Int32Array;
  readonly capacity: Int32Array;
  readonly state: Uint8Array;
  /** Per link: a number that depends on its id alone, for tie-breaks. */
  readonly hash: Int32Array;
  readonly swaps: Uint8Array;
  /** Per node: the edge on which its VLANs are claimed, if it has each only once; or -1. */
  readonly spaces: Int32Array;
  /** Is there any such node? */
  readonly anySpace: boolean;
  /** Every node swaps labels, or none does and all links have one kind: no detour changes what fits. */
  readonly uniformLabels: boolean;
  readonly weights: Readonly<Record<Metric, Weights>>;
  readonly unit: number;

  /** Per link: at one end is something that takes no orders now. */
  readonly outOfReach: Uint8Array;
  #unreachable: readonly OutOfReach[] = [];
  /** Of what is not as it was compiled. */
  #changes = 0;
  readonly #groups: NetworkParts['groups'];
  readonly #nodeState: Uint8Array;
  readonly #linkState: Uint8Array;

  constructor(parts: NetworkParts) {
    this.document = parts.document;
    this.names = parts.names;
    this.nodes = parts.nodes;
    this.links = parts.links;
    this.ports = parts.ports;
    this.nodeIndex = new Map(parts.nodes.map((node, i) => [node.id, i]));
    this.linkIndex = new Map(parts.links.map((link, i) => [link.id, i]));
    this.swaps = parts.swaps;
    this.spaces = parts.spaces;
    this.anySpace = parts.spaces.some((space) => space >= 0);
    const kinds = new Set(parts.links.map((link) => link.labels?.kind));
    this.uniformLabels = !parts.swaps.includes(0) || (!parts.swaps.includes(1) && kinds.size <= 1);
    this.capacity = parts.capacity;
    this.weights = parts.weights;
    this.unit = parts.unit;
    this.#groups = parts.groups;
    this.#nodeState = parts.nodeState;
    this.#linkState = parts.linkState;

    const halves = parts.links.length * 2;
    this.offset = new Int32Array(parts.nodes.length + 1);
    this.from = new Int32Array(halves);
    this.to = new Int32Array(halves);
    this.via = new Int32Array(halves);
    this.edge = Int32Array.from(parts.links, (link) => link.edge);
    this.hash = Int32Array.from(parts.links, (link) => hashText(link.id));
    this.state = new Uint8Array(parts.links.length);
    this.outOfReach = new Uint8Array(parts.links.length);
    this.#fillAdjacency();
    for (let link = 0; link < parts.links.length; link++) this.#refresh(link);
  }

  #fillAdjacency(): void {
    const { offset, from, to, via } = this;
    for (const { a, z } of this.links) {
      offset[a + 1] = (offset[a + 1] as number) + 1;
      offset[z + 1] = (offset[z + 1] as number) + 1;
    }
    for (let v = 0; v < this.nodes.length; v++) {
      offset[v + 1] = (offset[v + 1] as number) + (offset[v] as number);
    }
    const next = offset.slice();
    const put = (start: number, end: number, link: number): void => {
      const half = next[start] as number;
      next[start] = half + 1;
      from[half] = start;
      to[half] = end;
      via[half] = link;
    };
    this.links.forEach(({ a, z }, link) => {
      put(a, z, link);
      put(z, a, link);
    });
  }

  #refresh(link: number): void {
    const { a, z } = this.link(link);
    const ends = (this.#nodeState[a] as number) & (this.#nodeState[z] as number);
    this.state[link] = (this.#linkState[link] as number) & ends;
  }

  link(index: number): NetworkLink {
    return this.links[index] as NetworkLink;
  }
  node(index: number): NetworkNode {
    return this.nodes[index] as NetworkNode;
  }
  /** Where this node's VLANs are claimed, if it has each only once. */
  space(node: number): Edge | undefined {
    const space = this.spaces[node] as number;
    return space < 0 ? undefined : (space as Edge);
  }
  nodeState(node: number): number {
    return this.#nodeState[node] as number;
  }
  other(link: number, node: number): number {
    const { a, z } = this.link(link);
    return a === node ? z : a;
  }

  /** Goes up with every change of what the searches see here. */
  get changes(): number {
    return this.#changes;
  }

  /** A link's state as management or the devices now say. Both directions and all later searches see it. */
  setLinkState(id: string, bit: typeof ADMIN_UP | typeof OPER_UP, up: boolean): void {
    this.#changes++;
    const link = this.linkIndex.get(id);
    invariant(link !== undefined, `link ${id} is in the topology`);
    this.#linkState[link] = withBit(this.#linkState[link] as number, bit, up);
    this.#refresh(link);
  }

  setNodeState(id: string, bit: typeof ADMIN_UP | typeof OPER_UP, up: boolean): void {
    this.#changes++;
    const node = this.nodeIndex.get(id);
    invariant(node !== undefined, `node ${id} is in the topology`);
    this.#nodeState[node] = withBit(this.#nodeState[node] as number, bit, up);
    for (let half = this.offset[node] as number; half < (this.offset[node + 1] as number); half++) {
      this.#refresh(this.via[half] as number);
    }
  }

  /** What takes no orders now; what was said before no longer counts. */
  setOutOfReach(list: readonly OutOfReach[]): void {
    this.#changes++;
    this.#unreachable = list;
    this.links.forEach((_, i) => {
      this.outOfReach[i] = list.length > 0 && this.silentOn(i) !== undefined ? 1 : 0;
    });
  }
  /** Is anything out of order, or does it take no orders? */
  get anyImpaired(): boolean {
    return this.#unreachable.length > 0 || this.state.some((bits) => (bits & OPER_UP) === 0);
  }
  /** The node of this link's silent device. */
  silentOn(link: number): number | undefined {
    const { a, z, aPort, zPort } = this.link(link);
    return this.takesOrders(a, aPort) ? (this.takesOrders(z, zPort) ? undefined : z) : a;
  }
  takesOrders(node: number, devicePort: string): boolean {
    const { device } = this.node(node);
    return !this.#unreachable.some(
      (one) => one.device === device && (one.ports === undefined || one.ports.includes(devicePort)),
    );
  }

  /** The lesser of both directions. The calendar has to be told as well: see rooms(). */
  setLinkCapacity(id: string, mbps: number): void {
    const link = this.linkIndex.get(id);
    invariant(link !== undefined && Number.isInteger(mbps) && mbps >= 0, `link ${id} can get ${mbps} Mb/s`);
    this.#changes++;
    this.capacity[link] = mbps;
  }

  /** Every edge with what it can carry: what a calendar starts from, and is told again after a change. */
  *rooms(): Generator<readonly [Edge, EdgeRoom]> {
    const room = (mbps: number, labels: Labels | undefined): EdgeRoom =>
      labels === undefined ? { mbps } : { mbps, labels: labels.ranges };
    for (const [i, link] of this.links.entries()) {
      yield [link.edge, room(this.capacity[i] as number, link.labels)];
    }
    for (const port of this.ports.values()) yield [port.edge, room(port.mbps, port.labels)];
    for (const group of this.#groups) yield [group.edge, { mbps: group.mbps }];
    // Of VLANs there are only so many; bandwidth is a matter of links and ports.
    for (const space of this.spaces)
      if (space >= 0) yield [space as Edge, { mbps: NODE_MBPS, labels: ALL_LABELS }];
  }
}

const withBit = (state: number, bit: number, up: boolean): number => (up ? state | bit : state & ~bit);

/** FNV-1a, 32 bits: the same everywhere and for ever. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}
