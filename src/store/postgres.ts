/**
 * PostgreSQL as a Database: one writing connection and a pool of readers. Two instances may have it open;
 * the lease row decides which of them writes, and the server's clock when a lease has lapsed.
 */
import { execFile } from 'node:child_process';
import { chmodSync, closeSync, existsSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import knex, { type Knex } from 'knex';
import type { Database } from './database.ts';
import { because, kindOf, storeError } from './errors.ts';
import { migrationSource } from './migrations/list.ts';
import { refuseStrangers } from './schema.ts';
import type { Row, Session, Value } from './session.ts';
import { quiet } from './sqliteSession.ts';

export interface PostgresOptions {
  readonly client: 'postgres';
  /** `postgresql://user@host:port/database`, with the driver's parameters (`sslmode` ...). */
  readonly url: string;
  /** Kept out of the URL so that it can come from a file. */
  readonly password?: string;
}

const READERS = 4;
const CONNECT_MS = 5_000;
/** A group takes milliseconds. A server that is silent for this long is treated as gone. */
const WRITE_MS = 10_000;
const READ_MS = 30_000;
/** A paused leader must not hold the lease row's lock: the server ends its transaction. */
const IDLE_IN_TRANSACTION_MS = 5_000;
/** Two instances that start together migrate one after the other. The number only has to be ours. */
const MIGRATION_LOCK = 7_265_017;
const INT8 = 20;

/** The part of the driver that is used, as it reaches us through knex. */
interface PgConnection {
  query(query: { readonly text: string; readonly values: readonly Value[] }): Promise<{
    readonly rows: readonly Row[];
    readonly rowCount: number | null;
  }>;
  setTypeParser(oid: number, parse: (text: string) => unknown): void;
  /** Knex's mark: the pool throws the connection away instead of handing it out again. */
  __knex__disposed?: unknown;
}

export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const url = new URL(options.url);
  if (options.password !== undefined) url.password = encodeURIComponent(options.password);
  const where = `PostgreSQL database ${decodeURIComponent(url.pathname.slice(1))} at ${url.host}`;
  const writers = connect(url, 1, WRITE_MS, [
    'SET synchronous_commit TO on',
    `SET statement_timeout TO ${WRITE_MS}`,
    `SET idle_in_transaction_session_timeout TO ${IDLE_IN_TRANSACTION_MS}`,
    'SET tcp_keepalives_idle TO 5',
    'SET tcp_keepalives_interval TO 2',
    'SET tcp_keepalives_count TO 3',
  ]);
  const readers = connect(url, READERS, READ_MS, [
    'SET default_transaction_read_only TO on',
    `SET statement_timeout TO ${READ_MS}`,
  ]);
  try {
    await prepare(writers, readers, where);
    return new PostgresDatabase(url, where, writers, readers);
  } catch (error) {
    await Promise.all([writers.destroy(), readers.destroy()]);
    throw storeError(error, where);
  }
}

function connect(url: URL, max: number, timeoutMs: number, settings: readonly string[]): Knex {
  const afterCreate = (connection: PgConnection, done: (error: unknown, c: PgConnection) => void): void => {
    // 64-bit integers are times and sequence numbers here, all below 2^53.
    connection.setTypeParser(INT8, Number);
    connection.query({ text: settings.join('; '), values: [] }).then(
      () => done(null, connection),
      (error: unknown) => done(error, connection),
    );
  };
  return knex({
    client: 'pg',
    connection: {
      connectionString: url.href,
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: timeoutMs + 2_000,
      keepAlive: true,
      application_name: 'turnpike',
    },
    pool: { min: 0, max, afterCreate, createTimeoutMillis: CONNECT_MS, acquireTimeoutMillis: 2 * CONNECT_MS },
    log: quiet,
  });
}

async function prepare(writers: Knex, readers: Knex, where: string): Promise<void> {
  const connection = (await readers.client.acquireConnection()) as PgConnection;
  const ask = async (text: string): Promise<readonly Row[]> =>
    (await connection.query({ text, values: [] })).rows;
  try {
    await ask(`SELECT pg_advisory_lock(${MIGRATION_LOCK})`);
    const tables = await ask('SELECT tablename FROM pg_tables WHERE schemaname = current_schema()');
    await refuseStrangers(
      readers,
      tables.map((row) => String(row['tablename'])),
      where,
    );
    const [settings] = await ask('SHOW server_encoding');
    if (settings?.['server_encoding'] !== 'UTF8') {
      throw because('READ_ONLY', where, 'its encoding is not UTF8; create the database with ENCODING UTF8');
    }
    const [, pending] = (await writers.migrate.list({ migrationSource })) as [unknown[], unknown[]];
    if (pending.length > 0) {
      // We hold the advisory lock, which dies with its connection: a row that says otherwise is stale.
      await writers.migrate.forceFreeMigrationsLock({ migrationSource });
      await writers.migrate.latest({ migrationSource });
    }
    await ask(`SELECT pg_advisory_unlock(${MIGRATION_LOCK})`);
  } catch (error) {
    connection.__knex__disposed = error;
    throw error;
  } finally {
    await readers.client.releaseConnection(connection);
  }
}

const numbered = new Map<string, string>();

/** `?` to `$1`, `$2` ...; our texts hold no other question mark. */
function positional(sql: string): string {
  let text = numbered.get(sql);
  if (text === undefined) {
    let count = 0;
    text = sql.replaceAll('?', () => `$${++count}`);
    numbered.set(sql, text);
  }
  return text;
}

const sessionOn = (connection: PgConnection): Session => ({
  async run(sql, values = []) {
    return (await connection.query({ text: positional(sql), values })).rowCount ?? 0;
  },
  async all(sql, values = []) {
    return (await connection.query({ text: positional(sql), values })).rows;
  },
});

class PostgresDatabase implements Database {
  readonly kind = 'postgres';
  readonly exclusive = false;
  readonly where: string;
  readonly readers: Knex;
  readonly #writers: Knex;
  readonly #url: URL;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(url: URL, where: string, writers: Knex, readers: Knex) {
    this.#url = url;
    this.where = where;
    this.#writers = writers;
    this.readers = readers;
  }

  now(): { sql: string; values: Value[] } {
    return { sql: '(extract(epoch FROM clock_timestamp()) * 1000)::bigint', values: [] };
  }

  write<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const mine = this.#tail.then(() => this.#transaction(work));
    this.#tail = mine.catch(() => {});
    return mine;
  }

  async #transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const connection = (await this.#writers.client.acquireConnection()) as PgConnection;
    const session = sessionOn(connection);
    try {
      await session.run('BEGIN');
      try {
        const result = await work(session);
        await session.run('COMMIT');
        return result;
      } catch (error) {
        // Without an answer the connection may still be busy with what it was asked: begin again on another.
        if (kindOf(error) === 'UNAVAILABLE') connection.__knex__disposed = error;
        else await session.run('ROLLBACK');
        throw error;
      }
    } catch (error) {
      if (kindOf(error) === 'UNAVAILABLE') connection.__knex__disposed ??= error;
      throw error;
    } finally {
      await this.#writers.client.releaseConnection(connection);
    }
  }

  /** `pg_dump` in its custom format; restored with `pg_restore`. */
  async backup(file: string): Promise<void> {
    const target = resolve(file);
    if (existsSync(target)) throw because('CONFLICT', target, 'it exists; a backup overwrites nothing');
    const part = `${target}.part`;
    const passwords = `${target}.pgpass`;
    try {
      closeSync(openSync(part, 'w', 0o600));
      // A password in an argument or in the environment can be read by others; in this file it cannot.
      const escaped = decodeURIComponent(this.#url.password).replaceAll(/[\\:]/g, (char) => `\\${char}`);
      writeFileSync(passwords, `*:*:*:*:${escaped}\n`, { mode: 0o600 });
      const url = new URL(this.#url);
      url.password = '';
      url.searchParams.set('passfile', passwords);
      await promisify(execFile)('pg_dump', ['--format=custom', `--file=${part}`, '--no-password', url.href]);
      chmodSync(part, 0o600);
      renameSync(part, target);
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (missing) throw because('UNAVAILABLE', 'pg_dump', 'install the PostgreSQL client programs', error);
      throw because(kindOf(error), this.where, `pg_dump: ${(error as Error).message}`, error);
    } finally {
      rmSync(part, { force: true });
      rmSync(passwords, { force: true });
    }
  }

  async close(): Promise<void> {
    await this.#tail;
    await Promise.all([this.#writers.destroy(), this.readers.destroy()]);
  }
}
