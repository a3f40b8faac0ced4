/** The kit by itself: a server with two small routes, over inject and over real sockets. */
import { type AddressInfo, connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Type } from 'typebox';
import { afterEach, describe, expect, it } from 'vitest';
import { sourceOf } from '../../src/http/guard.ts';
import {
  buildServer,
  type HttpServer,
  type ServerLimits,
  type ServerOptions,
} from '../../src/http/server.ts';
import { BrokerError, problems } from '../../src/kernel/errors.ts';
import type { Log, LogEvent } from '../../src/kernel/log.ts';
import { jsonLog } from '../../src/kernel/log.ts';
import { printable } from '../../src/kernel/printable.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { T0 } from '../support/builders.ts';
import { HandClock } from '../support/handClock.ts';

const logged: LogEvent[] = [];
const log: Log = {
  info: (event) => logged.push(event),
  warn: (event) => logged.push(event),
  error: (event) => logged.push(event),
};

let open: HttpServer | undefined;
afterEach(async () => {
  logged.length = 0;
  await open?.close();
  open = undefined;
});

async function server(
  limits: ServerLimits = {},
  ready = true,
  over: Partial<Pick<ServerOptions, 'clock' | 'authenticate'>> = {},
): Promise<HttpServer> {
  const app = await buildServer({
    log,
    clock: new HandClock(T0),
    random: seededRandom(3),
    authenticate: ({ authorization }) => {
      if (authorization === undefined) throw new BrokerError('UNAUTHENTICATED', 'nobody');
      const name = authorization.replace('Bearer ', '');
      const who = { id: `iss|${name}`, name, roles: [], projects: [], assurance: 1 };
      // Some answers are at hand, others take a turn.
      return name === 'slow' ? Promise.resolve(who) : who;
    },
    openapi: { openapi: '3.1.0', info: { title: 'test', version: '1' } },
    limits,
    ...over,
  });
  const visible = { authorisation: 'visible' } as const;
  app.post(
    '/things/:id',
    {
      config: visible,
      schema: {
        querystring: Type.Object({ n: Type.Optional(Type.Integer()) }, { additionalProperties: false }),
        body: Type.Object({ a: Type.Unknown() }, { additionalProperties: true }),
      },
    },
    async (request) => ({ a: request.body.a, n: request.query.n, who: request.principal.id }),
  );
  app.get('/fails', { config: visible }, async () => {
    throw new Error('password=canary-in-message');
  });
  app.get('/refuses', { config: visible }, async () => {
    throw new BrokerError('OVERLOADED', 'busy', { retry_after_s: 7 });
  });
  app.get('/open', { config: { authorisation: 'public' } }, async (request) => ({
    who: request.principal.id,
  }));
  if (ready) await app.ready();
  open = app;
  return app;
}

const auth = { authorization: 'Bearer u' };
const json = { ...auth, 'content-type': 'application/json' };

/** Writes bytes, reads until the other side closes. */
function raw(app: HttpServer, ...chunks: (string | Buffer)[]): Promise<string> {
  const { port } = app.server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      for (const chunk of chunks) socket.write(chunk);
    });
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (data) => {
      text += data;
    });
    socket.on('close', () => resolve(text));
    // What is written after the other side has had enough.
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EPIPE' || error.code === 'ECONNRESET' ? resolve(text) : reject(error),
    );
  });
}
const listen = (app: HttpServer) => app.listen({ port: 0, host: '127.0.0.1' });
const head = (...lines: string[]): string =>
  `${['POST /things/1 HTTP/1.1', 'Host: t', 'Authorization: Bearer u', 'Content-Type: application/json', ...lines].join('\r\n')}\r\n\r\n`;
const problemIn = (text: string) => JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4));

describe('problem documents', () => {
  it.each([
    ['GET', '/nothing', {}, 'NOT_FOUND'],
    ['GET', '/things', {}, 'NOT_FOUND'],
    ['DELETE', '/things/1', {}, 'METHOD_NOT_ALLOWED'],
    ['POST', '/things/1', { accept: 'text/html' }, 'NOT_ACCEPTABLE'],
    ['POST', '/things/1', { accept: 'application/json;q=0' }, 'NOT_ACCEPTABLE'],
    ['POST', '/things/1', { 'content-type': 'text/plain' }, 'UNSUPPORTED_MEDIA_TYPE'],
    ['POST', '/things/1', { 'content-type': 'application/jsonp' }, 'UNSUPPORTED_MEDIA_TYPE'],
    ['POST', '/things/1', { 'content-encoding': 'gzip' }, 'UNSUPPORTED_MEDIA_TYPE'],
    ['GET', '/%zz', {}, 'INVALID_REQUEST'],
    ['GET', '/refuses', {}, 'OVERLOADED'],
    ['GET', '/fails', {}, 'INTERNAL'],
  ] as const)('%s %s %j is %s', async (method, url, headers, code) => {
    const app = await server();
    const response = await app.inject({
      method,
      url,
      headers: { ...json, ...headers },
      ...(method === 'POST' ? { payload: '{"a":1}' } : {}),
    });
    expect(response.statusCode).toBe(problems[code].status);
    expect(response.headers['content-type']).toContain('application/problem+json');
    const body = response.json();
    expect(body).toMatchObject({
      type: `urn:turnpike:problem:${code}`,
      title: problems[code].title,
      status: problems[code].status,
      code,
      request_id: response.headers['x-request-id'],
    });
    expect(response.body).not.toContain('canary');
    expect(response.body).not.toContain('.ts');
  });

  it('405 says what is allowed, 503 when to come back, 401 how to come in', async () => {
    const app = await server();
    const notAllowed = await app.inject({ method: 'PUT', url: '/things/1' });
    expect(notAllowed.headers['allow']).toBe('POST');
    const busy = await app.inject({ url: '/refuses', headers: auth });
    expect(busy.headers['retry-after']).toBe('7');
    const nobody = await app.inject({ url: '/refuses' });
    expect([nobody.statusCode, nobody.headers['www-authenticate']]).toEqual([401, 'Bearer realm="turnpike"']);
  });

  it('a bug is told to the log with its id, and to nobody else', async () => {
    const app = await server();
    const response = await app.inject({ url: '/fails', headers: auth });
    const failed = logged.find((event) => event.event === 'http.failed');
    expect(failed).toMatchObject({ request_id: response.json().request_id });
    expect(failed?.event === 'http.failed' && failed.error).toContain('canary-in-message');
  });

  it('reading the principal where nobody was authenticated is a bug, not somebody', async () => {
    const app = await server();
    expect((await app.inject({ url: '/open', headers: auth })).json().code).toBe('INTERNAL');
  });
});

describe('the head of a request', () => {
  it('brings an id, or gets one', async () => {
    const app = await server();
    const id = async (given?: string) =>
      (
        await app.inject({
          url: '/refuses',
          headers: { ...auth, ...(given === undefined ? {} : { 'x-request-id': given }) },
        })
      ).headers['x-request-id'];
    expect(await id('abc-1')).toBe('abc-1');
    expect(await id()).toMatch(/^req_/);
    for (const bad of ['', 'a b', 'x'.repeat(129), '\u001b[31mred', 'a\tb'])
      expect(await id(bad)).toMatch(/^req_/);
  });

  it('brings a trace, which goes on when it is one', async () => {
    const app = await server();
    const trace = async (traceparent: string) =>
      (await app.inject({ url: '/refuses', headers: { ...auth, traceparent } })).headers['traceparent'];
    const good = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    expect(await trace(good)).toBe(good);
    for (const bad of [`00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`, 'x', good.toUpperCase(), `${good}-x`]) {
      expect(await trace(bad)).toBeUndefined();
    }
  });

  it.each([
    '*/*',
    'application/*',
    'text/html, application/json;q=0.5',
    'APPLICATION/JSON',
    'a/b;q=0,*/*;q=0.1',
  ])('that accepts %s is answered', async (accept) => {
    const app = await server();
    const response = await app.inject({ url: '/refuses', headers: { ...auth, accept } });
    expect(response.statusCode).toBe(503);
  });

  it('attack 77: two Authorizations are none, not the first', async () => {
    const app = await server();
    await listen(app);
    const text = await raw(
      app,
      head('Authorization: Bearer other', 'Content-Length: 7', 'Connection: close'),
      '{"a":1}',
    );
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(problemIn(text).detail).toContain('authorization');
  });

  it.each([
    ['two Content-Lengths', ['Content-Length: 7', 'Content-Length: 8'], 400],
    ['two equal Content-Lengths', ['Content-Length: 7', 'Content-Length: 7'], 400],
    ['Content-Length and chunks', ['Content-Length: 7', 'Transfer-Encoding: chunked'], 400],
    ['a Content-Length that is no number', ['Content-Length: 7x'], 400],
    ['two Content-Types', ['Content-Length: 7', 'Content-Type: text/plain', 'Connection: close'], 400],
    ['64 kB of one header', [`X-Long: ${'x'.repeat(65_536)}`, 'Content-Length: 7'], 431],
    [
      'a thousand headers',
      [...Array.from({ length: 2000 }, (_, i) => `X-${i}: 12345678`), 'Content-Length: 7'],
      431,
    ],
    ['a header with NUL', ['X-A: a\u0000b', 'Content-Length: 7'], 400],
  ] as const)('attack 77: %s', async (_name, lines, status) => {
    const app = await server();
    await listen(app);
    const text = await raw(app, head(...lines), '{"a":1}');
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(text.toLowerCase()).toContain('content-type: application/problem+json');
    expect(problemIn(text)).toMatchObject({ status, request_id: expect.any(String) });
  });

  it('attack 77: what is not HTTP at all', async () => {
    const app = await server();
    await listen(app);
    const text = await raw(app, '\u0016\u0003\u0001 hello\r\n\r\n');
    expect(problemIn(text).code).toBe('INVALID_REQUEST');
  });

  it('attack 77: a body or head that never ends is cut off', async () => {
    const app = await server({ requestTimeoutMs: 300, checkIntervalMs: 100 });
    await listen(app);
    const [body, headers] = await Promise.all([
      raw(app, head('Content-Length: 100'), '{"a":'),
      raw(app, 'POST /things/1 HTTP/1.1\r\nHost: t\r\nX-Slow: '),
    ]);
    for (const text of [body, headers]) {
      expect(text).toMatch(/^HTTP\/1\.1 408 /);
      expect(problemIn(text)).toMatchObject({
        code: 'REQUEST_TIMEOUT',
        detail: expect.stringContaining('in time'),
      });
    }
  });

  it('attack 77: a gzip bomb is not unpacked', async () => {
    const app = await server();
    await listen(app);
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    const text = await raw(app, head('Content-Encoding: gzip', `Content-Length: ${bomb.length}`), bomb);
    expect(text).toMatch(/^HTTP\/1\.1 415 /);
    expect(text.toLowerCase()).toContain('connection: close');
  });
});

describe('bodies', () => {
  const post = async (payload: string | Buffer, headers: Record<string, string> = {}) => {
    const app = await server();
    return app.inject({ method: 'POST', url: '/things/1', headers: { ...json, ...headers }, payload });
  };

  it('are taken as they are, without coercion', async () => {
    expect((await post('{"a":"1"}')).json().a).toBe('1');
    expect((await post('{"a":null}')).json().a).toBeNull();
  });

  it('a query string is read: numbers are numbers there', async () => {
    const app = await server();
    const ask = (query: string) =>
      app.inject({ method: 'POST', url: `/things/1?${query}`, headers: json, payload: '{"a":1}' });
    expect((await ask('n=5')).json().n).toBe(5);
    for (const bad of ['n=x', 'n=', 'n=1.5', 'n=1&n=2', 'm=1']) {
      const refused = await ask(bad);
      expect([refused.statusCode, refused.json().code], bad).toEqual([400, 'INVALID_REQUEST']);
    }
  });

  it.each([
    ['nesting of 10,000', `{"a":${'['.repeat(10_000)}${']'.repeat(10_000)}}`],
    ['nesting of 33', `{"a":${'['.repeat(33)}${']'.repeat(33)}}`],
    ['a number beyond 2^53', '{"a":9007199254740993}'],
    ['a lone surrogate', '{"a":"\\ud800"}'],
    ['a key twice', '{"a":1,"a":2}'],
    ['__proto__', '{"a":1,"__proto__":{"polluted":true}}'],
    ['constructor', '{"a":1,"constructor":{"prototype":{"polluted":true}}}'],
    ['no JSON', '{"a":1'],
    ['two documents', '{"a":1}{"a":2}'],
    ['a text', '"a"'],
    ['null', 'null'],
    ['a list', '[1]'],
    ['a byte order mark', '\ufeff{"a":1}'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d])],
    ['nothing', ''],
  ])('attack 78: %s', async (_name, payload) => {
    const refused = await post(payload);
    expect([refused.statusCode, refused.json().code]).toEqual([400, 'INVALID_REQUEST']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('attack 78: 10 MB, announced or not', async () => {
    const large = `{"a":"${'x'.repeat(10_000_000)}"}`;
    const refused = await post(large);
    expect([refused.statusCode, refused.json().code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    expect(refused.headers['connection']).toBe('close');
    const app = await server();
    await listen(app);
    const chunks = Array.from({ length: 40 }, () => `2710\r\n${'x'.repeat(10_000)}\r\n`);
    const text = await raw(app, head('Transfer-Encoding: chunked'), ...chunks);
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('256 KiB are just taken', async () => {
    expect((await post(`{"a":"${'x'.repeat(256 * 1024 - 8)}"}`)).statusCode).toBe(200);
    expect((await post(`{"a":"${'x'.repeat(256 * 1024 - 7)}"}`)).statusCode).toBe(413);
  });
});

describe('limits', () => {
  it('are per principal, told in headers, and answered with 429', async () => {
    const app = await server({ rate: { max: 2, windowMs: 60_000 } });
    const ask = (who: string) => app.inject({ url: '/refuses', headers: { authorization: `Bearer ${who}` } });
    const first = await ask('u');
    expect([first.headers['ratelimit-limit'], first.headers['ratelimit-remaining']]).toEqual(['2', '1']);
    await ask('u');
    const third = await ask('u');
    expect([third.statusCode, third.json().code]).toEqual([429, 'RATE_LIMITED']);
    expect(Number(third.headers['retry-after'])).toBeGreaterThan(0);
    expect((await ask('slow')).statusCode).toBe(503);
  });
});

describe('bad credentials', () => {
  it('are counted by address, before anything is verified, and good ones never', async () => {
    const verified: (string | undefined)[] = [];
    const clock = new HandClock(T0);
    const app = await server({ refusals: { max: 3, windowMs: 60_000 }, rate: false }, true, {
      clock,
      authenticate: ({ authorization }) => {
        verified.push(authorization);
        const no = new BrokerError('UNAUTHENTICATED', 'no');
        if (authorization === 'Bearer later') return Promise.reject(no);
        if (authorization !== 'Bearer u') throw no;
        return { id: 'iss|u', name: 'u', roles: [], projects: [], assurance: 1 };
      },
    });
    const ask = (name: string, remoteAddress = '192.0.2.1') =>
      app.inject({ url: '/refuses', remoteAddress, headers: { authorization: `Bearer ${name}` } });
    for (let i = 0; i < 5; i++) expect((await ask('u')).statusCode).toBe(503);
    for (const name of ['bad', 'later', 'worse']) expect((await ask(name)).statusCode).toBe(401);
    const seen = verified.length;
    const stopped = await ask('bad');
    expect([stopped.statusCode, stopped.json().code]).toEqual([429, 'RATE_LIMITED']);
    expect(stopped.headers['retry-after']).toBe('60');
    expect((await ask('u')).statusCode).toBe(429);
    expect(verified).toHaveLength(seen);
    expect((await ask('bad', '192.0.2.2')).statusCode).toBe(401);
    await clock.advance(60_000);
    expect((await ask('u')).statusCode).toBe(503);
  });

  it('of one IPv6 network are of one source', () => {
    expect(sourceOf('2001:db8:1:2:3:4:5:6')).toBe(sourceOf('2001:db8:1:2::9'));
    expect(sourceOf('2001:db8:1:3::9')).not.toBe(sourceOf('2001:db8:1:2::9'));
    expect(sourceOf('::ffff:192.0.2.1')).toBe(sourceOf('192.0.2.1'));
    expect(sourceOf('fe80::1%eth0')).toContain('fe80');
  });
});

describe('routes', () => {
  it('one that does not say who may use it keeps the server from starting', async () => {
    const app = await server({}, false);
    app.get('/careless', async () => ({}));
    await expect(app.ready()).rejects.toThrow('/careless does not declare who may use it');
    open = undefined;
  });

  it('a server that stops says so', async () => {
    const app = await server({}, false);
    let free = (): void => {};
    const held = new Promise<void>((resolve) => {
      free = resolve;
    });
    app.addHook('preClose', () => held);
    await listen(app);
    const closing = app.close();
    await new Promise((resolve) => setImmediate(resolve));
    const text = await raw(app, 'GET /refuses HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n');
    expect(problemIn(text)).toMatchObject({ status: 503, code: 'STOPPING' });
    expect(text).toMatch(/retry-after: \d+/);
    free();
    await closing;
    open = undefined;
  });
});

describe('the log', () => {
  it('attacks 74, 76: has patterns, ids and principals, and nothing that a client could write into it', async () => {
    const app = await server();
    await app.inject({
      method: 'POST',
      url: '/things/%1b[31mred?n=secret-canary',
      headers: {
        ...json,
        authorization: 'Bearer u',
        'x-request-id': '\u001b]0;canary\u0007',
        cookie: 'canary',
      },
      payload: '{"a":"password-canary"}',
    });
    expect(logged).toMatchObject([
      { event: 'http.request', method: 'POST', route: '/things/:id', status: 400, principal: 'iss|u' },
    ]);
    expect(JSON.stringify(logged)).not.toMatch(/canary|red|\\u001b/);
  });

  it('attack 76: escapes what reaches it all the same', () => {
    expect(printable('a\r\nb\u001b[31m\u202e\u009b')).toBe('a\\u000d\\u000ab\\u001b[31m\\u202e\\u009b');
    expect(() => jsonLog('silent').info({ event: 'store.recovered' })).not.toThrow();
  });
});
