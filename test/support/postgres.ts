/**
 * A PostgreSQL for tests: the server that TURNPIKE_TEST_PG_URL names, else a private cluster made from
 * Debian's packages in a temporary directory, on a free port, gone when the tests are. Where there is
 * neither, `postgresMissing` says so and the suites that need one skip themselves under that name:
 *
 *     describe.skipIf(postgresMissing)(`on PostgreSQL ${postgresMissing ?? ''}`, () => {
 *       const server = usePostgres();          // beforeAll / afterAll
 *       ... await server.createDatabase()      // an empty database's URL
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll } from 'vitest';

const PACKAGES = '/usr/lib/postgresql';
const given = process.env['TURNPIKE_TEST_PG_URL'];

/** The newest installed version's programs. */
function programs(): string | undefined {
  if (!existsSync(PACKAGES)) return undefined;
  const versions = readdirSync(PACKAGES).filter((v) => existsSync(join(PACKAGES, v, 'bin', 'initdb')));
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? undefined : join(PACKAGES, newest, 'bin');
}

/** PostgreSQL refuses to run as root; its package brings a user to run as. */
function serverUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number =>
    Number(execFileSync('id', [flag, 'postgres'], { stdio: ['ignore', 'pipe', 'ignore'] }).toString());
  return { uid: id('-u'), gid: id('-g') };
}

function missing(): string | undefined {
  if (given !== undefined) return undefined;
  if (programs() === undefined)
    return '(not installed: apt-get install postgresql, or set TURNPIKE_TEST_PG_URL)';
  try {
    serverUser();
    return undefined;
  } catch {
    return '(running as root and there is no user postgres to run the server as)';
  }
}

/** Why there is no PostgreSQL to test on; undefined when there is one. */
export const postgresMissing: string | undefined = missing();

export interface TestPostgres {
  /** The URL of a new, empty database. */
  createDatabase(): Promise<string>;
  /** Ends every connection to a database, as a failing network would. */
  cut(databaseUrl: string): Promise<void>;
  stop(): Promise<void>;
}

export async function startPostgres(): Promise<TestPostgres> {
  if (given !== undefined) return onServer(given, async () => {});
  const bin = programs();
  if (bin === undefined) throw new Error(`no PostgreSQL ${postgresMissing}`);
  const directory = mkdtempSync(join(tmpdir(), 'turnpike-pg-'));
  const user = serverUser();
  if (user !== undefined) chownSync(directory, user.uid, user.gid);
  const data = join(directory, 'data');
  const as = { cwd: directory, ...(user ?? {}) };
  execFileSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'turnpike', '-A', 'trust', '--no-sync', '--no-locale', '-E', 'UTF8'],
    { ...as, stdio: 'ignore' },
  );
  const port = await freePort();
  const settings = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${directory}`,
    // It lives as long as its tests: nothing of it is to survive the machine.
    'fsync=off',
    'full_page_writes=off',
  ];
  // The shell waits for the end of its input: it comes when this process ends, however it ends.
  const server = spawn(
    'sh',
    [
      '-c',
      '"$0" "$@" <&- & pid=$!; read _; kill -INT $pid; wait $pid',
      join(bin, 'postgres'),
      '-D',
      data,
      ...settings.flatMap((setting) => ['-c', setting]),
    ],
    { ...as, stdio: ['pipe', 'ignore', 'ignore'] },
  );
  const stop = async (): Promise<void> => {
    await ended(server);
    rmSync(directory, { recursive: true, force: true });
  };
  const url = `postgresql://turnpike@127.0.0.1:${port}/postgres`;
  try {
    await answering(url, server);
  } catch (error) {
    await stop();
    throw error;
  }
  return onServer(url, stop);
}

/** Starts one before the suite's tests and stops it after them. */
export function usePostgres(): Pick<TestPostgres, 'createDatabase' | 'cut'> {
  let server: TestPostgres | undefined;
  const running = (): TestPostgres => {
    if (server === undefined) throw new Error('PostgreSQL runs only while tests do');
    return server;
  };
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => {
    await server?.stop();
  });
  return { createDatabase: () => running().createDatabase(), cut: (url) => running().cut(url) };
}

function onServer(adminUrl: string, stop: () => Promise<void>): TestPostgres {
  const made: string[] = [];
  return {
    async createDatabase() {
      const name = `turnpike_test_${randomBytes(6).toString('hex')}`;
      await ask(adminUrl, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`);
      made.push(name);
      const url = new URL(adminUrl);
      url.pathname = `/${name}`;
      return url.href;
    },
    async cut(databaseUrl) {
      const name = new URL(databaseUrl).pathname.slice(1);
      await ask(adminUrl, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
    },
    async stop() {
      for (const name of made) await ask(adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await stop();
    },
  };
}

async function ask(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

async function answering(url: string, server: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (server.exitCode !== null) throw new Error(`PostgreSQL ended with ${server.exitCode}`);
    try {
      await ask(url, 'SELECT 1');
      return;
    } catch {
      await delay(100);
    }
  }
  throw new Error('PostgreSQL did not answer within 30 s');
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null) return;
  const exit = new Promise((resolve) => server.once('exit', resolve));
  server.stdin?.end();
  await exit;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => {
        if (typeof address === 'object' && address !== null) resolve(address.port);
        else reject(new Error('no port'));
      });
    });
  });
}
