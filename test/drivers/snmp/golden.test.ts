/**
 * Datagrams of Debian's snmpget, snmpset and snmpbulkget, recorded on their way to our emulated agent, and its
 * answers, which they accepted: so that our codec stays right where those tools are not installed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { gauge, integer, octets } from '../../../src/drivers/snmp/ber.ts';
import {
  type Keys,
  localizedKey,
  openSecure,
  type Pdu,
  PduType,
  readMessage,
  type Scoped,
  writeCommunity,
  writeSecure,
} from '../../../src/drivers/snmp/codec.ts';
import { Oid } from '../../../src/drivers/snmp/oids.ts';

const folder = new URL('../../golden/snmp/', import.meta.url);
interface Line {
  readonly from: 'manager' | 'agent';
  readonly hex: string;
}
const recorded = (name: string): Buffer[] =>
  (JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as Line[]).map(({ hex }) =>
    Buffer.from(hex, 'hex'),
  );
const keysFor = (engineId: Buffer): Keys => ({
  auth: localizedKey('golden-auth', engineId),
  priv: localizedKey('golden-priv', engineId),
});

function open(datagram: Buffer): Scoped {
  const message = readMessage(datagram);
  if (message.version !== 3) throw new Error('not version 3');
  const scoped = openSecure(datagram, message, keysFor(message.security.engineId));
  if (scoped === undefined) throw new Error('its digest is wrong');
  return scoped;
}

const shown = (pdu: Pdu) => ({ ...pdu, id: 0 });

test('a question of v2c and its answer', () => {
  const [question, answer] = recorded('01-v2c-get').map((datagram) => {
    const message = readMessage(datagram);
    if (message.version !== 1) throw new Error('not version 2c');
    expect(message.community.toString()).toBe('golden');
    // Written again from what was read, it is the same to the octet.
    expect(writeCommunity(message.community, message.pdu)).toEqual(datagram);
    return message.pdu;
  });
  expect(question?.varbinds.map(({ oid }) => oid)).toEqual([
    Oid.sysName,
    `${Oid.dot1qVlanStaticEgressPorts}.1`,
  ]);
  expect(answer).toMatchObject({
    type: PduType.Response,
    status: 0,
    varbinds: [{ value: octets('golden') }, { value: octets(Buffer.from('c0000000', 'hex')) }],
  });
});

test('a discovery of v3, and a SET that is sealed', () => {
  const [discovery, report, set, done] = recorded('02-v3-set');
  expect(open(discovery as Buffer).pdu).toMatchObject({ type: PduType.Get, varbinds: [] });
  expect(open(report as Buffer).pdu).toMatchObject({
    type: PduType.Report,
    varbinds: [{ oid: '1.3.6.1.6.3.15.1.1.4.0' }],
  });
  const varbinds = [
    { oid: `${Oid.dot1qVlanStaticRowStatus}.5`, value: integer(4) },
    { oid: `${Oid.dot1qVlanStaticEgressPorts}.5`, value: octets(Buffer.from('c0000000', 'hex')) },
    { oid: `${Oid.dot1qPvid}.1`, value: gauge(5) },
  ];
  expect(shown(open(set as Buffer).pdu)).toEqual({ type: PduType.Set, id: 0, status: 0, index: 0, varbinds });
  expect(shown(open(done as Buffer).pdu)).toEqual({
    type: PduType.Response,
    id: 0,
    status: 0,
    index: 0,
    varbinds,
  });
});

test.each(readdirSync(folder).filter((name) => name.includes('v3')))(
  'every sealed datagram in %s: one bit away it is refused, sealed again it is one that opens',
  (name) => {
    for (const datagram of recorded(name.replace('.json', ''))) {
      const message = readMessage(datagram);
      if (message.version !== 3 || message.flags === 4 || message.flags === 0) continue;
      const scoped = open(datagram);
      const { id, flags, security, salt } = message;
      const again = writeSecure({ id, flags, security }, scoped, keysFor(security.engineId), salt);
      expect(open(again)).toEqual(scoped);
      const bad = Buffer.from(datagram);
      bad[bad.length - 1] = (bad[bad.length - 1] as number) ^ 1;
      expect(() => open(bad)).toThrow();
    }
  },
);
