/**
 * Maintenance as bookings: while something is out of use, all the room of its edges is taken, so that the
 * search goes round it without knowing why. Windows come from the operators' list and from the links and
 * nodes of the document themselves.
 */
import { type InstantMs, instant } from '../kernel/clock.ts';
import { type Edge, type Seconds, toSeconds } from '../model/capacity.ts';
import type { MaintenanceDocument } from './document.ts';
import type { Network } from './network.ts';

export interface Closure {
  readonly edge: Edge;
  readonly mbps: number;
  readonly start: Seconds;
  readonly end: Seconds;
}

export const instantOf = (time: string): InstantMs => instant(Date.parse(time));

/** Everything that the document closes, edge by edge. */
export function closuresOf(network: Network): Closure[] {
  const { document } = network;
  const closures: Closure[] = [];
  for (const { links = [], nodes = [], ...window } of document.maintenance_windows ?? []) {
    close(closures, network, links, nodes, window);
  }
  for (const link of document.links) {
    for (const window of link.maintenance ?? []) close(closures, network, [link.id], [], window);
  }
  for (const node of document.nodes) {
    for (const window of node.maintenance ?? []) close(closures, network, [], [node.id], window);
  }
  return closures;
}

/** The edges that a window over these links and nodes takes: a node takes its links and its ports with it. */
export function edgesOf(
  network: Network,
  links: readonly string[],
  nodes: readonly string[],
): Map<Edge, number> {
  const edges = new Map<Edge, number>();
  const shut = new Set(nodes.flatMap((id) => network.nodeIndex.get(id) ?? []));
  const named = new Set(links);
  network.links.forEach((link, i) => {
    if (named.has(link.id) || shut.has(link.a) || shut.has(link.z))
      edges.set(link.edge, network.capacity[i] as number);
  });
  for (const port of network.ports.values()) if (shut.has(port.node)) edges.set(port.edge, port.mbps);
  return edges;
}

function close(
  into: Closure[],
  network: Network,
  links: readonly string[],
  nodes: readonly string[],
  window: Pick<MaintenanceDocument, 'start_time' | 'end_time'>,
): void {
  const start = toSeconds(instantOf(window.start_time));
  const end = toSeconds(instantOf(window.end_time));
  if (end <= start) return;
  for (const [edge, mbps] of edgesOf(network, links, nodes)) into.push({ edge, mbps, start, end });
}
