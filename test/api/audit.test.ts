/** The audit log by the API: checkpoints and proofs that hold, what is counted instead of recorded, and forgetting. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { verifyRecordProof } from '../../src/aaa/merkle/export.ts';
import { isSignedBy, readNote, readVerifierKey } from '../../src/aaa/merkle/note.ts';
import { verifyConsistency } from '../../src/aaa/merkle/tree.ts';
import { rfc3339 } from '../../src/kernel/clock.ts';
import { MemoryKeeper, storedLog } from '../support/auditLog.ts';
import { at } from '../support/builders.ts';
import { Api } from './harness.ts';

let api: Api;
let hour = 1;
const aCircuit = () => ({
  a: { port: 'ams:host1' },
  z: { port: 'ams:host2' },
  bandwidth_mbps: 100,
  schedule: {
    type: 'FIXED',
    start_time: rfc3339(at(++hour * 3600)),
    end_time: rfc3339(at((hour + 1) * 3600)),
  },
});
beforeEach(async () => {
  api = await Api.start({ audit: new MemoryKeeper() });
});
afterEach(() => api.end());

const book = async (): Promise<string> => {
  const answer = await api.post('/v1/circuits', aCircuit());
  expect(answer.status).toBe(201);
  return answer.body.decision_ids[0] as string;
};
const hashes = (texts: readonly string[]): Buffer[] => texts.map((text) => Buffer.from(text, 'base64url'));

it('a decision gains its proof with the next checkpoint, and it holds', async () => {
  const id = await book();
  const before = await api.get(`/v1/decisions/${id}`);
  expect(before.body).not.toHaveProperty('proof');
  await api.world.pass(2);
  const after = await api.get(`/v1/decisions/${id}`, {
    headers: { 'if-none-match': String(before.headers['etag']) },
  });
  expect(after.status).toBe(200);
  const { key: line, note, origin, size, root } = (await api.get('/v1/audit/checkpoint')).body;
  const key = readVerifierKey(line);
  const signed = readNote(note);
  if (key === undefined || signed === undefined) throw new Error('not as C2SP has it');
  expect(isSignedBy(signed, key)).toBe(true);
  expect(signed.checkpoint).toMatchObject({ origin, size, root: Buffer.from(root, 'base64') });
  const { proof } = after.body;
  expect(JSON.parse(proof.record)).toMatchObject({ decision_id: id, decision: 'ALLOW' });
  expect(verifyRecordProof(proof, key, origin)).toBeUndefined();
  const other = { ...proof, record: proof.record.replace('ALLOW', 'DENY') };
  expect(verifyRecordProof(other, key, origin)).toMatch(/not in the log/);
});

it('proves between any two sizes that the log only grew', async () => {
  await book();
  await api.world.pass(2);
  const old = readNote((await api.get('/v1/audit/checkpoint')).body.note)?.checkpoint;
  for (let i = 0; i < 5; i++) await book();
  await api.world.pass(2);
  const now = readNote((await api.get('/v1/audit/checkpoint')).body.note)?.checkpoint;
  if (old === undefined || now === undefined) throw new Error('no checkpoint');
  const { body } = await api.get(`/v1/audit/consistency?from=${old.size}`);
  expect(body).toMatchObject({ from: old.size, size: now.size });
  expect(verifyConsistency(old.size, old.root, now.size, now.root, hashes(body.proof))).toBe(true);
  expect(verifyConsistency(old.size, now.root, now.size, now.root, hashes(body.proof))).toBe(false);
  const beyond = await api.get(`/v1/audit/consistency?from=${now.size}&size=${now.size + 1}`);
  expect(beyond.status).toBe(400);
  expect((await api.get('/v1/audit/consistency?from=3&size=1')).status).toBe(400);
});

it('the export is for operators, and comes in stretches that fit together', async () => {
  for (let i = 0; i < 5; i++) await book();
  await api.world.pass(2);
  expect((await api.get('/v1/audit/export')).status).toBe(403);
  const whole = (await api.get('/v1/audit/export', { as: 'operator' })).body as string;
  const records = (text: string) => text.split('\n').filter((line) => line.startsWith('{"leaf"'));
  const stretches: string[] = [];
  for (const from of [0, 2, 4]) {
    const url = `/v1/audit/export?from=${from}&limit=2&size=6`;
    stretches.push((await api.get(url, { as: 'operator' })).body);
  }
  expect(stretches.flatMap(records)).toEqual(records(whole));
  // The policy of the first start, and five decisions; what is decided meanwhile is not signed yet.
  expect(records(whole)).toHaveLength(6);
  expect(stretches.join('').match(/"type":"checkpoint"/g)).toHaveLength(1);
});

it('a flood of the unknown is counted, and recorded once a minute', async () => {
  for (let i = 0; i < 50; i++) await api.get('/v1/circuits', { as: 'nobody' });
  const before = (await storedLog(api.world.store)).records.length;
  await api.world.pass(61);
  await api.world.pass(120);
  const { records } = await storedLog(api.world.store);
  expect(records.slice(before)).toMatchObject([
    { op: 'door.refused', ask: { UNAUTHENTICATED: 50, from: '2026-01-01T00:00:00Z' } },
  ]);
});

it('a principal is forgotten where he stood, and the log stays as it was', async () => {
  const id = await book();
  await api.post('/v1/circuits', aCircuit(), { as: 'stranger' });
  const before = await storedLog(api.world.store);
  expect((await api.post('/v1/audit/erasures', { principal: 'dev|user' })).status).toBe(403);
  const done = await api.post('/v1/audit/erasures', { principal: 'dev|user' }, { as: 'operator' });
  expect(done.status).toBe(204);
  const after = await storedLog(api.world.store);
  expect(after.leaves.slice(0, before.leaves.length)).toEqual(before.leaves);
  expect(after.rows.flatMap((row) => row.asides.map((aside) => aside.value))).toEqual([
    ...before.rows.flatMap((row) => row.asides.map((a) => a.value)).filter((v) => v !== 'dev|user'),
    // Who was let do it, and who did.
    'dev|operator',
    'dev|operator',
  ]);
  expect(after.records.at(-1)).toMatchObject({ op: 'personal.erase' });
  expect(JSON.stringify(after.rows)).not.toContain('dev|user');
  expect((await api.get(`/v1/decisions/${id}`, { as: 'operator' })).body.principal).toBe('erased');
  const listed = await api.get('/v1/decisions?principal=dev%7Cuser', { as: 'operator' });
  expect(listed.body.items).toEqual([]);
});
