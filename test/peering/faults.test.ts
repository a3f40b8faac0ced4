/** Peers that are not what they should be, without meaning harm: another version, a full disk, late, out of date. */
import { afterEach, expect, test } from 'vitest';
import { type Store, StoreError } from '../../src/broker/ports.ts';
import { instant } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { makePeerFiles } from '../../src/lab/certificates.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import { call, user } from '../support/oneDomain.ts';
import { filesOf, Town, until } from './town.ts';

let town: Town;
afterEach(() => town.end());

test('a peer of another version of the protocol: told at once, and what needs it is refused', async () => {
  town = await Town.open({ protocols: (i) => (i === 1 ? [9] : undefined) });
  const view = await town.house(0).peering.office().check('d1.example');
  expect(view).toMatchObject({ state: 'UNFIT', reason: expect.stringContaining('speaks versions 9') });
  const circuit = await town.book();
  expect(circuit.state).toBe('REJECTED');
  expect(circuit.problem?.detail).toContain('versions');
  // Inside our own domain nothing has changed.
  const inside = await town.book({ z: { port: 'd0:h3', vlan: 'ANY' } });
  expect(inside.state).toBe('SCHEDULED');
});

test('a peer whose disk is full refuses with the cause, and gives back what it is told to', async () => {
  const disk = { full: false };
  const wrapStore = (i: number, store: Store): Store =>
    i !== 1
      ? store
      : new Proxy(store, {
          get(target, name) {
            const value = Reflect.get(target, name, target) as unknown;
            if (typeof value !== 'function') return value;
            if (name !== 'commit') return value.bind(target);
            return (group: Parameters<Store['commit']>[0]) =>
              disk.full && !group.reduces
                ? Promise.reject(new StoreError('FULL', 'no room'))
                : target.commit(group);
          },
        });
  town = await Town.open({ wrapStore });
  const before = await town.book();
  expect(before.state).toBe('SCHEDULED');
  disk.full = true;
  const refused = await town.book({ mbps: 500 });
  expect(refused.state).toBe('REJECTED');
  expect(refused.problem?.detail).toContain('STORE_FULL');
  await town.house(0).broker.act(call() as never, before.id, { type: 'cancel', detail: 'no longer' });
  await until(() => town.stateAt(1, before) === 'CANCELLED', 'the peer has let go');
});

test('a peer that answers after everybody has given up holds nothing in the end', async () => {
  let open: () => void = () => {};
  const gate = { shut: false, opened: new Promise<void>((resolve) => (open = resolve)) };
  const wrapStore = (i: number, store: Store): Store =>
    i !== 1
      ? store
      : new Proxy(store, {
          get(target, name) {
            const value = Reflect.get(target, name, target) as unknown;
            if (typeof value !== 'function') return value;
            if (name !== 'commit') return value.bind(target);
            return async (group: Parameters<Store['commit']>[0]) => {
              if (gate.shut && group.circuits.length > 0) await gate.opened;
              return target.commit(group);
            };
          },
        });
  town = await Town.open({ wrapStore });
  gate.shut = true;
  const asked = town.book();
  try {
    await until(() => town.house(1).circuits().length > 0, 'the hold has arrived');
    const { id } = town.house(0).circuits()[0] as Circuit;
    // Longer than an attempt may take, by both clocks, as often as there are attempts.
    for (let i = 0; i < 20 && town.stateAt(0, { id: id as Circuit['id'] }) === 'RESERVING'; i++) {
      for (const house of town.houses) house.clock.shift(31_000);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await asked;
    await expect.poll(async () => (await town.house(0).broker.circuit(user, id)).state).toBe('REJECTED');
  } finally {
    open();
  }
  const late = (): Circuit | undefined => town.house(1).circuits()[0];
  await until(() => late()?.pending === undefined && late()?.current === undefined, 'nothing is held');
  gate.shut = false;
  expect((await town.book()).state).toBe('SCHEDULED');
});

test('a peer whose clock is off: an alarm above a second, no word more above thirty', async () => {
  town = await Town.open();
  const { peering, logged } = town.house(0);
  const alarms = () => logged.filter(({ event }) => event === 'peer.skew');
  await peering.office().check('d1.example');
  expect(alarms()).toEqual([]);
  town.house(1).clock.shift(5_000);
  const view = await peering.office().check('d1.example');
  expect(view).toMatchObject({ state: 'CONNECTED' });
  expect(Math.abs((view?.skewMs ?? 0) - 5_000)).toBeLessThan(1_000);
  expect(alarms()).toMatchObject([{ peer: 'd1.example' }]);
  town.house(1).clock.shift(35_000);
  const far = await peering.office().check('d1.example');
  expect(far?.state).toBe('SILENT');
  expect(far?.lastError?.text).toMatch(/clock|CLOCK_SKEW/);
}, 60_000);

test('a certificate that expires while circuits run: they run on; new ones wait for the renewal', async () => {
  const short = makePeerFiles({ domain: 'd1.example', from: instant(Date.now()), days: 1 }, systemRandom);
  const files = { now: short };
  town = await Town.open({ files: (i) => (i === 1 ? files.now : filesOf('d0.example')) });
  const { broker, clock } = town.house(0);
  const start = instant(Math.ceil((clock.now() + 1_000) / 1000) * 1000);
  const circuit = await town.book({
    schedule: { type: 'FIXED', start, end: instant(start + 10 * 86_400_000) },
  });
  await until(() => town.stateAt(0, circuit) === 'ACTIVE', 'light');

  for (const house of town.houses) house.clock.shift(2 * 86_400_000);
  const view = await town.house(0).peering.office().check('d1.example');
  expect(view).toMatchObject({ state: 'SILENT', reason: expect.stringContaining('expired') });
  expect([town.stateAt(0, circuit), town.stateAt(1, circuit)]).toEqual(['ACTIVE', 'ACTIVE']);
  const released = broker.act(call() as never, circuit.id, { type: 'release', detail: 'done' });
  await released;
  expect((await broker.circuit(user, circuit.id)).state).toBe('RELEASING');

  const alarms = town
    .house(0)
    .logged.flatMap((one) => (one.event === 'peer.certificate' ? [one.days_left] : []));
  expect(alarms.at(-1)).toBeLessThan(0);

  // Both sides have the new one from now on, and nobody starts again.
  files.now = makePeerFiles({ domain: 'd1.example', from: clock.now(), days: 30 }, systemRandom);
  const sessions = town.houses.map(({ peering }) => peering.session);
  for (const house of town.houses) house.renew();
  expect(town.houses.map(({ peering }) => peering.session)).toEqual(sessions);
  await until(() => town.stateAt(1, circuit) === 'ENDED', 'what waited has arrived');
  const told = () => town.house(0).broker.domains()[0];
  await until(() => (told()?.expires ?? 0) > clock.now(), 'it has told us of itself again');
  // What was asked in vain, as the status of tokens is, is asked again after a while.
  town.pass(60_000);
  expect((await town.book()).state).toBe('SCHEDULED');

  // A new one in its time: pinned beside the old one first, and the old one taken out in the end.
  const old = files.now;
  const next = makePeerFiles({ domain: 'd1.example', from: clock.now(), days: 60 }, systemRandom);
  files.now = { ...next, certificate: old.certificate + next.certificate };
  town.house(0).renew();
  files.now = next;
  town.house(1).renew();
  const renewed = await town.house(0).peering.office().check('d1.example');
  expect(renewed).toMatchObject({ state: 'CONNECTED', fingerprints: { length: 2 } });
  expect(await town.house(1).peering.office().check('d0.example')).toMatchObject({ state: 'CONNECTED' });
  town.house(0).renew();
  expect((await town.book({ mbps: 400 })).state).toBe('SCHEDULED');
  expect(town.house(0).peering.office().peers()[0]?.fingerprints).toHaveLength(1);
}, 60_000);
