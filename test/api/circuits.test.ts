/** A circuit's life as its client sees it over HTTP. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { rfc3339 } from '../../src/kernel/clock.ts';
import { at } from '../support/builders.ts';
import { Api } from './harness.ts';

let api: Api;
beforeAll(async () => {
  api = await Api.start();
});
afterAll(() => api.end());

let hour = 0;
/** Each story has a day of its own, so that none meets another's bookings. */
beforeEach(() => {
  hour += 24;
});
const time = (h: number): string => rfc3339(at((hour + h) * 3600));

const ask = (over: Record<string, unknown> = {}) => ({
  a: { port: 'ams:host1' },
  z: { port: 'ams:host2' },
  bandwidth_mbps: 1000,
  schedule: { type: 'FIXED', start_time: time(1), end_time: time(2) },
  ...over,
});
const make = async (over: Record<string, unknown> = {}) => (await api.post('/v1/circuits', ask(over))).body;

describe('asking for a circuit', () => {
  it('is answered with what was decided, where it is, and what may be done next', async () => {
    const made = await api.post('/v1/circuits', ask({ description: 'CMS replay', client_ref: 'slurm:1' }));
    expect(made.status).toBe(201);
    expect(made.headers['location']).toBe(`/v1/circuits/${made.body.id}`);
    expect(made.headers['etag']).toBe(`"${made.body.revision}"`);
    expect(made.body).toMatchObject({
      state: 'SCHEDULED',
      request: {
        project: 'lhc',
        description: 'CMS replay',
        client_ref: 'slurm:1',
        a: { port: 'ams:host1', vlan: 'ANY' },
        protection: 'UNPROTECTED',
        provision: 'AUTOMATIC',
        hold_s: 0,
        pinned: false,
        notice_s: 60,
        priority: 50,
        schedule: { type: 'FIXED', start_time: time(1), end_time: time(2) },
      },
      placement: { start_time: time(1), end_time: time(2), bandwidth_mbps: 1000, movable: false, moves: 0 },
      path: { domains: ['ams.example'], links: ['l1'], latency_ms: 1 },
      segments: [{ domain: 'ams.example', state: 'COMMITTED', data_plane: 'DOWN' }],
      conditions: [{ type: 'DataPlaneUp', status: 'FALSE', reason: 'NOT_YET_DUE' }],
      allowed_actions: expect.arrayContaining(['cancel', 'release', 'extend', 'modify']),
    });
    expect(made.body.placement.a_vlan).toBeTypeOf('number');
    const read = await api.get(`/v1/circuits/${made.body.id}`);
    expect(read.body).toEqual(made.body);
  });

  it('now, without an end, has no end_time rather than a null', async () => {
    const body = await make({ schedule: { type: 'NOW', end: 'NEVER' }, bandwidth_mbps: 1 });
    expect(body.placement).not.toHaveProperty('end_time');
    expect(JSON.stringify(body)).not.toContain('null');
    await api.delete(`/v1/circuits/${body.id}`);
  });

  it('with labels gives them back as they were written', async () => {
    const body = await make({
      a: { port: 'ams:host1', vlan: 1801 },
      z: { port: 'ams:host2', vlan: '1900-1999,2100' },
    });
    expect(body.request.a.vlan).toBe(1801);
    expect(body.request.z.vlan).toBe('1900-1999,2100');
    expect(body.placement.a_vlan).toBe(1801);
    expect(body.placement.z_vlan).toBe(1900);
    const whole = await make({
      a: { port: 'ams:host3', vlan: 'UNTAGGED' },
      z: { port: 'ams:host2', vlan: 7 },
    });
    expect(whole.placement.a_vlan).toBe('UNTAGGED');
  });

  it('that does not fit names the bottleneck and what would', async () => {
    await make({ bandwidth_mbps: 8000 });
    const refused = await api.post('/v1/circuits', ask({ bandwidth_mbps: 5000 }));
    expect(refused.status).toBe(409);
    expect(refused.headers['content-type']).toContain('application/problem+json');
    expect(refused.body).toMatchObject({
      code: 'NO_FEASIBLE_SLOT',
      request_id: expect.stringMatching(/^req_/),
      bottlenecks: expect.arrayContaining([expect.objectContaining({ free_mbps: 2000, needed_mbps: 5000 })]),
      alternatives: expect.arrayContaining([
        { start_time: time(2), end_time: time(3), bandwidth_mbps: 5000 },
        { start_time: time(1), end_time: time(2), bandwidth_mbps: 2000 },
      ]),
    });
  });

  it('with Prefer: wait is answered settled, and says so', async () => {
    const made = await api.post('/v1/circuits', ask(), { headers: { prefer: 'respond-async, wait=30' } });
    expect(made.status).toBe(201);
    expect(made.body.state).toBe('SCHEDULED');
    expect(made.headers['preference-applied']).toBe('wait=30');
  });

  it('FLEXIBLE is placed inside its window and may move there', async () => {
    const schedule = { type: 'FLEXIBLE', duration_s: 1800, not_before_time: time(1), deadline_time: time(3) };
    const made = await api.post('/v1/circuits', ask({ schedule }));
    expect(made.status).toBe(201);
    expect(made.body.placement).toMatchObject({
      start_time: time(1),
      movable: true,
      laxity_s: 5400,
      slack_s: 5400,
      moves: 0,
    });
  });

  it('protection where there are no two roads is a 409', async () => {
    const refused = await api.post('/v1/circuits', ask({ protection: 'PROTECTED' }));
    expect([refused.status, refused.body.code]).toEqual([409, 'NO_FEASIBLE_SLOT']);
    // The link that both roads would need, and what it has free.
    expect(refused.body.bottlenecks).toMatchObject([
      { kind: 'LINK', id: 'l1', free_mbps: expect.any(Number), detail: expect.stringContaining('share') },
    ]);
  });

  it.each([
    ['no link may be used', { exclude_links: ['l1'] }, 'LINK', 'l1'],
    ['no road is short enough', { max_latency_ms: 0.5 }, 'NO_ROUTE', 'path'],
  ])(
    'a constraint because of which %s is named, or the link that it bars',
    async (_, constraints, kind, id) => {
      const refused = await api.post('/v1/circuits', ask({ constraints }));
      expect([refused.status, refused.body.code]).toEqual([409, 'NO_FEASIBLE_SLOT']);
      const [first] = refused.body.bottlenecks;
      expect([first.kind, first.id.includes(id) || kind === 'NO_ROUTE']).toEqual([kind, true]);
      if (kind === 'NO_ROUTE') expect(first.detail).toContain('max_latency_ms');
    },
  );

  it('a constraint that names what is not there is a 400 with its place', async () => {
    const refused = await api.post('/v1/circuits', ask({ constraints: { exclude_links: ['nowhere'] } }));
    expect(refused.status).toBe(400);
    expect(refused.body.errors?.[0]?.pointer).toBe('/constraints/exclude_links/0');
  });
});

describe('validate_only', () => {
  it('answers as the real call would and changes nothing', async () => {
    const before = (await api.get('/v1/circuits?page_size=500')).body.items.length;
    const tried = await api.post('/v1/circuits?validate_only=true', ask());
    expect(tried.status).toBe(201);
    expect(tried.body).toMatchObject({ state: 'SCHEDULED', path: { links: ['l1'] } });
    expect(tried.headers).not.toHaveProperty('location');
    expect(tried.headers).not.toHaveProperty('etag');
    expect((await api.get('/v1/circuits?page_size=500')).body.items).toHaveLength(before);
    expect((await api.get(`/v1/circuits/${tried.body.id}`)).status).toBe(404);

    const refused = await api.post('/v1/circuits?validate_only=true', ask({ bandwidth_mbps: 20_000 }));
    expect(refused.body.code).toBe('NO_FEASIBLE_SLOT');
  });

  it('of a change and of a cancellation leave the circuit as it was', async () => {
    const body = await make();
    const tried = await api.patch(
      `/v1/circuits/${body.id}?validate_only=true`,
      { bandwidth_mbps: 2000 },
      { headers: { 'if-match': '*' } },
    );
    expect(tried.body.placement.bandwidth_mbps).toBe(2000);
    expect((await api.delete(`/v1/circuits/${body.id}?validate_only=true`)).body.state).toBe('CANCELLED');
    expect((await api.get(`/v1/circuits/${body.id}`)).body).toEqual(body);
  });
});

describe('attack 65: an Idempotency-Key', () => {
  const key = (text: string, as: 'user' | 'operator' = 'user') => ({
    as,
    headers: { 'idempotency-key': text },
  });

  it('with the same body, however it is written, is answered as the first time', async () => {
    const first = await api.post('/v1/circuits', ask(), key('k1'));
    const reordered = Object.fromEntries(Object.entries(ask()).reverse());
    const again = await api.post('/v1/circuits', reordered, key('k1'));
    expect(again.status).toBe(201);
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(first.headers).not.toHaveProperty('idempotency-replayed');
    expect(again.body).toEqual(first.body);
    expect(again.headers['location']).toBe(first.headers['location']);
    expect(again.headers['etag']).toBe(first.headers['etag']);
  });

  it('with a refusal is refused again with the same document', async () => {
    const first = await api.post('/v1/circuits', ask({ bandwidth_mbps: 20_000 }), key('k2'));
    const again = await api.post('/v1/circuits', ask({ bandwidth_mbps: 20_000 }), key('k2'));
    expect(again.status).toBe(409);
    expect(again.headers['content-type']).toBe(first.headers['content-type']);
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(again.body).toEqual(first.body);
  });

  it('with another body is refused', async () => {
    await api.post('/v1/circuits', ask(), key('k3'));
    const other = await api.post('/v1/circuits', ask({ bandwidth_mbps: 1001 }), key('k3'));
    expect([other.status, other.body.code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
  });

  it('at another path is refused', async () => {
    const body = await make({ hold_s: 600 });
    await api.post(`/v1/circuits/${body.id}/commit`, {}, key('k4'));
    const other = await api.post(`/v1/circuits/${body.id}/release`, {}, key('k4'));
    expect([other.status, other.body.code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
  });

  it('of another principal is refused', async () => {
    await api.post('/v1/circuits', ask(), key('k5'));
    const other = await api.post('/v1/circuits', ask(), key('k5', 'operator'));
    expect([other.status, other.body.code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
  });

  it('twenty times at once makes one circuit', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => api.post('/v1/circuits', ask({ client_ref: 'once' }), key('k6'))),
    );
    const made = answers.filter((a) => a.status === 201);
    expect(new Set(made.map((a) => a.body.id)).size).toBe(1);
    for (const a of answers) expect([201, 409]).toContain(a.status);
    for (const a of answers) if (a.status === 409) expect(a.body.code).toBe('IDEMPOTENCY_IN_PROGRESS');
    expect((await api.get('/v1/circuits?client_ref=once')).body.items).toHaveLength(1);
  });

  it('with validate_only is not used up', async () => {
    const tried = await api.post('/v1/circuits?validate_only=true', ask(), key('k7'));
    expect(tried.status).toBe(201);
    const real = await api.post('/v1/circuits', ask(), key('k7'));
    expect(real.headers).not.toHaveProperty('idempotency-replayed');
    expect((await api.get(`/v1/circuits/${real.body.id}`)).status).toBe(200);
  });

  it.each(['', 'with space', 'é', 'x'.repeat(256)])('that is no key (%j) is a 400', async (text) => {
    const refused = await api.post('/v1/circuits', ask(), key(text));
    expect(refused.status).toBe(400);
    expect(refused.body.errors).toMatchObject([{ pointer: 'Idempotency-Key' }]);
  });
});

describe('ETags', () => {
  it('a change needs one, and the right one', async () => {
    const body = await make();
    const url = `/v1/circuits/${body.id}`;
    const change = { bandwidth_mbps: 2000 };
    expect((await api.patch(url, change)).body.code).toBe('PRECONDITION_REQUIRED');
    for (const stale of [`"${body.revision + 1}"`, `W/"${body.revision}"`, '"abc"']) {
      const refused = await api.patch(url, change, { headers: { 'if-match': stale } });
      expect([refused.status, refused.body.code]).toEqual([412, 'STALE_REVISION']);
    }
    const malformed = await api.patch(url, change, { headers: { 'if-match': '3' } });
    expect([malformed.status, malformed.body.errors[0].pointer]).toEqual([400, 'If-Match']);
    const changed = await api.patch(url, change, { headers: { 'if-match': `"${body.revision}"` } });
    expect(changed.status).toBe(200);
    expect(changed.body.placement.bandwidth_mbps).toBe(2000);
    expect(changed.body.request.bandwidth_mbps).toBe(2000);
    expect(changed.headers['etag']).not.toBe(`"${body.revision}"`);
  });

  it('a read of what is known already is a 304', async () => {
    const body = await make();
    const url = `/v1/circuits/${body.id}`;
    const etag = `"${body.revision}"`;
    expect((await api.get(url, { headers: { 'if-none-match': `"0", W/${etag}` } })).status).toBe(304);
    expect((await api.get(url, { headers: { 'if-none-match': '"0"' } })).status).toBe(200);
  });

  it('on DELETE it is optional, and counts when it is there', async () => {
    const body = await make();
    const url = `/v1/circuits/${body.id}`;
    expect((await api.delete(url, { headers: { 'if-match': '"999"' } })).status).toBe(412);
    expect((await api.delete(url)).body.state).toBe('CANCELLED');
    // What is cancelled is cancelled: to ask again is no fault.
    expect((await api.delete(url)).body.state).toBe('CANCELLED');
  });
});

describe('the verbs', () => {
  it('hold, hold longer, commit', async () => {
    const body = await make({ hold_s: 600 });
    expect(body.state).toBe('HELD');
    expect(body.hold_expire_time).toBe(rfc3339(at(600)));
    expect(body.allowed_actions).toEqual(expect.arrayContaining(['commit', 'abort', 'extend-hold']));
    const longer = await api.post(`/v1/circuits/${body.id}/extend-hold`, { hold_s: 1200 });
    expect(longer.body.hold_expire_time).toBe(rfc3339(at(1200)));
    const committed = await api.post(`/v1/circuits/${body.id}/commit`);
    expect(committed.body.state).toBe('SCHEDULED');
    expect(committed.body).not.toHaveProperty('hold_expire_time');
    const late = await api.post(`/v1/circuits/${body.id}/abort`, {});
    expect([late.status, late.body.code]).toEqual([409, 'WRONG_STATE']);
    expect(late.body.allowed_actions).toEqual(committed.body.allowed_actions);
  });

  it('hold and give up', async () => {
    const body = await make({ hold_s: 600 });
    const gone = await api.post(`/v1/circuits/${body.id}/abort`);
    expect(gone.status).toBe(200);
    expect(gone.body.allowed_actions).toEqual([]);
  });

  it('extend by seconds, or to a time, and not by both or neither', async () => {
    const body = await make();
    const url = `/v1/circuits/${body.id}/extend`;
    expect((await api.post(url, { extend_s: 3600 })).body.placement.end_time).toBe(time(3));
    expect((await api.post(url, { end_time: time(4) })).body.placement.end_time).toBe(time(4));
    expect((await api.post(url, {})).status).toBe(400);
    expect((await api.post(url, { extend_s: 1, end_time: time(5) })).status).toBe(400);
    const earlier = await api.post(url, { end_time: time(3) });
    expect([earlier.status, earlier.body.errors[0].pointer]).toEqual([400, '/end_time']);
  });

  it('a change of the end, and none at all', async () => {
    const body = await make();
    const url = `/v1/circuits/${body.id}`;
    const any = { headers: { 'if-match': '*' } };
    const later = await api.patch(url, { schedule: { end_time: time(5) } }, any);
    expect(later.body.placement.end_time).toBe(time(5));
    expect((await api.patch(url, {}, any)).body.code).toBe('INVALID_REQUEST');
    expect((await api.patch(url, { schedule: {} }, any)).body.code).toBe('INVALID_REQUEST');
    const wrong = await api.patch(url, { schedule: { end_time: time(0) } }, any);
    expect([wrong.status, wrong.body.errors[0].pointer]).toEqual([400, '/schedule/end_time']);
    const merge = await api.patch(url, JSON.stringify({ bandwidth_mbps: 10 }) as unknown, {
      headers: { 'if-match': '*', 'content-type': 'application/merge-patch+json' },
    });
    expect(merge.body.placement.bandwidth_mbps).toBe(10);
  });

  it('reroute onto the only road there is changes nothing', async () => {
    const body = await make();
    const url = `/v1/circuits/${body.id}`;
    const same = await api.post(`${url}/reroute`);
    expect([same.status, same.body.revision]).toEqual([200, body.revision]);
    const stale = await api.post(`${url}/reroute`, undefined, { headers: { 'if-match': '"99"' } });
    expect(stale.status).toBe(412);
    expect((await api.post(`${url}/reroute`, undefined, { as: 'stranger' })).status).toBe(404);
    await api.delete(url);
    expect((await api.post(`${url}/reroute`)).body.code).toBe('WRONG_STATE');
  });

  it('provision on a MANUAL circuit, and its light', async () => {
    const soon = { type: 'NOW', duration_s: 600 };
    const body = await make({ provision: 'MANUAL', schedule: soon });
    await api.world.pass(3);
    expect((await api.get(`/v1/circuits/${body.id}`)).body.state).toBe('SCHEDULED');
    expect((await api.post(`/v1/circuits/${body.id}/provision`)).status).toBe(200);
    await api.world.pass(5);
    const lit = (await api.get(`/v1/circuits/${body.id}`)).body;
    expect(lit).toMatchObject({
      state: 'ACTIVE',
      segments: [{ data_plane: 'UP' }],
      conditions: [{ status: 'TRUE' }],
    });
    expect(lit.placement.actual_start_time).toBeDefined();

    const plan = (await api.get(`/v1/circuits/${body.id}/device-plan`)).body.items;
    expect(plan).toHaveLength(2);
    const device = await api.get('/v1/devices/sw1/cross-connects', { as: 'operator' });
    expect(device.body.items).toContainEqual(plan[0]);

    const released = await api.post(`/v1/circuits/${body.id}/release`, { reason: 'done early' });
    expect(released.body.state).toBe('RELEASING');
    await api.world.pass(3);
    const ended = (await api.get(`/v1/circuits/${body.id}`)).body;
    expect(ended.state).toBe('ENDED');
    const usage = (await api.get(`/v1/circuits/${body.id}/usage`)).body;
    expect(usage).toMatchObject({ bandwidth_mbps: 1000, booked_s: 600, booked_mbit: 600_000 });
    expect(usage.reserved_s).toBeGreaterThan(0);
    expect(usage.reserved_s).toBeLessThan(60);
    expect(usage.active_s).toBeLessThanOrEqual(usage.reserved_s);
  });
});

describe('usage', () => {
  it('counts each rate for as long as the circuit had it', async () => {
    const body = await make({ schedule: { type: 'NOW', duration_s: 600 } });
    await api.world.pass(10);
    const usage = async () => (await api.get(`/v1/circuits/${body.id}/usage`)).body;
    const before = await usage();
    expect(before.reserved_mbit).toBe(before.reserved_s * 1000);
    const headers = { 'if-match': '*' };
    await api.patch(`/v1/circuits/${body.id}`, { bandwidth_mbps: 3000 }, { headers });
    await api.world.pass(10);
    const after = await usage();
    expect(after.reserved_mbit - before.reserved_mbit).toBe((after.reserved_s - before.reserved_s) * 3000);
    await api.delete(`/v1/circuits/${body.id}`);
    await api.world.pass(3);
  });
});

describe('reading', () => {
  it('the parts of a circuit', async () => {
    const body = await make();
    const url = `/v1/circuits/${body.id}`;
    const events = (await api.get(`${url}/events`)).body.items;
    expect(events[0]).toMatchObject({
      specversion: '1.0',
      type: 'circuit.created',
      subject: body.id,
    });
    const first = (await api.get(`${url}/events?page_size=1`)).body;
    if (events.length > 1) {
      const rest = (await api.get(`${url}/events?page_token=${first.next_page_token}`)).body.items;
      expect([...first.items, ...rest]).toEqual(events);
    }
    expect((await api.get(`${url}/decisions`)).body.items).toMatchObject([
      {
        id: body.decision_ids[0],
        effect: 'ALLOW',
        action: 'circuit.create',
        rules: ['anybody'],
      },
    ]);
    expect((await api.get(`${url}/segments`)).body.items).toEqual(body.segments);
  });

  it('lists, page by page, sorted and filtered', async () => {
    const mine = [];
    for (const [i, mbps] of [30, 10, 20].entries()) {
      mine.push(
        await make({
          bandwidth_mbps: mbps,
          schedule: { type: 'FIXED', start_time: time(1 + i), end_time: time(9 - i) },
        }),
      );
    }
    const window = `start_time.gte=${time(1)}&start_time.lt=${time(4)}`;
    const ids = (a: { body: { items: { id: string }[] } }) => a.body.items.map((c) => c.id);
    const byStart = mine.map((c) => c.id);
    expect(ids(await api.get(`/v1/circuits?${window}&sort=start_time`))).toEqual(byStart);
    expect(ids(await api.get(`/v1/circuits?${window}&sort=end_time`))).toEqual([...byStart].reverse());
    expect(new Set(ids(await api.get(`/v1/circuits?${window}`)))).toEqual(new Set(byStart));

    const paged: string[] = [];
    let token = '';
    do {
      const page = await api.get(`/v1/circuits?${window}&sort=-start_time&page_size=1${token}`);
      paged.push(...ids(page));
      token = page.body.next_page_token === undefined ? '' : `&page_token=${page.body.next_page_token}`;
    } while (token !== '');
    expect(paged).toEqual([...byStart].reverse());

    const cancelled = mine[1].id;
    await api.delete(`/v1/circuits/${cancelled}`);
    expect(ids(await api.get(`/v1/circuits?${window}&state=CANCELLED`))).toEqual([cancelled]);
    expect(ids(await api.get(`/v1/circuits?${window}&state=CANCELLED&state=SCHEDULED`))).toHaveLength(3);
    expect(ids(await api.get(`/v1/circuits?${window}&port=ams:host3`))).toEqual([]);
    const code = mine[0].short_code.toLowerCase();
    expect(ids(await api.get(`/v1/circuits?${window}&short_code=${code}`))).toEqual([mine[0].id]);
  });

  it.each([
    ['page_size=0', 'page_size'],
    ['page_size=501', 'page_size'],
    ['page_size=many', 'page_size'],
    ['page_size=1&page_size=2', 'page_size'],
    ['sort=bandwidth', 'sort'],
    ['state=LIT', 'state/0'],
    ['start_time.gte=yesterday', 'start_time.gte'],
    ['colour=red', 'colour'],
    ['page_token=nonsense', 'page_token'],
  ])('a list with %s is a 400 that names it', async (query, pointer) => {
    const refused = await api.get(`/v1/circuits?${query}`);
    expect(refused.status).toBe(400);
    expect(refused.body.errors?.[0]?.pointer).toBe(pointer);
  });

  it("nobody else's circuit", async () => {
    const body = await make();
    const url = `/v1/circuits/${body.id}`;
    for (const path of ['', '/events', '/decisions', '/segments', '/usage', '/device-plan']) {
      expect((await api.get(url + path, { as: 'stranger' })).body.code).toBe('NOT_FOUND');
      expect((await api.get(url + path, { as: 'operator' })).status).toBe(200);
    }
    for (const verb of ['commit', 'abort', 'provision', 'release', 'reroute']) {
      expect((await api.post(`${url}/${verb}`, {}, { as: 'stranger' })).body.code).toBe('NOT_FOUND');
    }
    expect((await api.delete(url, { as: 'stranger' })).status).toBe(404);
    const window = `start_time.gte=${time(0)}`;
    expect((await api.get(`/v1/circuits?${window}`, { as: 'stranger' })).body.items).toEqual([]);
  });

  it.each([
    'cir_',
    'cir_x',
    'ser_01m7vjz7sh2w1hw8gq0tm5f63q',
    '..%2F..%2Fetc',
    'cir_01m7vjz7sh2w1hw8gq0tm5f63q',
  ])('what does not exist: %s', async (id) => {
    expect((await api.get(`/v1/circuits/${id}`)).body.code).toBe('NOT_FOUND');
  });
});
