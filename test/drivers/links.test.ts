/**
 * A cable is pulled: the switch's trap, over real UDP, makes the broker ask the switch, and what it answers gives
 * circuits another road. The same by the alarms of TL1 elements. The broker is a whole one, as `serve` runs it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { startDomain } from '../../src/domain.ts';
import type { WatchEvent } from '../../src/drivers/driver.ts';
import { hearDatagrams } from '../../src/drivers/snmp/session.ts';
import { tl1Dialects } from '../../src/drivers/tl1/dialects/index.ts';
import { Tl1Driver } from '../../src/drivers/tl1/driver.ts';
import { configFrom } from '../../src/flags.ts';
import { sleep } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { SnmpElement } from '../../src/lab/snmp/agent.ts';
import { Tl1Element } from '../../src/lab/tl1/element.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import { clock } from '../contract/driver-rig.ts';
import { aRequest } from '../support/builders.ts';
import { call, operator, triangle } from '../support/oneDomain.ts';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});
const eventually = async (done: () => Promise<boolean> | boolean, what: string): Promise<void> => {
  for (let i = 0; i < 400; i++) {
    if (await done()) return;
    await sleep(clock, 20);
  }
  throw new Error(`not within 8 s: ${what}`);
};

/** Three switches in a triangle, a host at two of them. */
async function site() {
  const folder = mkdtempSync(join(tmpdir(), 'turnpike-links-'));
  open.push(() => rmSync(folder, { recursive: true }));
  const free = await hearDatagrams('127.0.0.1', 0, () => {});
  free.close();
  const user = { user: 'turnpike', authKey: 'auth-canary-1', privKey: 'priv-canary-1' };
  const elements = ['sw1', 'sw2', 'sw3'].map((id) => {
    const ports = ['t1', 't2', 'host1', 'host2', 'host3'].map((name) => ({ name }));
    const trapsTo = { host: '127.0.0.1', port: free.port };
    return new SnmpElement({ id, dialect: 'standard', ports, user, trapsTo }, clock, seededRandom(1));
  });
  for (const element of elements) open.push(() => element.close());
  writeFileSync(join(folder, 'auth'), user.authKey);
  writeFileSync(join(folder, 'priv'), user.privKey);
  const topology = {
    ...triangle,
    nodes: triangle.nodes.map((node) => ({ ...node, swaps_labels: false })),
  };
  writeFileSync(join(folder, 'net.yaml'), stringify(topology));
  const listed = elements.map(async (element) => ({
    id: element.id,
    protocol: 'snmp',
    dialect: 'standard',
    address: '127.0.0.1',
    port: await element.listen(),
    user: user.user,
    auth_key_file: 'auth',
    priv_key_file: 'priv',
  }));
  const config = {
    domain: triangle.domain,
    http: { port: 0 },
    store: { file: 'turnpike.db' },
    seeds: { topology: 'net.yaml' },
    identity: { development_dir: 'keys' },
    devices: {
      driver: 'elements',
      traps: { host: '127.0.0.1', port: free.port },
      elements: await Promise.all(listed),
    },
  };
  writeFileSync(join(folder, 'domain.yaml'), stringify(config));
  const io = { env: {}, stdout: { write: () => true }, stderr: { write: () => true } };
  const read = await configFrom({ config: join(folder, 'domain.yaml'), set: [] }, io);
  const domain = await startDomain(read, { log: silentLog, onLost: () => {} });
  open.push(() => domain.stop());
  return { elements, broker: domain.broker };
}

test('a link goes down and comes back, and so does the port of a host', async () => {
  const { elements, broker } = await site();
  const [sw1, , sw3] = elements as [SnmpElement, SnmpElement, SnmpElement];
  const done = await broker.createCircuit(
    call(),
    aRequest({ schedule: { type: 'NOW', durationS: 3_600 }, constraints: {} }),
  );
  if (done.kind !== 'done') throw new Error('not a replay');
  const look = (): Promise<Circuit> => broker.circuit(operator, done.value.id);
  const stateOf = (link: string) =>
    broker.topology().document.links.find(({ id }) => id === link)?.oper_state;
  const up = async () => (await look()).conditions.find(({ type }) => type === 'DataPlaneUp');
  const roadIs = (links: readonly string[]) => async () => {
    const { current, pending, state } = await look();
    const segment = current?.segments[0];
    const lit = state === 'ACTIVE' && pending === undefined && segment?.light === 'LIT';
    return lit && segment.links.join() === links.join();
  };
  await eventually(roadIs(['l1']), 'lit over l1');

  sw1.link('t1', false);
  await eventually(roadIs(['l2', 'l3']), 'on the way round');
  expect(stateOf('l1')).toBe('DOWN');
  // The other switch has not been looked at, and nothing says that its end has light.
  sw1.link('t1', true);
  await eventually(() => stateOf('l1') === 'UP', 'l1 is mended');

  sw1.link('host1', false);
  await eventually(async () => (await up())?.status === 'FALSE', 'told that its port is dark');
  expect(await up()).toMatchObject({ reason: 'ROAD_OUT_OF_SERVICE', detail: 'port ams:host1 has no light' });
  expect(await roadIs(['l2', 'l3'])()).toBe(true);
  sw1.link('host1', true);
  await eventually(async () => (await up())?.status === 'TRUE', 'light again');

  // An end that is not on anybody's road moves nobody.
  sw3.link('host3', false);
  await sleep(clock, 100);
  expect(await roadIs(['l2', 'l3'])()).toBe(true);
}, 40_000);

test('what a circuit has carried is read from its switches', async () => {
  const { elements, broker } = await site();
  const [sw1] = elements as [SnmpElement];
  const count = (octets: bigint): void => {
    const port = sw1.bridge.ports.find(({ name }) => name === 'host1')?.bridgePort ?? 0;
    sw1.bridge.octets.set(port, { in: octets, out: 2n * octets });
  };
  count(10n ** 12n);
  const request = { schedule: { type: 'NOW', durationS: 3_600 }, constraints: {} } as const;
  const done = await broker.createCircuit(call(), aRequest(request));
  if (done.kind !== 'done') throw new Error('not a replay');
  const { id } = done.value;
  const state = async () => (await broker.circuit(operator, id)).state;
  await eventually(async () => (await broker.octets(id)).length === 2, 'counted from');
  await eventually(async () => (await state()) === 'ACTIVE', 'lit');
  count(10n ** 12n + 2n ** 54n + 1n);
  await broker.act(call(), id, { type: 'release', detail: 'done' });
  await eventually(async () => (await state()) === 'ENDED', 'dark');
  await eventually(async () => (await broker.octets(id))[0]?.octets.open === false, 'counted to its end');
  expect(
    (await broker.octets(id)).map(({ end, octets }) => [end, octets.in, octets.out, octets.gaps]),
  ).toEqual([
    ['A', 2n ** 54n + 1n, 2n ** 55n + 2n, 0],
    ['Z', 0n, 0n, 0],
  ]);
}, 20_000);

test.each([
  ['polatis', '17'],
  ['ome6500', '1-5-1'],
  ['ons15454', '5'],
] as const)(
  '%s: an alarm takes the light of a port, and a lost message does not hide that it is back',
  async (dialect, port) => {
    const login = { user: 'admin', password: 's3cret-canary' };
    const ports = [{ name: port }, { name: '6' }];
    const element = new Tl1Element({ id: 'ne', dialect, ports, ...login }, clock, seededRandom(1));
    const driver = new Tl1Driver(
      {
        device: 'ne',
        host: '127.0.0.1',
        port: await element.listen(),
        user: 'admin',
        password: () => login.password,
      },
      (tl1Dialects[dialect] as NonNullable<(typeof tl1Dialects)[string]>)(),
      clock,
      () => {},
    );
    open.push(
      () => element.close(),
      () => driver.close(),
    );
    const told: WatchEvent[] = [];
    driver.watch((event) => told.push(event));
    const ports_ = () => told.flatMap((event) => (event.type === 'ports' ? event.ports : []));
    await driver.connect();
    element.report('A', 'REPT EVT SESSION', ['"NO,"']);
    element.link(port, false);
    await eventually(() => ports_().length === 1, 'told');
    expect(ports_()).toEqual([{ name: port, up: false }]);
    element.faults.skipMessages = 1;
    element.link(port, true);
    element.report('A', 'REPT EVT SESSION', ['"NO,"']);
    await eventually(() => ports_().length === 2, 'asked for what stands');
    expect(ports_()[1]).toEqual({ name: port, up: true });
  },
);
