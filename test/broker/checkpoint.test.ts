/**
 * Checkpoints while the broker runs, fails and starts again: only durable records are signed, never two roots
 * of one size, and a log that is not the one that was signed is not served.
 */
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import knex from 'knex';
import { afterEach, describe, expect, it } from 'vitest';
import { isSignedBy, readNote } from '../../src/aaa/merkle/note.ts';
import type { CheckpointRow } from '../../src/broker/audit/auditPorts.ts';
import { type Group, type Store, StoreError } from '../../src/broker/ports.ts';
import { MemoryKeeper, naiveRoot, storedLog } from '../support/auditLog.ts';
import { aRequest, fixed } from '../support/builders.ts';
import { call, OneDomain, operator } from '../support/oneDomain.ts';

let world: OneDomain;
afterEach(() => world.end());

const ask = (i = 0) =>
  world.broker.createCircuit(call(), aRequest({ schedule: fixed(10_000 + 200 * i, 10_100 + 200 * i) }));
const many = (from: number, count: number) =>
  Promise.all(Array.from({ length: count }, (_, i) => ask(from + i)));

it('a second after a record, or at 256 of them, the log is signed as it is stored', async () => {
  const heard: CheckpointRow[] = [];
  const audit = new MemoryKeeper();
  world = await OneDomain.start({ audit, onCheckpoint: (c) => heard.push(c) });
  await ask(0);
  await ask(1);
  await world.settle();
  expect(heard).toEqual([]);
  await world.pass(1);
  // The policy of the first start, and two decisions.
  expect(heard.map((c) => c.size)).toEqual([3]);
  await many(2, 300);
  await world.settle();
  expect(heard.at(-1)?.size).toBeGreaterThanOrEqual(259);
  const { leaves } = await storedLog(world.store);
  const signer = { name: 'ams.example/audit/1', key: audit.key };
  for (const { note, size, origin } of heard) {
    const read = readNote(note);
    expect(origin).toBe(signer.name);
    expect(read?.checkpoint).toMatchObject({ origin, size, root: naiveRoot(leaves.slice(0, size)) });
    expect(read !== undefined && isSignedBy(read, signer)).toBe(true);
  }
  expect(await world.store.checkpoints(signer.name, 0, 9)).toEqual(heard);
  expect(audit.kept).toBe(heard.at(-1)?.note);
  const before = heard.length;
  await world.pass(100);
  expect(heard.length - before).toBeLessThanOrEqual(1);
});

it('under load a checkpoint travels with the decisions of a group', async () => {
  const alone: number[] = [];
  world = await OneDomain.start({
    audit: new MemoryKeeper(),
    wrapStore: tapped((group) => {
      if (group.audit.checkpoints.length > 0) alone.push(group.audit.rows.length);
      return undefined;
    }),
  });
  await Promise.all(
    [0, 1, 2].map(async (k) => {
      await many(k * 300, 300);
      await many(1_000 + k * 300, 300);
    }),
  );
  expect(Math.max(...alone)).toBeGreaterThan(0);
});

function tapped(fails: (group: Group) => 'BEFORE' | 'AFTER' | undefined) {
  return (store: Store): Store =>
    new Proxy(store, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown;
        if (name !== 'commit') return typeof value === 'function' ? value.bind(target) : value;
        return async (group: Group) => {
          const how = fails(group);
          if (how === 'BEFORE') throw new StoreError('CONFLICT', 'not written');
          await target.commit(group);
          if (how === 'AFTER') throw new StoreError('UNAVAILABLE', 'written, and the answer is lost');
        };
      },
    });
}

it('whatever fails between append, commit and signature, there is one root for each size', async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('ask' as const), n: fc.integer({ min: 1, max: 140 }) }),
    fc.record({ do: fc.constant('pass' as const) }),
    fc.record({ do: fc.constant('restart' as const) }),
    fc.record({
      do: fc.constantFrom('BEFORE' as const, 'AFTER' as const),
      n: fc.integer({ min: 0, max: 2 }),
    }),
  );
  let at = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 10 }), async (steps) => {
      const roots = new Map<string, string>();
      const forked: string[] = [];
      const faults: ('BEFORE' | 'AFTER' | undefined)[] = [];
      const audit = new MemoryKeeper();
      /** Every signature that was made, written or not. */
      const fails = (group: Group) => {
        for (const { note } of group.audit.checkpoints) {
          const read = readNote(note)?.checkpoint;
          const root = read?.root.toString('hex') ?? '';
          const name = `${read?.origin} ${read?.size}`;
          // Thrown here, it would only look like a store that fails.
          if ((roots.get(name) ?? root) !== root) forked.push(name);
          roots.set(name, root);
        }
        return faults.shift();
      };
      world = await OneDomain.start({ audit, wrapStore: tapped(fails) });
      for (const one of steps) {
        if (one.do === 'ask') {
          const asked = Promise.allSettled(Array.from({ length: one.n }, () => ask(at++)));
          await world.settle();
          await asked;
        } else if (one.do === 'pass') await world.pass(2);
        else if (one.do === 'restart') await world.restart();
        else faults.push(...Array.from({ length: one.n }, () => undefined), one.do);
      }
      faults.length = 0;
      await world.pass(12);
      expect(world.broker.readiness()).toMatchObject({ ready: true });
      await ask(at++);
      await world.pass(2);
      const { leaves } = await storedLog(world.store);
      expect(forked).toEqual([]);
      expect(roots.size).toBeGreaterThan(0);
      expect(audit.kept).toContain(`\n${leaves.length}\n`);
      for (const { size, note } of await world.store.checkpoints('ams.example/audit/1', 0, 500))
        expect(readNote(note)?.checkpoint.root).toEqual(naiveRoot(leaves.slice(0, size)));
      await world.end();
    }),
    { numRuns: 12, seed: 5 },
  );
  world = await OneDomain.start();
}, 60_000);

describe('attack 66: a log that is not the one that was signed is not served', () => {
  const start = async () => {
    const audit = new MemoryKeeper();
    world = await OneDomain.start({ audit });
    await many(0, 300);
    await world.pass(2);
    await ask(301);
    await world.pass(2);
    return audit;
  };
  /** SQL on the file while nobody runs. */
  const edit = async (...statements: readonly string[]): Promise<void> => {
    await world.stopped(async (file) => {
      const db = knex({ client: 'sqlite3', connection: { filename: file }, useNullAsDefault: true });
      for (const text of statements) await db.raw(text);
      await db.destroy();
    });
  };
  const refused = async (why: RegExp): Promise<void> => {
    const readiness = world.broker.readiness();
    expect(readiness).toMatchObject({ ready: false, role: 'STANDBY', refusal: expect.stringMatching(why) });
    await expect(ask(999)).rejects.toMatchObject({ code: 'NOT_LEADER' });
    await world.pass(60);
    expect(world.broker.readiness().ready).toBe(false);
  };

  const leaf = Buffer.alloc(32, 7).toString('base64url');
  const tampered: readonly (readonly [string, readonly string[], RegExp])[] = [
    [
      'a truncated tail',
      ['DELETE FROM audit_records WHERE seq = 301'],
      /covers 302 records, and the store has 301/,
    ],
    [
      'a truncated tail with its checkpoint',
      ['DELETE FROM audit_records WHERE seq = 301', 'DELETE FROM audit_checkpoints WHERE size = 302'],
      /kept beside the key covers 302 records, and the store has 301/,
    ],
    ['another leaf', [`UPDATE audit_records SET leaf = '${leaf}' WHERE seq = 300`], /are others/],
    ['another tile', [`UPDATE audit_tiles SET hash = '${leaf}'`], /are others/],
    [
      'a checkpoint of somebody else',
      ["UPDATE audit_checkpoints SET note = replace(note, 'ams.example', 'amS.example')"],
      /is of amS.example\/audit\/1|is not a checkpoint|another key/,
    ],
    [
      'everything gone',
      ['DELETE FROM audit_records', 'DELETE FROM audit_tiles', 'DELETE FROM audit_checkpoints'],
      /the store has 0/,
    ],
  ];
  it.each(tampered)('%s', async (_, statements, why) => {
    await start();
    await edit(...statements);
    await refused(why);
  });

  it('signed with another key', async () => {
    await start();
    await world.stopped(async () => {}, { audit: new MemoryKeeper() });
    await refused(/another key/);
  });

  it('a restored backup goes on under a new origin that names the old one, when an operator says so', async () => {
    const audit = await start();
    const copy = join(world.dir, 'copy.db');
    await world.store.backup(copy);
    await ask(302);
    await world.pass(2);
    const old = readNote(audit.kept ?? '')?.checkpoint;
    await world.stopped(async (file) => {
      for (const ending of ['-wal', '-shm']) rmSync(`${file}${ending}`, { force: true });
      copyFileSync(copy, file);
    });
    await refused(/covers 303 records, and the store has 302/);
    audit.reason = 'the disk died';
    await world.restart();
    await ask(400);
    await world.pass(2);
    const note = readNote(audit.kept ?? '')?.checkpoint;
    expect(note?.origin).toBe('ams.example/audit/2');
    expect(note?.extensions).toEqual([`continues ams.example/audit/1 303 ${old?.root.toString('base64')}`]);
    const { records, rows } = await storedLog(world.store);
    expect(records[302]).toMatchObject({
      op: 'log.continue',
      effect: 'ams.example/audit/2',
      ask: { origin: 'ams.example/audit/1', size: 303 },
    });
    expect(rows[302]?.asides).toMatchObject([{ field: 'reason', value: 'the disk died' }]);
    expect(audit.reason).toBeUndefined();
    await world.restart();
    await ask(401);
    await world.pass(2);
    expect(readNote(audit.kept ?? '')?.checkpoint).toMatchObject({
      origin: 'ams.example/audit/2',
      size: 305,
      extensions: note?.extensions,
    });
    expect((await world.broker.decisions(operator, { limit: 1 })).items).toHaveLength(1);
  });
});
