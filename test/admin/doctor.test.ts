/** What the doctor finds, on stores that were made so that there is something to find. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import knex from 'knex';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { differences, doctor } from '../../src/doctor.ts';
import { instant, wallClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { readTopology } from '../../src/seeds.ts';
import { openStore } from '../../src/store/open.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { group } from '../store/samples.ts';

const SEED = resolve(import.meta.dirname, '../../examples/lab-ams.yaml');
const DAY_MS = 86_400_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'turnpike-doctor-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const file = (): string => join(folder, 'turnpike.db');

async function ask(
  extra = `seeds: {topology: ${JSON.stringify(SEED)}}`,
): Promise<{ code: number; said: string }> {
  writeFileSync(
    join(folder, 'domain.yaml'),
    `domain: ams.example\nstore: {file: turnpike.db}\nidentity: {development_dir: keys}\n${extra}\n`,
  );
  const config = await loadConfig({ file: join(folder, 'domain.yaml'), env: {}, flags: [], folder });
  let said = '';
  const io = { env: {}, stdout: { write: (text: string) => (said += text) }, stderr: { write: () => true } };
  return { code: await doctor(config, io), said };
}

/** A store that a broker of epoch 1 has left behind, with this topology and time. */
async function makeStore(document: TopologyDocument, ahead = 0, giveBack = true): Promise<void> {
  const clock = wallClock();
  const store = await openStore({ client: 'sqlite', file: file() }, { clock, log: silentLog });
  await store.acquireLease('test', 1000);
  const now = instant(clock.now() + ahead);
  await store.commit(group({ epoch: 1, now, topology: { version: 1, time: now, document } }));
  if (giveBack) await store.releaseLease('test', 1);
  await store.close();
}
const seed = (): Promise<TopologyDocument> => readTopology(SEED, 'ams.example');

async function sql(statement: string): Promise<void> {
  const db = knex({ client: 'sqlite3', connection: { filename: file() }, useNullAsDefault: true });
  await db.raw(statement);
  await db.destroy();
}

describe('the doctor', () => {
  test('finds nothing wrong where nothing has been started yet', async () => {
    const { code, said } = await ask();
    expect(code, said).toBe(0);
    expect(said).toMatch(/ok +store +there is none yet/);
    expect(said).toMatch(/ok +topology .*will be read at the first start/);
  });

  test('finds nothing wrong with a store that was left in order', async () => {
    await makeStore(await seed());
    const { code, said } = await ask();
    expect(code, said).toBe(0);
    expect(said).toMatch(/ok +lease +nobody leads/);
    expect(said).toMatch(/ok +schema +2\d+_\w+/);
    expect(said).toMatch(/ok +topology +version 1, the same as/);
  });

  test.each<[string, () => Promise<void> | void, number, RegExp]>([
    ['no seed and no store', () => {}, 1, /problem +topology +the store has none/],
    ['a store without a seed', async () => makeStore(await seed()), 0, /ok +topology +version 1, no seed/],
  ])('%s', async (_name, make, code, message) => {
    await make();
    const answer = await ask('');
    expect(answer.said).toMatch(message);
    expect(answer.code).toBe(code);
  });

  test.each<[string, () => Promise<void>, number, RegExp]>([
    [
      'a clock that is behind',
      async () => makeStore(await seed(), DAY_MS),
      1,
      /problem +clock +the store has seen .* NTP/,
    ],
    [
      'a lease that was not given back',
      async () => makeStore(await seed(), 0, false),
      0,
      /(warning|ok) +lease +test (led until|leads)/,
    ],
    [
      'a stored topology that has moved on',
      async () => {
        const document = await seed();
        await makeStore({ ...document, links: document.links.slice(1) });
      },
      0,
      /warning +topology +version 1 rules and differs from .*: links removed: ring-ne/,
    ],
    [
      'a newer schema',
      async () => {
        await makeStore(await seed());
        await sql(
          "INSERT INTO knex_migrations (name, batch, migration_time) VALUES ('20990101000000_later', 9, 0)",
        );
      },
      1,
      /problem +store +.*newer Turnpike/,
    ],
    [
      'an older schema',
      async () => {
        await makeStore(await seed());
        await sql('DELETE FROM knex_migrations');
      },
      0,
      /warning +schema +the next start will migrate: 2\d+_\w+/,
    ],
    [
      'a file that is no database',
      async () => writeFileSync(file(), 'Dear diary,\n'.repeat(400)),
      1,
      /problem +store +.*damaged or not a Turnpike database/,
    ],
    [
      'keys that others can read',
      async () => {
        mkdirSync(join(folder, 'keys'));
        writeFileSync(join(folder, 'keys/development-issuer.jwk'), '{}');
        chmodSync(join(folder, 'keys/development-issuer.jwk'), 0o644);
      },
      1,
      /problem +identity +.*chmod 600/,
    ],
  ])('finds %s', async (_name, make, code, message) => {
    await make();
    const answer = await ask();
    expect(answer.said).toMatch(message);
    expect(answer.code, answer.said).toBe(code);
  });
});

test('differences name what was added, removed and changed', async () => {
  const before = await seed();
  expect(differences(before, structuredClone(before))).toEqual([]);
  const after = {
    ...before,
    nodes: [...before.nodes, { id: 'new' }],
    ports: before.ports.map((port) => (port.id === 'ams:host1' ? { ...port, capacity_mbps: 1 } : port)),
    links: before.links.filter((link) => link.id !== 'cross'),
  };
  expect(differences(before, after)).toEqual([
    'nodes added: new',
    'ports changed: ams:host1',
    'links removed: cross',
  ]);
});
