/** Offers: what could be had, to choose from; and what becomes of those who choose too late. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rfc3339 } from '../../src/kernel/clock.ts';
import { at } from '../support/builders.ts';
import { triangleOf } from '../support/oneDomain.ts';
import { Api } from './harness.ts';

let api: Api;
beforeEach(async () => {
  api = await Api.start();
});
afterEach(() => api.end());

const H = 3600;
const time = (h: number): string => rfc3339(at(h * H));
const ends = { a: { port: 'ams:host1' }, z: { port: 'ams:host2' } };
const window = (from: number, by: number, durationS = H) => ({
  type: 'FLEXIBLE',
  duration_s: durationS,
  not_before_time: time(from),
  deadline_time: time(by),
});
const wish = (over: Record<string, unknown> = {}) => ({
  ...ends,
  bandwidth_mbps: 10_000,
  schedule: window(1, 9),
  ...over,
});
const offer = async (over: Record<string, unknown> = {}) => {
  const made = await api.post('/v1/offers', wish(over));
  expect([made.status, made.body.detail]).toEqual([201, undefined]);
  return made.body;
};
const take = (offer_id: string, option: number, over: Record<string, unknown> = {}) =>
  api.post('/v1/circuits', { ...ends, schedule: { type: 'OFFER', offer_id, option }, ...over });
const block = async (from: number, to: number, mbps = 10_000) => {
  const schedule = { type: 'FIXED', start_time: time(from), end_time: time(to) };
  const made = await api.post('/v1/circuits', { ...ends, bandwidth_mbps: mbps, schedule });
  expect(made.status).toBe(201);
  return made.body;
};
const shown = (made: {
  options: { option: number; start_time: string; end_time: string; bandwidth_mbps: number }[];
}) => made.options.map((o) => [o.option, o.start_time, o.end_time, o.bandwidth_mbps]);
const circuits = async () => (await api.get('/v1/circuits?page_size=500')).body.items;

describe('an indicative offer', () => {
  it('names slots with rate and path, and holds nothing', async () => {
    await block(2, 3);
    const made = await offer({ ask: 'ALL_SLOTS', max_offers: 3 });
    expect(made).toEqual({
      id: expect.stringMatching(/^off_[0-9a-z]{26}$/),
      kind: 'INDICATIVE',
      expire_time: rfc3339(at(600)),
      options: [
        [1, 2],
        [3, 4],
        [4, 5],
      ].map(([from, to], option) => ({
        option,
        start_time: time(from as number),
        end_time: time(to as number),
        bandwidth_mbps: 10_000,
        path: { domains: ['ams.example'], links: ['l1'], latency_ms: 1 },
        moves: 0,
      })),
    });
    expect(await circuits()).toHaveLength(1);
    await block(1, 2);
  });

  it('is taken by a circuit that has the slot, the rate and the constraints of the offer', async () => {
    const made = await offer({ constraints: { max_hops: 1 } });
    const taken = await take(made.id, 1, { description: 'the second', client_ref: 'job-1', hold_s: 60 });
    expect([taken.status, taken.body.detail]).toEqual([201, undefined]);
    expect(taken.headers['location']).toBe(`/v1/circuits/${taken.body.id}`);
    expect(taken.body).toMatchObject({
      state: 'HELD',
      placement: { start_time: time(2), end_time: time(3), bandwidth_mbps: 10_000, movable: false },
      request: {
        description: 'the second',
        client_ref: 'job-1',
        bandwidth_mbps: 10_000,
        constraints: { max_hops: 1 },
        schedule: { type: 'FIXED', start_time: time(2), end_time: time(3) },
      },
    });
  });

  it.each([
    ['EARLIEST_START', [time(1), 5_000]],
    ['EARLIEST_FINISH', [time(1), 5_000]],
    ['MAX_BANDWIDTH', [time(3), 10_000]],
    ['ALL_SLOTS', [time(1), 5_000]],
  ])('%s puts first what was asked for', async (ask, first) => {
    await block(1, 3, 5_000);
    const made = await offer({ ask, bandwidth_mbps: 5_000, max_offers: 1 });
    expect(made.options.map((o: Record<string, unknown>) => [o['start_time'], o['bandwidth_mbps']])).toEqual([
      first,
    ]);
  });

  it('has five options unless more or fewer are wanted', async () => {
    expect((await offer()).options).toHaveLength(5);
    expect((await offer({ max_offers: 50 })).options).toHaveLength(8);
    expect((await offer({ max_offers: 1 })).options).toHaveLength(1);
  });

  it('of a volume has a rate for each slot', async () => {
    const schedule = {
      type: 'VOLUME',
      volume_bytes: 4.5e12,
      not_before_time: time(1),
      deadline_time: time(9),
      max_bandwidth_mbps: 5_000,
    };
    const made = await offer({ schedule, bandwidth_mbps: undefined, ask: 'EARLIEST_FINISH', max_offers: 2 });
    expect(shown(made)).toEqual([
      [0, time(1), time(3), 5_000],
      [1, time(3), time(5), 5_000],
    ]);
    const taken = await take(made.id, 0);
    expect(taken.body.placement).toMatchObject({ end_time: time(3), bandwidth_mbps: 5_000 });
  });

  it('of something without an end has none', async () => {
    const made = await offer({ schedule: { type: 'NOW', end: 'NEVER' } });
    expect(made.options).toHaveLength(1);
    expect(made.options[0]).not.toHaveProperty('end_time');
  });

  it('says how many would step aside where nothing is free', async () => {
    const bob = await api.post('/v1/circuits', wish({ schedule: window(4, 5.5, H / 2) }));
    const made = await offer({ schedule: window(3.5, 5) });
    expect(made.options).toMatchObject([{ start_time: time(3.5), moves: 1 }]);
    expect((await api.get(`/v1/circuits/${bob.body.id}`)).body).toEqual(bob.body);
    expect((await take(made.id, 0)).status).toBe(201);
    expect((await api.get(`/v1/circuits/${bob.body.id}`)).body.placement).toMatchObject({
      start_time: time(4.5),
      moves: 1,
    });
  });

  it('409 OFFER_TAKEN when somebody was faster', async () => {
    const made = await offer();
    await block(1, 2);
    const late = await take(made.id, 0);
    expect([late.status, late.body.code]).toEqual([409, 'OFFER_TAKEN']);
    expect((await take(made.id, 1)).status).toBe(201);
    expect((await take(made.id, 1)).body.code).toBe('OFFER_TAKEN');
  });

  it('410 OFFER_EXPIRED after its time', async () => {
    const made = await offer();
    await api.world.pass(601);
    const late = await take(made.id, 0);
    expect([late.status, late.body.code]).toEqual([410, 'OFFER_EXPIRED']);
  });

  it.each(['off_00000000000000000000000000', 'off_1', 'cir_00000000000000000000000000', '../x'])(
    '410 OFFER_EXPIRED for what is no offer: %s',
    async (id) => {
      const late = await take(id, 0);
      expect([late.status, late.body.code]).toEqual([410, 'OFFER_EXPIRED']);
    },
  );

  it('is for whoever asked for it', async () => {
    const made = await offer();
    const schedule = { type: 'OFFER', offer_id: made.id, option: 0 };
    const other = await api.post('/v1/circuits', { ...ends, schedule }, { as: 'stranger' });
    expect([other.status, other.body.code]).toEqual([410, 'OFFER_EXPIRED']);
  });

  it('is for the ports that it was asked for, and has the options that it has', async () => {
    const made = await offer({ max_offers: 2 });
    const elsewhere = await take(made.id, 0, { a: { port: 'ams:host3' } });
    expect([elsewhere.status, elsewhere.body.errors[0].pointer]).toEqual([400, '/a/port']);
    const beyond = await take(made.id, 2);
    expect([beyond.status, beyond.body.errors[0].pointer]).toEqual([400, '/schedule/option']);
  });

  it('is taken once under one Idempotency-Key, and answered the same again', async () => {
    const made = await offer();
    const body = { ...ends, schedule: { type: 'OFFER', offer_id: made.id, option: 0 } };
    const headers = { 'idempotency-key': 'once' };
    const first = await api.post('/v1/circuits', body, { headers });
    const again = await api.post('/v1/circuits', body, { headers });
    expect([again.status, again.headers['idempotency-replayed'], again.body]).toEqual([
      201,
      'true',
      first.body,
    ]);
    expect(await circuits()).toHaveLength(1);
  });

  it('that is only tried is not taken', async () => {
    const made = await offer();
    const schedule = { type: 'OFFER', offer_id: made.id, option: 0 };
    const tried = await api.post('/v1/circuits?validate_only=true', { ...ends, schedule });
    expect([tried.status, tried.body.placement.start_time]).toEqual([201, time(1)]);
    expect(await circuits()).toEqual([]);
    expect((await take(made.id, 0)).status).toBe(201);
  });
});

describe('a firm offer', () => {
  it('holds the room of each option until one is taken, and then of that one only', async () => {
    const made = await offer({ max_offers: 2, firm_s: 120, schedule: window(1, 3) });
    expect([made.kind, made.expire_time]).toEqual(['FIRM', rfc3339(at(120))]);
    const held = await circuits();
    expect(held.map((c: { id: string; state: string }) => [c.id, c.state]).sort()).toEqual(
      made.options.map((o: { circuit_id: string }) => [o.circuit_id, 'HELD']).sort(),
    );
    const refused = await api.post('/v1/circuits', wish({ schedule: window(1, 3) }));
    expect(refused.body.code).toBe('NO_FEASIBLE_SLOT');

    const taken = await take(made.id, 1);
    expect(taken.status).toBe(201);
    expect(taken.body).toMatchObject({
      id: made.options[1].circuit_id,
      state: 'SCHEDULED',
      placement: { start_time: time(2), end_time: time(3) },
    });
    await block(1, 2);
  });

  it('lets everything go when its time is up', async () => {
    const made = await offer({ max_offers: 2, firm_s: 30, schedule: window(1, 3) });
    await api.world.pass(31);
    const late = await take(made.id, 0);
    expect([late.status, late.body.code]).toEqual([410, 'OFFER_EXPIRED']);
    await block(1, 3);
  });

  it('is not somebody else’s to take', async () => {
    const made = await offer({ firm_s: 120 });
    const schedule = { type: 'OFFER', offer_id: made.id, option: 0 };
    const other = await api.post('/v1/circuits', { ...ends, schedule }, { as: 'stranger' });
    expect([other.status, other.body.code]).toEqual([410, 'OFFER_EXPIRED']);
  });
});

describe('an offer of what is protected', () => {
  beforeEach(async () => {
    await api.end();
    api = await Api.start({ topology: triangleOf(8_000) });
  });
  const secure = { protection: 'PROTECTED', bandwidth_mbps: 3_000 };
  const roads = { links: ['l1'], backup_links: ['l2', 'l3'] };

  it.each([
    ['indicative', {}],
    ['firm', { firm_s: 120 }],
  ])('%s: names both roads, and who takes it has both', async (_kind, over) => {
    const made = await offer({ ...secure, ...over, max_offers: 2 });
    expect(made.options.map((o: { path: object }) => o.path)).toMatchObject([roads, roads]);
    const taken = await take(made.id, 0);
    expect([taken.status, taken.body.detail]).toEqual([201, undefined]);
    expect(taken.body).toMatchObject({ path: roads, request: { protection: 'PROTECTED' } });
  });

  it('is as wide as the narrower of its roads', async () => {
    await block(1, 2, 5_000);
    const made = await offer({ ...secure, schedule: window(1, 2), ask: 'MAX_BANDWIDTH' });
    expect(shown(made)).toEqual([[0, time(1), time(2), 5_000]]);
    const wider = await offer({ ...secure, schedule: window(2, 3), ask: 'MAX_BANDWIDTH' });
    expect(shown(wider)).toEqual([[0, time(2), time(3), 8_000]]);
  });

  it('of a volume goes over two roads as well', async () => {
    const schedule = {
      type: 'VOLUME',
      volume_bytes: 3.6e12,
      not_before_time: time(1),
      deadline_time: time(9),
    };
    const made = await offer({ protection: 'PROTECTED', schedule, bandwidth_mbps: 8_000, max_offers: 1 });
    expect(shown(made)).toEqual([[0, time(1), time(2), 8_000]]);
    expect(made.options[0].path).toMatchObject(roads);
  });

  it('is refused where there are no two roads, and what has one road is not taken as two', async () => {
    await api.patch(
      '/v1/links/l2',
      { admin_state: 'DOWN' },
      { as: 'operator', headers: { 'if-match': '*' } },
    );
    const refused = await api.post('/v1/offers', wish(secure));
    expect([refused.status, refused.body.code]).toEqual([409, 'NO_FEASIBLE_SLOT']);
    for (const over of [{}, { firm_s: 120 }]) {
      const made = await offer({ bandwidth_mbps: 3_000, ...over });
      const late = await take(made.id, 0, { protection: 'PROTECTED' });
      expect([late.status, late.body.errors[0].pointer]).toEqual([400, '/protection']);
    }
  });
});

describe('an offer cannot be had', () => {
  it('409 where nothing would do, with the reason and what would', async () => {
    await block(1, 9);
    const refused = await api.post('/v1/offers', wish());
    expect([refused.status, refused.body.code, refused.body.proof]).toEqual([
      409,
      'NO_FEASIBLE_SLOT',
      'PROVEN_IMPOSSIBLE',
    ]);
    expect(refused.body.bottlenecks.length).toBeGreaterThan(0);
    expect(refused.body.alternatives.length).toBeGreaterThan(0);
  });

  it('422 by a deadline that is too early', async () => {
    const refused = await api.post('/v1/offers', wish({ schedule: window(1, 2, H + 5) }));
    expect([refused.status, refused.body.code]).toEqual([422, 'DEADLINE_UNREACHABLE']);
    expect(refused.body.detail).toContain('5 s');
  });

  it.each([
    ['no option', { max_offers: 0 }, '/max_offers'],
    ['more options than that', { max_offers: 51 }, '/max_offers'],
    ['another question', { ask: 'CHEAPEST' }, '/ask'],
    ['a hold of more than a day', { firm_s: 86_401 }, '/firm_s'],
    ['a hold of less than nothing', { firm_s: -1 }, '/firm_s'],
    ['an offer of an offer', { schedule: { type: 'OFFER', offer_id: 'off_1', option: 0 } }, '/schedule/type'],
    ['what repeats', { schedule: { type: 'RECURRING' } }, '/schedule/type'],
    ['no rate', { bandwidth_mbps: undefined }, '/bandwidth_mbps'],
    ['a circuit’s own fields', { client_ref: 'job-1' }, '/client_ref'],
    ['a to a', { z: ends.a }, '/z/port'],
    ['a port that is not there', { z: { port: 'ams:nowhere' } }, '/z/port'],
  ])('400 for %s', async (_name, over, pointer) => {
    const refused = await api.post('/v1/offers', wish(over));
    expect([refused.status, refused.body.code]).toEqual([400, 'INVALID_REQUEST']);
    expect(refused.body.errors.map((e: { pointer: string }) => e.pointer)).toContain(pointer);
  });

  it('401 by nobody', async () => {
    const made = await api.post('/v1/offers', wish(), { as: 'nobody' });
    expect(made.status).toBe(401);
  });
});
