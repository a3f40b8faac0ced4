/**
 * What every dialect of every protocol offers the executor: one device, one cross-connect at a time, an honest
 * outcome. `applied` and `already` are said only after a read-back; `unknown` means that nobody could look, and
 * that it may or may not have happened. Queues, parallelism and rollback over several devices are the executor's.
 */
import type { InstantMs } from '../kernel/clock.ts';
import type { Attachment } from '../model/circuit.ts';
import type { Counters } from '../model/octets.ts';
import { type DeviceFault, type FaultKind, isRetryable } from './fault.ts';
import type { Owner } from './owner.ts';
import type { ObservedConnect, Outcome } from './port.ts';

/** One cross-connect that should be there, or should not. Ports are the device's own names; label 0 is the whole port. */
export interface Connect {
  readonly owner: Owner;
  readonly in: Attachment;
  readonly out: Attachment;
  readonly mbps: number;
}

export type ChangeKind = 'light' | 'dark';

export interface Capabilities {
  readonly layer: 'fibre' | 'tdm' | 'ethernet';
  readonly labels: 'none' | 'timeslot' | 'vlan';
  /** Can a circuit leave with another label than it came in with? */
  readonly swapsLabels: boolean;
  readonly rateLimit: 'none' | 'port' | 'vlan';
  /** Several settings in one request, all or none. */
  readonly atomicBatch: boolean;
  /** How a late request of an old master is kept out. */
  readonly fence: 'lock' | 'none';
  /** Tells of changes by itself. */
  readonly events: boolean;
}

export interface ApplyContext {
  readonly deadline: InstantMs;
  /** Asked between reading the device's lock and writing: does the lease that decided this still hold? */
  readonly stillMaster: () => boolean | Promise<boolean>;
}

export interface ApplyReport {
  readonly outcome: Outcome;
  /** Worth trying again later. */
  readonly retry: boolean;
  readonly detail: string;
  readonly protocol_ms: number;
  readonly settle_ms: number;
  readonly verify_ms: number;
  /** The exact requests in order, without secrets. */
  readonly commands: readonly string[];
  /** What stood in the way, when something did. */
  readonly fault?: FaultKind;
  /** The older placement of the same circuit that had to go; `undo` brings it back. */
  readonly replaced?: number;
  /** Puts back what was there before and looks; true when it is so. Absent when nothing was changed. */
  readonly undo?: () => Promise<boolean>;
}

export interface DevicePort {
  readonly name: string;
  readonly description?: string;
  readonly speedMbps?: number;
  readonly up?: boolean;
}

/** A neighbour as one end sees it. */
export interface Neighbour {
  readonly port: string;
  readonly remoteDevice: string;
  readonly remotePort: string;
}

export interface DeviceView {
  readonly device: string;
  /** What the device calls itself towards its neighbours. */
  readonly identity: string;
  readonly ports: readonly DevicePort[];
  readonly neighbours: readonly Neighbour[];
  readonly connects: readonly ObservedConnect[];
  /** Changes when the device has restarted. */
  readonly bootId: string;
}

export interface PortState {
  readonly name: string;
  readonly up: boolean;
}

export type WatchEvent =
  /** Ports that have light, or have it no longer; at first all of them. */
  | { readonly type: 'ports'; readonly ports: readonly PortState[] }
  | { readonly type: 'rebooted' }
  /** `foreign`: something changed that we did not order, or may have: read again. */
  | { readonly type: 'changed'; readonly foreign: boolean; readonly detail: string };

export interface Driver {
  readonly device: string;
  readonly protocol: 'snmp' | 'tl1';
  readonly dialect: string;
  readonly capabilities: Capabilities;
  /** Warms the session. */
  connect(): Promise<void>;
  /** What is really set: everything, ours and others'. */
  read(): Promise<readonly ObservedConnect[]>;
  /** The requests that `apply` would send now; asks the device, changes nothing. Rejects with what is in the way. */
  plan(kind: ChangeKind, connect: Connect): Promise<readonly string[]>;
  apply(kind: ChangeKind, connect: Connect, context: ApplyContext): Promise<ApplyReport>;
  discover(): Promise<DeviceView>;
  /** Octets through a port, for accounting; undefined where it has no counters of 64 bits. */
  counters?(port: string): Promise<Counters | undefined>;
  watch(listener: (event: WatchEvent) => void): () => void;
  /** A datagram that nobody asked for. Is it a trap of this device? Then it is looked at. */
  hear?(datagram: Buffer, address: string): boolean;
  close(): Promise<void>;
}

type More = Pick<ApplyReport, 'undo' | 'fault' | 'replaced'>;

/** Measures the parts of a change on the driver's clock. */
export class Split {
  protocol_ms = 0;
  settle_ms = 0;
  verify_ms = 0;
  readonly commands: string[] = [];
  readonly #now: () => number;
  constructor(now: () => number) {
    this.#now = now;
  }
  async time<T>(part: 'protocol_ms' | 'settle_ms' | 'verify_ms', work: () => Promise<T>): Promise<T> {
    const start = this.#now();
    try {
      return await work();
    } finally {
      this[part] += this.#now() - start;
    }
  }
  report(outcome: Outcome, retry: boolean, detail: string, more: More = {}): ApplyReport {
    const { protocol_ms, settle_ms, verify_ms, commands } = this;
    return { outcome, retry, detail, protocol_ms, settle_ms, verify_ms, commands, ...more };
  }
  /** Nothing is known to have changed, or nobody could look. */
  failed(outcome: 'rejected' | 'unknown', fault: DeviceFault, more: More = {}): ApplyReport {
    return this.report(outcome, outcome === 'unknown' || isRetryable(fault), fault.message, {
      ...more,
      fault: fault.kind,
    });
  }
}

export const sameEnds = (
  a: { readonly in: Attachment; readonly out: Attachment },
  b: { readonly in: Attachment; readonly out: Attachment },
): boolean => {
  const same = (x: Attachment, y: Attachment): boolean => x.port === y.port && x.label === y.label;
  return (same(a.in, b.in) && same(a.out, b.out)) || (same(a.in, b.out) && same(a.out, b.in));
};
