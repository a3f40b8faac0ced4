/**
 * A broker in a process of its own that drives the lab's elements, which are here, so that a test can look into
 * them, make them slow, restart them, and kill the broker between two of them. Witnesses are a TL1 session typed by
 * hand and, where it is installed, snmpwalk.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { wallClock } from '../../src/kernel/clock.ts';
import { Lab, type RunningElement } from '../../src/lab/lab.ts';
import { readScenario } from '../../src/lab/scenario.ts';
import { SnmpElement } from '../../src/lab/snmp/agent.ts';
import { Tl1Element } from '../../src/lab/tl1/element.ts';
import { writtenElement } from '../../src/labDomain.ts';
import { withTools } from '../lab/needs.ts';
import { build, eventually, type Instance, Site } from './broker.ts';

const EXAMPLES = resolve(import.meta.dirname, '../../examples');
/** The one label of the links of elements that switch whole ports, as the network has it. */
const WHOLE_PORTS = { 'ams-ocx1': 4000, 'nkf-ome1': 4001, 'zui-ons1': 4001 };
const VLAN_NAMES = '1.3.6.1.2.1.17.7.1.4.3.1.1';

let site: Site;
let lab: Lab;
let elements: readonly RunningElement[];
let broker: Instance;
let token: string;
let operator: string;

beforeAll(async () => {
  build();
  site = new Site();
  lab = new Lab(
    readScenario(parse(readFileSync(join(EXAMPLES, 'lab-ams-elements.yaml'), 'utf8'))),
    wallClock(),
    1,
  );
  elements = await lab.start();
  const lines = elements.map(
    (element) => `    - ${JSON.stringify(writtenElement(element, WHOLE_PORTS, site.folder))}`,
  );
  site.configure({
    yaml: ['store: {file: turnpike.db}', 'devices:', '  driver: elements', '  elements:', ...lines].join(
      '\n',
    ),
  });
  [token, operator] = await Promise.all([site.token('user'), site.token('operator')]);
  broker = await site.serve();
  await broker.ready();
});
afterAll(async () => {
  await site.clear();
  await lab.close();
});

interface Circuit {
  readonly id: string;
  readonly state: string;
  readonly path: { readonly links: readonly string[] };
}
interface Order {
  readonly device: string;
  readonly commands: readonly string[];
}
interface Plan {
  readonly commands: readonly (Order & { readonly action: string })[];
  readonly orders: readonly (Order & { readonly outcome: string })[];
}

const book = async (a: string, z: string, over: Record<string, unknown> = {}): Promise<Circuit> => {
  const { status, body } = await broker.call<Circuit>('POST', '/v1/circuits', {
    token,
    body: {
      a: { port: `ams:${a}` },
      z: { port: `ams:${z}` },
      bandwidth_mbps: 10_000,
      schedule: { type: 'NOW', duration_s: 3600 },
      ...over,
    },
  });
  expect(status, JSON.stringify(body)).toBe(201);
  return body;
};
const read = async (id: string): Promise<Circuit> =>
  (await broker.call<Circuit>('GET', `/v1/circuits/${id}`, { token })).body;
const reaches = (id: string, state: string): Promise<void> =>
  eventually(async () => (await read(id)).state === state, `${id} is ${state}`);
const planOf = async (id: string): Promise<Plan> =>
  (await broker.call<Plan>('GET', `/v1/circuits/${id}/device-plan`, { token })).body;
const cancel = async (id: string): Promise<void> => {
  await broker.call('DELETE', `/v1/circuits/${id}`, { token });
  await eventually(async () => ['CANCELLED', 'ENDED'].includes((await read(id)).state), `${id} is over`);
};

/** What the elements themselves hold, not through any protocol. */
const patches = (id: string): readonly string[] => {
  const element = lab.element(id);
  if (!(element instanceof Tl1Element)) throw new Error(`${id} is no TL1 element`);
  return element.matrix.list().map(({ from, to }) => `${from}=${to}`);
};
const vlans = (id: string): readonly number[] => {
  const element = lab.element(id);
  if (!(element instanceof SnmpElement)) throw new Error(`${id} is no SNMP element`);
  return [...element.bridge.vlans.keys()].filter((vlan) => vlan !== 1);
};
const everything = (): readonly string[] =>
  elements.flatMap(({ id, protocol }) =>
    (protocol === 'tl1' ? patches(id) : vlans(id)).map((what) => `${id} ${what}`),
  );

const at = (id: string): RunningElement => {
  const found = elements.find((element) => element.id === id);
  if (found === undefined) throw new Error(`no element ${id}`);
  return found;
};

/** Types commands one after another, as a person would, and returns all that came back. */
function typed(id: string, commands: readonly string[]): Promise<string> {
  return new Promise((done, fail) => {
    const { address, port } = at(id);
    const socket = connect(port, address);
    let heard = '';
    let next = 0;
    const type = (): void => {
      const command = commands[next++];
      if (command === undefined) socket.end();
      else socket.write(command);
    };
    socket.on('connect', type);
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1');
      // One answer has come for each command so far.
      if ((heard.match(/^M +\d+ (?:COMPLD|DENY)/gm)?.length ?? 0) >= next && /;\s*$/.test(heard)) type();
    });
    socket.on('close', () => done(heard));
    socket.on('error', fail);
  });
}

/** Not while everything waits for it: the elements that it asks are in this process. */
async function walked(id: string, oid: string): Promise<string> {
  const { address, port, login } = at(id);
  const who =
    login['version'] === 'v2c'
      ? ['-v2c', '-c', `${login['community']}`]
      : ['-v3', '-l', 'authPriv', '-u', `${login['user']}`].concat(
          ['-a', `${login['auth_protocol']}`, '-A', `${login['auth_key']}`],
          ['-x', `${login['priv_protocol']}`.replace('-128', ''), '-X', `${login['priv_key']}`],
        );
  return (await promisify(execFile)('snmpwalk', [...who, '-On', `${address}:${port}`, oid])).stdout;
}

/** What another circuit or test left must not be what the next one looks at. */
afterEach(async () => {
  const list = await broker.call<{ items: Circuit[] }>('GET', '/v1/circuits?page_size=100', { token });
  const live = list.body.items.filter(({ state }) => !['CANCELLED', 'ENDED', 'FAILED'].includes(state));
  await Promise.all(live.map(({ id }) => cancel(id)));
});

test('the commands are told before they are sent, and are what is sent', async () => {
  const inSeconds = (s: number): string =>
    new Date(Math.ceil(Date.now() / 1000 + s) * 1000).toISOString().replace('.000Z', 'Z');
  const { id } = await book('host1', 'host3', {
    schedule: { type: 'FIXED', start_time: inSeconds(3), end_time: inSeconds(3_600) },
  });
  const planned = (await planOf(id)).commands;
  expect(planned.map(({ device }) => device)).toEqual(['nkf-sw1', 'ams-ocx1', 'sci-sw1']);
  expect(everything()).toEqual([]);
  await reaches(id, 'ACTIVE');
  const { commands, orders } = await planOf(id);
  // A CTAG is the session's business.
  const strip = (text: string): string => text.replace(/^((?:[^:]*:){3})\d+/, '$1#');
  const told = (list: readonly Order[]): Record<string, string[]> =>
    Object.fromEntries(list.map((one) => [one.device, one.commands.map(strip).toSorted()]));
  expect(orders.map(({ outcome }) => outcome)).toEqual(['APPLIED', 'APPLIED', 'APPLIED']);
  expect(told(orders)).toEqual(told(planned));
  expect(commands.flatMap((one) => one.commands)).toEqual([]);
  expect(everything().toSorted()).toEqual(['ams-ocx1 1=2', 'nkf-sw1 4000', 'sci-sw1 4000']);
});

test('a TL1 session typed by hand shows the patch, and its end', async () => {
  const { id } = await book('host1', 'host3');
  await reaches(id, 'ACTIVE');
  const look = (): Promise<string> =>
    typed('ams-ocx1', ['ACT-USER::turnpike:1::laboratory;', 'RTRV-PATCH:::2:;', 'RTRV-PORT-LABEL::1&&8:3:;']);
  const shown = await look();
  expect(shown).toContain('"1,2"');
  expect(shown).toContain(id.slice('cir_'.length));
  await cancel(id);
  const after = await look();
  expect(after).not.toContain('"1,2"');
  expect(after).not.toContain(id.slice('cir_'.length));
});

withTools('snmpwalk', ['snmpwalk'], () => {
  test.each(['nkf-sw1', 'sci-sw1'])('shows the VLAN of a circuit on %s', async (device) => {
    const { id } = await book('host1', 'host3');
    await reaches(id, 'ACTIVE');
    const line = new RegExp(`\\.${VLAN_NAMES.replaceAll('.', '\\.')}\\.4000 = STRING: "T${id.slice(4)}`);
    expect(await walked(device, VLAN_NAMES)).toMatch(line);
    await cancel(id);
    expect(await walked(device, VLAN_NAMES)).not.toMatch(line);
  });
});

describe('killed between two devices', () => {
  const slow = (id: string, ms: number): void => {
    lab.element(id).faults.writeMs = [ms, ms];
  };
  const restart = async (): Promise<void> => {
    broker.program.kill('SIGKILL');
    await broker.program.exit;
    broker = await site.serve();
    await broker.ready();
  };

  test('on the way to light: what is missing is set, nothing twice', async () => {
    slow('zui-sw1', 3_000);
    const { id, path } = await book('host5', 'host7');
    expect(path.links).toEqual(['fibre-tel', 'fibre-zui']);
    await eventually(async () => patches('ams-ocx1').length === 1, 'the fibre switch is set');
    expect(vlans('zui-sw1')).toEqual([]);
    slow('zui-sw1', 0);
    await restart();
    await reaches(id, 'ACTIVE');
    expect(everything().toSorted()).toEqual(['ams-ocx1 4=3', 'tel-sw1 4000', 'zui-sw1 4000']);
    await cancel(id);
    expect(everything()).toEqual([]);
  });

  test('on the way out: what is left goes', async () => {
    const { id } = await book('host5', 'host7');
    await reaches(id, 'ACTIVE');
    slow('zui-sw1', 3_000);
    await broker.call('DELETE', `/v1/circuits/${id}`, { token });
    await eventually(async () => patches('ams-ocx1').length === 0, 'the fibre switch is dark');
    expect(vlans('zui-sw1')).toEqual([4000]);
    slow('zui-sw1', 0);
    await restart();
    await eventually(async () => everything().length === 0, 'all is dark');
    await eventually(async () => (await read(id)).state === 'CANCELLED', 'it is over');
  });
});

test('an element that restarts with an empty table is set again, without waiting for the next round', async () => {
  const { id } = await book('host2', 'host8', {
    bandwidth_mbps: 5_000,
    constraints: { exclude_links: ['fibre-nkf'] },
  });
  await reaches(id, 'ACTIVE');
  const before = everything();
  expect(before).toContain('nkf-ome1 STS192C-1-3-1-1=STS192C-1-4-1-1');
  lab.element('nkf-ome1').reboot();
  expect(patches('nkf-ome1')).toEqual([]);
  await eventually(async () => patches('nkf-ome1').length === 1, 'it is set again');
  await reaches(id, 'ACTIVE');
  expect(everything().toSorted()).toEqual(before.toSorted());
});

test('what others have set is reported and stays', async () => {
  lab.happen({ at_s: 0, element: 'ams-ocx1', do: 'foreign', a: '7', z: '8', label: 0 });
  const audit = async () =>
    (
      await broker.call<{ foreign: unknown[]; in_step: number }>('GET', '/v1/devices/ams-ocx1/audit', {
        token: operator,
      })
    ).body;
  expect((await audit()).foreign).toHaveLength(1);
  const { id } = await book('host1', 'host3');
  await reaches(id, 'ACTIVE');
  expect(await audit()).toMatchObject({ in_step: 1, foreign: [{ device: 'ams-ocx1' }] });
  await cancel(id);
  expect(patches('ams-ocx1')).toEqual(['7=8']);
});

test('no secret of an element is in the log', () => {
  const secrets = elements.flatMap(({ login }) =>
    Object.entries(login).filter(([name]) => /key$|password|community/.test(name)),
  );
  expect(secrets.length).toBeGreaterThan(10);
  expect(broker.program.stderr).toContain('"event":"device.connected"');
  for (const [, secret] of secrets) expect(broker.program.stderr).not.toContain(secret);
});
