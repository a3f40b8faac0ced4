import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { DriverEvent } from '../../../src/drivers/events.ts';
import { formatAutonomous, formatResponse, parseCommand } from '../../../src/drivers/tl1/format.ts';
import { Tl1Session } from '../../../src/drivers/tl1/session.ts';
import { sleep, stopwatch, wallClock } from '../../../src/kernel/clock.ts';
import { seededRandom } from '../../../src/kernel/random.ts';
import { Tl1Element } from '../../../src/lab/tl1/element.ts';

const clock = wallClock();
const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

/** An element that answers as the test says. */
async function scripted(onCommand: (text: string, ctag: string, socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (data) => {
      for (const text of data.toString().split(';').filter(Boolean)) {
        const ctag = parseCommand(text)?.ctag ?? '';
        if (text.startsWith('ACT-USER') || text.startsWith('CANC-USER')) {
          socket.write(formatResponse('ne', 0, ctag, 'COMPLD'));
        } else onCommand(text, ctag, socket);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  open.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port, sockets };
}

function session(port: number, over: { depth?: number; keepAliveMs?: number } = {}) {
  const events: DriverEvent[] = [];
  const made = new Tl1Session(
    { device: 'ne', host: '127.0.0.1', port, user: 'u', password: () => 'canary', depth: 4, ...over },
    clock,
    (event) => events.push(event),
  );
  open.push(() => made.close());
  return { session: made, events };
}

const hdr = { verb: 'RTRV-HDR' };

describe('answers', () => {
  test('attack 85: with a wrong CTAG settle nothing and are told', async () => {
    const { port } = await scripted((_text, ctag, socket) => {
      socket.write(formatResponse('ne', 0, '4711', 'COMPLD', ['"not yours"']));
      socket.write(formatAutonomous('ne', 0, 'A', '1', 'REPT EVT', ['"x"']));
      setTimeout(() => socket.write(formatResponse('ne', 0, ctag, 'COMPLD', ['"yours"'])), 20);
    });
    const { session: s, events } = session(port);
    expect((await s.send(hdr, 1000)).response.lines).toEqual(['"yours"']);
    expect(events).toContainEqual({ event: 'device.stray_answer', device: 'ne', detail: 'CTAG 4711' });
  });

  test('that come late are strays', async () => {
    const { port } = await scripted((_text, ctag, socket) => {
      setTimeout(() => socket.write(formatResponse('ne', 0, ctag, 'COMPLD')), 80);
    });
    const { session: s, events } = session(port);
    await expect(s.send(hdr, 30)).rejects.toMatchObject({ kind: 'timeout', sent: true });
    await sleep(clock, 100);
    expect(events.map((e) => e.event)).toContain('device.stray_answer');
  });

  test('attack 85: of 1 MB without a terminator fail, and memory stays bounded', async () => {
    const { port } = await scripted((_text, ctag, socket) => {
      socket.write(`\r\n\n   ne 26-01-01 00:00:00\r\nM  ${ctag} COMPLD\r\n`);
      socket.write(Buffer.alloc(1_048_576, 'x'));
    });
    const { session: s } = session(port);
    await expect(s.send(hdr, 2000)).rejects.toMatchObject({ kind: 'protocol', sent: true });
  });

  test('RL means busy, and nothing was done', async () => {
    const { port } = await scripted((_text, ctag, socket) => socket.write(`RL ${ctag}\r\n<`));
    const { session: s } = session(port);
    await expect(s.send(hdr, 1000)).rejects.toMatchObject({ kind: 'busy', sent: false });
  });

  test('PLNA leads to one new login and one more try', async () => {
    let asked = 0;
    const { port } = await scripted((_text, ctag, socket) => {
      asked += 1;
      socket.write(
        asked === 1
          ? formatResponse('ne', 0, ctag, 'DENY', ['PLNA'])
          : formatResponse('ne', 0, ctag, 'COMPLD'),
      );
    });
    const { session: s } = session(port);
    expect((await s.send(hdr, 1000)).response.code).toBe('COMPLD');
    expect(asked).toBe(2);
  });

  test('are lost with the connection, said so, and the next command connects again', async () => {
    let drop = true;
    const { port } = await scripted((_text, ctag, socket) => {
      if (drop) socket.destroy();
      else socket.write(formatResponse('ne', 0, ctag, 'COMPLD'));
    });
    const { session: s } = session(port);
    await expect(s.send(hdr, 1000)).rejects.toMatchObject({ kind: 'unreachable', sent: true });
    drop = false;
    expect((await s.send(hdr, 1000)).response.code).toBe('COMPLD');
  });
});

describe('pipelining', () => {
  test('keeps to its depth and overtakes one by one', async () => {
    const element = new Tl1Element(
      {
        id: 'ne',
        dialect: 'ome6500',
        ports: [{ name: '1-1-1' }],
        user: 'u',
        password: 'canary',
        faults: { readMs: 50 },
      },
      clock,
      seededRandom(1),
    );
    const port = await element.listen();
    open.push(() => element.close());
    const run = async (depth: number): Promise<number> => {
      const { session: s } = session(port, { depth });
      await s.open();
      const start = stopwatch();
      await Promise.all(
        Array.from({ length: 7 }, () => s.send({ verb: 'RTRV-CRS-ALL', aid: ['ALL'] }, 2000)),
      );
      return stopwatch() - start;
    };
    const [one, seven] = [await run(1), await run(7)];
    expect(one).toBeGreaterThan(7 * 45);
    expect(seven).toBeLessThan(one / 3);
  });
});

describe('autonomous messages', () => {
  test('a gap in their numbers is told, once', async () => {
    const { port, sockets } = await scripted(() => {});
    const { session: s, events } = session(port);
    let lost = 0;
    s.onLoss(() => {
      lost += 1;
    });
    await s.open();
    for (const atag of ['7', '8', '11', '12']) {
      sockets[0]?.write(formatAutonomous('ne', 0, 'A', atag, 'REPT EVT', ['"x"']));
    }
    await sleep(clock, 50);
    expect(lost).toBe(1);
    expect(events).toContainEqual({ event: 'device.events_lost', device: 'ne', from: '8', to: '11' });
  });

  test('numbers that begin again are a restart', async () => {
    const { port, sockets } = await scripted(() => {});
    const { session: s, events } = session(port);
    await s.open();
    for (const atag of ['70', '71', '1', '2']) {
      sockets[0]?.write(formatAutonomous('ne', 0, 'A', atag, 'REPT EVT', ['"x"']));
    }
    await sleep(clock, 50);
    expect(events.filter((e) => e.event === 'device.rebooted')).toHaveLength(1);
    expect(events.filter((e) => e.event === 'device.events_lost')).toHaveLength(0);
  });
});

describe('keeping alive', () => {
  test('asks RTRV-HDR when idle, and drops a session that no longer answers', async () => {
    let asked = 0;
    const { port } = await scripted((text, ctag, socket) => {
      expect(text).toMatch(/^RTRV-HDR/);
      asked += 1;
      if (asked < 3) socket.write(formatResponse('ne', 0, ctag, 'COMPLD'));
      else socket.destroy();
    });
    const { session: s, events } = session(port, { keepAliveMs: 20 });
    await s.open();
    await sleep(clock, 150);
    expect(asked).toBe(3);
    expect(s.isOpen).toBe(false);
    expect(events.map((e) => e.event)).toContain('device.unreachable');
  });
});

describe('connecting', () => {
  test('to nobody is told as such', async () => {
    const { session: s } = session(1);
    await expect(s.open()).rejects.toMatchObject({ kind: 'unreachable', sent: false });
  });

  test('many at once log in once', async () => {
    let logins = 0;
    const element = new Tl1Element(
      { id: 'ne', dialect: 'ons15454', ports: [], user: 'u', password: 'canary' },
      clock,
      seededRandom(1),
    );
    const port = await element.listen();
    open.push(() => element.close());
    const { session: s, events } = session(port);
    await Promise.all(Array.from({ length: 20 }, () => s.open()));
    logins = events.filter((e) => e.event === 'device.connected').length;
    expect(logins).toBe(1);
  });

  test('with a wrong password tells no secret', async () => {
    const element = new Tl1Element(
      { id: 'ne', dialect: 'ome6500', ports: [], user: 'u', password: 'other' },
      clock,
      seededRandom(1),
    );
    const port = await element.listen();
    open.push(() => element.close());
    const { session: s, events } = session(port);
    const error = await s.open().catch((e: unknown) => e);
    expect(error).toMatchObject({ kind: 'credentials' });
    expect(JSON.stringify([events, String(error)])).not.toContain('canary');
  });
});
