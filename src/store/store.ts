/**
 * The Store of broker/ports.ts over an open database. Each method says what it does in one line; the work is
 * in commit.ts, lease.ts, prune.ts and queries.ts, and every error leaves here as a StoreError.
 */

import type { Transfer } from '../aaa/ledger/book.ts';
import type { AccountsState, UsageRecord } from '../broker/aaa/accountRecords.ts';
import type { PolicyActivation, PolicyQuery, PolicyRecord } from '../broker/aaa/policyPorts.ts';
import type { PeerJournal } from '../broker/abroad/peerOffice.ts';
import type { CheckpointRow, StoredAuditRow, Witnessed } from '../broker/audit/auditPorts.ts';
import type { OctetRecord } from '../broker/devices/octetRecords.ts';
import type { Page } from '../broker/page.ts';
import type {
  CircuitQuery,
  DecisionQuery,
  DecisionRecord,
  DomainRecord,
  EffectRecord,
  EventQuery,
  EventRecord,
  Group,
  IdempotencyRecord,
  LeaseAnswer,
  SeriesRecord,
  SetRecord,
  Standing,
  Store,
  StoreCounters,
  TopologyRecord,
  TransferQuery,
  UsageQuery,
  WebhookRecord,
} from '../broker/ports.ts';
import type { StoredTokens, TokenRecord } from '../broker/tokens/tokenRecords.ts';
import { type InstantMs, instant } from '../kernel/clock.ts';
import type { CircuitId, DecisionId, PolicyId, SeriesId, SetId } from '../kernel/ids.ts';
import { type Circuit, finalStates } from '../model/circuit.ts';
import { accountsState, transferOf, transferPages, usageOf, usagePages } from './accounts.ts';
import * as audit from './audit.ts';
import * as auditPrune from './auditPrune.ts';
import { commit } from './commit.ts';
import type { Database } from './database.ts';
import { because, storeError } from './errors.ts';
import { Interner } from './intern.ts';
import { acquire, release, renew } from './lease.ts';
import { octetsOf } from './octets.ts';
import { journalsOf, keepJournals } from './peerJournals.ts';
import { type Pruned, prune } from './prune.ts';
import {
  activePolicy,
  circuitsPage,
  decisionsPage,
  eventsAfter,
  inPages,
  one,
  policiesPage,
  type Walk,
} from './queries.ts';
import { docOf, effectOf, idempotencyOf } from './rows.ts';
import type { Row } from './session.ts';
import { storedTokens, tokenText } from './tokens.ts';

/** A page of 2,000 circuits loads no faster and leaves 50 MB more of memory behind. */
const CIRCUITS_A_PAGE = 500;
const EFFECTS_A_PAGE = 5_000;

export class KnexStore implements Store {
  readonly kind: Store['kind'];
  readonly #db: Database;
  #leased = false;

  constructor(db: Database) {
    this.#db = db;
    this.kind = db.kind;
  }

  acquireLease(holder: string, ttlMs: number): Promise<LeaseAnswer> {
    return this.#guard(async () => {
      const answer = await acquire(this.#db, holder, ttlMs, this.#db.exclusive && !this.#leased);
      if (answer.held) this.#leased = true;
      return answer;
    });
  }

  renewLease(holder: string, epoch: number, ttlMs: number): Promise<boolean> {
    return this.#guard(() => renew(this.#db, holder, epoch, ttlMs));
  }

  releaseLease(holder: string, epoch: number): Promise<void> {
    return this.#guard(() => release(this.#db, holder, epoch));
  }

  commit(group: Group): Promise<void> {
    return this.#guard(() => commit(this.#db, group));
  }

  counters(): Promise<StoreCounters> {
    return this.#guard(async () => {
      const row = await this.#leaseRow();
      return {
        eventSeq: row['event_seq'] as number,
        effectSeq: row['effect_seq'] as number,
        clock: instant(row['clock'] as number),
      };
    });
  }

  async *liveCircuits(): AsyncGenerator<Circuit[]> {
    const shared = new Interner();
    const parse = (row: Row): Circuit => shared.circuit(docOf<Circuit>(row));
    const columns = ['id', 'doc'];
    const circuits = { table: 'circuits', key: 'id', columns, size: CIRCUITS_A_PAGE, parse };
    yield* this.#pages({ ...circuits, narrow: (q) => q.whereNotIn('state', finalStates) });
    const busy = this.#db.readers('effects').select('circuit_id');
    yield* this.#pages({
      ...circuits,
      narrow: (q) => q.whereIn('state', finalStates).whereIn('id', busy.clone()),
    });
  }

  pendingEffects(): AsyncGenerator<EffectRecord[]> {
    return this.#pages({
      table: 'effects',
      key: 'seq',
      columns: ['*'],
      size: EFFECTS_A_PAGE,
      parse: effectOf,
      narrow: () => {},
    });
  }

  async *idempotencyKeys(
    after: InstantMs,
  ): AsyncGenerator<Pick<IdempotencyRecord, 'principal' | 'key' | 'bodyHash' | 'expireTime'>[]> {
    let last: Row | undefined;
    for (;;) {
      const query = this.#db
        .readers<Row>('idempotency')
        .select('principal', 'key', 'body_hash', 'expire_time')
        .where('expire_time', '>', after)
        .orderBy(['principal', 'key'])
        .limit(EFFECTS_A_PAGE);
      if (last !== undefined) {
        query.whereRaw('(principal, key) > (?, ?)', [last['principal'] as string, last['key'] as string]);
      }
      const rows: Row[] = await this.#guard(async () => query);
      if (rows.length > 0) {
        yield rows.map((row) => ({
          principal: row['principal'] as string,
          key: row['key'] as string,
          bodyHash: row['body_hash'] as string,
          expireTime: instant(row['expire_time'] as number),
        }));
      }
      if (rows.length < EFFECTS_A_PAGE) return;
      last = rows.at(-1);
    }
  }

  topology(): Promise<TopologyRecord | undefined> {
    return this.#guard(async () => {
      const row = (await this.#db
        .readers<Row>('topologies')
        .select('*')
        .orderBy('version', 'desc')
        .first()) as Row | undefined;
      if (row === undefined) return undefined;
      return {
        version: row['version'] as number,
        time: instant(row['time'] as number),
        document: docOf<TopologyRecord['document']>(row),
      };
    });
  }

  webhooks(): Promise<WebhookRecord[]> {
    return this.#guard(async () => {
      const rows: Row[] = await this.#db.readers<Row>('webhooks').select('doc').orderBy('id');
      return rows.map((row) => docOf<WebhookRecord>(row));
    });
  }

  accounts(): Promise<AccountsState> {
    return this.#guard(() => accountsState(this.#db.readers));
  }

  async *usage(query: UsageQuery): AsyncGenerator<UsageRecord[]> {
    yield* this.#each(usagePages(this.#db.readers, query), usageOf);
  }

  octets(circuit?: CircuitId): Promise<OctetRecord[]> {
    return this.#guard(() => octetsOf(this.#db.readers, circuit));
  }

  async *transfers(query: TransferQuery): AsyncGenerator<Transfer[]> {
    yield* this.#each(transferPages(this.#db.readers, query), transferOf);
  }

  domains(): Promise<DomainRecord[]> {
    return this.#guard(async () => {
      const rows: Row[] = await this.#db.readers<Row>('domains').select('doc').orderBy('id');
      return rows.map((row) => docOf<DomainRecord>(row));
    });
  }

  standings(): Promise<Standing[]> {
    return this.#guard(async () => {
      const rows: Row[] = await this.#db.readers<Row>('peer_standings').select('doc').orderBy('id');
      return rows.map((row) => docOf<Standing>(row));
    });
  }

  peerJournals(): Promise<PeerJournal[]> {
    return this.#guard(() => journalsOf(this.#db));
  }

  keepPeerJournals(epoch: number, journals: readonly PeerJournal[], now: InstantMs): Promise<void> {
    return this.#guard(() => keepJournals(this.#db, epoch, journals, now));
  }

  tokens(now: InstantMs): Promise<StoredTokens> {
    return this.#guard(() => storedTokens(this.#db, now));
  }

  token(jti: string): Promise<TokenRecord | undefined> {
    return this.#guard(() => tokenText(this.#db, jti));
  }

  activePolicy(): ReturnType<Store['activePolicy']> {
    return this.#guard(() => activePolicy(this.#db.readers));
  }

  lastActivation(id: PolicyId): Promise<PolicyActivation | undefined> {
    return this.#guard(async () => {
      const query = this.#db.readers<Row>('policy_activations').select('doc').where('policy_id', id);
      const row = (await query.orderBy('seq', 'desc').first()) as Row | undefined;
      return row === undefined ? undefined : docOf<PolicyActivation>(row);
    });
  }

  policy(id: PolicyId): Promise<PolicyRecord | undefined> {
    return this.#document<PolicyRecord>('policies', id);
  }

  policies(query: PolicyQuery): Promise<Page<PolicyRecord>> {
    return this.#guard(() => policiesPage(this.#db.readers, query));
  }

  circuit(id: CircuitId): Promise<Circuit | undefined> {
    return this.#document<Circuit>('circuits', id);
  }

  circuits(query: CircuitQuery): Promise<Page<Circuit>> {
    return this.#guard(() => circuitsPage(this.#db.readers, query));
  }

  events(query: EventQuery): Promise<EventRecord[]> {
    return this.#guard(() => eventsAfter(this.#db.readers, query));
  }

  lastEventSeq(): Promise<number> {
    return this.#guard(async () => (await this.#leaseRow())['event_seq'] as number);
  }

  decision(id: DecisionId): Promise<DecisionRecord | undefined> {
    return this.#document<DecisionRecord>('decisions', id);
  }

  decisions(query: DecisionQuery): Promise<Page<DecisionRecord>> {
    return this.#guard(() => decisionsPage(this.#db.readers, query));
  }

  idempotent(principal: string, key: string): Promise<IdempotencyRecord | undefined> {
    return this.#guard(async () => {
      const row = await one(this.#db.readers, 'idempotency', { principal, key });
      return row === undefined ? undefined : idempotencyOf(row);
    });
  }

  series(id: SeriesId): Promise<SeriesRecord | undefined> {
    return this.#document<SeriesRecord>('series', id);
  }

  set(id: SetId): Promise<SetRecord | undefined> {
    return this.#document<SetRecord>('sets', id);
  }

  auditTiles(): Promise<string[]> {
    return this.#guard(() => audit.tileHashes(this.#db.readers));
  }
  auditLeaves(from: number, to: number): Promise<string[]> {
    return this.#guard(() => audit.leaves(this.#db.readers, from, to));
  }
  auditRows(from: number, limit: number): Promise<StoredAuditRow[]> {
    return this.#guard(() => audit.rows(this.#db.readers, from, limit));
  }
  auditSeqOf(decisionId: string): Promise<number | undefined> {
    return this.#guard(() => audit.seqOf(this.#db.readers, decisionId));
  }
  witnessed(domain: string): Promise<readonly Witnessed[]> {
    return this.#guard(() => audit.witnessed(this.#db.readers, domain));
  }
  pruneAudit(epoch: number, before: InstantMs, now: InstantMs): Promise<boolean> {
    return this.#guard(() => auditPrune.prune(this.#db, epoch, before, now));
  }
  lastCheckpoint(): Promise<CheckpointRow | undefined> {
    return this.#guard(() => audit.lastCheckpoint(this.#db.readers));
  }
  checkpoints(origin: string, after: number, limit: number): Promise<CheckpointRow[]> {
    return this.#guard(() => audit.checkpointsOf(this.#db.readers, origin, after, limit));
  }

  backup(file: string): Promise<void> {
    return this.#guard(() => this.#db.backup(file));
  }

  prune(epoch: number, before: InstantMs, now: InstantMs): Promise<Pruned> {
    return this.#guard(() => prune(this.#db, epoch, before, now));
  }

  close(): Promise<void> {
    return this.#guard(() => this.#db.close());
  }

  async #leaseRow(): Promise<Row> {
    const row = await one(this.#db.readers, 'lease', { id: 1 });
    if (row === undefined) throw because('CORRUPT', this.#db.where, 'the lease row is missing');
    return row;
  }

  #document<T>(table: string, id: string): Promise<T | undefined> {
    return this.#guard(async () => {
      const row = await one(this.#db.readers, table, { id });
      return row === undefined ? undefined : docOf<T>(row);
    });
  }

  #pages<T>(walk: Walk & { readonly parse: (row: Row) => T }): AsyncGenerator<T[]> {
    return this.#each(inPages(this.#db.readers, walk), walk.parse);
  }

  async *#each<T>(pages: AsyncIterable<Row[]>, parse: (row: Row) => T): AsyncGenerator<T[]> {
    try {
      for await (const rows of pages) yield rows.map(parse);
    } catch (error) {
      throw storeError(error, this.#db.where);
    }
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw storeError(error, this.#db.where);
    }
  }
}
