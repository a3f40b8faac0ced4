/**
 * What hangs together, and what would no longer if one thing failed: a node, a link, a shared-risk group or a
 * site. Nodes and links come from the one walk; groups and sites are taken away one by one, within a bounded
 * work. Of what falls apart, the largest piece is what stays.
 */
import { linkCounts, nodeCounts, type Scope } from './scope.ts';
import { type Range, type Separator, type Walk, walk } from './walk.ts';

/** Nodes and half-edges looked at while groups and sites are taken away: some tens of milliseconds. */
export const MAX_STEPS = 5_000_000;
/** More names help nobody; the count is of all. */
export const MAX_NAMED = 20;

/** Some nodes: how many, how many ports are on them, and the first few of them. */
export interface Part {
  readonly nodes: number;
  readonly ports: number;
  readonly some: readonly number[];
}

export interface Critical {
  readonly kind: 'NODE' | 'LINK' | 'SRLG' | 'SITE';
  readonly id: string;
  /** What hung together with more than this, and would not any longer. */
  readonly cutOff: Part;
}

export interface Structure {
  /** Nodes that reach each other, the largest part first. */
  readonly parts: readonly Part[];
  /** What cuts off most first. */
  readonly critical: readonly Critical[];
  /** False when the work ran out before every group and site was tried. */
  readonly complete: boolean;
}

export function structureOf(scope: Scope): Structure {
  const { network } = scope;
  const walked = walk(scope);
  const partOf = partsOf(scope, walked);
  const critical = walked.separators.map((separator): Critical => {
    const cutOff = partOf(cutOffBy(separator));
    return separator.node === undefined
      ? { kind: 'LINK', id: network.link(separator.link as number).id, cutOff }
      : { kind: 'NODE', id: network.node(separator.node).id, cutOff };
  });
  /** Per node: its place in the order, and the part that it is in. */
  const place = new Int32Array(network.nodes.length);
  const whole = new Int32Array(network.nodes.length);
  walked.parts.forEach(([from, to], part) => {
    for (let at = from; at < to; at++) {
      place[walked.order[at] as number] = at;
      whole[walked.order[at] as number] = part;
    }
  });
  let steps = 0;
  let complete = true;
  for (const { kind, id, nodes, links } of groupsOf(scope, walked.separators)) {
    steps += network.nodes.length + network.to.length;
    if (steps > MAX_STEPS) {
      complete = false;
      break;
    }
    const stays = new Set<number>();
    // Pieces come largest first: of each part that was whole, the first one stays.
    const cutOff = piecesWithout(scope, nodes, links).filter(([first]) => {
      return stays.size === stays.add(whole[first as number] as number).size;
    });
    if (cutOff.length === 0) continue;
    const ranges = cutOff.flat().map((node): Range => [place[node] as number, (place[node] as number) + 1]);
    critical.push({ kind, id, cutOff: partOf(ranges) });
  }
  critical.sort((x, y) => y.cutOff.nodes - x.cutOff.nodes || (x.id < y.id ? -1 : 1));
  const parts = walked.parts.map((range) => partOf([range])).sort((x, y) => y.nodes - x.nodes);
  return { parts, critical, complete };
}

const sizeOf = (ranges: readonly Range[]): number => ranges.reduce((sum, [from, to]) => sum + to - from, 0);

/** Everything but the largest piece. */
function cutOffBy({ part, own, behind }: Separator): Range[] {
  const rest: Range[] = [];
  let at = part[0];
  for (const [from, to] of [...own, ...behind].sort(([x], [y]) => x - y)) {
    if (at < from) rest.push([at, from]);
    at = to;
  }
  if (at < part[1]) rest.push([at, part[1]]);
  const pieces = [rest, ...behind.map((range) => [range])].sort((x, y) => sizeOf(y) - sizeOf(x));
  return pieces.slice(1).flat();
}

/** Parts out of ranges of the walk's order. */
function partsOf({ network }: Scope, { order }: Walk): (ranges: readonly Range[]) => Part {
  const onNode = new Int32Array(network.nodes.length);
  for (const { node } of network.ports.values()) onNode[node] = (onNode[node] as number) + 1;
  /** How many ports come before each place of the order: those of a range are a difference. */
  const before = new Int32Array(order.length + 1);
  order.forEach((node, at) => {
    before[at + 1] = (before[at] as number) + (onNode[node] as number);
  });
  return (ranges) => {
    const some: number[] = [];
    let ports = 0;
    for (const [from, to] of ranges) {
      ports += (before[to] as number) - (before[from] as number);
      some.push(...order.slice(from, Math.min(to, from + MAX_NAMED - some.length)));
    }
    return { nodes: sizeOf(ranges), ports, some };
  };
}

/** Nodes that still reach each other without some of them and some links, the most first. */
function piecesWithout(scope: Scope, nodes: Iterable<number>, links: Iterable<number>): number[][] {
  const { offset, to, via } = scope.network;
  const seen = new Uint8Array(scope.network.nodes.length);
  const gone = new Uint8Array(scope.network.links.length);
  for (const node of nodes) seen[node] = 1;
  for (const link of links) gone[link] = 1;
  const pieces: number[][] = [];
  for (let first = 0; first < seen.length; first++) {
    if (seen[first] === 1 || !nodeCounts(scope, first)) continue;
    const piece = [first];
    seen[first] = 1;
    for (const node of piece) {
      for (let half = offset[node] as number; half < (offset[node + 1] as number); half++) {
        const next = to[half] as number;
        const link = via[half] as number;
        if (seen[next] === 1 || gone[link] === 1 || !linkCounts(scope, link)) continue;
        seen[next] = 1;
        piece.push(next);
      }
    }
    pieces.push(piece);
  }
  return pieces.sort((x, y) => y.length - x.length);
}

interface Group {
  readonly kind: 'SRLG' | 'SITE';
  readonly id: string;
  readonly nodes: readonly number[];
  readonly links: readonly number[];
}

/** The groups that may separate: one of a single member does if that does. */
function* groupsOf({ network }: Scope, separators: readonly Separator[]): Generator<Group> {
  const single = { nodes: new Set<unknown>(), links: new Set<unknown>() };
  for (const { node, link } of separators) single[node === undefined ? 'links' : 'nodes'].add(node ?? link);
  for (const [id, links] of membersOf(network.links.map(({ srlgs }) => srlgs))) {
    if (links.length > 1 || single.links.has(links[0])) yield { kind: 'SRLG', id, nodes: [], links };
  }
  for (const [id, nodes] of membersOf(network.nodes.map(({ site }) => (site === undefined ? [] : [site])))) {
    if (nodes.length > 1 || single.nodes.has(nodes[0])) yield { kind: 'SITE', id, nodes, links: [] };
  }
}

/** Who is in which group, the largest groups first. */
function membersOf(groupsOf: readonly (readonly string[])[]): [string, number[]][] {
  const members = new Map<string, number[]>();
  groupsOf.forEach((groups, i) => {
    for (const group of new Set(groups)) {
      const known = members.get(group);
      if (known === undefined) members.set(group, [i]);
      else known.push(i);
    }
  });
  return [...members].sort(([a, x], [b, y]) => y.length - x.length || (a < b ? -1 : 1));
}
