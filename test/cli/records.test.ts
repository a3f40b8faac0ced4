/** The commands beside `circuit`: what they ask for and what they print. */
import { describe, expect, test } from 'vitest';
import { fake, frame, run, sse } from './support/world.ts';

const event = (id: string, type: string) => ({
  specversion: '1.0',
  id,
  type: type,
  subject: 'cir_1',
  time: '2026-11-20T21:17:04Z',
  data: {
    project: 'lhc',
    circuit_id: 'cir_1',
    revision: 4,
    state: 'ACTIVE',
    state_reason: { code: 'ACTIVE', detail: 'carrying "light"' },
    placement: { start_time: 'S', end_time: 'E', bandwidth_mbps: 2000 },
    cause: 'x',
  },
});

describe('event tail', () => {
  const two = () =>
    fake({
      'GET /v1/events/stream': () =>
        sse((write) => {
          write(frame('evt_1', event('evt_1', 'circuit.active')));
          write(frame('evt_2', event('evt_2', 'circuit.ended')));
          write(frame('evt_3', event('evt_3', 'circuit.ended')));
        }),
    });
  test('filters go to the broker', async () => {
    const at = await two();
    await run(
      at,
      'event tail --type circuit.moved --type circuit.ended --circuit cir_1 --after evt_0 --count 1',
    );
    expect([...(at.seen[0]?.query ?? [])]).toEqual([
      ['type', 'circuit.moved'],
      ['type', 'circuit.ended'],
      ['circuit_id', 'cir_1'],
    ]);
    expect(at.seen[0]?.headers['last-event-id']).toBe('evt_0');
  });
  test('one line an event, and it ends at the count', async () => {
    const table = await run(await two(), 'event tail --count 2');
    expect(table.code).toBe(0);
    expect(table.stdout).toBe(
      '2026-11-20T21:17:04Z  circuit.active  cir_1  ACTIVE: carrying "light", 2G from S until E, cause=x\n' +
        '2026-11-20T21:17:04Z  circuit.ended  cir_1  ACTIVE: carrying "light", 2G from S until E, cause=x\n',
    );
    const json = await run(await two(), 'event tail --count 2 -o json');
    expect(
      json.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).id),
    ).toEqual(['evt_1', 'evt_2']);
    const csv = await run(await two(), 'event tail --count 1 -o csv');
    expect(csv.stdout).toBe(
      '2026-11-20T21:17:04Z,circuit.active,cir_1,"ACTIVE: carrying ""light"", 2G from S until E, cause=x"\r\n',
    );
  });
  test('a broken stream is resumed', async () => {
    const at = await fake({
      'GET /v1/events/stream': (_, count) =>
        sse((write, response) => {
          write(frame(`evt_${count}`, event(`evt_${count}`, 'circuit.active')));
          setTimeout(() => response.destroy(), 20);
        }),
    });
    expect((await run(at, 'event tail --count 3')).code).toBe(0);
    expect(at.seen.map((call) => call.headers['last-event-id'])).toEqual([undefined, 'evt_0', 'evt_1']);
  });
});

test('decision list and why', async () => {
  const decision = {
    id: 'dec_1',
    create_time: '2026-11-20T21:17:04Z',
    principal: 'https://issuer|alice',
    action: 'circuit.create',
    effect: 'DENY',
    rules: ['r1', 'r2'],
    policy: 'v3',
    inputs: { mbps: 10000 },
  };
  const at = await fake({
    'GET /v1/decisions': () => ({ body: { items: [decision] } }),
    'GET /v1/decisions/dec_1': () => ({ body: decision }),
  });
  const list = await run(
    at,
    'decision list --effect deny --circuit cir_1 --from 20:00 --before 22:00 --limit 5',
  );
  expect([...(at.seen[0]?.query ?? [])]).toEqual([
    ['effect', 'DENY'],
    ['circuit_id', 'cir_1'],
    ['create_time.gte', '2026-11-21T20:00:00Z'],
    ['create_time.lt', '2026-11-20T22:00:00Z'],
    ['page_size', '5'],
  ]);
  expect(list.stdout).toContain('dec_1');
  const why = (await run(at, 'decision why dec_1')).stdout;
  expect(why).toMatch(/^rules +r1 r2$/m);
  expect(why).toMatch(/^inputs\.mbps +10000$/m);
});

test('topo show, in links and in another notation', async () => {
  const document = {
    domain: 'ams.example',
    nodes: [{ id: 'n1' }, { id: 'n2' }],
    ports: [],
    links: [
      {
        id: 'l1',
        a: { node: 'n1', port: 'p' },
        z: { node: 'n2', port: 'q' },
        capacity_mbps: 100000,
        latency_ms: 1,
      },
    ],
  };
  const at = await fake({
    'GET /v1/topology': (seen) =>
      seen.query.get('format') === 'json'
        ? { body: document }
        : (response) =>
            response.writeHead(200, { 'content-type': 'text/vnd.graphviz' }).end('graph {\n\ta\u001b[2J\n}'),
  });
  const table = await run(at, 'topo show');
  expect(table.stderr).toBe('ams.example: 2 nodes, 1 links, 0 ports\n');
  expect(table.stdout).toMatch(/^l1 +n1 +n2 +100G +1 +UP +UP$/m);
  expect(JSON.parse((await run(at, 'topo show -o json')).stdout)).toEqual(document);
  expect((await run(at, 'topo show --format dot')).stdout).toBe('graph {\n\ta\\u001b[2J\n}\n');
});

test('ports, devices, whoami', async () => {
  const at = await fake({
    'GET /v1/ports': () => ({
      body: {
        items: [
          { id: 'ams:host1', domain: 'ams.example', kind: 'CLIENT', capacity_mbps: 400000, vlans: '2-99' },
        ],
      },
    }),
    'GET /v1/devices': () => ({ body: { items: [{ id: 'sw1', nodes: ['n1', 'n2'] }] } }),
    'GET /v1/whoami': () => ({ body: { id: 'i|alice', roles: ['user'], projects: ['lhc'] } }),
  });
  expect((await run(at, 'ports --domain ams.example')).stdout).toMatch(
    /^ams:host1 +ams.example +CLIENT +400G/m,
  );
  expect(at.seen[0]?.query.get('domain')).toBe('ams.example');
  expect((await run(at, 'ports -o csv')).stdout).toContain('ams:host1,ams.example,CLIENT,400000,2-99,,\r\n');
  expect((await run(at, 'device list')).stdout).toMatch(/^sw1 +n1 n2 +none /m);
  expect((await run(at, 'whoami')).stdout).toMatch(/^projects +lhc$/m);
});

test('webhook verbs', async () => {
  const hook = { id: 'whk_1', url: 'https://x.example/', state: 'ENABLED', failures: 0 };
  const at = await fake({
    'POST /v1/webhooks': () => ({ status: 201, body: { ...hook, secret: 'whsec_abc' } }),
    'GET /v1/webhooks': () => ({ body: { items: [hook] } }),
    'GET /v1/webhooks/whk_1': () => ({ body: hook }),
    'DELETE /v1/webhooks/whk_1': () => ({ status: 204 }),
  });
  const made = await run(
    at,
    'webhook create https://x.example/ --project cms --type circuit.moved --type circuit.failed',
  );
  expect(made.stdout).toMatch(/^secret +whsec_abc$/m);
  expect(made.stderr).toBe('the secret is not shown again\n');
  expect(at.seen[0]?.body).toEqual({
    url: 'https://x.example/',
    types: ['circuit.moved', 'circuit.failed'],
    project: 'cms',
  });
  expect((await run(at, 'webhook list')).stdout).toContain('whk_1');
  // The list has no pages: the broker refuses parameters that it does not know.
  expect(at.seen[1]?.query.size).toBe(0);
  expect((await run(at, 'webhook show whk_1 -o json')).stdout).toContain('https://x.example/');
  expect((await run(at, 'webhook delete whk_1')).stderr).toBe('whk_1 is gone\n');
});

test('a series shows which times were refused', async () => {
  const series = {
    id: 'ser_1',
    occurrences: [
      { start_time: '2026-11-21T05:00:00Z', circuit_id: 'cir_1' },
      { start_time: '2026-11-22T05:00:00Z', problem: { code: 'NO_FEASIBLE_SLOT', detail: 'full' } },
    ],
  };
  const at = await fake({
    'POST /v1/circuits': () => ({ status: 201, body: series }),
    'GET /v1/series/ser_1': () => ({ body: series }),
    'DELETE /v1/series/ser_1': () => ({ body: series }),
  });
  const made = await run(
    at,
    'circuit create ams:a ams:b --bw 1G --rrule FREQ=DAILY;COUNT=2 --start "06:00 Europe/Amsterdam" --for 1h',
  );
  expect(made.code).toBe(0);
  expect(made.stderr).toContain('series ser_1');
  for (const line of ['series show ser_1', 'series cancel ser_1']) {
    expect((await run(at, line)).stdout).toMatch(/2026-11-22T05:00:00Z +- +full$/m);
  }
});

test('version: ours is told even when nobody answers', async () => {
  const at = await fake({ 'GET /version': () => ({ body: { version: '9.9.9' } }) });
  expect((await run(at, 'version')).stdout).toMatch(/^client +\d+\.\d+\.\d+\nbroker version +9\.9\.9\n$/);
  const alone = await run(undefined, 'version', { env: { TURNPIKE_URL: 'http://127.0.0.1:9' } });
  expect(alone.code).toBe(1);
  expect(alone.stdout).toMatch(/^client +\d/);
});

test('the verbs of the broker itself get their words whole, and their exit code counts', async () => {
  const got: (readonly string[])[] = [];
  const local = async (argv: readonly string[]): Promise<number> => {
    got.push(argv);
    return 17;
  };
  const said = [
    'config check --config x.yaml --print',
    'doctor --help',
    'backup -o f',
    'prune --keep-days 3',
  ];
  for (const line of said) expect((await run(undefined, line, { local })).code).toBe(17);
  expect(got).toEqual(said.map((line) => line.split(' ')));
});
