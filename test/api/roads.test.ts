/** Roads that fail, close or are wanted: link states, rerouting, protection, maintenance, availability. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { rfc3339 } from '../../src/kernel/clock.ts';
import { at } from '../support/builders.ts';
import { triangleOf } from '../support/oneDomain.ts';
import { Api } from './harness.ts';

const triangle = triangleOf(8_000);

let api: Api;
const start = async (): Promise<void> => {
  api = await Api.start({ topology: triangle });
};
/** Stories begin with an empty network; what is refused leaves nothing behind. */
const freshEachTime = (): void => {
  beforeEach(start);
  afterEach(() => api.end());
};
const freshOnce = (): void => {
  beforeAll(start);
  afterAll(() => api.end());
};

const time = (s: number): string => rfc3339(at(s));
const ask = (from: number, to: number, over: Record<string, unknown> = {}) => ({
  a: { port: 'ams:host1' },
  z: { port: 'ams:host2' },
  bandwidth_mbps: 1000,
  schedule: { type: 'FIXED', start_time: time(from), end_time: time(to) },
  ...over,
});
const book = async (from: number, to: number, over: Record<string, unknown> = {}) => {
  const made = await api.post('/v1/circuits', ask(from, to, over));
  expect(made.status).toBe(201);
  return made.body;
};
const links = async (id: string): Promise<string[]> => (await api.get(`/v1/circuits/${id}`)).body.path.links;
const operator = { as: 'operator' } as const;
type Impact = { readonly circuit_id: string; readonly outcome: string };
const anyRevision = { as: 'operator', headers: { 'if-match': '*' } } as const;
const setLink = (id: string, state: Record<string, string>) =>
  api.patch(`/v1/links/${id}`, state, anyRevision);

describe('PATCH of a link', () => {
  freshEachTime();

  it('takes it out of use, says what it means, and its circuits go another way', async () => {
    const { id } = await book(10, 500);
    await api.world.pass(20);
    const before = await api.get('/v1/links/l1');
    const etag = String(before.headers['etag']);
    expect((await api.get('/v1/links/l1', { headers: { 'if-none-match': etag } })).status).toBe(304);
    const headers = { 'if-match': etag };
    const tried = await api.patch(
      '/v1/links/l1?validate_only=true',
      { oper_state: 'DOWN' },
      { as: 'operator', headers },
    );
    expect(tried.body).toMatchObject({
      link: { id: 'l1', oper_state: 'DOWN' },
      broken: [{ circuit_id: id }],
    });
    expect((await api.get('/v1/links/l1')).body).toEqual(triangle.links[0]);
    const done = await api.patch('/v1/links/l1', { oper_state: 'DOWN' }, { as: 'operator', headers });
    expect(done.body).toEqual({ ...tried.body, version: done.body.version });
    expect(done.headers['etag']).toBe(`"${done.body.version}"`);
    expect((await api.patch('/v1/links/l1', { oper_state: 'UP' }, { as: 'operator', headers })).status).toBe(
      412,
    );
    await api.world.pass(2);
    expect(await links(id)).toEqual(['l2', 'l3']);
    const events = await api.get(`/v1/circuits/${id}/events`);
    expect(events.body.items.map((e: { type: string }) => e.type)).toContain('circuit.rerouted');
    expect((await api.get('/v1/links/l1')).body.oper_state).toBe('DOWN');
  });
});

describe('what is refused: PATCH of a link', () => {
  freshOnce();

  it.each([
    ['nothing', {}, 400],
    ['an unknown state', { oper_state: 'SIDEWAYS' }, 400],
    ['another field', { capacity_mbps: 1 }, 400],
    ['null', { oper_state: null }, 400],
  ])('of %s is refused', async (_name, body, status) => {
    expect((await api.patch('/v1/links/l1', body, anyRevision)).status).toBe(status);
  });

  it('needs an ETag, a link and an operator', async () => {
    const down = { admin_state: 'DOWN' };
    expect((await api.patch('/v1/links/l1', down, operator)).status).toBe(428);
    expect((await api.patch('/v1/links/l9', down, anyRevision)).status).toBe(404);
    const refused = await api.patch('/v1/links/l1', down, { headers: { 'if-match': '*' } });
    expect([refused.status, refused.body.code]).toEqual([403, 'POLICY_DENIED']);
  });
});

describe('a circuit', () => {
  freshEachTime();

  it('that is protected shows its second road, and whether it has one', async () => {
    const made = await book(10, 500, { protection: 'PROTECTED' });
    expect(made.path).toEqual({
      domains: ['ams.example'],
      links: ['l1'],
      latency_ms: 1,
      backup_links: ['l2', 'l3'],
    });
    expect(made.segments[0].backup_links).toEqual(['l2', 'l3']);
    const isProtected = async () =>
      (await api.get(`/v1/circuits/${made.id}`)).body.conditions.find(
        (one: { type: string }) => one.type === 'Protected',
      ).status;
    expect(await isProtected()).toBe('TRUE');
    await api.world.pass(20);
    await setLink('l1', { oper_state: 'DOWN' });
    await api.world.pass(2);
    const switched = (await api.get(`/v1/circuits/${made.id}`)).body;
    expect(switched.path.links).toEqual(['l2', 'l3']);
    expect(switched.path).not.toHaveProperty('backup_links');
    expect(switched.segments[0]).not.toHaveProperty('backup_links');
    expect(await isProtected()).toBe('FALSE');
  });

  it('goes back to the better road when it is rerouted, under its key only once', async () => {
    await setLink('l1', { oper_state: 'DOWN' });
    const { id } = await book(10, 500);
    expect(await links(id)).toEqual(['l2', 'l3']);
    await setLink('l1', { oper_state: 'UP' });
    const url = `/v1/circuits/${id}/reroute`;
    await api.post(`${url}?validate_only=true`);
    expect(await links(id)).toEqual(['l2', 'l3']);
    const headers = { 'idempotency-key': 'once' };
    const moved = await api.post(url, undefined, { headers });
    expect([moved.status, moved.body.path.links]).toEqual([200, ['l1']]);
    const again = await api.post(url, undefined, { headers });
    expect([again.body, again.headers['idempotency-replayed']]).toEqual([moved.body, 'true']);
    const decisions = await api.get(`/v1/circuits/${id}/decisions`);
    expect(decisions.body.items.map((d: { action: string }) => d.action)).toContain('circuit.reroute');
  });
});

const window = (over: Record<string, unknown> = {}) => ({
  links: ['l1'],
  start_time: time(200),
  end_time: time(300),
  reason: 'new line card',
  ...over,
});
const windows = '/v1/maintenance-windows';

describe('maintenance', () => {
  freshEachTime();

  it('is refused while circuits are there, and says which', async () => {
    const { id } = await book(100, 500);
    const refused = await api.post(windows, window(), operator);
    expect([refused.status, refused.body.code]).toEqual([409, 'MAINTENANCE_CONFLICT']);
    expect(refused.body.circuits).toEqual([{ circuit_id: id, start_time: time(100), end_time: time(500) }]);
    expect((await api.get(windows)).body.items).toEqual([]);
  });

  it('tells what would become of them, moves them, and is cancelled', async () => {
    const { id } = await book(100, 500);
    const moving = window({ conflict: 'MIGRATE_FLEXIBLE' });
    const tried = await api.post(`${windows}?validate_only=true`, moving, operator);
    expect([tried.status, tried.body.impact]).toEqual([201, [{ circuit_id: id, outcome: 'REROUTED' }]]);
    expect(tried.headers).not.toHaveProperty('location');
    expect([await links(id), (await api.get(windows)).body.items]).toEqual([['l1'], []]);

    const made = await api.post(windows, moving, { as: 'operator', headers: { 'idempotency-key': 'k' } });
    expect(made.body).toEqual({
      id: made.body.id,
      links: ['l1'],
      nodes: [],
      start_time: time(200),
      end_time: time(300),
      reason: 'new line card',
      impact: [{ circuit_id: id, outcome: 'REROUTED' }],
    });
    const repeated = await api.post(windows, moving, { as: 'operator', headers: { 'idempotency-key': 'k' } });
    expect(repeated.body).toEqual(made.body);
    expect(await links(id)).toEqual(['l2', 'l3']);

    const one = String(made.headers['location']);
    expect(one).toBe(`${windows}/${made.body.id}`);
    const { impact: _, ...kept } = made.body;
    const read = await api.get(one);
    expect(read.body).toEqual(kept);
    expect(read.headers['etag']).toBe(made.headers['etag']);
    expect((await api.get(windows)).body.items).toEqual([kept]);
    expect((await api.get('/v1/topology')).body.maintenance_windows).toHaveLength(1);
    expect((await api.get(`${one}/impact`, operator)).body.items).toEqual([]);

    expect((await api.delete(one, { as: 'operator', headers: { 'if-match': '"2"' } })).status).toBe(412);
    expect((await api.delete(`${one}?validate_only=true`, operator)).status).toBe(204);
    expect((await api.get(one)).status).toBe(200);
    expect((await api.delete(one, operator)).status).toBe(204);
    for (const method of ['GET', 'DELETE']) expect((await api.ask(method, one, operator)).status).toBe(404);
  });

  it('that preempts shortens one and cancels the other; migrate looks for roads again', async () => {
    await setLink('l2', { admin_state: 'DOWN' });
    const begun = await book(100, 500);
    const during = await book(220, 240);
    const made = await api.post(windows, window({ conflict: 'PREEMPT' }), operator);
    // Of one importance, they come by their ids, which are of one moment.
    expect(Object.fromEntries(made.body.impact.map((one: Impact) => [one.circuit_id, one.outcome]))).toEqual({
      [begun.id]: 'SHORTENED',
      [during.id]: 'CANCELLED',
    });
    expect((await api.get(`/v1/circuits/${during.id}`)).body.state).toBe('CANCELLED');
    const again = await api.post(`${windows}/${made.body.id}/migrate`, undefined, operator);
    expect([again.status, again.body.id, again.body.impact]).toEqual([200, made.body.id, []]);
  });

  it('stays when the topology is replaced by a document that does not speak of it', async () => {
    const made = await api.post(windows, window(), operator);
    const put = await api.put('/v1/topology', triangle, operator);
    expect(put.status).toBe(200);
    expect((await api.get(windows)).body.items.map((w: { id: string }) => w.id)).toEqual([made.body.id]);
    await api.put('/v1/topology', { ...triangle, maintenance_windows: [] }, operator);
    expect((await api.get(windows)).body.items).toEqual([]);
  });
});

describe('maintenance in general', () => {
  freshOnce();

  it.each([
    ['an end before the start', { end_time: time(100) }, '/end_time'],
    ['a time without an offset', { start_time: '2026-01-01T00:00:00' }, '/start_time'],
    ['the past', { start_time: time(-20), end_time: time(-10) }, '/end_time'],
    ['a link that is not there', { links: ['l1', 'l9'] }, '/links/1'],
    ['a node that is not there', { nodes: ['sw9'] }, '/nodes/0'],
    ['nothing', { links: [] }, '/links'],
    ['a link twice', { links: ['l1', 'l1'] }, '/links'],
    ['an unknown way out', { conflict: 'IGNORE' }, '/conflict'],
    ['NUL', { reason: 'a\u0000b' }, '/reason'],
  ])('of %s is refused', async (_name, over, pointer) => {
    const refused = await api.post(windows, window(over), operator);
    expect(refused.status).toBe(400);
    expect(refused.body.errors.map((e: { pointer: string }) => e.pointer)).toContain(pointer);
  });

  it('is seen by everybody, but not whom it meets', async () => {
    const made = await api.post(windows, window(), operator);
    const one = `${windows}/${made.body.id}`;
    expect((await api.get(one, { as: 'stranger' })).status).toBe(200);
    expect((await api.get(`${one}/impact`)).body.code).toBe('POLICY_DENIED');
    for (const id of ['mnt_1', 'cir_00000000000000000000000000', 'mnt_00000000000000000000000000']) {
      expect((await api.get(`${windows}/${id}`)).status).toBe(404);
    }
  });
});

const get = (query: string) => api.get(`/v1/availability?${query}`);
const between = 'a=ams:host1&z=ams:host2';

describe('availability', () => {
  freshEachTime();

  it('is the step function of what one more circuit could have', async () => {
    await book(100, 200, { bandwidth_mbps: 4_000 });
    await book(150, 180, { bandwidth_mbps: 5_000, a: { port: 'ams:host3' } });
    const read = await get(`${between}&from=${time(0)}&to=${time(1000)}&a_vlan=1800-1899&z_vlan=ANY`);
    expect(read.body).toEqual({
      a: { port: 'ams:host1', vlan: '1800-1899' },
      z: { port: 'ams:host2', vlan: 'ANY' },
      from_time: time(0),
      to_time: time(1000),
      steps: [
        { start_time: time(0), free_mbps: 10_000 },
        { start_time: time(100), free_mbps: 6_000 },
        { start_time: time(150), free_mbps: 1_000 },
        { start_time: time(180), free_mbps: 6_000 },
        { start_time: time(200), free_mbps: 10_000 },
      ],
    });
  });

  it('reaches from now a week ahead when nothing is said, and never into the past', async () => {
    const read = await get(between);
    expect([read.body.from_time, read.body.to_time]).toEqual([time(0), time(7 * 86_400)]);
    expect((await get(`${between}&from=${time(-500)}`)).body.from_time).toBe(time(0));
  });

  it('is what can be booked: a circuit of that rate fits, one of more does not', async () => {
    await book(100, 200, { bandwidth_mbps: 3_000 });
    const read = await get(`${between}&from=${time(120)}&to=${time(130)}`);
    const free: number = read.body.steps[0].free_mbps;
    const over = await api.post('/v1/circuits', ask(120, 130, { bandwidth_mbps: free + 1 }));
    expect(over.body.code).toBe('NO_FEASIBLE_SLOT');
    await book(120, 130, { bandwidth_mbps: free });
  });
});

describe('what is refused: availability', () => {
  freshOnce();

  it.each([
    [`a=ams:host1`, 'z'],
    [`a=ams:host1&z=ams:nowhere`, 'z'],
    [`a=nowhere&z=ams:host1`, 'a'],
    [`a=ams:host1&z=ams:host1`, 'z'],
    [`${between}&from=${time(9)}&to=${time(8)}`, 'to'],
    [`${between}&to=${time(-8)}`, 'to'],
    [`${between}&to=2099-01-01T00:00:00Z`, 'to'],
    [`${between}&from=yesterday`, 'from'],
    [`${between}&a_vlan=0`, 'a_vlan'],
    [`${between}&z_vlan=9-1`, 'z_vlan'],
    [`${between}&z_vlan=some`, 'z_vlan'],
    [`${between}&colour=red`, 'colour'],
  ])('%s is refused', async (query, pointer) => {
    const refused = await get(query);
    expect(refused.status).toBe(400);
    expect(refused.body.errors.map((e: { pointer: string }) => e.pointer)).toContain(pointer);
  });
});
