/** Two hosts and a switch in network namespaces: the ping passes only while the circuit is lit, at the rate booked. */
import { execFileSync, spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Executor } from '../../src/drivers/executor.ts';
import { tl1Dialects } from '../../src/drivers/tl1/dialects/index.ts';
import { Tl1Driver } from '../../src/drivers/tl1/driver.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { PatchPanel } from '../../src/lab/dataplane.ts';
import { Tl1Element } from '../../src/lab/tl1/element.ts';
import type { Segment } from '../../src/model/circuit.ts';
import { clock, contextOf } from '../drivers/path-lab.ts';
import { withTools } from './needs.ts';

const tag = `${process.pid % 100_000}`;
const [h1, sw, h2] = [`tpa${tag}`, `tps${tag}`, `tpz${tag}`];
const ip = (...words: string[]): string => execFileSync('ip', words, { encoding: 'utf8' });
const pings = (): boolean => {
  try {
    ip('netns', 'exec', h1, 'ping', '-c', '2', '-i', '0.2', '-W', '1', '10.99.0.2');
    return true;
  } catch {
    return false;
  }
};

/** What arrives in two seconds of one TCP connection, in Mb/s. */
async function rate(): Promise<number> {
  const receiver = spawn('ip', ['netns', 'exec', h2, process.execPath, '-e', RECEIVE], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  const ready = new Promise<void>((resolve) => {
    receiver.stdout.on('data', (data) => {
      out += String(data);
      if (out.includes('ready')) resolve();
    });
  });
  await ready;
  const sender = spawn('ip', ['netns', 'exec', h1, process.execPath, '-e', SEND], { stdio: 'ignore' });
  await new Promise((resolve) => receiver.on('exit', resolve));
  sender.kill();
  return Number(out.replace('ready', ''));
}

const RECEIVE = `
const server = require('net').createServer((socket) => {
  let bytes = 0, start;
  socket.on('data', (data) => {
    const now = performance.now();
    // The first half second is the sender's and the bucket's to start in.
    if (start === undefined) start = now + 500;
    if (now < start) return;
    bytes += data.length;
    if (now - start > 2000) { console.log(bytes * 8 / (now - start) / 1e3); process.exit(0); }
  });
}).listen(5001, '10.99.0.2', () => console.log('ready'));`;
const SEND = `
const socket = require('net').connect(5001, '10.99.0.2');
const block = Buffer.alloc(65536);
const more = () => { while (socket.write(block)); };
socket.on('connect', more).on('drain', more).on('error', () => process.exit(0));`;

withTools('a circuit carries packets', ['namespaces', 'ip', 'tc', 'ping'], () => {
  const element = new Tl1Element(
    { id: 'ne', dialect: 'ome6500', ports: [{ name: '1-5-1' }, { name: '1-6-1' }], user: 'u', password: 'p' },
    clock,
    seededRandom(1),
  );
  const panel = new PatchPanel(
    sw,
    new Map([
      ['1-5-1', 'p1'],
      ['1-6-1', 'p2'],
    ]),
  );
  let executor: Executor;

  beforeAll(async () => {
    for (const name of [h1, sw, h2]) ip('netns', 'add', name);
    ip('link', 'add', 'e0', 'netns', h1, 'type', 'veth', 'peer', 'name', 'p1', 'netns', sw);
    ip('link', 'add', 'e0', 'netns', h2, 'type', 'veth', 'peer', 'name', 'p2', 'netns', sw);
    ip('-n', h1, 'addr', 'add', '10.99.0.1/24', 'dev', 'e0');
    ip('-n', h2, 'addr', 'add', '10.99.0.2/24', 'dev', 'e0');
    for (const [name, device] of [
      [h1, 'e0'],
      [h2, 'e0'],
      [sw, 'p1'],
      [sw, 'p2'],
    ] as const) {
      ip('-n', name, 'link', 'set', device, 'up');
    }
    element.matrix.onChange(() => {
      const slots = new Map<string, number>();
      for (const { from, to } of element.matrix.list()) {
        const pair = [from, to].map((aid) => /^STS\d+C-(\d+-\d+-\d+)-/.exec(aid)?.[1] ?? '').join(' ');
        slots.set(pair, (slots.get(pair) ?? 0) + 1);
      }
      const patches = [...slots].map(([pair, count]) => {
        const [a = '', z = ''] = pair.split(' ');
        return { a, z, mbps: (count * 1_000) / 7 };
      });
      panel.follow(patches).catch(() => {});
    });
    const port = await element.listen();
    executor = new Executor({
      drivers: [
        new Tl1Driver(
          { device: 'ne', host: '127.0.0.1', port, user: 'u', password: () => 'p' },
          (tl1Dialects['ome6500'] as (typeof tl1Dialects)[string])(),
          clock,
          () => {},
        ),
      ],
      clock,
      random: seededRandom(1),
      tell: () => {},
    });
  });

  afterAll(async () => {
    await executor?.close();
    await element.close();
    for (const name of [h1, sw, h2]) {
      try {
        ip('netns', 'del', name);
      } catch {
        // It was never made.
      }
    }
  });

  const segment: Segment = {
    domain: 'd',
    local: true,
    a: { port: 'd:a' },
    z: { port: 'd:z' },
    links: [],
    latencyMs: 0,
    uses: [],
    hops: [{ device: 'ne', in: { port: '1-5-1', label: 1 }, out: { port: '1-6-1', label: 1 } }],
    agreed: 'COMMITTED',
    light: 'LIGHTING',
  };

  test('only while it is lit, and at the rate that was booked', async () => {
    expect(pings()).toBe(false);
    const booked = 285;
    expect(await executor.light(segment, contextOf({ mbps: booked }))).toMatchObject({ ok: true });
    await panel.settled();
    expect(pings()).toBe(true);
    const measured = await rate();
    expect(measured).toBeGreaterThan(booked * 0.9);
    expect(measured).toBeLessThan(booked * 1.1);
    expect(await executor.dark(segment, contextOf({ mbps: booked }))).toMatchObject({ ok: true });
    await panel.settled();
    expect(pings()).toBe(false);
  }, 60_000);
});

test('names that are none are not handed to the kernel', () => {
  expect(() => new PatchPanel('a b', new Map())).toThrow(/not the name/);
  expect(() => new PatchPanel('ns', new Map([['1', '-all']]))).toThrow(/not the name/);
});
