import { get as httpGet, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { afterEach, describe, expect, it } from 'vitest';
import { HEARTBEAT_MS, LIFE_MS, MOST_PER_CALLER, STALL_MS } from '../../src/api/stream.ts';
import { eventId } from '../../src/kernel/ids.ts';
import { eventTypes } from '../../src/model/cloudevent.ts';
import { calm } from '../support/handClock.ts';
import { anEvent, bearer, World } from './world.ts';

let world: World;
const closers: (() => void)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) close();
  await world.app.close();
});

const many = (from: number, to: number, over = {}) =>
  Array.from({ length: to - from + 1 }, (_, i) => anEvent(from + i, over));

/** Waits until it holds; the test's own time limit ends a wait in vain. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

/** A client as it should be: reads what comes, through an independent parser. */
class Listener {
  readonly messages: EventSourceMessage[] = [];
  readonly comments: string[] = [];
  retry: number | undefined;
  ended = false;
  status = 0;
  headers: IncomingMessage['headers'] = {};
  #response: IncomingMessage | undefined;

  static async open(
    port: number,
    person: string,
    { query = '', headers = {} }: { query?: string; headers?: Record<string, string> } = {},
  ): Promise<Listener> {
    const listener = new Listener();
    const parser = createParser({
      onEvent: (message) => listener.messages.push(message),
      onComment: (comment) => listener.comments.push(comment),
      onRetry: (ms) => {
        listener.retry = ms;
      },
    });
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      httpGet(
        {
          port,
          host: '127.0.0.1',
          path: `/v1/events/stream${query}`,
          headers: { ...bearer(person), ...headers },
          agent: false,
        },
        resolve,
      ).on('error', reject);
    });
    listener.#response = response;
    listener.status = response.statusCode ?? 0;
    listener.headers = response.headers;
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => parser.feed(chunk));
    response.on('close', () => {
      listener.ended = true;
    });
    response.on('error', () => {});
    closers.push(() => response.destroy());
    if (listener.status === 200) await until(() => listener.comments.length > 0);
    return listener;
  }

  get ids(): (string | undefined)[] {
    return this.messages.map((message) => message.id);
  }

  close(): void {
    this.#response?.destroy();
  }
}

describe('the list of events', () => {
  it('is CloudEvents, oldest first, in pages', async () => {
    world = await World.open();
    world.publish(...many(1, 7));
    const first = await world.get('/v1/events?page_size=3', 'user');
    expect(first.statusCode).toBe(200);
    const { items, next_page_token: token } = first.json();
    expect(items[0]).toEqual({
      specversion: '1.0',
      id: 'evt_00000000001',
      source: '//ams.example/v1/circuits',
      type: 'circuit.scheduled',
      subject: 'cir_00000000000000000000000001',
      time: '2026-01-01T00:00:00Z',
      datacontenttype: 'application/json',
      data: { project: 'lhc', circuit_id: 'cir_00000000000000000000000001', state: 'SCHEDULED' },
    });
    const second = (await world.get(`/v1/events?page_size=3&page_token=${token}`, 'user')).json();
    const third = (
      await world.get(`/v1/events?page_size=3&page_token=${second.next_page_token}`, 'user')
    ).json();
    const ids = [...items, ...second.items, ...third.items].map((event: { id: string }) => event.id);
    expect(ids).toEqual([1, 2, 3, 4, 5, 6, 7].map(eventId));
    expect(third).not.toHaveProperty('next_page_token');
  });

  it('does not promise another page when the last one is exactly full', async () => {
    world = await World.open();
    world.publish(...many(1, 3));
    expect((await world.get('/v1/events?page_size=3', 'user')).json()).not.toHaveProperty('next_page_token');
  });

  it('shows what is visible to the caller alone', async () => {
    world = await World.open();
    world.publish(
      anEvent(1),
      anEvent(2, { project: 'elsewhere', owner: 'iss|stranger' }),
      anEvent(3, { project: 'third', owner: 'iss|third' }),
    );
    const seen = async (person: string) =>
      (await world.get('/v1/events', person)).json().items.map((event: { id: string }) => event.id);
    expect(await seen('user')).toEqual([eventId(1)]);
    expect(await seen('stranger')).toEqual([eventId(2)]);
    expect(await seen('operator')).toEqual([1, 2, 3].map(eventId));
    expect((await world.get('/v1/events')).statusCode).toBe(401);
  });

  it.each([
    ['after=evt_00000000002', [3, 4]],
    ['type=circuit.failed', [2]],
    ['type=circuit.failed', [2]],
    ['type=circuit.failed,circuit.ended', [2, 4]],
    ['type=circuit.failed&type=circuit.ended', [2, 4]],
    ['type=circuit.*', [1, 2, 3, 4]],
    ['type=*', [1, 2, 3, 4]],
    ['type=topology.*', []],
    ['circuit_id=cir_00000000000000000000000002', [3]],
    ['circuit_id=cir_00000000000000000000000001&type=circuit.ended&after=evt_00000000002', [4]],
  ])('is filtered by %s', async (query, seqs) => {
    world = await World.open();
    world.publish(
      anEvent(1),
      anEvent(2, { type: 'circuit.failed' }),
      anEvent(3, { circuitId: 'cir_00000000000000000000000002' }),
      anEvent(4, { type: 'circuit.ended' }),
    );
    const answer = await world.get(`/v1/events?${query}`, 'user');
    expect(answer.statusCode).toBe(200);
    expect(answer.json().items.map((event: { id: string }) => event.id)).toEqual(seqs.map(eventId));
  });

  it.each([
    ['type=circuit.exploded', 'type', 400],
    ['after=evt_x', 'after', 400],
    ['after=cir_00000000000000000000000001', 'after', 400],
    ['page_token=nonsense', 'page_token', 400],
    ['page_size=0', 'page_size', 400],
    ['page_size=501', 'page_size', 400],
    ['colour=red', 'colour', 400],
    ['circuit_id=cir_00000000000000000000000009', undefined, 404],
  ])('refuses %s', async (query, pointer, status) => {
    world = await World.open();
    const answer = await world.get(`/v1/events?${query}`, 'user');
    expect(answer.statusCode).toBe(status);
    expect(answer.json().errors?.[0]?.pointer).toBe(pointer);
  });
});

describe('the stream of events', () => {
  it('tells what happens from now on, as CloudEvents with ids', async () => {
    world = await World.open();
    world.publish(...many(1, 3));
    const listener = await Listener.open(await world.listen(), 'user', {
      headers: { 'x-request-id': 'req-7', accept: 'text/event-stream' },
    });
    expect(listener.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-request-id': 'req-7',
    });
    expect(listener.retry).toBe(2_000);
    world.publish(anEvent(4), anEvent(5, { type: 'circuit.active' }));
    await until(() => listener.messages.length === 2);
    expect(listener.messages[1]).toMatchObject({ id: 'evt_00000000005', event: 'circuit.active' });
    expect(JSON.parse(listener.messages[1]?.data ?? '')).toMatchObject({
      id: 'evt_00000000005',
      specversion: '1.0',
    });
    expect(listener.ids).toEqual([4, 5].map(eventId));
  });

  it('goes on after Last-Event-ID without a gap or a repetition, however long the log has grown', async () => {
    world = await World.open();
    world.publish(...many(1, 10));
    const port = await world.listen();
    const first = await Listener.open(port, 'user', { query: '?after=evt_00000000005' });
    await until(() => first.messages.length === 5);
    first.close();
    world.publish(...many(11, 1_234));
    const second = await Listener.open(port, 'user', {
      headers: { 'last-event-id': first.ids.at(-1) ?? '' },
      query: '?after=evt_00000000005',
    });
    world.publish(...many(1_235, 1_300));
    await until(() => second.messages.length >= 1_290);
    expect([...first.ids, ...second.ids]).toEqual(many(6, 1_300).map((event) => eventId(event.seq)));
  });

  it('does not ask the store for those who keep up', async () => {
    world = await World.open();
    const port = await world.listen();
    const listeners = await Promise.all([1, 2, 3].map(() => Listener.open(port, 'user')));
    world.publish(...many(1, 10));
    await until(() => listeners.every((listener) => listener.messages.length === 10));
    const before = world.reads;
    for (let seq = 11; seq <= 3_000; seq += 10) {
      world.publish(...many(seq, seq + 9));
      await turn();
    }
    await until(() => listeners.every((listener) => listener.messages.length === 3_000));
    expect(world.reads).toBe(before);
    for (const { ids } of listeners) expect(ids).toEqual(many(1, 3_000).map((event) => eventId(event.seq)));
  });

  it('misses nothing when the log has grown without a word', async () => {
    world = await World.open();
    const listener = await Listener.open(await world.listen(), 'user');
    world.publish(...many(1, 5));
    world.log.push(...many(6, 9)); // another instance led for a while
    world.publish(...many(10, 12));
    await until(() => listener.messages.length === 12);
    expect(listener.ids).toEqual(many(1, 12).map((event) => eventId(event.seq)));
  });

  it('shows each listener what is visible to him, and what he asked for', async () => {
    world = await World.open();
    world.publish(anEvent(1));
    const port = await world.listen();
    const [user, stranger, operator, ended, one] = await Promise.all([
      Listener.open(port, 'user'),
      Listener.open(port, 'stranger'),
      Listener.open(port, 'operator'),
      Listener.open(port, 'user', { query: '?type=circuit.ended' }),
      Listener.open(port, 'user', { query: '?circuit_id=cir_00000000000000000000000001' }),
    ]);
    world.publish(
      anEvent(2),
      anEvent(3, { project: 'elsewhere', owner: 'iss|stranger' }),
      anEvent(4, { circuitId: 'cir_00000000000000000000000002', type: 'circuit.ended' }),
      anEvent(5, { project: '', owner: '', type: 'topology.changed' }),
      anEvent(6),
    );
    await until(() => operator.messages.length === 5 && user.messages.length === 3);
    await until(() => one.messages.length === 2 && ended.messages.length === 1);
    await until(() => stranger.messages.length === 1);
    expect(user.ids).toEqual([2, 4, 6].map(eventId));
    expect(stranger.ids).toEqual([3].map(eventId));
    expect(ended.ids).toEqual([4].map(eventId));
    expect(one.ids).toEqual([2, 6].map(eventId));
  });

  it('attack 76: nothing in an event can end its frame or forge another', async () => {
    world = await World.open();
    const listener = await Listener.open(await world.listen(), 'user');
    const text = 'x\r\n\r\nid: evt_00000000999\nevent: forged\ndata: {}\n\n\u2028\u0085\u001b[31m\u202e';
    world.publish(anEvent(1, { data: { state_reason: { detail: text } } }), anEvent(2));
    await until(() => listener.messages.length === 2);
    expect(listener.ids).toEqual([1, 2].map(eventId));
    expect(JSON.parse(listener.messages[0]?.data ?? '').data.state_reason.detail).toBe(text);
  });

  it('shows that it lives every 15 s', async () => {
    world = await World.open();
    const listener = await Listener.open(await world.listen(), 'user');
    for (let beats = 1; beats <= 3; beats++) {
      await world.clock.advance(HEARTBEAT_MS);
      await until(() => listener.comments.length === 1 + beats);
    }
    expect(listener.comments).toEqual(['connected', 'heartbeat', 'heartbeat', 'heartbeat']);
  });

  it('ends after an hour, so that credentials are looked at again', async () => {
    world = await World.open();
    const listener = await Listener.open(await world.listen(), 'user');
    await world.clock.advance(LIFE_MS);
    await until(() => listener.ended);
    expect(world.clock.waiting).toBe(0);
  });

  it('leaves nothing behind when the client goes', async () => {
    world = await World.open();
    const listener = await Listener.open(await world.listen(), 'user');
    expect(world.clock.waiting).toBeGreaterThan(0);
    listener.close();
    await until(() => world.clock.waiting === 0);
  });

  it('drops a client that does not read, and keeps the others', async () => {
    world = await World.open();
    const port = await world.listen();
    const reader = await Listener.open(port, 'user');
    const socket: Socket = connect(port, '127.0.0.1');
    closers.push(() => socket.destroy());
    let dropped = false;
    socket.on('error', () => {});
    socket.on('close', () => {
      dropped = true;
    });
    socket.write('GET /v1/events/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer user\r\n\r\n');
    await new Promise((resolve) => socket.once('data', resolve));
    socket.pause();
    const idle = world.clock.waiting;
    // More than the buffers of both ends hold.
    const big = { note: 'x'.repeat(50_000) };
    let seq = 0;
    while (world.clock.waiting === idle) {
      world.publish(anEvent(++seq, { data: big }));
      await until(() => reader.messages.length === seq);
    }
    await world.clock.advance(STALL_MS);
    socket.resume();
    await until(() => dropped);
    world.publish(anEvent(++seq));
    await until(() => reader.messages.length === seq);
    expect(reader.ended).toBe(false);
  }, 20_000);

  it('ends when the server stops, after the last event, and at once', async () => {
    world = await World.open();
    const listener = await Listener.open(await world.listen(), 'user');
    world.publish(...many(1, 5));
    await until(() => listener.messages.length === 5);
    await world.app.close();
    await until(() => listener.ended);
    expect(world.clock.waiting).toBe(0);
  });

  it('a stop is not held up by a client that does not read', async () => {
    world = await World.open();
    const port = await world.listen();
    const socket = connect(port, '127.0.0.1');
    closers.push(() => socket.destroy());
    socket.on('error', () => {});
    socket.write('GET /v1/events/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer user\r\n\r\n');
    await new Promise((resolve) => socket.once('data', resolve));
    socket.pause();
    const idle = world.clock.waiting;
    let seq = 0;
    while (world.clock.waiting === idle) {
      world.publish(anEvent(++seq, { data: { note: 'x'.repeat(50_000) } }));
      await calm();
    }
    const closed = world.app.close();
    await calm();
    await world.clock.advance(1_000);
    await closed;
  }, 20_000);

  it('is had from the leader alone, and ends when that is somebody else', async () => {
    world = await World.open();
    const port = await world.listen();
    const listener = await Listener.open(port, 'user');
    world.ready = { ready: false, role: 'STANDBY' };
    expect((await Listener.open(port, 'user')).status).toBe(503);
    await world.clock.advance(HEARTBEAT_MS);
    await until(() => listener.ended);
    expect((await world.get('/v1/events/stream', 'user')).json()).toMatchObject({ code: 'NOT_LEADER' });
  });

  it.each([
    ['an id that is none', { 'last-event-id': 'evt_!' }, '', 'Last-Event-ID', 400],
    ['an id behind the end of the log', { 'last-event-id': 'evt_00000000009' }, '', 'Last-Event-ID', 400],
    ['the same as a parameter', {}, '?after=evt_00000000009', 'after', 400],
    ['an unknown type', {}, '?type=circuit.exploded', 'type', 400],
    ['a circuit of somebody else', {}, '?circuit_id=cir_00000000000000000000000002', undefined, 404],
    ['a circuit that never was', {}, '?circuit_id=cir_00000000000000000000000003', undefined, 404],
    ['a client that wants JSON only', { accept: 'application/json' }, '', undefined, 406],
  ])('refuses %s before it begins', async (_name, headers, query, pointer, status) => {
    world = await World.open();
    world.publish(
      anEvent(1),
      anEvent(2, { circuitId: 'cir_00000000000000000000000002', project: 'p', owner: 'o' }),
    );
    const answer = await world.app.inject({
      url: `/v1/events/stream${query}`,
      headers: { ...bearer('user'), ...headers },
    });
    expect(answer.statusCode).toBe(status);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.json().errors?.[0]?.pointer).toBe(pointer);
    expect(world.clock.waiting).toBe(0);
  });

  it('one caller cannot take every stream', async () => {
    world = await World.open();
    const port = await world.listen();
    await Promise.all(Array.from({ length: MOST_PER_CALLER }, () => Listener.open(port, 'user')));
    expect((await Listener.open(port, 'user')).status).toBe(503);
    expect((await Listener.open(port, 'operator')).status).toBe(200);
  });

  it('names every type of event in its schema', async () => {
    world = await World.open();
    expect(new Set(eventTypes).size).toBe(eventTypes.length);
    expect(JSON.stringify(world.app.swagger())).toContain('circuit.moved');
  });
});
