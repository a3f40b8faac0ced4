/**
 * A world for the command line: a small HTTP server that answers as a test tells it and remembers what it
 * was asked, strings for streams, and a clock on which short pauses pass at once while long limits pass only
 * when the test says so.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from 'vitest';
import { runCli } from '../../../src/cli/cli.ts';
import type { CliIo } from '../../../src/cli/io.ts';
import { type Clock, type InstantMs, instant } from '../../../src/kernel/clock.ts';

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

export type Reply =
  | { readonly status?: number; readonly body?: unknown; readonly headers?: Record<string, string> }
  /** The request is taken and the connection cut. */
  | 'drop'
  /** Whatever HTTP can do. */
  | ((response: ServerResponse) => void);

/** Answers by `METHOD /path`; the number counts the calls of that route from 0. */
export type Routes = Readonly<Record<string, (seen: Seen, count: number) => Reply>>;

export interface Fake {
  readonly url: string;
  readonly seen: Seen[];
}

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

export async function fake(routes: Routes): Promise<Fake> {
  const seen: Seen[] = [];
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://fake');
      const call: Seen = {
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body: text === '' ? undefined : JSON.parse(text),
      };
      seen.push(call);
      const name = `${call.method} ${call.path}`;
      const count = counts.get(name) ?? 0;
      counts.set(name, count + 1);
      const reply = routes[name]?.(call, count) ?? problem(404, 'NOT_FOUND', `no route ${name}`);
      if (reply === 'drop') request.socket.destroy();
      else if (typeof reply === 'function') reply(response);
      else {
        const status = reply.status ?? 200;
        const type = status >= 400 ? 'application/problem+json' : 'application/json';
        response.writeHead(status, { 'content-type': type, ...reply.headers });
        response.end(reply.body === undefined ? '' : JSON.stringify(reply.body));
      }
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

export const problem = (status: number, code: string, detail: string, more: object = {}): Reply => ({
  status,
  body: { type: `urn:turnpike:problem:${code}`, title: `title of ${code}`, status, code, detail, ...more },
});

/** Starts an event stream; the function writes to it. */
export const sse =
  (begin: (write: (text: string) => void, response: ServerResponse) => void): Reply =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(': connected\n\n');
    begin((text) => response.write(text), response);
  };

export const frame = (id: string, event: object): string => `id: ${id}\ndata: ${JSON.stringify(event)}\n\n`;

/** Pauses of up to `atOnceMs` end in the next turn and move the time on; longer alarms wait for advance(). */
export function hastyClock(start: string, atOnceMs = 6000): Clock & { advance(ms: number): void } {
  let now = Date.parse(start);
  const alarms = new Set<{ at: number; wake: () => void }>();
  return {
    now: () => instant(now),
    alarm(at: InstantMs, wake: () => void) {
      const alarm = { at: at as number, wake };
      if (at - now <= atOnceMs) {
        const handle = setImmediate(() => {
          now = Math.max(now, at);
          wake();
        });
        return () => clearImmediate(handle);
      }
      alarms.add(alarm);
      return () => alarms.delete(alarm);
    },
    advance(ms) {
      now += ms;
      for (const alarm of [...alarms]) {
        if (alarm.at > now) continue;
        alarms.delete(alarm);
        alarm.wake();
      }
    },
  };
}

export const START = '2026-11-20T21:17:03Z';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Options extends Partial<Omit<CliIo, 'stdout' | 'stderr'>> {
  /** Called with each piece that is written to stderr. */
  readonly onTalk?: (text: string) => void;
}

/** Runs a command line (split at spaces; quotes hold words together) against the fake. */
export async function run(
  at: Fake | undefined,
  line: string | readonly string[],
  options: Options = {},
): Promise<Ran> {
  let stdout = '';
  let stderr = '';
  const { onTalk, env, ...rest } = options;
  const argv = typeof line === 'string' ? words(line) : line;
  const code = await runCli(argv, {
    env: { TURNPIKE_TOKEN: 'token-of-alice', ...(at === undefined ? {} : { TURNPIKE_URL: at.url }), ...env },
    stdout: { write: (text) => (stdout += text) },
    stderr: {
      write: (text) => {
        stderr += text;
        onTalk?.(text);
      },
    },
    stdin: (async function* () {})(),
    isTTY: false,
    clock: hastyClock(START),
    interrupt: new AbortController().signal,
    zone: 'UTC',
    ...rest,
  });
  return { code, stdout, stderr };
}

export const words = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');

export const CIRCUIT_ID = 'cir_01k00000000000000000000000';

/** A circuit as the API shows it; `over` replaces fields. */
export const circuit = (state: string, over: object = {}): Record<string, unknown> => ({
  id: CIRCUIT_ID,
  short_code: 'CX47',
  state,
  state_reason: { code: state, detail: `now ${state.toLowerCase()}` },
  revision: 3,
  role: 'HOME',
  owner: 'https://issuer|alice',
  request: {
    project: 'lhc',
    a: { port: 'ams:host1', vlan: 'ANY' },
    z: { port: 'ams:host3', vlan: 'ANY' },
    bandwidth_mbps: 10000,
    provision: 'AUTOMATIC',
    hold_s: 0,
    schedule: { type: 'NOW', duration_s: 7200 },
  },
  placement: {
    start_time: '2026-11-20T21:17:04Z',
    end_time: '2026-11-20T23:17:04Z',
    bandwidth_mbps: 10000,
    a_vlan: 2,
    z_vlan: 3,
    laxity_s: 0,
    slack_s: 0,
    movable: false,
    moves: 0,
  },
  path: { domains: ['ams.example'], links: ['ams-1-2'], latency_ms: 0.5 },
  segments: [],
  conditions: [],
  allowed_actions: ['release', 'cancel'],
  decision_ids: ['dec_1'],
  create_time: '2026-11-20T21:17:03Z',
  update_time: '2026-11-20T21:17:03Z',
  ...over,
});
