/**
 * The policy in force, through the API and over a restart: who is asked about what, what an upload must pass,
 * going over and back, what the rules are told, and what is closed when nothing loads.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import knex from 'knex';
import { afterEach, describe, expect, it } from 'vitest';
import { replay } from '../../src/aaa/policies.ts';
import { loadPolicies } from '../../src/aaa/policySet.ts';
import { OPEN_POLICY, rulesFor } from '../support/policies.ts';
import { Api } from './harness.ts';

let api: Api;
afterEach(() => api.end());

const examples = join(import.meta.dirname, '../../examples/policies');
const text = (name: string): string => readFileSync(join(examples, `${name}.cedar`), 'utf8');
const start = (policy = OPEN_POLICY) => Api.start({ policy: rulesFor(policy) }).then((made) => (api = made));
const operator = { as: 'operator' } as const;
const stranger = { as: 'stranger' } as const;

const at = (minute: number): string =>
  new Date(api.world.clock.now() + minute * 60_000).toISOString().replace(/\.\d+Z/, 'Z');
const asked = (over: object = {}) => ({
  project: 'lhc',
  a: { port: 'ams:host1' },
  z: { port: 'ams:host2' },
  bandwidth_mbps: 4_000,
  schedule: { type: 'FIXED', start_time: at(10), end_time: at(70) },
  ...over,
});
const book = (over: object = {}, as = {}) => api.post('/v1/circuits', asked(over), as);
const decision = async (id: string, as = operator) => (await api.get(`/v1/decisions/${id}`, as)).body;
const upload = (policy: string, over: object = {}) =>
  api.post('/v1/policies', { text: policy, ...over }, operator);
const activate = (id: string, as = operator) => api.post(`/v1/policies/${id}/activate`, {}, as);
const inForce = async (policy: string): Promise<string> => {
  const { body } = await upload(policy);
  expect((await activate(body.id)).status).toBe(200);
  return body.id;
};

describe('the default policy', () => {
  it('denies the stranger, down to the clause, and writes nothing else', async () => {
    await start(text('lab'));
    for (const project of ['lhc', 'elsewhere']) {
      const { status, body } = await book({ project }, stranger);
      expect([status, body.code, body.rules]).toEqual([403, 'POLICY_DENIED', []]);
      expect(body.needed).toContainEqual({
        rule: 'members-book',
        effect: 'permit',
        clause: project === 'lhc' ? 'when { principal in resource }' : 'when { resource == Project::"lhc" }',
        values:
          project === 'lhc' ? { principal_in: ['Project::elsewhere', 'Role::user'], project } : { project },
      });
      expect(await decision(body.decision_id)).toMatchObject({
        effect: 'DENY',
        near_misses: body.needed,
        policy: expect.stringMatching(/^[0-9a-f]{64}$/),
        policy_schema: expect.stringMatching(/^[0-9a-f]{64}$/),
        inputs: { bandwidth_mbps: 4_000, duration_s: 3_600 },
        sequence: 'AGENT',
      });
    }
    expect((await api.get('/v1/circuits', operator)).body.items).toEqual([]);
    expect((await book()).status).toBe(201);
  });

  it('lets an operator change what is not of his projects with a reason only', async () => {
    await start(text('default'));
    const { body } = await book({ project: 'elsewhere' }, stranger);
    const url = `/v1/circuits/${body.id}/reroute`;
    expect((await api.post(url, {}, operator)).body.needed).toMatchObject([
      { rule: 'members-book' },
      { rule: 'operators-override', clause: 'when { context.override }', values: { override: false } },
      { rule: 'holders-use-their-token' },
    ]);
    const headers = { 'turnpike-override-reason': 'ticket 4711' };
    expect((await api.post(url, {}, { ...operator, headers })).status).toBe(200);
    expect((await api.delete(`/v1/circuits/${body.id}`, operator)).status).toBe(200);
  });
});

describe('what is recorded', () => {
  it('an allowed request that has no room keeps its decision, and says how it ended', async () => {
    await start();
    await book({ bandwidth_mbps: 9_000 });
    const { status, body } = await book();
    expect([status, body.code]).toEqual([409, 'NO_FEASIBLE_SLOT']);
    expect(await decision(body.decision_id)).toMatchObject({ effect: 'ALLOW', refused: 'NO_FEASIBLE_SLOT' });
    const tried = await api.post('/v1/circuits?validate_only=true', asked());
    expect([tried.status, tried.body.decision_id]).toEqual([409, undefined]);
  });

  it('every decision is the same when its record is decided again', async () => {
    await start(text('default'));
    await book();
    await book({}, stranger);
    await api.get('/v1/devices', stranger);
    await api.get('/v1/devices', operator);
    const loaded = loadPolicies(text('default'));
    if (!loaded.ok) throw new Error('it loads');
    const { items } = await api.world.store.decisions({ limit: 10 });
    expect(items.map((one) => one.effect).sort()).toEqual(['ALLOW', 'ALLOW', 'DENY', 'DENY']);
    for (const one of items) {
      const { id, principal, effect, reasons, project, seen = {} } = one;
      const past = { id, principal, effect, reasons, project, seen, action: one.action as 'circuit.create' };
      expect(replay(loaded.set, past), one.action).toBe('SAME');
      expect(one.policy).toBe(loaded.set.sha256);
    }
  });
});

describe('what the rules are told', () => {
  const seen = async (over: object = {}) => decision((await book(over)).body.decision_id ?? '');
  const CEILINGS = `${OPEN_POLICY}@id("cap") forbid (principal, action in Action::"book", resource)
    unless { context has project_mbps && context.project_mbps <= 10000 && context has project_circuits && context.project_circuits <= 3 };`;

  it('the project at its fullest moment, this one included', async () => {
    await start(CEILINGS);
    expect((await book({ bandwidth_mbps: 3_000 })).status).toBe(201);
    const other = { a: { port: 'ams:host3' }, z: { port: 'ams:host2' } };
    expect((await book({ ...other, bandwidth_mbps: 3_000 })).status).toBe(201);
    const third = await book({ bandwidth_mbps: 4_001 });
    expect([third.status, third.body.rules]).toEqual([403, ['cap']]);
    expect(third.body.needed).toEqual([
      expect.objectContaining({ rule: 'cap', effect: 'forbid', values: { project_mbps: 10_001 } }),
    ]);
    const later = { schedule: { type: 'FIXED', start_time: at(70), end_time: at(80) } };
    expect((await book({ ...later, bandwidth_mbps: 9_000 })).status).toBe(201);
    expect(
      (await seen({ schedule: { type: 'FIXED', start_time: at(200), end_time: at(210) } })).inputs,
    ).toMatchObject({
      project_circuits: 4,
      project_mbps: 4_000,
    });
  });

  it('the members of a set count with each other', async () => {
    await start(CEILINGS);
    const circuits = ['one', 'two', 'three'].map((key) => asked({ key, bandwidth_mbps: 3_400 }));
    const { status, body } = await api.post('/v1/circuit-sets', {
      circuits: circuits.map((one, i) => ({ ...one, z: { port: i === 2 ? 'ams:host3' : 'ams:host2' } })),
    });
    expect([status, body.code]).toEqual([403, 'POLICY_DENIED']);
    expect(body.needed[0].values).toEqual({ project_mbps: 10_200 });
  });

  it('a volume without a ceiling has the rate of its narrower port', async () => {
    await start(
      `${OPEN_POLICY}@id("slow") forbid (principal, action, resource) when { context has bandwidth_mbps && context.bandwidth_mbps > 5000 };`,
    );
    const schedule = { type: 'VOLUME', volume_bytes: 1e9, deadline_time: at(600) };
    const { bandwidth_mbps: _, ...rest } = asked({ schedule });
    expect((await api.post('/v1/circuits', rest)).body.needed).toMatchObject([
      { clause: 'when { context has bandwidth_mbps }' },
      { values: { bandwidth_mbps: 10_000 } },
    ]);
    const capped = { ...rest, schedule: { ...schedule, max_bandwidth_mbps: 5_000 } };
    expect((await api.post('/v1/circuits', capped)).status).toBe(201);
  });

  it('a slot that the broker chose is asked about too, where a rule looks at the calendar', async () => {
    await start(
      `${OPEN_POLICY}@id("not-then") forbid (principal, action == Action::"circuit.create", resource)
         when { context.month == 13 };`,
    );
    const schedule = { type: 'FLEXIBLE', duration_s: 600, deadline_time: at(600) };
    expect((await book({ schedule })).status).toBe(201);
    const { items } = (await api.get('/v1/decisions', operator)).body;
    const told = items.map((one: { inputs: object }) => 'start_time' in one.inputs);
    expect(told.sort()).toEqual([false, true]);
  });
});

describe('attack 61: a broken policy is not taken', () => {
  it.each([
    ['no policy language', 'permit everything', {}, '/text'],
    [
      'a name that looks like another',
      '@id("x") permit (principal in Role::"\u043eperator", action, resource);',
      {},
      '/text',
    ],
    [
      'arithmetic',
      '@id("x") forbid (principal, action, resource) when { context.month - 1 > 5 };',
      {},
      '/text',
    ],
    [
      'one that fails its own tests',
      OPEN_POLICY,
      {
        assertions: [{ name: 't', principal: {}, action: 'circuit.create', project: 'lhc', expect: 'DENY' }],
      },
      '/assertions/0',
    ],
  ])('%s', async (_, policy, over, pointer) => {
    await start();
    const { status, body } = await upload(policy, over);
    expect([status, body.code, body.errors[0].pointer]).toEqual([400, 'INVALID_REQUEST', pointer]);
    expect((await api.get('/v1/policies', operator)).body.items).toHaveLength(1);
    expect((await book()).status).toBe(201);
  });

  it('nor one under which nobody could mend it', async () => {
    await start();
    const { body } = await upload('@id("all") permit (principal, action in Action::"book", resource);');
    const refused = await activate(body.id);
    expect([refused.status, refused.body.code]).toEqual([409, 'POLICY_UNFIT']);
    expect((await api.get('/v1/devices', operator)).status).toBe(200);
  });
});

describe('versions', () => {
  const CAP = `${OPEN_POLICY}@id("cap") forbid (principal, action in Action::"book", resource)
    when { context has bandwidth_mbps && context.bandwidth_mbps > 3000 };`;

  it('are tried on the past, put in force at once, kept over a restart, and taken back', async () => {
    await start();
    const past = (await book()).body;
    const made = (await upload(CAP, { description: 'at most 3G' })).body;
    expect(made).toMatchObject({ state: 'INACTIVE', author: 'dev|operator', text: CAP });
    expect((await book({ z: { port: 'ams:host3' } })).status).toBe(201);
    const tried = (await api.post(`/v1/policies/${made.id}/simulate`, {}, operator)).body;
    expect(tried.changes).toContainEqual({
      decision_id: past.decision_ids[0],
      was: 'ALLOW',
      becomes: 'DENY',
      rules: ['cap'],
    });
    expect((await activate(made.id)).body).toMatchObject({ id: made.id, state: 'ACTIVE' });
    expect((await book()).body.rules).toEqual(['cap']);
    await api.world.restart();
    const after = (await api.world.broker.policies.one(made.id)).active;
    expect(after).toBe(true);
  });

  it('go back to the one before, and not past the first', async () => {
    await start();
    const [first] = (await api.get('/v1/policies', operator)).body.items;
    const second = await inForce(CAP);
    expect((await book()).status).toBe(403);
    const back = await api.post('/v1/policies/rollback', {}, operator);
    expect(back.body).toMatchObject({ id: first.id, state: 'ACTIVE' });
    expect((await book()).status).toBe(201);
    expect((await api.post('/v1/policies/rollback', {}, operator)).body.code).toBe('POLICY_UNFIT');
    expect((await api.get(`/v1/policies/${second}`, operator)).body.state).toBe('INACTIVE');
    const { items } = (await api.get('/v1/decisions?action=policy.activate', operator)).body;
    expect(items.map((one: { inputs: { policy: string } }) => one.inputs.policy)).toEqual([first.id, second]);
  });

  it('are for operators', async () => {
    await start();
    for (const [method, url] of [
      ['GET', '/v1/policies'],
      ['POST', '/v1/policies/rollback'],
    ] as const) {
      const { status, body } = await api.ask(method, url, { ...(method === 'POST' ? { body: {} } : {}) });
      expect([status, body.code]).toEqual([403, 'POLICY_DENIED']);
      expect((await decision(body.decision_id)).effect).toBe('DENY');
    }
  });
});

describe('explain', () => {
  it('answers as the real call would, and writes nothing', async () => {
    await start(text('default'));
    const count = async () => (await api.world.store.decisions({ limit: 500 })).items.length;
    const before = await count();
    const ask = (body: object, as = {}) => api.post('/v1/decisions/explain', body, as);
    expect((await ask({ action: 'circuit.create', circuit: asked() })).body).toMatchObject({
      effect: 'ALLOW',
      rules: ['members-book'],
    });
    const no = (await ask({ action: 'circuit.create', circuit: asked() }, stranger)).body;
    expect([no.effect, no.near_misses[0].rule]).toEqual(['DENY', 'members-book']);
    expect((await ask({ action: 'topology.write' })).body.effect).toBe('DENY');
    expect((await ask({ action: 'topology.write' }, operator)).body.effect).toBe('ALLOW');
    const what = { action: 'circuit.create', circuit: asked(), suppose: { bandwidth_mbps: 7 } };
    expect((await ask(what)).body.inputs.bandwidth_mbps).toBe(7);
    expect(await count()).toBe(before);
    const { body } = await book();
    const change = { bandwidth_mbps: 9 };
    const modify = (await ask({ action: 'circuit.modify', circuit_id: body.id, change })).body;
    expect(modify.inputs).toMatchObject({ bandwidth_mbps: 9, owner: true, duration_s: 3_600 });
    expect((await ask({ action: 'circuit.modify', circuit_id: body.id }, stranger)).status).toBe(404);
  });
});

describe('a stored version that does not load', () => {
  it('closes everything but what gives back, says so, and is mended by an operator', async () => {
    await start();
    const { body } = await book();
    await api.world.stopped(async (file) => {
      const db = knex({ client: 'sqlite3', connection: { filename: file }, useNullAsDefault: true });
      await db.raw("UPDATE policies SET doc = replace(doc, 'permit (', 'permint (')");
      await db.destroy();
    });
    const { broker } = api.world;
    expect(broker.readiness().policy).toMatchObject({
      state: 'CLOSED',
      detail: expect.stringContaining('does not load'),
    });
    const world = api.world;
    const principal = {
      id: 'dev|user',
      name: 'user',
      roles: ['user'],
      projects: ['lhc'],
      assurance: 1,
    } as const;
    const call = { principal, requestId: 'r', validateOnly: false };
    const denied = await broker.act(call, body.id, { type: 'reroute' }).catch((error: unknown) => error);
    expect(denied).toMatchObject({
      code: 'POLICY_DENIED',
      message: expect.stringContaining('does not load'),
    });
    await broker.act(call, body.id, { type: 'cancel', detail: 'enough' });
    const [last] = (await world.store.decisions({ limit: 1, action: 'circuit.cancel' })).items;
    expect(last).toMatchObject({ effect: 'ALLOW', reasons: ['REDUCE_ONLY'], policy: 'NONE' });
    const boss = { ...principal, id: 'dev|operator', roles: ['operator'] } as const;
    const mend = { ...call, principal: boss };
    const made = await broker.policies.upload(mend, { text: OPEN_POLICY, assertions: [] });
    if (made.kind !== 'done') throw new Error('not a replay');
    await broker.policies.activate(mend, made.value.id);
    expect(broker.readiness().policy).toMatchObject({ state: 'IN_FORCE' });
  });
});
