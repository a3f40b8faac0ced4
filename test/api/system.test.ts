import { afterEach, describe, expect, it } from 'vitest';
import { bearer, World } from './world.ts';

let world: World;
afterEach(() => world.app.close());

describe('what operators ask of the process', () => {
  it('it is alive, whatever else it is', async () => {
    world = await World.open();
    world.ready = { ready: false, role: 'STANDBY' };
    const answer = await world.get('/livez');
    expect([answer.statusCode, answer.json()]).toEqual([200, { status: 'ok' }]);
  });

  it('it is ready, as what, and with which peers', async () => {
    world = await World.open();
    const answer = await world.get('/readyz');
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({
      ready: true,
      role: 'LEADER',
      epoch: 4,
      store: 'OK',
      clock: '2026-01-01T00:00:00Z',
      live_circuits: 12,
      effects_waiting: 3,
      peers: ['sdg.example'],
    });
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('a full store is told and is still ready, since releases pass', async () => {
    world = await World.open();
    world.ready = { store: 'FULL' };
    const answer = await world.get('/readyz');
    expect(answer.statusCode).toBe(200);
    expect(answer.json().store).toBe('FULL');
  });

  it.each([
    [
      { role: 'STANDBY', leader: 'host-b:77' },
      { role: 'STANDBY', leader: 'host-b:77', peers: [] },
    ],
    [{ role: 'STARTING' }, { role: 'STARTING' }],
    [{ role: 'STOPPING' }, { role: 'STOPPING' }],
    [{ role: 'LEADER', store: 'UNAVAILABLE' }, { store: 'UNAVAILABLE' }],
  ] as const)('%o is not ready: 503', async (over, told) => {
    world = await World.open();
    world.ready = { ready: false, ...over };
    const answer = await world.get('/readyz');
    expect(answer.statusCode).toBe(503);
    expect(answer.json()).toMatchObject({ ready: false, ...told });
    expect(answer.headers['retry-after']).toBe('5');
  });

  it('it tells its version', async () => {
    world = await World.open();
    expect((await world.get('/version')).json()).toEqual({
      name: 'turnpike',
      version: '1.2.3',
      domain: 'ams.example',
      node: process.version,
    });
  });

  it('its figures are those of the broker, in the format of Prometheus', async () => {
    world = await World.open();
    const answer = await world.get('/metrics');
    expect(answer.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    const lines = answer.body.split('\n');
    for (const line of [
      'turnpike_transactions_total 7',
      'turnpike_admitted_total 100',
      'turnpike_refused_total 5',
      'turnpike_effects_done_total 40',
      'turnpike_effects_failed_total 2',
      'turnpike_circuits{state="SCHEDULED"} 9',
      'turnpike_circuits{state="ACTIVE"} 3',
      'turnpike_ready 1',
      'turnpike_leader 1',
      'turnpike_epoch 4',
      'turnpike_store_ok 1',
      'turnpike_effects_waiting 3',
    ]) {
      expect(lines).toContain(line);
    }
    expect(answer.body).toMatch(/^process_resident_memory_bytes \d+/m);
  });

  it('does not add its counters up from one look to the next', async () => {
    world = await World.open();
    await world.get('/metrics');
    expect((await world.get('/metrics')).body.split('\n')).toContain('turnpike_admitted_total 100');
  });

  it('requests are timed by route, not by path, and streams are not', async () => {
    world = await World.open();
    await world.get('/v1/webhooks/whk_00000000000000000000000001', 'user');
    await world.get('/v1/webhooks/whk_00000000000000000000000002', 'user');
    await world.get('/no/such/thing%0a', 'user');
    const stream = await world.app.inject({ url: '/v1/events/stream?after=x', headers: bearer('user') });
    expect(stream.statusCode).toBe(400);
    const { body } = await world.get('/metrics');
    expect(body).toContain(
      'http_request_duration_seconds_count{method="GET",route="/v1/webhooks/:id",status="404"} 2',
    );
    expect(body).toContain('route="none",status="404"} 1');
    expect(body).not.toContain('whk_0000');
    expect(body).not.toContain('no/such');
    expect(body).not.toContain('events/stream');
  });

  it('all of it is public', async () => {
    world = await World.open();
    for (const url of ['/livez', '/readyz', '/version', '/metrics']) {
      expect((await world.get(url)).statusCode).toBe(200);
    }
  });
});
