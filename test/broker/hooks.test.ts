/** Which circuits a webhook hears of. */
import { afterEach, expect, it } from 'vitest';
import { BrokerError } from '../../src/kernel/errors.ts';
import type { Principal } from '../../src/model/principal.ts';
import { call, OneDomain, operator, twoSwitches, user } from '../support/oneDomain.ts';

let world: OneDomain;
afterEach(() => world.end());

const both: Principal = { ...user, projects: ['lhc', 'cms'] };
const made = (who: Principal, project?: string): Promise<unknown> =>
  world.broker
    .createWebhook(call(who), {
      url: 'https://hooks.example.net/',
      types: [],
      ...(project === undefined ? {} : { project }),
    })
    .then(
      (done) => (done.kind === 'done' ? done.value.project : done),
      (error: unknown) => (error instanceof BrokerError ? error.code : error),
    );

it("is of one of its owner's projects: the first, or the one that he names", async () => {
  world = await OneDomain.start({ topology: twoSwitches });
  expect(await made(both)).toBe('lhc');
  expect(await made(both, 'cms')).toBe('cms');
  expect(await made(user, 'cms')).toBe('INVALID_REQUEST');
  expect(await made(operator, 'cms')).toBe('cms');
  expect((await world.broker.webhooks(user)).map(({ project }) => project)).toEqual(['lhc', 'cms']);
});
