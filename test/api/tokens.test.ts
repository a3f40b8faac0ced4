/** Capability tokens over HTTP: who gets one, what it opens, and what is refused. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { instant, rfc3339 } from '../../src/kernel/clock.ts';
import { Holder } from '../support/holder.ts';
import { Api } from './harness.ts';

let api: Api;
let owner: Holder;
beforeAll(async () => {
  api = await Api.start({ tokens: true });
});
beforeEach(() => {
  owner = new Holder(api.world.clock);
});
afterAll(() => api.end());

/** So many seconds from now. */
const soon = (seconds: number): string => rfc3339(instant(api.world.clock.now() + seconds * 1000));

const path = (id: string, verb = ''): string => `/v1/circuits/${id}${verb === '' ? '' : `/${verb}`}`;

async function book(over: object = {}) {
  const made = await api.post('/v1/circuits', {
    a: { port: 'ams:host1' },
    z: { port: 'ams:host2' },
    bandwidth_mbps: 100,
    provision: 'MANUAL',
    holder_jwk: owner.jwk,
    schedule: { type: 'FIXED', start_time: soon(5), end_time: soon(605) },
    ...over,
  });
  expect(made.status).toBe(201);
  return made.body;
}
async function tokenOf(id: string, body: object = {}): Promise<string> {
  const issued = await api.post('/v1/tokens', { circuit_id: id, ...body });
  expect(issued.status).toBe(200);
  return issued.body.token;
}
const send = (id: string, verb: string, headers: Record<string, string>) =>
  api.post(path(id, verb), undefined, { headers });

describe('the padlock', () => {
  test('a MANUAL circuit is lit by its token and by nothing else', async () => {
    const circuit = await book();
    const token = await tokenOf(circuit.id);
    await api.world.pass(10);
    const bare = await api.post(path(circuit.id, 'provision'));
    expect([bare.status, bare.body.code]).toEqual([403, 'TOKEN_REQUIRED']);
    const lit = await send(circuit.id, 'provision', owner.shows(token, { action: 'provision' }));
    expect(lit.status).toBe(200);
    await api.world.pass(3);
    expect((await api.get(path(circuit.id))).body.state).toBe('ACTIVE');
  });

  test('every verb that takes or changes, and DELETE while it shines', async () => {
    const circuit = await book();
    const token = await tokenOf(circuit.id);
    const any = { headers: { 'if-match': '*' } };
    const needs = async (ask: Promise<{ status: number; body: { code?: string } }>) => {
      const { status, body } = await ask;
      expect([status, body.code]).toEqual([403, 'TOKEN_REQUIRED']);
    };
    await needs(api.post(path(circuit.id, 'provision')));
    await needs(api.post(path(circuit.id, 'release')));
    await needs(api.post(path(circuit.id, 'extend'), { extend_s: 60 }));
    await needs(api.post(path(circuit.id, 'reroute')));
    await needs(api.patch(path(circuit.id), { bandwidth_mbps: 50 }, any));
    const dark = await api.delete(`${path(circuit.id)}?validate_only=true`);
    expect(dark.status).toBe(200);
    await api.world.pass(10);
    await send(circuit.id, 'provision', owner.shows(token, { action: 'provision' }));
    await api.world.pass(3);
    await needs(api.delete(path(circuit.id)));
    const ended = await api.delete(path(circuit.id), { headers: owner.shows(token, { action: 'cancel' }) });
    expect(ended.body.state).toBe('RELEASING');
  });

  test('each verb takes a proof of its own kind', async () => {
    const circuit = await book();
    const token = await tokenOf(circuit.id);
    const smaller = '{"bandwidth_mbps":50}';
    const changed = await api.patch(path(circuit.id), smaller, {
      headers: {
        ...owner.shows(token, { action: 'modify', body: smaller }),
        'if-match': '*',
        'content-type': 'application/json',
      },
    });
    expect([changed.status, changed.body.placement.bandwidth_mbps]).toEqual([200, 50]);
    expect((await send(circuit.id, 'reroute', owner.shows(token, { action: 'reroute' }))).status).toBe(200);
    const later = '{"extend_s":60}';
    const end = Date.parse(circuit.placement.end_time);
    const extended = await api.post(path(circuit.id, 'extend'), later, {
      headers: {
        ...owner.shows(token, { action: 'extend', body: later }),
        'content-type': 'application/json',
      },
    });
    expect(extended.body.placement.end_time).toBe(rfc3339(instant(end + 60_000)));
    const released = await send(
      circuit.id,
      'release',
      owner.shows(await tokenOf(circuit.id), { action: 'release' }),
    );
    expect(released.body.state).toBe('ENDED');
  });

  test('an operator goes round it with a reason, which is recorded; nobody else does', async () => {
    const circuit = await book();
    const headers = { 'turnpike-override-reason': 'holder lost his key, ticket 4711' };
    const other = await api.post(path(circuit.id, 'provision'), undefined, { headers });
    expect([other.status, other.body.code]).toEqual([403, 'POLICY_DENIED']);
    const bare = await api.post(path(circuit.id, 'provision'), undefined, { as: 'operator' });
    expect(bare.body.code).toBe('TOKEN_REQUIRED');
    const done = await api.post(path(circuit.id, 'provision'), undefined, { as: 'operator', headers });
    expect(done.status).toBe(200);
    const decisions = (await api.get(`/v1/decisions?circuit_id=${circuit.id}`)).body.items;
    const provision = decisions.find((one: { action: string }) => one.action === 'circuit.provision');
    expect(provision.inputs.override_reason).toBe('holder lost his key, ticket 4711');
  });

  test('before it is decided there is no token, and the bearer suffices', async () => {
    const held = await book({ hold_s: 600 });
    expect((await api.post('/v1/tokens', { circuit_id: held.id })).body.code).toBe('WRONG_STATE');
    expect((await api.post(path(held.id, 'commit'))).status).toBe(200);
    expect((await api.post(path(held.id, 'provision'))).body.code).toBe('TOKEN_REQUIRED');
    expect(await tokenOf(held.id)).toMatch(/~$/);
  });
});

describe('passed on', () => {
  test('attenuated offline, given to another holder, redeemed once, refused twice', async () => {
    const friend = new Holder(api.world.clock);
    const circuit = await book();
    const token = await tokenOf(circuit.id, { uses: 1 });
    const narrow = owner.passes(token, friend, { actions: ['provision', 'release'] });
    await api.world.pass(10);
    const first = friend.shows(narrow, { action: 'provision', opKey: 'job-1' });
    expect((await send(circuit.id, 'provision', first)).status).toBe(200);
    const again = await send(circuit.id, 'provision', friend.shows(narrow, { action: 'provision' }));
    expect([again.status, again.body.token_reason]).toEqual([403, 'SPENT']);
    const replay = friend.shows(narrow, { action: 'reroute', opKey: 'job-1' });
    expect((await send(circuit.id, 'reroute', replay)).body.token_reason).toBe('OP_KEY_REUSED');
  });

  test('attack 28: the same proof again gets the present state and does nothing', async () => {
    const circuit = await book();
    const token = await tokenOf(circuit.id);
    const shown = owner.shows(token, { action: 'provision' });
    const [one, two] = await Promise.all([
      send(circuit.id, 'provision', shown),
      send(circuit.id, 'provision', shown),
    ]);
    expect([one.status, two.status]).toEqual([200, 200]);
    expect(two.body.revision).toBe(one.body.revision);
    const later = await send(circuit.id, 'provision', shown);
    expect([later.status, later.body.revision]).toEqual([200, one.body.revision]);
  });

  test('attack 24: a stolen token with a proof by another key', async () => {
    const thief = new Holder(api.world.clock);
    const circuit = await book();
    const token = await tokenOf(circuit.id);
    const stolen = await send(circuit.id, 'provision', thief.shows(token, { action: 'provision' }));
    expect([stolen.status, stolen.body.code, stolen.body.token_reason]).toEqual([
      401,
      'TOKEN_INVALID',
      'HOLDER',
    ]);
    expect(stolen.headers['www-authenticate']).toMatch(/^CCT /);
  });

  test('attack 26: a proof over another body, and over another verb', async () => {
    const circuit = await book();
    const token = await tokenOf(circuit.id);
    const body = '{"reason":"done"}';
    const other = await api.post(path(circuit.id, 'release'), '{"reason":"DONE"}', {
      headers: { ...owner.shows(token, { action: 'release', body }), 'content-type': 'application/json' },
    });
    expect(other.body.token_reason).toBe('REQUEST');
    const verb = await send(circuit.id, 'reroute', owner.shows(token, { action: 'provision' }));
    expect(verb.body.token_reason).toBe('REQUEST');
  });

  test('attack 40: the token of another circuit', async () => {
    const [one, other] = [await book(), await book({ a: { port: 'ams:host3' } })];
    const token = await tokenOf(one.id);
    const refused = await send(other.id, 'provision', owner.shows(token, { action: 'provision' }));
    expect([refused.status, refused.body.code, refused.body.token_reason]).toEqual([
      403,
      'TOKEN_REFUSED',
      'SCOPE',
    ]);
    const decision = await api.get(`/v1/decisions/${refused.body.decision_id}`);
    expect(decision.body).toMatchObject({ effect: 'DENY', sequence: 'PUSH', rules: ['token:SCOPE'] });
  });

  test('what is stored counts, not what is asked: a link for less bandwidth does not open the circuit', async () => {
    const friend = new Holder(api.world.clock);
    const circuit = await book();
    const narrow = owner.passes(await tokenOf(circuit.id), friend, { mbps: 50 });
    const refused = await send(circuit.id, 'provision', friend.shows(narrow, { action: 'provision' }));
    expect(refused.body).toMatchObject({
      token_reason: 'SCOPE',
      detail: 'the token covers 50 Mb/s, not 100',
    });
  });

  test('attack 46: a delegate extends beyond its window; the holder himself may, and gets a new token', async () => {
    const friend = new Holder(api.world.clock);
    const circuit = await book();
    const token = await tokenOf(circuit.id);
    const body = '{"extend_s":60}';
    const extend = (headers: Record<string, string>) =>
      api.post(path(circuit.id, 'extend'), body, {
        headers: { ...headers, 'content-type': 'application/json' },
      });
    const delegate = friend.shows(owner.passes(token, friend), { action: 'extend', body });
    expect((await extend(delegate)).body.token_reason).toBe('SCOPE');
    const patch = `{"schedule":{"end_time":"${soon(900)}"}}`;
    const through = await api.patch(path(circuit.id), patch, {
      headers: {
        ...friend.shows(owner.passes(token, friend), { action: 'modify', body: patch }),
        'if-match': '*',
        'content-type': 'application/json',
      },
    });
    expect(through.body.token_reason).toBe('SCOPE');
    expect((await extend(owner.shows(token, { action: 'extend', body }))).status).toBe(200);
    const old = await send(circuit.id, 'provision', owner.shows(token, { action: 'provision' }));
    expect(old.body.token_reason).toBe('REVOKED');
    const fresh = await tokenOf(circuit.id);
    expect((await send(circuit.id, 'provision', owner.shows(fresh, { action: 'provision' }))).status).toBe(
      200,
    );
  });

  test('attack 47: a third party releases or asks with a token for provision only', async () => {
    const friend = new Holder(api.world.clock);
    const circuit = await book();
    const narrow = owner.passes(await tokenOf(circuit.id), friend, { actions: ['provision'] });
    const release = await send(circuit.id, 'release', friend.shows(narrow, { action: 'release' }));
    expect(release.body.token_reason).toBe('SCOPE');
    const look = await api.get(path(circuit.id), { headers: friend.shows(narrow, { action: 'query' }) });
    expect([look.status, look.body.code]).toEqual([401, 'UNAUTHENTICATED']);
    const list = await api.get('/v1/circuits', { headers: friend.shows(narrow, { action: 'query' }) });
    expect(list.status).toBe(401);
  });

  test('attack 41: two delegates that share a budget do not overspend it together', async () => {
    const friend = new Holder(api.world.clock);
    const circuit = await book();
    const bud = new Map([['https://ams.example', 30_000]]);
    const narrow = owner.passes(await tokenOf(circuit.id), friend, { bud });
    const refused = await send(circuit.id, 'provision', friend.shows(narrow, { action: 'provision' }));
    expect([refused.status, refused.body.token_reason]).toEqual([403, 'BUDGET']);
  });
});

describe('issue, introspect, withdraw', () => {
  test('the same holder gets the same token; another one takes it over', async () => {
    const circuit = await book();
    const token = await tokenOf(circuit.id);
    expect(await tokenOf(circuit.id)).toBe(token);
    const heir = new Holder(api.world.clock);
    const inherited = await tokenOf(circuit.id, { holder_jwk: heir.jwk });
    const old = await send(circuit.id, 'provision', owner.shows(token, { action: 'provision' }));
    expect(old.body.token_reason).toBe('REVOKED');
    const now = await send(circuit.id, 'provision', heir.shows(inherited, { action: 'provision' }));
    expect(now.status).toBe(200);
  });

  test('a stranger gets none, and hears nothing', async () => {
    const circuit = await book();
    const token = await tokenOf(circuit.id);
    expect((await api.post('/v1/tokens', { circuit_id: circuit.id }, { as: 'stranger' })).status).toBe(404);
    const seen = await api.post('/v1/tokens/introspect', { token }, { as: 'stranger' });
    expect(seen.body).toEqual({ active: false });
    const gone = await api.post('/v1/tokens/revoke', { token }, { as: 'stranger' });
    expect(gone.body).toEqual({ revoked: false });
    expect((await api.post('/v1/tokens/introspect', { token })).body).toMatchObject({
      active: true,
      cnf: { jkt: expect.any(String) },
      use: { max: 16 },
    });
  });

  test('a form, as clients of RFC 7009 send it; and twice the same field', async () => {
    const circuit = await book();
    const token = await tokenOf(circuit.id);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const twice = await api.post('/v1/tokens/introspect', `token=${token}&token=x`, { headers });
    expect(twice.status).toBe(400);
    const seen = await api.post('/v1/tokens/introspect', `token=${token}`, { headers });
    expect(seen.body.active).toBe(true);
    const done = await api.post('/v1/tokens/revoke', `token=${token}&token_type_hint=access_token`, {
      headers,
    });
    expect(done.body).toEqual({ revoked: true });
    expect((await api.post('/v1/tokens/introspect', { token })).body).toEqual({ active: false });
  });

  test('attack 42: a withdrawn root takes its delegates with it, and kill puts the light out', async () => {
    const friend = new Holder(api.world.clock);
    const circuit = await book();
    const token = await tokenOf(circuit.id);
    const narrow = owner.passes(token, friend);
    await api.world.pass(10);
    await send(circuit.id, 'provision', friend.shows(narrow, { action: 'provision' }));
    await api.world.pass(3);
    expect((await api.post('/v1/tokens/revoke', { token, kill: true })).body).toEqual({ revoked: true });
    const after = await send(circuit.id, 'reroute', friend.shows(narrow, { action: 'reroute' }));
    expect(after.body.token_reason).toBe('REVOKED');
    await api.world.pass(3);
    expect((await api.get(path(circuit.id))).body.state).toBe('ENDED');
    const list = await api.get('/v1/tokens/status/0', { as: 'nobody' });
    expect(list.headers['content-type']).toBe('application/statuslist+jwt');
  });

  test('kill also ends what was told to shine and does not yet', async () => {
    const circuit = await book();
    const token = await tokenOf(circuit.id);
    await send(circuit.id, 'provision', owner.shows(token, { action: 'provision' }));
    await api.post('/v1/tokens/revoke', { token, kill: true });
    expect((await api.get(path(circuit.id))).body.state).toBe('ENDED');
  });

  test('attack 43: a withdrawn link, while its root goes on', async () => {
    const friend = new Holder(api.world.clock);
    const circuit = await book();
    const token = await tokenOf(circuit.id);
    const narrow = owner.passes(token, friend);
    await api.post('/v1/tokens/revoke', { token: narrow });
    const dead = await send(circuit.id, 'provision', friend.shows(narrow, { action: 'provision' }));
    expect(dead.body.token_reason).toBe('REVOKED');
    expect((await send(circuit.id, 'provision', owner.shows(token, { action: 'provision' }))).status).toBe(
      200,
    );
  });

  test('an AUTOMATIC circuit: the broker holds the token and narrows it for somebody', async () => {
    const friend = new Holder(api.world.clock);
    const circuit = await book({ provision: 'AUTOMATIC', holder_jwk: undefined });
    const kept = await api.post('/v1/tokens', { circuit_id: circuit.id });
    expect(kept.body).toMatchObject({ kept: 'HOME' });
    const given = await api.post('/v1/tokens/attenuate', {
      token: kept.body.token,
      holder_jwk: friend.jwk,
      limits: { actions: ['release'] },
    });
    const released = await send(circuit.id, 'release', friend.shows(given.body.token, { action: 'release' }));
    expect(released.status).toBe(200);
    const wider = { token: given.body.token, holder_jwk: owner.jwk };
    expect((await api.post('/v1/tokens/attenuate', wider)).body.token_reason).toBe('HOLDER');
  });

  test('keys: rotated, the old one verifies on; compromised, it is worth nothing', async () => {
    const circuit = await book();
    const token = await tokenOf(circuit.id);
    const before = (await api.get('/.well-known/jwks.json', { as: 'nobody' })).body.keys;
    const known = before.length;
    expect((await api.post('/v1/tokens/keys/rotate')).status).toBe(403);
    expect((await api.post('/v1/tokens/keys/rotate', {}, { as: 'operator' })).status).toBe(200);
    expect((await api.get('/.well-known/jwks.json', { as: 'nobody' })).body.keys).toHaveLength(known + 1);
    expect((await send(circuit.id, 'provision', owner.shows(token, { action: 'provision' }))).status).toBe(
      200,
    );
    const kid = before[0].kid; // the last test: this one signs no more
    const keys = await api.post(`/v1/tokens/keys/${kid}/compromise`, {}, { as: 'operator' });
    expect(keys.body.items.find((key: { kid: string }) => key.kid === kid)).toMatchObject({
      compromised: true,
    });
    expect(JSON.stringify(keys.body)).not.toContain('"d"');
    const dead = await send(circuit.id, 'reroute', owner.shows(token, { action: 'reroute' }));
    expect(dead.body.token_reason).toBe('KEY');
    expect((await api.get('/.well-known/jwks.json', { as: 'nobody' })).body.keys).toHaveLength(known);
  });
});
