/**
 * Our own document for others, made from the running topology: which ports there are, and between the points
 * where they hang the cheapest way and, where another carries more, the widest. What is out of order now is
 * left out; what is claimed over time is not told here but asked (availability).
 */
import type { Free } from '../model/capacity.ts';
import { LabelSet } from '../model/label.ts';
import type { PortDocument, TopologyDocument } from './document.ts';
import type {
  DomainBorder,
  DomainDocument,
  DomainEdge,
  DomainPort,
  DomainVersion,
} from './domainDocument.ts';
import { type Network, USABLE } from './network.ts';
import { findPath, findWidest } from './search/find.ts';
import type { Path } from './search/question.ts';

/** As if nothing were claimed anywhere. */
const emptyOf = (network: Network): Free => {
  const rooms = new Map([...network.rooms()].map(([edge, { mbps }]) => [edge, mbps]));
  return {
    fits: (edge, mbps) => (rooms.get(edge) ?? 0) >= mbps,
    free: (edge) => rooms.get(edge) ?? 0,
    nextOpen: (_edge, _mbps, _duration, from) => from,
    labels: (_edge, _start, _end, into) => into ?? new LabelSet(),
    nextLabel: () => undefined,
  };
};

export function documentOf(network: Network, version: DomainVersion): DomainDocument {
  const { document } = network;
  const published = document.ports.filter((port) => port.admin_state !== 'DOWN');
  const points = pointsOf(network, published);
  return {
    domain: document.domain,
    prefix: document.prefix,
    version,
    ports: published.filter((port) => port.kind === 'CLIENT').map((port) => portOf(port, points)),
    borders: published.flatMap((port) => borderOf(port, points)),
    edges: edgesOf(network, published, points),
  };
}

/** Numbers instead of the names of our nodes, which are ours alone. */
function pointsOf(network: Network, published: readonly PortDocument[]): ReadonlyMap<string, string> {
  const nodes = [...new Set(published.map((port) => port.node))].sort();
  const usable = nodes.filter((id) => {
    const index = network.nodeIndex.get(id);
    return index !== undefined && (network.nodeState(index) & USABLE) === USABLE;
  });
  return new Map(
    [...nodes.entries()].map(([i, id]) => [id, usable.includes(id) ? `${i + 1}` : `${i + 1}-down`]),
  );
}

function portOf(port: PortDocument, points: ReadonlyMap<string, string>): DomainPort {
  return {
    id: port.id,
    at: points.get(port.node) ?? '',
    capacity_mbps: port.capacity_mbps,
    ...(port.vlans === undefined ? {} : { vlans: port.vlans }),
    ...(port.unlabelled === true ? { unlabelled: true } : {}),
    ...(port.mtu === undefined ? {} : { mtu: port.mtu }),
  };
}

function borderOf(port: PortDocument, points: ReadonlyMap<string, string>): DomainBorder[] {
  if (port.remote === undefined) return [];
  const { domain, port: there, ...about } = port.remote;
  return [{ ...portOf(port, points), remote: { domain, port: there }, ...about }];
}

/** Between borders, and from a border to where clients are; ways between two of our clients concern nobody else. */
function edgesOf(
  network: Network,
  published: readonly PortDocument[],
  points: ReadonlyMap<string, string>,
): DomainEdge[] {
  // The widest port of a point stands for it, so that a narrow port does not narrow the way.
  const widest = new Map<string, PortDocument>();
  for (const port of published) {
    const before = widest.get(port.node);
    if (before === undefined || before.capacity_mbps < port.capacity_mbps) widest.set(port.node, port);
  }
  const borders = new Set(published.filter((p) => p.remote !== undefined).map((p) => p.node));
  const nodes = [...widest.keys()].sort();
  const snapshot = { network, free: emptyOf(network) };
  const edges: DomainEdge[] = [];
  for (const [i, from] of nodes.entries()) {
    for (const to of nodes.slice(i + 1)) {
      if (!borders.has(from) && !borders.has(to)) continue;
      const [a, z] = [widest.get(from)?.id ?? '', widest.get(to)?.id ?? ''];
      const query = {
        a: { port: a, vlan: 'ANY' as const },
        z: { port: z, vlan: 'ANY' as const },
        mbps: 1,
        start: 0,
        end: 1,
      };
      const ends = { a: points.get(from) ?? '', z: points.get(to) ?? '' };
      const cheapest = findPath(snapshot, query);
      if (!cheapest.found) continue;
      const best = edgeOf(network, ends, cheapest);
      edges.push(best);
      const other = findWidest(snapshot, query);
      if (!other.found) continue;
      const wide = edgeOf(network, ends, other.path);
      if (wide.capacity_mbps > best.capacity_mbps) edges.push(wide);
    }
  }
  return edges;
}

function edgeOf(network: Network, ends: { a: string; z: string }, path: Path): DomainEdge {
  const links = path.links.map((id) => network.linkIndex.get(id) ?? 0);
  const srlgs = [...new Set(links.flatMap((link) => network.link(link).srlgs))].sort();
  return {
    ...ends,
    capacity_mbps: Math.min(...links.map((link) => network.capacity[link] as number)),
    latency_ms: path.latencyMs,
    cost: path.cost,
    mtu: Math.min(...links.map((link) => network.link(link).mtu)),
    ...(srlgs.length === 0 ? {} : { srlgs }),
  };
}

/** What a neighbour's document would say as far as our own topology knows: all its ports at one point. */
export function assumedOf(own: TopologyDocument): DomainDocument[] {
  return (own.neighbours ?? []).map((neighbour) => {
    const borders = own.ports.flatMap((port): DomainBorder[] =>
      port.remote?.domain !== neighbour.domain
        ? []
        : [
            {
              id: port.remote.port,
              at: '1',
              capacity_mbps: port.capacity_mbps,
              ...(port.vlans === undefined ? {} : { vlans: port.vlans }),
              ...(port.unlabelled === true ? { unlabelled: true } : {}),
              ...(port.mtu === undefined ? {} : { mtu: port.mtu }),
              remote: { domain: own.domain, port: port.id },
            },
          ],
    );
    const known = new Set(borders.map((border) => border.id));
    return {
      domain: neighbour.domain,
      prefix: neighbour.prefix,
      version: { epoch: 0, n: 0 },
      ports: neighbour.ports.filter((port) => !known.has(port.id)).map((port) => ({ ...port, at: '1' })),
      borders,
      edges: [],
    };
  });
}
