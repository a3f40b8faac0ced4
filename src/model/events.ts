/**
 * Everything that can happen to a circuit. Each carries the time at which it was decided, so that replaying
 * the stored events gives the stored circuit. A home and a participant live through different events: the
 * home hears its client and its participants' answers, a participant hears its home.
 */
import type { InstantMs } from '../kernel/clock.ts';
import type { Problem } from '../kernel/errors.ts';
import type { ChangeCause, CircuitRequest, Freed, Placement, Segment } from './circuit.ts';
import type { Label } from './label.ts';
import type { PortId } from './port.ts';

interface At {
  readonly at: InstantMs;
  /** The policy decision that let it happen, where somebody asked. */
  readonly decisionId?: string;
}

/** What devices and the clock say, to either role. */
type Observation =
  /** `early`: before its start, because its devices take so long, and nobody else is there. */
  | { readonly type: 'due'; readonly early?: true }
  /** The segment in that domain carries light and was read back. */
  | { readonly type: 'up'; readonly domain: string; readonly version: number }
  /** It should carry light and does not. */
  | { readonly type: 'down'; readonly domain: string; readonly version: number; readonly detail: string }
  /** Set as it should be, but something on its road is out of order: no order to a device will mend it. */
  | {
      readonly type: 'impaired';
      readonly domain: string;
      readonly version: number;
      readonly detail: string;
      /** The end of the segment that is out of order, and not what lies between. */
      readonly port?: PortId;
      /** Not its road, but the second one beside it. */
      readonly second?: true;
    }
  /** What was out of order on its road is not any more. */
  | { readonly type: 'mended'; readonly domain: string; readonly version: number; readonly second?: true }
  /** Verified out. Without a version: whatever the domain had of this circuit. */
  | { readonly type: 'dark'; readonly domain: string; readonly version?: number };

/** What a domain holds at the two ends of a road: a label where there was no choice, else those it can have. */
export interface HeldLabels {
  readonly aLabel?: Label;
  readonly zLabel?: Label;
  readonly aLabels?: readonly Label[];
  readonly zLabels?: readonly Label[];
}

export type HomeEvent = At &
  (
    | Observation
    | {
        readonly type: 'place';
        readonly placement: Placement;
        readonly until: InstantMs;
        readonly waitsFor?: readonly string[];
      }
    /** That domain has room as soon as those are gone that the attempt waits for. */
    | { readonly type: 'waits'; readonly domain: string; readonly version: number }
    /** They are gone: our own part is held with this, and the others are asked again. */
    | {
        readonly type: 'room';
        readonly version: number;
        readonly segment?: Segment;
        readonly frees: readonly Freed[];
      }
    | { readonly type: 'reject'; readonly problem: Problem }
    | (HeldLabels & {
        readonly type: 'held';
        readonly domain: string;
        readonly version: number;
        readonly peerRef: string;
        readonly until: InstantMs;
        /** Of its second road, where it was asked for two. */
        readonly second?: HeldLabels;
      })
    | {
        readonly type: 'refused';
        readonly domain: string;
        readonly version: number;
        readonly cause: string;
        /** One of the words of the Peers port, or what became of a hold that was not refused. */
        readonly kind?: string;
        readonly opens?: InstantMs;
      }
    | { readonly type: 'committed'; readonly domain: string; readonly version: number }
    | { readonly type: 'ended'; readonly domain: string; readonly cause: string }
    /** That domain has these versions of it, and should not, or not only. */
    | { readonly type: 'differs'; readonly domain: string; readonly versions: readonly number[] }
    | { readonly type: 'commit' }
    | { readonly type: 'abort' }
    | { readonly type: 'extend-hold'; readonly until: InstantMs }
    | { readonly type: 'provision' }
    | { readonly type: 'release'; readonly detail: string }
    | { readonly type: 'cancel'; readonly detail: string }
    /** Without a placement only the request changes (a later deadline of a circuit that stays where it is). */
    | {
        readonly type: 'modify';
        readonly placement?: Placement;
        readonly request: CircuitRequest;
        readonly until: InstantMs;
        readonly cause?: ChangeCause;
        /** MOVE: the circuit that needed the room. */
        readonly for?: string;
        /** MOVE: another home has asked for it. */
        readonly asked?: true;
      }
  );

/** Those of a home that have one type. */
export type HomeEv<T extends HomeEvent['type']> = Extract<HomeEvent, { readonly type: T }>;

export type ParticipantEvent = At &
  (
    | Observation
    | {
        readonly type: 'hold';
        readonly placement: Placement;
        readonly until: InstantMs;
        readonly replaces?: number;
      }
    | { readonly type: 'extend-hold'; readonly version: number; readonly until: InstantMs }
    | { readonly type: 'commit'; readonly placement: Placement; readonly epoch: number }
    | { readonly type: 'abort'; readonly version: number; readonly active?: number }
    | { readonly type: 'free'; readonly version: number; readonly active: number }
    | { readonly type: 'provision'; readonly version: number }
    | { readonly type: 'release'; readonly detail: string }
    | { readonly type: 'cancel'; readonly floor: number }
    /** The home has other versions of it than we. */
    | { readonly type: 'differs'; readonly domain: string; readonly versions: readonly number[] }
    /** The home's answer to our query. */
    | {
        readonly type: 'told';
        readonly state: 'ACTIVE' | 'PENDING' | 'ABORTED' | 'UNKNOWN';
        readonly version?: number;
        readonly epoch: number;
      }
  );

/** Those of a participant that have one type. */
export type ParticipantEv<T extends ParticipantEvent['type']> = Extract<
  ParticipantEvent,
  { readonly type: T }
>;

export type CircuitEvent = HomeEvent | ParticipantEvent;
