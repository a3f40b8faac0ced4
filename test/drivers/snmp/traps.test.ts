/** Traps over real UDP: who is believed, how often a switch is asked for them, and what is read then. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { afterEach, expect, test } from 'vitest';
import type { WatchEvent } from '../../../src/drivers/driver.ts';
import { writeCommunity } from '../../../src/drivers/snmp/codec.ts';
import { snmpDialects } from '../../../src/drivers/snmp/dialects/index.ts';
import { SnmpDriver } from '../../../src/drivers/snmp/driver.ts';
import { Oid } from '../../../src/drivers/snmp/oids.ts';
import { TrapEar, TrapReader } from '../../../src/drivers/snmp/traps.ts';
import { sleep } from '../../../src/kernel/clock.ts';
import { seededRandom } from '../../../src/kernel/random.ts';
import { SnmpElement } from '../../../src/lab/snmp/agent.ts';
import { clock } from '../../contract/driver-rig.ts';
import { withTools } from '../../lab/needs.ts';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

const user = { user: 'turnpike', authKey: 'auth-canary-1', privKey: 'priv-canary-1' };
const v3 = {
  version: 'v3',
  user: user.user,
  authKey: () => user.authKey,
  privKey: () => user.privKey,
} as const;

async function rig(version: 'v2c' | 'v3', over: { id?: string; authKey?: string } = {}) {
  let driver: SnmpDriver | undefined;
  const ear = new TrapEar([{ hear: (...heard) => driver?.hear(...heard) ?? false }], clock);
  const to = { host: '127.0.0.1', port: await ear.listen(0, '127.0.0.1') };
  const access = version === 'v2c' ? { community: 'community-canary' } : { user };
  const options = { id: 'sw', dialect: 'standard', ports: [{ name: '1' }, { name: '2' }], trapsTo: to };
  const element = new SnmpElement({ ...options, ...access, ...over }, clock, seededRandom(1));
  driver = new SnmpDriver(
    {
      device: 'sw',
      host: '127.0.0.1',
      port: await element.listen(),
      credentials: version === 'v2c' ? { version, community: () => 'community-canary' } : v3,
    },
    snmpDialects['standard'] as NonNullable<(typeof snmpDialects)[string]>,
    clock,
    () => {},
  );
  const events: WatchEvent[] = [];
  driver.watch((event) => events.push(event));
  open.push(
    () => ear.close(),
    () => element.close(),
    () => driver.close(),
  );
  await driver.connect();
  const until = async (done: () => boolean): Promise<void> => {
    for (let i = 0; i < 200 && !done(); i++) await sleep(clock, 10);
    expect(done()).toBe(true);
  };
  return { element, driver, events, to, until };
}
const portsOf = (events: readonly WatchEvent[]) =>
  events.flatMap((event) => (event.type === 'ports' ? event.ports : []));

test.each(['v2c', 'v3'] as const)(
  'a port that goes down is known at once, and up again (%s)',
  async (version) => {
    const { element, events, until } = await rig(version);
    element.link('1', false);
    await until(() => events.length > 0);
    expect(portsOf(events)).toEqual([
      { name: '1', up: false },
      { name: '2', up: true },
    ]);
    // The second trap within the second is not lost: the switch is asked when the second is over.
    element.link('1', true);
    await until(() => portsOf(events).length > 2);
    expect(portsOf(events).slice(2)).toEqual([{ name: '1', up: true }]);
  },
);

test('a storm of traps makes one question a second', async () => {
  const { element, driver, until, to } = await rig('v3');
  let polls = 0;
  const { get } = element.mib;
  element.mib.get = (oid) => {
    if (oid === Oid.lldpStatsRemTablesLastChangeTime) polls++;
    return get.call(element.mib, oid);
  };
  const before = clock.now();
  for (let i = 0; i < 300; i++) {
    element.trap(to, Oid.linkDown);
    if (i % 50 === 0) await sleep(clock, 10);
  }
  await until(() => polls >= 2);
  expect(polls).toBeLessThanOrEqual(2 + Math.floor((clock.now() - before) / 1000));
  await driver.close();
});

test('a restart that a trap tells of is seen as one', async () => {
  const { element, driver, events, until, to } = await rig('v3');
  await sleep(clock, 50);
  await driver.poll();
  element.reboot();
  element.trap(to, Oid.coldStart);
  await until(() => events.some(({ type }) => type === 'rebooted'));
});

test('a trap without the credentials, from elsewhere, or from another engine is no trap', async () => {
  const { driver, element, events } = await rig('v2c');
  const pdu = {
    type: 0xa7,
    id: 1,
    status: 0,
    index: 0,
    varbinds: [{ oid: Oid.snmpTrapOid, value: { tag: 6 as const, value: Oid.linkDown } }],
  };
  const good = writeCommunity(Buffer.from('community-canary'), pdu);
  expect(driver.hear(writeCommunity(Buffer.from('guess'), pdu), '127.0.0.1')).toBe(false);
  expect(driver.hear(good, '127.0.0.2')).toBe(false);
  expect(driver.hear(Buffer.from('noise'), '127.0.0.1')).toBe(false);
  expect(
    driver.hear(writeCommunity(Buffer.from('community-canary'), { ...pdu, type: 0xa0 }), '127.0.0.1'),
  ).toBe(false);
  expect(events).toEqual([]);
  expect(driver.hear(good, '127.0.0.1')).toBe(true);
  await element.close();
});

/** What an element sends as a trap, caught. */
async function caught(element: SnmpElement, count = 1): Promise<Buffer[]> {
  const socket = createSocket('udp4');
  const heard: Buffer[] = [];
  socket.on('message', (datagram) => heard.push(datagram));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  await element.listen();
  for (let i = 0; i < count; i++)
    element.trap({ host: '127.0.0.1', port: socket.address().port }, Oid.linkDown);
  for (let i = 0; i < 100 && heard.length < count; i++) await sleep(clock, 10);
  socket.close();
  await element.close();
  return heard;
}
const elementOf = (id: string, keys = user) =>
  new SnmpElement({ id, dialect: 'standard', ports: [{ name: '1' }], user: keys }, clock, seededRandom(1));
const engineOf = (id: string): Buffer => Buffer.concat([Buffer.from([0x80, 0, 0, 0, 4]), Buffer.from(id)]);

test('version 3: the keys, the engine, the context and the time have to be right', async () => {
  const mine = engineOf('sw');
  const [good] = (await caught(elementOf('sw'))) as [Buffer];
  expect(new TrapReader(v3).read(good, mine)).toBe(Oid.linkDown);
  expect(new TrapReader(v3).read(good, undefined)).toBeUndefined();
  expect(new TrapReader(v3).read(good, engineOf('other'))).toBeUndefined();
  expect(new TrapReader({ ...v3, context: 'slice-2' }).read(good, mine)).toBeUndefined();
  expect(new TrapReader({ version: 'v2c', community: () => '' }).read(good, mine)).toBeUndefined();
  const flipped = Buffer.from(good);
  flipped.writeUInt8(flipped.readUInt8(flipped.length - 3) ^ 1, flipped.length - 3);
  expect(new TrapReader(v3).read(flipped, mine)).toBeUndefined();
  const [forged] = (await caught(elementOf('sw', { ...user, authKey: 'another-key' }))) as [Buffer];
  expect(new TrapReader(v3).read(forged, mine)).toBeUndefined();
  // After a restart of the engine, what it sent before is old.
  const restarted = elementOf('sw');
  restarted.reboot();
  const [newer] = (await caught(restarted)) as [Buffer];
  const reader = new TrapReader(v3);
  expect(reader.read(newer, mine)).toBe(Oid.linkDown);
  expect(reader.read(good, mine)).toBeUndefined();
});

withTools("Debian's snmptrap", ['snmptrap'], () => {
  test('is believed with the right keys and not with wrong ones', async () => {
    const socket = createSocket('udp4');
    const heard: Buffer[] = [];
    socket.on('message', (datagram) => heard.push(datagram));
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const send = (auth: string): void => {
      const keys = ['-a', 'SHA-256', '-A', auth, '-x', 'AES', '-X', user.privKey];
      const engine = `0x${engineOf('sw').toString('hex')}`;
      const tool = 'snmptrap';
      execFileSync(tool, [
        ...['-v3', '-e', engine, '-l', 'authPriv', '-u', user.user, ...keys],
        ...[`127.0.0.1:${socket.address().port}`, '42', Oid.linkUp, `1.3.6.1.2.1.2.2.1.1.7`, 'i', '7'],
      ]);
    };
    send(user.authKey);
    send('wrong-wrong');
    for (let i = 0; i < 100 && heard.length < 2; i++) await sleep(clock, 10);
    socket.close();
    const read = heard.map((datagram) => new TrapReader(v3).read(datagram, engineOf('sw')));
    expect(read).toEqual([Oid.linkUp, undefined]);
  });
});
