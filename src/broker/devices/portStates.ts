/**
 * What devices say of their ports, and what follows: a link with a dark end is out of order, and mended when both
 * its ends have light; a circuit whose own port has none is told so, and stays where it is. An operator's word about
 * a link's order stands until a device tells of a change there.
 */
import type { TopologyDocument } from '../../topology/document.ts';

/** Has it light? By device and device port; absent is not known. */
export type KnownPorts = ReadonlyMap<string, ReadonlyMap<string, boolean>>;

export class PortWatch {
  readonly #known = new Map<string, Map<string, boolean>>();

  get known(): KnownPorts {
    return this.#known;
  }
  note(device: string, ports: readonly { readonly name: string; readonly up: boolean }[]): void {
    const known = this.#known.get(device) ?? new Map<string, boolean>();
    this.#known.set(device, known);
    for (const { name, up } of ports) known.set(name, up);
  }
}

const devicesOf = ({ nodes }: TopologyDocument): ReadonlyMap<string, string> =>
  new Map(nodes.map(({ id, device }) => [id, device ?? id]));

/** The links of one device whose state has to change, with the state that they are in now. */
export function linkStates(
  document: TopologyDocument,
  known: KnownPorts,
  device: string,
  ports: ReadonlySet<string>,
): ReadonlyMap<string, 'UP' | 'DOWN'> {
  const deviceOf = devicesOf(document);
  const states = new Map<string, 'UP' | 'DOWN'>();
  for (const { id, a, z, oper_state = 'UP' } of document.links) {
    const ends = [a, z].map(({ node, port }) => ({ device: deviceOf.get(node) ?? node, port }));
    if (!ends.some((end) => end.device === device && ports.has(end.port))) continue;
    const dark = ends.some((end) => known.get(end.device)?.get(end.port) === false);
    if (oper_state !== (dark ? 'DOWN' : 'UP')) states.set(id, dark ? 'DOWN' : 'UP');
  }
  return states;
}

/** The ports of the topology, clients' and borders', that have no light. */
export function darkPorts(document: TopologyDocument, known: KnownPorts): ReadonlySet<string> {
  const deviceOf = devicesOf(document);
  const dark = document.ports.filter(({ id, node, device_port = id.slice(id.indexOf(':') + 1) }) => {
    return known.get(deviceOf.get(node) ?? node)?.get(device_port) === false;
  });
  return new Set(dark.map(({ id }) => id));
}
