/** Everybody fits: windows, volumes and flight plans over HTTP, and what is said where they do not. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rfc3339 } from '../../src/kernel/clock.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { at } from '../support/builders.ts';
import { twoSwitches } from '../support/oneDomain.ts';
import { Api } from './harness.ts';

let api: Api;
beforeEach(async () => {
  api = await Api.start();
});
afterEach(() => api.end());

/** At so many hours after midnight; that is when the clock starts. */
const time = (h: number): string => rfc3339(at(h * 3600));
const H = 3600;
const window = (from: number, by: number, durationS: number) => ({
  type: 'FLEXIBLE',
  duration_s: durationS,
  not_before_time: time(from),
  deadline_time: time(by),
});
const ask = (schedule: object, over: Record<string, unknown> = {}) => ({
  a: { port: 'ams:host1' },
  z: { port: 'ams:host2' },
  bandwidth_mbps: 10_000,
  schedule,
  ...over,
});
const book = async (schedule: object, over: Record<string, unknown> = {}) => {
  const made = await api.post('/v1/circuits', ask(schedule, over));
  expect([made.status, made.body.detail]).toEqual([201, undefined]);
  return made.body;
};
const read = async (id: string) => (await api.get(`/v1/circuits/${id}`)).body;
const slot = async (id: string) => {
  const { placement } = await read(id);
  return [placement.start_time, placement.end_time];
};
const bobs = window(4, 5.5, H / 2);
const alices = window(3.5, 5, H);

describe('Bob has half an hour in 4:00-5:30, and Alice wants an hour in 3:30-5:00', () => {
  it('Bob is moved to 4:30 and told so, and Alice gets 3:30', async () => {
    const bob = await book(bobs);
    expect(bob.placement).toMatchObject({
      start_time: time(4),
      end_time: time(4.5),
      laxity_s: H,
      slack_s: H,
      movable: true,
      moves: 0,
    });
    const alice = await book(alices);
    expect(await slot(alice.id)).toEqual([time(3.5), time(4.5)]);

    const now = await read(bob.id);
    expect(now.placement).toMatchObject({
      start_time: time(4.5),
      end_time: time(5),
      laxity_s: H,
      slack_s: H / 2,
      movable: true,
      moves: 1,
    });
    expect([now.state, now.request]).toEqual([bob.state, bob.request]);
    expect(now.revision).toBeGreaterThan(bob.revision);

    const told = (await api.get(`/v1/circuits/${bob.id}/events`)).body.items.at(-1);
    expect(told).toMatchObject({
      type: 'circuit.moved',
      data: {
        circuit_id: bob.id,
        from: { start_time: time(4), end_time: time(4.5), bandwidth_mbps: 10_000 },
        to: { start_time: time(4.5), end_time: time(5), bandwidth_mbps: 10_000 },
        for_circuit_id: alice.id,
      },
    });
    expect((await api.get('/v1/events?type=circuit.moved')).body.items).toEqual([told]);
  });

  it('with Bob pinned Alice is told why not, and what she could have instead; and it can be had', async () => {
    const bob = await book(bobs, { pinned: true });
    expect(bob.placement.movable).toBe(false);
    const refused = await api.post('/v1/circuits', ask(alices));
    expect([refused.status, refused.body.code, refused.body.proof]).toEqual([
      409,
      'NO_FEASIBLE_SLOT',
      'PROVEN_IMPOSSIBLE',
    ]);
    expect(refused.body.bottlenecks).toContainEqual(
      expect.objectContaining({ free_mbps: 0, needed_mbps: 10_000 }),
    );
    expect(await read(bob.id)).toEqual(bob);
    const [instead] = refused.body.alternatives;
    const { start_time, end_time, bandwidth_mbps } = instead;
    const made = await book({ type: 'FIXED', start_time, end_time }, { bandwidth_mbps });
    expect(made.state).toBe('SCHEDULED');
  });

  it('only tried, Alice moves nobody', async () => {
    const bob = await book(bobs);
    const tried = await api.post('/v1/circuits?validate_only=true', ask(alices));
    expect([tried.status, tried.body.placement.start_time]).toEqual([201, time(3.5)]);
    expect(await read(bob.id)).toEqual(bob);
    expect((await api.get('/v1/events?type=circuit.moved')).body.items).toEqual([]);
  });
});

describe('a deadline that cannot be met', () => {
  it.each([
    ['a window shorter than the work', window(1, 2, H + 90), '90 s'],
    ['a window that straddles now', window(-1, 1, 2 * H), `${H + 1} s`],
    ['a deadline in the past', { type: 'FLEXIBLE', duration_s: 60, deadline_time: time(-1) }, `${H + 61} s`],
    [
      'a volume that the ports cannot carry so soon',
      // 10 Gb/s for two hours, in one.
      { type: 'VOLUME', volume_bytes: 9e12, not_before_time: time(1), deadline_time: time(2) },
      `${H} s`,
    ],
    [
      'a volume at a rate that is too low',
      {
        type: 'VOLUME',
        volume_bytes: 9e12,
        not_before_time: time(1),
        deadline_time: time(4),
        max_bandwidth_mbps: 5_000,
      },
      `${H} s`,
    ],
  ])('%s: says how much is missing', async (_name, schedule, missing) => {
    const refused = await api.post('/v1/circuits', ask(schedule));
    expect([refused.status, refused.body.code]).toEqual([422, 'DEADLINE_UNREACHABLE']);
    expect(refused.body.detail).toContain(missing);
    expect(refused.body.errors.map((e: { pointer: string }) => e.pointer)).toEqual([
      '/schedule/deadline_time',
    ]);
  });

  it('of which not a second is to spare, can be', async () => {
    const made = await book(window(1, 2, H));
    expect(made.placement).toMatchObject({ start_time: time(1), laxity_s: 0, slack_s: 0 });
  });

  it('that a change asks for changes nothing', async () => {
    const bob = await book(bobs);
    const refused = await api.patch(
      `/v1/circuits/${bob.id}`,
      { schedule: { deadline_time: time(4.25) } },
      { headers: { 'if-match': '*', 'content-type': 'application/merge-patch+json' } },
    );
    expect([refused.status, refused.body.code]).toEqual([422, 'DEADLINE_UNREACHABLE']);
    expect(await read(bob.id)).toEqual(bob);
  });
});

describe('a volume', () => {
  const volume = (over: object = {}) => ({
    type: 'VOLUME',
    volume_bytes: 4.5e12, // an hour at 10 Gb/s
    not_before_time: time(1),
    deadline_time: time(9),
    ...over,
  });

  it('gets the rate and the slot that finish first', async () => {
    const made = await book(volume(), { bandwidth_mbps: undefined });
    expect(made.placement).toMatchObject({
      start_time: time(1),
      end_time: time(2),
      bandwidth_mbps: 10_000,
      laxity_s: 7 * H,
      slack_s: 7 * H,
      movable: true,
    });
    // As it was asked: no rate was.
    expect(made.request).not.toHaveProperty('bandwidth_mbps');
    expect(made.request.schedule).toEqual(volume());
  });

  it('takes no more than it may', async () => {
    const made = await book(volume({ max_bandwidth_mbps: 5_000 }), { bandwidth_mbps: undefined });
    expect(made.placement).toMatchObject({ end_time: time(3), bandwidth_mbps: 5_000, laxity_s: 6 * H });
    expect(made.request.schedule.max_bandwidth_mbps).toBe(5_000);
  });

  it.each([
    [2_500, 5_000],
    [5_000, 2_500],
  ])('of two limits, %d beside it and %d in it, the lower holds', async (beside, within) => {
    const made = await book(volume({ max_bandwidth_mbps: within }), { bandwidth_mbps: beside });
    expect(made.placement.bandwidth_mbps).toBe(2_500);
  });

  it('takes what is left beside another', async () => {
    await book({ type: 'FIXED', start_time: time(1), end_time: time(9) }, { bandwidth_mbps: 8_000 });
    const made = await book(volume(), { bandwidth_mbps: undefined });
    expect(made.placement).toMatchObject({
      start_time: time(1),
      end_time: time(6),
      bandwidth_mbps: 2_000,
    });
  });

  it('steps aside for a circuit with a time of its own', async () => {
    const made = await book(volume(), { bandwidth_mbps: undefined });
    await book({ type: 'FIXED', start_time: time(1), end_time: time(2) });
    expect(await slot(made.id)).toEqual([time(2), time(3)]);
  });
});

describe('a flight plan', () => {
  const member = (key: string, over: Record<string, unknown> = {}) => ({
    key,
    ...ask(window(1, 9, H)),
    ...over,
  });
  const plan = (...circuits: object[]) => api.post('/v1/circuit-sets', { circuits });
  const slots = (body: { circuits: { key: string; placement: { start_time: string } }[] }) =>
    body.circuits.map(({ key, placement }) => [key, placement.start_time]);

  it('keeps order and gap, and is answered in the order it was asked in', async () => {
    const made = await plan(
      member('third', { after: 'second' }),
      member('first'),
      member('second', { after: 'first', gap_s: H / 2 }),
    );
    expect(made.status).toBe(201);
    expect(slots(made.body)).toEqual([
      ['third', time(3.5)],
      ['first', time(1)],
      ['second', time(2.5)],
    ]);
  });

  it('keeps them when somebody else needs the room', async () => {
    const made = await plan(member('in'), member('out', { after: 'in', gap_s: H }));
    const [inId, outId] = made.body.circuits.map((c: { id: string }) => c.id);
    await book({ type: 'FIXED', start_time: time(3), end_time: time(4) });
    expect([await slot(inId), await slot(outId)]).toEqual([
      [time(1), time(2)],
      [time(4), time(5)],
    ]);
  });

  it('that cannot be kept is refused whole, and says which member it was', async () => {
    const refused = await plan(member('in'), member('out', { after: 'in', gap_s: 7 * H }));
    // An hour, seven hours of nothing and another hour do not go into eight: one is too late, or the other.
    expect([refused.status, refused.body.code]).toEqual([422, 'DEADLINE_UNREACHABLE']);
    expect(refused.body.errors.map((e: { pointer: string }) => e.pointer)).toEqual([
      expect.stringMatching(/^\/circuits\/[01]\/schedule\/deadline_time$/),
    ]);
    expect((await api.get('/v1/circuits')).body.items).toEqual([]);
  });

  it('that goes round in a circle is refused as such', async () => {
    const refused = await plan(member('hen', { after: 'egg' }), member('egg', { after: 'hen' }));
    expect([refused.status, refused.body.code]).toEqual([400, 'INVALID_REQUEST']);
  });

  it('keeps apart what must not fail together', async () => {
    const over = { bandwidth_mbps: 1_000, schedule: window(1, 2, H) };
    const refused = await plan(member('one', over), member('other', { ...over, diverse: ['one'] }));
    expect([refused.status, refused.body.code]).toEqual([409, 'NO_FEASIBLE_SLOT']);
    await api.end();

    const ring: TopologyDocument = {
      ...twoSwitches,
      links: ['t1', 't2'].map((port, i) => ({
        id: `l${i + 1}`,
        a: { node: 'sw1', port },
        z: { node: 'sw2', port },
        capacity_mbps: 10_000,
        latency_ms: 1,
      })),
    };
    api = await Api.start({ topology: ring });
    const made = await plan(member('one', over), member('other', { ...over, diverse: ['one'] }));
    expect(made.status).toBe(201);
    const roads = made.body.circuits.map((c: { path: { links: string[] } }) => c.path.links);
    expect(roads.flat().sort()).toEqual(['l1', 'l2']);

    // And with a second road of its own a circuit is not moved.
    const kept = await book(bobs, { protection: 'PROTECTED', bandwidth_mbps: 1 });
    expect(kept.placement.movable).toBe(false);
  });
});
