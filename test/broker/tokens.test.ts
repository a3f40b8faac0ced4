/** Redemption in the writer: over a restart, when the store refuses, and what the log says of it. */
import { afterEach, expect, test } from 'vitest';
import { type Group, StoreError } from '../../src/broker/ports.ts';
import type { Presented } from '../../src/broker/tokens/tokenDesk.ts';
import { BrokerError } from '../../src/kernel/errors.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import { sha256 } from '../../src/tokens/encoding.ts';
import type { TokenAction } from '../../src/tokens/grant.ts';
import { aRequest, at, fixed } from '../support/builders.ts';
import { Holder } from '../support/holder.ts';
import { call, OneDomain, user } from '../support/oneDomain.ts';

let world: OneDomain;
afterEach(() => world.end());

async function booked(): Promise<{ circuit: Circuit; token: string; owner: Holder }> {
  const owner = new Holder(world.clock);
  const request = aRequest({ provision: 'MANUAL', schedule: fixed(5, 605), holderJwk: { ...owner.jwk } });
  const made = await world.broker.createCircuit(call(), request);
  if (made.kind !== 'done') throw new Error('booked anew');
  const issued = await world.broker.tokens.issueToken(call(), made.value.id, {});
  if (issued.kind !== 'done') throw new Error('issued anew');
  return { circuit: made.value, token: issued.value.text ?? '', owner };
}

const presented = (owner: Holder, token: string, action: TokenAction, opKey = 'op-1'): Presented => ({
  text: owner.shows(token, { action, opKey }).authorization.slice(4),
  action,
  bodyHash: sha256(''),
  opKey,
  peer: 'api',
});
const show = (circuit: Circuit, capability: Presented) =>
  world.broker.act(
    call({ ...user, id: 'cct|holder' }, { capability }),
    circuit.id,
    capability.action === 'provision' ? { type: 'provision' } : { type: 'reroute' },
  );
const reason = async (asked: Promise<unknown>): Promise<string | undefined> => {
  const error = await asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof BrokerError)) throw new Error(`not refused: ${String(error)}`);
  return error.details.token_reason;
};

test('attack 28: a proof that was used before a restart is known after it', async () => {
  world = await OneDomain.start({ tokens: true });
  const { circuit, token, owner } = await booked();
  const once = presented(owner, token, 'provision');
  const first = await show(circuit, once);
  await world.restart();
  const again = await show(circuit, once);
  expect(again.kind === 'done' && again.value.revision).toBe(first.kind === 'done' && first.value.revision);
  // A new proof over the same operation is a retry; the same proof for something else is a replay.
  await show(circuit, presented(owner, token, 'provision'));
  expect(await reason(show(circuit, presented(owner, token, 'reroute')))).toBe('OP_KEY_REUSED');
});

test('attack 29: what was spent before a restart is spent after it', async () => {
  world = await OneDomain.start({ tokens: true });
  const { circuit, owner } = await booked();
  const issued = await world.broker.tokens.issueToken(call(), circuit.id, { uses: 1 });
  const token = issued.kind === 'done' ? (issued.value.text ?? '') : '';
  await show(circuit, presented(owner, token, 'provision'));
  expect(await reason(show(circuit, presented(owner, token, 'reroute', 'op-2')))).toBe('SPENT');
  await world.restart();
  expect(await reason(show(circuit, presented(owner, token, 'reroute', 'op-3')))).toBe('SPENT');
  await world.pass(10);
  expect((await world.store.circuit(circuit.id))?.state).toBe('ACTIVE');
});

test('a redemption whose transaction fails is none: the same token does it when the store is back', async () => {
  let broken = false;
  world = await OneDomain.start({
    tokens: true,
    wrapStore: (store) =>
      new Proxy(store, {
        get(target, name) {
          const value = Reflect.get(target, name, target) as unknown;
          if (typeof value !== 'function') return value;
          return (...args: unknown[]) =>
            name === 'commit' && broken
              ? Promise.reject(new StoreError('FULL', 'no room'))
              : (value.apply(target, args) as unknown);
        },
      }),
  });
  const { circuit, owner } = await booked();
  const issued = await world.broker.tokens.issueToken(call(), circuit.id, { uses: 1 });
  const token = issued.kind === 'done' ? (issued.value.text ?? '') : '';
  broken = true;
  const once = presented(owner, token, 'provision');
  await expect(show(circuit, once)).rejects.toMatchObject({ code: 'STORE_FULL' });
  expect(world.broker.term?.book.circuits.get(circuit.id)?.armed).toBe(false);
  broken = false;
  expect((await show(circuit, once)).kind).toBe('done');
  expect(world.broker.term?.book.circuits.get(circuit.id)?.armed).toBe(true);
});

test('attack 67: without room for the log nothing is lit, and what shines is put out all the same', async () => {
  let full = false;
  world = await OneDomain.start({
    tokens: true,
    wrapStore: (store) =>
      new Proxy(store, {
        get(target, name) {
          const value = Reflect.get(target, name, target) as unknown;
          if (typeof value !== 'function') return value;
          return (...args: unknown[]) =>
            // Room is kept for what only reduces.
            name === 'commit' && full && (args[0] as Group).reduces === false
              ? Promise.reject(new StoreError('FULL', 'no room'))
              : (value.apply(target, args) as unknown);
        },
      }),
  });
  const [one, other] = [await booked(), await booked()];
  await show(one.circuit, presented(one.owner, one.token, 'provision'));
  await world.pass(10);
  full = true;
  const lighting = show(other.circuit, presented(other.owner, other.token, 'provision'));
  await expect(lighting).rejects.toMatchObject({ code: 'STORE_FULL' });
  const capability = presented(one.owner, one.token, 'release', 'op-9');
  const asked = call({ ...user, id: 'cct|holder' }, { capability });
  await world.broker.act(asked, one.circuit.id, { type: 'release', detail: 'done' });
  full = false;
  await world.pass(5);
  expect((await world.store.circuit(one.circuit.id))?.state).toBe('ENDED');
  expect((await world.store.circuit(other.circuit.id))?.armed).toBe(false);
  const ops = (await world.store.auditRows(0, 100)).map((row) => JSON.parse(row.text ?? '{}').op);
  expect(ops.filter((op) => op === 'token.redeem')).toHaveLength(2);
});

test('attack 29: of twenty proofs for one use that come at once, one lights the circuit', async () => {
  world = await OneDomain.start({ tokens: true });
  const { circuit, owner } = await booked();
  const issued = await world.broker.tokens.issueToken(call(), circuit.id, { uses: 1 });
  const token = issued.kind === 'done' ? (issued.value.text ?? '') : '';
  const all = await Promise.allSettled(
    Array.from({ length: 20 }, (_, i) => show(circuit, presented(owner, token, 'provision', `op-${i}`))),
  );
  expect(all.filter((one) => one.status === 'fulfilled')).toHaveLength(1);
});

test('attack 27: a proof from yesterday, and one from tomorrow', async () => {
  world = await OneDomain.start({ tokens: true });
  const { circuit, token, owner } = await booked();
  const seconds = Math.floor(at(0) / 1000);
  for (const iat of [seconds - 61, seconds + 60]) {
    const text = owner.shows(token, { action: 'provision', opKey: 'op-1', iat }).authorization.slice(4);
    expect(await reason(show(circuit, { ...presented(owner, token, 'provision'), text }))).toBe(
      'PROOF_STALE',
    );
  }
});

test('the log has a record of every mint, redemption and withdrawal, and no token in any', async () => {
  world = await OneDomain.start({ tokens: true });
  const { circuit, token, owner } = await booked();
  await show(circuit, presented(owner, token, 'provision'));
  await world.broker.tokens.revokeToken(call(), { text: token }, true);
  const rows = await world.store.auditRows(0, 100);
  const said = rows.map((row) => JSON.parse(row.text ?? '{}') as { op: string; action?: string });
  expect(said.map((record) => record.op).filter((op) => op.startsWith('token.'))).toEqual([
    'token.mint',
    'token.redeem',
    'token.revoke',
  ]);
  const all = JSON.stringify(rows);
  for (const part of token.slice(0, -1).split('.')) expect(all).not.toContain(part);
});

test('what the store has is what the writer knows', async () => {
  world = await OneDomain.start({ tokens: true });
  const { circuit, token, owner } = await booked();
  await show(circuit, presented(owner, token, 'provision'));
  const before = world.broker.term?.book.tokens;
  const keys = [...(before?.keys.keys() ?? [])];
  await world.restart();
  const after = world.broker.term?.book.tokens;
  expect([...(after?.keys.keys() ?? [])].sort()).toEqual(keys.sort());
  expect(after?.nextIdx).toBe(before?.nextIdx);
  expect([...(after?.tokensOf(circuit.id, 'https://ams.example') ?? [])]).toEqual([
    ...(before?.tokensOf(circuit.id, 'https://ams.example') ?? []),
  ]);
});
