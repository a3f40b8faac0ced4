/** Peers as issuers of circuit tokens: their keys, told in a hello, and their word on what they have withdrawn. */
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { instant, wallClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import type { Answered } from '../../src/peering/client.ts';
import { TokenStatusLists, takeIssuer } from '../../src/peering/issuers.ts';
import { Peer } from '../../src/peering/peer.ts';
import type { RootClaims } from '../../src/tokens/claims.ts';
import { type PublicJwk, publicOf, thumbprint } from '../../src/tokens/jwk.ts';
import { signStatusList } from '../../src/tokens/status.ts';
import { call, operator } from '../support/oneDomain.ts';
import { settingsOf, Town, until } from './town.ts';

const THEM = 'https://d0.example';

describe('keys are told in a hello', () => {
  let town: Town;
  beforeAll(async () => {
    town = await Town.open();
  });
  afterAll(() => town.end());

  const kidsOf = (i: number) =>
    town
      .house(i)
      .broker.tokens.tokenKeys()
      .filter((key) => key.use === 'ISSUER');
  const known = () => [
    ...(town
      .house(1)
      .peering.tokens.trusted()
      .find(({ iss }) => iss === THEM)?.keys ?? []),
  ];
  const change = (ask: { readonly rotate: 'ISSUER' } | { readonly compromised: string }) =>
    town.house(0).broker.tokens.changeTokenKeys(call(operator), ask);
  /** Anything that the home says: a hello goes before it when there is news of its keys. */
  const speak = () =>
    town.house(0).peering.send('d1.example', { op: 'query', circuit: 'cir_none', epoch: 1_000, floor: 0 });

  test('a new key, and that the old one signs no more, before anything else is said', async () => {
    await speak();
    const [first] = kidsOf(0);
    expect(known().map(([kid, key]) => [kid, key.retired])).toEqual([[first?.kid, undefined]]);
    await change({ rotate: 'ISSUER' });
    await speak();
    const told = new Map(known());
    expect([...told.keys()].sort()).toEqual(
      kidsOf(0)
        .map(({ kid }) => kid)
        .sort(),
    );
    expect(told.get(first?.kid ?? '')?.retired).toBeTypeOf('number');
  });

  test('a key that is compromised is told no more, and by itself', async () => {
    const [first, second] = kidsOf(0);
    await change({ compromised: first?.kid ?? '' });
    await until(() => known().length === 1, 'd1 has heard');
    expect(known()[0]?.[0]).toBe(second?.kid);
  });

  test('after a restart they are told again', async () => {
    await town.restart(1);
    expect(known()).toEqual([]);
    await speak();
    expect(known()).toHaveLength(1);
  });
});

const ports = { clock: wallClock(), random: systemRandom, log: silentLog, perSecond: 10 };
const peerOf = () => new Peer(settingsOf('d0.example', 'https://127.0.0.1:1'), ports);
const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

describe('what a hello says of keys', () => {
  const jwk = publicOf(newKey());
  test.each<[string, string, object, string]>([
    ['attack 53: of another issuer', 'https://d2.example', jwk, 'https://d0.example is pinned'],
    ['with another case', 'https://D0.example', jwk, 'is pinned'],
    ['of no point of the curve', THEM, { ...jwk, x: jwk.y }, 'not a point'],
  ])('%s: is not believed', (_, iss, key, why) => {
    const peer = peerOf();
    takeIssuer(peer, { iss, keys: [key as PublicJwk] }, 'd1');
    expect(peer.issuer).toBeUndefined();
    expect(peer.lastError?.text).toContain(why);
  });

  test('and what it tells no more does not count any more', () => {
    const peer = peerOf();
    takeIssuer(peer, { iss: THEM, keys: [jwk] }, 'd1');
    expect([...(peer.issuer?.keys.keys() ?? [])]).toEqual([thumbprint(jwk)]);
    takeIssuer(peer, undefined, 'd1');
    expect(peer.issuer).toBeUndefined();
  });
});

describe('attack 45: a status list', () => {
  const key = newKey();
  const uri = `${THEM}/v1/tokens/status/0`;
  const root = { iss: THEM, status: { uri, idx: 3 } } as RootClaims;
  const T = 1_800_000_000;

  /** One that answers what the test puts there, and how often it was asked. */
  function lists() {
    const peer = peerOf();
    takeIssuer(peer, { iss: THEM, keys: [publicOf(key)] }, 'd1');
    const world = { now: T, asked: 0, signed: '' };
    const tell = async (): Promise<Answered> => {
      world.asked++;
      return { status: 200, body: { signed: world.signed } };
    };
    const status = new TokenStatusLists(
      () => [peer],
      tell,
      () => instant(world.now * 1000),
    );
    return { world, peer, status, at: () => status.statusAt(root, instant(world.now * 1000)) };
  }
  const list = (iat: number, revoked: readonly number[] = [], by = key, over = {}) =>
    signStatusList(
      { iss: THEM, uri, iat, exp: iat + 900, size: 64, revoked, ...over },
      { kid: thumbprint(publicOf(key)), key: by },
    );

  test('that is not there says nothing, and one that came says it until it ends', async () => {
    const { world, status, at } = lists();
    expect(at()).toBe('STALE');
    world.signed = list(T);
    await status.refresh(root);
    expect(at()).toBe('VALID');
    world.now += 900;
    expect(at()).toBe('STALE');
    world.signed = list(world.now, [3]);
    await status.refresh(root);
    expect(at()).toBe('REVOKED');
  });

  test.each<[string, (world: { now: number }) => string]>([
    ['rolled back', () => list(T - 60)],
    ['with a withdrawal taken back', ({ now }) => list(now, [])],
    ['signed by another key', ({ now }) => list(now, [3], newKey())],
    ['of another issuer', ({ now }) => list(now, [3], key, { iss: 'https://d2.example' })],
    ['of another place', ({ now }) => list(now, [3], key, { uri: `${THEM}/v1/tokens/status/1` })],
    ['that is none', () => 'not.a.list'],
  ])('%s changes nothing', async (_, signed) => {
    const { world, peer, status, at } = lists();
    world.signed = list(T, [3]);
    await status.refresh(root);
    world.now += 10;
    world.signed = signed(world);
    await status.refresh(root);
    expect(peer.lastError).toBeDefined();
    expect(at()).toBe('REVOKED');
  });

  test('is asked for once a second, and never at an address that is not its issuer’s', async () => {
    const { world, status } = lists();
    world.signed = list(T);
    await Promise.all([status.refresh(root), status.refresh(root)]);
    expect(world.asked).toBe(1);
    for (const uri of ['https://d2.example/v1/tokens/status/0', `${THEM}/v1/tokens/status/-1`, `${THEM}/x`])
      await status.refresh({ ...root, status: { uri, idx: 0 } });
    expect(world.asked).toBe(1);
  });

  test('is renewed before it ends', async () => {
    const { world, peer, status } = lists();
    world.signed = list(T);
    await status.refresh(root);
    world.now += 290;
    status.renew(peer);
    expect(world.asked).toBe(1);
    world.now += 20;
    status.renew(peer);
    expect(world.asked).toBe(2);
  });
});
