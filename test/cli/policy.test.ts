/** `policy` and `can-i`: what they ask for, what they print, and how they end. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fake, run } from './support/world.ts';

const folder = mkdtempSync(join(tmpdir(), 'turnpike-policy-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'new.cedar');
writeFileSync(file, '@id("x") permit (principal, action, resource);\n');
writeFileSync(join(folder, 'new.tests.json'), '[{"name":"t"}]');
writeFileSync(join(folder, 'bad.tests.json'), '{}');

const policy = {
  id: 'pol_1',
  state: 'INACTIVE',
  author: 'op',
  create_time: '2026-11-20T21:17:04Z',
  rules: [{ id: 'x', effect: 'permit' }],
  assertion_count: 1,
  text: '@id("x") permit (principal, action, resource);\n',
};
const missed = {
  rule: 'members-book',
  effect: 'permit',
  clause: 'when { principal in resource }',
  values: { principal_in: ['Project::elsewhere'], project: 'lhc' },
};
const denial = {
  action: 'circuit.create',
  effect: 'DENY',
  project: 'lhc',
  rules: [],
  inputs: { bandwidth_mbps: 10_000 },
  near_misses: [missed],
};
const NEEDED =
  'members-book permits when { principal in resource }; it saw principal_in=Project::elsewhere, project=lhc';

test('an upload takes the tests that lie beside the file, and can be put in force at once', async () => {
  const at = await fake({
    'POST /v1/policies': () => ({ status: 201, body: policy }),
    'POST /v1/policies/pol_1/activate': () => ({ body: { ...policy, state: 'ACTIVE' } }),
  });
  const ran = await run(at, `policy upload ${file} --description better --activate`);
  expect([ran.code, ran.stderr]).toEqual([0, expect.stringContaining('pol_1 is in force')]);
  expect(at.seen[0]?.body).toEqual({
    text: '@id("x") permit (principal, action, resource);\n',
    description: 'better',
    assertions: [{ name: 't' }],
  });
  expect(at.seen.map((call) => call.path)).toEqual(['/v1/policies', '/v1/policies/pol_1/activate']);
});

test('a file is tested without being kept; tests that are none are refused here', async () => {
  const at = await fake({ 'POST /v1/policies': () => ({ status: 201, body: policy }) });
  expect((await run(at, `policy test ${file}`)).code).toBe(0);
  expect([...(at.seen[0]?.query ?? [])]).toEqual([['validate_only', 'true']]);
  const bad = await run(at, `policy test ${file} --tests ${join(folder, 'bad.tests.json')}`);
  expect([bad.code, bad.stderr, at.seen.length]).toEqual([2, expect.stringContaining('no list of tests'), 1]);
});

test('tests of a version that fail end it with 1', async () => {
  const at = await fake({
    'POST /v1/policies/pol_1/test': () => ({
      body: { passed: 0, failed: 1, items: [{ name: 't', ok: false, detail: 'ALLOW by x' }] },
    }),
  });
  const ran = await run(at, 'policy test pol_1');
  expect(ran.code).toBe(1);
  expect(ran.stdout).toMatch(/t +FAILED +ALLOW by x/);
});

test('simulate says which would change, and how many were looked at', async () => {
  const at = await fake({
    'POST /v1/policies/pol_1/simulate': () => ({
      body: {
        decisions: 7,
        unknown: 1,
        more: true,
        changes: [{ decision_id: 'dec_3', was: 'ALLOW', becomes: 'DENY', rules: ['cap'] }],
      },
    }),
  });
  const ran = await run(at, 'policy simulate pol_1 --limit 7 --from 20:00');
  expect(at.seen[0]?.body).toEqual({ most: 7, from_time: '2026-11-21T20:00:00Z' });
  expect(ran.stdout).toMatch(/dec_3 +ALLOW +DENY +cap/);
  expect(ran.stderr).toContain('7 decisions looked at, 1 would change, 1 cannot be told; there are older');
});

test('the version in force is found by that word; its text alone', async () => {
  const at = await fake({
    'GET /v1/policies': () => ({ body: { items: [{ ...policy, state: 'ACTIVE' }] } }),
    'GET /v1/policies/pol_1': () => ({ body: policy }),
    'POST /v1/policies/rollback': () => ({ body: policy }),
  });
  expect((await run(at, 'policy show active --text')).stdout).toBe(policy.text);
  expect((await run(at, 'policy list')).stdout).toMatch(/pol_1 +ACTIVE/);
  expect((await run(at, 'policy rollback --dry-run')).stderr).toContain('nothing was changed');
});

test('can-i asks about a new circuit, one that stands, or neither, and ends with 3 when the answer is no', async () => {
  const at = await fake({
    'POST /v1/decisions/explain': (seen) => ({
      body: JSON.stringify(seen.body).includes('topology.write') ? { ...denial, effect: 'ALLOW' } : denial,
    }),
    'GET /v1/circuits/cir_00000000000000000000000000': () => ({ body: { id: 'cir_1' } }),
  });
  const ran = await run(at, 'can-i circuit.create ams:host1 ams:host3 --bw 10G --for 1h --project lhc');
  expect(ran.code).toBe(3);
  expect(ran.stdout).toContain(NEEDED);
  expect(at.seen[0]?.body).toEqual({
    action: 'circuit.create',
    circuit: {
      project: 'lhc',
      a: { port: 'ams:host1' },
      z: { port: 'ams:host3' },
      bandwidth_mbps: 10_000,
      schedule: { type: 'NOW', duration_s: 3600 },
    },
  });
  expect((await run(at, 'can-i topology.write')).code).toBe(0);
  await run(at, 'can-i circuit.release cir_00000000000000000000000000');
  expect(at.seen.at(-1)?.body).toEqual({ action: 'circuit.release', circuit_id: 'cir_1' });
});

test('a denial tells the clause; decision why last finds it again', async () => {
  const at = await fake({
    'POST /v1/circuits': () => ({
      status: 403,
      body: { code: 'POLICY_DENIED', title: 'No', detail: 'no', decision_id: 'dec_1', needed: [missed] },
    }),
    'GET /v1/whoami': () => ({ body: { id: 'iss|me' } }),
    'GET /v1/decisions': () => ({ body: { items: [{ id: 'dec_1' }] } }),
    'GET /v1/decisions/dec_1': () => ({ body: denial }),
  });
  const ran = await run(at, 'circuit create ams:host1 ams:host3 --bw 10G --for 1h');
  expect(ran.code).toBe(3);
  expect(ran.stderr).toContain(`what stood in the way:\n  ${NEEDED}\n`);
  expect(ran.stderr).toContain('try: turnpike decision why dec_1');
  const why = await run(at, 'decision why last');
  expect(why.stdout).toMatch(/^needed\.1 +members-book permits/m);
  const query = at.seen.find((call) => call.path === '/v1/decisions')?.query;
  expect([query?.get('effect'), query?.get('principal')]).toEqual(['DENY', 'iss|me']);
});
