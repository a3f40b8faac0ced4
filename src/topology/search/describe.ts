/** From links and labels to the path that callers see: names, cross-connects and claims. */
import type { Edge } from '../../model/capacity.ts';
import type { Hop, Use } from '../../model/circuit.ts';
import { type Label, UNTAGGED } from '../../model/label.ts';
import type { LabelKind } from '../network.ts';
import type { Path, Question } from './question.ts';

/** The nodes of a path, from the node of port a on: one more than it has links. */
export function nodesOf(question: Question, links: readonly number[]): number[] {
  const nodes = [question.a.node];
  for (const link of links) nodes.push(question.network.other(link, nodes.at(-1) as number));
  return nodes;
}

/**
 * What a path claims of the nodes that have each VLAN only once: the VLAN it has there. A circuit between two
 * untagged ports of one such node has none that others could have.
 */
export function nodeUses(
  { network, a, z }: Question,
  links: readonly number[],
  nodes: readonly number[],
  labels: readonly (Label | undefined)[],
): { readonly edge: Edge; readonly label: Label }[] {
  const kindAt = (place: number): LabelKind | undefined =>
    (place === 0 ? a : place > links.length ? z : network.link(links[place - 1] as number)).labels?.kind;
  return nodes.flatMap((node, i) => {
    const edge = network.space(node);
    // Before and behind the node it is one VLAN, or there is one at one side only.
    const place = [i, i + 1].find((p) => kindAt(p) === 'VLAN' && (labels[p] ?? UNTAGGED) !== UNTAGGED);
    return edge === undefined || place === undefined ? [] : [{ edge, label: labels[place] as Label }];
  });
}

const use = (edge: Use['edge'], label: Label | undefined): Use =>
  label === undefined ? { edge } : { edge, label };
const end = (port: string, label: Label | undefined): Path['a'] =>
  label === undefined ? { port } : { port, label };

export function describe(
  question: Question,
  links: readonly number[],
  labels: readonly (Label | undefined)[],
): Path {
  const { network, a, z } = question;
  const nodes = nodesOf(question, links);
  const hops: Hop[] = [];
  let latency = 0;
  let cost = 0;
  let inPort = a.devicePort;
  nodes.forEach((node, i) => {
    const link = links[i] === undefined ? undefined : network.link(links[i] as number);
    const outPort = link === undefined ? z.devicePort : link.a === node ? link.aPort : link.zPort;
    hops.push({
      device: network.node(node).device,
      in: { port: inPort, label: labels[i] ?? UNTAGGED },
      out: { port: outPort, label: labels[i + 1] ?? UNTAGGED },
    });
    if (link === undefined) return;
    inPort = link.a === node ? link.zPort : link.aPort;
    // In thousandths, so that sums are as exact as their terms.
    latency += Math.round(link.latencyMs * 1000);
    cost += Math.round(link.cost * 1000);
  });
  const groups = [...new Set([...a.groups, ...z.groups])];
  const uses = [
    use(network.names.name(a.edge), labels[0]),
    ...links.map((link, i) => use(network.names.name(network.link(link).edge), labels[i + 1])),
    use(network.names.name(z.edge), labels.at(-1)),
    ...groups.map((edge) => use(network.names.name(edge), undefined)),
    ...(network.anySpace ? nodeUses(question, links, nodes, labels) : []).map(({ edge, label }) =>
      use(network.names.name(edge), label),
    ),
  ];
  return {
    found: true,
    a: end(a.id, labels[0]),
    z: end(z.id, labels.at(-1)),
    nodes: nodes.map((node) => network.node(node).id),
    links: links.map((link) => network.link(link).id),
    hops,
    uses,
    latencyMs: latency / 1000,
    cost: cost / 1000,
  };
}
