/** What is agreed is compared over real HTTPS: a domain that was set back gets what it forgot, and lets go of what is over. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { instant } from '../../src/kernel/clock.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import { call } from '../support/oneDomain.ts';
import { Town, until } from './town.ts';

let town: Town;
beforeAll(async () => {
  town = await Town.open();
});
afterAll(() => town.end());

const inHours = (hours: number) => {
  const start = instant(Math.ceil(town.house(0).clock.now() / 1000 + hours * 3_600) * 1000);
  return { schedule: { type: 'FIXED', start, end: instant(start + 3_600_000) } } as const;
};
/** Time for what was decided to be no news any more, and then the comparison of that house. */
const compare = async (i: number): Promise<void> => {
  // What is on its way is left to the next comparison.
  await until(
    () => town.houses.every(({ broker }) => broker.readiness().effectsWaiting === 0),
    'all is said',
  );
  town.pass(31_000);
  await town.house(i).broker.term?.abroad.digests.round();
};

test('a forgotten circuit is committed again, one that is over is let go', async () => {
  const [ams, sdg] = town.houses as [Town['houses'][0], Town['houses'][0]];
  const over = await town.book(inHours(2));
  await until(() => sdg.partOf(over)?.home?.told === true || void town.pass(100), 'the part is told');
  await sdg.broker.term?.writer.drained();
  const copy = join(town.dir, 'copy.db');
  await sdg.broker.backup(copy);
  const forgotten = await town.book(inHours(4));
  await ams.broker.act(call() as never, over.id, { type: 'cancel', detail: 'no longer' });
  await until(() => sdg.partOf(over)?.state === 'CANCELLED', 'the part is cancelled');
  await sdg.close();
  sdg.setBack(copy);
  await town.reopen(1);
  const state = (circuit: Circuit) => sdg.partOf(circuit)?.state;
  expect([state(over), state(forgotten)]).toEqual(['SCHEDULED', undefined]);
  await compare(0);
  await until(() => state(forgotten) === 'SCHEDULED', 'what was forgotten is there again');
  // Its home says that it has ended it; or, once it has forgotten, twice that it knows nothing of it.
  await until(() => state(over) === 'CANCELLED' || sdg.partOf(over)?.home?.unknowns === 1, 'said once');
  await compare(1);
  await until(() => state(over) === 'CANCELLED', 'what is over is gone');
  expect(ams.circuits().find(({ id }) => id === forgotten.id)?.state).toBe('SCHEDULED');
  // Whether the other asked its home for this reason or of its own accord is all the same.
  expect(ams.logged.some(({ event }) => event === 'peer.differs')).toBe(true);
});
