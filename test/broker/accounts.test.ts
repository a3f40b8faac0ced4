/**
 * Money and quotas follow the circuits: what is held, spent and given back at every turn of a circuit's life,
 * what is refused and why, and that a restart finds all of it as it was.
 */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { voidAll } from '../../src/aaa/ledger/money.ts';
import { post } from '../../src/broker/aaa/accountRecords.ts';
import { NEVER } from '../../src/kernel/clock.ts';
import { BrokerError } from '../../src/kernel/errors.ts';
import type { Circuit, CircuitRequest, Schedule } from '../../src/model/circuit.ts';
import { aRequest, at, fixed } from '../support/builders.ts';
import { call, OneDomain, operator } from '../support/oneDomain.ts';

let world: OneDomain;
afterEach(() => world.end());

const admin = call(operator);
const begin = async (money?: number): Promise<void> => {
  world = await OneDomain.start();
  if (money !== undefined) await world.broker.bursar.grant(admin, 'lhc', money);
};
const book = async (schedule: Schedule, over: Partial<CircuitRequest> = {}): Promise<Circuit> => {
  const done = await world.broker.createCircuit(call(), aRequest({ mbps: 100, schedule, ...over }));
  if (done.kind !== 'done') throw new Error('not a replay');
  return done.value;
};
const balance = (): number[] => {
  const { account } = world.broker.bursar.project(operator, 'lhc');
  return account === undefined ? [] : [account.available, account.held, account.spent];
};
const refusal = async (promise: Promise<unknown>): Promise<BrokerError> => {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(BrokerError);
  return error as BrokerError;
};
const live = { type: 'PROJECT', id: 'lhc' } as const;
const limit = (kind: 'CIRCUITS' | 'BANDWIDTH' | 'VOLUME', most: number, period: 'LIVE' | 'DAY' = 'LIVE') =>
  world.broker.bursar.createQuota(admin, { scope: live, kind, period, limit: most });

describe('the price of a circuit', () => {
  it('is held when it is booked, and spent when its time is over', async () => {
    await begin(100_000);
    await book(fixed(100, 200));
    expect(balance()).toEqual([90_000, 10_000, 0]);
    await world.pass(250);
    expect(balance()).toEqual([90_000, 0, 10_000]);
  });
  it('comes back when it is cancelled before its start', async () => {
    await begin(100_000);
    const { id } = await book(fixed(100, 200));
    await world.broker.act(call(), id, { type: 'cancel', detail: 'not needed' });
    expect(balance()).toEqual([100_000, 0, 0]);
  });
  it('is that of the time until its release', async () => {
    await begin(100_000);
    const { id } = await book(fixed(100, 200));
    await world.pass(140);
    await world.broker.act(call(), id, { type: 'release', detail: 'done' });
    await world.settle();
    expect(balance()).toEqual([96_000, 0, 4_000]);
  });
  it('comes back when a hold runs out', async () => {
    await begin(100_000);
    await book(fixed(100, 200), { holdS: 30 });
    expect(balance()).toEqual([90_000, 10_000, 0]);
    await world.pass(40);
    expect(balance()).toEqual([100_000, 0, 0]);
  });
  it('follows a change: more is held at once, less when the change is in force', async () => {
    await begin(100_000);
    const { id } = await book(fixed(100, 200));
    await world.broker.change(call(), id, { mbps: 300 });
    await world.settle();
    expect(balance()).toEqual([70_000, 30_000, 0]);
    await world.broker.change(call(), id, { mbps: 50 });
    await world.settle();
    expect(balance()).toEqual([95_000, 5_000, 0]);
  });
  it('of each rate for as long as it had it', async () => {
    await begin(100_000);
    const { id } = await book(fixed(100, 200));
    await world.pass(140);
    await world.broker.change(call(), id, { mbps: 200 });
    await world.settle();
    expect(balance()).toEqual([100_000 - 4_000 - 12_000, 12_000, 4_000]);
    await world.pass(250);
    expect(balance()).toEqual([84_000, 0, 16_000]);
  });
  it('stays the same when the broker moves it', async () => {
    await begin(1_000_000_000);
    const bob = await book(
      { type: 'FLEXIBLE', durationS: 100, notBefore: at(100), deadline: at(1_000) },
      { mbps: 10_000 },
    );
    const before = balance();
    await book(fixed(100, 200), { mbps: 10_000, project: 'other' });
    expect((await world.broker.circuit(operator, bob.id)).moves).toBe(1);
    expect(balance()).toEqual(before);
  });
  it('is not asked of a project without an account', async () => {
    await begin();
    await book(fixed(100, 200));
    expect(balance()).toEqual([]);
  });
});

describe('what the project may not have', () => {
  it('is refused with what is left, and leaves nothing', async () => {
    await begin(10_000);
    const problem = await refusal(book(fixed(100, 201)));
    expect([problem.code, problem.details.quota]).toEqual([
      'QUOTA_EXCEEDED',
      { kind: 'BALANCE', limit: 10_000, needed: 10_100 },
    ]);
    expect([balance(), world.broker.term?.book.circuits.size]).toEqual([[10_000, 0, 0], 0]);
    await book(fixed(100, 200));
  });
  it('without an end it cannot be paid beforehand', async () => {
    await begin(10_000);
    expect((await refusal(book({ type: 'NOW', durationS: 'NEVER' }))).details.quota?.kind).toBe('BALANCE');
  });
  it('of fifty that race for the money of one, one gets it', async () => {
    await begin(10_000);
    const all = await Promise.allSettled(
      Array.from({ length: 50 }, (_, i) => book(fixed(100 + 200 * i, 200 + 200 * i))),
    );
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(balance()).toEqual([0, 10_000, 0]);
  });
  it.each([
    ['CIRCUITS', 1, 2],
    ['BANDWIDTH', 150, 200],
    ['VOLUME', 15_000, 20_000],
  ] as const)('a quota of %s names itself, its limit and what it would be', async (kind, most, needed) => {
    await begin();
    const made = await limit(kind, most);
    const id = made.kind === 'done' ? made.value.id : '';
    const first = await book(fixed(100, 200));
    const problem = await refusal(book(fixed(100, 200)));
    expect(problem.details.quota).toEqual({ id, kind, limit: most, needed });
    await world.broker.act(call(), first.id, { type: 'cancel', detail: 'makes room' });
    await book(fixed(100, 200));
  });
  it('a day counts what ended in it, also after a restart', async () => {
    await begin();
    await limit('CIRCUITS', 1, 'DAY');
    await book(fixed(10, 20));
    await world.pass(60);
    expect((await refusal(book(fixed(100, 200)))).details.quota).toMatchObject({ period: '2026-01-01' });
    await world.restart();
    expect((await refusal(book(fixed(100, 200)))).details.quota).toMatchObject({ period: '2026-01-01' });
    await book(fixed(86_400, 86_500));
  });
  it('a quota counts what was booked, and what ended, before it was made', async () => {
    await begin();
    await book(fixed(10, 20));
    await world.pass(60);
    const { id } = await book(fixed(100, 200));
    await limit('CIRCUITS', 2, 'DAY');
    expect((await refusal(book(fixed(300, 400)))).details.quota).toMatchObject({ limit: 2, needed: 3 });
    await world.broker.act(call(), id, { type: 'cancel', detail: 'never ran' });
    await book(fixed(300, 400));
  });
  it('a change to less is never refused, a change to more is', async () => {
    await begin();
    const { id } = await book(fixed(100, 200));
    await limit('BANDWIDTH', 40);
    await world.broker.change(call(), id, { mbps: 60 });
    expect((await refusal(world.broker.change(call(), id, { mbps: 70 }))).code).toBe('QUOTA_EXCEEDED');
  });
  it('the occurrences of a series that it can pay are booked, the others say why not', async () => {
    await begin(25_000);
    const made = await world.broker.createSeries(call(), aRequest({ mbps: 100 }), {
      rrule: 'FREQ=DAILY;COUNT=3',
      timezone: 'UTC',
      durationS: 100,
      notBefore: at(100),
    });
    const occurrences = made.kind === 'done' ? made.value.occurrences : [];
    expect(occurrences.map((o) => o.problem?.['code'])).toEqual([undefined, undefined, 'QUOTA_EXCEEDED']);
    expect(balance()).toEqual([5_000, 20_000, 0]);
  });
});

describe('operators', () => {
  it('correct a grant as far as it is still there', async () => {
    await begin(10_000);
    await world.broker.bursar.grant(admin, 'lhc', -4_000);
    expect(balance()).toEqual([6_000, 0, 0]);
    expect((await refusal(world.broker.bursar.grant(admin, 'lhc', -6_001))).code).toBe('INVALID_REQUEST');
  });
  it('refund what was charged, once, also long after the circuit was forgotten', async () => {
    await begin(100_000);
    const { id } = await book(fixed(10, 110));
    await world.pass(200);
    await world.restart();
    await world.broker.bursar.refund(admin, { project: 'lhc', circuit: id, amount: 3_000 });
    expect(balance()).toEqual([93_000, 0, 7_000]);
    expect(
      (await refusal(world.broker.bursar.refund(admin, { project: 'lhc', circuit: id, amount: 7_001 }))).code,
    ).toBe('INVALID_REQUEST');
    await world.broker.bursar.refund(admin, { project: 'lhc', circuit: id, amount: 7_000 });
    expect(balance()).toEqual([100_000, 0, 0]);
  });
});

it('a failure of ours costs nothing', async () => {
  world = await OneDomain.start({
    devices: () => ({
      light: () => Promise.resolve({ ok: false, retry: true, detail: 'mute', elements: [] }),
      dark: () => Promise.resolve({ ok: true, retry: false, detail: '', elements: [] }),
      observe: () => Promise.resolve([]),
    }),
  });
  await world.broker.bursar.grant(admin, 'lhc', 100_000);
  const { id } = await book(fixed(10, 110));
  await world.pass(300);
  expect((await world.broker.circuit(operator, id)).state).toBe('FAILED');
  expect(balance()).toEqual([100_000, 0, 0]);
});

/** Books zero, in memory as in the store, and every circuit that is booked has its hold. */
async function booksAgree(): Promise<void> {
  const accounts = world.broker.term?.book.accounts;
  expect(accounts?.ledger.sum()).toBe(0);
  const stored = await world.store.accounts();
  expect([...stored.ledger.purses].map((purse) => purse.balance)).toEqual([accounts?.ledger.balance('lhc')]);
  for (const circuit of world.broker.term?.book.circuits.values() ?? []) {
    const open = circuit.state === 'SCHEDULED' || circuit.state === 'ACTIVE';
    expect((accounts?.ledger.held(circuit.id) ?? 0) > 0).toBe(open && circuit.current?.window.end !== NEVER);
  }
}

it('a hold that is swept because it is old is missed: the circuit may begin much later', async () => {
  await begin(8_000);
  const old = await book(fixed(100, 110));
  await world.pass(50);
  await book(fixed(100, 110));
  await booksAgree();
  // Planted, and written down like any other posting: the sums are right, and one circuit has nothing held.
  const { writer } = world.broker.term as NonNullable<typeof world.broker.term>;
  await writer.submit((tx) => {
    const { ledger } = tx.book.accounts;
    for (const { id, createTime } of tx.book.circuits.values()) {
      if (createTime > old.createTime) continue;
      for (const row of voidAll(ledger, { project: 'lhc', circuit: id, at: tx.now })) {
        const { posting, undo } = post(ledger, row);
        tx.undo.push(undo);
        tx.transfers.push(posting);
      }
    }
  });
  await expect(booksAgree()).rejects.toThrow('expected false to be true');
});

it('after any sequence of deeds and restarts the books are what the rows say, and sum to zero', async () => {
  const deed = fc.record({
    what: fc.constantFrom('book', 'book', 'cancel', 'release', 'more', 'less', 'pass', 'restart'),
    n: fc.nat(5),
    start: fc.integer({ min: 5, max: 60 }),
    length: fc.integer({ min: 5, max: 40 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { minLength: 3, maxLength: 12 }), async (deeds) => {
      await begin(8_000);
      const ids: Circuit['id'][] = [];
      let passed = 0;
      for (const { what, n, start, length } of deeds) {
        const id = ids[n % Math.max(1, ids.length)];
        const deedOf = async (): Promise<unknown> => {
          if (what === 'book') {
            const { id: made } = await book(fixed(passed + start, passed + start + length));
            return ids.push(made);
          }
          if (what === 'pass') {
            passed += length;
            return world.pass(length);
          }
          if (what === 'restart') return world.restart();
          if (id === undefined) return undefined;
          if (what === 'more' || what === 'less')
            return world.broker.change(call(), id, { mbps: what === 'more' ? 150 : 40 });
          return world.broker.act(call(), id, { type: what, detail: 'so' });
        };
        await deedOf().catch((error: unknown) => {
          if (!(error instanceof BrokerError)) throw error;
        });
        await world.settle();
        await booksAgree();
      }
      await world.end();
    }),
    { numRuns: 8 },
  );
  await begin();
});
