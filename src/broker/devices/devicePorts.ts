/**
 * What the broker needs of devices, in its own words: light and dark, what is really set, and what they can tell
 * besides. Drivers, the memory device and the simulation implement it.
 */
import type { InstantMs } from '../../kernel/clock.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import type { Hop, Segment } from '../../model/circuit.ts';
import type { Counters } from '../../model/octets.ts';
import type { OutOfReach } from '../../topology/network.ts';

export interface LightContext {
  readonly circuit: CircuitId;
  readonly version: number;
  readonly mbps: number;
  readonly decisionId: string;
  /** The lease epoch of whoever sends: an element or its driver refuses an older one. */
  readonly fence: number;
  readonly deadline: InstantMs;
}

export interface ElementReport {
  readonly device: string;
  readonly outcome: 'applied' | 'already' | 'rejected' | 'unknown';
  readonly queue_ms: number;
  readonly protocol_ms: number;
  readonly settle_ms: number;
  readonly verify_ms: number;
  readonly commands?: readonly string[];
}

export interface DeviceReport {
  /** Read back and as asked. */
  readonly ok: boolean;
  /** When not ok: is it worth asking again? */
  readonly retry: boolean;
  readonly detail: string;
  readonly elements: readonly ElementReport[];
}

/** A cross-connect that an element really has. `owner` is absent on what is not ours. */
export interface ObservedConnect extends Hop {
  readonly owner?: { readonly circuit: CircuitId; readonly version: number };
}

/** Both verbs may be repeated: they state what should be, not what to do. */
export interface Devices {
  light(segment: Segment, context: LightContext): Promise<DeviceReport>;
  dark(segment: Segment, context: LightContext): Promise<DeviceReport>;
  observe(): Promise<readonly ObservedConnect[]>;
  /** What takes no orders now: devices that do not answer, and ports of which nobody knows what they are set to. */
  outOfReach?(): readonly OutOfReach[];
  /** How long this road takes to be set, by what its devices have taken lately; undefined where that is not known. */
  setupMs?(segment: Segment): number | undefined;
  /** The counters of a device's port; undefined where it has none, or does not answer. */
  counters?(device: string, port: string): Promise<Counters | undefined>;
}
