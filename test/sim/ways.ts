/**
 * Roads, looked at plainly: is one sound from end to end, and is there any at all? The second is the slow and
 * obvious search beside the broker's: every way through the domain, from every second at which something ends.
 */
import type { Circuit, EndpointAsk, Road, Segment } from '../../src/model/circuit.ts';
import type { LabelAsk } from '../../src/model/label.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { type Piece, sharesOf } from './checkers.ts';

/** From port to port, link by link, with labels that change only where a node can change them, and hops to match. */
export function roadIsSound(
  document: TopologyDocument,
  segment: Pick<Segment, 'a' | 'z'>,
  road: Road,
): string[] {
  const wrong: string[] = [];
  const port = (id: string) => document.ports.find((one) => one.id === id);
  const [a, z] = [port(segment.a.port), port(segment.z.port)];
  const nodes = [a?.node];
  for (const id of road.links) {
    const link = document.links.find((one) => one.id === id);
    const at = nodes.at(-1);
    if (link === undefined || (link.a.node !== at && link.z.node !== at)) return [`has a gap at ${id}`];
    nodes.push(link.a.node === at ? link.z.node : link.a.node);
  }
  if (nodes.at(-1) !== z?.node) return ['does not arrive'];
  // What cannot change a VLAN has it only once.
  const spaces = document.nodes.filter((node) => node.swaps_labels === false && nodes.includes(node.id));
  const edges = [
    `port:${segment.a.port}`,
    ...road.links.map((id) => `link:${id}`),
    `port:${segment.z.port}`,
    ...spaces.map(({ id }) => `node:${id}`),
  ];
  if (road.uses.map((use) => use.edge).join() !== edges.join())
    wrong.push(`claims ${road.uses.map((use) => use.edge)} for ${edges}`);
  if (road.hops.length !== nodes.length) return [`has ${road.hops.length} cross-connects on ${nodes}`];
  for (const [i, hop] of road.hops.entries()) {
    const [before, after] = [road.uses[i]?.label, road.uses[i + 1]?.label];
    const node = document.nodes.find((one) => one.id === nodes[i]);
    if (hop.device !== node?.id) wrong.push(`is connected on ${hop.device}, not on ${node?.id}`);
    if (hop.in.label !== before || hop.out.label !== after)
      wrong.push(`is connected from ${hop.in.label} to ${hop.out.label} and claims ${before} and ${after}`);
    if (node?.swaps_labels === false && hop.in.label !== hop.out.label)
      wrong.push(`changes its label at ${node.id}`);
  }
  return wrong;
}

export interface Want {
  readonly a: EndpointAsk;
  readonly z: EndpointAsk;
  readonly mbps: number;
  readonly durationS: number;
  /** In the calendar's seconds. */
  readonly notBefore: number;
  readonly deadline: number;
}

/** A start at which it would fit beside those who stay; undefined when there is none. */
export function anyStart(
  document: TopologyDocument,
  want: Want,
  staying: readonly Circuit[],
  secondsOf: (time: string) => number,
): number | undefined {
  const claims = new Map<string, Piece[]>();
  const add = (edge: string, pieces: readonly Piece[]): void => {
    claims.set(edge, [...(claims.get(edge) ?? []), ...pieces]);
  };
  for (const circuit of staying) for (const [edge, pieces] of sharesOf(circuit)) add(edge, pieces);
  for (const window of document.maintenance_windows ?? []) {
    const times = { from: secondsOf(window.start_time), to: secondsOf(window.end_time) };
    for (const id of window.links ?? [])
      add(`link:${id}`, [{ ...times, mbps: Number.MAX_SAFE_INTEGER, labels: [] }]);
  }
  const latest = want.deadline - want.durationS;
  const ends = [...claims.values()].flatMap((pieces) => pieces.map((piece) => piece.to));
  for (const start of new Set([want.notBefore, ...ends])) {
    if (start < want.notBefore || start > latest) continue;
    for (const way of waysBetween(document, want))
      if (isFree(document, want, way, start, claims)) return start;
  }
  return undefined;
}

/** Every way without a circle, over links that are in order: lists of edges, and the node behind each but the last. */
function waysBetween(document: TopologyDocument, want: Want): { edges: string[]; nodes: string[] }[] {
  const nodeOf = (id: string): string => document.ports.find((port) => port.id === id)?.node ?? '';
  const goal = nodeOf(want.z.port);
  const ways: { edges: string[]; nodes: string[] }[] = [];
  const walk = (nodes: string[], edges: string[]): void => {
    const at = nodes.at(-1) as string;
    if (at === goal) {
      ways.push({ edges: [...edges, `port:${want.z.port}`], nodes });
      return;
    }
    for (const link of document.links) {
      if (link.admin_state === 'DOWN' || link.oper_state === 'DOWN') continue;
      if (link.a.node !== at && link.z.node !== at) continue;
      const next = link.a.node === at ? link.z.node : link.a.node;
      if (!nodes.includes(next)) walk([...nodes, next], [...edges, `link:${link.id}`]);
    }
  };
  walk([nodeOf(want.a.port)], [`port:${want.a.port}`]);
  return ways;
}

function isFree(
  document: TopologyDocument,
  want: Want,
  { edges, nodes }: { readonly edges: readonly string[]; readonly nodes: readonly string[] },
  start: number,
  claims: ReadonlyMap<string, readonly Piece[]>,
): boolean {
  const end = start + want.durationS;
  let labels: readonly number[] = [];
  for (const [i, edge] of edges.entries()) {
    const there = (claims.get(edge) ?? []).filter((piece) => piece.from < end && start < piece.to);
    const room = roomOf(document, edge);
    for (const at of [start, ...there.map((piece) => Math.max(start, piece.from))]) {
      const used = there.reduce(
        (sum, piece) => sum + (piece.from <= at && at < piece.to ? piece.mbps : 0),
        0,
      );
      if (used + want.mbps > room) return false;
    }
    const taken = new Set(there.flatMap((piece) => piece.labels));
    const ask = i === 0 ? want.a.vlan : i === edges.length - 1 ? want.z.vlan : 'ANY';
    const free = labelsOf(ask).filter((label) => !taken.has(label));
    const swaps = document.nodes.find((node) => node.id === nodes[i - 1])?.swaps_labels !== false;
    labels = i === 0 || swaps ? free : free.filter((label) => labels.includes(label));
    if (labels.length === 0) return false;
  }
  return true;
}

export function roomOf(document: TopologyDocument, edge: string): number {
  // Of a node's VLANs there are only so many; bandwidth is a matter of links and ports.
  if (edge.startsWith('node:')) return Number.MAX_SAFE_INTEGER;
  const id = edge.slice(edge.indexOf(':') + 1);
  const of = edge.startsWith('link:')
    ? document.links.find((link) => link.id === id)
    : document.ports.find((port) => port.id === id);
  return of?.capacity_mbps ?? 0;
}

/** Of the four labels that there are anywhere here. */
const labelsOf = (ask: LabelAsk): number[] =>
  [2, 3, 4, 5].filter(
    (label) => typeof ask === 'string' || ask.some(([low, high]) => low <= label && label <= high),
  );
