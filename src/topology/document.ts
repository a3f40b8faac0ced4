/**
 * The topology of one domain as it is written, stored and served: plain data, in the words of the API.
 * Every other notation (NML, GraphML, ...) is read into this one; the search runs on a form compiled from it.
 */

export interface TopologyDocument {
  readonly domain: string;
  readonly prefix: string;
  readonly nodes: readonly NodeDocument[];
  readonly ports: readonly PortDocument[];
  readonly links: readonly LinkDocument[];
  /** What neighbours advertise: their ports, and through which of our border ports they are reached. */
  readonly neighbours?: readonly NeighbourDocument[];
}

export interface NodeDocument {
  readonly id: string;
  readonly site?: string;
  readonly latitude?: number;
  readonly longitude?: number;
  /** The element that the drivers know by this name; the node's own id when absent. */
  readonly device?: string;
  /** Can a circuit leave with another label than it came in with? Yes unless said otherwise. */
  readonly swaps_labels?: boolean;
}

export interface PortDocument {
  /** `prefix:local`, as clients name it. */
  readonly id: string;
  readonly node: string;
  readonly kind: 'CLIENT' | 'BORDER';
  readonly capacity_mbps: number;
  /** "2-4094" when absent. */
  readonly vlans?: string;
  readonly mtu?: number;
  /** What the device calls it; the local part of the id when absent. */
  readonly device_port?: string;
  /** BORDER: the port of the neighbour at the other end of the cable. */
  readonly remote?: { readonly domain: string; readonly port: string };
}

export interface LinkDocument {
  readonly id: string;
  readonly a: { readonly node: string; readonly port: string };
  readonly z: { readonly node: string; readonly port: string };
  readonly capacity_mbps: number;
  readonly latency_ms?: number;
  readonly cost?: number;
  readonly mtu?: number;
  readonly vlans?: string;
  /** Shared-risk groups: what fails together. */
  readonly srlgs?: readonly string[];
  readonly admin_state?: 'UP' | 'DOWN';
}

export interface NeighbourDocument {
  readonly domain: string;
  readonly prefix: string;
  readonly api?: string;
  readonly ports: readonly {
    readonly id: string;
    readonly capacity_mbps: number;
    readonly vlans?: string;
    readonly mtu?: number;
  }[];
}
