/** Maintenance where circuits over several domains have their place: ours are given another way, or an earlier end. */
import { afterEach, expect, it } from 'vitest';
import type { MaintenanceAsk } from '../../src/broker/calls.ts';
import { BrokerError } from '../../src/kernel/errors.ts';
import type { Circuit } from '../../src/model/circuit.ts';
import { localSegment } from '../../src/model/circuit.ts';
import { domainName, topologyOf } from '../sim/network.ts';
import { aRequest, at, fixed } from '../support/builders.ts';
import { call, operator } from '../support/oneDomain.ts';
import { Several } from '../support/several.ts';

let world: Several;
let id: Circuit['id'];
afterEach(() => world.end());

const begin = async (domains: number): Promise<void> => {
  world = await Several.start(Array.from({ length: domains }, (_, i) => topologyOf(i, domains)));
  id = await world.book(
    domainName(0),
    aRequest({
      a: { port: 'd0:h1', vlan: 'ANY' },
      z: { port: 'd1:h3', vlan: 'ANY' },
      mbps: 1_000,
      schedule: fixed(10, 2_000),
    }),
  );
  await world.pass(20);
  expect((await look()).state).toBe('ACTIVE');
};
const look = (): Promise<Circuit> => world.circuit(domainName(0), id);
const road = async () => localSegment((await look()).current as NonNullable<Circuit['current']>)?.links;
const close = async (i: number, links: readonly string[], conflict: MaintenanceAsk['conflict']) => {
  const window = { start: at(500), end: at(900) };
  const asked = world
    .at(domainName(i))
    .broker.createMaintenance(call(operator), { links, nodes: [], window, conflict });
  return asked.then(
    (done) => ('value' in done ? done.value.impact.map(({ outcome }) => outcome) : []),
    (error: unknown) => (error instanceof BrokerError ? error.code : String(error)),
  );
};

it('another way is agreed with the other domains, beside the one in use', async () => {
  await begin(2);
  expect(await road()).toEqual(['trunk']);
  expect(await close(0, ['trunk'], 'MIGRATE_FLEXIBLE')).toEqual(['ASKING']);
  await world.pass(10);
  const moved = await look();
  expect([moved.state, moved.pending, await road()]).toEqual(['ACTIVE', undefined, ['round-1', 'round-2']]);
  expect(moved.current?.window.end).toBe(at(2_000));
});

it('without one it is kept, or ends when the window begins and not before', async () => {
  await begin(2);
  expect(await close(0, ['trunk', 'round-1'], 'MIGRATE_FLEXIBLE')).toBe('MAINTENANCE_CONFLICT');
  expect(await close(0, ['trunk', 'round-1'], 'PREEMPT')).toEqual(['ASKING']);
  await world.pass(10);
  expect((await look()).current?.window.end).toBe(at(500));
  expect((await look()).state).toBe('ACTIVE');
  await world.pass(480);
  expect((await look()).state).toBe('ENDED');
});

it("a peer's stays in the way, and is named; whoever preempts goes ahead all the same", async () => {
  await begin(2);
  const links =
    localSegment(world.guest(domainName(1), id)?.current as NonNullable<Circuit['current']>)?.links ?? [];
  expect(links.length).toBeGreaterThan(0);
  expect(await close(1, links, 'MIGRATE_FLEXIBLE')).toBe('MAINTENANCE_CONFLICT');
  expect(await close(1, links, 'PREEMPT')).toEqual(['IN_THE_WAY']);
  await world.pass(5);
  expect((await look()).state).toBe('ACTIVE');
});
