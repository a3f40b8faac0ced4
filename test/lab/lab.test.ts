import { afterEach, describe, expect, test } from 'vitest';
import { findLinks } from '../../src/drivers/discovery.ts';
import { Executor } from '../../src/drivers/executor.ts';
import { buildDrivers } from '../../src/drivers/registry.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { Lab, type RunningElement } from '../../src/lab/lab.ts';
import { readScenario } from '../../src/lab/scenario.ts';
import { clock, contextOf } from '../drivers/path-lab.ts';

const v3 = { version: 'v3', user: 'turnpike', auth_key: 'auth-lab-1', priv_key: 'priv-lab-1' };
const scenario = {
  elements: [
    {
      id: 'sw1',
      protocol: 'snmp',
      dialect: 'standard',
      login: v3,
      ports: [{ name: '1' }, { name: '2' }, { name: '3' }],
    },
    {
      id: 'sw2',
      protocol: 'snmp',
      dialect: 'dell',
      login: { version: 'v2c', community: 'lab-secret' },
      ports: [{ name: '1' }, { name: '2' }],
    },
    {
      id: 'fs1',
      protocol: 'tl1',
      dialect: 'polatis',
      login: { user: 'admin', password: 'lab-secret' },
      ports: [{ name: '1' }, { name: '2' }],
    },
    {
      id: 'ne1',
      protocol: 'tl1',
      dialect: 'ome6500',
      login: { user: 'admin', password: 'lab-secret' },
      ports: [{ name: '1-1-1' }, { name: '1-2-1' }],
    },
    {
      id: 'ne2',
      protocol: 'tl1',
      dialect: 'ons15454',
      login: { user: 'admin', password: 'lab-secret' },
      ports: [{ name: '1' }, { name: '2' }],
    },
  ],
  cables: [{ a: { element: 'sw1', port: '2' }, z: { element: 'sw2', port: '1' } }],
};

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

async function started(value: unknown) {
  const lab = new Lab(readScenario(value), clock, 7);
  const running = await lab.start();
  const drivers = buildDrivers(running.map(configOf), clock, () => {});
  const executor = new Executor({ drivers, clock, random: seededRandom(1), tell: () => {} });
  open.push(
    () => lab.close(),
    () => executor.close(),
  );
  return { lab, drivers, executor };
}

/** As a broker is configured from what the lab says of its elements. */
function configOf(element: RunningElement) {
  const { id: device, address: host, port, login, dialect } = element;
  const text = (name: string): string => login[name] ?? '';
  if (element.protocol === 'tl1') {
    return {
      protocol: 'tl1',
      dialect,
      device,
      host,
      port,
      user: text('user'),
      password: () => text('password'),
    } as const;
  }
  const credentials =
    text('version') === 'v2c'
      ? ({ version: 'v2c', community: () => text('community') } as const)
      : ({
          version: 'v3',
          user: text('user'),
          authKey: () => text('auth_key'),
          privKey: () => text('priv_key'),
        } as const);
  return { protocol: 'snmp', dialect, device, host, port, credentials } as const;
}

const hops = scenario.elements.map(({ id, ports }) => ({
  device: id,
  in: { port: ports[0]?.name ?? '', label: 0 },
  out: { port: ports[1]?.name ?? '', label: 0 },
}));
const segment = {
  domain: 'd',
  local: true,
  a: { port: 'd:a' },
  z: { port: 'd:z' },
  links: [],
  latencyMs: 0,
  uses: [],
  hops,
  agreed: 'COMMITTED',
  light: 'LIGHTING',
} as const;

test('what the lab says of its elements is enough to light a path over all of them', async () => {
  const { executor, drivers } = await started(scenario);
  expect(await executor.light(segment, contextOf())).toMatchObject({ ok: true });
  expect(await executor.observe()).toHaveLength(5);
  expect(findLinks(await Promise.all(drivers.map((driver) => driver.discover()))).links).toMatchObject([
    { a: { device: 'sw1', port: '2' }, z: { device: 'sw2', port: '1' } },
  ]);
  expect(await executor.dark(segment, contextOf())).toMatchObject({ ok: true });
  expect(await executor.observe()).toHaveLength(0);
});

test.each(scenario.elements.map((element, i) => [element.id, i] as const))(
  'what is done by hand on %s is seen as foreign and stops a circuit there',
  async (id, i) => {
    const { lab, executor } = await started(scenario);
    const hop = hops[i];
    if (hop === undefined) throw new Error('no hop');
    lab.happen({ at_s: 0, element: id, do: 'foreign', a: hop.in.port, z: hop.out.port, label: 0 });
    const seen = (await executor.observe()).filter((connect) => connect.device === id);
    expect(seen).toHaveLength(1);
    expect(seen[0]?.owner).toBeUndefined();
    expect(await executor.light({ ...segment, hops: [hop] }, contextOf())).toMatchObject({ ok: false });
    expect(await executor.observe()).toHaveLength(1);
  },
);

test('events happen when their time has come', async () => {
  const { lab, executor } = await started({
    ...scenario,
    events: [
      { at_s: 0.3, element: 'fs1', do: 'reboot' },
      { at_s: 0, element: 'sw1', do: 'faults', faults: { mute: false, readMs: 1 } },
    ],
  });
  expect(await executor.light(segment, contextOf())).toMatchObject({ ok: true });
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect((await executor.observe()).map((connect) => connect.device)).not.toContain('fs1');
  expect(lab.element('sw1').faults.readMs).toBe(1);
});

describe('a scenario is read strictly', () => {
  const [first, ...rest] = scenario.elements;
  test.each([
    ['an unknown key', { ...scenario, more: 1 }, /scenario/],
    ['an unknown fault', { ...scenario, elements: [{ ...first, faults: { muted: true } }] }, /scenario/],
    ['an unknown dialect', { ...scenario, elements: [{ ...first, dialect: 'nobody' }] }, /scenario/],
    ['an element twice', { elements: [first, first, ...rest] }, /twice/],
    [
      'a cable into nothing',
      { ...scenario, cables: [{ a: { element: 'sw1', port: '9' }, z: { element: 'sw2', port: '1' } }] },
      /no port 9 on sw1/,
    ],
    [
      'two cables in one port',
      {
        ...scenario,
        cables: [...scenario.cables, { a: { element: 'sw1', port: '2' }, z: { element: 'sw2', port: '2' } }],
      },
      /two cables/,
    ],
    ['an event on nobody', { ...scenario, events: [{ at_s: 1, element: 'x', do: 'reboot' }] }, /not there/],
  ])('%s is refused', (_name, value, complaint) => {
    expect(() => readScenario(value)).toThrow(complaint);
  });
});

test('two hundred elements live in one process', async () => {
  const elements = Array.from({ length: 200 }, (_, i) => ({ ...scenario.elements[i % 5], id: `e${i}` }));
  const { executor } = await started({ elements });
  const many = elements.map((element, i) => ({ ...(hops[i % 5] as (typeof hops)[0]), device: element.id }));
  expect(await executor.light({ ...segment, hops: many }, contextOf())).toMatchObject({ ok: true });
  expect(await executor.observe()).toHaveLength(200);
});
