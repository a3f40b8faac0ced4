/**
 * What the broker does for its callers: the whole surface that the API stands on. A refusal is thrown as a
 * BrokerError; a repeated Idempotency-Key gives back the first answer instead of acting again.
 */
import type { InstantMs } from '../kernel/clock.ts';
import type { BrokerError } from '../kernel/errors.ts';
import type { CircuitId, DecisionId, OfferId, PolicyId, SeriesId, SetId, WebhookId } from '../kernel/ids.ts';
import type { Circuit, CircuitRequest, EndpointAsk } from '../model/circuit.ts';
import type { Principal } from '../model/principal.ts';
import type { Window } from '../model/window.ts';
import type { MaintenanceWindowDocument, TopologyDocument } from '../topology/document.ts';
import type { AuditDesk } from './auditDesk.ts';
import type { Bursar } from './bursar.ts';
import type { ObservedConnect } from './devicePorts.ts';
import type { DeviceAudit, DevicePlan, DeviceState, Discovery } from './inspection.ts';
import type { OctetRecord } from './octetRecords.ts';
import type { Page } from './page.ts';
import type { PolicyDesk } from './policyDesk.ts';
import type {
  CircuitQuery,
  DecisionQuery,
  DecisionRecord,
  DomainRecord,
  EventQuery,
  EventRecord,
  SeriesRecord,
  SetRecord,
  StoredAnswer,
  TopologyRecord,
  WebhookProgress,
  WebhookRecord,
} from './ports.ts';
import type { Standings } from './standings.ts';
import type { Presented } from './tokenDesk.ts';
import type { TokenUse } from './tokenUse.ts';

/** A call that may change something. `render` makes the answer that is stored under the key, in the same transaction. */
export interface Mutation<T> {
  readonly principal: Principal;
  readonly requestId: string;
  readonly validateOnly: boolean;
  /** The circuit token that came instead of a bearer. */
  readonly capability?: Presented;
  /** Why an operator acts without the token that the circuit asks for. */
  readonly override?: string;
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
  readonly outcome: 'IN_THE_WAY' | 'MOVED' | 'REROUTED' | 'SHORTENED' | 'CANCELLED';
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

export interface UseCases {
  readonly bursar: Bursar;
  readonly tokens: TokenUse;

  createCircuit(call: Mutation<Circuit>, request: CircuitRequest): Promise<Mutated<Circuit>>;
  createSeries(
    call: Mutation<SeriesRecord>,
    request: CircuitRequest,
    recurrence: RecurrenceAsk,
  ): Promise<Mutated<SeriesRecord>>;
  createSet(call: Mutation<SetResult>, members: readonly SetMemberAsk[]): Promise<Mutated<SetResult>>;
  offers(call: Mutation<OfferSet>, ask: OfferAsk): Promise<Mutated<OfferSet>>;
  /** The request says everything but the slot and the rate, which the offer names. */
  takeOffer(
    call: Mutation<Circuit>,
    offer: OfferId,
    option: number,
    request: CircuitRequest,
  ): Promise<Mutated<Circuit>>;
  /** `revision` is the If-Match of the caller. */
  act(
    call: Mutation<Circuit>,
    id: CircuitId,
    action: CircuitAction,
    revision?: number,
  ): Promise<Mutated<Circuit>>;
  change(
    call: Mutation<Circuit>,
    id: CircuitId,
    change: CircuitChange,
    revision?: number,
  ): Promise<Mutated<Circuit>>;
  actOnSet(
    call: Mutation<SetResult>,
    id: SetId,
    action: 'commit' | 'abort' | 'cancel',
    revision?: number,
  ): Promise<Mutated<SetResult>>;
  /** `revision` is the If-Match of the caller. */
  cancelSeries(call: Mutation<SeriesRecord>, id: SeriesId, revision?: number): Promise<Mutated<SeriesRecord>>;

  circuit(who: Principal, id: CircuitId): Promise<Circuit>;
  /** What it has carried, by the counters of its devices. Whoever asks has been let see the circuit. */
  octets(id: CircuitId): Promise<readonly OctetRecord[]>;
  circuits(who: Principal, query: Omit<CircuitQuery, 'visibleTo'>): Promise<Page<Circuit>>;
  /** Resolves with the circuit as soon as it is no longer being decided, or when `until` has passed. */
  settled(who: Principal, id: CircuitId, until: InstantMs): Promise<Circuit>;
  set(who: Principal, id: SetId): Promise<SetResult>;
  series(who: Principal, id: SeriesId): Promise<SeriesRecord>;

  events(who: Principal, query: Omit<EventQuery, 'visibleTo'>): Promise<readonly EventRecord[]>;
  lastEventSeq(): Promise<number>;
  /** Calls after each durable group with the events in it. */
  onEvents(listen: (events: readonly EventRecord[]) => void): () => void;
  decision(who: Principal, id: DecisionId): Promise<DecisionRecord>;
  decisions(who: Principal, query: Omit<DecisionQuery, 'visibleTo'>): Promise<Page<DecisionRecord>>;

  readonly policies: PolicyDesk;

  createWebhook(
    call: Mutation<WebhookRecord>,
    ask: { readonly url: string; readonly types: readonly string[] },
  ): Promise<Mutated<WebhookRecord>>;
  webhooks(who: Principal): Promise<readonly WebhookRecord[]>;
  webhook(who: Principal, id: WebhookId): Promise<WebhookRecord>;
  deleteWebhook(call: Mutation<undefined>, id: WebhookId, revision?: number): Promise<Mutated<undefined>>;
  /** The deliverer's own writes. */
  enabledWebhooks(): readonly WebhookRecord[];
  webhookProgress(id: WebhookId, progress: WebhookProgress): Promise<void>;
  eventsFor(hook: WebhookRecord, limit: number): Promise<readonly EventRecord[]>;

  topology(): TopologyRecord;
  /** What other domains have published about themselves. */
  domains(): readonly DomainRecord[];
  putTopology(
    call: Mutation<TopologyImpact>,
    document: TopologyDocument,
    revision?: number,
  ): Promise<Mutated<TopologyImpact>>;
  setLink(
    call: Mutation<TopologyImpact>,
    id: string,
    state: LinkState,
    revision?: number,
  ): Promise<Mutated<TopologyImpact>>;
  createMaintenance(call: Mutation<MaintenanceView>, ask: MaintenanceAsk): Promise<Mutated<MaintenanceView>>;
  migrateMaintenance(call: Mutation<MaintenanceView>, id: string): Promise<Mutated<MaintenanceView>>;
  cancelMaintenance(call: Mutation<undefined>, id: string): Promise<Mutated<undefined>>;
  /** The window and what it meets now. */
  maintenance(id: string): MaintenanceView;
  maintenances(): readonly MaintenanceWindowDocument[];
  availability(a: EndpointAsk, z: EndpointAsk, window: Window): Availability;
  ports(domain?: string): readonly PortView[];
  linkCalendar(link: string, from: InstantMs, to: InstantMs): readonly CalendarStep[] | undefined;
  observed(): Promise<readonly ObservedConnect[]>;
  /** The cross-connects of a circuit on our devices, the commands that would make them, and what was answered. */
  devicePlan(who: Principal, id: CircuitId): Promise<DevicePlan>;
  /** Undefined for a device of the topology that no driver knows. */
  deviceState(device: string): DeviceState | undefined;
  auditDevice(device: string): Promise<DeviceAudit>;
  /** What the devices see of their neighbours, against the topology in force. */
  discover(): Promise<Discovery>;

  /** What we have with a peer at present. */
  dealings(domain: string): Dealings;
  readonly standings: Pick<Standings, 'readmit'>;
  readonly audit: Pick<AuditDesk, 'checkpoint' | 'consistency' | 'proofOf' | 'export' | 'erase'>;

  readiness(): Readiness;
  stats(): Stats;
  prune(before: InstantMs): Promise<{ readonly circuits: number; readonly events: number }>;
  backup(file: string): Promise<void>;
}

export interface SetResult {
  readonly set: SetRecord;
  readonly circuits: readonly Circuit[];
}
