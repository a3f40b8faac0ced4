/**
 * What callers hand in with each use case, and what they get back, in the broker's own words. Who does it is
 * usecases.ts; what is kept of it is in the records of ports.ts.
 */
import type { InstantMs } from '../kernel/clock.ts';
import type { BrokerError } from '../kernel/errors.ts';
import type { CircuitId, OfferId, PolicyId } from '../kernel/ids.ts';
import type { Circuit, CircuitRequest } from '../model/circuit.ts';
import type { Principal } from '../model/principal.ts';
import type { Window } from '../model/window.ts';
import type { MaintenanceWindowDocument } from '../topology/document.ts';
import type { SetRecord, StoredAnswer } from './ports.ts';
import type { Presented } from './tokens/tokenDesk.ts';

/** Who asks for something that is decided, and in which request. */
export interface Call {
  readonly principal: Principal;
  readonly requestId: string;
  /** The circuit token that came instead of a bearer. */
  readonly capability?: Presented;
  /** Why an operator acts without the token that the circuit asks for. */
  readonly override?: string;
}

/** A call that may change something. `render` makes the answer that is stored under the key, in the same transaction. */
export interface Mutation<T> extends Call {
  readonly validateOnly: boolean;
  readonly idempotency?: {
    readonly key: string;
    readonly bodyHash: string;
    render(outcome: { readonly ok: T } | { readonly problem: BrokerError }): StoredAnswer;
  };
}

export type Mutated<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'replayed'; readonly answer: StoredAnswer };

export type CircuitAction =
  | { readonly type: 'commit' | 'abort' | 'provision' }
  | { readonly type: 'reroute' }
  | { readonly type: 'release' | 'cancel'; readonly detail: string }
  | { readonly type: 'extend-hold'; readonly holdS: number };

/** Who wants to be called. `project`: one of his; the first if he says nothing. */
export interface WebhookWish {
  readonly url: string;
  readonly types: readonly string[];
  readonly project?: string;
}

/** A change in place; absent fields stay. `end: 'NEVER'` takes the end away. */
export interface CircuitChange {
  readonly mbps?: number;
  readonly end?: InstantMs | 'NEVER';
  readonly notBefore?: InstantMs;
  readonly deadline?: InstantMs;
  /** `extend`: this much later than the present end. */
  readonly extendS?: number;
  /** `extend` again: an `end` before the present one is a slip, not a wish. */
  readonly laterOnly?: true;
}

export interface LinkState {
  readonly admin?: 'UP' | 'DOWN';
  readonly oper?: 'UP' | 'DOWN';
}

export interface RecurrenceAsk {
  readonly rrule: string;
  readonly timezone: string;
  readonly durationS: number;
  readonly notBefore: InstantMs;
}

export interface SetMemberAsk {
  readonly key: string;
  /** The key of a member that must have ended `gapS` seconds before this one starts. */
  readonly after?: string;
  readonly gapS?: number;
  /** Keys of members with which it shares no link. */
  readonly diverse?: readonly string[];
  readonly request: CircuitRequest;
}

export interface PortView {
  readonly id: string;
  readonly domain: string;
  readonly node?: string;
  readonly kind: 'CLIENT' | 'BORDER';
  readonly capacityMbps: number;
  readonly vlans: string;
  readonly mtu?: number;
}

export interface TopologyImpact {
  readonly version: number;
  /** Circuits that the change takes the road from. */
  readonly broken: readonly { readonly circuitId: CircuitId; readonly detail: string }[];
}

export interface OfferAsk {
  readonly request: CircuitRequest;
  readonly wanted: 'EARLIEST_START' | 'EARLIEST_FINISH' | 'MAX_BANDWIDTH' | 'ALL_SLOTS';
  readonly most: number;
  /** Hold the options for so long; absent or 0: an indicative offer. */
  readonly firmS?: number;
}

export interface OfferOption {
  readonly option: number;
  readonly start: InstantMs;
  readonly end: InstantMs;
  readonly mbps: number;
  readonly links: readonly string[];
  /** PROTECTED: the second road. */
  readonly backupLinks?: readonly string[];
  readonly latencyMs: number;
  /** How many others would step aside for it. */
  readonly moves: number;
  /** FIRM: the circuit that holds the room. */
  readonly circuitId?: CircuitId;
}

export interface OfferSet {
  readonly id: OfferId;
  readonly kind: 'INDICATIVE' | 'FIRM';
  readonly expire: InstantMs;
  readonly options: readonly OfferOption[];
}

/** Links and nodes out of use for a time, and what is to happen to circuits that have their place there. */
export interface MaintenanceAsk {
  readonly links: readonly string[];
  readonly nodes: readonly string[];
  readonly window: Window;
  readonly reason?: string;
  readonly conflict: 'REJECT' | 'MIGRATE_FLEXIBLE' | 'PREEMPT';
}

export interface MaintenanceImpact {
  readonly circuitId: CircuitId;
  /** SHORTENED: it ends when the maintenance begins. */
  readonly outcome: 'IN_THE_WAY' | 'MOVED' | 'REROUTED' | 'SHORTENED' | 'ASKING' | 'CANCELLED';
}

export interface MaintenanceView {
  readonly window: MaintenanceWindowDocument;
  readonly impact: readonly MaintenanceImpact[];
}

/** What can be had between two ports from `from` on, until the next step. */
export interface AvailabilityStep {
  readonly from: InstantMs;
  readonly freeMbps: number;
}

export interface Availability {
  readonly steps: readonly AvailabilityStep[];
  /** Beyond this nothing is said: the calendar has more steps than one answer holds. */
  readonly until: InstantMs;
}

/** One step of a calendar: so much is claimed from then on. */
export interface CalendarStep {
  readonly from: InstantMs;
  readonly claimedMbps: number;
}

export interface Readiness {
  readonly ready: boolean;
  readonly role: 'LEADER' | 'STANDBY' | 'STARTING' | 'STOPPING';
  readonly epoch: number;
  readonly store: 'OK' | 'FULL' | 'UNAVAILABLE';
  readonly clock: InstantMs;
  readonly liveCircuits: number;
  readonly effectsWaiting: number;
  readonly leader?: string;
  /** Why it serves nobody until somebody has looked. */
  readonly refusal?: string;
  /** Of the leader. CLOSED: what should be in force does not load, and everything is denied. */
  readonly policy?: {
    readonly state: 'IN_FORCE' | 'CLOSED';
    readonly id?: PolicyId;
    readonly detail?: string;
  };
}

/** Room that we hold for a peer without a commit, and live circuits that we have with it, either way. */
export interface Dealings {
  readonly holds: number;
  readonly circuits: number;
  /** Messages to it that it has not answered, and those that were given up since the start. */
  readonly waiting: number;
  readonly givenUp: number;
}

/** Counters since the start, for /metrics and the bench. */
export interface Stats {
  readonly transactions: number;
  readonly groups: readonly number[];
  readonly admitted: number;
  readonly refused: number;
  readonly effectsDone: number;
  readonly effectsFailed: number;
  readonly circuitsByState: Readonly<Record<string, number>>;
  /** Durable records of the audit log, and how many of them no checkpoint covers yet. */
  readonly auditRecords: number;
  readonly auditUnsigned: number;
}

export interface SetResult {
  readonly set: SetRecord;
  readonly circuits: readonly Circuit[];
}
