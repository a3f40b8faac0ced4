/**
 * Secrets that are in use while circuits are booked, lit and refused on elements that are logged in to, and words
 * that look like secrets in what people type: none of them is in a log line, a record, an export or an event.
 */
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { wallClock } from '../../src/kernel/clock.ts';
import { Lab } from '../../src/lab/lab.ts';
import { readScenario } from '../../src/lab/scenario.ts';
import { writtenElement } from '../../src/labDomain.ts';
import { booking, build, eventually, Site } from './broker.ts';

const EXAMPLES = resolve(import.meta.dirname, '../../examples');
const WHOLE_PORTS = { 'ams-ocx1': 4000, 'nkf-ome1': 4001, 'zui-ons1': 4001 };

let site: Site;
let lab: Lab;
beforeAll(() => {
  build();
  site = new Site();
});
afterAll(async () => {
  await site.clear();
  await lab.close();
});

test('attack 74: passwords, communities, keys, tokens and log-ins are nowhere to be read', async () => {
  const scenario = readScenario(parse(readFileSync(join(EXAMPLES, 'lab-ams-elements.yaml'), 'utf8')));
  lab = new Lab(scenario, wallClock(), 1);
  const elements = await lab.start();
  const lines = elements.map((e) => `    - ${JSON.stringify(writtenElement(e, WHOLE_PORTS, site.folder))}`);
  site.configure({
    yaml: [
      'store: {file: turnpike.db}',
      'log: {level: debug}',
      'webhooks: {allow_private: true}',
      'devices:',
      '  driver: elements',
      '  elements:',
      ...lines,
    ].join('\n'),
  });
  const broker = await site.serve();
  await broker.ready();
  const [token, operator] = await Promise.all([site.token('user'), site.token('operator')]);
  const typed = 'canary-typed-by-a-person';

  // Everything that knows a secret is made to use it, and some of it to fail.
  const hook = await broker.call<{ secret: string }>('POST', '/v1/webhooks', {
    token,
    body: { url: `http://127.0.0.1:9/hook/${typed}?password=${typed}`, types: ['circuit.active'] },
  });
  const made = await broker.call<{ id: string; decision_ids: string[] }>('POST', '/v1/circuits', {
    token,
    body: booking({
      schedule: { type: 'NOW', duration_s: 3600 },
      description: `ACT-USER::op:1::${typed}; password=${typed} Bearer ${typed}`,
    }),
  });
  expect([hook.status, made.status]).toEqual([201, 201]);
  const { id } = made.body;
  const stateIs = (state: string): Promise<void> =>
    eventually(
      async () =>
        (await broker.call<{ state: string }>('GET', `/v1/circuits/${id}`, { token })).body.state === state,
      state,
    );
  await stateIs('ACTIVE');
  for (const authorization of [`Bearer ${typed}.${typed}.x`, `Basic ${typed}`, `CCT ${typed}~${typed}`])
    await broker.call('GET', '/v1/circuits', { headers: { authorization } });
  await broker.call('POST', '/v1/circuits', { token, body: booking({ bandwidth_mbps: 10_000_000 }) });
  await broker.call('DELETE', `/v1/circuits/${id}`, { token });
  await stateIs('CANCELLED');

  const out = join(mkdtempSync(join(tmpdir(), 'turnpike-canaries-')), 'export');
  await eventually(
    async () => (await broker.call('GET', '/v1/audit/checkpoint', { token })).status === 200,
    'a checkpoint',
  );
  const exported = site.run(['audit', 'export', out, '--url', broker.url], {
    ...process.env,
    TURNPIKE_TOKEN: operator,
  });
  expect([(await exported.exit).code, exported.stderr]).toEqual([0, expect.any(String)]);
  const read = async (path: string): Promise<string> => {
    const answer = await fetch(`${broker.url}${path}`, { headers: { authorization: `Bearer ${operator}` } });
    expect(answer.status, path).toBe(200);
    return answer.text();
  };
  const decisions = (made.body.decision_ids ?? []).map((one) => `/v1/decisions/${one}`);
  const pages = await Promise.all(
    ['/v1/events?page_size=500', '/v1/decisions/export', '/metrics', '/readyz', ...decisions].map(read),
  );
  broker.program.kill('SIGTERM');
  await broker.program.exit;
  const places = new Map<string, string>([
    ['the log', broker.program.stderr],
    ['what is printed', broker.program.stdout + exported.stdout + exported.stderr],
    ...pages.map((text, i) => [`page ${i}`, text] as const),
    ...readdirSync(out, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const file = join(entry.parentPath, entry.name);
        return [file, readFileSync(file, 'utf8')] as const;
      }),
  ]);
  // A search that finds nothing in nothing would prove nothing.
  expect(places.get('the log')).toContain('http.request');
  expect(places.get(join(out, 'records.ndjson'))).toContain(id);
  expect(places.get(join(out, 'records.ndjson'))).toContain('http://127.0.0.1:9');

  const key = readFileSync(site.path('turnpike.db.audit.key'), 'utf8').split('\n')[1] as string;
  const secrets = [
    ['the user’s token', token],
    ['the operator’s token', operator],
    ['a webhook’s secret', hook.body.secret],
    ['the key of the log', key],
    [
      'the development issuer',
      /"d":"([^"]+)"/.exec(readFileSync(site.path('keys', 'development-issuer.jwk'), 'utf8'))?.[1],
    ],
    ...elements.flatMap(({ id: element, login }) =>
      (['password', 'community', 'auth_key', 'priv_key'] as const).map(
        (name) => [`${element} ${name}`, login[name]] as const,
      ),
    ),
  ].filter((one): one is [string, string] => one[1] !== undefined);
  expect(secrets.length).toBeGreaterThan(8);
  const found = [...places].flatMap(([where, text]) =>
    [...secrets, ['what a person typed', typed] as const]
      .filter(([, secret]) => text.includes(secret))
      .map(([what]) => `${what} is in ${where}`),
  );
  expect(found).toEqual([]);
}, 120_000);
