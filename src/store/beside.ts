/**
 * A look at a store from beside, while a broker may be running on it: for `doctor` and for copies. Nothing
 * here writes, migrates, or takes the lock that keeps a second broker away.
 */
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import knex, { type Knex } from 'knex';
import type { AuditStore } from '../broker/audit/auditPorts.ts';
import type { Store, TopologyRecord } from '../broker/ports.ts';
import { type InstantMs, instant } from '../kernel/clock.ts';
import { finalStates } from '../model/circuit.ts';
import { lastCheckpoint, leaves, tileHashes } from './audit.ts';
import { copySqlite } from './copySqlite.ts';
import { because, storeError } from './errors.ts';
import { migrations } from './migrations/list.ts';
import type { StoreOptions } from './open.ts';
import { activePolicy } from './queries.ts';
import { newestSchema, refuseStrangers } from './schema.ts';
import { quiet } from './sqliteSession.ts';

export interface BesideLease {
  readonly holder: string | undefined;
  readonly epoch: number;
  readonly expire: InstantMs;
  /** The store's high-water mark of time. */
  readonly clock: InstantMs;
}

export interface Beside {
  /** For messages; carries no password. */
  readonly where: string;
  /** Migrations that the next start will carry out. */
  readonly pending: readonly string[];
  readonly schema: string;
  lease(): Promise<BesideLease>;
  counts(): Promise<{ readonly live: number; readonly ended: number; readonly effects: number }>;
  topology(): Promise<Pick<TopologyRecord, 'version' | 'document'> | undefined>;
  /** Enough of the audit log to compare it with what was signed. */
  readonly audit: Pick<AuditStore, 'auditTiles' | 'auditLeaves' | 'lastCheckpoint'>;
  /** Undefined: no version was ever put in force, or the tables are still to be made. */
  activePolicy(): ReturnType<Store['activePolicy']>;
  /** What SQLite finds when it reads every page; 'ok' when nothing. PostgreSQL looks after itself. */
  integrity(): Promise<string>;
  /** A consistent copy of a SQLite file, even while a broker writes to it. */
  copy(file: string): Promise<void>;
  close(): Promise<void>;
}

const BUSY_MS = 5_000;
const CONNECT_MS = 5_000;

/** Undefined when there is no store yet. Throws StoreError for what is not ours, newer, or damaged. */
export async function openBeside(options: StoreOptions): Promise<Beside | undefined> {
  const { db, where } = options.client === 'sqlite' ? sqlite(options.file) : postgres(options);
  if (options.client === 'sqlite' && !holdsSomething(options.file)) return undefined;
  const guard = async <T>(ask: () => Promise<T>): Promise<T> => {
    try {
      return await ask();
    } catch (error) {
      throw storeError(error, where);
    }
  };
  try {
    const tables = await guard(() => tablesOf(db, options.client));
    if (tables.length === 0) {
      await db.destroy();
      return undefined;
    }
    await guard(() => refuseStrangers(db, tables, where));
    const applied: readonly { readonly name: string }[] = await guard(async () =>
      db('knex_migrations').select('name').orderBy('id'),
    );
    const names = applied.map(({ name }) => name);
    const pending = migrations.map(({ name }) => name).filter((name) => !names.includes(name));
    return {
      where,
      pending,
      schema: names.at(-1) ?? newestSchema(),
      lease: () => guard(() => leaseOf(db)),
      counts: () => guard(() => countsOf(db)),
      topology: () => guard(() => topologyOf(db)),
      audit: {
        auditTiles: () => guard(() => tileHashes(db)),
        auditLeaves: (from, to) => guard(() => leaves(db, from, to)),
        lastCheckpoint: () => guard(() => lastCheckpoint(db)),
      },
      activePolicy: () =>
        guard(async () => (tables.includes('policy_activations') ? activePolicy(db) : undefined)),
      integrity: () => guard(() => integrityOf(db, options.client)),
      copy: (file) => guard(() => copySqlite(db, file)),
      close: () => db.destroy(),
    };
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

const holdsSomething = (file: string): boolean => existsSync(file) && statSync(file).size > 0;

function sqlite(file: string): { db: Knex; where: string } {
  const db = knex({
    client: 'sqlite3',
    connection: { filename: `${pathToFileURL(resolve(file)).href}?mode=ro`, flags: ['OPEN_URI'] },
    useNullAsDefault: true,
    pool: { min: 0, max: 1 },
    acquireConnectionTimeout: BUSY_MS,
    log: quiet,
  });
  return { db, where: `SQLite database ${resolve(file)}` };
}

function postgres(options: { readonly url: string; readonly password?: string }): {
  db: Knex;
  where: string;
} {
  const url = new URL(options.url);
  const where = `PostgreSQL database ${decodeURIComponent(url.pathname.slice(1))} at ${url.host}`;
  if (options.password !== undefined) url.password = encodeURIComponent(options.password);
  const db = knex({
    client: 'pg',
    connection: {
      connectionString: url.href,
      connectionTimeoutMillis: CONNECT_MS,
      options: '-c default_transaction_read_only=on',
      application_name: 'turnpike-beside',
    },
    pool: { min: 0, max: 1, acquireTimeoutMillis: CONNECT_MS, createTimeoutMillis: CONNECT_MS },
    log: quiet,
  });
  return { db, where };
}

async function tablesOf(db: Knex, client: StoreOptions['client']): Promise<string[]> {
  const rows: readonly { readonly name: string }[] =
    client === 'sqlite'
      ? await db('sqlite_master').where('type', 'table').select('name')
      : await db('pg_tables').whereRaw('schemaname = current_schema()').select({ name: 'tablename' });
  return rows.map(({ name }) => name).filter((name) => !name.startsWith('sqlite_'));
}

/** PostgreSQL hands out 64-bit integers as text; ours are below 2^53. */
const number = (value: unknown): number => Number(value);

async function leaseOf(db: Knex): Promise<BesideLease> {
  const row = (await db('lease').where({ id: 1 }).first()) as Record<string, unknown> | undefined;
  if (row === undefined) throw because('CORRUPT', 'the database', 'the lease row is missing');
  return {
    holder: (row['holder'] as string | null) ?? undefined,
    epoch: number(row['epoch']),
    expire: instant(number(row['expire_time'])),
    clock: instant(number(row['clock'])),
  };
}

async function countsOf(db: Knex): Promise<{ live: number; ended: number; effects: number }> {
  const count = async (query: Knex.QueryBuilder): Promise<number> => {
    const [row] = (await query.count({ n: '*' })) as { n: unknown }[];
    return number(row?.n);
  };
  return {
    live: await count(db('circuits').whereNotIn('state', finalStates)),
    ended: await count(db('circuits').whereIn('state', finalStates)),
    effects: await count(db('effects')),
  };
}

async function topologyOf(db: Knex): Promise<Pick<TopologyRecord, 'version' | 'document'> | undefined> {
  const row = (await db('topologies').orderBy('version', 'desc').first()) as
    | Record<string, unknown>
    | undefined;
  if (row === undefined) return undefined;
  // What the store wrote, it checked.
  return {
    version: number(row['version']),
    document: JSON.parse(String(row['doc'])) as TopologyRecord['document'],
  };
}

async function integrityOf(db: Knex, client: StoreOptions['client']): Promise<string> {
  if (client !== 'sqlite') return 'ok';
  const rows: readonly { readonly integrity_check: string }[] = await db.raw('PRAGMA integrity_check(5)');
  return rows.map((row) => row.integrity_check).join('; ');
}
