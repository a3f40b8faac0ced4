/**
 * From a request and a slot to a placement: which segments, over which links, with which labels. Asks the
 * path search over the calendar and says in the API's words what blocks and what could be had instead.
 */
import { NEVER, rfc3339 } from '../kernel/clock.ts';
import { type Alternative, type Bottleneck, BrokerError } from '../kernel/errors.ts';
import { type Free, fromSeconds, toSeconds } from '../model/capacity.ts';
import type { CircuitRequest, EndpointAsk, Placement, Segment } from '../model/circuit.ts';
import type { LabelAsk } from '../model/label.ts';
import { type PortId, prefixOf } from '../model/port.ts';
import type { Window } from '../model/window.ts';
import { type FoundPath, findPath, type PathAsk } from '../topology/fewestHops.ts';
import type { NetPort, Network } from '../topology/network.ts';

export interface Slot {
  readonly window: Window;
  readonly mbps: number;
}

export type Plan =
  | { readonly kind: 'placed'; readonly segments: readonly Segment[] }
  | { readonly kind: 'refused'; readonly problem: BrokerError };

/** The ends as the search needs them: ours, or a border port of ours with the neighbour's end behind it. */
interface Ends {
  readonly a: NetPort;
  readonly z: NetPort;
  readonly aLabels: LabelAsk;
  readonly zLabels: LabelAsk;
  /** Set where one end lies in a neighbour's domain. */
  readonly beyond?: {
    readonly side: 'a' | 'z';
    readonly domain: string;
    readonly entry: PortId;
    readonly end: EndpointAsk;
  };
}

export function plan(network: Network, free: Free, request: CircuitRequest, slot: Slot): Plan {
  const candidates = endsOf(network, request);
  let bottlenecks: readonly Bottleneck[] = [];
  for (const ends of candidates) {
    const found = findPath(network, free, askOf(ends, request, slot));
    if (found.kind === 'found') return { kind: 'placed', segments: segmentsOf(network, ends, found) };
    bottlenecks = [...bottlenecks, ...found.bottlenecks];
  }
  return { kind: 'refused', problem: refusal(network, free, request, slot, candidates, bottlenecks) };
}

/** A segment between two of our own ports, as a peer asks for it. */
export function planSegment(
  network: Network,
  free: Free,
  request: CircuitRequest,
  slot: Slot,
): Segment | readonly Bottleneck[] {
  const a = ownPort(network, request.a, '/a/port');
  const z = ownPort(network, request.z, '/z/port');
  const ends: Ends = { a, z, aLabels: request.a.vlan, zLabels: request.z.vlan };
  const found = findPath(network, free, askOf(ends, request, slot));
  return found.kind === 'found' ? localSegmentOf(network, ends, found) : found.bottlenecks;
}

export const placementOf = (version: number, slot: Slot, segments: readonly Segment[]): Placement => ({
  version,
  window: slot.window,
  mbps: slot.mbps,
  segments,
});

const askOf = (ends: Ends, request: CircuitRequest, { window, mbps }: Slot): PathAsk => ({
  a: { port: ends.a, labels: ends.aLabels },
  z: { port: ends.z, labels: ends.zLabels },
  mbps,
  start: toSeconds(window.start),
  end: toSeconds(window.end),
  constraints: request.constraints,
});

function endsOf(network: Network, request: CircuitRequest): Ends[] {
  const aOurs = prefixOf(request.a.port) === network.document.prefix;
  const zOurs = prefixOf(request.z.port) === network.document.prefix;
  if (!aOurs && !zOurs) {
    const domain =
      network.domainOfPrefix.get(prefixOf(request.a.port)) ??
      network.domainOfPrefix.get(prefixOf(request.z.port));
    throw new BrokerError(
      'NOT_HOME',
      `neither ${request.a.port} nor ${request.z.port} is a port of ${network.document.domain}`,
      domain === undefined ? {} : { domain },
    );
  }
  if (aOurs && zOurs) {
    return [
      {
        a: ownPort(network, request.a, '/a/port'),
        z: ownPort(network, request.z, '/z/port'),
        aLabels: request.a.vlan,
        zLabels: request.z.vlan,
      },
    ];
  }
  const [side, near, far] = aOurs
    ? (['z', request.a, request.z] as const)
    : (['a', request.z, request.a] as const);
  const nearPort = ownPort(network, near, aOurs ? '/a/port' : '/z/port');
  const farPort = network.neighbourPorts.get(far.port);
  if (farPort === undefined) {
    throw new BrokerError('INVALID_REQUEST', `no port ${far.port} is known`, {
      errors: [{ pointer: `/${side}/port`, detail: `no port ${far.port} is known` }],
    });
  }
  const borders = [...network.ports.values()]
    .filter((port) => port.document.remote?.domain === farPort.domain)
    .sort((p, q) => (p.id < q.id ? -1 : 1));
  return borders.map((border) => {
    const beyond = {
      side,
      domain: farPort.domain,
      entry: border.document.remote?.port as PortId,
      end: far,
    } as const;
    return aOurs
      ? { a: nearPort, z: border, aLabels: near.vlan, zLabels: 'ANY' as const, beyond }
      : { a: border, z: nearPort, aLabels: 'ANY' as const, zLabels: near.vlan, beyond };
  });
}

function ownPort(network: Network, end: EndpointAsk, pointer: string): NetPort {
  const port = network.ports.get(end.port);
  if (port === undefined) {
    throw new BrokerError('INVALID_REQUEST', `there is no port ${end.port}`, {
      errors: [{ pointer, detail: `there is no port ${end.port}` }],
    });
  }
  return port;
}

function localSegmentOf(network: Network, ends: Ends, found: FoundPath): Segment {
  return {
    domain: network.document.domain,
    local: true,
    a: { port: ends.a.id, label: found.aLabel },
    z: { port: ends.z.id, label: found.zLabel },
    links: found.links,
    latencyMs: found.latencyMs,
    uses: found.uses,
    hops: found.hops,
    agreed: 'HELD',
    light: 'DARK',
  };
}

function segmentsOf(network: Network, ends: Ends, found: FoundPath): Segment[] {
  const own = localSegmentOf(network, ends, found);
  if (ends.beyond === undefined) return [own];
  const { side, domain, entry, end } = ends.beyond;
  const asked = typeof end.vlan === 'string' ? {} : { label: end.vlan[0]?.[0] ?? 0 };
  const fixed =
    end.vlan !== 'ANY' &&
    (end.vlan === 'UNTAGGED' || (end.vlan.length === 1 && end.vlan[0]?.[0] === end.vlan[0]?.[1]));
  const far = { port: end.port, ...(fixed ? (end.vlan === 'UNTAGGED' ? { label: 0 } : asked) : {}) };
  const border = { port: entry, label: side === 'z' ? found.zLabel : found.aLabel };
  const remote: Segment = {
    domain,
    local: false,
    a: side === 'z' ? border : far,
    z: side === 'z' ? far : border,
    links: [],
    latencyMs: 0,
    uses: [],
    hops: [],
    agreed: 'ASKED',
    light: 'DARK',
  };
  return side === 'z' ? [own, remote] : [remote, own];
}

/** How many later starts are tried for an alternative before it is left at that. */
const LATER_STARTS = 32;

function refusal(
  network: Network,
  free: Free,
  request: CircuitRequest,
  slot: Slot,
  candidates: readonly Ends[],
  bottlenecks: readonly Bottleneck[],
): BrokerError {
  const start = rfc3339(slot.window.start);
  const times =
    slot.window.end === NEVER
      ? { start_time: start }
      : { start_time: start, end_time: rfc3339(slot.window.end) };
  const named = bottlenecks.map((b) => (b.kind === 'NO_ROUTE' ? b : { ...b, ...times }));
  const alternatives = candidates.flatMap((ends) => [
    ...later(network, free, request, slot, ends),
    ...slower(network, free, request, slot, ends),
  ]);
  const first = named[0];
  const detail = first === undefined ? 'no path leads there' : describe(first, slot.mbps);
  return new BrokerError('NO_FEASIBLE_SLOT', detail, {
    bottlenecks: named,
    ...(alternatives.length === 0 ? {} : { alternatives }),
    proof: 'PROVEN_IMPOSSIBLE',
  });
}

function describe(b: Bottleneck, mbps: number): string {
  if (b.kind === 'LINK' || b.kind === 'PORT')
    return `${b.kind.toLowerCase()} ${b.id} has ${b.free_mbps} Mb/s free in the window, ${mbps} are asked for`;
  return b.detail ?? `${b.kind.toLowerCase()} ${b.id} blocks`;
}

/** The same for as long, as soon as it can be had after the asked start. */
function later(network: Network, free: Free, request: CircuitRequest, slot: Slot, ends: Ends): Alternative[] {
  if (slot.window.end === NEVER) return [];
  const duration = toSeconds(slot.window.end) - toSeconds(slot.window.start);
  let start = toSeconds(slot.window.start);
  for (let i = 0; i < LATER_STARTS; i++) {
    const window = { start: fromSeconds(start), end: fromSeconds(start + duration) };
    const found = findPath(network, free, askOf(ends, request, { ...slot, window }));
    if (found.kind === 'found')
      return [
        { start_time: rfc3339(window.start), end_time: rfc3339(window.end), bandwidth_mbps: slot.mbps },
      ];
    // No path exists before some edge that blocks has opened, so the earliest opening is where to look next.
    const openings = found.bottlenecks.flatMap((b) => {
      const edge = b.kind === 'PORT' ? network.ports.get(b.id)?.edge : network.links.get(b.id)?.edge;
      const open =
        edge === undefined || b.kind === 'LABEL'
          ? undefined
          : free.nextOpen(edge, slot.mbps, duration, start + 1);
      return open === undefined ? [] : [open];
    });
    if (openings.length === 0) return [];
    start = found.bottlenecks.every((b) => b.kind === 'PORT') ? Math.max(...openings) : Math.min(...openings);
  }
  return [];
}

/** The same slot at the highest rate that fits. */
function slower(
  network: Network,
  free: Free,
  request: CircuitRequest,
  slot: Slot,
  ends: Ends,
): Alternative[] {
  const { start, end } = askOf(ends, request, slot);
  const edges = [ends.a.edge, ends.z.edge, ...[...network.links.values()].map((link) => link.edge)];
  const rates = [...new Set(edges.map((edge) => free.free(edge, start, end)))]
    .filter((rate) => rate > 0 && rate < slot.mbps)
    .sort((x, y) => x - y);
  let low = 0;
  let high = rates.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (
      findPath(network, free, askOf(ends, request, { ...slot, mbps: rates[middle] as number })).kind ===
      'found'
    )
      low = middle + 1;
    else high = middle;
  }
  const best = rates[low - 1];
  if (best === undefined) return [];
  return [
    {
      start_time: rfc3339(slot.window.start),
      ...(slot.window.end === NEVER ? {} : { end_time: rfc3339(slot.window.end) }),
      bandwidth_mbps: best,
    },
  ];
}
