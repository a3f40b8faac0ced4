/**
 * What the broker asks of devices. The shape belongs to the broker (broker/ports.ts); it is declared here until
 * that file exists, and is to be replaced by an import of it.
 */
import type { InstantMs } from '../kernel/clock.ts';
import type { Attachment, Segment } from '../model/circuit.ts';

export type Outcome = 'applied' | 'already' | 'rejected' | 'unknown';

export interface DeviceContext {
  readonly circuit: string;
  readonly version: number;
  readonly mbps: number;
  readonly decisionId: string;
  /** The lease epoch of the broker that decided. */
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
  readonly detail?: string;
  readonly commands?: readonly string[];
}

export interface DeviceReport {
  readonly ok: boolean;
  readonly retry: boolean;
  readonly detail: string;
  readonly elements: readonly ElementReport[];
}

/** A cross-connect that is set in a device. Without a circuit it is somebody else's. */
export interface ObservedConnect {
  readonly device: string;
  readonly in: Attachment;
  readonly out: Attachment;
  readonly circuit?: string;
  readonly version?: number;
}

export interface Devices {
  light(segment: Segment, context: DeviceContext): Promise<DeviceReport>;
  dark(segment: Segment, context: DeviceContext): Promise<DeviceReport>;
  observe(): Promise<readonly ObservedConnect[]>;
}
