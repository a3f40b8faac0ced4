/**
 * The application: takes part in the election, serves one term after another, and offers the use cases. It
 * knows ports, not adapters. Everything that changes something goes through the writer of the present term;
 * everything that only reads goes to the store, so that nobody is shown what is not durable.
 */
import type { InstantMs } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';
import type { CircuitId, DecisionId, OfferId, SeriesId, SetId, WebhookId } from '../kernel/ids.ts';
import type { Circuit, CircuitRequest, EndpointAsk } from '../model/circuit.ts';
import type { Principal } from '../model/principal.ts';
import type { Window } from '../model/window.ts';
import type { Revocation } from '../tokens/status.ts';
import type { MaintenanceWindowDocument, TopologyDocument } from '../topology/document.ts';
import type { DomainDocument } from '../topology/domainDocument.ts';
import { Bursar } from './aaa/bursar.ts';
import { PolicyDesk } from './aaa/policyDesk.ts';
import type { PeerAnswer, PeerMessage } from './abroad/peerPorts.ts';
import { Standings } from './abroad/standings.ts';
import type { Learned } from './abroad/surroundings.ts';
import { AuditDesk } from './audit/auditDesk.ts';
import type { BrokerPorts } from './brokerPorts.ts';
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
import * as actions from './circuits/actions.ts';
import * as upkeep from './circuits/maintenance.ts';
import { makeOffers, takeOffer } from './circuits/offers.ts';
import * as sets from './circuits/sets.ts';
import { linkChange, topologyChange } from './circuits/topologyChange.ts';
import type { ObservedConnect } from './devices/devicePorts.ts';
import {
  auditDevice,
  type DeviceAudit,
  type DevicePlan,
  type DeviceState,
  type Discovery,
  devicePlan,
  type Inspection,
} from './devices/inspection.ts';
import type { OctetRecord } from './devices/octetRecords.ts';
import * as hooks from './hooks.ts';
import { Mutations } from './mutations.ts';
import { Office } from './office.ts';
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
import { Queries } from './queries.ts';
import { pruneAll } from './retention.ts';
import { settled } from './settled.ts';
import { statsOf } from './stats.ts';
import type { Term } from './term.ts';
import { audienceOf } from './tokens/tokenDesk.ts';
import { TokenOffice, type TokenUse } from './tokens/tokenUse.ts';
import type { UseCases } from './usecases.ts';
import { availability, dealings, linkSteps, portViews } from './views.ts';

export class Broker implements UseCases {
  readonly #ports: BrokerPorts;
  readonly #queries: Queries;
  readonly #listeners = new Set<(events: readonly EventRecord[]) => void>();
  readonly #office: Office;
  readonly #mutations: Mutations;
  readonly bursar: Bursar;
  readonly tokens: TokenUse;
  readonly audit: AuditDesk;
  readonly policies: PolicyDesk;
  readonly standings: Standings;

  constructor(ports: BrokerPorts) {
    this.#ports = ports;
    this.#office = new Office(ports, (events) => {
      for (const listen of this.#listeners) listen(events);
    });
    this.#mutations = new Mutations(this.#office, ports);
    this.#queries = new Queries(ports.store);
    this.standings = new Standings(this.#office, this.#mutations);
    this.audit = new AuditDesk(this.#office, this.#mutations, ports);
    this.bursar = new Bursar(this.#office, this.#mutations, this.#queries, ports);
    this.tokens = new TokenOffice(this.#office, this.#mutations, this.#queries, ports);
    this.policies = new PolicyDesk(this.#office, this.#mutations, this.#queries, ports);
  }

  // ---- life ----------------------------------------------------------------------------------------------

  /** Takes the lease if it is to be had, and begins a term; otherwise stands by and goes on trying. */
  start(): Promise<void> {
    return this.#office.start();
  }
  stop(): Promise<void> {
    this.audit.door.stop();
    return this.#office.stop();
  }

  createCircuit(call: Mutation<Circuit>, request: CircuitRequest): Promise<Mutated<Circuit>> {
    return this.#mutations.run(call, (tx, term) =>
      actions.create(tx, term, this.#ports.random, call, request),
    );
  }
  offers(call: Mutation<OfferSet>, ask: OfferAsk): Promise<Mutated<OfferSet>> {
    return this.#mutations.run(call, (tx, term) => makeOffers(tx, term, this.#ports.random, call, ask));
  }
  takeOffer(
    call: Mutation<Circuit>,
    offer: OfferId,
    option: number,
    request: CircuitRequest,
  ): Promise<Mutated<Circuit>> {
    return this.#mutations.run(call, (tx, term) =>
      takeOffer(tx, term, this.#ports.random, call, offer, option, request),
    );
  }
  createSeries(
    call: Mutation<SeriesRecord>,
    request: CircuitRequest,
    recurrence: RecurrenceAsk,
  ): Promise<Mutated<SeriesRecord>> {
    return this.#mutations.run(call, (tx, term) =>
      actions.createSeries(tx, term, this.#ports.random, call, request, recurrence),
    );
  }
  createSet(call: Mutation<SetResult>, members: readonly SetMemberAsk[]): Promise<Mutated<SetResult>> {
    return this.#mutations.run(call, (tx, term) =>
      sets.createSet(tx, term, this.#ports.random, call, members),
    );
  }
  async act(
    call: Mutation<Circuit>,
    id: CircuitId,
    action: CircuitAction,
    revision?: number,
  ): Promise<Mutated<Circuit>> {
    const stored = await this.#queries.circuit(call.principal, id);
    const reduces = action.type === 'abort' || action.type === 'cancel' || action.type === 'release';
    return this.#mutations.run(
      call,
      (tx, term) => actions.act(tx, term, call, stored, action, revision),
      reduces,
    );
  }
  async change(
    call: Mutation<Circuit>,
    id: CircuitId,
    change: CircuitChange,
    revision?: number,
  ): Promise<Mutated<Circuit>> {
    const stored = await this.#queries.circuit(call.principal, id);
    return this.#mutations.run(call, (tx, term) => actions.change(tx, term, call, stored, change, revision));
  }
  async actOnSet(
    call: Mutation<SetResult>,
    id: SetId,
    action: 'commit' | 'abort' | 'cancel',
    revision?: number,
  ): Promise<Mutated<SetResult>> {
    const stored = await this.#queries.setResult(call.principal, id);
    return this.#mutations.run(
      call,
      (tx, term) => sets.actOnSet(tx, term, call, stored, action, revision),
      action !== 'commit',
    );
  }
  async cancelSeries(
    call: Mutation<SeriesRecord>,
    id: SeriesId,
    revision?: number,
  ): Promise<Mutated<SeriesRecord>> {
    const stored = await this.#queries.series(call.principal, id);
    return this.#mutations.run(
      call,
      (tx, term) => actions.cancelSeries(tx, term, call, stored, revision),
      true,
    );
  }
  createWebhook(call: Mutation<WebhookRecord>, wish: WebhookWish): Promise<Mutated<WebhookRecord>> {
    return this.#mutations.run(call, (tx, term) =>
      hooks.createWebhook(tx, term, this.#ports.random, call, wish),
    );
  }
  deleteWebhook(call: Mutation<undefined>, id: WebhookId, revision?: number): Promise<Mutated<undefined>> {
    return this.#mutations.run(call, (tx, term) => hooks.deleteWebhook(tx, term, call, id, revision), true);
  }
  putTopology(
    call: Mutation<TopologyImpact>,
    document: TopologyDocument,
    revision?: number,
  ): Promise<Mutated<TopologyImpact>> {
    return this.#mutations.run(call, (tx, term) =>
      topologyChange(tx, term.authoriser, call, document, revision),
    );
  }
  setLink(
    call: Mutation<TopologyImpact>,
    id: string,
    state: LinkState,
    revision?: number,
  ): Promise<Mutated<TopologyImpact>> {
    return this.#mutations.run(call, (tx, term) =>
      linkChange(tx, term.authoriser, call, id, state, revision),
    );
  }
  createMaintenance(call: Mutation<MaintenanceView>, ask: MaintenanceAsk): Promise<Mutated<MaintenanceView>> {
    return this.#mutations.run(call, (tx, term) =>
      upkeep.announceMaintenance(tx, term, this.#ports.random, call, ask),
    );
  }
  migrateMaintenance(call: Mutation<MaintenanceView>, id: string): Promise<Mutated<MaintenanceView>> {
    return this.#mutations.run(call, (tx, term) => upkeep.migrate(tx, term, call, id));
  }
  cancelMaintenance(call: Mutation<undefined>, id: string): Promise<Mutated<undefined>> {
    return this.#mutations.run(call, (tx, term) => upkeep.cancelMaintenance(tx, term, call, id), true);
  }
  maintenances(): readonly MaintenanceWindowDocument[] {
    return this.#office.now().book.topology.document.maintenance_windows ?? [];
  }
  maintenance(id: string): MaintenanceView {
    const window = this.maintenances().find((one) => one.id === id);
    if (window === undefined) throw new BrokerError('NOT_FOUND', `there is no maintenance window ${id}`);
    return { window, impact: this.#office.now().writer.preview((tx) => upkeep.impactOf(tx, window)) };
  }
  availability(a: EndpointAsk, z: EndpointAsk, window: Window): Availability {
    return availability(this.#office.now(), a, z, window);
  }

  /** A message of a peer that has proved to be `from`. */
  peer(from: string, message: PeerMessage): Promise<PeerAnswer> {
    return this.#office.now().abroad.hear(from, message);
  }

  /** Tokens that our own issuer made and that were withdrawn: what peers are told. */
  withdrawn(): readonly Revocation[] {
    const { book, tokens } = this.#office.now();
    return tokens === undefined ? [] : book.tokens.revocations.ofIssuer(tokens.issuer);
  }
  /** A peer withdraws tokens; only those of its own issuer count. Says how many were news. */
  hearWithdrawn(from: string, revocations: readonly Revocation[]): Promise<number> {
    const { writer, tokens } = this.#office.now();
    const issuers = [this.#ports.tokens?.audienceOf(from) ?? audienceOf(from)];
    return writer.submit(
      (tx) => revocations.filter((one) => tokens?.hear(tx, from, issuers, one) === true).length,
      true,
    );
  }
  /** What we publish about ourselves, for the adapter to sign and to hand round. */
  document(): DomainDocument {
    return this.#office.now().abroad.document();
  }
  /** A document that its domain has signed. The older and the forged are not entered; what they are is said. */
  learn(record: DomainRecord): Promise<Learned> {
    return this.#office.now().abroad.learn(record);
  }
  /** The documents of other domains, as they came. */
  domains(): readonly DomainRecord[] {
    return this.#office.now().book.around.records;
  }

  async webhookProgress(id: WebhookId, progress: WebhookProgress): Promise<void> {
    await this.#office.now().writer.submit((tx) => hooks.webhookProgress(tx, id, progress), true);
  }

  octets(id: CircuitId): Promise<readonly OctetRecord[]> {
    return this.#ports.store.octets(id);
  }
  circuit(who: Principal, id: CircuitId): Promise<Circuit> {
    return this.#queries.circuit(who, id);
  }
  circuits(who: Principal, query: Omit<CircuitQuery, 'visibleTo'>): Promise<Page<Circuit>> {
    return this.#queries.circuits(who, query);
  }
  settled(who: Principal, id: CircuitId, until: InstantMs): Promise<Circuit> {
    return settled(
      { clock: this.#ports.clock, onEvents: (listen) => this.onEvents(listen) },
      id,
      () => this.circuit(who, id),
      until,
    );
  }
  set(who: Principal, id: SetId): Promise<SetResult> {
    return this.#queries.setResult(who, id);
  }
  series(who: Principal, id: SeriesId): Promise<SeriesRecord> {
    return this.#queries.series(who, id);
  }
  events(who: Principal, query: Omit<EventQuery, 'visibleTo'>): Promise<readonly EventRecord[]> {
    return this.#queries.events(who, query);
  }
  lastEventSeq(): Promise<number> {
    return this.#ports.store.lastEventSeq();
  }
  onEvents(listen: (events: readonly EventRecord[]) => void): () => void {
    this.#listeners.add(listen);
    return () => this.#listeners.delete(listen);
  }
  decision(who: Principal, id: DecisionId): Promise<DecisionRecord> {
    return this.#queries.decision(who, id);
  }
  decisions(who: Principal, query: Omit<DecisionQuery, 'visibleTo'>): Promise<Page<DecisionRecord>> {
    return this.#queries.decisions(who, query);
  }
  webhooks(who: Principal): Promise<readonly WebhookRecord[]> {
    return this.#queries.webhooks(who);
  }
  webhook(who: Principal, id: WebhookId): Promise<WebhookRecord> {
    return this.#queries.webhook(who, id);
  }
  enabledWebhooks(): readonly WebhookRecord[] {
    return [...(this.#office.term?.book.webhooks.values() ?? [])].filter((hook) => hook.state === 'ENABLED');
  }
  eventsFor(hook: WebhookRecord, limit: number): Promise<readonly EventRecord[]> {
    return this.#queries.eventsFor(hook, limit);
  }
  topology(): TopologyRecord {
    return this.#office.now().book.topology;
  }
  ports(domain?: string): readonly PortView[] {
    return portViews(this.#office.now()).filter((port) => domain === undefined || port.domain === domain);
  }
  linkCalendar(link: string, from: InstantMs, to: InstantMs): readonly CalendarStep[] | undefined {
    return linkSteps(this.#office.now(), link, from, to);
  }
  observed(): Promise<readonly ObservedConnect[]> {
    return this.#ports.devices.observe();
  }
  async devicePlan(who: Principal, id: CircuitId): Promise<DevicePlan> {
    return devicePlan(await this.circuit(who, id), this.#ports.inspection, this.#office.term?.epoch);
  }
  deviceState(device: string): DeviceState | undefined {
    return this.#ports.inspection?.state(device);
  }
  auditDevice(device: string): Promise<DeviceAudit> {
    return auditDevice(device, this.#inspection(), this.#office.now().book.circuits, this.#ports.clock);
  }
  discover(): Promise<Discovery> {
    return this.#inspection().discover(this.topology().document);
  }
  #inspection(): Inspection {
    const { inspection } = this.#ports;
    if (inspection === undefined) throw new BrokerError('NOT_SUPPORTED', 'these devices cannot be asked');
    return inspection;
  }

  /** What devices tell by themselves. */
  get news(): Pick<Office, 'devicesChanged' | 'lookWhoAnswers' | 'portStates'> {
    return this.#office;
  }

  dealings(domain: string): Dealings {
    return dealings(this.#office.now(), domain);
  }
  readiness(): Readiness {
    return this.#office.readiness();
  }

  stats(): Stats {
    return statsOf(this.#office.term, this.#mutations);
  }

  prune(before: InstantMs): Promise<{ readonly circuits: number; readonly events: number }> {
    return pruneAll(this.#ports, () => this.#office.now().epoch, before);
  }
  backup(file: string): Promise<void> {
    return this.#ports.store.backup(file);
  }

  /** The present term, for the checks of the simulation and the bench. */
  get term(): Term | undefined {
    return this.#office.term;
  }
}
