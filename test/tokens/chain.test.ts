/**
 * Attacks 24 to 47 as far as they need no server: the holder's proof, the chain of links, withdrawal, scope;
 * and 53, 56, 68, 81 of others. 30 (two instances) and 48 (the peers' verbs) are tests of the store and of
 * peering; 28's restart is the same fold of the same rows (redeem.test.ts).
 */
import { describe, expect, test } from 'vitest';
import { instant } from '../../src/kernel/clock.ts';
import { prefixCache } from '../../src/tokens/cache.ts';
import { type GrantAsk, requireCovers } from '../../src/tokens/grant.ts';
import { introspection } from '../../src/tokens/introspect.ts';
import { publicOf } from '../../src/tokens/jwk.ts';
import { attenuate } from '../../src/tokens/mint.ts';
import { mayRevoke, Revocations } from '../../src/tokens/status.ts';
import {
  AMS,
  CIRCUIT,
  chainOf,
  forgeLink,
  holders,
  issuerKey,
  jti,
  KID,
  NOW,
  NOW_S,
  nothingRevoked,
  pass,
  present,
  root,
  rootClaims,
  SDG,
  thief,
  trust,
  verdict,
  verifyAll,
} from './forge.ts';

describe('the proof', () => {
  const bare = root();
  test.each<[string, () => string, string]>([
    ['attack 24: a stolen root, proven by another key', () => present(bare, thief), 'HOLDER'],
    [
      'attack 24: a stolen link, proven by the holder before',
      () => present(pass(bare, 0), holders[0]),
      'HOLDER',
    ],
    ['attack 24: no proof at all', () => bare, 'HOLDER'],
    ['attack 25: for another domain', () => present(bare, holders[0], { aud: AMS }), 'AUDIENCE'],
    ['attack 26: over another body', () => present(bare, holders[0], { body: '{}' }), 'REQUEST'],
    ['attack 26: for another verb', () => present(bare, holders[0], { action: 'release' }), 'REQUEST'],
    ['attack 26: for another operation key', () => present(bare, holders[0], { opKey: 'op-2' }), 'REQUEST'],
    [
      'moved to another token of the same holder',
      () => `${root()}${present(bare, holders[0]).split('~').at(-1)}`,
      'REQUEST',
    ],
    ['a link in the place of the proof', () => pass(bare, 0).slice(0, -1), 'HEADER'],
    ['a proof in the place of a link', () => `${present(bare, holders[0])}~`, 'HEADER'],
  ])('%s', (_, make, reason) => {
    expect(verdict(() => verifyAll(make()))).toBe(reason);
  });
});

describe('attack 31: no link widens', () => {
  const narrowed = pass(root(), 0, {
    mbps: 1_000,
    actions: ['provision', 'release'],
    window: { start: NOW_S + 60, end: NOW_S + 120 },
    aud: [SDG],
    stps: [{ end: 'z', port: 'sdg:host1', vlan: 7 }],
    exp: NOW_S + 600,
    dlg: 1,
    bud: new Map([[SDG, 1_000]]),
  });
  test.each<[string, object, string]>([
    ['nothing more', {}, 'accepted'],
    ['bandwidth', { bandwidth_mbps: 1_001 }, 'WIDENED'],
    ['actions', { actions: ['modify'] }, 'WIDENED'],
    ['window, earlier', { window: { start: NOW_S + 59, end: NOW_S + 120 } }, 'WIDENED'],
    ['window, later', { window: { start: NOW_S + 60, end: NOW_S + 121 } }, 'WIDENED'],
    ['aud', { aud: [SDG, AMS] }, 'WIDENED'],
    ['ports, another one', { stps: [{ end: 'z', port: 'sdg:host2', vlan: 7 }] }, 'WIDENED'],
    ['ports, the other end', { stps: [{ end: 'a', port: 'sdg:host1', vlan: 7 }] }, 'WIDENED'],
    ['ports, another label', { stps: [{ end: 'z', port: 'sdg:host1', vlan: 8 }] }, 'WIDENED'],
    ['ports, every label', { stps: [{ end: 'z', port: 'sdg:host1' }] }, 'WIDENED'],
    ['exp', { exp: NOW_S + 601 }, 'WIDENED'],
    ['attack 37: depth', { dlg: 1 }, 'DEPTH'],
    ['budget', { bud: { [SDG]: 1_001 } }, 'WIDENED'],
    ['budget of a domain that had none left', { bud: { [AMS]: 1 } }, 'WIDENED'],
  ])('%s', (_, lim, reason) => {
    const token = forgeLink(narrowed, lim, { cnf: { jwk: publicOf(holders[2]) } }, holders[1]);
    expect(verdict(() => chainOf(token))).toBe(reason);
  });
  test('and the library does not make one that does', () => {
    expect(verdict(() => pass(narrowed, 1, { mbps: 1_001 }))).toBe('WIDENED');
    expect(verdict(() => pass(narrowed, 0))).toBe('HOLDER');
  });
});

describe('attacks 32, 33: limits', () => {
  test.each<[string, unknown]>([
    ['an unknown key', { max_hops: 3 }],
    ['__proto__', JSON.parse('{"__proto__":{"mbps":1}}')],
    ['the circuit', { circuit: CIRCUIT }],
    ['a fraction', { bandwidth_mbps: 1.5 }],
    ['a negative one', { bandwidth_mbps: -1 }],
    ['null', { bandwidth_mbps: null }],
    ['a text', { bandwidth_mbps: '10' }],
    ['2^60', { exp: 2 ** 60 }],
    ['a budget of a fraction', { bud: { [SDG]: 0.5 } }],
    ['a negative budget', { bud: { [SDG]: -5 } }],
    ['a negative depth', { dlg: -1 }],
    ['no actions', { actions: [] }],
    ['a list', []],
  ])('%s', (_, lim) => {
    expect(verdict(() => chainOf(forgeLink(root(), lim)))).toBe('CLAIMS');
  });
});

describe('the chain', () => {
  const bare = root();
  const one = pass(bare, 0, { mbps: 1_000 });
  const two = pass(one, 1, { mbps: 500 });
  const parts = two.split('~');
  const join = (...texts: (string | undefined)[]): string => `${texts.join('~')}~`;
  test.each<[string, () => string, string]>([
    ['attack 34: a dropped link', () => join(parts[0], parts[2]), 'CHAIN'],
    ['attack 35: reordered links', () => join(parts[0], parts[2], parts[1]), 'CHAIN'],
    ['attack 36: a link of another chain', () => join(parts[0], pass(root(), 0).split('~')[1]), 'CHAIN'],
    [
      'attack 36: the same link under another root of the holder',
      () => join(root().slice(0, -1), parts[1]),
      'CHAIN',
    ],
    ['attack 37: passed on without leave', () => forgeLink(root({}, { dlg: 0 }), {}), 'DEPTH'],
    [
      'attack 38: a private key inside cnf',
      () => forgeLink(bare, {}, { cnf: { jwk: holders[1].export({ format: 'jwk' }) } }),
      'CLAIMS',
    ],
    ['attack 39: no cnf in a link', () => forgeLink(bare, {}, { cnf: undefined }), 'CLAIMS'],
    ['attack 39: an empty cnf in a link', () => forgeLink(bare, {}, { cnf: {} }), 'CLAIMS'],
    ['a link by another key', () => forgeLink(bare, {}, {}, thief), 'HOLDER'],
    ['a link of the future', () => forgeLink(bare, {}, { iat: NOW_S + 6 }), 'NOT_YET_VALID'],
    ['no link but the last', () => join(parts[2]), 'HEADER'],
  ])('%s', (_, make, reason) => {
    expect(verdict(() => chainOf(make()))).toBe(reason);
  });
  test('the depth falls by one with each link, asked or not', () => {
    const last = pass(pass(root({}, { dlg: 2 }), 0), 1);
    expect(chainOf(last).grant.dlg).toBe(0);
    expect(verdict(() => pass(last, 2))).toBe('DEPTH');
  });
});

describe('withdrawal and time are asked again of what is remembered', () => {
  test('attacks 42, 43, 44: root and link, before and after the cache has seen them', () => {
    for (const withdrawn of ['root', 'link'] as const) {
      const cache = prefixCache();
      const token = pass(root(), 0);
      const list = new Revocations();
      const withdrawals = { ...nothingRevoked, isRevoked: list.isRevoked.bind(list) };
      const chain = chainOf(token, { cache, withdrawals });
      expect(verdict(() => chainOf(token, { cache, withdrawals }))).toBe('accepted');
      const id = withdrawn === 'root' ? chain.root.jti : (chain.linkJtis[0] ?? '');
      const undo = list.add({ iss: AMS, jti: id, exp: NOW_S + 7200 });
      expect(verdict(() => chainOf(token, { cache, withdrawals }))).toBe('REVOKED');
      expect(verdict(() => chainOf(token, { withdrawals }))).toBe('REVOKED');
      undo();
      expect(verdict(() => chainOf(token, { cache, withdrawals }))).toBe('accepted');
    }
  });
  test.each<[string, Parameters<typeof chainOf>[1], string]>([
    ['expiry', { now: instant(NOW + 7_200_000) }, 'EXPIRED'],
    ['attack 68: a clock before its beginning', { now: instant(NOW - 3_600_000) }, 'NOT_YET_VALID'],
    ['status revoked', { withdrawals: { ...nothingRevoked, status: () => 'REVOKED' } }, 'REVOKED'],
    [
      'attack 45: status stale',
      { withdrawals: { ...nothingRevoked, status: () => 'STALE' } },
      'STATUS_UNKNOWN',
    ],
    ['attack 56: a key past its grace', { trust: trust({ until: NOW_S }) }, 'KEY'],
    ['attack 56: minted with a retired key', { trust: trust({ retired: NOW_S - 1 }) }, 'KEY'],
    ['a compromised key', { trust: trust({ compromised: true }) }, 'KEY'],
    ['the kid given to another key', { trust: trust({ key: thief }) }, 'KEY'],
    ['the issuer no longer trusted', { trust: trust({}, { issuers: new Map() }) }, 'ISSUER'],
    ['attack 53: an issuer that may not mint for our ports', { trust: trust({}, {}, ['ams']) }, 'ISSUER'],
    ['another audience', { trust: trust({}, { audience: 'https://lon.example' }) }, 'AUDIENCE'],
  ])('%s', (_, more, reason) => {
    const cache = prefixCache();
    const token = root();
    chainOf(token, { cache });
    expect(cache.size).toBe(1);
    expect(verdict(() => chainOf(token, { cache, ...more }))).toBe(reason);
    const fresh = verdict(() => chainOf(token, { ...more }));
    // A key that never verified it is told apart from one that took its name later.
    expect(fresh).toBe(
      reason === 'KEY' && more?.trust?.issuers.get(AMS)?.keys.get(KID)?.key === thief ? 'SIGNATURE' : reason,
    );
  });
  test('a key retired after the mint still verifies', () => {
    expect(verdict(() => chainOf(root(), { trust: trust({ retired: NOW_S, until: NOW_S + 10 }) }))).toBe(
      'accepted',
    );
  });
  test('the cache is bounded and keeps what was used last', () => {
    const cache = prefixCache(2);
    const [a, b, c] = [root(), root(), root()];
    for (const token of [a, b, a, c]) chainOf(token, { cache });
    expect(cache.size).toBe(2);
    expect([a, b, c].map((t) => cache.get(chainOf(t).prh) !== undefined)).toEqual([true, false, true]);
  });
  test('a refused token is not remembered', () => {
    const cache = prefixCache();
    expect(verdict(() => chainOf(root(), { cache, now: instant(NOW - 3_600_000) }))).toBe('NOT_YET_VALID');
    expect(cache.size).toBe(0);
  });
});

describe('what it covers', () => {
  const stored: GrantAsk = {
    action: 'provision',
    circuit: CIRCUIT,
    stps: [
      { end: 'a', port: 'ams:host1', vlan: 1801 },
      { end: 'z', port: 'sdg:host1', vlan: 22 },
    ],
    mbps: 10_000,
    window: { start: NOW_S, end: NOW_S + 3600 },
  };
  test.each<[string, Partial<GrantAsk>, string]>([
    ['the stored circuit', {}, 'accepted'],
    ['attack 40: another circuit', { circuit: 'cir_01hzy3v7qk8m2n4p6r8t0v2x4y' }, 'SCOPE'],
    ['attack 40: another port', { stps: [{ end: 'a', port: 'ams:host2', vlan: 1801 }] }, 'SCOPE'],
    ['attack 40: another label', { stps: [{ end: 'a', port: 'ams:host1', vlan: 1802 }] }, 'SCOPE'],
    ['attack 40: the whole port', { stps: [{ end: 'a', port: 'ams:host1' }] }, 'SCOPE'],
    ['attack 40: the other direction', { stps: [{ end: 'z', port: 'ams:host1', vlan: 1801 }] }, 'SCOPE'],
    ['more bandwidth', { mbps: 10_001 }, 'SCOPE'],
    [
      'attack 46: modify beyond the window',
      { action: 'modify', window: { start: NOW_S, end: NOW_S + 3601 } },
      'SCOPE',
    ],
    ['modify within it', { action: 'modify', window: { start: NOW_S + 9, end: NOW_S + 3600 } }, 'accepted'],
    ['a verb that it has not', { action: 'reroute' }, 'SCOPE'],
  ])('%s', (_, change, reason) => {
    expect(verdict(() => requireCovers(chainOf(root()).grant, { ...stored, ...change }))).toBe(reason);
  });
  test.each(['release', 'query'] as const)(
    'attack 47: %s with a provision-only token of a third party',
    (action) => {
      const { grant } = chainOf(pass(root(), 0, { actions: ['provision'] }));
      expect(verdict(() => requireCovers(grant, { ...stored, action }))).toBe('SCOPE');
    },
  );
});

describe('attack 81: revocations', () => {
  test('a peer withdraws what its own issuer made', () => {
    expect(mayRevoke([AMS], { iss: AMS, jti: jti(), exp: 1 })).toBe(true);
    expect(mayRevoke([SDG], { iss: AMS, jti: jti(), exp: 1 })).toBe(false);
  });
  test('and the same id of another issuer stays', () => {
    const list = new Revocations();
    list.add({ iss: SDG, jti: 'x', exp: NOW_S });
    expect([list.isRevoked(SDG, 'x'), list.isRevoked(AMS, 'x')]).toEqual([true, false]);
    list.forget(instant(NOW - 1));
    expect(list.isRevoked(SDG, 'x')).toBe(true);
    list.forget(NOW);
    expect(list.isRevoked(SDG, 'x')).toBe(false);
  });
});

describe('introspection', () => {
  test('shows the effective rights, and no key or signature', () => {
    const claims = rootClaims();
    const said = introspection(chainOf(pass(root(claims), 0, { mbps: 10 })));
    expect(said).toMatchObject({
      active: true,
      iss: AMS,
      jti: claims.jti,
      authorization_details: [{ bandwidth_mbps: 10 }],
    });
    expect(JSON.stringify(said)).not.toContain(publicOf(holders[1]).x);
  });
  test('of what is not accepted it says nothing', () => {
    expect(introspection(undefined)).toEqual({ active: false });
  });
});

test('the holder of a key with more members than four attenuates all the same', () => {
  const next = attenuate(
    root(),
    { lim: {}, holder: publicOf(issuerKey), jti: jti(), iat: NOW_S },
    holders[0],
  );
  expect(chainOf(next).linkJtis).toHaveLength(1);
});
