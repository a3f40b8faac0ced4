/**
 * Networks and workloads for the benches, from a seed: long-haul look-alikes (random places, short links that
 * no third place lies between, as many as asked for, connected) and requests between places of unequal weight.
 */
import { seededRandom } from '../src/kernel/random.ts';
import type { Calendar, Share } from '../src/scheduler/calendar.ts';
import type { LinkDocument, TopologyDocument } from '../src/topology/document.ts';
import type { Network } from '../src/topology/network.ts';
import type { Path, PathQuery } from '../src/topology/search/question.ts';

export type Seeded = ReturnType<typeof seededRandom>;

interface Candidate {
  readonly a: number;
  readonly z: number;
  readonly length: number;
}

/** `links` may come out smaller when so many would not be short. */
export function longHaul(nodes: number, links: number, seed: number): TopologyDocument {
  const random = seededRandom(seed);
  const x = Float64Array.from({ length: nodes }, () => random.float());
  const y = Float64Array.from({ length: nodes }, () => random.float());
  const candidates = shortLinks(x, y);
  const chosen = new Set<Candidate>();
  const root = Int32Array.from({ length: nodes }, (_, i) => i);
  const find = (v: number): number => {
    let at = v;
    while (root[at] !== at) at = root[at] = root[root[at] as number] as number;
    return at;
  };
  for (const link of candidates) {
    const [a, z] = [find(link.a), find(link.z)];
    if (a === z) continue;
    root[a] = z;
    chosen.add(link);
  }
  for (const link of candidates) if (chosen.size < links) chosen.add(link);
  return networkDocument(
    nodes,
    [...chosen].map(({ a, z, length }) => [a, z, Math.max(0.05, length * 25)]),
  );
}

/** Pairs of near places, shortest first, without those that have another place in the circle between them. */
function shortLinks(x: Float64Array, y: Float64Array): Candidate[] {
  const side = Math.max(1, Math.floor(Math.sqrt(x.length / 3)));
  const cells = new Map<number, number[]>();
  const cellOf = (value: number): number => Math.min(side - 1, Math.floor(value * side));
  x.forEach((px, i) => {
    const cell = cellOf(px) * side + cellOf(y[i] as number);
    cells.set(cell, [...(cells.get(cell) ?? []), i]);
  });
  const near = (i: number): number[] => {
    const [cx, cy] = [cellOf(x[i] as number), cellOf(y[i] as number)];
    const found: number[] = [];
    for (let dx = -3; dx <= 3; dx++) {
      for (let dy = -3; dy <= 3; dy++) {
        if (cx + dx < 0 || cx + dx >= side || cy + dy < 0 || cy + dy >= side) continue;
        found.push(...(cells.get((cx + dx) * side + cy + dy) ?? []));
      }
    }
    return found;
  };
  const square = (i: number, j: number): number =>
    ((x[i] as number) - (x[j] as number)) ** 2 + ((y[i] as number) - (y[j] as number)) ** 2;
  const candidates: Candidate[] = [];
  for (let a = 0; a < x.length; a++) {
    const around = near(a);
    for (const z of around) {
      if (z <= a) continue;
      const between = around.some((c) => c !== a && c !== z && square(a, c) + square(c, z) < square(a, z));
      if (!between) candidates.push({ a, z, length: Math.sqrt(square(a, z)) });
    }
  }
  return candidates.sort((p, q) => p.length - q.length || p.a - q.a || p.z - q.z);
}

export function networkDocument(
  nodes: number,
  links: readonly (readonly [a: number, z: number, latencyMs: number])[],
): TopologyDocument {
  const id = (i: number): string => `n${String(i).padStart(5, '0')}`;
  return {
    domain: 'bench.example',
    prefix: 'b',
    nodes: Array.from({ length: nodes }, (_, i) => ({ id: id(i) })),
    ports: Array.from({ length: nodes }, (_, i) => ({
      id: `b:${id(i)}`,
      node: id(i),
      kind: 'CLIENT' as const,
      // Never what is scarce here: the links are what the bench is about.
      capacity_mbps: 2_000_000_000,
    })),
    links: links.map(
      ([a, z, latency], i): LinkDocument => ({
        id: `l${String(i).padStart(5, '0')}`,
        a: { node: id(a), port: `to-${z}-${i}` },
        z: { node: id(z), port: `to-${a}-${i}` },
        capacity_mbps: 100_000,
        latency_ms: latency,
        cost: latency,
      }),
    ),
  };
}

/** Every document that the readers give can be benched: ports where it has none. */
export function withPorts(document: TopologyDocument): TopologyDocument {
  if (document.ports.length > 1) return document;
  return {
    ...document,
    ports: document.nodes.map(({ id }, i) => ({
      id: `${document.prefix}:bench-${i}`,
      node: id,
      kind: 'CLIENT',
      capacity_mbps: 2_000_000_000,
    })),
  };
}

const HOUR = 3600;
const RATES = [1_000, 2_000, 5_000, 10_000, 10_000, 20_000];

export class Workload {
  readonly #random: Seeded;
  readonly #ports: string[];
  readonly #weights: number[] = [];
  #sum = 0;

  constructor(network: Network, random: Seeded) {
    this.#random = random;
    this.#ports = [...network.ports.keys()];
    for (let i = 0; i < this.#ports.length; i++) {
      // Twelve uniform draws less six are near enough to a normal one.
      let normal = -6;
      for (let j = 0; j < 12; j++) normal += random.float();
      this.#sum += Math.exp(normal);
      this.#weights.push(this.#sum);
    }
  }

  #port(): string {
    const at = this.#random.float() * this.#sum;
    let low = 0;
    let high = this.#weights.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#weights[middle] as number) < at) low = middle + 1;
      else high = middle;
    }
    return this.#ports[low] as string;
  }

  /** Durations are exponential with a mean of four hours; starts spread over the horizon. */
  next(horizon: number): PathQuery {
    const a = this.#port();
    let z = this.#port();
    while (z === a) z = this.#port();
    const start = this.#random.int(horizon);
    const duration = 300 + Math.ceil(-Math.log(1 - this.#random.float()) * 4 * HOUR);
    const mbps = RATES[this.#random.int(RATES.length)] as number;
    return {
      a: { port: a, vlan: 'ANY' },
      z: { port: z, vlan: 'ANY' },
      mbps,
      start,
      end: start + duration,
      metric: 'latency',
    };
  }
}

export type Booking = readonly Share[];

export function book(network: Network, calendar: Calendar, query: PathQuery, path: Path): Booking {
  const { mbps, start, end } = query;
  const uses: Share[] = [];
  for (const { edge, label } of path.uses) {
    const on = network.names.intern(edge);
    uses.push(label === undefined ? { edge: on, mbps, start, end } : { edge: on, mbps, label, start, end });
  }
  calendar.claimAll(uses);
  return uses;
}

export function unbook(calendar: Calendar, booking: Booking): void {
  calendar.releaseAll(booking);
}
