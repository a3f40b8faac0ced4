/** The store's contract on PostgreSQL, and what only a server can do: go away, and be shared. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { type Store, StoreError } from '../../src/broker/ports.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { openStore } from '../../src/store/open.ts';
import { newestSchema } from '../../src/store/schema.ts';
import { storeContract } from '../contract/store.ts';
import { HandClock } from '../support/handClock.ts';
import { postgresMissing, usePostgres } from '../support/postgres.ts';
import { admissions, T0 } from './samples.ts';

// The clock that is handed in stands still on purpose: leases lapse by the server's.
const clock = new HandClock(T0);
const open = (url: string, password?: string): Promise<Store> =>
  openStore(
    { client: 'postgres', url, ...(password === undefined ? {} : { password }) },
    { clock, log: silentLog },
  );

test('a server that is not there is UNAVAILABLE, and the message keeps the password', async () => {
  const opening = open('postgresql://turnpike@127.0.0.1:1/turnpike', 'hush-hush');
  await expect(opening).rejects.toMatchObject({ name: 'StoreError', kind: 'UNAVAILABLE' });
  const error = await opening.catch((e: unknown) => e);
  expect(String(error)).toContain('turnpike at 127.0.0.1:1');
  expect(String(error)).not.toContain('hush');
});

describe.skipIf(postgresMissing)(`with a server ${postgresMissing ?? ''}`, () => {
  const server = usePostgres();

  storeContract('the store on PostgreSQL', async () => {
    const url = await server.createDatabase();
    return {
      open: () => open(url),
      pass: (ms) => delay(ms),
      clear: async () => {},
    };
  });

  const sql = async (url: string, text: string): Promise<readonly Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(text)).rows;
    } finally {
      await client.end();
    }
  };
  const led = async (store: Store, holder = 'first', ttlMs = 60_000): Promise<number> => {
    const lease = await store.acquireLease(holder, ttlMs);
    return lease.held ? lease.epoch : -1;
  };

  test('two instances start together on an empty database: one migrates, one leads', async () => {
    const url = await server.createDatabase();
    const [first, second] = await Promise.all([open(url), open(url)]);
    const answers = await Promise.all([
      first.acquireLease('first', 60_000),
      second.acquireLease('second', 60_000),
    ]);
    expect(answers.filter((a) => a.held)).toEqual([{ held: true, epoch: 1 }]);
    await Promise.all([first.close(), second.close()]);
  });
  test('the second takes over when the first is silent; the first finds itself fenced', async () => {
    const url = await server.createDatabase();
    const [first, second] = [await open(url), await open(url)];
    const epoch = await led(first, 'first', 300);
    await first.commit(admissions(epoch, 0, 20));
    expect(await second.acquireLease('second', 60_000)).toMatchObject({ held: false, leader: 'first' });
    await delay(400);
    expect(await led(second, 'second')).toBe(epoch + 1);
    await expect(first.commit(admissions(epoch, 20, 5))).rejects.toMatchObject({ kind: 'FENCED' });
    expect(await first.renewLease('first', epoch, 60_000)).toBe(false);
    await second.commit(admissions(epoch + 1, 20, 5));
    expect(await first.lastEventSeq()).toBe(50);
    await Promise.all([first.close(), second.close()]);
  });
  test('when its connections are cut under load, groups are UNAVAILABLE or whole, and it comes back', async () => {
    const url = await server.createDatabase();
    const store = await open(url);
    const epoch = await led(store);
    const acknowledged: number[] = [];
    const kinds = new Set<string>();
    let n = 0;
    const load = async (): Promise<void> => {
      for (; n < 4_000 && (kinds.size === 0 || acknowledged.length < 20); ) {
        const from = n;
        n += 10;
        await store.commit(admissions(epoch, from, 10)).then(
          () => acknowledged.push(from),
          (error: unknown) => kinds.add(error instanceof StoreError ? error.kind : String(error)),
        );
      }
    };
    const loading = load();
    while (kinds.size === 0 && n < 4_000) await server.cut(url);
    await loading;
    expect([...kinds]).toEqual(['UNAVAILABLE']);
    // The pool replaces what was cut.
    await store.commit(admissions(epoch, 5_000, 10));
    const [count] = await sql(url, 'SELECT count(*)::int AS circuits FROM circuits');
    expect(Number(count?.['circuits']) % 10).toBe(0);
    for (const from of acknowledged) {
      expect(await store.events({ afterSeq: 2 * from, limit: 20 })).toHaveLength(20);
    }
    await store.close();
  });
  test('a newer schema and another program\u2019s tables are left alone', async () => {
    const newer = await server.createDatabase();
    await (await open(newer)).close();
    await sql(newer, `INSERT INTO knex_migrations (name, batch) VALUES ('20990101000000_teleport', 9)`);
    await expect(open(newer)).rejects.toMatchObject({
      kind: 'NEWER_SCHEMA',
      message: expect.stringMatching(new RegExp(`20990101000000_teleport.*${newestSchema()}`)) as string,
    });
    const foreign = await server.createDatabase();
    await sql(foreign, 'CREATE TABLE letters (text text)');
    await expect(open(foreign)).rejects.toMatchObject({ kind: 'CORRUPT' });
    expect(await sql(foreign, `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)).toEqual([
      { tablename: 'letters' },
    ]);
  });
  test('a server that was told to take no writes is READ_ONLY', async () => {
    const url = await server.createDatabase();
    const store = await open(url);
    const epoch = await led(store);
    await store.close();
    await sql(
      url,
      `ALTER DATABASE ${new URL(url).pathname.slice(1)} SET default_transaction_read_only TO on`,
    );
    const again = await open(url);
    await expect(again.commit(admissions(epoch, 0, 1))).rejects.toMatchObject({ kind: 'READ_ONLY' });
    await again.close();
  });

  const dump = ((): boolean => {
    try {
      execFileSync('pg_dump', ['--version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  })();
  test.skipIf(!dump)('a backup is made by pg_dump (must be installed) and can be restored', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'turnpike-dump-'));
    const url = await server.createDatabase();
    const store = await open(url);
    await store.commit(admissions(await led(store), 0, 30));
    const file = join(directory, 'copy.dump');
    await store.backup(file);
    expect(statSync(file).mode & 0o077).toBe(0);
    await expect(store.backup(file)).rejects.toMatchObject({ kind: 'CONFLICT' });
    await store.close();
    const empty = await server.createDatabase();
    execFileSync('pg_restore', ['--dbname', empty, file]);
    const restored = await open(empty);
    expect(await restored.lastEventSeq()).toBe(60);
    await restored.close();
    rmSync(directory, { recursive: true });
  });
});
