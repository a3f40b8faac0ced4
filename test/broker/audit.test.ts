/**
 * What the audit log promises while the broker runs: a record for every decision in the transaction of what it
 * allowed, before any effect; nothing left of a group that was not written; and the tree always that of the rows.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { schemaSha256 } from '../../src/aaa/schema.ts';
import type { Devices, LightContext } from '../../src/broker/devices/devicePorts.ts';
import { type Group, type Store, StoreError } from '../../src/broker/ports.ts';
import type { CircuitId } from '../../src/kernel/ids.ts';
import type { CircuitRequest } from '../../src/model/circuit.ts';
import { storedLog } from '../support/auditLog.ts';
import { aRequest, fixed } from '../support/builders.ts';
import { call, OneDomain, operator } from '../support/oneDomain.ts';
import { OPEN_POLICY, rulesFor } from '../support/policies.ts';

let world: OneDomain;
afterEach(() => world.end());

const ask = (over: Partial<CircuitRequest> = {}) => world.broker.createCircuit(call(), aRequest(over));
const decisions = async () => [...(await world.broker.decisions(operator, { limit: 500 })).items];

/** The rows, the tree in memory and the decisions tell the same. */
async function agrees() {
  const log = await storedLog(world.store);
  const tree = world.broker.term?.writer.audit.tree;
  expect(tree?.size).toBe(log.rows.length);
  expect(tree?.root()).toEqual(log.root);
  const made = log.records.filter((record) => record.op === 'decision');
  expect(made.map((record) => record['decision_id']).sort()).toEqual(
    (await decisions()).map((decision) => decision.id).sort(),
  );
  return log;
}

const failingOn =
  (fails: (group: Group) => StoreError | undefined) =>
  (store: Store): Store =>
    new Proxy(store, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown;
        if (name !== 'commit') return typeof value === 'function' ? value.bind(target) : value;
        return async (group: Group) => {
          const error = fails(group);
          if (error !== undefined) throw error;
          await target.commit(group);
        };
      },
    });

it('a decision and what it allowed are in one transaction, with who, what, where and what came of it', async () => {
  const groups: Group[] = [];
  world = await OneDomain.start({
    wrapStore: failingOn((group) => {
      groups.push(group);
      return undefined;
    }),
  });
  groups.length = 0;
  await ask({ mbps: 700 });
  const [group] = groups;
  expect(groups).toHaveLength(1);
  expect(group?.decisions).toHaveLength(1);
  const { records, rows } = await agrees();
  expect(records).toEqual([
    // What the broker began with.
    expect.objectContaining({
      op: 'policy.change',
      seq: 0,
      policy_set_sha256: records[1]?.['policy_set_sha256'],
    }),
    {
      seq: 1,
      time: '2026-01-01T00:00:00.000Z',
      op: 'decision',
      domain: 'ams.example',
      decision_id: group?.decisions[0]?.id,
      circuit: group?.circuits[0]?.circuit.id,
      txn: 'req_test',
      actor: { sha256: expect.any(String) },
      action: 'circuit.create',
      project: 'lhc',
      sequence: 'AGENT',
      decision: 'ALLOW',
      reasons: ['anybody'],
      facts: expect.objectContaining({ bandwidth_mbps: 700, principal_in: ['Project::lhc', 'Role::user'] }),
      policy_set_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      schema_sha256: schemaSha256,
      ports: ['ams:host1', 'ams:host2'],
      ask: expect.objectContaining({ bandwidth_mbps: 700 }),
      effect: 'circuit.created circuit.scheduled',
    },
  ]);
  expect(rows[1]?.asides).toEqual([{ seq: 1, field: 'actor', salt: expect.any(String), value: 'dev|user' }]);
});

it('a denial is durable before it is answered, and says so', async () => {
  const stored: number[] = [];
  const forbid = (id: string) =>
    `@id("${id}") forbid (principal, action, resource) when { context.month == 1 };`;
  world = await OneDomain.start({ policy: rulesFor(OPEN_POLICY + forbid('z') + forbid('a')) });
  const problem = await ask().catch((error: unknown) => error);
  stored.push((await storedLog(world.store)).rows.length);
  expect(problem).toMatchObject({ code: 'POLICY_DENIED' });
  expect(stored).toEqual([2]);
  const { records } = await agrees();
  expect(records[1]).toMatchObject({
    decision: 'DENY',
    reasons: ['a', 'z'],
    policy_set_sha256: records[0]?.['policy_set_sha256'],
    facts: { month: 1 },
  });
  expect(records[1]).not.toHaveProperty('effect');
});

it('a group that fails leaves nothing in the log; run again, each record is there once', async () => {
  const bad = (group: Group) =>
    group.circuits.some(({ circuit }) => circuit.request.mbps === 666)
      ? new StoreError('CONFLICT', 'a constraint says no')
      : undefined;
  world = await OneDomain.start({ wrapStore: failingOn(bad) });
  await Promise.allSettled([1, 2, 666, 3].map((mbps) => ask({ mbps })));
  expect((await agrees()).rows).toHaveLength(4);
  await ask({ mbps: 4 });
  expect((await agrees()).rows).toHaveLength(5);
});

it('a record that cannot be written down turns away its own request and no other', async () => {
  world = await OneDomain.start();
  const results = await Promise.allSettled(
    ['lhc', '\ud800', 'lhc'].map((project) => ask({ mbps: 1, project })),
  );
  expect(results.map((r) => r.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect((await agrees()).rows).toHaveLength(3);
});

it('a look at what would happen is not recorded', async () => {
  world = await OneDomain.start();
  await world.broker.createCircuit(call(undefined, { validateOnly: true }), aRequest());
  expect((await agrees()).rows).toHaveLength(1);
});

it('goes on after a restart where it was, over tiles and the rest', async () => {
  world = await OneDomain.start();
  for (let i = 0; i < 3; i++) {
    const at = Array.from({ length: 100 }, (_, n) => 1_000 + 200 * (100 * i + n));
    await Promise.all(at.map((start) => ask({ schedule: fixed(start, start + 100) })));
    await world.restart();
  }
  const { rows } = await agrees();
  expect(rows.length).toBe(301);
  expect(await world.store.auditTiles()).toHaveLength(1);
});

it('attack 67: no room for the log is a no, also to a denial, and never to what reduces', async () => {
  let full = false;
  const narrow =
    '@id("narrow") forbid (principal, action, resource) when { context has bandwidth_mbps && context.bandwidth_mbps > 9000 };';
  world = await OneDomain.start({
    policy: rulesFor(OPEN_POLICY + narrow),
    wrapStore: failingOn((group) =>
      full && !group.reduces ? new StoreError('FULL', 'no space left') : undefined,
    ),
  });
  const kept = await ask();
  if (kept.kind !== 'done') throw new Error('not a replay');
  full = true;
  await expect(ask({ schedule: fixed(300, 400) })).rejects.toMatchObject({ code: 'STORE_FULL' });
  await expect(ask({ mbps: 9_500 })).rejects.toMatchObject({ code: 'STORE_FULL' });
  const before = (await agrees()).records.map((record) => record['action'] ?? record.op);
  expect(before).toEqual(['policy.change', 'circuit.create']);
  await world.broker.act(call(), kept.value.id, { type: 'cancel', detail: 'make room' });
  const { records } = await agrees();
  expect(records.slice(2).map((record) => record['action'])).toEqual(['circuit.cancel']);
  full = false;
  await expect(ask({ mbps: 9_500 })).rejects.toMatchObject({ code: 'POLICY_DENIED' });
  expect((await agrees()).rows).toHaveLength(4);
});

describe('record before effect', () => {
  it('whatever a device is told to light carries a decision whose record is durable', async () => {
    const told: LightContext[] = [];
    const durable: (number | undefined)[] = [];
    const lit = { ok: true, retry: false, detail: '', elements: [] };
    const devices: Devices = {
      light: async (_, context) => {
        told.push(context);
        durable.push(await world.store.auditSeqOf(context.decisionId));
        return lit;
      },
      dark: async (_, context) => {
        told.push(context);
        durable.push(await world.store.auditSeqOf(context.decisionId));
        return lit;
      },
      observe: async () => [],
    };
    world = await OneDomain.start({ devices: () => devices });
    await ask({ schedule: fixed(100, 200) });
    await ask({ schedule: fixed(100, 1_000) });
    await world.pass(150);
    const [second] = (await world.broker.circuits(operator, { sort: '-end_time', limit: 1 })).items;
    if (second === undefined) throw new Error('no circuit');
    await world.broker.act(call(), second.id, { type: 'release', detail: 'done' });
    await world.pass(100);
    expect(told).toHaveLength(4);
    expect(durable.every((seq) => seq !== undefined)).toBe(true);
    await agrees();
  });

  it('what nobody wants any more is put out under a record of its own', async () => {
    const told: { circuit: string; seq: number | undefined }[] = [];
    const leftOver = {
      device: 'sw1',
      in: { port: 'host1', label: 7 },
      out: { port: 't1', label: 7 },
      owner: { circuit: 'cir_long_gone' as CircuitId, version: 1 },
    };
    const devices: Devices = {
      light: () => Promise.reject(new Error('nothing is lit here')),
      dark: async (_, { circuit, decisionId }) => {
        told.push({ circuit, seq: await world.store.auditSeqOf(decisionId) });
        return { ok: true, retry: false, detail: '', elements: [] };
      },
      observe: async () => [leftOver],
    };
    world = await OneDomain.start({ devices: () => devices });
    await vi.waitFor(() => expect(told).toHaveLength(1));
    expect(told).toMatchObject([{ circuit: leftOver.owner.circuit, seq: expect.any(Number) }]);
    const { records } = await storedLog(world.store);
    expect(records[told[0]?.seq ?? -1]).toMatchObject({ op: 'light.clear', circuit: leftOver.owner.circuit });
  });
});
