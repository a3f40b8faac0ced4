/** A domain large enough that admission is decided by the work, not by a port that is full. */
import type { TopologyDocument } from '../../src/topology/document.ts';

const SITES = 12;
const HOSTS_PER_SITE = 8;

/** Twelve switches in a ring with chords, eight 400G hosts on each. */
export function benchTopology(): TopologyDocument {
  const nodes = Array.from({ length: SITES }, (_, i) => ({ id: `sw${i}` }));
  const ports = nodes.flatMap((node, i) =>
    Array.from({ length: HOSTS_PER_SITE }, (_, h) => ({
      id: `ben:s${i}h${h}`,
      node: node.id,
      kind: 'CLIENT' as const,
      capacity_mbps: 400_000,
    })),
  );
  const pairs = nodes.flatMap((_, i) => [
    [i, (i + 1) % SITES],
    ...(i % 3 === 0 ? [[i, (i + 5) % SITES]] : []),
  ]) as [number, number][];
  const links = pairs.map(([a, z]) => ({
    id: `l${a}-${z}`,
    a: { node: `sw${a}`, port: `to${z}` },
    z: { node: `sw${z}`, port: `to${a}` },
    capacity_mbps: 1_600_000,
    latency_ms: 2,
  }));
  return { domain: 'bench.example', prefix: 'ben', nodes, ports, links };
}

export const benchPorts = (): string[] => benchTopology().ports.map((port) => port.id);
