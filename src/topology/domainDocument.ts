/**
 * What a domain tells the others about itself: the ports where circuits may begin, the borders, and abstract
 * edges between the points where these hang. Its own links and nodes stay private. A version is a pair
 * (epoch, n) that only grows; the same version always has the same content.
 */
import type { StateDocument } from './document.ts';

export interface DomainVersion {
  /** The lease epoch of the broker that published it. */
  readonly epoch: number;
  readonly n: number;
}

export interface DomainPort {
  readonly id: string;
  /** The point that it hangs at; ports of one point reach each other for nothing. */
  readonly at: string;
  readonly capacity_mbps: number;
  /** "2-4094" when absent. */
  readonly vlans?: string;
  readonly unlabelled?: boolean;
  readonly mtu?: number;
}

/** One end of a link to a neighbour. The link exists only when the other end claims it too. */
export interface DomainBorder extends DomainPort {
  readonly remote: { readonly domain: string; readonly port: string };
  readonly latency_ms?: number;
  readonly cost?: number;
  readonly srlgs?: readonly string[];
  readonly state?: StateDocument;
}

/** A way from point to point: the cheapest, and where another carries more, the widest beside it. */
export interface DomainEdge {
  readonly a: string;
  readonly z: string;
  readonly capacity_mbps: number;
  readonly latency_ms: number;
  readonly cost: number;
  readonly mtu: number;
  readonly srlgs?: readonly string[];
}

export interface DomainDocument {
  readonly domain: string;
  readonly prefix: string;
  readonly version: DomainVersion;
  readonly ports: readonly DomainPort[];
  readonly borders: readonly DomainBorder[];
  readonly edges: readonly DomainEdge[];
}

const MOST_PORTS = 10_000;
const MOST_EDGES = 20_000;

/** What is wrong with a document that has the right form; undefined when nothing is. */
export function mistakeIn(document: DomainDocument): string | undefined {
  const { domain, prefix, ports, borders, edges } = document;
  const all = [...ports, ...borders];
  if (all.length > MOST_PORTS || edges.length > MOST_EDGES) return 'it is too large';
  const ids = new Set(all.map((port) => port.id));
  if (ids.size !== all.length) return 'it names a port twice';
  const strange = all.find((port) => !port.id.startsWith(`${prefix}:`));
  if (strange !== undefined) return `${strange.id} is not a port of ${domain}`;
  const own = borders.find((border) => border.remote.domain === domain);
  if (own !== undefined) return `${own.id} leads back to ${domain}`;
  const points = new Set(all.map((port) => port.at));
  const loose = edges.find((edge) => edge.a === edge.z || !points.has(edge.a) || !points.has(edge.z));
  if (loose !== undefined) return `an edge from ${loose.a} to ${loose.z} joins no two of its points`;
  const odd = [...all, ...edges].find((one) => !isRoom(one.capacity_mbps));
  return odd === undefined ? undefined : `${odd.capacity_mbps} is no capacity`;
}

const isRoom = (mbps: number): boolean => Number.isSafeInteger(mbps) && mbps >= 0 && mbps < 2 ** 31 - 1;

/** Below zero: `one` is older. */
export const compareVersions = (one: DomainVersion, other: DomainVersion): number =>
  one.epoch - other.epoch || one.n - other.n;
