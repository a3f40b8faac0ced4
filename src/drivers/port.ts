/**
 * What the broker asks of devices: the same shapes as in broker/ports.ts, to be replaced by an import of them
 * once both are on one branch.
 */
import type { InstantMs } from '../kernel/clock.ts';
import type { CircuitId } from '../kernel/ids.ts';
import type { Hop, Segment } from '../model/circuit.ts';

export type Outcome = 'applied' | 'already' | 'rejected' | 'unknown';

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
  readonly outcome: Outcome;
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

export interface Devices {
  light(segment: Segment, context: LightContext): Promise<DeviceReport>;
  dark(segment: Segment, context: LightContext): Promise<DeviceReport>;
  observe(): Promise<readonly ObservedConnect[]>;
}
