/**
 * The topology of one domain as it is written, stored and served: plain data, in the words of the API.
 * Every other notation (NML, GraphML, ...) is read into this one; the search runs on a form compiled from it
 * (compile.ts), operators read it as a graph (graph.ts).
 */

export interface TopologyDocument {
  readonly domain: string;
  readonly prefix: string;
  readonly nodes: readonly NodeDocument[];
  readonly ports: readonly PortDocument[];
  readonly links: readonly LinkDocument[];
  /** What neighbours advertise: their ports, and through which of our border ports they are reached. */
  readonly neighbours?: readonly NeighbourDocument[];
  readonly sites?: readonly SiteDocument[];
  readonly port_groups?: readonly PortGroupDocument[];
  /** Operators' maintenance, kept as bookings of all the room of what it closes. */
  readonly maintenance_windows?: readonly MaintenanceWindowDocument[];
  /** The shared-risk groups that links may name. Where the list is given, any other name is a mistake. */
  readonly srlgs?: readonly SrlgDocument[];
}

export type StateDocument = 'UP' | 'DOWN';

/** A time in which something is out of use: [start_time, end_time), RFC 3339. */
export interface MaintenanceDocument {
  readonly start_time: string;
  readonly end_time: string;
  readonly reason?: string;
}

/** What an operator has announced: links and nodes (with their links and ports) out of use for a time. */
export interface MaintenanceWindowDocument extends MaintenanceDocument {
  readonly id: string;
  readonly links?: readonly string[];
  readonly nodes?: readonly string[];
}

/** What tells circuits apart there, at most one of these; VLANs "2-4094" when none is given. */
export interface LabelsDocument {
  readonly vlans?: string;
  readonly wavelengths?: string;
  readonly time_slots?: string;
  /** Circuits share it without being told apart. */
  readonly unlabelled?: boolean;
}

export interface SiteDocument {
  readonly id: string;
  readonly name?: string;
  readonly latitude?: number;
  readonly longitude?: number;
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
  /**
   * NODE: it has each VLAN only once, whatever the port, as a bridge has. PORT: each port has its own.
   * NODE where `swaps_labels` is false, unless said otherwise; wavelengths and time slots are always a port's own.
   */
  readonly label_scope?: 'NODE' | 'PORT';
  /** The network domain it belongs to; the document's when absent. */
  readonly domain?: string;
  readonly admin_state?: StateDocument;
  readonly oper_state?: StateDocument;
  readonly maintenance?: readonly MaintenanceDocument[];
}

export interface PortDocument extends LabelsDocument {
  /** `prefix:local`, as clients name it. */
  readonly id: string;
  readonly node: string;
  readonly kind: 'CLIENT' | 'BORDER';
  readonly capacity_mbps: number;
  readonly mtu?: number;
  /** What the device calls it; the local part of the id when absent. */
  readonly device_port?: string;
  /** BORDER: the port of the neighbour at the other end of the cable. */
  readonly remote?: RemoteDocument;
  readonly admin_state?: StateDocument;
}

/** Where the cable of a border port leads, and what crossing it means to a circuit. */
export interface RemoteDocument {
  readonly domain: string;
  readonly port: string;
  readonly latency_ms?: number;
  /** 1 when absent. */
  readonly cost?: number;
  readonly srlgs?: readonly string[];
}

/** Ports that share room: a line card, an aggregate. */
export interface PortGroupDocument {
  readonly id: string;
  readonly ports: readonly string[];
  readonly capacity_mbps: number;
}

export interface LinkDocument extends LabelsDocument {
  readonly id: string;
  readonly a: { readonly node: string; readonly port: string };
  readonly z: { readonly node: string; readonly port: string };
  /** From a to z, and back unless `capacity_za_mbps` says otherwise. */
  readonly capacity_mbps: number;
  readonly capacity_za_mbps?: number;
  /** Read to the microsecond. */
  readonly latency_ms?: number;
  /** 1 when absent. Read to the thousandth. */
  readonly cost?: number;
  readonly mtu?: number;
  /** Shared-risk groups: what fails together. */
  readonly srlgs?: readonly string[];
  readonly admin_state?: StateDocument;
  readonly oper_state?: StateDocument;
  readonly maintenance?: readonly MaintenanceDocument[];
}

export interface SrlgDocument {
  readonly id: string;
  readonly description?: string;
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
