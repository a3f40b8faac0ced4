/**
 * What only SQLite has: a file that another process may hold, damage, or have written with a newer program,
 * and a disk that fills up. Each is told apart, each message says what to do, and the file stays as it was.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import knex, { type Knex } from 'knex';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Group, type Store, StoreError } from '../../src/broker/ports.ts';
import { instant } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import { openStore } from '../../src/store/open.ts';
import { newestSchema } from '../../src/store/schema.ts';
import type { SqliteOptions } from '../../src/store/sqlite.ts';
import { HandClock } from '../support/handClock.ts';
import { admissions, circuit, circuitId, event, group, T0 } from './samples.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'turnpike-files-'));
  file = join(directory, 'turnpike.sqlite');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (over: Partial<SqliteOptions> = {}): Promise<Store> =>
  openStore(
    { client: 'sqlite', file, reserveBytes: 0, ...over },
    { clock: new HandClock(T0), log: silentLog },
  );
const led = async (store: Store): Promise<number> => {
  const lease = await store.acquireLease('test', 60_000);
  return lease.held ? lease.epoch : -1;
};
/** A database as a stopped process leaves it. */
const filled = async (circuits = 300): Promise<void> => {
  const store = await open();
  await store.commit(admissions(await led(store), 0, circuits));
  await store.close();
};
const live = async (store: Store): Promise<Circuit[]> => {
  const found: Circuit[] = [];
  for await (const page of store.liveCircuits()) found.push(...page);
  return found;
};
const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
const raw = (path: string): Knex =>
  knex({
    client: 'sqlite3',
    connection: { filename: path },
    useNullAsDefault: true,
    pool: { min: 1, max: 1 },
  });
const failure = (opening: Promise<Store>): Promise<StoreError> =>
  opening.then(
    async (store) => {
      await store.close();
      throw new Error('it opened');
    },
    (error: unknown) => {
      expect(error).toBeInstanceOf(StoreError);
      return error as StoreError;
    },
  );

describe('one process', () => {
  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  const holder = (from: number): { child: ChildProcess; lines: AsyncIterableIterator<string> } => {
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', new URL('holder.ts', import.meta.url).pathname, file, String(from)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    children.push(child);
    return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
  };
  const killed = (child: ChildProcess): Promise<unknown> => {
    const exit = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    return exit;
  };

  test('has the file; a second one hears whose it is', async () => {
    const { child, lines } = holder(0);
    expect((await lines.next()).value).toMatch(/^open/);
    const error = await failure(open());
    expect(error.kind).toBe('IN_USE');
    expect(error.message).toContain(`process ${child.pid} has it open`);
    expect(error.message).toContain(file);
  });
  test('killed at any moment, it leaves the file free at once and every acknowledged group whole', async () => {
    let from = 0;
    const epochs: number[] = [];
    const acknowledged: number[] = [];
    for (let round = 0; round < 3; round++) {
      const { child, lines } = holder(from);
      for (let i = 0; i < 5 + round * 7; i++) {
        const [word, number] = String((await lines.next()).value).split(' ');
        if (word === 'open') epochs.push(Number(number));
        else acknowledged.push(Number(number));
      }
      await killed(child);
      const store = await open();
      const ids = new Set((await live(store)).map((c) => c.id));
      for (const n of acknowledged) for (let i = n; i < n + 16; i++) expect(ids.has(circuitId(i))).toBe(true);
      // Groups are whole: one that was not acknowledged is there with all its rows or not at all.
      expect(ids.size % 16).toBe(0);
      expect(await store.events({ afterSeq: 0, limit: 100_000 })).toHaveLength(2 * ids.size);
      from = ids.size;
      await store.close();
    }
    expect(epochs[0]).toBeGreaterThan(0);
    expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b));
  });
  test('does not open it twice', async () => {
    const store = await open();
    expect(await failure(open())).toMatchObject({ kind: 'IN_USE' });
    // And the failed attempt has not cost the first one its lock.
    expect(await failure(open())).toMatchObject({ kind: 'IN_USE' });
    await store.close();
    await (await open()).close();
  });
});

describe('a file that is not as it should be stays as it was', () => {
  const refused = async (kind: StoreError['kind'], says: RegExp): Promise<void> => {
    const before = digest(file);
    const error = await failure(open());
    expect(error.kind).toBe(kind);
    expect(error.message).toMatch(says);
    expect(error.message).toContain(file);
    expect(digest(file)).toBe(before);
  };
  test('not a database', async () => {
    writeFileSync(file, 'this is the letter to my grandmother, which must not be lost');
    await refused('CORRUPT', /Restore a backup/);
  });
  test('a page overwritten', async () => {
    await filled();
    const descriptor = openSync(file, 'r+');
    writeSync(descriptor, Buffer.alloc(4096, 0x5a), 0, 4096, Math.floor(statSync(file).size / 8192) * 4096);
    await refused('CORRUPT', /Restore a backup/);
  });
  test('cut short', async () => {
    await filled();
    truncateSync(file, Math.floor(statSync(file).size / 2));
    await refused('CORRUPT', /Restore a backup/);
  });
  test('of another program', async () => {
    const db = raw(file);
    await db.raw('CREATE TABLE letters (text text)');
    await db.destroy();
    await refused('CORRUPT', /another program: letters/);
  });
  test('of a newer schema', async () => {
    await filled();
    const db = raw(file);
    await db('knex_migrations').insert({ name: '20990101000000_teleport', batch: 9 });
    await db.destroy();
    await refused('NEWER_SCHEMA', new RegExp(`20990101000000_teleport.*${newestSchema()}`));
  });
  test('of a newer schema, left by a crash with its log still beside it', async () => {
    await filled();
    const db = raw(file);
    await db.raw('PRAGMA journal_mode = WAL');
    await db('knex_migrations').insert({ name: '20990101000000_teleport', batch: 9 });
    const copy = join(directory, 'copy.sqlite');
    for (const suffix of ['', '-wal']) writeFileSync(copy + suffix, readFileSync(file + suffix));
    await db.destroy();
    file = copy;
    await refused('NEWER_SCHEMA', /20990101000000_teleport/);
  });
  test('without write permission', async () => {
    await filled();
    chmodSync(file, 0o444);
    await refused('READ_ONLY', /permission/);
  });
  test('locked by another program', async () => {
    await filled();
    const db = raw(file);
    await db.raw('BEGIN EXCLUSIVE');
    await refused('IN_USE', /Stop that process/);
    await db.raw('ROLLBACK');
    await db.destroy();
    await (await open()).close();
  });
  test('a directory where the file should be', async () => {
    mkdirSync(file);
    expect(await failure(open())).toBeInstanceOf(StoreError);
  });
});

test('a migration that was killed does not stop the next start', async () => {
  await (await open()).close();
  const db = raw(file);
  // What its transaction leaves: knex's own two tables, locked, and nothing of ours.
  await db('knex_migrations').del();
  const tables: readonly { readonly name: string }[] = await db('sqlite_master')
    .where('type', 'table')
    .whereNot('name', 'like', 'knex%')
    .whereNot('name', 'like', 'sqlite%')
    .select('name');
  for (const { name } of tables) await db.schema.dropTable(name);
  await db('knex_migrations_lock').update({ is_locked: 1 });
  await db.destroy();
  const store = await open();
  expect(await led(store)).toBe(1);
  await store.close();
});

test('nobody else may read the file, its log or its copies: webhooks have secrets', async () => {
  const store = await open({ reserveBytes: 1 << 20 });
  await store.commit(admissions(await led(store), 0, 1));
  await store.backup(join(directory, 'copy.sqlite'));
  for (const name of ['turnpike.sqlite', 'turnpike.sqlite-wal', 'turnpike.sqlite.lock', 'copy.sqlite']) {
    expect(statSync(join(directory, name)).mode & 0o077, name).toBe(0);
  }
  await store.close();
});

describe('a backup', () => {
  test('is whole while groups go on, and opens as a store of its own', async () => {
    const store = await open();
    const epoch = await led(store);
    await store.commit(admissions(epoch, 0, 500));
    const copy = join(directory, 'copy.sqlite');
    let copied = false;
    const copying = store.backup(copy).then(() => {
      copied = true;
    });
    let n = 500;
    while (!copied) {
      await store.commit(admissions(epoch, n, 10));
      n += 10;
    }
    await copying;
    const other = await openStore(
      { client: 'sqlite', file: copy, reserveBytes: 0 },
      { clock: new HandClock(T0), log: silentLog },
    );
    const found = await live(other);
    expect(found.length).toBeGreaterThanOrEqual(500);
    expect(found.length % 10).toBe(0);
    expect(await other.events({ afterSeq: 0, limit: 100_000 })).toHaveLength(2 * found.length);
    expect(await led(other)).toBe(epoch + 1);
    await other.close();
    await store.close();
  });
  test('overwrites nothing and leaves no half of itself', async () => {
    const store = await open();
    const copy = join(directory, 'copy.sqlite');
    writeFileSync(copy, 'precious');
    await expect(store.backup(copy)).rejects.toMatchObject({ kind: 'CONFLICT' });
    expect(readFileSync(copy, 'utf8')).toBe('precious');
    const nowhere = join(directory, 'nowhere', 'copy.sqlite');
    await expect(store.backup(nowhere)).rejects.toBeInstanceOf(StoreError);
    expect(existsSync(`${copy}.part`)).toBe(false);
    await store.close();
  });
});

/** Fills until FULL; what was acknowledged stays, releases pass, and with room it goes on. */
async function fillUp(store: Store, makeRoom: (epoch: number) => Promise<void>): Promise<void> {
  const epoch = await led(store);
  let admitted = 0;
  let ended = 0;
  const whole = async (): Promise<void> => {
    expect((await live(store)).length).toBe(admitted - ended);
    expect((await store.circuits({ sort: '-create_time', limit: 1 })).items[0]?.id).toBe(
      circuitId(admitted - 1),
    );
    expect((await store.events({ afterSeq: 0, limit: 1_000_000 })).length).toBe(2 * admitted + ended);
  };
  for (const size of [50, 1]) {
    let refusal: unknown;
    while (refusal === undefined && admitted < 200_000) {
      await store.commit(admissions(epoch, admitted, size)).then(
        () => {
          admitted += size;
        },
        (error: unknown) => {
          refusal = error;
        },
      );
    }
    expect(refusal).toMatchObject({ kind: 'FULL' });
    await whole();
  }

  // Releases pass. Once they live on the reserve, nothing else does: it is not for a small admission to eat.
  const release = (i: number): Group => {
    const circuitEnded = circuit(i, { state: 'ENDED', revision: 3, updateTime: instant(T0 + 1) });
    return group({
      epoch,
      reduces: true,
      circuits: [{ circuit: circuitEnded, isNew: false }],
      events: [event(1_000_000 + i, circuitEnded, { type: 'circuit.ended' })],
    });
  };
  let onReserve = 0;
  for (; ended < 400; ended++) {
    await store.commit(release(ended));
    if (existsSync(`${file}.reserve`)) continue;
    onReserve++;
    await expect(store.commit(admissions(epoch, admitted, 1))).rejects.toMatchObject({ kind: 'FULL' });
  }
  expect(onReserve).toBeGreaterThan(200);
  await whole();
  // The lease outlives a full disk.
  expect(await store.renewLease('test', epoch, 60_000)).toBe(true);

  await makeRoom(epoch);
  await store.commit(admissions(epoch, admitted, 50));
  expect(existsSync(`${file}.reserve`)).toBe(true);
}

describe('a full disk', () => {
  test('that is a bound on the database: FULL, releases pass, pruning makes room', async () => {
    const store = await open({ maxBytes: 4 << 20, reserveBytes: 1 << 20 });
    await fillUp(store, async (epoch) => {
      expect(await store.prune(epoch, instant(T0 + 100_000), T0)).toMatchObject({
        circuits: 200,
        more: true,
      });
    });
    await store.close();
  });

  const mounts = (): boolean => {
    if (process.getuid?.() !== 0) return false;
    const probe = mkdtempSync(join(tmpdir(), 'turnpike-probe-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', probe], { stdio: 'ignore' });
      execFileSync('umount', [probe], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    } finally {
      rmSync(probe, { recursive: true, force: true });
    }
  };
  test.skipIf(!mounts())('for real (a small tmpfs, which only root may mount)', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', directory]);
    try {
      const ballast = join(directory, 'something-else');
      writeFileSync(ballast, Buffer.alloc(16 << 20, 1));
      const store = await open({ reserveBytes: 8 << 20 });
      await fillUp(store, async () => rmSync(ballast));
      await store.close();
    } finally {
      execFileSync('umount', ['--lazy', directory]);
    }
  });
});
