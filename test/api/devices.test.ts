/** Devices over HTTP: how they are, a circuit's orders, audits, discovery, draining. What they answer is scripted. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DeviceState, Inspection } from '../../src/broker/devices/inspection.ts';
import { MemoryDevices, memoryInspection } from '../../src/drivers/memory.ts';
import { rfc3339 } from '../../src/kernel/clock.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { at } from '../support/builders.ts';
import { HandClock } from '../support/handClock.ts';
import { twoSwitches } from '../support/oneDomain.ts';
import { Api } from './harness.ts';

const state: DeviceState = {
  device: 'sw1',
  protocol: 'snmp',
  dialect: 'dell',
  breaker: 'OPEN',
  waiting: 2,
  lastSeen: at(-5),
  setupMs: 312.6,
  quarantine: [{ ports: ['1', '2'], circuit: 'cir_x' }],
  capabilities: {
    layer: 'ethernet',
    labels: 'vlan',
    swapsLabels: false,
    rateLimit: 'none',
    atomicBatch: true,
    fence: 'lock',
    events: false,
  },
};
const end = (device: string, port: string) => ({ device, port });

let memory: MemoryDevices;
let silent: boolean;
let api: Api;
const operator = { as: 'operator' } as const;
const time = (s: number): string => rfc3339(at(s));

const start = async (topology: TopologyDocument = twoSwitches): Promise<void> => {
  memory = new MemoryDevices({ clock: new HandClock(at(0)), random: seededRandom(1) });
  silent = false;
  const plain = memoryInspection(memory);
  const inspection: Inspection = {
    ...plain,
    state: (device) => (device === 'sw1' ? state : undefined),
    read: (device) => (silent ? Promise.reject(new Error('timeout')) : plain.read(device)),
    plan: async (kind, segment, { version, fence }) =>
      segment.hops.map(({ device }) =>
        device === 'sw1'
          ? { device, commands: [`${kind} ${version} in epoch ${fence}`] }
          : { device, commands: [], error: 'it has not answered lately' },
      ),
    orders: (circuit) => [
      {
        kind: 'light',
        version: 1,
        at: at(1),
        detail: `for ${circuit}`,
        report: {
          device: 'sw1',
          outcome: 'applied',
          queue_ms: 0.4,
          protocol_ms: 2.6,
          settle_ms: 0,
          verify_ms: 1,
          commands: ['SET'],
        },
      },
    ],
    discover: async (running) => ({
      asked: ['sw1'],
      unreachable: [{ device: 'sw2', error: 'timeout' }],
      add: [{ id: 'new', a: { node: 'sw1', port: 't9' }, z: { node: 'sw2', port: 't9' }, capacity_mbps: 1 }],
      remove: ['l1'],
      capacity: [{ link: 'l1', was: 10, is: 5 }],
      unplaced: [{ a: end('x', '1'), z: end('y', '2') }],
      doubts: [{ from: end('sw1', '3'), to: end('ocx', '1'), why: 'the other end was not asked' }],
      proposed: running,
    }),
  };
  api = await Api.start({ topology, devices: () => memory, inspection });
};
beforeEach(() => start());
afterEach(() => api.end());

const now = { type: 'NOW', duration_s: 3600 };
const book = async (over: Record<string, unknown> = {}): Promise<string> => {
  const ends = { a: { port: 'ams:host1' }, z: { port: 'ams:host2' } };
  const made = await api.post('/v1/circuits', { ...ends, bandwidth_mbps: 1000, schedule: now, ...over });
  expect(made.status).toBe(201);
  return made.body.id;
};

it('a device says how it is; one that no element is, only its name', async () => {
  expect((await api.get('/v1/devices', operator)).body.items).toEqual([
    {
      id: 'sw1',
      nodes: ['sw1'],
      protocol: 'SNMP',
      dialect: 'dell',
      breaker: 'OPEN',
      orders_waiting: 2,
      last_seen_time: time(-5),
      setup_ms: 313,
      quarantine: [{ ports: ['1', '2'], circuit_id: 'cir_x' }],
      capabilities: {
        layer: 'ETHERNET',
        labels: 'VLAN',
        swaps_labels: false,
        rate_limit: 'NONE',
        atomic_batch: true,
        fence: 'LOCK',
        events: false,
      },
    },
    { id: 'sw2', nodes: ['sw2'] },
  ]);
});

it('a circuit has its plan before and its orders after', async () => {
  const id = await book();
  const { body } = await api.get(`/v1/circuits/${id}/device-plan`);
  expect(body.items.map((hop: { device: string }) => hop.device)).toEqual(['sw1', 'sw2']);
  expect(body.commands).toEqual([
    { device: 'sw1', action: 'LIGHT', version: 1, commands: ['light 1 in epoch 1'] },
    { device: 'sw2', action: 'LIGHT', version: 1, commands: [], error: 'it has not answered lately' },
  ]);
  expect(body.orders).toEqual([
    {
      device: 'sw1',
      action: 'LIGHT',
      version: 1,
      time: time(1),
      outcome: 'APPLIED',
      detail: `for ${id}`,
      commands: ['SET'],
      queue_ms: 0,
      protocol_ms: 3,
      settle_ms: 0,
      verify_ms: 1,
    },
  ]);
});

it('what is over plans nothing', async () => {
  const id = await book({ schedule: { type: 'FIXED', start_time: time(60), end_time: time(120) } });
  await api.ask('DELETE', `/v1/circuits/${id}`);
  expect((await api.get(`/v1/circuits/${id}/device-plan`)).body.commands).toEqual([]);
});

describe('an audit', () => {
  const audit = async () => (await api.get('/v1/devices/sw1/audit', operator)).body;
  beforeEach(async () => {
    await book();
    await api.world.pass(3);
  });

  it('finds everything in its place', async () => {
    expect(await audit()).toEqual({
      device: 'sw1',
      time: expect.any(String),
      answered: true,
      in_step: 1,
      missing: [],
      extra: [],
      foreign: [],
    });
  });
  it('finds what is missing, and changes nothing', async () => {
    memory.forget();
    expect(await audit()).toMatchObject({ in_step: 0, missing: [{ device: 'sw1', version: 1 }] });
    expect(await memory.observe()).toEqual([]);
  });
  it('finds what others have set', async () => {
    memory.plant({ device: 'sw1', in: { port: 'x', label: 7 }, out: { port: 'y', label: 7 } });
    expect(await audit()).toMatchObject({
      in_step: 1,
      foreign: [{ device: 'sw1', in: { port: 'x', vlan: 7 }, out: { port: 'y', vlan: 7 } }],
    });
  });
  it('finds what a circuit left that nobody knows', async () => {
    const hop = { device: 'sw1', in: { port: 'x', label: 7 }, out: { port: 'y', label: 7 } };
    const [known] = await memory.observe();
    const circuit = 'cir_01jd0zzzzzzzzzzzzzzzzzzzzz' as NonNullable<typeof known>['owner'] extends
      | { circuit: infer C }
      | undefined
      ? C
      : never;
    const context = { circuit, version: 4, mbps: 1, decisionId: '', fence: 1, deadline: at(1e6) };
    const segment = { hops: [hop] } as unknown as Parameters<MemoryDevices['light']>[0]; // only hops are looked at
    await memory.light(segment, context);
    expect(await audit()).toMatchObject({ in_step: 1, extra: [{ circuit_id: circuit, version: 4 }] });
  });
  it('says when nobody could look', async () => {
    silent = true;
    expect(await audit()).toMatchObject({ answered: false, error: 'timeout', in_step: 0, missing: [] });
  });
  it('is for operators, of devices that there are', async () => {
    expect((await api.get('/v1/devices/sw1/audit')).status).toBe(403);
    expect((await api.get('/v1/devices/sw9/audit', operator)).status).toBe(404);
  });
});

it('discovery tells the difference, applies nothing, and its proposal is one that may be put', async () => {
  expect((await api.get('/v1/discovery')).status).toBe(403);
  const { body } = await api.get('/v1/discovery', operator);
  expect(body).toMatchObject({
    asked: ['sw1'],
    unreachable: [{ device: 'sw2', error: 'timeout' }],
    add: [{ id: 'new' }],
    remove: ['l1'],
    capacity: [{ link: 'l1', was_mbps: 10, is_mbps: 5 }],
    unplaced: [{ a: { device: 'x' } }],
    doubts: [{ why: 'the other end was not asked' }],
  });
  const put = await api.ask('PUT', '/v1/topology?validate_only=true', {
    ...operator,
    body: body.proposed,
    headers: { 'if-match': '*' },
  });
  expect(put.status).toBe(200);
});

describe('draining', () => {
  /** The short way l1 over two switches, and a long one over a third. */
  const triangle: TopologyDocument = {
    ...twoSwitches,
    nodes: [...twoSwitches.nodes, { id: 'sw3' }],
    links: [
      ...twoSwitches.links.map((link) => ({ ...link, capacity_mbps: 8_000 })),
      { id: 'l2', a: { node: 'sw1', port: 't2' }, z: { node: 'sw3', port: 't1' }, capacity_mbps: 8_000 },
      { id: 'l3', a: { node: 'sw3', port: 't2' }, z: { node: 'sw2', port: 't2' }, capacity_mbps: 8_000 },
    ],
  };
  const drain = (device: string, over: object = {}) =>
    api.post(`/v1/devices/${device}/drain`, { duration_s: 600, ...over }, operator);
  beforeEach(async () => {
    await api.end();
    await start(triangle);
  });

  it('gives its circuits other roads and lets none onto it', async () => {
    const first = await book({ bandwidth_mbps: 5000 });
    const second = await book({ bandwidth_mbps: 5000 });
    const links = async (): Promise<string[]> => (await api.get(`/v1/circuits/${second}`)).body.path.links;
    expect(await links()).toEqual(['l2', 'l3']);
    await api.ask('DELETE', `/v1/circuits/${first}`);
    await api.world.pass(5);
    const drained = await drain('sw3');
    expect(drained.status).toBe(201);
    expect(drained.body).toMatchObject({
      nodes: ['sw3'],
      reason: 'drain of sw3',
      impact: [{ circuit_id: second, outcome: 'REROUTED' }],
    });
    await api.world.pass(5);
    expect(await links()).toEqual(['l1']);
  });
  it('is refused where a circuit has no other road', async () => {
    await book();
    const refused = await drain('sw2');
    expect([refused.status, refused.body.code]).toEqual([409, 'MAINTENANCE_CONFLICT']);
  });
  it.each([
    [{ duration_s: 0 }, 400],
    [{ reason: 'x'.repeat(257) }, 400],
    [{ conflict: 'PERHAPS' }, 400],
  ])('%j is refused', async (over, status) => {
    expect((await drain('sw3', over)).status).toBe(status);
  });
  it('is for operators', async () => {
    expect((await api.post('/v1/devices/sw3/drain', { duration_s: 600 })).status).toBe(403);
  });
});
