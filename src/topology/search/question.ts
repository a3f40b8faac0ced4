/**
 * What is asked of the path engine, what it answers, and the step between the two that all searches share:
 * looking up the ports, compiling the constraints and making the test that says which links are open in the
 * window. Two kinds of "no" are kept apart throughout: a link that is *barred* for this request whatever the
 * hour (state, constraint, capacity), and one that is *full* in this window.
 */
import type { EdgeId, Free, Seconds } from '../../model/capacity.ts';
import type { Constraints, Hop, Use } from '../../model/circuit.ts';
import type { Label, LabelAsk } from '../../model/label.ts';
import { type CompiledConstraints, compileConstraints, noConstraints } from '../constraints/index.ts';
import { ADMIN_UP, hashText, type Metric, type Network, type NetworkPort, USABLE } from '../network.ts';

/** The topology and what is claimed of it: all that a search may know. */
export interface Snapshot {
  readonly network: Network;
  readonly free: Free;
}

/** Half-open. */
export interface Window {
  readonly start: Seconds;
  readonly end: Seconds;
}

export interface PathEnd {
  readonly port: string;
  readonly vlan: LabelAsk;
}

export interface PathQuery {
  readonly a: PathEnd;
  readonly z: PathEnd;
  readonly mbps: number;
  /** The window [start, end) over which everything must be free. */
  readonly start: Seconds;
  readonly end: Seconds;
  /** What the path is shortest by; cost when absent. */
  readonly metric?: Metric;
  readonly constraints?: Constraints;
  /** The links of another circuit, for diverse_from. */
  readonly linksOf?: (circuit: string) => readonly string[] | undefined;
  /** Which of several equally short paths is taken depends on this; on the two ports when absent. */
  readonly salt?: string;
  /** For windows far ahead: what is out of order now, or takes no orders, counts as usable. */
  readonly ignoreOperState?: boolean;
}

export interface Path {
  readonly found: true;
  readonly a: { readonly port: string; readonly label?: Label };
  readonly z: { readonly port: string; readonly label?: Label };
  readonly nodes: readonly string[];
  readonly links: readonly string[];
  readonly hops: readonly Hop[];
  /** What the circuit claims: port a, the links, port z, each with its label; their groups; VLANs of nodes. */
  readonly uses: readonly Use[];
  readonly latencyMs: number;
  readonly cost: number;
}

export interface Bottleneck {
  readonly edge: EdgeId;
  /** FULL: too little is free. LABELS: no label is. BARRED: a constraint or its state. SHARED: one for two. */
  readonly kind: 'FULL' | 'LABELS' | 'BARRED' | 'SHARED';
  /** Mb/s free over the whole window; for LABELS, how many labels are. */
  readonly free: number;
  /** When it next has enough for the whole duration, if it ever does. */
  readonly opens?: Seconds;
  /** SHARED by every pair of paths: this node. BARRED: this node's device does not take orders now. */
  readonly node?: string;
}

export type RefusalReason =
  /** A port or a name in the constraints that the topology does not know, or a malformed constraint. */
  | 'INVALID'
  /** An end port has no room, or does not have the label that was asked for. */
  | 'PORT'
  /** The links named separate the two ends in this window. */
  | 'CAPACITY'
  /** Paths with enough bandwidth exist, none of them with a label all the way. */
  | 'LABELS'
  /** No path meets the constraints, however empty the network. */
  | 'CONSTRAINTS'
  /** The two ends are not connected, or nowhere by links that could carry as much. */
  | 'DISCONNECTED'
  /** Paths exist, but no two of them are disjoint. */
  | 'NOT_DISJOINT'
  /** The search ran out of its bounded work: there may be a path. */
  | 'BUDGET';

export interface Refusal {
  readonly found: false;
  readonly reason: RefusalReason;
  readonly detail: string;
  /** What blocks: a set of edges such that every path needs one of them. */
  readonly bottlenecks: readonly Bottleneck[];
  /** The constraints without which the answer might be another. */
  readonly constraints: readonly string[];
  /** INVALID: what is wrong, and where in the request. */
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[];
  /** Not one path exists, as opposed to: none was found. */
  readonly proven: boolean;
}

export function refuse(reason: RefusalReason, detail: string, more: Partial<Refusal> = {}): Refusal {
  return {
    found: false,
    reason,
    detail,
    bottlenecks: [],
    constraints: [],
    errors: [],
    proven: reason !== 'BUDGET',
    ...more,
  };
}

/** A query with everything looked up. */
export interface Question {
  readonly network: Network;
  readonly free: Free;
  readonly a: NetworkPort;
  readonly z: NetworkPort;
  readonly askA: LabelAsk;
  readonly askZ: LabelAsk;
  readonly mbps: number;
  readonly metric: Metric;
  readonly salt: number;
  readonly rules: CompiledConstraints;
  /** Does it keep to devices that take orders now? */
  readonly reach: boolean;
  /** Never usable for this request, whatever is claimed. */
  readonly barred: (link: number) => boolean;
}

/**
 * The question with something else in it. Not by spreading: where what is spread is overridden, the engine makes an
 * object that every search after is slow to read.
 */
export const changed = (question: Question, by: Partial<Question>): Question =>
  Object.assign({}, question, by);

export function pose(snapshot: Snapshot, query: Omit<PathQuery, 'start' | 'end'>): Question | Refusal {
  const { network, free } = snapshot;
  const a = network.ports.get(query.a.port);
  const z = network.ports.get(query.z.port);
  if (a === undefined || z === undefined) {
    const errors = [
      ...(a === undefined ? [{ pointer: '/a/port', detail: 'no such port' }] : []),
      ...(z === undefined ? [{ pointer: '/z/port', detail: 'no such port' }] : []),
    ];
    return refuse('INVALID', 'an end is not a port of this topology', { errors });
  }
  if (a === z) {
    const errors = [{ pointer: '/z/port', detail: 'is the same port as a' }];
    return refuse('INVALID', 'a circuit needs two ports', { errors });
  }
  const rules =
    query.constraints === undefined
      ? noConstraints
      : compileConstraints({
          network,
          all: query.constraints,
          linksOf: query.linksOf ?? (() => undefined),
        });
  if (rules.errors.length > 0) {
    const errors = rules.errors.map((error) => ({ ...error, pointer: `/constraints${error.pointer}` }));
    return refuse('INVALID', 'the constraints cannot be read', { errors });
  }
  const reach = query.ignoreOperState !== true;
  const needed = reach ? USABLE : ADMIN_UP;
  return (
    endsRefused(network, [a, z], rules, needed, reach) ?? {
      network,
      free,
      a,
      z,
      askA: query.a.vlan,
      askZ: query.z.vlan,
      mbps: query.mbps,
      metric: query.metric ?? 'cost',
      salt: hashText(query.salt ?? `${a.id} ${z.id}`),
      rules,
      reach,
      barred: barredTest(network, query.mbps, rules, needed, reach),
    }
  );
}

function endsRefused(
  network: Network,
  ends: readonly NetworkPort[],
  rules: CompiledConstraints,
  needed: number,
  reach: boolean,
): Refusal | undefined {
  for (const port of ends) {
    const isUp = port.up && (network.nodeState(port.node) & needed) === needed;
    const isSilent = reach && !network.takesOrders(port.node, port.devicePort);
    // The usual case, in the hot path.
    if (isUp && !isSilent && rules.nodes.length + rules.ports.length === 0) continue;
    const bottlenecks = [{ edge: network.names.name(port.edge), kind: 'BARRED' as const, free: 0 }];
    if (!isUp) {
      return refuse('PORT', `port ${port.id} is out of service`, { bottlenecks });
    }
    if (isSilent) {
      const { id, device } = network.node(port.node);
      const silent = bottlenecks.map((one) => ({ ...one, node: id }));
      return refuse('PORT', `device ${device} of port ${port.id} takes no orders now`, {
        bottlenecks: silent,
      });
    }
    const against = [
      ...rules.nodes.filter((rule) => rule.forbids(port.node)),
      ...rules.ports.filter((rule) => rule.forbids(port)),
    ].map((rule) => rule.name);
    if (against.length > 0) {
      const detail = `port ${port.id} does not meet ${against.join(', ')}`;
      return refuse('CONSTRAINTS', detail, { bottlenecks, constraints: against });
    }
  }
  return undefined;
}

function barredTest(
  network: Network,
  mbps: number,
  rules: CompiledConstraints,
  needed: number,
  reach: boolean,
): (link: number) => boolean {
  const { state, capacity, links, outOfReach } = network;
  const cannot = (link: number): boolean =>
    ((state[link] as number) & needed) !== needed ||
    (capacity[link] as number) < mbps ||
    (reach && outOfReach[link] === 1);
  if (rules.links.length === 0 && rules.nodes.length === 0) return cannot;
  return (index) => {
    if (cannot(index)) return true;
    for (const rule of rules.links) if (rule.forbids(index)) return true;
    if (rules.nodes.length === 0) return false;
    const { a, z } = links[index] as (typeof links)[number];
    for (const rule of rules.nodes) if (rule.forbids(a) || rule.forbids(z)) return true;
    return false;
  };
}
