import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcp, type Socket, type Server as TcpServer } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import { Agent } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { guardedAgent } from '../../src/http/address.ts';
import { type Clock, wallClock } from '../../src/kernel/clock.ts';
import { cloudEvent } from '../../src/model/cloudevent.ts';
import { CALL_TIMEOUT_MS, type SendOutcome, sender, signature } from '../../src/notify/send.ts';
import { T0 } from '../support/builders.ts';
import { HandClock } from '../support/handClock.ts';
import { aHook, anEvent } from './world.ts';

const EVENT = cloudEvent(anEvent(7), 'ams.example');

interface Heard {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

describe('a call of a webhook', () => {
  const servers: (Server | TcpServer)[] = [];
  const sockets: Socket[] = [];
  const agents: Agent[] = [];
  let heard: Heard[] = [];

  afterEach(async () => {
    await Promise.all(agents.splice(0).map((agent) => agent.destroy()));
    for (const socket of sockets.splice(0)) socket.destroy();
    await Promise.all(servers.splice(0).map((server) => new Promise((done) => server.close(done))));
    heard = [];
  });

  async function listen(server: Server | TcpServer): Promise<string> {
    servers.push(server);
    server.on('connection', (socket: Socket) => sockets.push(socket));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** A receiver that notes what it hears and then answers. */
  const receiver = (answer: RequestListener): Promise<string> =>
    listen(
      createServer((request, response) => {
        let body = '';
        request.on('data', (chunk: Buffer) => {
          body += chunk.toString();
        });
        request.on('end', () => {
          heard.push({ path: request.url ?? '', headers: request.headers, body });
          answer(request, response);
        });
      }),
    );

  function call(
    url: string,
    {
      clock = wallClock(),
      signal = new AbortController().signal,
    }: { clock?: Clock; signal?: AbortSignal } = {},
    dispatcher = guardedAgent({ allowPrivate: true }),
  ): Promise<SendOutcome> {
    agents.push(dispatcher);
    return sender({ clock, dispatcher })({ url, secret: aHook('x').secret }, EVENT, signal);
  }

  const status =
    (code: number, headers: Record<string, string> = {}): RequestListener =>
    (_request, response) =>
      response.writeHead(code, headers).end();

  it('carries a CloudEvent whose signature an independent library accepts', async () => {
    const url = await receiver(status(204));
    expect(await call(`${url}/hook`)).toEqual({ kind: 'delivered' });
    const [{ path, headers, body }] = heard as [Heard];
    expect(path).toBe('/hook');
    expect(headers['content-type']).toBe('application/cloudevents+json');
    expect(headers['webhook-id']).toBe('evt_00000000007');
    const verified = new Webhook(aHook('x').secret).verify(body, headers as Record<string, string>);
    expect(verified).toEqual({
      specversion: '1.0',
      id: 'evt_00000000007',
      source: '//ams.example/v1/circuits',
      type: 'circuit.created',
      subject: 'cir_1',
      time: '2026-01-01T00:00:00Z',
      datacontenttype: 'application/json',
      data: { project: 'lhc', circuit_id: 'cir_1', state: 'SCHEDULED' },
    });
  });

  it('is refused by that library when body, id, time or secret are others', async () => {
    const url = await receiver(status(200));
    await call(url);
    const [{ headers, body }] = heard as [Heard];
    const given = headers as Record<string, string>;
    const verify = (text: string, over: Record<string, string>, secret = aHook('x').secret): unknown =>
      new Webhook(secret).verify(text, { ...given, ...over });
    expect(() => verify(body, {})).not.toThrow();
    expect(() => verify(body.replace('SCHEDULED', 'CANCELLED'), {})).toThrow('No matching signature');
    expect(() => verify(body, { 'webhook-id': 'evt_00000000008' })).toThrow('No matching signature');
    const other = String(Number(given['webhook-timestamp']) - 1);
    expect(() => verify(body, { 'webhook-timestamp': other })).toThrow('No matching signature');
    const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
    expect(() => verify(body, {}, secret)).toThrow('No matching signature');
  });

  it('signs as the example of the Standard Webhooks specification does', () => {
    // The test vector of its reference libraries.
    expect(
      signature(
        'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
        'msg_p5jXN8AQM9LWM0D4loKWxJek',
        1614265330,
        '{"test": 2432232314}',
      ),
    ).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });

  it.each([
    [200, {}, { kind: 'delivered' }],
    [202, {}, { kind: 'delivered' }],
    [400, {}, { kind: 'failed', error: 'HTTP 400' }],
    [401, {}, { kind: 'failed', error: 'HTTP 401' }],
    [500, {}, { kind: 'failed', error: 'HTTP 500' }],
    [503, { 'retry-after': '30' }, { kind: 'failed', error: 'HTTP 503', retryAfterS: 30 }],
    [429, { 'retry-after': 'Fri, 31 Dec 1999 23:59:59 GMT' }, { kind: 'failed', error: 'HTTP 429' }],
    [429, { 'retry-after': '1e9' }, { kind: 'failed', error: 'HTTP 429' }],
  ])('%i %o is judged as %o', async (code, headers, outcome) => {
    expect(await call(await receiver(status(code, headers)))).toEqual(outcome);
  });

  it('410 means never again', async () => {
    expect(await call(await receiver(status(410)))).toMatchObject({ kind: 'gone' });
  });

  it.each([301, 302, 303, 307, 308])('attack 72: a redirect (%i) is not followed', async (code) => {
    const inside = await receiver(status(200));
    heard = [];
    const url = await receiver(status(code, { location: `${inside}/latest/meta-data/` }));
    expect(await call(url)).toEqual({ kind: 'failed', error: `HTTP ${code}: redirects are not followed` });
    expect(heard).toHaveLength(1);
  });

  it('attack 72: a private address is not called, and nothing is heard there', async () => {
    const url = await receiver(status(200));
    const outcome = await call(url, {}, guardedAgent({ allowPrivate: false }));
    expect(outcome).toEqual({ kind: 'failed', error: '127.0.0.1 is not a public address' });
    expect(heard).toEqual([]);
  });

  it('is given up after ten seconds on our clock without an answer', async () => {
    const clock = new HandClock(T0);
    const url = await receiver(() => {});
    const outcome = call(url, { clock });
    while (heard.length === 0) await turn();
    await clock.advance(CALL_TIMEOUT_MS - 1);
    await clock.advance(1);
    expect(await outcome).toEqual({ kind: 'failed', error: 'no answer within 10 s' });
    expect(clock.waiting).toBe(0);
  });

  it('is given up by our own stop', async () => {
    const stop = new AbortController();
    const url = await receiver(() => stop.abort());
    expect(await call(url, { signal: stop.signal })).toMatchObject({ kind: 'failed' });
  });

  it('counts as delivered by its status, however long or broken the answer is', async () => {
    const endless = await receiver((_request, response) => {
      response.writeHead(200);
      const more = (): void => {
        if (!response.destroyed) response.write('x'.repeat(65_536), () => more());
      };
      more();
    });
    expect(await call(endless)).toEqual({ kind: 'delivered' });
    const broken = await receiver((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('half');
      response.socket?.end();
    });
    expect(await call(broken)).toEqual({ kind: 'delivered' });
  });

  it('attack 76: what the other side makes us say is safe to show, and short', async () => {
    const evil = `names: \r\nforged line \u001b[31m \u009b31m \u202e ${'x'.repeat(1_000)}`;
    const dispatcher = new Agent({ connect: (_target, callback) => callback(new Error(evil), null) });
    const outcome = await call('https://hook.example/', {}, dispatcher);
    const error = outcome.kind === 'failed' ? outcome.error : '';
    expect(error).toContain('names: \\u000d\\u000aforged line \\u001b[31m \\u009b31m \\u202e x');
    expect(error.length).toBeLessThan(300);
  });

  it('says why nobody was reached', async () => {
    const server = createTcp();
    const url = await listen(server);
    await new Promise((done) => server.close(done));
    servers.splice(0);
    expect(await call(url)).toMatchObject({ kind: 'failed', error: expect.stringContaining('ECONNREFUSED') });
    const garbage = await listen(createTcp((socket) => socket.end('not HTTP at all\r\n\r\n')));
    expect(await call(garbage)).toMatchObject({ kind: 'failed' });
  });
});
