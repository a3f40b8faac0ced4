/** What happens on the way: lost answers, brokers that stand by, redirects, tokens. */
import { describe, expect, it, test } from 'vitest';
import { CIRCUIT_ID, circuit, fake, problem, run } from './support/world.ts';

const CREATE = 'circuit create ams:host1 ams:host3 --bw 10G --for 2h';
const PATH = `/v1/circuits/${CIRCUIT_ID}`;

describe('a POST whose answer is lost is sent again under the same key', () => {
  it.each([1, 2, 3])('%d times', async (losses) => {
    const at = await fake({
      'POST /v1/circuits': (_, count) =>
        count < losses ? 'drop' : { status: 201, body: circuit('SCHEDULED') },
    });
    const ran = await run(at, CREATE);
    expect(ran.code).toBe(0);
    expect(at.seen).toHaveLength(losses + 1);
    const keys = new Set(at.seen.map((call) => call.headers['idempotency-key']));
    expect(keys.size).toBe(1);
    expect([...keys][0]).toMatch(/^cli-[0-9a-f]{32}$/);
    expect(new Set(at.seen.map((call) => JSON.stringify(call.body))).size).toBe(1);
  });
  test('but not for ever', async () => {
    const at = await fake({ 'POST /v1/circuits': () => 'drop' });
    const ran = await run(at, CREATE);
    expect(ran.code).toBe(1);
    expect(at.seen).toHaveLength(4);
  });
  test('two requests have two keys, and --key sets it', async () => {
    const at = await fake({ 'POST /v1/circuits': () => ({ status: 201, body: circuit('SCHEDULED') }) });
    await run(at, CREATE);
    await run(at, CREATE);
    await run(at, `${CREATE} --key job-7`);
    const keys = at.seen.map((call) => call.headers['idempotency-key']);
    expect(new Set(keys).size).toBe(3);
    expect(keys[2]).toBe('job-7');
  });
});

test.each([
  [503, 'NOT_LEADER'],
  [503, 'STOPPING'],
  [503, 'OVERLOADED'],
  [429, 'RATE_LIMITED'],
  [409, 'IDEMPOTENCY_IN_PROGRESS'],
])('%d %s passes, so it is asked again', async (status, code) => {
  const at = await fake({
    'POST /v1/circuits': (_, count) =>
      count === 0 ? problem(status, code, 'not now') : { status: 201, body: circuit('SCHEDULED') },
  });
  expect((await run(at, CREATE)).code).toBe(0);
  expect(at.seen).toHaveLength(2);
});

test('a long Retry-After is passed on instead of waited for', async () => {
  const at = await fake({
    'GET /v1/whoami': () => ({
      status: 503,
      headers: { 'retry-after': '600' },
      body: { code: 'NOT_LEADER', title: 'stands by', retry_after_s: 600 },
    }),
  });
  const ran = await run(at, 'whoami');
  expect(ran.code).toBe(1);
  expect(at.seen).toHaveLength(1);
  expect(ran.stderr).toContain('again in 600 s');
});

test.each([
  ['a refusal', 409, 'NO_FEASIBLE_SLOT'],
  ['a full disk', 503, 'STORE_FULL'],
  ['a fault', 500, 'INTERNAL'],
])('%s is not asked again', async (_, status, code) => {
  const at = await fake({ 'POST /v1/circuits': () => problem(status, code, 'no') });
  await run(at, CREATE);
  expect(at.seen).toHaveLength(1);
});

test('a PATCH whose answer is lost is not repeated, and says that nobody knows', async () => {
  const at = await fake({
    [`GET ${PATH}`]: () => ({ body: circuit('ACTIVE') }),
    [`PATCH ${PATH}`]: () => 'drop',
  });
  const ran = await run(at, `circuit modify ${CIRCUIT_ID} --bw 20G`);
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain('it is not known whether the change was made');
  expect(at.seen.filter((call) => call.method === 'PATCH')).toHaveLength(1);
});

describe('a cancel whose answer is lost', () => {
  test('finds its own work done', async () => {
    const at = await fake({
      [`DELETE ${PATH}`]: (_, count) => (count === 0 ? 'drop' : problem(409, 'WRONG_STATE', 'final')),
      [`GET ${PATH}`]: () => ({ body: circuit('CANCELLED') }),
    });
    const ran = await run(at, `circuit cancel ${CIRCUIT_ID}`);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain('CANCELLED');
  });
  test('is refused where it had no answer to lose', async () => {
    const at = await fake({
      [`DELETE ${PATH}`]: () => problem(409, 'WRONG_STATE', 'final'),
      [`GET ${PATH}`]: () => ({ body: circuit('CANCELLED') }),
    });
    expect((await run(at, `circuit cancel ${CIRCUIT_ID}`)).code).toBe(6);
  });
  test('is refused where the circuit had ended otherwise', async () => {
    const at = await fake({
      [`DELETE ${PATH}`]: (_, count) => (count === 0 ? 'drop' : problem(409, 'WRONG_STATE', 'final')),
      [`GET ${PATH}`]: () => ({ body: circuit('FAILED') }),
    });
    expect((await run(at, `circuit cancel ${CIRCUIT_ID}`)).code).toBe(6);
  });
});

describe('the token', () => {
  test('goes to the broker', async () => {
    const at = await fake({ 'GET /v1/whoami': () => ({ body: { name: 'alice' } }) });
    await run(at, 'whoami');
    expect(at.seen[0]?.headers.authorization).toBe('Bearer token-of-alice');
  });
  test('does not follow a redirect', async () => {
    const elsewhere = await fake({ 'GET /v1/whoami': () => ({ body: { name: 'mallory' } }) });
    const at = await fake({
      'GET /v1/whoami': () => ({ status: 307, headers: { location: `${elsewhere.url}/v1/whoami` } }),
    });
    const ran = await run(at, 'whoami');
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('redirects to');
    expect(elsewhere.seen).toEqual([]);
  });
  test('is absent when there is none', async () => {
    const at = await fake({ 'GET /v1/whoami': () => problem(401, 'UNAUTHENTICATED', 'no token') });
    const ran = await run(at, 'whoami', { env: { TURNPIKE_TOKEN: '' } });
    expect(ran.code).toBe(4);
    expect(at.seen[0]?.headers.authorization).toBeUndefined();
  });
  test('in the clear to another machine is warned of', async () => {
    const fetch = async () => Response.json({ name: 'alice' });
    const env = { TURNPIKE_URL: 'http://broker.example' };
    expect((await run(undefined, 'whoami', { fetch, env })).stderr).toContain('broker.example unencrypted');
    const safe = { TURNPIKE_URL: 'https://broker.example' };
    expect((await run(undefined, 'whoami', { fetch, env: safe })).stderr).toBe('');
  });
});

test('an address below a path keeps it', async () => {
  const at = await fake({ 'GET /ams/v1/whoami': () => ({ body: { name: 'alice' } }) });
  const ran = await run(at, 'whoami', { env: { TURNPIKE_URL: `${at.url}/ams/` } });
  expect(ran.code).toBe(0);
});

test('what is not JSON though it says so', async () => {
  const at = await fake({
    'GET /v1/whoami': () => (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{');
    },
  });
  const ran = await run(at, 'whoami');
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain('not JSON');
});

test('pages are followed up to the limit, and more are told of', async () => {
  const at = await fake({
    'GET /v1/circuits': (seen) => {
      const page = Number(seen.query.get('page_token') ?? 0);
      const size = Number(seen.query.get('page_size'));
      const rows = Array.from({ length: Math.min(size, 3) }, (_, i) =>
        circuit('ACTIVE', { id: `cir_${page * 3 + i}` }),
      );
      return { body: { items: rows, ...(page < 3 ? { next_page_token: String(page + 1) } : {}) } };
    },
  });
  const all = await run(at, 'circuit list -o json --limit 100');
  expect(JSON.parse(all.stdout).items).toHaveLength(12);
  expect(all.stderr).toBe('');
  const some = await run(at, 'circuit list -o json --limit 5');
  expect(JSON.parse(some.stdout).items).toHaveLength(5);
  expect(some.stderr).toContain('more than these 5');
});
