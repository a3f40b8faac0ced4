/** What must be refused at the edge: each line a clear problem with the place at fault, and nothing changed. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { rfc3339 } from '../../src/kernel/clock.ts';
import { at } from '../support/builders.ts';
import { Api } from './harness.ts';

let api: Api;
let transactions = 0;
beforeAll(async () => {
  api = await Api.start();
  transactions = api.world.broker.stats().admitted;
});
afterEach(() => {
  expect(api.world.broker.stats().admitted).toBe(transactions);
});
afterAll(() => api.end());

const time = (h: number): string => rfc3339(at(h * 3600));
const fixed = { type: 'FIXED', start_time: time(1), end_time: time(2) };
const ask = (over: Record<string, unknown> = {}) => ({
  a: { port: 'ams:host1' },
  z: { port: 'ams:host2' },
  bandwidth_mbps: 1000,
  schedule: fixed,
  ...over,
});
const TEN_YEARS_H = 10 * 366 * 24;

type Line = [name: string, body: unknown, pointer: string, code?: string];

const impossible: Line[] = [
  ['bandwidth 0', ask({ bandwidth_mbps: 0 }), '/bandwidth_mbps'],
  ['bandwidth -1', ask({ bandwidth_mbps: -1 }), '/bandwidth_mbps'],
  ['bandwidth 0.5', ask({ bandwidth_mbps: 0.5 }), '/bandwidth_mbps'],
  ['bandwidth beyond any interface', ask({ bandwidth_mbps: 100_000_001 }), '/bandwidth_mbps'],
  ['bandwidth as text', ask({ bandwidth_mbps: '1000' }), '/bandwidth_mbps'],
  ['bandwidth true', ask({ bandwidth_mbps: true }), '/bandwidth_mbps'],
  ['bandwidth null', ask({ bandwidth_mbps: null }), '/bandwidth_mbps'],
  ['no bandwidth', ask({ bandwidth_mbps: undefined }), '/bandwidth_mbps'],
  ['an end at the start', ask({ schedule: { ...fixed, end_time: time(1) } }), '/schedule/end_time'],
  ['an end before the start', ask({ schedule: { ...fixed, end_time: time(0) } }), '/schedule/end_time'],
  [
    'a window longer than ten years',
    ask({ schedule: { ...fixed, end_time: time(1 + TEN_YEARS_H + 1) } }),
    '/schedule/end_time',
  ],
  [
    'a start in the past',
    ask({ schedule: { ...fixed, start_time: time(-1) } }),
    '/schedule/start_time',
    'START_IN_PAST',
  ],
  [
    'a duration longer than ten years',
    ask({ schedule: { type: 'NOW', duration_s: TEN_YEARS_H * 3600 + 1 } }),
    '/schedule/duration_s',
  ],
  ['a duration of 0', ask({ schedule: { type: 'NOW', duration_s: 0 } }), '/schedule/duration_s'],
  [
    'both a duration and no end',
    ask({ schedule: { type: 'NOW', duration_s: 5, end: 'NEVER' } }),
    '/schedule/duration_s',
  ],
  ['neither', ask({ schedule: { type: 'NOW' } }), '/schedule/duration_s'],
  ['another end than NEVER', ask({ schedule: { type: 'NOW', end: 'LATER' } }), '/schedule/end'],
  ['a to a', ask({ z: { port: 'ams:host1' } }), '/z/port'],
  [
    'a deadline before not_before',
    ask({ schedule: { type: 'FLEXIBLE', duration_s: 60, not_before_time: time(3), deadline_time: time(2) } }),
    '/schedule/deadline_time',
  ],
  [
    'a volume of 0',
    ask({ schedule: { type: 'VOLUME', volume_bytes: 0, deadline_time: time(2) } }),
    '/schedule/volume_bytes',
  ],
  [
    'a least rate above the most',
    ask({
      schedule: {
        type: 'VOLUME',
        volume_bytes: 1,
        deadline_time: time(2),
        min_bandwidth_mbps: 2,
        max_bandwidth_mbps: 1,
      },
    }),
    '/schedule/max_bandwidth_mbps',
  ],
  [
    'a least rate above the rate beside the volume',
    ask({
      schedule: { type: 'VOLUME', volume_bytes: 1, deadline_time: time(2), min_bandwidth_mbps: 1001 },
    }),
    '/bandwidth_mbps',
  ],
  [
    'a window from now that is longer than ten years',
    ask({ schedule: { type: 'FLEXIBLE', duration_s: 60, deadline_time: time(TEN_YEARS_H + 1) } }),
    '/schedule/deadline_time',
  ],
  ['a VLAN of 0', ask({ a: { port: 'ams:host1', vlan: 0 } }), '/a/vlan'],
  ['a VLAN of 4095', ask({ a: { port: 'ams:host1', vlan: 4095 } }), '/a/vlan'],
  ['a VLAN range upside down', ask({ a: { port: 'ams:host1', vlan: '20-10' } }), '/a/vlan'],
  ['a VLAN range beyond 4094', ask({ a: { port: 'ams:host1', vlan: '4000-5000' } }), '/a/vlan'],
  ['a hold of -1', ask({ hold_s: -1 }), '/hold_s'],
  ['a priority of 101', ask({ priority: 101 }), '/priority'],
];

const malformed: Line[] = [
  ['no body', undefined, ''],
  ['a list', [], ''],
  ['an unknown field', ask({ colour: 'red' }), '/colour'],
  ['an unknown field below', ask({ a: { port: 'ams:host1', 'sp/ace~': 1 } }), '/a/sp~1ace~0'],
  ['an unknown constraint', ask({ constraints: { fast: true } }), '/constraints/fast'],
  ['no port', ask({ a: {} }), '/a/port'],
  ['no schedule', ask({ schedule: undefined }), '/schedule'],
  ['an unknown schedule', ask({ schedule: { type: 'SOON' } }), '/schedule/type'],
  ['a schedule without a type', ask({ schedule: { start_time: time(1) } }), '/schedule/type'],
  ['a field of another schedule', ask({ schedule: { ...fixed, duration_s: 5 } }), '/schedule/duration_s'],
  [
    'a time without an offset',
    ask({ schedule: { ...fixed, start_time: '2026-01-02T00:00:00' } }),
    '/schedule/start_time',
  ],
  ['a day alone', ask({ schedule: { ...fixed, start_time: '2026-01-02' } }), '/schedule/start_time'],
  [
    'the 30th of February',
    ask({ schedule: { ...fixed, start_time: '2026-02-30T00:00:00Z' } }),
    '/schedule/start_time',
  ],
  [
    'a fraction of a second',
    ask({ schedule: { ...fixed, start_time: '2026-01-02T00:00:00.5Z' } }),
    '/schedule/start_time',
  ],
  ['a port without a prefix', ask({ a: { port: 'host1' } }), '/a/port'],
  ['a port with a space', ask({ a: { port: 'ams:host 1' } }), '/a/port'],
  ['a port that is not there', ask({ a: { port: 'ams:nowhere' } }), '/a/port'],
  ['a project with a line break', ask({ project: 'lhc\nx' }), '/project'],
  ['a NUL in the description', ask({ description: 'a\u0000b' }), '/description'],
  ['a NUL in the client_ref', ask({ client_ref: 'a\u0000b' }), '/client_ref'],
  ['a NUL in the project', ask({ project: 'a\u0000b' }), '/project'],
  ['a client_ref of 129', ask({ client_ref: 'x'.repeat(129) }), '/client_ref'],
  ['a private key as holder_jwk', ask({ holder_jwk: { kty: 'EC', d: 'secret-canary' } }), '/holder_jwk/d'],
];

describe.each([
  ['attack 79: impossible values', impossible],
  ['malformed requests', malformed],
])('%s', (_title, lines) => {
  it.each(lines)('%s', async (_name, body, pointer, code = 'INVALID_REQUEST') => {
    const refused = await api.post('/v1/circuits', body, { headers: { 'content-type': 'application/json' } });
    expect([refused.status, refused.body.code]).toEqual([400, code]);
    expect(refused.body.errors.map((e: { pointer: string }) => e.pointer)).toContain(pointer);
    expect(JSON.stringify(refused.body)).not.toContain('secret-canary');
  });
});

describe('attack 79, in numbers that only text can hold', () => {
  const raw = (value: string) => JSON.stringify(ask({ bandwidth_mbps: 4711 })).replace('4711', value);
  it.each(['1e308', '1e400', '-1e400', 'NaN', 'Infinity', '9007199254740993', '0x10', '01', '1.'])(
    '%s',
    async (value) => {
      const refused = await api.post('/v1/circuits', raw(value), {
        headers: { 'content-type': 'application/json' },
      });
      expect([refused.status, refused.body.code]).toEqual([400, 'INVALID_REQUEST']);
    },
  );

  it('1e3 is a whole number and fits', async () => {
    const tried = await api.post('/v1/circuits?validate_only=true', raw('1e3'), {
      headers: { 'content-type': 'application/json' },
    });
    expect(tried.body.request.bandwidth_mbps).toBe(1000);
  });
});

describe('attack 79: a start inside a daylight saving gap', () => {
  const series = (not_before_time: string) =>
    api.post(
      '/v1/circuits?validate_only=true',
      ask({
        schedule: {
          type: 'RECURRING',
          rrule: 'FREQ=DAILY;COUNT=3',
          timezone: 'Europe/Amsterdam',
          duration_s: 600,
          not_before_time,
        },
      }),
    );
  const starts = (answer: { body: { occurrences: { start_time: string }[] } }) =>
    answer.body.occurrences.map((o) => o.start_time);

  it('is left out: there is no 02:30 on the 29th of March', async () => {
    expect(starts(await series('2026-03-28T02:30:00+01:00'))).toEqual([
      '2026-03-28T01:30:00Z',
      '2026-03-30T00:30:00Z',
      '2026-03-31T00:30:00Z',
    ]);
  });

  it('and the hour that comes twice in October is booked once', async () => {
    expect(starts(await series('2026-10-24T02:30:00+02:00'))).toEqual([
      '2026-10-24T00:30:00Z',
      '2026-10-25T00:30:00Z',
      '2026-10-26T01:30:00Z',
    ]);
  });
});

describe('NUL, which no database takes as text', () => {
  it.each([
    '/v1/circuits?client_ref=a%00',
    '/v1/circuits?short_code=a%00',
    '/v1/circuits?set_id=a%00',
    '/v1/circuits?series_id=a%00',
    '/v1/circuits?project=a%00',
    '/v1/circuits?port=ams:a%00',
    '/v1/decisions?principal=a%00',
    '/v1/decisions?action=a%00',
    '/v1/decisions?circuit_id=a%00',
    '/v1/events?circuit_id=a%00',
    '/v1/events?type=a%00',
  ])('in %s', async (url) => {
    expect((await api.get(url)).status).toBe(400);
  });
});

describe('attack 69: 100 kB of a port', () => {
  it.each([
    ['in a body', () => api.post('/v1/circuits', ask({ a: { port: `ams:${'a/'.repeat(50_000)}` } })), 400],
    [
      'in a VLAN list',
      () => api.post('/v1/circuits', ask({ a: { port: 'ams:host1', vlan: '1-2,'.repeat(25_000) } })),
      400,
    ],
    ['in a path', () => api.get(`/v1/ports/ams:${'a'.repeat(100_000)}`), 404],
    ['in a query', () => api.get(`/v1/circuits?port=ams:${'a'.repeat(100_000)}`), 400],
    ['in a token of a page', () => api.get(`/v1/circuits?page_token=${'A'.repeat(100_000)}`), 400],
  ] as const)('%s is refused', async (_name, call, status) => {
    expect((await call()).status).toBe(status);
  });
});

describe('attack 70: SQL is text', () => {
  const sql = `x'; DROP TABLE circuits; --`;
  it('in a filter, a sort and a page token', async () => {
    const q = encodeURIComponent(sql);
    expect((await api.get(`/v1/circuits?sort=${q}`)).status).toBe(400);
    expect((await api.get(`/v1/circuits?sort=create_time;--`)).status).toBe(400);
    expect((await api.get(`/v1/circuits?page_token=${q}`)).status).toBe(400);
    expect((await api.get(`/v1/circuits?client_ref=${q}`)).body.items).toEqual([]);
    expect((await api.get(`/v1/decisions?principal=${q}`)).body.items).toEqual([]);
  });

  it('in a description and a client_ref is kept as it is', async () => {
    const made = await api.post(
      '/v1/circuits',
      ask({ description: sql, client_ref: sql, bandwidth_mbps: 1 }),
    );
    transactions = api.world.broker.stats().admitted;
    const read = await api.get(`/v1/circuits?client_ref=${encodeURIComponent(sql)}`);
    expect(read.body.items).toEqual([made.body]);
    expect(read.body.items[0].request.description).toBe(sql);
  });
});

describe('attack 80: path traversal', () => {
  it.each([
    '/v1/ports/..%2F..%2Fpackage.json',
    '/v1/decisions/..%2Fexport',
    '/v1/devices/%2e%2e%2f',
    '/v1/links/%00',
    '/v1/circuits/%c0%af',
  ])('%s names nothing', async (url) => {
    const answer = await api.get(url, { as: 'operator' });
    expect([400, 404]).toContain(answer.status);
    expect(answer.body.code).toMatch(/NOT_FOUND|INVALID_REQUEST/);
  });
});
