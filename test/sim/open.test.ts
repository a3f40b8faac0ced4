/**
 * Stories of what the simulation has found and nobody has mended yet (open.ts): each says what should be, and
 * is expected to fail. The first that passes turns red here, and then both go.
 */
import { afterEach, expect, it } from 'vitest';
import type { Circuit } from '../../src/model/circuit.ts';
import type { TopologyDocument } from '../../src/topology/document.ts';
import { aRequest, fixed } from '../support/builders.ts';
import { call, OneDomain, operator, twoSwitches } from '../support/oneDomain.ts';

let world: OneDomain;
afterEach(() => world.end());

const second = { a: { node: 'sw1', port: 't2' }, z: { node: 'sw2', port: 't2' } };
const parallel: TopologyDocument = {
  ...twoSwitches,
  links: [...twoSwitches.links, { id: 'l2', ...second, capacity_mbps: 10_000, latency_ms: 5 }],
};

it.fails('a member of a set is not rerouted onto the links of one that keeps clear of it', async () => {
  world = await OneDomain.start({ topology: parallel });
  const one = aRequest({ schedule: fixed(100, 200) });
  const done = await world.broker.createSet(call(), [
    { key: 'm0', request: one },
    { key: 'm1', request: one, diverse: ['m0'] },
  ]);
  if (done.kind !== 'done') throw new Error('not a replay');
  const linksOf = async (c: Circuit): Promise<readonly string[]> =>
    (await world.broker.circuit(operator, c.id)).current?.segments[0]?.links ?? [];
  const [m0, m1] = done.value.circuits as [Circuit, Circuit];
  const [failing] = await linksOf(m0);
  await world.broker.setLink(call(operator), failing ?? '', { oper: 'DOWN' });
  await world.settle();
  expect(await linksOf(m0)).not.toEqual(await linksOf(m1));
});
