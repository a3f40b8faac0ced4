/** `turnpike device`: how elements are, how they differ, what they see, and what a circuit asks of them. */
import { expect, test } from 'vitest';
import { fake, run } from './support/world.ts';

const connect = (device: string, port: string, over: object = {}) => ({
  device,
  in: { port, vlan: 1801 },
  out: { port: '2/1', vlan: 'UNTAGGED' },
  ...over,
});
const audited = (device: string, over: object = {}) => ({
  body: { device, answered: true, in_step: 3, missing: [], extra: [], foreign: [], ...over },
});

test('list says how each is', async () => {
  const at = await fake({
    'GET /v1/devices': () => ({
      body: {
        items: [
          { id: 'sw1', nodes: ['n1'] },
          {
            id: 'sw2',
            nodes: ['n2'],
            protocol: 'SNMP',
            dialect: 'dell',
            breaker: 'OPEN',
            orders_waiting: 2,
            quarantine: [{ ports: ['1/1', '1/2'], circuit_id: 'cir_1' }],
          },
        ],
      },
    }),
  });
  const { stdout, code } = await run(at, 'device list');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^sw1 +n1 +none /m);
  expect(stdout).toMatch(/^sw2 +n2 +SNMP +dell +OPEN +2 .*1\/1 1\/2/m);
});

test.each<[string, object, number, RegExp]>([
  ['all is well', {}, 0, /^no difference$/m],
  [
    'others have set something',
    { foreign: [connect('sw1', '1/1')] },
    0,
    /^sw1 +FOREIGN +1\/1 1801 +2\/1 UNTAGGED/m,
  ],
  [
    'something is missing',
    { missing: [connect('sw1', '1/1', { circuit_id: 'cir_1' })] },
    6,
    /^sw1 +MISSING .*cir_1$/m,
  ],
  ['something is left', { extra: [connect('sw1', '1/1', { circuit_id: 'cir_1' })] }, 6, /^sw1 +EXTRA /m],
])('audit: %s', async (_name, over, exit, line) => {
  const at = await fake({ 'GET /v1/devices/sw1/audit': () => audited('sw1', over) });
  const { stdout, stderr, code } = await run(at, 'device audit sw1');
  expect(stdout + stderr).toMatch(line);
  expect(stderr).toContain('1 of 1 answered, 3 cross-connects as they should be');
  expect(code).toBe(exit);
});

test('audit without a name asks all, and one that does not answer is told', async () => {
  const at = await fake({
    'GET /v1/devices': () => ({ body: { items: [{ id: 'sw1' }, { id: 'sw2' }] } }),
    'GET /v1/devices/sw1/audit': () => audited('sw1'),
    'GET /v1/devices/sw2/audit': () => audited('sw2', { answered: false, error: 'timeout', in_step: 0 }),
  });
  const { stderr, code } = await run(at, 'device audit');
  expect(stderr).toContain('sw2 did not answer: timeout');
  expect(stderr).toContain('1 of 2 answered');
  expect(code).toBe(7);
});

test('discover tells what is new, gone and doubtful, and prints the proposal', async () => {
  const proposed = { domain: 'ams.example', links: [] };
  const at = await fake({
    'GET /v1/discovery': () => ({
      body: {
        asked: ['sw1', 'sw2'],
        unreachable: [{ device: 'sw3', error: 'timeout' }],
        add: [{ id: 'a-b', a: { node: 'a', port: '1' }, z: { node: 'b', port: '2' }, capacity_mbps: 1 }],
        remove: ['old'],
        capacity: [{ link: 'l1', was_mbps: 10_000, is_mbps: 1_000 }],
        unplaced: [],
        doubts: [
          {
            from: { device: 'sw1', port: '3' },
            to: { device: 'ocx', port: '1' },
            why: 'the other end was not asked',
          },
        ],
        proposed,
      },
    }),
  });
  const { stdout, stderr } = await run(at, 'device discover');
  expect(stderr).toBe('sw3 did not answer: timeout\n3 devices were asked\n');
  expect(stdout).toMatch(/^NEW +a-b +a 1 +b 2/m);
  expect(stdout).toMatch(/^GONE +old /m);
  expect(stdout).toMatch(/^SPEED +l1 .*10000 Mb\/s in the topology, 1000 seen$/m);
  expect(stdout).toMatch(/^DOUBT .*sw1 3 +ocx 1 +the other end was not asked$/m);
  expect(JSON.parse((await run(at, 'device discover --proposed')).stdout)).toEqual(proposed);
});

test('plan shows what was sent and what is still to be sent', async () => {
  const at = await fake({
    'GET /v1/circuits/cir_1': () => ({ body: { id: 'cir_1', state: 'SCHEDULED' } }),
    'GET /v1/circuits/cir_1/device-plan': () => ({
      body: {
        items: [],
        orders: [
          {
            device: 'ocx',
            action: 'LIGHT',
            outcome: 'REJECTED',
            detail: 'in use by somebody else',
            commands: [],
            queue_ms: 1,
            protocol_ms: 2,
            settle_ms: 3,
            verify_ms: 4,
          },
        ],
        commands: [
          { device: 'ocx', action: 'LIGHT', version: 1, commands: ['ENT-PATCH::1,2:1:;'] },
          { device: 'sw1', action: 'LIGHT', version: 1, commands: [], error: 'no answer' },
        ],
      },
    }),
  });
  const { stdout } = await run(at, 'device plan cir_1');
  expect(stdout).toMatch(/^ocx +LIGHT +REJECTED +10 +in use by somebody else$/m);
  expect(stdout).toMatch(/^ocx +LIGHT +TO BE SENT +- +ENT-PATCH::1,2:1:;$/m);
  expect(stdout).toMatch(/^sw1 +LIGHT +CANNOT TELL +- +no answer$/m);
});
