/**
 * SQLite as a Database: one process, one writing connection, readers beside it (WAL), every commit on the
 * disk before it is answered (synchronous FULL). Opening looks before it writes: a file that is damaged,
 * newer, locked or not ours stays as it was.
 */
import { closeSync, existsSync, mkdirSync, openSync, readSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import knex, { type Knex } from 'knex';
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { copySqlite } from './copySqlite.ts';
import type { Database } from './database.ts';
import { because, kindOf, storeError } from './errors.ts';
import { lockFile, type ProcessLock } from './lock.ts';
import { migrationSource } from './migrations/list.ts';
import { Reserve } from './reserve.ts';
import { refuseStrangers } from './schema.ts';
import type { Session } from './session.ts';
import { quiet, type SqliteConnection, type SqliteSession, sqliteSession } from './sqliteSession.ts';

export interface SqliteOptions {
  readonly client: 'sqlite';
  readonly file: string;
  /** Kept back for releases when the disk is full; 0 keeps nothing. */
  readonly reserveBytes?: number;
  /** A bound on the database's own size. */
  readonly maxBytes?: number;
}

/** Somebody else's lock is waited for this long: at opening, and later (a copy being taken by hand). */
const BUSY_AT_OPEN_MS = 500;
const BUSY_MS = 5_000;
const READERS = 2;
/** 4 MiB of log between checkpoints. */
const CHECKPOINT_PAGES = 1_000;
const LOG_BYTES_KEPT = 8 << 20;
/** Twice the log: room to move it into the database, and as much again for what follows. */
const RESERVE_BYTES = 8 << 20;
const CACHE_KIB = 16 << 10;
/** A file up to this size is checked page by page at every start (about 0.1 s); larger ones by `doctor`. */
const CHECKED_BYTES = 64 << 20;
const HEADER = 'SQLite format 3\0';

export async function openSqlite(options: SqliteOptions, clock: Clock, log: Log): Promise<Database> {
  const file = resolve(options.file);
  const where = `SQLite database ${file}`;
  try {
    mkdirSync(dirname(file), { recursive: true });
    const lock = await lockFile(`${file}.lock`, process.pid);
    try {
      refuseByLook(file, where);
      await refuseByContent(file, where);
      return await SqliteDatabase.open({ ...options, file }, where, lock, clock, log);
    } catch (error) {
      await lock.release();
      throw error;
    }
  } catch (error) {
    throw storeError(error, where);
  }
}

function refuseByLook(file: string, where: string): void {
  if (!existsSync(file)) {
    // Only the owner may read it: it holds the webhooks' secrets. SQLite gives its log the same mode.
    closeSync(openSync(file, 'a', 0o600));
    return;
  }
  const { size, mode } = statSync(file);
  // For root every file can be written; a file without any write bit was still meant to stay as it is.
  if ((mode & 0o222) === 0) throw because('READ_ONLY', where, 'the file has no write permission');
  if (size === 0) return;
  const head = Buffer.alloc(HEADER.length);
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, head, 0, head.length, 0);
  } finally {
    closeSync(descriptor);
  }
  if (head.toString('latin1') !== HEADER)
    throw because('CORRUPT', where, 'it does not begin as SQLite files do');
}

async function refuseByContent(file: string, where: string): Promise<void> {
  // After a crash in its very first moments the file cannot be read without being repaired first.
  if (statSync(file).size === 0 || existsSync(`${file}-journal`)) return;
  const looker = readOnly(file, 1, BUSY_AT_OPEN_MS);
  try {
    const tables: readonly { readonly name: string }[] = await looker('sqlite_master')
      .where('type', 'table')
      .select('name');
    const names = tables.map((t) => t.name).filter((name) => !name.startsWith('sqlite_'));
    await refuseStrangers(looker, names, where);
    if (statSync(file).size > CHECKED_BYTES) return;
    const found: readonly { readonly quick_check: string }[] = await looker.raw('PRAGMA quick_check(1)');
    const verdict = found[0]?.quick_check;
    if (verdict !== 'ok') throw because('CORRUPT', where, verdict ?? 'quick_check says nothing');
  } finally {
    await looker.destroy();
  }
}

/** Connections that cannot write, whatever is asked of them. */
function readOnly(file: string, max: number, busyMs: number): Knex {
  return knex({
    client: 'sqlite3',
    connection: { filename: `${pathToFileURL(file).href}?mode=ro`, flags: ['OPEN_URI'] },
    useNullAsDefault: true,
    pool: { min: 1, max, afterCreate: prepare([`PRAGMA busy_timeout = ${busyMs}`]) },
    log: quiet,
  });
}

type AfterCreate = (connection: unknown, done: (error: Error | null, connection: unknown) => void) => void;

function prepare(pragmas: readonly string[]): AfterCreate {
  return (connection, done) => {
    // Knex hands out the driver's own connection here.
    const session = sqliteSession(connection as SqliteConnection);
    (async () => {
      for (const text of pragmas) await session.all(text);
      await session.close();
    })().then(
      () => done(null, connection),
      (error: unknown) => done(error as Error, connection),
    );
  };
}

class SqliteDatabase implements Database {
  readonly kind = 'sqlite';
  readonly exclusive = true;
  readonly where: string;
  readonly readers: Knex;
  readonly #writers: Knex;
  readonly #connection: SqliteConnection;
  readonly #session: SqliteSession;
  readonly #reserve: Reserve;
  readonly #lock: ProcessLock;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Writers wait for each other in the order in which they came. */
  #tail: Promise<unknown> = Promise.resolve();

  static async open(
    options: SqliteOptions,
    where: string,
    lock: ProcessLock,
    clock: Clock,
    log: Log,
  ): Promise<SqliteDatabase> {
    const { file } = options;
    const writers = knex({
      client: 'sqlite3',
      connection: { filename: file },
      useNullAsDefault: true,
      pool: {
        min: 1,
        max: 1,
        afterCreate: prepare([
          `PRAGMA busy_timeout = ${BUSY_AT_OPEN_MS}`,
          'PRAGMA journal_mode = WAL',
          'PRAGMA synchronous = FULL',
          'PRAGMA foreign_keys = ON',
          `PRAGMA cache_size = -${CACHE_KIB}`,
          `PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`,
          `PRAGMA journal_size_limit = ${LOG_BYTES_KEPT}`,
        ]),
      },
      log: quiet,
    });
    try {
      // A lock of another program shows here and not at the first admission.
      await writers.raw('BEGIN IMMEDIATE');
      await writers.raw('ROLLBACK');
      await migrate(writers);
      const connection = (await writers.client.acquireConnection()) as SqliteConnection;
      const session = sqliteSession(connection);
      await session.all(`PRAGMA busy_timeout = ${BUSY_MS}`);
      const reserve = new Reserve({
        file: `${file}.reserve`,
        bytes: options.reserveBytes ?? RESERVE_BYTES,
        ...(options.maxBytes === undefined ? {} : { maxBytes: options.maxBytes }),
      });
      await reserve.restore(session);
      const readers = readOnly(file, READERS, BUSY_MS);
      return new SqliteDatabase(where, readers, writers, connection, session, reserve, lock, clock, log);
    } catch (error) {
      await writers.destroy();
      throw error;
    }
  }

  private constructor(
    where: string,
    readers: Knex,
    writers: Knex,
    connection: SqliteConnection,
    session: SqliteSession,
    reserve: Reserve,
    lock: ProcessLock,
    clock: Clock,
    log: Log,
  ) {
    this.where = where;
    this.readers = readers;
    this.#writers = writers;
    this.#connection = connection;
    this.#session = session;
    this.#reserve = reserve;
    this.#lock = lock;
    this.#clock = clock;
    this.#log = log;
  }

  now(): { sql: string; values: number[] } {
    return { sql: '?', values: [this.#clock.now()] };
  }

  write<T>(work: (session: Session) => Promise<T>, essential: boolean): Promise<T> {
    return this.#inTurn(async () => {
      if (!essential && !this.#reserve.whole) await this.#refill();
      try {
        return await this.#transaction(work);
      } catch (error) {
        if (!essential || kindOf(error) !== 'FULL' || !(await this.#reserve.giveUp(this.#session)))
          throw error;
        this.#log.warn({ event: 'store.full', error: `${this.where}: the reserve is in use` });
        return this.#transaction(work);
      }
    });
  }

  async #refill(): Promise<void> {
    if (!(await this.#reserve.restore(this.#session))) {
      throw because('FULL', this.where, 'what room there is, is kept for releases');
    }
    this.#log.info({ event: 'store.recovered' });
  }

  async #transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = this.#session;
    await session.run('BEGIN IMMEDIATE');
    try {
      const result = await work(session);
      await session.run('COMMIT');
      return result;
    } catch (error) {
      // After some errors (FULL among them) SQLite has rolled back by itself, and says so here.
      await session.run('ROLLBACK').catch(() => 0);
      throw error;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#tail.then(work);
    this.#tail = mine.catch(() => {});
    return mine;
  }

  backup(file: string): Promise<void> {
    return copySqlite(this.readers, file);
  }

  async close(): Promise<void> {
    await this.#inTurn(async () => {
      await this.readers.destroy();
      await this.#session.close();
      await this.#writers.client.releaseConnection(this.#connection);
      await this.#writers.destroy();
      await this.#lock.release();
    });
  }
}

async function migrate(writers: Knex): Promise<void> {
  const [, pending] = (await writers.migrate.list({ migrationSource })) as [unknown[], unknown[]];
  if (pending.length === 0) return;
  // We hold the process lock: a migration lock that is still there was left by one that was killed.
  await writers.migrate.forceFreeMigrationsLock({ migrationSource });
  await writers.migrate.latest({ migrationSource });
}
