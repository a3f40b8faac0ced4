import { createSocket } from 'node:dgram';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { DriverEvent } from '../../../src/drivers/events.ts';
import {
  BerReader,
  compareOids,
  counter64,
  END_OF_MIB,
  gauge,
  integer,
  NO_SUCH_INSTANCE,
  octets,
  oidParts,
  oidValue,
  ticks,
  type Value,
  writeOid,
  writeValue,
} from '../../../src/drivers/snmp/ber.ts';
import {
  Flag,
  localizedKey,
  openSecure,
  type Pdu,
  PduType,
  readMessage,
  writeCommunity,
  writeSecure,
} from '../../../src/drivers/snmp/codec.ts';
import { looksLikeText, readPorts, writePorts } from '../../../src/drivers/snmp/portlist.ts';
import { SnmpSession } from '../../../src/drivers/snmp/session.ts';
import { wallClock } from '../../../src/kernel/clock.ts';

const oid = fc
  .tuple(
    fc.constantFrom('1.3', '1.0', '0.1', '2.100'),
    fc.array(fc.oneof(fc.nat(300), fc.constant(4_294_967_295)), { maxLength: 20 }),
  )
  .map(([head, tail]) => [head, ...tail].join('.'));
const value: fc.Arbitrary<Value> = fc.oneof(
  fc.integer().map(integer),
  fc.nat(4_294_967_295).map(gauge),
  fc.nat(4_294_967_295).map(ticks),
  fc.uint8Array({ maxLength: 400 }).map((bytes) => octets(Buffer.from(bytes))),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(counter64),
  oid.map(oidValue),
  fc.constantFrom(NO_SUCH_INSTANCE, END_OF_MIB),
);
const pdu: fc.Arbitrary<Pdu> = fc.record({
  type: fc.constantFrom(...Object.values(PduType)),
  id: fc.integer(),
  status: fc.nat(18),
  index: fc.nat(100),
  varbinds: fc.array(fc.record({ oid, value }), { maxLength: 12 }),
});

describe('BER', () => {
  test('what is written is read', () => {
    fc.assert(
      fc.property(value, (v) => {
        expect(new BerReader(writeValue(v)).value()).toEqual(v);
      }),
    );
  });

  test.each([
    [integer(0), '020100'],
    [integer(127), '02017f'],
    [integer(128), '02020080'],
    [integer(-1), '0201ff'],
    [integer(-129), '0202ff7f'],
    [gauge(4_294_967_295), '420500ffffffff'],
    [oidValue('1.3.6.1.4.1.2680'), '06072b060104019478'],
    [oidValue('2.100.3'), '0603813403'],
    [octets('hi'), '04026869'],
  ])('%o is %s (X.690)', (v, hex) => {
    expect(writeValue(v).toString('hex')).toBe(hex);
  });

  test('OIDs are ordered by their parts, not their text', () => {
    const sorted = ['1.3.10', '1.3.9', '1.3', '1.3.9.1'].toSorted((a, b) =>
      compareOids(oidParts(a), oidParts(b)),
    );
    expect(sorted).toEqual(['1.3', '1.3.9', '1.3.9.1', '1.3.10']);
  });

  test.each(['', '1', '1.x', '1.-3', '1.3.4294967296'])('%j is no OID', (text) => {
    expect(() => writeOid(text)).toThrow('not an OID');
  });
});

describe('messages', () => {
  const engineId = Buffer.from('8000000004616263', 'hex');
  const keys = { auth: localizedKey('auth-secret', engineId), priv: localizedKey('priv-secret', engineId) };

  test('of v2c come back', () => {
    fc.assert(
      fc.property(pdu, (p) => {
        expect(readMessage(writeCommunity(Buffer.from('c'), p))).toEqual({
          version: 1,
          community: Buffer.from('c'),
          pdu: p,
        });
      }),
    );
  });

  test('of v3 come back when sealed, and any flipped bit is noticed', () => {
    fc.assert(
      fc.property(
        pdu,
        fc.nat(),
        fc.nat(2 ** 31 - 1),
        fc.integer({ min: 0, max: 3 }),
        fc.nat(7),
        (p, where, time, level, bit) => {
          const flags = [0, Flag.Auth, Flag.Auth | Flag.Priv, Flag.Auth | Flag.Priv][level] as number;
          const scoped = { contextEngineId: engineId, contextName: Buffer.alloc(0), pdu: p };
          const security = { engineId, boots: 3, time, user: 'u' };
          const bytes = writeSecure({ id: 5, flags, security }, scoped, keys, Buffer.from('12345678'));
          const message = readMessage(bytes);
          if (message.version !== 3) throw new Error('not version 3');
          expect(message.security).toEqual(security);
          expect(openSecure(bytes, message, keys)).toEqual(scoped);
          if (flags === 0) return;
          const bad = Buffer.from(bytes);
          bad[where % bad.length] = (bad[where % bad.length] as number) ^ (1 << bit);
          let opened: unknown;
          try {
            const changed = readMessage(bad);
            if (changed.version !== 3 || (changed.flags & Flag.Auth) === 0) return;
            opened = openSecure(bad, changed, keys);
          } catch {
            return;
          }
          expect(opened).toBeUndefined();
        },
      ),
      { numRuns: 300 },
    );
  });

  test('noise never does more than throw a small error', () => {
    const real = writeCommunity(Buffer.from('c'), {
      type: PduType.Get,
      id: 1,
      status: 0,
      index: 0,
      varbinds: [{ oid: '1.3.6', value: integer(1) }],
    });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(real.length - 1), (noise, cut) => {
        for (const bytes of [
          Buffer.from(noise),
          Buffer.concat([real.subarray(0, cut), Buffer.from(noise)]),
        ]) {
          try {
            readMessage(bytes);
          } catch (error) {
            expect((error as Error).name).toBe('BerError');
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('port lists', () => {
  test('the most significant bit of the first octet is port 1', () => {
    expect(writePorts([1, 8, 9], 3).toString('hex')).toBe('818000');
    expect([...readPorts(Buffer.from('818000', 'hex'))]).toEqual([1, 8, 9]);
  });

  test('keep ports and length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
        expect(writePorts(readPorts(bytes), bytes.length)).toEqual(Buffer.from(bytes));
      }),
    );
  });

  test('have no room for a port beyond their length', () => {
    expect(() => writePorts([25], 3)).toThrow(/beyond/);
  });

  test.each([
    ['1,5,7', 24, true],
    ['513', 600, true],
    ['1', 8, false],
    ['\u0080\u0000\u0000', 24, false],
    ['', 24, false],
  ])('%j of a switch with %d ports: is it text? %s', (text, highest, is) => {
    expect(looksLikeText(Buffer.from(text, 'latin1'), highest)).toBe(is);
  });
});

describe('a session', () => {
  const open: (() => void)[] = [];
  afterEach(() => {
    for (const close of open.splice(0)) close();
  });

  /** An agent whose answer to every datagram is what `answer` makes of it. */
  async function agent(
    answer: (request: Buffer, reply: (bytes: Buffer) => void) => void,
    version: 'v2c' | 'v3' = 'v2c',
    // Long where an answer comes, so that a busy machine fails nothing; short where none is to come.
    waitMs = 2_000,
  ) {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    socket.on('message', (bytes, from) => answer(bytes, (out) => socket.send(out, from.port, from.address)));
    const events: DriverEvent[] = [];
    const session = new SnmpSession(
      {
        device: 'sw',
        host: '127.0.0.1',
        port: socket.address().port,
        getMs: waitMs,
        setMs: waitMs,
        credentials:
          version === 'v2c'
            ? { version, community: () => 'canary' }
            : { version, user: 'u', authKey: () => 'canary-auth', privKey: () => 'canary-priv' },
      },
      wallClock(),
      (event) => events.push(event),
    );
    open.push(
      () => session.close(),
      () => socket.close(),
    );
    return { session, events, socket };
  }

  const respond = (request: Buffer, change: (p: Pdu) => Partial<Pdu>, community = 'canary'): Buffer => {
    const message = readMessage(request);
    if (message.version !== 1) throw new Error('not version 2c');
    return writeCommunity(Buffer.from(community), {
      ...message.pdu,
      type: PduType.Response,
      ...change(message.pdu),
    });
  };

  test('attack 84: takes an exception in the answer to a SET as a failure that may have happened', async () => {
    const { session } = await agent((request, reply) =>
      reply(
        respond(request, (p) => ({ varbinds: p.varbinds.map((v) => ({ ...v, value: NO_SUCH_INSTANCE })) })),
      ),
    );
    await expect(session.set([{ oid: '1.3.6.1', value: integer(1) }])).rejects.toMatchObject({
      kind: 'protocol',
      sent: true,
    });
  });

  test('hands exceptions on as values when it asks', async () => {
    const { session } = await agent((request, reply) =>
      reply(
        respond(request, (p) => ({ varbinds: p.varbinds.map((v) => ({ ...v, value: NO_SUCH_INSTANCE })) })),
      ),
    );
    expect(await session.get(['1.3.6.1'])).toEqual([NO_SUCH_INSTANCE]);
  });

  test('refuses an answer about something else', async () => {
    const { session } = await agent((request, reply) =>
      reply(respond(request, () => ({ varbinds: [{ oid: '1.3.9.9', value: integer(7) }] }))),
    );
    await expect(session.get(['1.3.6.1'])).rejects.toMatchObject({ kind: 'protocol' });
  });

  test('refuses an answer with another community', async () => {
    const { session } = await agent((request, reply) => reply(respond(request, () => ({}), 'other')));
    await expect(session.get(['1.3.6.1'])).rejects.toMatchObject({ kind: 'protocol' });
  });

  test('attack 84: never hears an answer from another address', async () => {
    const other = createSocket('udp4');
    await new Promise<void>((resolve) => other.bind(0, '127.0.0.1', resolve));
    open.push(() => other.close());
    const { session, socket } = await agent(() => {}, 'v2c', 200);
    socket.on('message', (request, from) =>
      other.send(
        respond(request, () => ({})),
        from.port,
        from.address,
      ),
    );
    await expect(session.get(['1.3.6.1'])).rejects.toMatchObject({ kind: 'timeout' });
  });

  test('never takes an unsigned answer to a signed question', async () => {
    const engineId = Buffer.from('8000000004616263', 'hex');
    let asked = 0;
    const { session, events } = await agent(
      (request, reply) => {
        const message = readMessage(request);
        if (message.version !== 3) return;
        asked += 1;
        const p: Pdu =
          asked === 1
            ? {
                type: PduType.Report,
                id: 0,
                status: 0,
                index: 0,
                varbinds: [{ oid: '1.3.6.1.6.3.15.1.1.4.0', value: integer(1) }],
              }
            : {
                type: PduType.Response,
                id: 1,
                status: 0,
                index: 0,
                varbinds: [{ oid: '1.3.6.1', value: integer(666) }],
              };
        reply(
          writeSecure(
            { id: message.id, flags: 0, security: { engineId, boots: 1, time: 1, user: 'u' } },
            { contextEngineId: engineId, contextName: Buffer.alloc(0), pdu: p },
          ),
        );
      },
      'v3',
      400,
    );
    await expect(session.get(['1.3.6.1'])).rejects.toMatchObject({ kind: 'timeout' });
    expect(asked).toBeGreaterThan(1);
    expect(events).toContainEqual(
      expect.objectContaining({ event: 'device.stray_answer', detail: 'less protected than the session' }),
    );
  });

  test('asks a question twice, and sends a SET once', async () => {
    let asked = 0;
    const { session } = await agent(
      () => {
        asked += 1;
      },
      'v2c',
      200,
    );
    await expect(session.get(['1.3.6.1'])).rejects.toMatchObject({ kind: 'timeout', sent: false });
    expect(asked).toBe(2);
    await expect(session.set([{ oid: '1.3.6.1', value: integer(1) }])).rejects.toMatchObject({
      kind: 'timeout',
      sent: true,
    });
    expect(asked).toBe(3);
  });

  test('asks for half as much when it is told that it is too big', async () => {
    const sizes: number[] = [];
    const { session } = await agent((request, reply) => {
      reply(
        respond(request, (p) => {
          sizes.push(p.index);
          if (p.index > 6) return { status: 1, index: 0, varbinds: [] };
          return { status: 0, index: 0, varbinds: [{ oid: '1.3.7', value: integer(1) }] };
        }),
      );
    });
    expect((await session.walk('1.3.6')).size).toBe(0);
    expect(sizes).toEqual([24, 12, 6]);
  });

  test('stops at an agent that walks in circles', async () => {
    const { session } = await agent((request, reply) =>
      reply(
        respond(request, () => ({
          status: 0,
          index: 0,
          varbinds: [
            { oid: '1.3.6.1', value: integer(1) },
            { oid: '1.3.6.1', value: integer(1) },
          ],
        })),
      ),
    );
    await expect(session.walk('1.3.6')).rejects.toMatchObject({ kind: 'protocol' });
  });

  test('survives noise, tells no secret', async () => {
    const { session, events } = await agent(
      (_request, reply) => {
        reply(Buffer.from('hello'));
        reply(Buffer.alloc(0));
        reply(Buffer.alloc(2000, 0x30));
      },
      'v2c',
      200,
    );
    const error: unknown = await session.get(['1.3.6.1']).catch((e: unknown) => e);
    expect(error).toMatchObject({ kind: 'timeout' });
    expect(JSON.stringify([String(error), events])).not.toContain('canary');
    expect(events.some((e) => e.event === 'device.stray_answer')).toBe(true);
  });
});
