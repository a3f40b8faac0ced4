/** The lock of a switch as our fence, commits that fail half way, reboots, and what a driver finds out by itself. */
import { afterEach, describe, expect, test } from 'vitest';
import type { WatchEvent } from '../../../src/drivers/driver.ts';
import { integer } from '../../../src/drivers/snmp/ber.ts';
import { snmpDialects } from '../../../src/drivers/snmp/dialects/index.ts';
import { SnmpDriver } from '../../../src/drivers/snmp/driver.ts';
import { Oid } from '../../../src/drivers/snmp/oids.ts';
import { sleep } from '../../../src/kernel/clock.ts';
import { seededRandom } from '../../../src/kernel/random.ts';
import { SnmpElement } from '../../../src/lab/snmp/agent.ts';
import { clock, connectOf, context, OTHER, snmpRig } from '../../contract/driver-rig.ts';

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});
const rigOf = async (...args: Parameters<typeof snmpRig>) => {
  const rig = await snmpRig(...args);
  open.push(() => rig.close());
  return rig;
};

describe('the lock', () => {
  test('is moved by each write, and a write with its old value changes nothing', async () => {
    const rig = await rigOf({ dialect: 'standard', version: 'v2c', label: 100 });
    const { mib, bridge } = rig.element;
    const before = mib.locks.vacm;
    await rig.driver.apply('light', connectOf(rig), context());
    expect(mib.locks.vacm).toBe(before + 1);
    const stale = [
      { oid: Oid.vacmViewSpinLock, value: integer(before) },
      { oid: `${Oid.dot1qVlanStaticRowStatus}.100`, value: integer(6) },
    ];
    expect(mib.set(stale, 0)).toEqual({ status: 'inconsistentValue', index: 1 });
    expect(bridge.vlans.has(100)).toBe(true);
    expect(rig.driver.capabilities.fence).toBe('lock');
  });

  test('begins again at 0 behind its largest value', async () => {
    const rig = await rigOf({ dialect: 'standard', version: 'v2c', label: 0 });
    rig.element.mib.locks.vacm = 2_147_483_647;
    expect((await rig.driver.apply('light', connectOf(rig), context())).outcome).toBe('applied');
    expect(rig.element.mib.locks.vacm).toBeLessThan(10);
  });

  test('after a SET without an answer is moved before anybody looks: that SET cannot land late', async () => {
    const rig = await rigOf({ dialect: 'standard', version: 'v2c', label: 100 });
    await rig.driver.connect();
    const { locks } = rig.element.mib;
    const before = locks.vacm;
    // The agent takes longer over the SET than we wait for it.
    rig.faults.writeMs = [1_600, 1_600];
    const under = rig.driver.apply('light', connectOf(rig), context());
    await sleep(clock, 500);
    rig.faults.writeMs = [0, 0];
    const report = await under;
    expect(report.outcome).toBe('applied');
    const [set, lock] = [rig.element.sets, locks.vacm];
    // Once to move the lock, once to do it: the first one lands now and is refused as a whole.
    expect([set, lock - before]).toEqual([2, 2]);
    await rig.driver.apply('dark', connectOf(rig), context());
    await sleep(clock, 1_500);
    expect(rig.element.bridge.vlans.has(100)).toBe(false);
  });

  test('that cannot be moved either leaves the outcome unknown', async () => {
    const rig = await rigOf({ dialect: 'standard', version: 'v2c', label: 100 });
    await rig.driver.connect();
    rig.faults.writeMs = [1_600, 1_600];
    const report = await rig.driver.apply('light', connectOf(rig), context());
    expect(report).toMatchObject({ outcome: 'unknown', retry: true });
    expect(report.undo).toBeDefined();
  });

  test('is not looked for where there is none', async () => {
    const rig = await rigOf({ dialect: 'leave-first', version: 'v2c', label: 0 });
    await rig.driver.connect();
    expect(rig.driver.capabilities.fence).toBe('none');
  });
});

describe('a commit that fails half way', () => {
  test.each([1, 2])('%i times: tried the other way from a clean state, or put back', async (times) => {
    const rig = await rigOf({ dialect: 'standard', version: 'v2c', label: 0 });
    const empty = rig.listing();
    rig.faults.failCommits = times;
    const report = await rig.driver.apply('light', connectOf(rig), context());
    rig.faults.failCommits = 0;
    if (report.outcome === 'applied') {
      expect((await rig.driver.apply('dark', connectOf(rig), context())).outcome).toBe('applied');
    } else expect(report.outcome).toBe('rejected');
    expect(rig.listing()).toEqual(empty);
  });

  test('again and again is never called success, and ends', async () => {
    const rig = await rigOf({ dialect: 'standard', version: 'v2c', label: 0 });
    rig.faults.failCommits = 1_000;
    const report = await rig.driver.apply('light', connectOf(rig), context());
    expect(report.outcome).toMatch(/rejected|unknown/);
    rig.faults.failCommits = 0;
    expect((await rig.driver.apply('light', connectOf(rig), context())).outcome).toMatch(/applied|already/);
  });
});

test.each(['genErr', 'resourceUnavailable', 'noAccess', 'wrongValue', 'tooBig'])(
  'a %s leaves the switch as it was, and the next attempt works',
  async (status) => {
    const rig = await rigOf({ dialect: 'standard', version: 'v3', label: 100 });
    const empty = rig.listing();
    rig.faults.deny.push(...Array<string>(12).fill(status));
    expect((await rig.driver.apply('light', connectOf(rig), context())).outcome).toBe('rejected');
    expect(rig.listing()).toEqual(empty);
    rig.faults.deny.length = 0;
    expect((await rig.driver.apply('light', connectOf(rig), context())).outcome).toBe('applied');
  },
);

test('datagrams lost at random: what is said is what is there', async () => {
  const rig = await rigOf({ dialect: 'standard', version: 'v3', label: 100 });
  await rig.driver.connect();
  for (let round = 1; round <= 12; round++) {
    rig.faults.loss = 0.08;
    const report = await rig.driver.apply('light', connectOf(rig, { version: round }), context());
    rig.faults.loss = 0;
    const lit = rig.element.bridge.vlans.has(100);
    if (report.outcome === 'applied') expect(lit).toBe(true);
    const again = await rig.driver.apply('light', connectOf(rig, { version: round }), context());
    expect(again.outcome).toMatch(/applied|already/);
    expect((await rig.driver.apply('dark', connectOf(rig, { version: round }), context())).outcome).toBe(
      'applied',
    );
    expect(rig.element.bridge.vlans.size).toBe(1);
  }
}, 60_000);

test('a port that is down is no reason to say that the VLAN is not there', async () => {
  const rig = await rigOf({ dialect: 'standard', version: 'v2c', label: 100 });
  rig.element.foreign((bridge) => {
    const port = bridge.ports[0];
    if (port !== undefined) port.up = false;
  });
  expect((await rig.driver.apply('light', connectOf(rig), context(1_000))).outcome).toBe('applied');
});

test('two untagged circuits get a VLAN each', async () => {
  const rig = await rigOf({ dialect: 'standard', version: 'v2c', label: 0 });
  const second = {
    ...connectOf(rig, { circuit: OTHER }),
    in: { port: 'ge-0/0/3', label: 0 },
    out: { port: 'ge-0/0/4', label: 0 },
  };
  await rig.driver.apply('light', connectOf(rig), context());
  expect((await rig.driver.apply('light', second, context())).outcome).toBe('applied');
  const { bridge } = rig.element;
  expect([...bridge.vlans.keys()]).toEqual([1, 3900, 3901]);
  expect(bridge.joins('ge-0/0/0', 'ge-0/0/16', clock.now())).toBe(true);
  expect(bridge.joins('ge-0/0/0', 'ge-0/0/3', clock.now())).toBe(false);
});

test('a maker whose port lists are text is refused in words, told so or not', async () => {
  for (const dialect of ['junos', 'standard'] as const) {
    const element = new SnmpElement(
      { id: 'sw', dialect: 'junos', ports: [{ name: 'a' }, { name: 'b' }], community: 'c' },
      clock,
      seededRandom(1),
    );
    const port = await element.listen();
    const driver = new SnmpDriver(
      { device: 'sw', host: '127.0.0.1', port, credentials: { version: 'v2c', community: () => 'c' } },
      snmpDialects[dialect] as (typeof snmpDialects)[string],
      clock,
      () => {},
    );
    open.push(
      () => element.close(),
      () => driver.close(),
    );
    const connect = {
      owner: { circuit: OTHER, version: 1, epoch: 1 },
      in: { port: 'a', label: 5 },
      out: { port: 'b', label: 5 },
      mbps: 1,
    };
    expect(await driver.apply('light', connect, context())).toMatchObject({
      outcome: 'rejected',
      retry: false,
      detail: expect.stringContaining('ASCII'),
    });
  }
});

test('a restart is noticed, and the port numbers are learnt anew', async () => {
  const rig = await rigOf({ dialect: 'standard', version: 'v3', label: 100 });
  const seen: WatchEvent[] = [];
  rig.driver.watch((event) => seen.push(event));
  await rig.driver.connect();
  await sleep(clock, 50);
  await rig.driver.read();
  rig.reboot();
  await rig.driver.read();
  expect(seen).toContainEqual({ type: 'rebooted' });
  expect(rig.events).toContainEqual(expect.objectContaining({ event: 'device.rebooted' }));
});

test('counters are read in 64 bits', async () => {
  const rig = await rigOf({ dialect: 'standard', version: 'v2c', label: 100 });
  rig.element.bridge.octets.set(1, { in: 2n ** 40n, out: 5n });
  const driver = rig.driver as SnmpDriver;
  expect(await driver.counters('ge-0/0/0')).toEqual({
    inOctets: 2n ** 40n,
    outOctets: 5n,
    discontinuity: 0,
    upTicks: expect.any(Number),
  });
  expect(await driver.counters('nobody')).toBeUndefined();
});
