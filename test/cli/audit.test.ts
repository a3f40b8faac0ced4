/**
 * The audit log in an auditor's hands, by the command line against a real broker: fetched, verified from the
 * files alone, then spoiled in every way that attacks.md lists, and each time the first bad record is named.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { signCheckpoint } from '../../src/aaa/merkle/note.ts';
import { readAuditKey } from '../../src/auditKey.ts';
import { type Domain, startDomain } from '../../src/domain.ts';
import { configFrom } from '../../src/flags.ts';
import type { Person } from '../../src/identity/dev.ts';
import { sleep, wallClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { type Ran, run } from './support/world.ts';

const folder = mkdtempSync(join(tmpdir(), 'turnpike-audit-'));
const file = join(folder, 'domain.yaml');
const out = join(folder, 'export');
const tokens = new Map<Person, string>();
let domain: Domain;
let key: string;
let decision: string;

const io = { env: {}, stdout: { write: () => true }, stderr: { write: () => true } };
const as = (person: Person, line: string): Promise<Ran> =>
  run({ url: domain.address, seen: [] }, line, {
    clock: wallClock(),
    env: { TURNPIKE_TOKEN: tokens.get(person) ?? '' },
  });
/** Verification is given no address to ask. */
const offline = (line: string): Promise<Ran> =>
  run({ url: 'http://127.0.0.1:9', seen: [] }, line, { clock: wallClock(), env: {} });
const json = async (person: Person, line: string) => {
  const ran = await as(person, `${line} -o json`);
  expect([line, ran.code, ran.stderr]).toEqual([line, 0, expect.any(String)]);
  return JSON.parse(ran.stdout);
};
const checkpoint = () => json('operator', 'audit checkpoint');

async function signedAt(size: number): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const seen = await domain.broker.audit.checkpoint().catch(() => undefined);
    if ((seen?.size ?? 0) >= size) return;
    await sleep(wallClock(), 50);
  }
  throw new Error(`no checkpoint of ${size} records`);
}

beforeAll(async () => {
  const network = resolve(import.meta.dirname, '../../examples/lab-ams.yaml');
  writeFileSync(
    file,
    [
      'domain: ams.example',
      'http: {host: 127.0.0.1, port: 0}',
      `seeds: {topology: ${JSON.stringify(network)}}`,
      'store: {file: turnpike.db}',
      'identity: {development_dir: keys}',
    ].join('\n'),
  );
  domain = await startDomain(await configFrom({ config: file, set: [] }, io), {
    log: silentLog,
    onLost: () => {},
  });
  for (const person of ['operator', 'user', 'stranger'] as const)
    tokens.set(person, (await domain.development?.mint(person)) ?? '');
  for (let i = 0; i < 6; i++)
    await json('user', `circuit create ams:host1 ams:host3 --bw 1G --for 1h --at +${i + 1}d`);
  decision = (await json('user', 'decision list --limit 1')).items[0].id;
  await signedAt(6);
  for (let i = 6; i < 9; i++)
    await json('user', `circuit create ams:host1 ams:host3 --bw 1G --for 1h --at +${i + 1}d`);
  await signedAt(9);
  const made = await as('operator', `audit export ${out}`);
  expect([made.code, made.stderr]).toEqual([0, expect.stringContaining('ams.example/audit/1')]);
  key = (await checkpoint()).key;
});
afterAll(async () => {
  await domain.stop();
  rmSync(folder, { recursive: true });
});

describe('an export', () => {
  it('is for operators, overwrites nothing, and is for its owner alone', async () => {
    expect((await as('user', `audit export ${join(folder, 'mine')}`)).code).toBe(3);
    expect(await as('operator', `audit export ${out}`)).toMatchObject({ code: 2 });
    expect(statSync(join(out, 'asides.ndjson')).mode & 0o077).toBe(0);
  });

  it('is verified from its files alone', async () => {
    const ran = await offline(`audit verify ${out} --key ${key} -o json`);
    expect([ran.code, ran.stderr]).toEqual([0, '']);
    const verdict = JSON.parse(ran.stdout);
    expect(verdict).toMatchObject({ ok: true, unsigned: 0, erased: 0, withheld: 0, ledger: 'added up' });
    expect(verdict.records).toBeGreaterThanOrEqual(9);
    // Every decision decided again by the rules of its hash.
    expect(verdict.replayed).toMatch(/^[1-9][0-9]* the same, 0 erased$/);
    expect(verdict.checkpoints).toBeGreaterThanOrEqual(2);
  });

  it('says whose key it trusts when it is given none, and refuses another', async () => {
    expect((await offline(`audit verify ${out}`)).stderr).toContain(
      'the key is the one in the export itself',
    );
    const other = key.replace(/^ams/, 'ams2');
    expect((await offline(`audit verify ${out} --key ${other}`)).code).toBe(2);
  });
});

type Lines = string[];
const spoiled = (change: (lines: { records: Lines; checkpoints: Lines; asides: Lines }) => void): string => {
  const dir = mkdtempSync(join(folder, 'spoiled-'));
  cpSync(out, dir, { recursive: true });
  const names = ['records', 'checkpoints', 'asides'] as const;
  const lines = Object.fromEntries(
    names.map((name) => [
      name,
      readFileSync(join(dir, `${name}.ndjson`), 'utf8')
        .trimEnd()
        .split('\n'),
    ]),
  ) as Record<(typeof names)[number], Lines>;
  change(lines);
  for (const name of names) writeFileSync(join(dir, `${name}.ndjson`), `${lines[name].join('\n')}\n`);
  return dir;
};
const edit = (lines: Lines, at: number, from: string | RegExp, to: string): void => {
  const before = lines[at] as string;
  lines[at] = before.replace(from, to);
  expect(lines[at]).not.toBe(before);
};
/** Signed with the log's own key, as only a log that lies can. */
const signedBySelf = (size: number): string => {
  const signer = readAuditKey(`${join(folder, 'turnpike.db')}.audit.key`)?.key;
  if (signer === undefined) throw new Error('no key');
  const origin = 'ams.example/audit/1';
  const note = signCheckpoint(
    { origin, size, root: Buffer.alloc(32, 1), extensions: [] },
    { name: origin, key: signer },
  );
  return JSON.stringify({ note });
};

describe('attack 66: an export that was changed', () => {
  const cases: readonly (readonly [string, Parameters<typeof spoiled>[0], RegExp])[] = [
    [
      'one byte of a record',
      ({ records }) => edit(records, 3, /"project":"lhc"/, '"project":"lhd"'),
      /record 3: /,
    ],
    ['a decision turned round', ({ records }) => edit(records, 4, 'ALLOW', 'DENY'), /record 4: /],
    [
      'a record and its leaf',
      ({ records }) => {
        records[2] = (records[1] as string).replace('"seq":1,', '"seq":2,');
      },
      /record 2: /,
    ],
    ['a record removed', ({ records }) => records.splice(5, 1), /record 5: /],
    [
      'two records in each other’s place',
      ({ records }) => {
        const [one, two] = [records[1] as string, records[2] as string];
        [records[1], records[2]] = [two, one];
      },
      /record 1: /,
    ],
    ['the tail cut off', ({ records }) => records.splice(-1, 1), /the tail is cut off/],
    [
      'a forked checkpoint',
      ({ checkpoints }) => checkpoints.push(signedBySelf(6)),
      /forked|not the one that was signed/,
    ],
    ['no checkpoint at all', ({ checkpoints }) => checkpoints.splice(0), /no checkpoint|not a signed note/],
    [
      'one byte of a checkpoint',
      ({ checkpoints }) => edit(checkpoints, 0, /\\n([0-9]+)\\n/, '\\n5\\n'),
      /not signed by the log/,
    ],
    [
      'one byte of a name',
      ({ asides }) => edit(asides, 1, /user"/, 'usor"'),
      /a personal value is not the one/,
    ],
    [
      'a record that retention did not take',
      ({ records }) => edit(records, 0, /^\{"leaf":"...../, '{"leaf":"AAAAA'),
      /record 0: /,
    ],
  ];
  it.each(cases)('%s: the first bad record is named', async (_, change, why) => {
    const ran = await offline(`audit verify ${spoiled(change)} --key ${key}`);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(why);
  });

  it('an old export does not hold a checkpoint that was seen since', async () => {
    const note = join(folder, 'seen.note');
    const { size } = await domain.broker.audit.checkpoint();
    await json('user', 'circuit create ams:host1 ams:host3 --bw 1G --for 1h --at +40d');
    await signedAt(size + 1);
    writeFileSync(note, (await domain.broker.audit.checkpoint()).note);
    const ran = await offline(`audit verify ${out} --key ${key} --known ${note}`);
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining('the tail is cut off')]);
  });
});

describe('the proof of one decision', () => {
  it('is the same from the broker and from an export, and is verified without either', async () => {
    const proof = join(folder, 'proof.json');
    const asked = await as('user', `audit prove ${decision}`);
    const made = await offline(`audit prove ${decision} --from ${out}`);
    expect([asked.code, made.code]).toEqual([0, 0]);
    expect(JSON.parse(made.stdout)).toEqual(JSON.parse(asked.stdout));
    writeFileSync(proof, asked.stdout);
    const ran = await offline(`audit verify ${proof} --key ${key} -o json`);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      decision_id: decision,
      op: 'decision',
      decision: 'ALLOW',
    });
    writeFileSync(proof, asked.stdout.replace('ALLOW', 'DENY'));
    expect((await offline(`audit verify ${proof} --key ${key}`)).code).toBe(1);
  });
});

test('a person is forgotten, and every proof still holds', async () => {
  const name = 'urn:turnpike:development|user';
  expect((await as('user', `audit erase ${name}`)).code).toBe(3);
  expect((await as('operator', `audit erase ${name}`)).code).toBe(0);
  const { size } = await checkpoint();
  await signedAt(size + 1);
  const after = join(folder, 'after');
  await as('operator', `audit export ${after}`);
  expect(readFileSync(join(after, 'asides.ndjson'), 'utf8')).not.toContain(name);
  const ran = await offline(`audit verify ${after} --key ${key} -o json`);
  expect([ran.code, ran.stderr]).toEqual([0, '']);
  expect(JSON.parse(ran.stdout).erased).toBeGreaterThanOrEqual(10);
  expect((await json('operator', `decision why ${decision}`)).principal).toBe('erased');
  // The record of it, and its leaf, are the very same.
  const [before, now] = [out, after].map((dir) => readFileSync(join(dir, 'records.ndjson'), 'utf8'));
  expect(now?.startsWith(before as string)).toBe(true);
});
