/**
 * The audit log of a process that is killed under load again and again: whatever checkpoint anybody could have
 * seen, the log that is there in the end contains it, and every decision is in it. And what a restored backup
 * is told.
 */
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededRandom } from '../../src/kernel/random.ts';
import { booking, build, eventually, type Instance, Site } from './broker.ts';

interface Decision {
  readonly id: string;
  readonly action: string;
}

const KILLS = 6;

let site: Site;
let token: string;
let operator: string;

beforeAll(async () => {
  build();
  site = new Site();
  site.configure();
  token = await site.token('user');
  operator = await site.token('operator');
});
afterAll(() => site.clear());

const head = () => site.path('turnpike.db.audit.key.head');
const cli = async (args: readonly string[]) => {
  const program = site.run(args, { ...process.env, TURNPIKE_TOKEN: operator });
  const { code } = await program.exit;
  return { code, stdout: program.stdout, stderr: program.stderr };
};
const book = (instance: Instance) =>
  instance.call('POST', '/v1/circuits', { token, body: booking({ bandwidth_mbps: 1 }) });
const signed = (instance: Instance, least: number) =>
  eventually(async () => {
    const { body } = await instance.call('GET', '/v1/audit/checkpoint', { token });
    return Number(body['size'] ?? 0) >= least;
  }, `${least} records are signed`);

async function load(instance: Instance): Promise<void> {
  while (instance.program.running) {
    try {
      await book(instance);
    } catch (error) {
      // No answer: the process was killed.
      if (!(error instanceof TypeError)) throw error;
      return;
    }
  }
}

test('killed under load, no two roots of one size, and nothing that was signed is lost', async () => {
  const random = seededRandom(66);
  const notes = new Set<string>();
  for (let kill = 0; kill < KILLS; kill++) {
    const instance = await site.serve();
    await instance.ready();
    const clients = Array.from({ length: 8 }, () => load(instance));
    // Once it has signed something new, and then at any moment.
    const seen = notes.size;
    await eventually(async () => {
      if (existsSync(head())) notes.add(readFileSync(head(), 'utf8'));
      return notes.size > seen;
    }, 'a checkpoint');
    await new Promise((resolve) => setTimeout(resolve, random.int(700)));
    instance.program.kill('SIGKILL');
    await instance.program.exit;
    await Promise.all(clients);
    notes.add(readFileSync(head(), 'utf8'));
  }
  const instance = await site.serve();
  await instance.ready();
  expect((await book(instance)).status).toBe(201);
  const { body } = await instance.call<{ items: { id: string }[] }>('GET', '/v1/decisions?page_size=1', {
    token,
  });
  const proven = `/v1/decisions/${body.items[0]?.id}`;
  await eventually(
    async () => (await instance.call('GET', proven, { token })).body['proof'] !== undefined,
    'a proof',
  );
  expect(notes.size).toBeGreaterThanOrEqual(KILLS);
  const known = [...notes].flatMap((note, i) => {
    const file = site.path(`note-${i}`);
    writeFileSync(file, note);
    return ['--known', file];
  });
  expect((await cli(['audit', 'export', site.path('out'), '--url', instance.url])).code).toBe(0);
  const verdict = await cli(['audit', 'verify', site.path('out'), ...known, '-o', 'json']);
  expect([verdict.code, verdict.stderr.includes('record')]).toEqual([0, false]);
  const lines = await fetch(`${instance.url}/v1/decisions/export`, {
    headers: { authorization: `Bearer ${operator}` },
  });
  const decisions = (await lines.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Decision);
  const records = new Set(
    readFileSync(site.path('out', 'records.ndjson'), 'utf8').match(/(?<="decision_id":")dec_\w+/g),
  );
  const unrecorded = decisions.filter(({ id }) => !records.has(id));
  // Whoever exports asks, and that is decided and recorded after what he is given.
  const asked = [...new Set(unrecorded.map(({ action }) => action))].sort();
  expect(asked).toEqual(['audit.read', 'policy.read']);
  expect(decisions.length - unrecorded.length).toBe(records.size);
  instance.program.kill('SIGTERM');
  await instance.program.exit;
}, 180_000);

test('a backup put back is known: the broker says so and serves nobody, until it is told to go on', async () => {
  let instance = await site.serve();
  await instance.ready();
  const copy = site.path('copy.db');
  expect((await cli(['backup', '--config', site.path('domain.yaml'), '--to', copy])).code).toBe(0);
  const { body } = await instance.call('GET', '/v1/audit/checkpoint', { token });
  await book(instance);
  await signed(instance, Number(body['size']) + 1);
  instance.program.kill('SIGTERM');
  await instance.program.exit;
  for (const ending of ['-wal', '-shm']) rmSync(site.path(`turnpike.db${ending}`), { force: true });
  copyFileSync(copy, site.path('turnpike.db'));

  const doctor = await cli(['doctor', '--config', site.path('domain.yaml')]);
  expect(doctor.code).toBe(1);
  expect(doctor.stdout).toMatch(/problem +audit .*covers \d+ records, and the store has \d+/);
  instance = await site.serve();
  await eventually(
    async () => (await instance.call('GET', '/readyz')).body['refusal'] !== undefined,
    'it says why',
  );
  const ready = await instance.call('GET', '/readyz');
  expect([ready.status, ready.body['refusal']]).toEqual([
    503,
    expect.stringContaining('turnpike audit continue'),
  ]);
  expect((await book(instance)).status).toBe(503);
  instance.program.kill('SIGTERM');
  await instance.program.exit;

  const goOn = ['audit', 'continue', '--config', site.path('domain.yaml'), '--reason', 'the disk died'];
  expect((await cli(goOn)).code).toBe(0);
  instance = await site.serve();
  await instance.ready();
  await eventually(
    async () =>
      (await instance.call('GET', '/v1/audit/checkpoint', { token })).body['origin'] ===
      'ams.example/audit/2',
    'the new name',
  );
  const note = String((await instance.call('GET', '/v1/audit/checkpoint', { token })).body['note']);
  expect(note).toContain('\ncontinues ams.example/audit/1 ');
}, 120_000);
