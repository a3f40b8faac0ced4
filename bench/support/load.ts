/**
 * The load generator, a process of its own: asks for circuits of a coming month, FIXED ones or with a window of
 * twice their duration, so many at a time over kept connections, and prints one JSON line of what it saw. Its
 * randomness comes from a seed.
 *
 *   node --import tsx bench/support/load.ts '{"url":..., "token":..., "requests":..., "inFlight":..., "seed":...}'
 */
import { Pool } from 'undici';
import { stopwatch } from '../../src/kernel/clock.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { benchPorts } from './topology.ts';

export interface LoadAsk {
  readonly url: string;
  readonly token: string;
  readonly requests: number;
  readonly inFlight: number;
  readonly seed: number;
  /** With a window to be placed and moved in. */
  readonly flexible?: boolean;
  /** Every request takes this path and body as they are, instead of a circuit. */
  readonly bare?: boolean;
}

export interface LoadReport {
  readonly accepted: number;
  readonly refused: number;
  readonly failed: number;
  readonly seconds: number;
  /** A sample of at most 20,000 response times. */
  readonly ms: readonly number[];
}

const MONTH_S = 30 * 86_400;

async function drive(ask: LoadAsk): Promise<LoadReport> {
  const pool = new Pool(ask.url, { connections: ask.inFlight, pipelining: 1 });
  const random = seededRandom(ask.seed);
  const ports = benchPorts();
  const base = Math.ceil(Date.now() / 1000) + 86_400;
  const iso = (s: number): string => `${new Date(s * 1000).toISOString().slice(0, 19)}Z`;
  const body = (): string => {
    const a = random.int(ports.length);
    const z = (a + 1 + random.int(ports.length - 1)) % ports.length;
    const start = base + random.int(MONTH_S);
    const duration = 600 + random.int(7_200);
    const fixed = { type: 'FIXED', start_time: iso(start), end_time: iso(start + duration) };
    const flexible = {
      type: 'FLEXIBLE',
      duration_s: duration,
      not_before_time: iso(start),
      deadline_time: iso(start + 2 * duration),
    };
    return JSON.stringify({
      project: 'lhc',
      a: { port: ports[a] },
      z: { port: ports[z] },
      bandwidth_mbps: 100 + random.int(900),
      schedule: ask.flexible === true ? flexible : fixed,
    });
  };
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${ask.token}` };
  const count = { accepted: 0, refused: 0, failed: 0 };
  const ms: number[] = [];
  let sent = 0;
  const worker = async (): Promise<void> => {
    while (sent < ask.requests) {
      sent++;
      const began = stopwatch();
      const { statusCode, body: answer } = await pool.request({
        method: 'POST',
        path: '/v1/circuits',
        headers,
        body: body(),
      });
      const text = await answer.text();
      if (ms.length < 20_000) ms.push(stopwatch() - began);
      if (statusCode === 201) count.accepted++;
      else if (statusCode === 409) count.refused++;
      else {
        count.failed++;
        if (count.failed === 1) process.stderr.write(`load: ${statusCode} ${text.slice(0, 500)}\n`);
      }
    }
  };
  const began = stopwatch();
  await Promise.all(Array.from({ length: ask.inFlight }, worker));
  const seconds = (stopwatch() - began) / 1000;
  await pool.close();
  return { ...count, seconds, ms };
}

process.stdout.write(`${JSON.stringify(await drive(JSON.parse(process.argv[2] ?? '{}') as LoadAsk))}\n`);
