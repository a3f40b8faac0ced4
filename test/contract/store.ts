/**
 * What the broker may count on, whatever the database: one suite, run on each. A test gets a fresh store
 * from the factory and may close and open it again.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Balance, Book, type Transfer } from '../../src/aaa/ledger/book.ts';
import {
  type Posting,
  type ProjectRecord,
  post,
  type QuotaRecord,
  type UsageRecord,
} from '../../src/broker/aaa/accountRecords.ts';
import { NO_AUDIT } from '../../src/broker/audit/auditPorts.ts';
import type { OctetRecord } from '../../src/broker/devices/octetRecords.ts';
import type { CircuitQuery, EventQuery, Group, Store } from '../../src/broker/ports.ts';
import type { TokenRecord, TokenRows } from '../../src/broker/tokens/tokenRecords.ts';
import { type InstantMs, instant } from '../../src/kernel/clock.ts';
import type { CircuitId } from '../../src/kernel/ids.ts';
import { type Circuit, isFinal, states } from '../../src/model/circuit.ts';
import type { Redemption } from '../../src/tokens/redeem.ts';
import {
  activation,
  admissions,
  auditGroup,
  circuit,
  circuitId,
  decision,
  decisionId,
  effect,
  event,
  group,
  policy,
  T0,
} from '../store/samples.ts';

const nothing: Balance = { granted: 0, available: 0, held: 0, spent: 0 };

export interface StoreHome {
  /** Opens the same database each time; the one before is closed first. */
  open(): Promise<Store>;
  /** Takes the time that leases lapse by `ms` further. */
  pass(ms: number): Promise<void>;
  clear(): Promise<void>;
}

const written = (c: Circuit, isNew = true): Pick<Group, 'circuits'> => ({
  circuits: [{ circuit: c, isNew }],
});

async function all<T>(pages: AsyncIterable<readonly T[]>): Promise<T[]> {
  const items: T[] = [];
  for await (const page of pages) items.push(...page);
  return items;
}

export function storeContract(name: string, makeHome: () => Promise<StoreHome>): void {
  describe(name, () => {
    let home: StoreHome;
    let store: Store;
    let epoch: number;

    beforeEach(async () => {
      home = await makeHome();
      store = await home.open();
      const lease = await store.acquireLease('first', 60_000);
      epoch = lease.held ? lease.epoch : 0;
    });
    afterEach(async () => {
      await store.close();
      await home.clear();
    });

    const reopen = async (): Promise<void> => {
      await store.close();
      store = await home.open();
      const lease = await store.acquireLease('first', 60_000);
      epoch = lease.held ? lease.epoch : 0;
    };
    const everything = async (): Promise<unknown> => ({
      counters: await store.counters(),
      circuits: await store.circuits({ sort: 'create_time', limit: 500 }),
      events: await store.events({ afterSeq: 0, limit: 500 }),
      effects: await all(store.pendingEffects()),
      decisions: await store.decisions({ limit: 500 }),
      webhooks: await store.webhooks(),
    });
    /** Refused with that kind, and not a row of it is there. */
    const refuses = async (g: Group, kind: string): Promise<void> => {
      const before = await everything();
      await expect(store.commit(g)).rejects.toMatchObject({ name: 'StoreError', kind });
      expect(await everything()).toEqual(before);
    };

    describe('policies', () => {
      test('are versions, of which the last activation says which rules', async () => {
        expect(await store.activePolicy()).toBeUndefined();
        await store.commit(group({ epoch, policies: [policy(1)], activations: [activation(1, 1)] }));
        await store.commit(group({ epoch, policies: [policy(2), policy(3)] }));
        expect(await store.activePolicy()).toEqual({ activation: activation(1, 1), policy: policy(1) });
        await store.commit(group({ epoch, activations: [activation(2, 3, 1)] }));
        await store.commit(group({ epoch, activations: [activation(3, 1)] }));
        await reopen();
        expect(await store.activePolicy()).toEqual({ activation: activation(3, 1), policy: policy(1) });
        expect(await store.lastActivation(policy(3).id)).toEqual(activation(2, 3, 1));
        expect(await store.lastActivation(policy(2).id)).toBeUndefined();
        expect(await store.policy(policy(2).id)).toEqual(policy(2));
        expect(await store.policy(policy(9).id)).toBeUndefined();
      });
      test('come page by page, the latest first', async () => {
        await store.commit(group({ epoch, policies: [1, 2, 3].map(policy) }));
        const first = await store.policies({ limit: 2 });
        expect(first.items).toEqual([policy(3), policy(2)]);
        const rest = await store.policies({ limit: 2, after: first.next as string });
        expect(rest).toEqual({ items: [policy(1)] });
      });
      test('never change, and what decides is a version that there is', async () => {
        await store.commit(group({ epoch, policies: [policy(1)], activations: [activation(1, 1)] }));
        for (const bad of [
          { policies: [policy(1)] },
          { activations: [activation(1, 1)] },
          { activations: [activation(2, 2)] },
        ])
          await refuses(group({ epoch, ...bad }), 'CONFLICT');
        expect(await store.activePolicy()).toEqual({ activation: activation(1, 1), policy: policy(1) });
      });
    });

    describe('the lease', () => {
      test('is held by one; another hears who has it and for how long', async () => {
        expect(epoch).toBeGreaterThan(0);
        const answer = await store.acquireLease('second', 60_000);
        expect(answer).toMatchObject({ held: false, leader: 'first' });
        if (!answer.held) expect(answer.expiresInMs).toBeGreaterThan(50_000);
      });
      test('is renewed by its holder under the same epoch', async () => {
        expect(await store.acquireLease('first', 60_000)).toEqual({ held: true, epoch });
        expect(await store.renewLease('first', epoch, 60_000)).toBe(true);
        expect(await store.renewLease('first', epoch + 1, 60_000)).toBe(false);
        expect(await store.renewLease('second', epoch, 60_000)).toBe(false);
      });
      test('passes on under a higher epoch when it lapses, and the former holder is fenced', async () => {
        await store.renewLease('first', epoch, 300);
        await home.pass(400);
        const next = await store.acquireLease('second', 60_000);
        expect(next).toEqual({ held: true, epoch: epoch + 1 });
        expect(await store.renewLease('first', epoch, 60_000)).toBe(false);
        await refuses(admissions(epoch, 0, 2), 'FENCED');
        await store.commit(admissions(epoch + 1, 0, 2));
      });
      test('lapsed and not taken, its holder goes on', async () => {
        await store.renewLease('first', epoch, 300);
        await home.pass(400);
        await store.commit(admissions(epoch, 0, 1));
        expect(await store.renewLease('first', epoch, 60_000)).toBe(true);
      });
      test('released, it is free at once and its epoch writes no more', async () => {
        await store.releaseLease('first', epoch);
        await refuses(admissions(epoch, 0, 1), 'FENCED');
        expect(await store.acquireLease('second', 60_000)).toEqual({ held: true, epoch: epoch + 1 });
        // A late release by the former holder changes nothing.
        await store.releaseLease('first', epoch);
        expect(await store.renewLease('second', epoch + 1, 60_000)).toBe(true);
      });
      test('many ask at once, one gets it', async () => {
        await store.releaseLease('first', epoch);
        const answers = await Promise.all(
          Array.from({ length: 8 }, (_, i) => store.acquireLease(`h${i}`, 60_000)),
        );
        expect(answers.filter((a) => a.held)).toEqual([{ held: true, epoch: epoch + 1 }]);
      });
      test('epochs only grow, over restarts too', async () => {
        const seen = [epoch];
        for (let i = 0; i < 3; i++) {
          await store.releaseLease('first', epoch);
          await reopen();
          seen.push(epoch);
        }
        expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
      });
    });

    describe('capability tokens', () => {
      const redemption = (n: number, proof = n): Redemption => ({
        rootId: 'root',
        opKey: `op-${n}`,
        bodyHash: 'h',
        action: 'provision',
        at: T0,
        uses: 1,
        audience: 'https://ams.example',
        counters: ['root'],
        mbit: 7,
        proof: { id: `proof-${proof}`, requestHash: 'r', peer: 'api', until: instant(T0 + 61_000) },
        until: instant(T0 + 3_600_000),
      });
      const minted = (idx: number, exp: number): TokenRecord => ({
        jti: `jti-${idx}`,
        circuitId: circuitId(1),
        kept: 'HOLDER',
        holder: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' },
        uses: 1,
        aud: ['https://ams.example'],
        idx,
        kid: 'k',
        iat: T0 / 1000,
        exp,
        text: 'root~',
      });
      const rows = (over: Partial<TokenRows>): TokenRows => ({
        keys: [],
        minted: [],
        redemptions: [],
        proofs: [],
        revocations: [],
        ...over,
      });
      const of = (over: Partial<TokenRows>): Group => group({ epoch, tokens: rows(over) });

      test('are read back, after a restart too, but for what has ended', async () => {
        const [live, old] = [minted(1, T0 / 1000 + 100), minted(0, T0 / 1000 - 100)];
        const once = redemption(1);
        const withdrawn = { iss: 'i', jti: 'j', exp: T0 / 1000 - 5, time: T0, by: 'operator', idx: 0 };
        const written = rows({
          minted: [old, live],
          redemptions: [once],
          proofs: [once.proof],
          revocations: [withdrawn],
        });
        await store.commit(group({ epoch, tokens: written }));
        await reopen();
        const { text, ...known } = live;
        expect(await store.tokens(T0)).toEqual({ ...written, minted: [known], nextIdx: 2 });
        expect(await store.token('jti-1')).toEqual({ ...known, text });
        const later = await store.tokens(instant(T0 + 61_000));
        expect([later.proofs, later.redemptions]).toEqual([[], [once]]);
      });
      test('attack 30: an operation counts once, whoever decides it', async () => {
        const once = redemption(1);
        await store.commit(of({ redemptions: [once], proofs: [once.proof] }));
        await refuses(of({ redemptions: [redemption(1, 2)] }), 'CONFLICT');
        await refuses(of({ proofs: [once.proof] }), 'CONFLICT');
        await store.commit(of({ redemptions: [redemption(2)] }));
      });
      test('retention takes what has ended, and never the last place of the status lists', async () => {
        await store.commit(of({ minted: [minted(0, 1), minted(1, 2)] }));
        await store.prune(epoch, instant(T0), T0);
        expect([await store.token('jti-0'), (await store.tokens(T0)).nextIdx]).toEqual([undefined, 2]);
      });
    });

    describe('a group', () => {
      test('is read back as it was written, after a restart as before', async () => {
        const c = circuit(1);
        const g = group({
          epoch,
          now: instant(T0 + 77),
          circuits: [{ circuit: c, isNew: true, due: instant(T0 + 5_000) }],
          events: [
            event(1, c, { input: { type: 'created', circuit: c } }),
            event(2, c, { type: 'circuit.scheduled', input: { type: 'commit', at: T0 } }),
            { ...topologyChanged(3), epoch },
          ],
          effects: [effect(1, c), effect(2, c)],
          decisions: [decision(1, c)],
          idempotency: [
            {
              principal: 'alice',
              key: 'k1',
              bodyHash: 'h',
              expireTime: instant(T0 + 1_000),
              answer: { status: 201, headers: { etag: '"1"' }, body: '{"id":"ü\u2028"}' },
            },
          ],
          series: [series],
          sets: [set],
          webhooks: [webhook],
          topology: { version: 1, time: T0, document: topology },
        });
        await store.commit(g);
        for (const again of [false, true]) {
          if (again) await reopen();
          expect(await store.circuit(c.id)).toEqual(c);
          expect(await all(store.liveCircuits())).toEqual([c]);
          expect(await store.events({ afterSeq: 0, limit: 10 })).toEqual(g.events);
          expect(await all(store.pendingEffects())).toEqual(g.effects);
          expect(await store.decision(g.decisions[0]?.id ?? 'dec_')).toEqual(g.decisions[0]);
          expect(await store.idempotent('alice', 'k1')).toEqual(g.idempotency[0]);
          expect(await store.series(series.id)).toEqual(series);
          expect(await store.set(set.id)).toEqual(set);
          expect(await store.webhooks()).toEqual([webhook]);
          expect(await store.topology()).toEqual(g.topology);
          expect(await store.lastEventSeq()).toBe(3);
          expect(await store.counters()).toEqual({ eventSeq: 3, effectSeq: 2, clock: T0 + 77 });
        }
      });
      test('of hundreds is written whole', async () => {
        await store.commit(admissions(epoch, 0, 200));
        expect(await all(store.liveCircuits())).toHaveLength(200);
        expect(await store.events({ afterSeq: 0, limit: 1_000 })).toHaveLength(400);
      });
      test('that changes circuits replaces them whole', async () => {
        await store.commit(admissions(epoch, 0, 3));
        const { current, ...rest } = circuit(1);
        const changed: Circuit = { ...rest, state: 'CANCELLED', revision: 3, updateTime: instant(T0 + 9) };
        await store.commit(group({ epoch, ...written(changed, false) }));
        expect(await store.circuit(changed.id)).toEqual(changed);
        expect((await all(store.liveCircuits())).map((c) => c.id)).toEqual([circuitId(0), circuitId(2)]);
      });
      test('takes effects that were carried out from the outbox; their numbers are not given again', async () => {
        const c = circuit(1);
        await store.commit(
          group({ epoch, ...written(c), effects: [effect(1, c), effect(2, c), effect(3, c)] }),
        );
        await store.commit(group({ epoch, effectsDone: [1, 3] }));
        expect((await all(store.pendingEffects())).map((e) => e.seq)).toEqual([2]);
        await store.commit(group({ epoch, effectsDone: [2] }));
        expect((await store.counters()).effectSeq).toBe(3);
      });
      test('keeps a final circuit loaded while it has effects', async () => {
        const c = circuit(1, { state: 'CANCELLED' });
        await store.commit(group({ epoch, ...written(c), effects: [effect(1, c)] }));
        expect(await all(store.liveCircuits())).toEqual([c]);
        await store.commit(group({ epoch, effectsDone: [1] }));
        expect(await all(store.liveCircuits())).toEqual([]);
      });
      test('never takes the clock back', async () => {
        await store.commit(group({ epoch, now: instant(T0 + 100) }));
        await store.commit(group({ epoch, now: instant(T0 + 50) }));
        expect((await store.counters()).clock).toBe(T0 + 100);
      });
      test('replaces and removes webhooks', async () => {
        await store.commit(group({ epoch, webhooks: [webhook, { ...webhook, id: 'whk_2' }] }));
        await store.commit(
          group({ epoch, webhooks: [{ ...webhook, revision: 2, cursor: 9 }], webhooksGone: ['whk_2'] }),
        );
        expect(await store.webhooks()).toEqual([{ ...webhook, revision: 2, cursor: 9 }]);
      });
      test('a key can be used again once it has expired, not before', async () => {
        const key = {
          principal: 'alice',
          key: 'k',
          bodyHash: 'one',
          expireTime: instant(T0 + 1_000),
          answer: { status: 201, headers: {}, body: '{}' },
        };
        const later = { ...key, bodyHash: 'two', expireTime: instant(T0 + 9_000) };
        await store.commit(group({ epoch, idempotency: [key] }));
        await refuses(group({ epoch, now: instant(T0 + 999), idempotency: [later] }), 'CONFLICT');
        await store.commit(group({ epoch, now: instant(T0 + 1_000), idempotency: [later] }));
        expect((await store.idempotent('alice', 'k'))?.bodyHash).toBe('two');
        expect(await all(store.idempotencyKeys(T0))).toEqual([
          { principal: 'alice', key: 'k', bodyHash: 'two', expireTime: T0 + 9_000 },
        ]);
        expect(await all(store.idempotencyKeys(instant(T0 + 9_000)))).toEqual([]);
      });
    });

    describe('the ledger', () => {
      const posted = (rows: readonly Transfer[]): Posting[] => {
        const book = new Book();
        return rows.map((row) => post(book, row).posting);
      };
      const c = circuit(1);
      const common = { at: T0, project: 'lhc', unit: 'MBIT' } as const;
      const grant = { ...common, id: 1, kind: 'GRANT', amount: 100 } as const;
      const hold = { ...common, id: 2, kind: 'HOLD', circuit: c.id, amount: 60 } as const;
      const other = { ...hold, id: 3, amount: 10 } as const;
      const capture = { ...common, id: 4, kind: 'CAPTURE', circuit: c.id, hold: 2, amount: 25 } as const;
      const refund = { ...common, id: 5, kind: 'REFUND', circuit: c.id, capture: 4, amount: 5 } as const;
      const rows: readonly Transfer[] = [grant, hold, other, capture, refund];
      const used: UsageRecord = {
        circuit: c.id,
        project: 'lhc',
        portGroups: ['campus'],
        mbps: 10,
        window: { start: T0, end: instant(T0 + 1_000) },
      };

      test('is read back as it was written, its sums and what is open too', async () => {
        await store.commit(group({ epoch, ...written(c), transfers: posted(rows), usage: [used] }));
        await reopen();
        const { ledger } = await store.accounts();
        expect({ ...ledger, purses: [...ledger.purses], open: [...ledger.open] }).toMatchObject({
          lastId: 5,
          purses: [{ project: 'lhc', balance: { granted: -100, available: 70, held: 10, spent: 20 } }],
          open: [other],
        });
        expect([...ledger.captures]).toEqual([{ row: capture, refunded: 5 }]);
        expect(await all(store.transfers({ project: 'lhc' }))).toEqual(rows);
        expect(await all(store.transfers({ circuit: 'cir_none' }))).toEqual([]);
        expect(await all(store.usage({ from: T0 }))).toEqual([used]);
        expect(await all(store.usage({ from: used.window.end }))).toEqual([]);
        expect(await all(store.usage({ from: used.window.end, live: true }))).toEqual([used]);
      });
      test.each<[string, readonly Posting[]]>([
        ['a hold resolved twice', [{ row: { ...capture, id: 9 }, change: nothing }]],
        [
          'more than there is',
          [{ row: { ...hold, id: 9 }, change: { ...nothing, available: -71, held: 71 } }],
        ],
        ['sums that do not add up', [{ row: { ...hold, id: 9 }, change: { ...nothing, available: -1 } }]],
        ['a capture of no hold', [{ row: { ...capture, id: 9, hold: 8 }, change: nothing }]],
        ['a row entered before', [{ row: other, change: nothing }]],
      ])('%s is refused', async (_, bad) => {
        await store.commit(group({ epoch, ...written(c), transfers: posted(rows) }));
        await expect(store.commit(group({ epoch, transfers: bad }))).rejects.toMatchObject({
          kind: 'CONFLICT',
        });
        expect([...(await store.accounts()).ledger.purses][0]?.balance.available).toBe(70);
      });
      test('one rate at a time', async () => {
        await store.commit(group({ epoch, usage: [used] }));
        await expect(store.commit(group({ epoch, usage: [used] }))).rejects.toMatchObject({
          kind: 'CONFLICT',
        });
      });
      test('projects and quotas are kept, changed and dropped', async () => {
        const project: ProjectRecord = { id: 'lhc', revision: 1, createTime: T0, commercial: false };
        const quota: QuotaRecord = {
          id: 'quo_1',
          revision: 1,
          createTime: T0,
          scope: { type: 'PROJECT', id: 'lhc' },
          kind: 'CIRCUITS',
          period: 'LIVE',
          limit: 3,
        };
        await store.commit(group({ epoch, projects: [project], quotas: [quota] }));
        await store.commit(group({ epoch, quotas: [{ ...quota, limit: 5, revision: 2 }] }));
        expect(await store.accounts()).toMatchObject({ projects: [project], quotas: [{ limit: 5 }] });
        await store.commit(group({ epoch, quotasGone: [quota.id] }));
        expect((await store.accounts()).quotas).toEqual([]);
      });
    });

    describe('the last line: refused whole', () => {
      const taken = circuit(0);
      const other = (over: Partial<Circuit>): Circuit => circuit(50, over);
      const sameRef = { ...circuit(50).request, project: 'lhc', clientRef: 'slurm:0' };
      const cases: readonly (readonly [string, (at: number) => Group])[] = [
        ['a circuit that exists', (at) => group({ epoch: at, ...written(taken) })],
        [
          'a client_ref of a live circuit of the project',
          (at) => group({ epoch: at, ...written(other({ request: sameRef })) }),
        ],
        [
          'a revision that does not grow',
          (at) => group({ epoch: at, ...written(circuit(0, { revision: 2 }), false) }),
        ],
        [
          'a final circuit that comes to life',
          (at) => group({ epoch: at, ...written(circuit(7, { revision: 9 }), false) }),
        ],
        ['a revision of 0', (at) => group({ epoch: at, ...written(other({ revision: 0 })) })],
        [
          'a state that is none',
          // The point is a state that the types do not allow.
          (at) => group({ epoch: at, ...written(other({ state: 'LIT' as Circuit['state'] })) }),
        ],
        ['an event number used before', (at) => group({ epoch: at, events: [event(2, taken)] })],
        ['an effect number used before', (at) => group({ epoch: at, effects: [effect(1, taken)] })],
        ['an audit number used before', (at) => group({ epoch: at, audit: auditGroup(2, 1) })],
        [
          'a second record of a decision',
          (at) => {
            const rows = auditGroup(5, 1).rows.map((row) => ({ ...row, decisionId: decisionId(0) }));
            return group({ epoch: at, audit: { ...NO_AUDIT, rows } });
          },
        ],
        [
          'two checkpoints of one size',
          (at) => {
            const { checkpoints } = auditGroup(0, 5);
            return group({ epoch: at, audit: { ...NO_AUDIT, checkpoints } });
          },
        ],
        ['a decision made before', (at) => group({ epoch: at, decisions: [decision(0, taken)] })],
        [
          'a good circuit beside a bad event',
          (at) => group({ epoch: at, ...written(circuit(60)), events: [event(900, taken), event(1, taken)] }),
        ],
        [
          'one bad row among hundreds',
          (at) => {
            const many = admissions(at, 100, 150);
            return { ...many, decisions: [...many.decisions, decision(0, taken)] };
          },
        ],
      ];
      test.each(cases)('%s', async (_, bad) => {
        await store.commit({ ...admissions(epoch, 0, 3), effects: [effect(1, taken)] });
        const ended = { ...written(circuit(7, { state: 'ENDED' })), audit: auditGroup(0, 5) };
        await store.commit(group({ epoch, ...ended }));
        await refuses(bad(epoch), 'CONFLICT');
        // And the store goes on.
        await store.commit(admissions(epoch, 300, 1));
      });
      test('a client_ref is free again when its circuit is final, in the same group too', async () => {
        await store.commit(admissions(epoch, 0, 1));
        const next = other({ request: sameRef });
        await store.commit(
          group({
            epoch,
            circuits: [
              { circuit: next, isNew: true },
              { circuit: circuit(0, { state: 'ENDED', revision: 3 }), isNew: false },
            ],
          }),
        );
        expect(await store.circuits({ clientRef: 'slurm:0', states: ['SCHEDULED'], ...byCreate })).toEqual({
          items: [next],
        });
      });
      test('the list of states is the model’s', async () => {
        for (const [i, state] of states.entries()) {
          await store.commit(group({ epoch, ...written(circuit(i, { state })) }));
        }
        const live = await all(store.liveCircuits());
        expect(live.map((c) => c.state).sort()).toEqual(states.filter((s) => !isFinal(s)).sort());
      });
    });

    test('what a circuit has carried is replaced, read back exactly, and goes with it', async () => {
      const carried = (id: CircuitId, octets: bigint): OctetRecord => ({
        circuit: id,
        end: 'A',
        device: 'sw1',
        port: '1/1',
        exclusive: true,
        octets: {
          in: octets,
          out: 2n ** 80n,
          since: T0,
          open: true,
          gaps: 1,
          last: { at: T0, inOctets: 2n ** 64n - 1n, outOctets: 0n, discontinuity: 4, upTicks: 2 ** 32 - 1 },
        },
      });
      const [live, ended] = [circuit(1), circuit(2, { state: 'ENDED' })];
      await store.commit(group({ epoch, ...written(live), octets: [carried(live.id, 1n)] }));
      await store.commit(group({ epoch, ...written(ended), octets: [carried(ended.id, 3n)] }));
      await store.commit(group({ epoch, octets: [carried(live.id, 2n ** 53n + 1n)] }));
      await reopen();
      expect(await store.octets(live.id)).toEqual([carried(live.id, 2n ** 53n + 1n)]);
      expect(await store.octets(ended.id)).toEqual([carried(ended.id, 3n)]);
      expect((await store.octets()).map((record) => record.circuit)).toEqual([live.id]);
      await store.prune(epoch, instant(T0 + 10 ** 12), T0);
      expect(await store.octets(ended.id)).toEqual([]);
    });

    describe('how other domains stand', () => {
      test('is the last word about each, also when that is a lower term', async () => {
        const quarantine = { reason: 'two faces', time: T0 };
        const of = (domain: string, n: number) => ({ domain, epoch: n });
        const standings = [of('chi.example', 4), { ...of('sdg.example', 7), quarantine }];
        await store.commit(group({ epoch, standings }));
        await reopen();
        expect(await store.standings()).toEqual(standings);
        await store.commit(group({ epoch, standings: [of('sdg.example', 0)] }));
        expect(await store.standings()).toEqual([of('chi.example', 4), of('sdg.example', 0)]);
      });
    });

    describe('the last messages of peers', () => {
      const line = (n: number) =>
        ({ time: instant(T0 + n), direction: 'OUT', op: 'hold', outcome: `HELD ${n}`, ms: n }) as const;
      test('are found again, each peer as it was last kept', async () => {
        const chi = { domain: 'chi.example', lines: [line(1), line(2)] };
        const sdg = { domain: 'sdg.example', lines: [line(3)] };
        await store.keepPeerJournals(epoch, [sdg, chi], T0);
        await store.keepPeerJournals(epoch, [{ ...chi, lines: [line(4)] }], T0);
        await reopen();
        expect(await store.peerJournals()).toEqual([{ ...chi, lines: [line(4)] }, sdg]);
      });
      test('are kept by whoever is in office alone', async () => {
        const late = store.keepPeerJournals(epoch + 1, [{ domain: 'chi.example', lines: [] }], T0);
        await expect(late).rejects.toMatchObject({ kind: 'FENCED' });
        expect(await store.peerJournals()).toEqual([]);
      });
    });

    describe('what was cosigned of the logs of others', () => {
      const cosigned = (origin: string, size: number) => ({
        origin,
        size,
        root: `root${size}`,
        note: `note ${size}`,
      });
      const write = (...witnessed: ReturnType<typeof cosigned>[]) =>
        store.commit(group({ epoch, audit: { ...NO_AUDIT, witnessed } }));
      test('is the last of each log, by the domain that it is of', async () => {
        expect(await store.witnessed('sdg.example')).toEqual([]);
        await write(cosigned('sdg.example/audit/1', 5), cosigned('sdg.example/audit/2', 3));
        await write(cosigned('sdg.example/audit/1', 9), cosigned('sdg.example2/audit/1', 1));
        await reopen();
        expect(await store.witnessed('sdg.example')).toEqual([
          cosigned('sdg.example/audit/1', 9),
          cosigned('sdg.example/audit/2', 3),
        ]);
        // It never goes back.
        await write(cosigned('sdg.example/audit/1', 7));
        expect((await store.witnessed('sdg.example'))[0]).toEqual(cosigned('sdg.example/audit/1', 9));
        expect(await store.witnessed('sdg')).toEqual([]);
      });
    });

    describe('the audit log', () => {
      test('is read back as it was written: rows, asides, tiles, leaves, checkpoints', async () => {
        const groups = [auditGroup(0, 300), auditGroup(300, 300)];
        for (const audit of groups) await store.commit(group({ epoch, audit }));
        await reopen();
        const rows = groups.flatMap((g) => g.rows);
        const asides = groups.flatMap((g) => g.asides);
        expect(await store.auditTiles()).toEqual(groups.flatMap((g) => g.tiles.map((t) => t.hash)));
        expect(await store.auditLeaves(250, 320)).toEqual(rows.slice(250, 320).map((r) => r.leaf));
        expect(await store.auditLeaves(512, Number.MAX_SAFE_INTEGER)).toEqual(
          rows.slice(512).map((r) => r.leaf),
        );
        const read = [...(await store.auditRows(0, 200)), ...(await store.auditRows(200, 1_000))];
        expect(read).toEqual(
          rows.map(({ seq, leaf, text }) => ({
            seq,
            leaf,
            text,
            asides: asides.filter((a) => a.seq === seq),
          })),
        );
        expect(await store.auditSeqOf(decisionId(7))).toBe(7);
        expect(await store.auditSeqOf('dec_none')).toBeUndefined();
        expect(await store.lastCheckpoint()).toEqual(groups[1]?.checkpoints[0]);
        expect((await store.checkpoints('ams.example/audit/1', 0, 9)).map((c) => c.size)).toEqual([300, 600]);
        expect(await store.checkpoints('ams.example/audit/1', 300, 9)).toEqual(groups[1]?.checkpoints);
        expect(await store.checkpoints('ams.example/audit/2', 0, 9)).toEqual([]);
      });
    });

    test('retention takes the records of whole tiles and leaves every leaf where it was', async () => {
      await store.commit(group({ epoch, audit: auditGroup(0, 700) }));
      const { rows } = auditGroup(0, 700);
      // The last of the second tile is record 511.
      expect(await store.pruneAudit(epoch, instant(T0 + 512), T0)).toBe(false);
      expect(await store.auditLeaves(0, 700)).toEqual(rows.map((r) => r.leaf));
      expect(await store.auditLeaves(255, 520)).toEqual(rows.slice(255, 520).map((r) => r.leaf));
      const read = [...(await store.auditRows(0, 500)), ...(await store.auditRows(256, 500))];
      expect(read).toEqual(rows.slice(0, 512).map(({ seq, leaf }) => ({ seq, leaf, asides: [] })));
      expect((await store.auditRows(512, 500)).map((r) => r.text)).toEqual(
        rows.slice(512).map((r) => r.text),
      );
      expect(await store.auditSeqOf(decisionId(7))).toBeUndefined();
      await expect(store.pruneAudit(epoch - 1, T0, T0)).rejects.toMatchObject({ kind: 'FENCED' });
    });
    test('a principal is forgotten, in the log and in the decisions', async () => {
      const c = circuit(3);
      const decisions = [decision(3, c), decision(4, c, { principal: 'somebody' })];
      await store.commit(group({ epoch, decisions, audit: auditGroup(0, 40) }));
      await store.commit(group({ epoch, audit: { ...NO_AUDIT, erasures: ['user3'] } }));
      const found = await store.decisions({ limit: 9 });
      expect(found.items.map((d) => d.principal).sort()).toEqual(['erased', 'somebody']);
      expect(await store.decision(decisionId(3))).toEqual({ ...decisions[0], principal: 'erased' });
      const asides = (await store.auditRows(0, 40)).flatMap((row) => row.asides);
      expect(asides.map((a) => a.seq)).toEqual(
        Array.from({ length: 40 }, (_, i) => i).filter((i) => i !== 3 && i !== 23),
      );
    });

    describe('readers', () => {
      test('walk in pages through every sort order without a gap or a repeat', async () => {
        await store.commit(admissions(epoch, 0, 57));
        const window = (c: Circuit) => c.current?.window ?? { start: 0, end: 0 };
        const orders: readonly (readonly [CircuitQuery['sort'], (c: Circuit) => number])[] = [
          ['create_time', (c) => c.createTime],
          ['-create_time', (c) => -c.createTime],
          ['start_time', (c) => window(c).start],
          ['-start_time', (c) => -window(c).start],
          ['end_time', (c) => window(c).end],
          ['-end_time', (c) => -window(c).end],
        ];
        for (const [sort, key] of orders) {
          const seen: Circuit[] = [];
          let after: string | undefined;
          do {
            const page = await store.circuits({ sort, limit: 10, ...(after === undefined ? {} : { after }) });
            expect(page.items.length).toBeLessThanOrEqual(10);
            seen.push(...page.items);
            after = page.next;
          } while (after !== undefined);
          expect(seen).toHaveLength(57);
          expect(new Set(seen.map((c) => c.id)).size).toBe(57);
          expect(seen.map(key)).toEqual(seen.map(key).sort((a, b) => a - b));
        }
      });
      test('a page that ends exactly has no next', async () => {
        await store.commit(admissions(epoch, 0, 10));
        expect((await store.circuits({ ...byCreate, limit: 10 })).next).toBeUndefined();
      });
      test.each(['', 'x', 'bm90IGpzb24', Buffer.from('["create_time","x","y"]').toString('base64url')])(
        'a cursor that is none (%j) is the asker’s mistake',
        async (after) => {
          await expect(store.circuits({ ...byCreate, after })).rejects.toMatchObject({
            name: 'BrokerError',
            code: 'INVALID_REQUEST',
          });
        },
      );
      test('a cursor belongs to its sort order', async () => {
        await store.commit(admissions(epoch, 0, 5));
        const { next } = await store.circuits({ sort: 'start_time', limit: 2 });
        await expect(
          store.circuits({ ...byCreate, ...(next === undefined ? {} : { after: next }) }),
        ).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
      });
      test('filter as an obvious filter does', async () => {
        const circuits = Array.from({ length: 40 }, (_, n) =>
          circuit(n, {
            ...(n % 4 === 0 ? { state: 'ENDED' as const } : {}),
            ...(n % 5 === 0 ? { setId: 'set_x' } : {}),
            ...(n % 6 === 0 ? { seriesId: 'ser_x' } : {}),
            ...(n % 7 === 0 ? { shortCode: 'RTWX' } : {}),
            role: n % 11 === 0 ? 'PARTICIPANT' : 'HOME',
          }),
        );
        await store.commit(group({ epoch, circuits: circuits.map((c) => ({ circuit: c, isNew: true })) }));
        const start = (c: Circuit): number => c.current?.window.start ?? 0;
        const end = (c: Circuit): number => c.current?.window.end ?? 0;
        const mid = instant(start(circuit(20)));
        const midEnd = instant(end(circuit(20)));
        const table: readonly (readonly [Partial<CircuitQuery>, (c: Circuit) => boolean])[] = [
          [{}, () => true],
          [{ states: ['ENDED'] }, (c) => c.state === 'ENDED'],
          [{ states: [] }, () => false],
          [{ project: 'lhc' }, (c) => c.request.project === 'lhc'],
          [{ port: 'ams:host7' }, (c) => [c.request.a.port, c.request.z.port].includes('ams:host7')],
          [{ clientRef: 'slurm:9' }, (c) => c.request.clientRef === 'slurm:9'],
          [{ shortCode: 'RTWX' }, (c) => c.shortCode === 'RTWX'],
          [{ role: 'PARTICIPANT' }, (c) => c.role === 'PARTICIPANT'],
          [{ setId: 'set_x' }, (c) => c.setId === 'set_x'],
          [{ seriesId: 'ser_x' }, (c) => c.seriesId === 'ser_x'],
          [{ startFrom: mid }, (c) => start(c) >= mid],
          [{ startBefore: mid }, (c) => start(c) < mid],
          [{ endFrom: midEnd }, (c) => end(c) >= midEnd],
          [{ endBefore: midEnd }, (c) => end(c) < midEnd],
          [{ visibleTo: { owner: 'user3', projects: [] } }, (c) => c.owner === 'user3'],
          [
            { visibleTo: { owner: 'user3', projects: ['ska'] }, states: ['SCHEDULED'] },
            (c) => (c.owner === 'user3' || c.request.project === 'ska') && c.state === 'SCHEDULED',
          ],
        ];
        for (const [query, oracle] of table) {
          const { items } = await store.circuits({ ...byCreate, ...query });
          expect(
            items.map((c) => c.id),
            JSON.stringify(query),
          ).toEqual(circuits.filter(oracle).map((c) => c.id));
        }
      });
      test('follow the event log from a number, by circuit, type and visibility', async () => {
        await store.commit(admissions(epoch, 0, 20));
        await store.commit(group({ epoch, events: [{ ...topologyChanged(100), epoch }] }));
        const seqs = async (q: Partial<EventQuery>): Promise<number[]> =>
          (await store.events({ afterSeq: 0, limit: 100, ...q })).map((e) => e.seq);
        expect(await seqs({ afterSeq: 36 })).toEqual([37, 38, 39, 40, 100]);
        expect(await seqs({ afterSeq: 10, limit: 3 })).toEqual([11, 12, 13]);
        expect(await seqs({ circuitId: circuitId(4) })).toEqual([9, 10]);
        expect(await seqs({ types: ['topology.changed'] })).toEqual([100]);
        expect(await seqs({ visibleTo: { owner: 'user1', projects: [] } })).toEqual([3, 4]);
        expect(await seqs({ visibleTo: { owner: 'nobody', projects: ['lhc'] }, limit: 4 })).toEqual([
          1, 2, 7, 8,
        ]);
      });
      test('page through decisions, newest first', async () => {
        const g = admissions(epoch, 0, 9);
        const denied = decision(500, circuit(3), { effect: 'DENY', time: instant(T0 + 500) });
        await store.commit({ ...g, decisions: [...g.decisions, denied] });
        const first = await store.decisions({ limit: 4 });
        const second = await store.decisions({ limit: 6, after: first.next ?? '' });
        expect([...first.items, ...second.items].map((d) => d.id)).toEqual(
          [500, 8, 7, 6, 5, 4, 3, 2, 1, 0].map(decisionId),
        );
        expect(second.next).toBeUndefined();
        const ids = async (q: object): Promise<string[]> =>
          (await store.decisions({ limit: 50, ...q })).items.map((d) => d.id);
        expect(await ids({ effect: 'DENY' })).toEqual([decisionId(500)]);
        expect(await ids({ circuitId: circuitId(3) })).toEqual([500, 3].map(decisionId));
        expect(await ids({ principal: 'user2' })).toEqual([decisionId(2)]);
        expect(await ids({ from: instant(T0 + 2), before: instant(T0 + 4) })).toEqual([3, 2].map(decisionId));
        expect(await ids({ visibleTo: { owner: 'user1', projects: [] } })).toEqual([decisionId(1)]);
      });
      test('do not see a group before it is whole, nor wait for it', async () => {
        const writing = store.commit(admissions(epoch, 0, 200));
        const seen = new Set<number>();
        for (let i = 0; i < 20; i++) seen.add((await store.events({ afterSeq: 0, limit: 1_000 })).length);
        await writing;
        seen.add((await store.events({ afterSeq: 0, limit: 1_000 })).length);
        expect([...seen].every((n) => n === 0 || n === 400)).toBe(true);
        expect(seen.has(400)).toBe(true);
      });
      test('unknown ids are undefined', async () => {
        expect(await store.circuit('cir_none')).toBeUndefined();
        expect(await store.decision('dec_none')).toBeUndefined();
        expect(await store.series('ser_none')).toBeUndefined();
        expect(await store.set('set_none')).toBeUndefined();
        expect(await store.idempotent('a', 'b')).toBeUndefined();
        expect(await store.topology()).toBeUndefined();
      });
      test('text of every kind comes back as it was', async () => {
        let n = 1_000;
        await fc.assert(
          fc.asyncProperty(
            fc.string({ unit: 'binary', maxLength: 60 }),
            fc.double(),
            async (text, number) => {
              n++;
              const c = circuit(n, {
                reason: { code: 'X', detail: text },
                laxityS: Number.isFinite(number) ? number : 0,
              });
              await store.commit(
                group({ epoch, ...written(c), events: [event(n, c, { data: { text, "'; --": '$1 ?' } })] }),
              );
              // JSON has no -0; nothing in a circuit means it.
              expect(await store.circuit(c.id)).toEqual(JSON.parse(JSON.stringify(c)));
              const [back] = await store.events({ afterSeq: n - 1, limit: 1 });
              expect(back?.data).toEqual({ text, "'; --": '$1 ?' });
            },
          ),
          { numRuns: 40 },
        );
      });
    });

    describe('retention', () => {
      const old = (n: number, over: Partial<Circuit> = {}): Circuit =>
        circuit(n, { state: 'ENDED', revision: 5, updateTime: instant(T0 + 1_000 + n), ...over });
      const before = instant(T0 + 100_000);
      const prune = async (): Promise<{ circuits: number; events: number; calls: number }> => {
        const sum = { circuits: 0, events: 0, calls: 0 };
        for (let more = true; more; sum.calls++) {
          const done = await store.prune(epoch, before, instant(T0 + 500_000));
          sum.circuits += done.circuits;
          sum.events += done.events;
          more = done.more;
        }
        return sum;
      };
      test('takes what ended long ago with its events, decisions and keys, and nothing else', async () => {
        const waiting = old(2);
        const tombstone = old(3, {
          role: 'PARTICIPANT',
          home: { ...homeRef, keepUntil: instant(T0 + 200_000) },
        });
        const young = old(4, { updateTime: instant(T0 + 200_000) });
        const live = circuit(5);
        const circuits = [old(1, { setId: 'set_1' }), waiting, tombstone, young, live];
        await store.commit(
          group({
            epoch,
            circuits: circuits.map((c) => ({ circuit: c, isNew: true })),
            events: circuits.map((c, i) => event(i + 1, c)),
            decisions: [
              ...circuits.map((c, i) => decision(i + 1, c)),
              bare(decision(90, live, { effect: 'DENY' })),
              bare(decision(91, live, { effect: 'DENY', time: before })),
            ],
            effects: [effect(1, waiting)],
            sets: [set, { ...set, id: 'set_2' }],
            idempotency: [T0 + 1, T0 + 900_000].map((at, i) => ({
              principal: 'p',
              key: `k${i}`,
              bodyHash: 'h',
              expireTime: instant(at),
              answer: { status: 200, headers: {}, body: '' },
            })),
          }),
        );
        expect(await prune()).toMatchObject({ circuits: 1, events: 1 });
        expect((await store.circuits(byCreate)).items).toEqual(circuits.slice(1));
        expect((await store.events({ afterSeq: 0, limit: 9 })).map((e) => e.seq)).toEqual([2, 3, 4, 5]);
        expect((await store.decisions({ limit: 20 })).items.map((d) => d.id).sort()).toEqual(
          [2, 3, 4, 5, 91].map(decisionId).sort(),
        );
        expect(await all(store.idempotencyKeys(instant(0)))).toMatchObject([{ key: 'k1' }]);
        expect(await store.set('set_1')).toBeUndefined();
        expect(await store.set('set_2')).toBeUndefined();
        expect((await store.counters()).eventSeq).toBe(5);
      });
      test('is bounded work a call', async () => {
        const circuits = Array.from({ length: 450 }, (_, n) => old(n));
        await store.commit(group({ epoch, circuits: circuits.map((c) => ({ circuit: c, isNew: true })) }));
        const { calls, ...sum } = await prune();
        expect(sum).toEqual({ circuits: 450, events: 0 });
        expect(calls).toBeGreaterThan(1);
      });
      test('is fenced', async () => {
        await expect(store.prune(epoch - 1, before, T0)).rejects.toMatchObject({ kind: 'FENCED' });
      });
    });
  });
}

const byCreate = { sort: 'create_time', limit: 500 } as const;
const homeRef = {
  domain: 'sdg.example',
  circuit: 'cir_home',
  floor: 0,
  told: true,
  asks: 0,
  sequence: 0,
  unknowns: 0,
  epoch: 1,
  keepUntil: T0,
};
const bare = <T extends { readonly circuitId?: unknown }>({ circuitId, ...rest }: T): Omit<T, 'circuitId'> =>
  rest;
const topologyChanged = (seq: number) =>
  ({
    seq,
    type: 'topology.changed',
    time: T0,
    project: '',
    owner: 'op',
    revision: 1,
    data: { version: 1 },
  }) as const;
const topology = { domain: 'ams.example', prefix: 'ams', nodes: [], ports: [], links: [] };
const series = {
  id: 'ser_1',
  project: 'lhc',
  owner: 'alice',
  revision: 1,
  createTime: T0 as InstantMs,
  cancelled: false,
  recurrence: { rrule: 'FREQ=DAILY;COUNT=2', timezone: 'Europe/Amsterdam', durationS: 60, notBefore: T0 },
  occurrences: [
    { start: T0, circuitId: circuitId(1) },
    { start: T0, problem: { code: 'NO_FEASIBLE_SLOT' } },
  ],
} as const;
const set = {
  id: 'set_1',
  project: 'lhc',
  owner: 'alice',
  revision: 1,
  createTime: T0 as InstantMs,
  members: [{ key: 'one', circuitId: circuitId(1) }],
} as const;
const webhook = {
  id: 'whk_1',
  project: 'lhc',
  owner: 'alice',
  all: false,
  revision: 1,
  createTime: T0 as InstantMs,
  url: 'https://example.org/hook',
  types: ['circuit.active'],
  secret: 'whsec_c2VjcmV0',
  state: 'ENABLED',
  cursor: 0,
  failures: 0,
} as const;
