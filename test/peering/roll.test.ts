/** Peers that come and go with the configuration, while everything runs. */
import { afterEach, expect, test } from 'vitest';
import { instant } from '../../src/kernel/clock.ts';
import { call } from '../support/oneDomain.ts';
import { Town, until } from './town.ts';

let town: Town;
afterEach(() => town.end());

const namesOf = (i: number) =>
  town
    .house(i)
    .peering.office()
    .peers()
    .map(({ domain, state }) => [domain, state]);
const now = () => {
  const start = instant(Math.ceil((town.house(0).clock.now() + 1_000) / 1000) * 1000);
  return { schedule: { type: 'FIXED', start, end: instant(start + 600_000) } } as const;
};

test('one that the configuration names anew is spoken to without a restart', async () => {
  town = await Town.open({ names: (i) => (i === 0 ? [] : undefined) });
  expect(namesOf(0)).toEqual([]);
  town.house(0).renew([1]);
  expect(await town.house(0).peering.office().check('d1.example')).toMatchObject({ state: 'CONNECTED' });
  await until(() => town.houses.every(({ broker }) => broker.domains().length === 1), 'both know each other');
  expect((await town.book()).state).toBe('SCHEDULED');
  expect(town.house(0).logged).toContainEqual({ event: 'peer.joined', peer: 'd1.example' });
}, 60_000);

test('with one that it names no longer nothing is begun, and what has begun goes on to its end', async () => {
  town = await Town.open();
  const running = await town.book({ ...now(), mbps: 100 });
  const manual = await town.book({ mbps: 200, provision: 'MANUAL' });
  await until(() => town.stateAt(0, running) === 'ACTIVE', 'light');
  town.house(0).renew([]);
  expect(namesOf(0)).toEqual([['d1.example', 'DISMISSED']]);
  expect(town.house(0).logged).toContainEqual({ event: 'peer.dismissed', peer: 'd1.example' });

  const refused = await town.book({ mbps: 300 });
  expect(refused.problem).toMatchObject({ domain: 'd1.example' });
  expect(refused.problem?.detail).toContain('no longer one of the peers');
  // Nor by them, whether they ask for it first or commit at once.
  const theirs = await town.book({ mbps: 300 }, 1, 0);
  expect([theirs.state, theirs.problem?.detail]).toEqual([
    'REJECTED',
    expect.stringContaining('no longer one of the peers'),
  ]);
  const segment = {
    a: { port: 'd0:to-d1', labels: [[2, 2]] },
    z: { port: 'd0:h2', labels: [[2, 2]] },
  } as const;
  const { epoch } = town.house(1).broker.readiness();
  const answer = await town.house(1).peering.send('d0.example', {
    ...{ op: 'commit', circuit: 'cir_sly', epoch, floor: 0, version: 1 },
    segment: {
      ...segment,
      ...{ window: running.current?.window ?? now().schedule, mbps: 1, provision: 'AUTOMATIC' },
      requester: 'x',
    },
  });
  expect(answer).toMatchObject({ state: 'REFUSED', cause: expect.stringContaining('no longer') });

  // A commit of what is here is answered as ever, however often it comes; light is given, and all is let go of.
  const { broker } = town.house(0);
  await broker.act(call() as never, running.id, { type: 'release', detail: 'done' });
  await until(() => town.stateAt(1, running) === 'ENDED', 'its part is over');
  await broker.act(call() as never, manual.id, { type: 'cancel', detail: 'no longer' });
  await until(() => town.stateAt(1, manual) === 'CANCELLED', 'its part is let go of');
  const left = () => broker.dealings('d1.example');
  await until(() => left().circuits + left().waiting === 0, 'nothing is left but tombstones');
  // Until its topology has run out a way through it might be looked for, and is refused at once.
  town.house(0).renew([]);
  expect(namesOf(0)).toEqual([['d1.example', 'DISMISSED']]);
  town.pass(2 * 3_600_000);
  town.house(0).renew([]);
  expect(namesOf(0)).toEqual([]);
  town.house(0).renew([1]);
  // A hello that was under way while the clocks were put on has timed out.
  await town.house(0).peering.office().check('d1.example');
  const view = await town.house(0).peering.office().check('d1.example');
  expect(view).toMatchObject({ state: 'CONNECTED' });
}, 60_000);
