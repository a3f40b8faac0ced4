/**
 * What a step asks of the world. Effects are stored with the state change that caused them, leave the outbox
 * only once that is durable, and are delivered at least once; so each must be safe to repeat. One lane per
 * segment: in order within a lane, lanes side by side.
 */
import type { InstantMs } from '../kernel/clock.ts';
import type { CircuitId } from '../kernel/ids.ts';
import type { Segment } from './circuit.ts';
import type { PortId } from './port.ts';

export type Effect =
  | { readonly type: 'device.light'; readonly version: number }
  /** Carries the segment where the circuit itself no longer does. */
  | { readonly type: 'device.dark'; readonly version: number; readonly segment?: Segment }
  | {
      readonly type: 'peer.hold';
      readonly domain: string;
      readonly version: number;
      readonly replaces?: number;
    }
  | {
      readonly type: 'peer.extend';
      readonly domain: string;
      readonly version: number;
      readonly until: InstantMs;
    }
  | { readonly type: 'peer.commit'; readonly domain: string; readonly version: number }
  | { readonly type: 'peer.abort'; readonly domain: string; readonly version: number }
  | { readonly type: 'peer.free'; readonly domain: string; readonly version: number; readonly active: number }
  | { readonly type: 'peer.provision'; readonly domain: string; readonly version: number }
  | { readonly type: 'peer.release'; readonly domain: string; readonly reason: string }
  | { readonly type: 'peer.cancel'; readonly domain: string; readonly floor: number }
  | { readonly type: 'peer.query'; readonly domain: string }
  | {
      readonly type: 'peer.notify';
      readonly domain: string;
      readonly what: News;
      readonly version: number;
      readonly sequence: number;
      readonly cause?: string;
      readonly port?: PortId;
      /** Of the second road. */
      readonly second?: true;
    };

/**
 * What a participant tells of its segment. DOWN: its light is lost, and being lit again. IMPAIRED: no order to a
 * device will mend its road. MENDED: it is in order again.
 */
export type News = 'UP' | 'DOWN' | 'IMPAIRED' | 'MENDED' | 'ENDED';

/** The queue that an effect waits in. */
export const laneOf = (circuit: CircuitId, effect: Effect): string =>
  effect.type === 'device.light' || effect.type === 'device.dark'
    ? `device/${circuit}`
    : `${effect.domain}/${circuit}`;
