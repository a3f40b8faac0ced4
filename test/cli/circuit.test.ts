/** From the words on a command line to the request that is sent, and back to what is shown. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { CIRCUIT_ID, circuit, fake, frame, problem, run, sse } from './support/world.ts';

const CREATE = 'circuit create ams:host1 ams:host3 --bw 10G';
const PATH = `/v1/circuits/${CIRCUIT_ID}`;

async function asked(line: string, options = {}) {
  const at = await fake({ 'POST /v1/circuits': () => ({ status: 201, body: circuit('SCHEDULED') }) });
  const ran = await run(at, line, options);
  return { ran, call: at.seen.find((call) => call.method === 'POST') };
}

// It is 2026-11-20T21:17:03Z.
describe('schedules', () => {
  it.each([
    ['--for 2h', { type: 'NOW', duration_s: 7200 }],
    ['--start now --for 2h', { type: 'NOW', duration_s: 7200 }],
    ['--end never', { type: 'NOW', end: 'NEVER' }],
    ['--end 21:47:03', { type: 'NOW', duration_s: 1800 }],
    [
      '--start "22:00 Europe/Amsterdam" --for 2h30m',
      { type: 'FIXED', start_time: '2026-11-21T21:00:00Z', end_time: '2026-11-21T23:30:00Z' },
    ],
    [
      '--at "23:00 Europe/Amsterdam" --end "01:00 Europe/Amsterdam"',
      { type: 'FIXED', start_time: '2026-11-20T22:00:00Z', end_time: '2026-11-21T00:00:00Z' },
    ],
    // The end is the first 06:00 after the start, not after now.
    [
      '--start "2026-12-24 18:00" --end 06:00',
      { type: 'FIXED', start_time: '2026-12-24T18:00:00Z', end_time: '2026-12-25T06:00:00Z' },
    ],
    [
      '--start +1h --end +30m',
      { type: 'FIXED', start_time: '2026-11-20T22:17:03Z', end_time: '2026-11-20T22:47:03Z' },
    ],
    [
      '--by "06:00 Europe/Amsterdam" --for 2h',
      { type: 'FLEXIBLE', duration_s: 7200, deadline_time: '2026-11-21T05:00:00Z' },
    ],
    [
      '--by 06:00 --for 2h --not-before 23:00',
      {
        type: 'FLEXIBLE',
        duration_s: 7200,
        not_before_time: '2026-11-20T23:00:00Z',
        deadline_time: '2026-11-21T06:00:00Z',
      },
    ],
    [
      '--move 20TB --by "06:00 Europe/Amsterdam" --min-bw 1G --max-bw 40G',
      {
        type: 'VOLUME',
        volume_bytes: 20e12,
        deadline_time: '2026-11-21T05:00:00Z',
        min_bandwidth_mbps: 1000,
        max_bandwidth_mbps: 40000,
      },
    ],
    [
      '--rrule FREQ=DAILY;COUNT=5 --start "2027-03-27 03:00 Europe/Amsterdam" --for 1h',
      {
        type: 'RECURRING',
        rrule: 'FREQ=DAILY;COUNT=5',
        timezone: 'Europe/Amsterdam',
        duration_s: 3600,
        not_before_time: '2027-03-27T02:00:00Z',
      },
    ],
  ])('%s', async (options, schedule) => {
    const { ran, call } = await asked(`${CREATE} ${options}`);
    expect(ran.code).toBe(0);
    expect(call?.body).toEqual({
      a: { port: 'ams:host1' },
      z: { port: 'ams:host3' },
      bandwidth_mbps: 10000,
      schedule,
    });
  });
});

test('everything that can be said', async () => {
  const { call } = await asked(
    'circuit create --a ams:cx3/1 --z sdg:cx1/4 --a-vlan 1801 --z-vlan any --bw 10G --for 2h --project lhc ' +
      '--description "CMS replay" --ref slurm:812334 --hold 10m --manual --pinned --notice 0s --priority 70 ' +
      '--protected --exclude-link l1 --exclude-link l2 --exclude-node n1 --include-node n2 --max-latency 90 ' +
      '--max-hops 12 --min-mtu 8174 --diverse-from cir_1 --srlg-disjoint',
  );
  expect(call?.body).toEqual({
    project: 'lhc',
    description: 'CMS replay',
    client_ref: 'slurm:812334',
    a: { port: 'ams:cx3/1', vlan: 1801 },
    z: { port: 'sdg:cx1/4', vlan: 'ANY' },
    bandwidth_mbps: 10000,
    protection: 'PROTECTED',
    constraints: {
      exclude_links: ['l1', 'l2'],
      exclude_nodes: ['n1'],
      include_nodes: ['n2'],
      max_latency_ms: 90,
      max_hops: 12,
      min_mtu: 8174,
      diverse_from: ['cir_1'],
      srlg_disjoint: true,
    },
    provision: 'MANUAL',
    hold_s: 600,
    pinned: true,
    notice_s: 0,
    priority: 70,
    schedule: { type: 'NOW', duration_s: 7200 },
  });
  expect(call?.headers['prefer']).toBe('wait=30');
});

describe('what was understood is said back in UTC on stderr', () => {
  it.each([
    [
      '--start "22:30 Europe/Amsterdam" --for 2h30m',
      'start     2026-11-20T21:30:00Z (in 13m)\nend       2026-11-21T00:00:00Z (2h30m long)\n',
    ],
    [
      '--by "06:00 Europe/Amsterdam" --for 2h',
      'deadline  2026-11-21T05:00:00Z (in 7h43m)\nlaxity    5h42m57s (2h of work)\n',
    ],
    [
      '--by "06:00 Europe/Amsterdam" --for 9h',
      'deadline  2026-11-21T05:00:00Z (in 7h43m)\nlaxity    none: 1h17m3s too little for 9h of work\n',
    ],
    // 20e12 * 8 / 10e9 = 16,000 s.
    [
      '--move 20TB --by "06:00 Europe/Amsterdam"',
      'volume    20TB at up to 10G\ndeadline  2026-11-21T05:00:00Z (in 7h43m)\nlaxity    3h16m17s (4h26m40s of work)\n',
    ],
  ])('%s', async (options, echo) => {
    const { ran } = await asked(`${CREATE} ${options}`);
    expect(ran.stderr).toBe(echo);
    expect((await asked(`${CREATE} ${options} -q`)).ran.stderr).toBe('');
  });
});

describe('a slot that the broker chose is told', () => {
  const placed = async (line: string, type: string, over: object = {}) => {
    const { request, placement } = circuit('SCHEDULED') as { request: object; placement: object };
    const body = circuit('SCHEDULED', {
      request: { ...request, notice_s: 60, schedule: { type } },
      placement: {
        ...placement,
        bandwidth_mbps: 4_000,
        laxity_s: 9000,
        slack_s: 3600,
        movable: true,
        ...over,
      },
    });
    const at = await fake({ 'POST /v1/circuits': () => ({ status: 201, body }) });
    const { stderr } = await run(at, `circuit create ams:host1 ams:host3 ${line} -o json`);
    return stderr.split('\n').filter((said) => /^(?:placed|laxity|slack)/.test(said));
  };
  const slot = 'placed    4G from 2026-11-20T21:17:04Z until 2026-11-20T23:17:04Z';

  test('of a volume: rate, slot and laxity', async () => {
    expect(await placed('--move 20TB --by 06:00', 'VOLUME')).toEqual([
      slot,
      'laxity    2h30m',
      'slack     1h to the deadline; it may be moved until 1m before its start',
    ]);
  });
  test('of a flexible one, whose laxity was known before', async () => {
    expect(await placed('--bw 4G --for 2h --by 06:00 --pinned', 'FLEXIBLE', { movable: false })).toEqual([
      'laxity    6h42m57s (2h of work)',
      slot,
      'slack     1h to the deadline; it will not be moved',
    ]);
  });
  test('of an offer: what it had', async () => {
    expect(await placed('--offer off_01abc/1', 'FIXED')).toEqual([slot]);
  });
  test('and not of one that the asker chose', async () => {
    expect(await placed('--bw 4G --for 2h', 'NOW')).toEqual([]);
  });
});

describe('an offer is taken', () => {
  test('by its name and the number of the option', async () => {
    const { ran, call } = await asked('circuit create ams:host1 ams:host3 --offer off_01abc/1 --ref job-1');
    expect(ran.code).toBe(0);
    expect(call?.body).toEqual({
      a: { port: 'ams:host1' },
      z: { port: 'ams:host3' },
      client_ref: 'job-1',
      schedule: { type: 'OFFER', offer_id: 'off_01abc', option: 1 },
    });
  });
  test.each([
    ['--offer off_01abc', 'is no offer with an option'],
    ['--offer cir_01abc/0', 'is no offer with an option'],
    ['--offer off_01abc/-1', 'is no offer with an option'],
    ['--offer off_01abc/0 --bw 1G', '--offer and --bw cannot be given together'],
    ['--offer off_01abc/0 --by +2h', '--offer and --by cannot be given together'],
    ['--offer off_01abc/0 --max-hops 3', 'the road of an offer is chosen already'],
  ])('2: %s', async (options, why) => {
    const { ran, call } = await asked(`circuit create ams:host1 ams:host3 ${options}`);
    expect([ran.code, call, ran.stderr.includes(why)]).toEqual([2, undefined, true]);
  });
  test('6: when it has gone or expired, and says what to do', async () => {
    for (const [status, code] of [
      [409, 'OFFER_TAKEN'],
      [410, 'OFFER_EXPIRED'],
    ] as const) {
      const at = await fake({ 'POST /v1/circuits': () => problem(status, code, 'gone') });
      const ran = await run(at, 'circuit create ams:host1 ams:host3 --offer off_01abc/1');
      expect([ran.code, ran.stderr.includes('try: Ask for new offers.')]).toEqual([6, true]);
    }
  });
});

test('--dry-run is validate_only, says so, and does not wait', async () => {
  const { ran, call } = await asked(`${CREATE} --for 2h --dry-run --wait`);
  expect(call?.query.get('validate_only')).toBe('true');
  expect(ran.code).toBe(0);
  expect(ran.stderr).toContain('dry run: nothing was changed');
});

describe('a request from a file', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'turnpike-cli-'));
    const request = {
      a: { port: 'ams:host1', vlan: 7 },
      z: { port: 'ams:host2' },
      bandwidth_mbps: 1000,
      schedule: { type: 'NOW', duration_s: 60 },
    };
    await writeFile(join(folder, 'ask.json'), JSON.stringify(request));
    await writeFile(join(folder, 'token'), 'from-a-file\n');
  });
  afterAll(() => rm(folder, { recursive: true }));
  test('is sent as it is, but for the options', async () => {
    const { call } = await asked(`circuit create --file ${folder}/ask.json --bw 2G --z ams:host9`);
    expect(call?.body).toEqual({
      a: { port: 'ams:host1', vlan: 7 },
      z: { port: 'ams:host9' },
      bandwidth_mbps: 2000,
      schedule: { type: 'NOW', duration_s: 60 },
    });
  });
  test('or from standard input', async () => {
    const stdin = (async function* () {
      yield '{"a":{"port":"ams:a"},"z":{"port":"ams:b"},"bandwidth_mbps":5,';
      yield '"schedule":{"type":"NOW","duration_s":9}}';
    })();
    const { call } = await asked('circuit create -f -', { stdin });
    expect(call?.body).toMatchObject({ bandwidth_mbps: 5, schedule: { duration_s: 9 } });
  });
  test('so may the token', async () => {
    const { call } = await asked(`${CREATE} --for 2h --token-file ${folder}/token`);
    expect(call?.headers.authorization).toBe('Bearer from-a-file');
  });
});

describe('the formats of one circuit', () => {
  const get = async (format: string) => {
    const at = await fake({ [`GET ${PATH}`]: () => ({ body: circuit('ACTIVE') }) });
    return (await run(at, `circuit show ${CIRCUIT_ID} -o ${format}`)).stdout;
  };
  test('json and yaml are the document', async () => {
    expect(JSON.parse(await get('json'))).toEqual(circuit('ACTIVE'));
    expect(parseYaml(await get('yaml'))).toEqual(circuit('ACTIVE'));
  });
  test('csv is a heading and a row, in exact numbers', async () => {
    const [head, row, rest] = (await get('csv')).split('\r\n');
    expect(head).toContain('id,short_code,state,');
    expect(row).toContain(`${CIRCUIT_ID},CX47,ACTIVE,lhc,,ams:host1,2,ams:host3,3,10000,`);
    expect(rest).toBe('');
  });
  test('the table is for people', async () => {
    const table = await get('table');
    expect(table).toMatch(/^a +ams:host1 vlan 2$/m);
    expect(table).toMatch(/^bandwidth +10G$/m);
    expect(table).toMatch(/^can +release cancel$/m);
    expect(table).not.toMatch(/^description/m);
  });
});

describe('a circuit has three names', () => {
  const rows = [circuit('ENDED', { id: 'cir_old' }), circuit('ACTIVE')];
  it.each([
    ['cx47', 'short_code', 'CX47'],
    ['slurm:812334', 'client_ref', 'slurm:812334'],
  ])('%s', async (name, parameter, value) => {
    const at = await fake({ 'GET /v1/circuits': () => ({ body: { items: rows } }) });
    const ran = await run(at, `circuit show ${name} -o json`);
    expect(at.seen[0]?.query.get(parameter)).toBe(value);
    // One that is over does not stand in the way of one that lives.
    expect(JSON.parse(ran.stdout).id).toBe(CIRCUIT_ID);
  });
  test('none, and several', async () => {
    const none = await fake({ 'GET /v1/circuits': () => ({ body: { items: [] } }) });
    expect((await run(none, 'circuit show nothing')).code).toBe(1);
    const two = [circuit('ACTIVE', { id: 'cir_1' }), circuit('ACTIVE', { id: 'cir_2' })];
    const several = await fake({ 'GET /v1/circuits': () => ({ body: { items: two } }) });
    const ran = await run(several, 'circuit cancel CX47');
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain('cir_2');
    expect(several.seen.map((call) => call.method)).toEqual(['GET']);
  });
});

describe('actions', () => {
  it.each([
    ['commit', 'POST', `${PATH}/commit`, {}],
    ['abort', 'POST', `${PATH}/abort`, {}],
    ['provision', 'POST', `${PATH}/provision`, {}],
    ['release', 'POST', `${PATH}/release`, {}],
    ['release --reason "job done"', 'POST', `${PATH}/release`, { reason: 'job done' }],
    ['cancel', 'DELETE', PATH, undefined],
    ['extend-hold --for 10m', 'POST', `${PATH}/extend-hold`, { hold_s: 600 }],
    ['extend --for 1h', 'POST', `${PATH}/extend`, { extend_s: 3600 }],
    ['extend --to 23:00', 'POST', `${PATH}/extend`, { end_time: '2026-11-20T23:00:00Z' }],
    ['extend --to never', 'POST', `${PATH}/extend`, { end: 'NEVER' }],
    ['modify --bw 20G', 'PATCH', PATH, { bandwidth_mbps: 20000 }],
    [
      'modify --by 06:00 --not-before 23:00',
      'PATCH',
      PATH,
      { schedule: { deadline_time: '2026-11-21T06:00:00Z', not_before_time: '2026-11-20T23:00:00Z' } },
    ],
    ['modify --bw 20G --revision 3', 'PATCH', PATH, { bandwidth_mbps: 20000 }],
    ['modify --end never', 'PATCH', PATH, { schedule: { end: 'NEVER' } }],
  ])('%s', async (words, method, path, body) => {
    const at = await fake({
      [`GET ${PATH}`]: () => ({ body: circuit('ACTIVE'), headers: { etag: '"3"' } }),
      [`${method} ${path}`]: () => ({ body: circuit('ACTIVE') }),
    });
    const [verb, ...rest] = words.split(' ');
    const ran = await run(at, `circuit ${verb} ${CIRCUIT_ID} ${rest.join(' ')}`);
    expect([ran.stderr.includes('turnpike:'), ran.code]).toEqual([false, 0]);
    const call = at.seen.find((seen) => seen.method === method);
    expect(call?.path).toBe(path);
    expect(call?.body).toEqual(body);
    expect(call?.headers['idempotency-key'] !== undefined).toBe(method === 'POST');
    expect(call?.headers['if-match']).toBe(
      method !== 'PATCH' ? undefined : words.includes('--revision') ? '"3"' : '*',
    );
  });
});

describe('a change that peers must agree to', () => {
  const agreed = {
    start_time: '2026-11-20T21:17:04Z',
    end_time: '2026-11-20T23:17:04Z',
    bandwidth_mbps: 20000,
  };
  const world = (after: object) =>
    fake({
      [`PATCH ${PATH}`]: () => ({ status: 202, body: circuit('ACTIVE', { pending: agreed }) }),
      [`GET ${PATH}`]: (_, count) => ({ body: circuit('ACTIVE', count < 2 ? { pending: agreed } : after) }),
      'GET /v1/events/stream': () => sse((_, response) => response.end()),
    });
  const line = `circuit modify ${CIRCUIT_ID} --bw 20G`;
  test('is told of as such', async () => {
    const ran = await run(await world({}), line);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toMatch(/^changing to +20G from/m);
    expect(ran.stderr).toContain('peers are being asked');
  });
  test('and waited for: agreed', async () => {
    const lighting = { placement: agreed, segments: [{ data_plane: 'STARTING' }] };
    const at = await fake({
      [`PATCH ${PATH}`]: () => ({ status: 202, body: circuit('ACTIVE', { pending: agreed }) }),
      [`GET ${PATH}`]: (_, count) => ({
        body: circuit(
          'ACTIVE',
          [{ pending: agreed }, lighting][count] ?? { placement: agreed, segments: [{ data_plane: 'UP' }] },
        ),
      }),
      'GET /v1/events/stream': () => sse((_, response) => response.end()),
    });
    expect((await run(at, `${line} --wait`)).code).toBe(0);
    expect(at.seen.filter((call) => call.method === 'GET' && call.path === PATH)).toHaveLength(3);
  });
  test('and waited for: not agreed, and the circuit is as it was', async () => {
    const ran = await run(await world({}), `${line} --wait`);
    expect(ran.code).toBe(8);
    expect(ran.stderr).toContain('not agreed to; the circuit is as it was');
  });
  test('and waited for: the circuit is cancelled meanwhile', async () => {
    const at = await fake({
      [`PATCH ${PATH}`]: () => ({ status: 202, body: circuit('ACTIVE', { pending: agreed }) }),
      [`GET ${PATH}`]: () => ({ body: circuit('CANCELLED') }),
    });
    expect((await run(at, `${line} --wait`)).code).toBe(8);
  });
});

test('list: filters become parameters', async () => {
  const at = await fake({ 'GET /v1/circuits': () => ({ body: { items: [circuit('ACTIVE')] } }) });
  const line =
    'circuit list --state active --state scheduled --project lhc --port ams:host1 --ref r --from 22:00 --before 23:00 --sort -start_time';
  const ran = await run(at, line);
  expect(ran.stdout.split('\n')[0]).toMatch(/^CODE +ID +STATE/);
  expect([...(at.seen[0]?.query ?? [])]).toEqual([
    ['state', 'ACTIVE'],
    ['state', 'SCHEDULED'],
    ['project', 'lhc'],
    ['port', 'ams:host1'],
    ['client_ref', 'r'],
    ['start_time.gte', '2026-11-20T22:00:00Z'],
    ['start_time.lt', '2026-11-20T23:00:00Z'],
    ['sort', '-start_time'],
    ['page_size', '100'],
  ]);
});

test('watch: the past, then what comes, without a gap, until the end', async () => {
  const happened = (id: string, type: string) => ({
    specversion: '1.0',
    id,
    type: `circuit.${type}`,
    subject: CIRCUIT_ID,
    time: '2026-11-20T21:17:04Z',
    data: { detail: type },
  });
  const at = await fake({
    [`GET ${PATH}`]: (_, count) => ({ body: circuit(count < 2 ? 'ACTIVE' : 'ENDED') }),
    [`GET ${PATH}/events`]: () => ({ body: { items: [happened('evt_1', 'created')] } }),
    'GET /v1/events/stream': () =>
      sse((write) => {
        write(frame('evt_2', happened('evt_2', 'active')));
        write(frame('evt_4', happened('evt_4', 'ended')));
      }),
  });
  const ran = await run(at, `circuit watch ${CIRCUIT_ID}`);
  expect(ran.code).toBe(0);
  expect(ran.stdout.match(/circuit\.\w+/g)).toEqual(['circuit.created', 'circuit.active', 'circuit.ended']);
  const stream = at.seen.find((call) => call.path.endsWith('stream'));
  expect(stream?.headers['last-event-id']).toBe('evt_1');
  expect(stream?.query.get('circuit_id')).toBe(CIRCUIT_ID);
});
