/** Projects, quotas, statements and use over HTTP: who sees what, who may change it, and what a refusal says. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rfc3339 } from '../../src/kernel/clock.ts';
import { at } from '../support/builders.ts';
import { Api } from './harness.ts';

let api: Api;
beforeEach(async () => {
  api = await Api.start();
});
afterEach(() => api.end());

const operator = { as: 'operator' } as const;
const stranger = { as: 'stranger' } as const;
const ask = (from: number, to: number) => ({
  project: 'lhc',
  a: { port: 'ams:host1' },
  z: { port: 'ams:host2' },
  bandwidth_mbps: 100,
  schedule: { type: 'FIXED', start_time: rfc3339(at(from)), end_time: rfc3339(at(to)) },
});
const bandwidth = { scope: { type: 'PROJECT', id: 'lhc' }, kind: 'BANDWIDTH', limit: 150 };

describe('a project', () => {
  it('is described, granted and refunded by operators, and read by its members', async () => {
    expect((await api.put('/v1/projects/lhc', { description: 'CMS', commercial: true })).status).toBe(403);
    const put = await api.put('/v1/projects/lhc', { description: 'CMS', commercial: true }, operator);
    expect(put.body).toEqual({
      id: 'lhc',
      description: 'CMS',
      commercial: true,
      circuits: 0,
      booked_mbit: 0,
    });
    const granted = await api.post(
      '/v1/projects/lhc/grants',
      { amount_mbit: 10_000, reason: 'a gift' },
      operator,
    );
    expect(granted.body.account).toEqual({ available_mbit: 10_000, held_mbit: 0, spent_mbit: 0 });
    const made = await api.post('/v1/circuits', ask(10, 60));
    expect(made.status).toBe(201);
    await api.world.pass(70);
    const after = await api.get('/v1/projects/lhc');
    expect(after.body.account).toEqual({ available_mbit: 5_000, held_mbit: 0, spent_mbit: 5_000 });
    const refund = { circuit_id: made.body.id, amount_mbit: 2_000, reason: 'a bad day' };
    expect((await api.post('/v1/projects/lhc/refunds', refund)).status).toBe(403);
    expect((await api.post('/v1/projects/else/refunds', refund, operator)).status).toBe(404);
    expect((await api.post('/v1/projects/lhc/refunds', refund, operator)).body.account.available_mbit).toBe(
      7_000,
    );
    const statement = await api.get(
      `/v1/projects/lhc/statement?from=${rfc3339(at(0))}&to=${rfc3339(at(100))}`,
    );
    expect(statement.body).toEqual({
      project: 'lhc',
      opening_mbit: 0,
      granted_mbit: 10_000,
      lines: [
        {
          circuit_id: made.body.id,
          held_mbit: 5_000,
          captured_mbit: 5_000,
          refunded_mbit: 2_000,
          open_mbit: 0,
        },
      ],
      closing_mbit: 7_000,
    });
    const csv = await api.get(`/v1/projects/lhc/statement?format=csv&from=${rfc3339(at(0))}`);
    expect(String(csv.headers['content-type'])).toContain('text/csv');
    expect(csv.body).toContain(`lhc,MBIT,${made.body.id},5000,5000,2000,0`);
  });
  it('of somebody else is as absent as one that never was', async () => {
    await api.post('/v1/projects/lhc/grants', { amount_mbit: 10 }, operator);
    expect((await api.get('/v1/projects/lhc', stranger)).status).toBe(404);
    expect((await api.get('/v1/projects/lhc/statement', stranger)).status).toBe(404);
    expect((await api.get('/v1/projects', stranger)).body.items.map((p: { id: string }) => p.id)).toEqual([
      'elsewhere',
    ]);
    expect((await api.get('/v1/projects', operator)).body.items.map((p: { id: string }) => p.id)).toEqual([
      'lhc',
    ]);
  });
  it('is changed only by who has read it, where he says so', async () => {
    const first = await api.put('/v1/projects/lhc', {}, operator);
    const headers = { 'if-match': String(first.headers['etag']) };
    expect((await api.put('/v1/projects/lhc', {}, { ...operator, headers })).status).toBe(200);
    expect((await api.put('/v1/projects/lhc', {}, { ...operator, headers })).status).toBe(412);
  });
  it('attack 63: no amount that is none is granted, and none is taken back that is not there', async () => {
    for (const amount_mbit of [0.5, 1e308, '5', -1]) {
      expect((await api.post('/v1/projects/lhc/grants', { amount_mbit }, operator)).status).toBe(400);
    }
    expect((await api.get('/v1/projects/lhc', operator)).status).toBe(404);
  });
});

describe('a quota', () => {
  it('is made, changed and lifted by operators, and says how much of it is taken', async () => {
    expect((await api.post('/v1/quotas', bandwidth)).status).toBe(403);
    const made = await api.post('/v1/quotas', bandwidth, operator);
    expect(made.body).toMatchObject({ ...bandwidth, period: 'LIVE', used: 0 });
    expect((await api.post('/v1/quotas', bandwidth, operator)).body.code).toBe('QUOTA_EXISTS');
    await api.post('/v1/circuits', ask(10, 60));
    const url = `/v1/quotas/${made.body.id}`;
    const read = await api.get(url);
    expect(read.body.used).toBe(100);
    expect((await api.get(url, stranger)).status).toBe(404);
    const refused = await api.post('/v1/circuits', ask(10, 60));
    expect([refused.status, refused.body.code, refused.body.quota]).toEqual([
      403,
      'QUOTA_EXCEEDED',
      { id: made.body.id, kind: 'BANDWIDTH', limit: 150, needed: 200 },
    ]);
    expect((await api.patch(url, { limit: 300 }, operator)).status).toBe(428);
    const headers = { 'if-match': String(read.headers['etag']) };
    expect((await api.patch(url, { limit: 300 }, { ...operator, headers })).body.limit).toBe(300);
    expect((await api.post('/v1/circuits', ask(10, 60))).status).toBe(201);
    expect((await api.delete(url, operator)).status).toBe(204);
    expect((await api.get('/v1/quotas', operator)).body.items).toEqual([]);
  });
  it('attack 62: of fifty that race for one place, one gets it', async () => {
    await api.post('/v1/quotas', { ...bandwidth, kind: 'CIRCUITS', limit: 1 }, operator);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => api.post('/v1/circuits', ask(10 + 100 * i, 60 + 100 * i))),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === 'QUOTA_EXCEEDED')).toHaveLength(49);
  });
  it('with validate_only is only looked at', async () => {
    expect((await api.post('/v1/quotas?validate_only=true', bandwidth, operator)).status).toBe(201);
    expect((await api.get('/v1/quotas', operator)).body.items).toEqual([]);
    await api.post('/v1/quotas', { ...bandwidth, limit: 50 }, operator);
    expect((await api.post('/v1/circuits?validate_only=true', ask(10, 60))).status).toBe(403);
  });
});

it('use is told line by line, of what runs until now, cut at the window that is asked about', async () => {
  const { body } = await api.post('/v1/circuits', ask(10, 110));
  await api.world.pass(60);
  const line = (from: number, to: number) => ({
    circuit_id: body.id,
    project: 'lhc',
    start_time: rfc3339(at(from)),
    end_time: rfc3339(at(to)),
    bandwidth_mbps: 100,
    reserved_mbit: 100 * (to - from),
  });
  const from = `from=${rfc3339(at(0))}`;
  expect((await api.get(`/v1/usage?${from}`)).body.items).toEqual([line(10, 60)]);
  await api.world.pass(60);
  expect((await api.get(`/v1/usage?project=lhc&${from}`)).body.items).toEqual([line(10, 110)]);
  expect((await api.get(`/v1/usage?${from}&to=${rfc3339(at(30))}`)).body.items).toEqual([line(10, 30)]);
  expect((await api.get(`/v1/usage?${from}`, stranger)).body.items).toEqual([]);
  expect((await api.get(`/v1/usage?format=csv&${from}`)).body).toContain(`${body.id},lhc,`);
  expect((await api.get(`/v1/usage?from=${rfc3339(at(9))}&to=${rfc3339(at(8))}`)).status).toBe(400);
});
