/** `turnpike peer`: how we stand with each peer, and what is wrong with one. */
import { expect, test } from 'vitest';
import { fake, run } from './support/world.ts';

const peer = (over: object = {}) => ({
  domain: 'sdg.example',
  prefix: 'sdg',
  url: 'https://sdg.example:8443',
  state: 'CONNECTED',
  epoch: 3,
  certificate_end_time: '2099-01-01T00:00:00Z',
  clock_skew_ms: -4,
  breaker: 'CLOSED',
  score: 1,
  holds: 1,
  circuits: 5,
  links: [{ port: 'ams:b1', remote_port: 'sdg:b1', capacity_mbps: 1000, agreed: true }],
  topology: { epoch: 3, n: 7, expire_time: '2099-01-01T00:00:00Z' },
  ...over,
});

test('list says how we stand with each', async () => {
  const at = await fake({ 'GET /v1/peers': () => ({ body: { items: [peer()] } }) });
  const { stdout, code } = await run(at, 'peer list');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^sdg\.example +CONNECTED +-4 ms +3\.7 +1\/1 +5 +1 +1 +CLOSED +2099/m);
});

test.each<[string, object, number, string]>([
  ['all is well', {}, 0, ''],
  [
    'it does not answer',
    { state: 'SILENT', reason: 'no answer within 5 s' },
    7,
    'SILENT: no answer within 5 s',
  ],
  ['its clock is wrong', { clock_skew_ms: 1_500 }, 7, "its clock is 1500 ms from this broker's"],
  ['it has not answered for too long', { messages_given_up: 3 }, 7, '3 messages to it were given up'],
  ['its certificate ends', { certificate_end_time: '2020-01-01T00:00:00Z' }, 7, 'its certificate ends 2020'],
  [
    'it does not claim a link',
    { links: [{ port: 'ams:b1', remote_port: 'sdg:b1', capacity_mbps: 1, agreed: false }] },
    7,
    'it does not claim the link ams:b1 to sdg:b1',
  ],
])('check: %s', async (_, over, exit, said) => {
  const at = await fake({ 'POST /v1/peers/sdg.example/check': () => ({ body: peer(over) }) });
  const { stderr, code } = await run(at, 'peer check sdg.example');
  expect(code).toBe(exit);
  expect(stderr).toContain(said);
});

test('readmit says why', async () => {
  const bodies: unknown[] = [];
  const at = await fake({
    'POST /v1/peers/sdg.example/readmit': ({ body }) => {
      bodies.push(body);
      return { status: 204 };
    },
  });
  expect((await run(at, 'peer readmit sdg.example')).code).toBe(2);
  const { code, stderr } = await run(at, 'peer readmit sdg.example --reason restored');
  expect([code, stderr]).toEqual([0, 'sdg.example is as any other peer again\n']);
  expect(bodies).toEqual([{ reason: 'restored' }]);
});

test('messages lists what was said', async () => {
  const line = {
    time: '2026-01-01T00:00:00Z',
    direction: 'OUT',
    op: 'hold',
    circuit_id: 'cir_1',
    version: 2,
    outcome: 'HELD',
    ms: 4.2,
  };
  const at = await fake({
    'GET /v1/peers/sdg.example/messages': () => ({ body: { items: [line] } }),
  });
  const { stdout } = await run(at, 'peer messages sdg.example');
  expect(stdout).toMatch(/OUT +hold +cir_1 +2 +HELD +4\.2/);
});
