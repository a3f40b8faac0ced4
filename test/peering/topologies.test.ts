/** Topology documents between three domains in a row, of which the ends are no neighbours: told, kept, renewed, doubted. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { instant } from '../../src/kernel/clock.ts';
import { sealDocument } from '../../src/peering/seal.ts';
import type { DomainDocument } from '../../src/topology/domainDocument.ts';
import { topologyOf } from '../sim/network.ts';
import { call, operator } from '../support/oneDomain.ts';
import { identityOf, Town, until } from './town.ts';

/** In a row, and without a word of who the neighbours are beyond the cables: they must say it themselves. */
const alone = (i: number) => {
  const { neighbours: _, ...topology } = topologyOf(i, 3);
  const beside = [i - 1, i + 1].map((n) => `d${n}.example`);
  const ports = topology.ports.filter(({ remote }) => remote === undefined || beside.includes(remote.domain));
  return { ...topology, ports };
};

let town: Town;
beforeAll(async () => {
  town = await Town.open({ domains: 3, topology: alone });
  await until(
    () => town.houses.every((house) => house.broker.domains().length === 2),
    'everybody knows everybody',
  );
});
afterAll(() => town.end());

const known = (i: number, of: number) =>
  town
    .house(i)
    .broker.domains()
    .find(({ document }) => document.domain === `d${of}.example`);

test('everybody has the ports of everybody, and of their insides nothing', () => {
  const ports = town.house(0).broker.ports('d2.example');
  expect(ports.map(({ id, kind }) => `${id} ${kind}`)).toEqual([
    'd2:h1 CLIENT',
    'd2:h2 CLIENT',
    'd2:h3 CLIENT',
    'd2:h4 CLIENT',
    'd2:to-d1 BORDER',
  ]);
  const told = JSON.stringify(known(0, 2)?.document);
  for (const secret of ['sw1', 'sw2', 'sw3', 'trunk', 'round']) expect(told).not.toContain(secret);
});

test('a circuit goes through the one in the middle', async () => {
  const circuit = await town.book();
  expect(circuit.state).toBe('SCHEDULED');
  expect(circuit.current?.segments.map((s) => s.domain)).toEqual(['d0.example', 'd1.example', 'd2.example']);
  expect(town.house(1).partOf(circuit)?.state).toBe('SCHEDULED');
  expect(town.house(2).partOf(circuit)?.state).toBe('SCHEDULED');
});

test('a change of one topology is told to all', async () => {
  const before = known(0, 2)?.document.version.n ?? 0;
  const { broker } = town.house(2);
  await broker.setLink(call(operator) as never, 'trunk', { oper: 'DOWN' });
  await until(() => (known(0, 2)?.document.version.n ?? 0) > before, 'd0 has heard of it');
  await broker.setLink(call(operator) as never, 'trunk', { oper: 'UP' });
});

test('what was missed while away is brought when it is back', async () => {
  await town.house(0).close();
  const { broker } = town.house(2);
  await broker.setLink(call(operator) as never, 'round-1', { oper: 'DOWN' });
  const n = broker.document().version.n;
  await town.house(0).open(town.houses.map((house) => house.url));
  town.house(0).peering.start();
  // It had the older one on its disk.
  await until(() => known(0, 2)?.document.version.n === n, 'd0 has caught up');
});

describe('a document that is brought', () => {
  const { signer } = identityOf('d2.example');
  const bring = (document: DomainDocument, by = signer, name = 'd2.example', expires = 1e13) => {
    const { peering } = town.house(0);
    const from = peering.peers().find((peer) => peer.domain === 'd1.example');
    const body = JSON.stringify({ document, expires });
    if (from === undefined) throw new Error('no peer');
    return peering.topologies.accept(from, { body, signature: sealDocument(name, body, by) });
  };
  const present = (): DomainDocument => known(0, 2)?.document as DomainDocument;
  const later = (over: Partial<DomainDocument>): DomainDocument => {
    const { version } = present();
    return { ...present(), version: { ...version, n: version.n + 1 }, ...over };
  };

  test('again is the same; an older one goes nowhere', async () => {
    expect(await bring(present())).toBe('SAME');
    const { version } = present();
    expect(await bring({ ...present(), version: { ...version, epoch: version.epoch - 1 } })).toBe('OLDER');
  });

  test('attack 82: with a port, or a prefix, of another domain is not entered', async () => {
    const [port] = present().ports;
    const [border] = present().borders;
    if (port === undefined || border === undefined) throw new Error('no port');
    const d1 = { ...port, id: 'd1:h1' };
    expect(await bring(later({ ports: [...present().ports, d1] }))).toBe('INVALID');
    expect(await bring(later({ borders: [{ ...border, id: 'd0:to-d1' }] }))).toBe('INVALID');
    expect(await bring(later({ prefix: 'd1' }))).toBe('INVALID');
    expect(await bring(later({ domain: 'd1.example' }))).toBe('INVALID');
    // Of a domain that no operator pinned, whoever signed it.
    expect(await bring(later({ domain: 'd9.example', prefix: 'd9' }), signer, 'd9.example')).toBe('UNKNOWN');
  });

  test('attack 82: a link that the other end does not claim is no link', async () => {
    const [border] = present().borders;
    if (border === undefined) throw new Error('no border');
    const invented = { ...border, id: 'd2:to-d0', remote: { domain: 'd0.example', port: 'd0:h4' } };
    expect(await bring(later({ borders: [border, invented] }))).toBe('NEW');
    const world = town.house(0).broker.term?.book.around.world(town.house(0).clock.now());
    expect([...(world?.borders.keys() ?? [])].filter((id) => id.includes('d2:to-d0'))).toEqual([]);
    expect(world?.unmatched.join()).toContain('d2:to-d0');
  });

  test('signed by another key, or in another name, is not believed', async () => {
    expect(await bring(later({}), identityOf('d1.example').signer)).toBe('INVALID');
    expect(await bring(later({}), signer, 'd1.example')).toBe('INVALID');
  });

  test('lasts an hour at the most, whatever it says', () => {
    const record = known(0, 2);
    expect((record?.expires ?? 0) - town.house(0).clock.now()).toBeLessThanOrEqual(3_630_000);
  });

  test('twice with one version and two contents is evidence: alarm, and nothing more is agreed', async () => {
    const larger = present().ports.map((port) => ({ ...port, capacity_mbps: port.capacity_mbps + 1 }));
    expect(await bring({ ...present(), ports: larger })).toBe('CONFLICT');
    const { peering, logged } = town.house(0);
    expect(logged.filter(({ event }) => event === 'peer.quarantined')).toHaveLength(1);
    const view = peering
      .office()
      .peers()
      .find((peer) => peer.domain === 'd2.example');
    expect(view).toMatchObject({ state: 'QUARANTINED', reason: expect.stringContaining('two documents') });
    const circuit = await town.book();
    expect(circuit.state).not.toBe('SCHEDULED');
    // It is no matter of this process: an operator ends it.
    await town.restart(0);
    const stateNow = () =>
      town
        .house(0)
        .peering.office()
        .peers()
        .find((peer) => peer.domain === 'd2.example')?.state;
    expect(stateNow()).toBe('QUARANTINED');
    await town.house(0).broker.standings.readmit(call(operator) as never, 'd2.example', 'it was a test');
    await until(() => stateNow() === 'CONNECTED', 'it is a peer again');
  });

  // The last: the network as it will be then is kept, and time does not go back.
  test('after it has expired nothing new is planned over it', () => {
    const book = town.house(0).broker.term?.book;
    const now = town.house(0).clock.now();
    expect(book?.around.world(now).domains.has('d2.example')).toBe(true);
    expect(book?.around.world(instant(now + 4_000_000)).domains.has('d2.example')).toBe(false);
  });
});
