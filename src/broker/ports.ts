/**
 * What the broker needs of the world, in the broker's own words: a store (devices: devicePorts.ts, peers: peerPorts.ts).
 * Adapters implement these and are handed in; nothing here knows SQL, SNMP or HTTP.
 */
import type { Verdict } from '../aaa/decide.ts';
import type { Transfer } from '../aaa/ledger/book.ts';
import type { InstantMs } from '../kernel/clock.ts';
import type { CircuitId, DecisionId, SeriesId, SetId, WebhookId } from '../kernel/ids.ts';
import type { Circuit, State } from '../model/circuit.ts';
import type { Effect } from '../model/effects.ts';
import type { CircuitEvent } from '../model/events.ts';
import type { TopologyDocument } from '../topology/document.ts';
import type { DomainDocument } from '../topology/domainDocument.ts';
import type {
  AccountsState,
  Posting,
  ProjectRecord,
  QuotaRecord,
  UsageRecord,
} from './aaa/accountRecords.ts';
import type { PolicyActivation, PolicyRecord, PolicyStore, PolicyTrace } from './aaa/policyPorts.ts';
import type { PeerJournal } from './abroad/peerOffice.ts';
import type { AuditGroup, AuditStore } from './audit/auditPorts.ts';
import type { OctetRecord } from './devices/octetRecords.ts';
import type { Page } from './page.ts';
import type { StoredTokens, TokenRecord, TokenRows } from './tokens/tokenRecords.ts';

// ---- records ---------------------------------------------------------------------------------------------

/** What the event log's readers see: CloudEvents types without the reverse-DNS prefix. */
export type PublicType =
  | 'circuit.created'
  | 'circuit.held'
  | 'circuit.hold_extended'
  | 'circuit.committing'
  | 'circuit.scheduled'
  | 'circuit.provisioning'
  | 'circuit.active'
  | 'circuit.degraded'
  | 'circuit.restored'
  | 'circuit.modified'
  | 'circuit.moved'
  | 'circuit.rerouted'
  | 'circuit.releasing'
  | 'circuit.ended'
  | 'circuit.rejected'
  | 'circuit.hold_expired'
  | 'circuit.cancelled'
  | 'circuit.failed'
  | 'circuit.updated'
  | 'topology.changed';

/** One line of the event log. `input` is what the lifecycle was given: folding it gives the stored circuit. */
export interface EventRecord {
  readonly seq: number;
  readonly type: PublicType;
  readonly time: InstantMs;
  readonly circuitId?: CircuitId;
  readonly project: string;
  readonly owner: string;
  readonly revision: number;
  readonly epoch: number;
  /** What happened, for people and programs outside: small, in the words of the API. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly input?: { readonly type: 'created'; readonly circuit: Circuit } | CircuitEvent;
}

export interface EffectRecord {
  readonly seq: number;
  readonly circuitId: CircuitId;
  readonly effect: Effect;
  readonly time: InstantMs;
  readonly decisionId: string;
}

export interface DecisionRecord extends Verdict, PolicyTrace {
  readonly id: DecisionId;
  readonly time: InstantMs;
  readonly principal: string;
  readonly action: string;
  readonly project: string;
  readonly circuitId?: CircuitId;
  readonly requestId: string;
  /** RFC 2904: the broker acts for the user, the resource asks, or the user brings the proof. */
  readonly sequence: 'AGENT' | 'PULL' | 'PUSH';
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  /** The circuit token that was shown, by its id and those of its links. */
  readonly token?: { readonly iss: string; readonly jti: string; readonly links: readonly string[] };
}

export interface StoredAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface IdempotencyRecord {
  readonly principal: string;
  readonly key: string;
  readonly bodyHash: string;
  readonly expireTime: InstantMs;
  readonly answer: StoredAnswer;
}

export interface SeriesRecord {
  readonly id: SeriesId;
  readonly project: string;
  readonly owner: string;
  readonly revision: number;
  readonly createTime: InstantMs;
  readonly cancelled: boolean;
  readonly recurrence: {
    readonly rrule: string;
    readonly timezone: string;
    readonly durationS: number;
    readonly notBefore: InstantMs;
  };
  readonly occurrences: readonly {
    readonly start: InstantMs;
    readonly circuitId?: CircuitId;
    readonly problem?: Readonly<Record<string, unknown>>;
  }[];
}

export interface SetRecord {
  readonly id: SetId;
  readonly project: string;
  readonly owner: string;
  readonly revision: number;
  readonly createTime: InstantMs;
  readonly members: readonly { readonly key: string; readonly circuitId: CircuitId }[];
}

export interface WebhookRecord {
  readonly id: WebhookId;
  readonly project: string;
  readonly owner: string;
  /** Operators' hooks hear every project. */
  readonly all: boolean;
  readonly revision: number;
  readonly createTime: InstantMs;
  readonly url: string;
  readonly types: readonly string[];
  /** `whsec_` and base64, as Standard Webhooks has it. Shown once, never logged. */
  readonly secret: string;
  readonly state: 'ENABLED' | 'DISABLED';
  /** The last event delivered or passed over. */
  readonly cursor: number;
  readonly failures: number;
  readonly lastError?: string;
}

/** How far a hook's deliveries have come. */
export type WebhookProgress = Pick<WebhookRecord, 'cursor' | 'failures' | 'lastError'> & {
  readonly disable?: boolean;
};

export interface TopologyRecord {
  readonly version: number;
  readonly time: InstantMs;
  readonly document: TopologyDocument;
}

/** Another domain's document as its broker signed it. `signed` is the adapter's, to be handed on unchanged. */
export interface DomainRecord {
  readonly document: DomainDocument;
  /** From then on no new circuit is planned over it. */
  readonly expires: InstantMs;
  readonly signed: string;
}

/** How another domain stands with us, over restarts. */
export interface Standing {
  readonly domain: string;
  /** Its highest term of office, as it said itself. */
  readonly epoch: number;
  /** It has contradicted itself: nothing is agreed with it until an operator has looked. */
  readonly quarantine?: { readonly reason: string; readonly time: InstantMs };
}

// ---- store -----------------------------------------------------------------------------------------------

/** Everything that one database transaction writes: all of it or nothing. */
export interface Group {
  readonly epoch: number;
  /** The clock's high-water mark: time never falls below it again. */
  readonly now: InstantMs;
  /** The last state of each circuit that changed. `due` is dueAt(). */
  readonly circuits: readonly {
    readonly circuit: Circuit;
    readonly isNew: boolean;
    readonly due?: InstantMs;
  }[];
  readonly events: readonly EventRecord[];
  readonly effects: readonly EffectRecord[];
  readonly effectsDone: readonly number[];
  readonly decisions: readonly DecisionRecord[];
  readonly audit: AuditGroup;
  readonly idempotency: readonly IdempotencyRecord[];
  readonly series: readonly SeriesRecord[];
  readonly sets: readonly SetRecord[];
  readonly webhooks: readonly WebhookRecord[];
  readonly webhooksGone: readonly WebhookId[];
  readonly transfers: readonly Posting[];
  readonly usage: readonly UsageRecord[];
  readonly octets: readonly OctetRecord[];
  readonly projects: readonly ProjectRecord[];
  readonly quotas: readonly QuotaRecord[];
  readonly quotasGone: readonly string[];
  readonly topology?: TopologyRecord;
  /** What other domains have published about themselves; each replaces what was known of that domain. */
  readonly domains: readonly DomainRecord[];
  readonly standings?: readonly Standing[];
  readonly tokens?: TokenRows;
  readonly policies: readonly PolicyRecord[];
  readonly activations: readonly PolicyActivation[];
  /** Only frees room (release, cancel, abort, what ends by itself): must pass when the store is full. */
  readonly reduces: boolean;
}

/**
 * Why a group was not written. FULL: no room on the disk. FENCED: another instance has the lease. CONFLICT: a
 * constraint said no (a bug here, or rows edited by hand). UNAVAILABLE: no answer, and nobody knows whether it
 * was written. CORRUPT, IN_USE, READ_ONLY, NEWER_SCHEMA: what opening found.
 */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly kind:
    | 'FULL'
    | 'FENCED'
    | 'CONFLICT'
    | 'UNAVAILABLE'
    | 'CORRUPT'
    | 'IN_USE'
    | 'READ_ONLY'
    | 'NEWER_SCHEMA';
  constructor(kind: StoreError['kind'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** Whose rows a reader may see: undefined means all. */
export interface Visibility {
  readonly owner: string;
  readonly projects: readonly string[];
}

export interface CircuitQuery {
  readonly visibleTo?: Visibility;
  readonly states?: readonly State[];
  readonly project?: string;
  readonly port?: string;
  readonly clientRef?: string;
  readonly shortCode?: string;
  readonly role?: Circuit['role'];
  readonly setId?: string;
  readonly seriesId?: string;
  readonly startFrom?: InstantMs;
  readonly startBefore?: InstantMs;
  readonly endFrom?: InstantMs;
  readonly endBefore?: InstantMs;
  readonly sort: 'create_time' | '-create_time' | 'start_time' | '-start_time' | 'end_time' | '-end_time';
  readonly limit: number;
  readonly after?: string;
}

export interface EventQuery {
  readonly visibleTo?: Visibility;
  readonly circuitId?: CircuitId;
  readonly types?: readonly string[];
  readonly afterSeq: number;
  readonly limit: number;
}

export interface DecisionQuery {
  readonly visibleTo?: Visibility;
  readonly circuitId?: CircuitId;
  readonly principal?: string;
  readonly action?: string;
  readonly effect?: 'ALLOW' | 'DENY';
  readonly from?: InstantMs;
  readonly before?: InstantMs;
  readonly limit: number;
  readonly after?: string;
}

export interface UsageQuery {
  readonly project?: string;
  /** What was over at this time or before is left out. */
  readonly from: InstantMs;
  /** All of circuits that are still alive, whenever it was. */
  readonly live?: boolean;
  readonly before?: InstantMs;
}

export interface TransferQuery {
  readonly project?: string;
  readonly circuit?: string;
  readonly before?: InstantMs;
}

export type LeaseAnswer =
  | { readonly held: true; readonly epoch: number }
  | { readonly held: false; readonly leader: string; readonly expiresInMs: number };

/** What the writer starts from. */
export interface StoreCounters {
  readonly eventSeq: number;
  readonly effectSeq: number;
  readonly clock: InstantMs;
}

/** What every reader sees is committed; the writer alone knows more. */
export interface Store extends AuditStore, PolicyStore {
  readonly kind: 'sqlite' | 'postgres';
  /** Takes the lease if it is free or lapsed, with a higher epoch than any before; renews it if it is ours. */
  acquireLease(holder: string, ttlMs: number): Promise<LeaseAnswer>;
  renewLease(holder: string, epoch: number, ttlMs: number): Promise<boolean>;
  releaseLease(holder: string, epoch: number): Promise<void>;

  /** Compares the epoch with the lease row and writes it all in one transaction; throws StoreError. */
  commit(group: Group): Promise<void>;

  counters(): Promise<StoreCounters>;
  /** Circuits that are not final or still have effects to carry out, in pages. */
  liveCircuits(): AsyncIterable<readonly Circuit[]>;
  pendingEffects(): AsyncIterable<readonly EffectRecord[]>;
  idempotencyKeys(
    after: InstantMs,
  ): AsyncIterable<readonly Pick<IdempotencyRecord, 'principal' | 'key' | 'bodyHash' | 'expireTime'>[]>;
  topology(): Promise<TopologyRecord | undefined>;
  webhooks(): Promise<readonly WebhookRecord[]>;
  accounts(): Promise<AccountsState>;
  usage(query: UsageQuery): AsyncIterable<readonly UsageRecord[]>;
  /** What one circuit has carried, or all that are not final; nothing where devices have no counters. */
  octets(circuit?: CircuitId): Promise<readonly OctetRecord[]>;
  transfers(query: TransferQuery): AsyncIterable<readonly Transfer[]>;
  domains(): Promise<readonly DomainRecord[]>;
  /** How other domains stand with us. */
  standings(): Promise<readonly Standing[]>;
  peerJournals(): Promise<readonly PeerJournal[]>;
  /** In the place of those of the same domains, in a transaction of its own. */
  keepPeerJournals(epoch: number, journals: readonly PeerJournal[], now: InstantMs): Promise<void>;
  /** What still matters of capability tokens. */
  tokens(now: InstantMs): Promise<StoredTokens>;
  token(jti: string): Promise<TokenRecord | undefined>;

  circuit(id: CircuitId): Promise<Circuit | undefined>;
  circuits(query: CircuitQuery): Promise<Page<Circuit>>;
  events(query: EventQuery): Promise<readonly EventRecord[]>;
  lastEventSeq(): Promise<number>;
  decision(id: DecisionId): Promise<DecisionRecord | undefined>;
  decisions(query: DecisionQuery): Promise<Page<DecisionRecord>>;
  idempotent(principal: string, key: string): Promise<IdempotencyRecord | undefined>;
  series(id: SeriesId): Promise<SeriesRecord | undefined>;
  set(id: SetId): Promise<SetRecord | undefined>;

  /** Writes a consistent copy while everything goes on. */
  backup(file: string): Promise<void>;
  /** Deletes what ended before `before`, with its events, decisions and expired keys; bounded work per call. */
  prune(
    epoch: number,
    before: InstantMs,
    now: InstantMs,
  ): Promise<{ readonly circuits: number; readonly events: number; readonly more: boolean }>;
  close(): Promise<void>;
}
