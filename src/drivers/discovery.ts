/**
 * From what each device sees of its neighbours to the links there must be, and how they differ from the topology
 * in force. A link counts when both ends name each other; what only one end claims is listed as doubtful and
 * proposed to nobody. Pure: an operator looks at the difference and applies it, or does not.
 */
import type { LinkDocument, TopologyDocument } from '../topology/document.ts';
import type { DeviceView } from './driver.ts';

interface End {
  readonly device: string;
  readonly port: string;
}

export interface FoundLink {
  readonly a: End;
  readonly z: End;
  /** The slower of the two ports; absent where neither tells. */
  readonly capacity_mbps?: number;
}

export interface Doubt {
  readonly from: End;
  readonly to: End;
  readonly why:
    | 'the other end was not asked'
    | 'the other end does not see it'
    | 'the other end sees another';
}

export interface Findings {
  readonly links: readonly FoundLink[];
  readonly doubts: readonly Doubt[];
}

export interface TopologyDiff {
  readonly add: readonly LinkDocument[];
  /** In the topology, between devices that were asked, and seen by neither. */
  readonly remove: readonly string[];
  readonly capacity: readonly { readonly link: string; readonly was: number; readonly is: number }[];
  /** Found at devices that no node of the topology stands for. */
  readonly unplaced: readonly FoundLink[];
  readonly doubts: readonly Doubt[];
}

const key = ({ device, port }: End): string => JSON.stringify([device, port]);
const pairKey = (a: End, z: End): string => [key(a), key(z)].toSorted().join();

export function findLinks(views: readonly DeviceView[]): Findings {
  const byIdentity = new Map<string, string>();
  for (const view of views) byIdentity.set(view.device, view.device);
  // What a device calls itself wins over our name for another.
  for (const view of views) byIdentity.set(view.identity, view.device);
  const speeds = new Map(
    views.flatMap((view) =>
      view.ports.map((port) => [key({ device: view.device, port: port.name }), port.speedMbps] as const),
    ),
  );
  const claims = new Map<string, End>();
  const claimed: { from: End; to: End }[] = [];
  for (const view of views) {
    for (const { port, remoteDevice, remotePort } of view.neighbours) {
      const from = { device: view.device, port };
      const to = { device: byIdentity.get(remoteDevice) ?? remoteDevice, port: remotePort };
      claims.set(key(from), to);
      claimed.push({ from, to });
    }
  }
  const links: FoundLink[] = [];
  const doubts: Doubt[] = [];
  const seen = new Set<string>();
  const asked = new Set(views.map((view) => view.device));
  for (const { from, to } of claimed) {
    const answer = claims.get(key(to));
    if (answer !== undefined && key(answer) === key(from)) {
      if (seen.has(pairKey(from, to))) continue;
      seen.add(pairKey(from, to));
      const [a, z] = key(from) < key(to) ? [from, to] : [to, from];
      const known = [speeds.get(key(a)), speeds.get(key(z))].filter(
        (s) => s !== undefined && s > 0,
      ) as number[];
      links.push({ a, z, ...(known.length === 0 ? {} : { capacity_mbps: Math.min(...known) }) });
    } else {
      const why = !asked.has(to.device)
        ? 'the other end was not asked'
        : answer === undefined
          ? 'the other end does not see it'
          : 'the other end sees another';
      doubts.push({ from, to, why });
    }
  }
  return { links, doubts };
}

export function compareTopology(
  running: TopologyDocument,
  findings: Findings,
  asked: readonly string[],
): TopologyDiff {
  const deviceOf = new Map(running.nodes.map((node) => [node.id, node.device ?? node.id]));
  const nodeOf = new Map(running.nodes.map((node) => [node.device ?? node.id, node.id]));
  const ends = (link: LinkDocument): readonly [End, End] => [
    { device: deviceOf.get(link.a.node) ?? link.a.node, port: link.a.port },
    { device: deviceOf.get(link.z.node) ?? link.z.node, port: link.z.port },
  ];
  const known = new Map(running.links.map((link) => [pairKey(...ends(link)), link]));
  const found = new Map(findings.links.map((link) => [pairKey(link.a, link.z), link]));
  // A link that one end still sees is in doubt, not gone.
  const doubted = new Set(findings.doubts.flatMap(({ from, to }) => [pairKey(from, to)]));
  const ids = new Set(running.links.map((link) => link.id));
  const add: LinkDocument[] = [];
  const unplaced: FoundLink[] = [];
  for (const [pair, link] of found) {
    if (known.has(pair)) continue;
    const [a, z] = [nodeOf.get(link.a.device), nodeOf.get(link.z.device)];
    if (a === undefined || z === undefined || link.capacity_mbps === undefined) {
      unplaced.push(link);
      continue;
    }
    let id = `${a}-${z}`;
    for (let n = 2; ids.has(id); n++) id = `${a}-${z}-${n}`;
    ids.add(id);
    add.push({
      id,
      a: { node: a, port: link.a.port },
      z: { node: z, port: link.z.port },
      capacity_mbps: link.capacity_mbps,
    });
  }
  const all = new Set(asked);
  const remove = [...known].flatMap(([pair, link]) => {
    const both = ends(link).every((end) => all.has(end.device));
    return both && !found.has(pair) && !doubted.has(pair) ? [link.id] : [];
  });
  const capacity = [...known].flatMap(([pair, link]) => {
    const is = found.get(pair)?.capacity_mbps;
    return is === undefined || is === link.capacity_mbps
      ? []
      : [{ link: link.id, was: link.capacity_mbps, is }];
  });
  return { add, remove, capacity, unplaced, doubts: findings.doubts };
}

/** The topology as it would be with the difference; nothing but links is touched. */
export function applyDiff(running: TopologyDocument, diff: TopologyDiff): TopologyDocument {
  const gone = new Set(diff.remove);
  const speeds = new Map(diff.capacity.map(({ link, is }) => [link, is]));
  return {
    ...running,
    links: [
      ...running.links
        .filter((link) => !gone.has(link.id))
        .map((link) => ({ ...link, capacity_mbps: speeds.get(link.id) ?? link.capacity_mbps })),
      ...diff.add,
    ],
  };
}
