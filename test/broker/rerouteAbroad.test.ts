/** A circuit over several domains is given the best way that there is now, when its owner asks for it. */
import { afterEach, expect, it } from 'vitest';
import type { Circuit } from '../../src/model/circuit.ts';
import { domainName, topologyOf } from '../sim/network.ts';
import { aRequest, fixed } from '../support/builders.ts';
import { call } from '../support/oneDomain.ts';
import { Several } from '../support/several.ts';

let world: Several;
afterEach(() => world.end());

const book = (a: string, z: string, mbps: number): Promise<Circuit['id']> =>
  world.book(
    domainName(0),
    aRequest({
      a: { port: `d0:${a}`, vlan: 'ANY' },
      z: { port: `d1:${z}`, vlan: 'ANY' },
      mbps,
      schedule: fixed(10, 2_000),
    }),
  );

it('the detour is left when the direct way is free again, and kept while it is not', async () => {
  world = await Several.start([0, 1, 2].map((i) => topologyOf(i, 3)));
  const { broker } = world.at(domainName(0));
  const first = await book('h3', 'h2', 10_000);
  await world.pass(3);
  const id = await book('h4', 'h1', 1_000);
  await world.pass(20);
  const look = () => world.circuit(domainName(0), id);
  const way = async () => (await look()).current?.segments.map(({ domain }) => domain);
  const detour = [0, 2, 1].map(domainName);
  expect([(await look()).state, await way()]).toEqual(['ACTIVE', detour]);
  await broker.act(call(), id, { type: 'reroute' });
  expect([(await look()).pending, await way()]).toEqual([undefined, detour]);
  await broker.act(call(), first, { type: 'release', detail: 'done' });
  await world.pass(10);
  await broker.act(call(), id, { type: 'reroute' });
  expect((await look()).pending?.cause).toBe('REROUTE');
  await world.pass(10);
  const after = await look();
  expect([after.state, after.pending, await way()]).toEqual(['ACTIVE', undefined, [0, 1].map(domainName)]);
  expect(world.guest(domainName(2), id)?.state).not.toBe('ACTIVE');
});
