/**
 * What the broker does for its callers: the whole surface that the API stands on. A refusal is thrown as a
 * BrokerError; a repeated Idempotency-Key gives back the first answer instead of acting again.
 */
import type { InstantMs } from '../kernel/clock.ts';
import type { CircuitId, DecisionId, OfferId, SeriesId, SetId, WebhookId } from '../kernel/ids.ts';
import type { Circuit, CircuitRequest, EndpointAsk } from '../model/circuit.ts';
import type { Principal } from '../model/principal.ts';
import type { Window } from '../model/window.ts';
import type { MaintenanceWindowDocument, TopologyDocument } from '../topology/document.ts';
import type { Bursar } from './aaa/bursar.ts';
import type { PolicyDesk } from './aaa/policyDesk.ts';
import type { Standings } from './abroad/standings.ts';
import type { AuditDesk } from './audit/auditDesk.ts';
import type {
  Availability,
  CalendarStep,
  CircuitAction,
  CircuitChange,
  Dealings,
  LinkState,
  MaintenanceAsk,
  MaintenanceView,
  Mutated,
  Mutation,
  OfferAsk,
  OfferSet,
  PortView,
  Readiness,
  RecurrenceAsk,
  SetMemberAsk,
  SetResult,
  Stats,
  TopologyImpact,
  WebhookWish,
} from './calls.ts';
import type { ObservedConnect } from './devices/devicePorts.ts';
import type { DeviceAudit, DevicePlan, DeviceState, Discovery } from './devices/inspection.ts';
import type { OctetRecord } from './devices/octetRecords.ts';
import type { Page } from './page.ts';
import type {
  CircuitQuery,
  DecisionQuery,
  DecisionRecord,
  DomainRecord,
  EventQuery,
  EventRecord,
  SeriesRecord,
  TopologyRecord,
  WebhookProgress,
  WebhookRecord,
} from './ports.ts';
import type { TokenUse } from './tokens/tokenUse.ts';

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

  createWebhook(call: Mutation<WebhookRecord>, wish: WebhookWish): Promise<Mutated<WebhookRecord>>;
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
