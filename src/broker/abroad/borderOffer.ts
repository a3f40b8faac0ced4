/**
 * Which labels are tried at the borders of a path, and in which order. Few of them, so that no domain is asked to
 * hold much, and those first that most places of the path could have: another domain may be one that cannot
 * change a label on the way, which nobody tells. Among equals each circuit begins elsewhere, so that few want
 * the same.
 */
import { type Free, toSeconds } from '../../model/capacity.ts';
import { type CircuitRequest, type EndpointAsk, endsOf, type Placement } from '../../model/circuit.ts';
import { HIGHEST_LABEL, type Label, LabelSet } from '../../model/label.ts';
import { hashText, type Labels, type Network } from '../../topology/network.ts';
import type { Path } from '../../topology/search/question.ts';
import type { World } from '../../topology/stitch.ts';
import type { Slot } from '../circuits/plan.ts';

/** Labels offered at a border, so that one conflict rarely costs a round. */
const MOST_CANDIDATES = 4;

/** By border link of the path; the same for both of its ends. */
export function labelsToTry(
  { network, borders }: Pick<World, 'network' | 'borders'>,
  domain: string,
  asked: { readonly id: string; readonly request: CircuitRequest; readonly slot: Slot },
  path: Path,
  free: Free,
  present: Placement | undefined,
): ReadonlyMap<string, readonly Label[]> {
  const open = new Map<string, readonly Label[]>();
  for (const link of path.links)
    if (borders.get(link)?.labelled === true)
      open.set(link, openAt(network, domain, link, asked.slot, path, free));
  const { a, z } = asked.request;
  const places = [...open.values(), ...[a, z].map((end) => labelsOfEnd(network, end))];
  const wanted = new Uint32Array(HIGHEST_LABEL + 1);
  for (const labels of places) for (const label of labels) wanted[label] = (wanted[label] as number) + 1;
  const start = hashText(asked.id) >>> 0;
  return new Map(
    [...open].map(([link, labels]) => {
      const chosen = best(labels, wanted, places.length, start);
      const has = labelAt(present, link);
      // What is lit there already stays as it is, if it can.
      return has === undefined || !labels.includes(has)
        ? [link, chosen]
        : [link, [has, ...chosen.filter((label) => label !== has)].slice(0, MOST_CANDIDATES)];
    }),
  );
}

const labelAt = (p: Placement | undefined, border: string): Label | undefined =>
  p?.segments.flatMap(endsOf).find((end) => end.border === border)?.label;

function best(labels: readonly Label[], wanted: Uint32Array, most: number, start: number): Label[] {
  const chosen: Label[] = [];
  for (let places = most; places > 0 && chosen.length < MOST_CANDIDATES; places--) {
    const equals = labels.filter((label) => wanted[label] === places);
    const from = equals.length === 0 ? 0 : start % equals.length;
    chosen.push(...equals.slice(from), ...equals.slice(0, from));
  }
  return chosen.slice(0, MOST_CANDIDATES);
}

function openAt(
  network: Network,
  domain: string,
  border: string,
  { window }: Slot,
  path: Path,
  free: Free,
): readonly Label[] {
  const link = network.link(network.linkIndex.get(border) ?? 0);
  const ours = [link.a, link.z].find((node) => network.node(node).domain === domain);
  // A node that cannot change labels has settled the matter together with the rest of its road.
  if (ours !== undefined && network.swaps[ours] === 0) {
    const onPath = path.uses[path.links.indexOf(border) + 1]?.label;
    return onPath === undefined ? [] : [onPath];
  }
  const taken = free.labels(link.edge, toSeconds(window.start), toSeconds(window.end));
  return without(link.labels, taken);
}

/** What a client's port could have; whether it is free there is for its domain to say. */
function labelsOfEnd({ ports }: Network, { port, vlan }: EndpointAsk): readonly Label[] {
  const all = without(ports.get(port)?.labels, new LabelSet());
  if (vlan === 'ANY') return all;
  return vlan === 'UNTAGGED'
    ? []
    : all.filter((label) => vlan.some(([low, high]) => low <= label && label <= high));
}

function without(labels: Labels | undefined, taken: LabelSet): Label[] {
  const left: Label[] = [];
  for (const [low, high] of labels?.ranges ?? [])
    for (let label = low; label <= high; label++) if (!taken.has(label)) left.push(label);
  return left;
}
