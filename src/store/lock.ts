/**
 * One process per SQLite file, for as long as it lives and not a moment longer: a second small database
 * beside the first, on which we hold SQLite's own write lock. The operating system drops it when the process
 * ends, however it ends. Readers may still look, which is how a second process learns whose pid it is.
 *
 * Nothing else in this process may open the lock file: closing any descriptor of it would drop the lock.
 */
import { chmodSync } from 'node:fs';
import knex, { type Knex } from 'knex';
import { because, kindOf } from './errors.ts';
import { quiet, type SqliteConnection, sqliteSession } from './sqliteSession.ts';

/** Two processes that start together may each write their pid before either holds the lock. */
const ATTEMPTS = 10;
const WAIT_FOR_LOCK_MS = 100;

export interface ProcessLock {
  release(): Promise<void>;
}

export async function lockFile(file: string, pid: number): Promise<ProcessLock> {
  const db = knex({
    client: 'sqlite3',
    connection: { filename: file },
    useNullAsDefault: true,
    pool: { min: 1, max: 1, idleTimeoutMillis: 2 ** 31 - 1 },
    log: quiet,
  });
  try {
    return await hold(db, file, pid);
  } catch (error) {
    const busy = kindOf(error) === 'IN_USE';
    const holder = busy ? await pidIn(db) : undefined;
    await db.destroy();
    if (!busy) throw error;
    const who = holder === undefined ? 'another process' : `process ${holder}`;
    throw because('IN_USE', file.replace(/\.lock$/, ''), `${who} has it open`, error);
  }
}

async function hold(db: Knex, file: string, pid: number): Promise<ProcessLock> {
  const connection = (await db.client.acquireConnection()) as SqliteConnection;
  const session = sqliteSession(connection);
  try {
    await session.run(`PRAGMA busy_timeout = ${WAIT_FOR_LOCK_MS}`);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      await session.run('BEGIN IMMEDIATE');
      await session.run(
        'CREATE TABLE IF NOT EXISTS holder (id integer PRIMARY KEY CHECK (id = 1), pid integer NOT NULL)',
      );
      await session.run(
        'INSERT INTO holder VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET pid = excluded.pid',
        [pid],
      );
      await session.run('COMMIT');
      chmodSync(file, 0o600);
      await session.run('BEGIN IMMEDIATE');
      const [row] = await session.all('SELECT pid FROM holder');
      if (row?.['pid'] === pid) {
        return {
          async release() {
            await session.run('ROLLBACK');
            await session.close();
            await db.client.releaseConnection(connection);
            await db.destroy();
          },
        };
      }
      // Someone wrote his pid in between and has now failed to get the lock: say again who has it.
      await session.run('ROLLBACK');
    }
    throw because('IN_USE', file, `${ATTEMPTS} attempts were overtaken`);
  } catch (error) {
    await session.close();
    await db.client.releaseConnection(connection);
    throw error;
  }
}

async function pidIn(db: Knex): Promise<number | undefined> {
  try {
    const rows: readonly { readonly pid: number }[] = await db('holder').select('pid');
    return rows[0]?.pid;
  } catch {
    return undefined;
  }
}
