/** Sets, series, decisions, the network and its devices, over HTTP. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rfc3339 } from '../../src/kernel/clock.ts';
import { at } from '../support/builders.ts';
import { twoSwitches } from '../support/oneDomain.ts';
import { Api } from './harness.ts';

let api: Api;
beforeAll(async () => {
  api = await Api.start();
});
afterAll(() => api.end());

const time = (h: number): string => rfc3339(at(h * 3600));
const ask = (from: number, over: Record<string, unknown> = {}) => ({
  a: { port: 'ams:host1' },
  z: { port: 'ams:host2' },
  bandwidth_mbps: 1000,
  schedule: { type: 'FIXED', start_time: time(from), end_time: time(from + 1) },
  ...over,
});

describe('a circuit set', () => {
  const members = (
    from: number,
    over: Record<string, unknown> = {},
    first: Record<string, unknown> = {},
  ) => ({
    circuits: [
      { key: 'in', ...ask(from), hold_s: 600, ...first },
      { key: 'out', ...ask(from), hold_s: 600, ...over },
    ],
  });

  it('is placed, read, and committed as one', async () => {
    const made = await api.post('/v1/circuit-sets', members(1));
    expect(made.status).toBe(201);
    expect(made.headers['location']).toBe(`/v1/circuit-sets/${made.body.id}`);
    expect(made.body.circuits).toMatchObject([
      { key: 'in', state: 'HELD', set_id: made.body.id },
      { key: 'out', state: 'HELD' },
    ]);
    const url = `/v1/circuit-sets/${made.body.id}`;
    const read = await api.get(url);
    expect(read.body).toEqual(made.body);
    expect((await api.get(url, { headers: { 'if-none-match': String(read.headers['etag']) } })).status).toBe(
      304,
    );
    const committed = await api.post(`${url}/commit`);
    expect(committed.body.circuits).toMatchObject([{ state: 'SCHEDULED' }, { state: 'SCHEDULED' }]);
    expect((await api.get(`/v1/circuits?set_id=${made.body.id}`)).body.items).toHaveLength(2);
    expect((await api.get(url, { as: 'stranger' })).status).toBe(404);
    expect((await api.delete(url, { headers: { 'if-match': '"77"' } })).status).toBe(412);
    const gone = await api.delete(url);
    expect(gone.body.circuits).toMatchObject([{ state: 'CANCELLED' }, { state: 'CANCELLED' }]);
    const again = await api.delete(url);
    expect([again.status, again.body]).toEqual([200, gone.body]);
    expect((await api.get(url)).body).toEqual(gone.body);
  });

  it('is cancelled whole also when one of it has ended by itself', async () => {
    const made = await api.post('/v1/circuit-sets', members(11));
    await api.delete(`/v1/circuits/${made.body.circuits[0].id}`);
    const gone = await api.delete(`/v1/circuit-sets/${made.body.id}`);
    expect(gone.status).toBe(200);
    expect(gone.body.circuits).toMatchObject([{ state: 'CANCELLED' }, { state: 'CANCELLED' }]);
  });

  it('whose circuits share a client_ref is refused: it names one circuit', async () => {
    const refused = await api.post(
      '/v1/circuit-sets',
      members(5, { client_ref: 'slurm:7' }, { client_ref: 'slurm:7' }),
    );
    expect([refused.status, refused.body.errors[0].pointer]).toEqual([400, '/circuits/1/client_ref']);
  });

  it('that does not fit whole does not exist at all, and the refusal points to the member', async () => {
    const before = (await api.get('/v1/circuits?page_size=500')).body.items.length;
    const refused = await api.post('/v1/circuit-sets', members(3, { bandwidth_mbps: 9500 }));
    expect([refused.status, refused.body.code]).toEqual([409, 'NO_FEASIBLE_SLOT']);
    expect(refused.body.errors.map((e: { pointer: string }) => e.pointer)).toContain('/circuits/1');
    expect((await api.get('/v1/circuits?page_size=500')).body.items).toHaveLength(before);
  });

  it.each([
    ['the same key twice', { key: 'in' }, '/circuits/1/key', 400],
    ['an impossible member', { bandwidth_mbps: 0 }, '/circuits/1/bandwidth_mbps', 400],
    ['a member from a to a', { z: { port: 'ams:host1' } }, '/circuits/1/z/port', 400],
    [
      'a member in the past',
      { schedule: { type: 'FIXED', start_time: time(-2), end_time: time(9) } },
      '/circuits/1/schedule/start_time',
      400,
    ],
    ['an order after nobody', { after: 'elsewhere' }, '/circuits/1/after', 400],
    ['an order after itself', { after: 'out' }, '/circuits/1/after', 400],
    ['a gap to nobody', { gap_s: 5 }, '/circuits/1/gap_s', 400],
    ['a distance from nobody', { diverse: ['elsewhere'] }, '/circuits/1/diverse', 400],
    [
      'a member that takes an offer',
      { schedule: { type: 'OFFER', offer_id: 'off_1', option: 0 } },
      '/circuits/1/schedule/type',
      422,
    ],
    [
      'a member that repeats',
      {
        schedule: {
          type: 'RECURRING',
          rrule: 'FREQ=DAILY;COUNT=2',
          timezone: 'UTC',
          duration_s: 60,
          not_before_time: time(5),
        },
      },
      '/circuits/1/schedule/type',
      422,
    ],
  ])('with %s is refused', async (_name, over, pointer, status) => {
    const refused = await api.post('/v1/circuit-sets', members(5, over));
    expect(refused.status).toBe(status);
    expect(refused.body.errors.map((e: { pointer: string }) => e.pointer)).toContain(pointer);
  });

  it('is given up as one', async () => {
    const made = await api.post('/v1/circuit-sets', members(7));
    const gone = await api.post(`/v1/circuit-sets/${made.body.id}/abort`, {});
    for (const circuit of gone.body.circuits) expect(circuit.allowed_actions).toEqual([]);
  });

  it('is tried without being kept', async () => {
    const tried = await api.post('/v1/circuit-sets?validate_only=true', members(9));
    expect(tried.status).toBe(201);
    expect((await api.get(`/v1/circuit-sets/${tried.body.id}`)).status).toBe(404);
  });
});

describe('a series', () => {
  const daily = (over: Record<string, unknown> = {}) =>
    ask(0, {
      schedule: {
        type: 'RECURRING',
        rrule: 'FREQ=DAILY;COUNT=3',
        timezone: 'Europe/Amsterdam',
        duration_s: 3600,
        not_before_time: '2026-03-28T09:00:00+01:00',
        ...over,
      },
    });

  it('keeps the time of day over the change of clocks, and is cancelled as one', async () => {
    const made = await api.post('/v1/circuits', daily());
    expect(made.status).toBe(201);
    expect(made.headers['location']).toBe(`/v1/series/${made.body.id}`);
    expect(made.body.occurrences.map((o: { start_time: string }) => o.start_time)).toEqual([
      '2026-03-28T08:00:00Z',
      '2026-03-29T07:00:00Z',
      '2026-03-30T07:00:00Z',
    ]);
    const url = `/v1/series/${made.body.id}`;
    expect((await api.get(url)).body).toEqual(made.body);
    const one = made.body.occurrences[1].circuit_id;
    expect((await api.get(`/v1/circuits/${one}`)).body).toMatchObject({
      series_id: made.body.id,
      placement: { start_time: '2026-03-29T07:00:00Z', end_time: '2026-03-29T08:00:00Z' },
    });
    expect((await api.get(url, { as: 'stranger' })).status).toBe(404);
    expect((await api.delete(url, { headers: { 'if-match': '"9"' } })).status).toBe(412);
    expect((await api.delete(url)).body.state).toBe('CANCELLED');
    expect((await api.get(`/v1/circuits/${one}`)).body.state).toBe('CANCELLED');
  });

  it('that began before now leaves out what has passed; one that is over is refused', async () => {
    const rule = { timezone: 'UTC', duration_s: 60, not_before_time: time(-25) };
    const begun = await api.post('/v1/circuits?validate_only=true', daily(rule));
    expect(begun.body.occurrences.map((o: { start_time: string }) => o.start_time)).toEqual([time(23)]);
    const over = await api.post('/v1/circuits', daily({ ...rule, rrule: 'FREQ=DAILY;COUNT=2' }));
    expect([over.status, over.body.code, over.body.errors[0].pointer]).toEqual([
      400,
      'START_IN_PAST',
      '/schedule/not_before_time',
    ]);
  });

  it.each([
    ['without an end', { rrule: 'FREQ=DAILY' }, '/schedule/rrule'],
    ['of too many', { rrule: 'FREQ=DAILY;COUNT=401' }, '/schedule/rrule'],
    ['in no rule at all', { rrule: 'now and then' }, '/schedule/rrule'],
    ['of no day', { rrule: 'FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30;COUNT=1' }, '/schedule/rrule'],
    ['in no zone at all', { timezone: 'Mars/Olympus' }, '/schedule/timezone'],
  ])('%s is refused', async (_name, over, pointer) => {
    const refused = await api.post('/v1/circuits', daily(over));
    expect(refused.status).toBe(400);
    expect(refused.body.errors.map((e: { pointer: string }) => e.pointer)).toContain(pointer);
  });
});

describe('decisions', () => {
  it('are listed with filters, read, and exported a line each', async () => {
    const made = await api.post('/v1/circuits', ask(20));
    const id = made.body.decision_ids[0];
    const one = await api.get(`/v1/decisions/${id}`);
    expect(one.body).toMatchObject({
      id,
      principal: 'dev|user',
      action: 'circuit.create',
      effect: 'ALLOW',
      circuit_id: made.body.id,
      request_id: made.headers['x-request-id'],
      inputs: { a_port: 'ams:host1', bandwidth_mbps: 1000 },
    });
    const ids = (a: { body: { items: { id: string }[] } }) => a.body.items.map((d) => d.id);
    expect(ids(await api.get(`/v1/decisions?circuit_id=${made.body.id}&effect=ALLOW`))).toEqual([id]);
    expect(ids(await api.get(`/v1/decisions?circuit_id=${made.body.id}&effect=DENY`))).toEqual([]);
    expect(ids(await api.get(`/v1/decisions?create_time.lt=${time(0)}`))).toEqual([]);
    expect((await api.get(`/v1/decisions/${id}`, { as: 'stranger' })).status).toBe(404);

    const all: string[] = [];
    let token = '';
    do {
      const page = await api.get(`/v1/decisions?page_size=3${token}`);
      all.push(...ids(page));
      token = page.body.next_page_token === undefined ? '' : `&page_token=${page.body.next_page_token}`;
    } while (token !== '');
    const lines = String((await api.get('/v1/decisions/export')).body)
      .trim()
      .split('\n');
    expect(lines.map((line) => JSON.parse(line).id)).toEqual(all);
    expect((await api.get('/v1/decisions/export', { as: 'stranger' })).body).toBe('');
  });
});

describe('the network', () => {
  it('is read as the document that may be put again', async () => {
    const read = await api.get('/v1/topology');
    expect(read.body).toEqual(twoSwitches);
    expect((await api.get('/v1/topology?format=json')).status).toBe(200);
    expect((await api.get('/v1/topology?format=png')).status).toBe(400);
  });

  it('is replaced by operators, who are told before what would break', async () => {
    const mine = await api.post('/v1/circuits', ask(30));
    const read = await api.get('/v1/topology');
    const etag = String(read.headers['etag']);
    const without = { ...twoSwitches, links: [] };
    expect((await api.put('/v1/topology', without)).body.code).toBe('POLICY_DENIED');
    const tried = await api.put('/v1/topology?validate_only=true', without, { as: 'operator' });
    expect(tried.body.broken.map((b: { circuit_id: string }) => b.circuit_id)).toContain(mine.body.id);
    expect((await api.get('/v1/topology')).body).toEqual(twoSwitches);

    const wider = { ...twoSwitches, links: [{ ...twoSwitches.links[0], capacity_mbps: 20_000 }] };
    const stale = await api.put('/v1/topology', wider, { as: 'operator', headers: { 'if-match': '"999"' } });
    expect(stale.status).toBe(412);
    const put = await api.put('/v1/topology', wider, { as: 'operator', headers: { 'if-match': etag } });
    expect(put.body.broken).toEqual([]);
    expect(put.headers['etag']).toBe(`"${put.body.version}"`);
    expect((await api.get('/v1/topology')).body).toEqual(wider);
    await api.put('/v1/topology', twoSwitches, { as: 'operator' });
  });

  it('that contradicts itself is refused with pointers', async () => {
    const lost = { ...twoSwitches, links: [{ ...twoSwitches.links[0], z: { node: 'sw9', port: 't1' } }] };
    const refused = await api.put('/v1/topology', lost, { as: 'operator' });
    expect(refused.body.errors).toMatchObject([{ pointer: '/links/0/z/node' }]);
    const strange = { ...twoSwitches, colour: 'red' };
    expect((await api.put('/v1/topology', strange, { as: 'operator' })).body.errors[0].pointer).toBe(
      '/colour',
    );
  });

  it('has ports, links, domains', async () => {
    const ports = await api.get('/v1/ports');
    expect(ports.body.items).toContainEqual({
      id: 'ams:host1',
      domain: 'ams.example',
      capacity_mbps: 10_000,
      vlans: '2-4094',
      kind: 'CLIENT',
      node: 'sw1',
    });
    expect((await api.get('/v1/ports?domain=sdg.example')).body.items).toEqual([]);
    const first = await api.get('/v1/ports?page_size=2');
    expect(first.body.items).toHaveLength(2);
    const rest = await api.get(`/v1/ports?page_size=2&page_token=${first.body.next_page_token}`);
    expect([...first.body.items, ...rest.body.items]).toEqual(ports.body.items);
    expect(rest.body).not.toHaveProperty('next_page_token');
    expect((await api.get('/v1/ports/ams%3Ahost1')).body.id).toBe('ams:host1');
    expect((await api.get('/v1/ports/ams:none')).status).toBe(404);
    expect((await api.get('/v1/links')).body.items).toEqual(twoSwitches.links);
    expect((await api.get('/v1/links/l1')).body).toEqual(twoSwitches.links[0]);
    expect((await api.get('/v1/links/l9')).status).toBe(404);
    expect((await api.get('/v1/domains')).body.items).toEqual([
      { name: 'ams.example', prefix: 'ams', role: 'OWN', ports: 3 },
    ]);
  });

  it('has a calendar for each link', async () => {
    await api.post('/v1/circuits', ask(40, { bandwidth_mbps: 4000 }));
    const read = await api.get(`/v1/links/l1/calendar?from=${time(39)}&to=${time(43)}`);
    expect(read.body).toMatchObject({
      link: 'l1',
      capacity_mbps: 10_000,
      from_time: time(39),
      to_time: time(43),
    });
    expect(read.body.steps).toContainEqual({ start_time: time(40), claimed_mbps: 4000, free_mbps: 6000 });
    expect(read.body.steps).toContainEqual({ start_time: time(41), claimed_mbps: 0, free_mbps: 10_000 });
    expect((await api.get('/v1/links/l1/calendar')).body.from_time).toBe(time(0));
    const backwards = await api.get(`/v1/links/l1/calendar?from=${time(2)}&to=${time(1)}`);
    expect(backwards.body.errors[0].pointer).toBe('to');
  });

  it('has devices, for operators', async () => {
    expect((await api.get('/v1/devices')).body.code).toBe('POLICY_DENIED');
    expect((await api.get('/v1/devices', { as: 'operator' })).body.items).toEqual([
      { id: 'sw1', nodes: ['sw1'] },
      { id: 'sw2', nodes: ['sw2'] },
    ]);
    expect((await api.get('/v1/devices/sw1', { as: 'operator' })).body.id).toBe('sw1');
    expect((await api.get('/v1/devices/sw9', { as: 'operator' })).status).toBe(404);
    expect((await api.get('/v1/devices/sw1/cross-connects', { as: 'operator' })).body.items).toEqual([]);
  });
});

it('whoami says who', async () => {
  expect((await api.get('/v1/whoami', { as: 'stranger' })).body).toEqual({
    id: 'dev|stranger',
    name: 'stranger',
    roles: ['user'],
    projects: ['elsewhere'],
    assurance: 1,
  });
});
