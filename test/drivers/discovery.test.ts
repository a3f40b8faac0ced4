import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyDiff, compareTopology, findLinks } from '../../src/drivers/discovery.ts';
import type { DeviceView } from '../../src/drivers/driver.ts';
import { buildDrivers } from '../../src/drivers/registry.ts';
import { wallClock } from '../../src/kernel/clock.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { SnmpElement } from '../../src/lab/snmp/agent.ts';
import { Tl1Element } from '../../src/lab/tl1/element.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';

const clock = wallClock();

const view = (
  device: string,
  neighbours: readonly (readonly [string, string, string])[],
  identity = device,
): DeviceView => ({
  device,
  identity,
  ports: ['1', '2', '3'].map((name) => ({ name, speedMbps: 10_000 })),
  neighbours: neighbours.map(([port, remoteDevice, remotePort]) => ({ port, remoteDevice, remotePort })),
  connects: [],
  bootId: '',
});

const topology = (links: readonly (readonly [string, string, string, string])[]): TopologyDocument => ({
  domain: 'd',
  prefix: 'd',
  nodes: ['a', 'b', 'c'].map((id) => ({ id })),
  ports: [],
  links: links.map(([an, ap, zn, zp], i) => ({
    id: `l${i}`,
    a: { node: an, port: ap },
    z: { node: zn, port: zp },
    capacity_mbps: 10_000,
  })),
});

describe('a link counts', () => {
  test('when both ends name each other, by whatever name they go', () => {
    const found = findLinks([
      view('a', [['1', 'b.example', '2']]),
      view('b', [['2', 'a', '1']], 'b.example'),
    ]);
    expect(found).toEqual({
      links: [{ a: { device: 'a', port: '1' }, z: { device: 'b', port: '2' }, capacity_mbps: 10_000 }],
      doubts: [],
    });
  });

  test.each([
    ['nobody asked the other end', [view('a', [['1', 'x', '2']])], 'the other end was not asked'],
    [
      'the other end is blind',
      [view('a', [['1', 'b', '2']]), view('b', [])],
      'the other end does not see it',
    ],
    [
      'the other end sees a third',
      [view('a', [['1', 'b', '2']]), view('b', [['2', 'c', '1']]), view('c', [['1', 'b', '2']])],
      'the other end sees another',
    ],
  ] as const)('not when %s', (_name, views, why) => {
    const { links, doubts } = findLinks(views);
    expect(links.some((link) => link.a.device === 'a' || link.z.device === 'a')).toBe(false);
    expect(doubts.map((doubt) => doubt.why)).toContain(why);
  });
});

describe('the difference to the topology in force', () => {
  test('names what is new, gone and of another speed, and applying it leaves none', () => {
    const running = topology([
      ['a', '1', 'b', '1'],
      ['b', '2', 'c', '1'],
    ]);
    const slow = { ...view('b', [['1', 'a', '1']]), ports: [{ name: '1', speedMbps: 1_000 }] };
    const views = [
      view('a', [
        ['1', 'b', '1'],
        ['2', 'c', '2'],
      ]),
      slow,
      view('c', [['2', 'a', '2']]),
    ];
    const asked = ['a', 'b', 'c'];
    const diff = compareTopology(running, findLinks(views), asked);
    expect(diff).toMatchObject({
      add: [{ id: 'a-c', a: { node: 'a', port: '2' }, z: { node: 'c', port: '2' }, capacity_mbps: 10_000 }],
      remove: ['l1'],
      capacity: [{ link: 'l0', was: 10_000, is: 1_000 }],
    });
    const after = compareTopology(applyDiff(running, diff), findLinks(views), asked);
    expect(after).toMatchObject({ add: [], remove: [], capacity: [] });
  });

  test('does not remove what one end still sees, or what nobody was asked about', () => {
    const running = topology([
      ['a', '1', 'b', '1'],
      ['b', '2', 'c', '1'],
    ]);
    const diff = compareTopology(running, findLinks([view('a', [['1', 'b', '1']]), view('b', [])]), [
      'a',
      'b',
    ]);
    expect(diff.remove).toEqual([]);
    expect(diff.doubts).toHaveLength(1);
  });

  test('is none for any topology whose devices see all of it', () => {
    const cables = fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2', '3')), {
      maxLength: 8,
      selector: (end) => end.join(),
    });
    fc.assert(
      fc.property(cables, (ends) => {
        const links: [string, string, string, string][] = [];
        for (let i = 0; i + 1 < ends.length; i += 2) {
          const [one, two] = [ends[i], ends[i + 1]] as [[string, string], [string, string]];
          links.push([...one, ...two]);
        }
        const views = ['a', 'b', 'c'].map((device) =>
          view(
            device,
            links.flatMap(([an, ap, zn, zp]) => [
              ...(an === device ? [[ap, zn, zp] as const] : []),
              ...(zn === device ? [[zp, an, ap] as const] : []),
            ]),
          ),
        );
        const diff = compareTopology(topology(links), findLinks(views), ['a', 'b', 'c']);
        expect(diff).toEqual({ add: [], remove: [], capacity: [], unplaced: [], doubts: [] });
      }),
    );
  });
});

test('devices of both protocols are asked over their sockets, and their cables found', async () => {
  const random = seededRandom(1);
  const cable = (device: string, port: string) => ({ neighbour: { device, port } });
  const snmp = (id: string, ports: ConstructorParameters<typeof SnmpElement>[0]['ports']) =>
    new SnmpElement({ id, dialect: 'standard', ports, community: 'c' }, clock, random);
  const sw1 = snmp('sw1', [{ name: 'ge-0/0/0', ...cable('sw2', 'ge-0/0/1') }, { name: 'ge-0/0/1' }]);
  const sw2 = snmp('sw2', [{ name: 'ge-0/0/0' }, { name: 'ge-0/0/1', ...cable('sw1', 'ge-0/0/0') }]);
  const tl1 = (id: string, ports: ConstructorParameters<typeof Tl1Element>[0]['ports']) =>
    new Tl1Element({ id, dialect: 'ome6500', ports, user: 'u', password: 'p' }, clock, random);
  const ne1 = tl1('ne1', [{ name: '1-5-1', speedMbps: 9953, ...cable('ne2', '1-6-1') }]);
  const ne2 = tl1('ne2', [{ name: '1-6-1', speedMbps: 9953, ...cable('ne1', '1-5-1') }]);
  const elements = [sw1, sw2, ne1, ne2];
  const drivers = buildDrivers(
    await Promise.all(
      elements.map(async (element) => {
        const port = await element.listen();
        const base = { device: `device-${element.id}`, host: '127.0.0.1', port };
        return element.protocol === 'snmp'
          ? ({
              ...base,
              protocol: 'snmp',
              dialect: 'standard',
              credentials: { version: 'v2c', community: () => 'c' },
            } as const)
          : ({ ...base, protocol: 'tl1', dialect: 'ome6500', user: 'u', password: () => 'p' } as const);
      }),
    ),
    clock,
    () => {},
  );
  const found = findLinks(await Promise.all(drivers.map((driver) => driver.discover())));
  expect(found.doubts).toEqual([]);
  expect(found.links.map(({ a, z }) => [a.device, a.port, z.device, z.port])).toEqual([
    ['device-sw1', 'ge-0/0/0', 'device-sw2', 'ge-0/0/1'],
    ['device-ne1', '1-5-1', 'device-ne2', '1-6-1'],
  ]);
  for (const driver of drivers) await driver.close();
  for (const element of elements) await element.close();
});

test.each([
  [{ protocol: 'tl1', dialect: 'nobody' }, /no dialect tl1\/nobody; there are snmp\/standard/],
  [{ protocol: 'snmp', dialect: '__proto__' }, /no dialect/],
] as const)('a configuration with %o is refused', (config, complaint) => {
  const base = { device: 'd', host: 'h', user: 'u', password: () => 'p' };
  expect(() => buildDrivers([{ ...base, ...config } as never], clock, () => {})).toThrow(complaint);
});
