import { afterEach, describe, expect, it } from 'vitest';
import { eventId } from '../../src/kernel/ids.ts';
import { anEvent, bearer, World } from './world.ts';

let world: World;
afterEach(() => world.app.close());

const HOOK = {
  url: 'https://hooks.example.net/turnpike',
  types: ['circuit.active', 'circuit.failed'],
};

function post(payload: object, { person = 'user', query = '', headers = {} } = {}) {
  return world.app.inject({
    method: 'POST',
    url: `/v1/webhooks${query}`,
    headers: { ...bearer(person), ...headers },
    payload,
  });
}

const remove = (id: string, person = 'user', headers = {}) =>
  world.app.inject({
    method: 'DELETE',
    url: `/v1/webhooks/${id}`,
    headers: { ...bearer(person), ...headers },
  });

describe('webhooks', () => {
  it('are made with a secret that is shown then and never again', async () => {
    world = await World.open();
    world.publish(anEvent(3));
    const made = await post(HOOK);
    expect(made.statusCode).toBe(201);
    const { id, secret, ...rest } = made.json();
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/=]+$/);
    expect(rest).toEqual({
      url: HOOK.url,
      types: ['circuit.active', 'circuit.failed'],
      project: 'lhc',
      state: 'ENABLED',
      last_event_id: eventId(3),
      failures: 0,
      create_time: '2026-01-01T00:00:00Z',
    });
    expect(made.headers).toMatchObject({
      location: `/v1/webhooks/${id}`,
      etag: '"1"',
      'cache-control': 'no-store',
    });
    const read = await world.get(`/v1/webhooks/${id}`, 'user');
    expect(read.json()).toEqual({ id, ...rest });
    expect(read.headers['etag']).toBe('"1"');
    expect((await world.get('/v1/webhooks', 'user')).json()).toEqual({ items: [{ id, ...rest }] });
    expect(world.hooks.get(id)?.types).toEqual(['circuit.active', 'circuit.failed']);
  });

  it('hear everything when no types are named, and families when they are', async () => {
    world = await World.open();
    expect((await post({ url: HOOK.url })).json()).not.toHaveProperty('types');
    expect((await post({ url: HOOK.url, types: ['*'] })).json()).not.toHaveProperty('types');
    expect((await post({ url: HOOK.url, types: ['topology.*'] })).json().types).toEqual(['topology.changed']);
  });

  it('say how their calls go', async () => {
    world = await World.open();
    const { id } = (await post(HOOK)).json();
    const hook = world.hooks.get(id);
    if (hook === undefined) throw new Error('it was made');
    world.hooks.set(id, { ...hook, state: 'DISABLED', failures: 11, lastError: 'HTTP 500', cursor: 9 });
    expect((await world.get(`/v1/webhooks/${id}`, 'user')).json()).toMatchObject({
      state: 'DISABLED',
      failures: 11,
      last_error: 'HTTP 500',
      last_event_id: eventId(9),
    });
  });

  it('are seen and removed by their project and by operators, and by nobody else', async () => {
    world = await World.open();
    const { id } = (await post(HOOK)).json();
    expect((await world.get('/v1/webhooks', 'stranger')).json()).toEqual({ items: [] });
    expect((await world.get(`/v1/webhooks/${id}`, 'stranger')).statusCode).toBe(404);
    expect((await remove(id, 'stranger')).statusCode).toBe(404);
    expect((await world.get('/v1/webhooks')).statusCode).toBe(401);
    expect((await world.get(`/v1/webhooks/${id}`, 'operator')).statusCode).toBe(200);
    expect((await remove(id, 'user', { 'if-match': '"9"' })).statusCode).toBe(412);
    const gone = await remove(id, 'user', { 'if-match': '"1"' });
    expect(gone.statusCode).toBe(204);
    expect(gone.body).toBe('');
    expect((await remove(id)).statusCode).toBe(404);
  });

  it('answer a repeated Idempotency-Key as the first time, secret and all', async () => {
    world = await World.open();
    const headers = { 'idempotency-key': 'k1' };
    const first = await post(HOOK, { headers });
    const again = await post(HOOK, { headers });
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect([again.statusCode, again.body]).toEqual([first.statusCode, first.body]);
    expect(world.hooks.size).toBe(1);
  });

  it('can be tried: checked as the real call, nothing made, no secret given away', async () => {
    world = await World.open();
    const tried = await post(HOOK, { query: '?validate_only=true' });
    expect(tried.statusCode).toBe(201);
    expect(tried.json()).not.toHaveProperty('secret');
    expect(tried.headers).not.toHaveProperty('location');
    expect(world.hooks.size).toBe(0);
    expect((await post({ url: 'http://10.0.0.1/' }, { query: '?validate_only=true' })).statusCode).toBe(400);
  });

  it.each([
    ['loopback', 'http://127.0.0.1:9200/'],
    ['IPv6 loopback', 'http://[::1]/'],
    ['a mapped private address', 'http://[::ffff:10.0.0.1]/'],
    ['hexadecimal', 'http://0x7f000001/'],
    ['decimal', 'http://2130706433/'],
    ['cloud metadata', 'http://169.254.169.254/latest/meta-data/'],
    ['localhost', 'http://localhost/'],
    ['a file', 'file:///etc/passwd'],
    ['credentials', 'https://me:secret@example.net/'],
    ['nothing', ''],
  ])('attack 72: refuse %s', async (_name, url) => {
    world = await World.open();
    const answer = await post({ url });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'INVALID_REQUEST', errors: [{ pointer: '/url' }] });
    expect(answer.body).not.toContain('secret@');
    expect(world.hooks.size).toBe(0);
  });

  it('may reach private addresses where that is allowed', async () => {
    world = await World.open({ allowPrivateWebhooks: true });
    expect((await post({ url: 'http://127.0.0.1:9000/hook' })).statusCode).toBe(201);
    expect((await post({ url: 'http://0x7f000001/' })).statusCode).toBe(400);
  });

  it.each([
    [{ url: HOOK.url, types: ['circuit.active', 'circuit.exploded'] }, '/types/1'],
    [{ url: HOOK.url, types: 'circuit.active' }, '/types'],
    [{ url: HOOK.url, secret: 'whsec_mine' }, '/secret'],
    [{ types: [] }, '/url'],
    [{ url: 7 }, '/url'],
  ])('refuse %o at %s', async (body, pointer) => {
    world = await World.open();
    const answer = await post(body);
    expect(answer.statusCode).toBe(400);
    expect(answer.json().errors[0].pointer).toBe(pointer);
  });

  it('keep the URL as it will be called', async () => {
    world = await World.open();
    const made = (await post({ url: 'HTTPS://Example.NET/a/../b' })).json();
    expect(made.url).toBe('https://example.net/b');
  });
});
