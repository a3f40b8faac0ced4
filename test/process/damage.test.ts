/**
 * Database files that cannot be used: locked by another program, read-only, of a newer schema, damaged, or
 * not a database at all. Each time a message says which and what to do, the exit code is 1, and the file is
 * as it was, byte for byte.
 */
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import knex, { type Knex } from 'knex';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { booking, build, Site } from './broker.ts';

/** A database with some circuits in it, made once and copied for each case. */
let original: Site;
beforeAll(async () => {
  build();
  original = new Site();
  original.configure();
  const instance = await original.serve();
  await instance.ready();
  const token = await original.token('user');
  for (let i = 0; i < 20; i++) await instance.call('POST', '/v1/circuits', { token, body: booking() });
  instance.program.kill('SIGTERM');
  await instance.program.exit;
});
afterAll(() => original.clear());

const hashOf = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

const open = (file: string): Knex =>
  knex({
    client: 'sqlite3',
    connection: { filename: file },
    useNullAsDefault: true,
    pool: { min: 1, max: 1 },
  });

async function sql(file: string, ...statements: string[]): Promise<void> {
  const db = open(file);
  for (const statement of statements) await db.raw(statement);
  await db.destroy();
}

function overwrite(file: string, offset: number, length: number): void {
  const bytes = readFileSync(file);
  bytes.fill(0xa5, offset, offset + length);
  writeFileSync(file, bytes);
}

interface Case {
  readonly name: string;
  harm(file: string): void | Promise<void>;
  readonly message: RegExp;
}
const cases: Case[] = [
  {
    name: 'a newer schema',
    harm: (file) =>
      sql(
        file,
        "INSERT INTO knex_migrations (name, batch, migration_time) VALUES ('20990101000000_later', 99, 0)",
      ),
    message: /newer Turnpike.*20990101000000_later/,
  },
  {
    name: 'no database at all',
    harm: (file) => writeFileSync(file, 'Dear diary,\n'.repeat(400)),
    message: /damaged or not a Turnpike database/,
  },
  { name: 'a damaged page', harm: (file) => overwrite(file, 4096, 4096), message: /damaged/ },
  {
    name: 'a file cut in the middle',
    harm: (file) => truncateSync(file, Math.floor(statSync(file).size / 8192) * 4096),
    message: /damaged/,
  },
  {
    name: "another program's database",
    harm: async (file) => {
      writeFileSync(file, '');
      await sql(file, 'CREATE TABLE recipes (name text)');
    },
    message: /tables of another program: recipes/,
  },
  {
    name: 'a file without write permission',
    harm: (file) => chmodSync(file, 0o444),
    message: /cannot be written/,
  },
];

test.each(cases)('$name', async ({ harm, message }) => {
  const site = new Site();
  try {
    site.configure();
    const file = site.path('turnpike.db');
    copyFileSync(original.path('turnpike.db'), file);
    await harm(file);
    const before = { hash: hashOf(file), mtime: statSync(file).mtimeMs };
    const program = site.run(['serve', '--config', site.path('domain.yaml')]);
    expect(await program.exit).toEqual({ code: 1, signal: null });
    expect(program.stderr).toMatch(message);
    expect(program.stderr).toContain('turnpike.db');
    expect(program.stderr).not.toMatch(/^\s+at /m);
    expect({ hash: hashOf(file), mtime: statSync(file).mtimeMs }).toEqual(before);
  } finally {
    await site.clear();
  }
});

test('locked by another program', async () => {
  const site = new Site();
  const file = site.path('turnpike.db');
  copyFileSync(original.path('turnpike.db'), file);
  const other = open(file);
  try {
    site.configure();
    await other.raw('BEGIN EXCLUSIVE');
    const before = hashOf(file);
    const program = site.run(['serve', '--config', site.path('domain.yaml')]);
    expect(await program.exit).toEqual({ code: 1, signal: null });
    expect(program.stderr).toMatch(/locked by another process/);
    await other.raw('ROLLBACK');
    expect(hashOf(file)).toBe(before);

    // Once it is free again, all is as before.
    await other.destroy();
    const instance = await site.serve();
    await instance.ready();
  } finally {
    await other.destroy();
    await site.clear();
  }
});
