/** Attacks 45, 54 and 56 without the network: status lists and key sets as texts, key rings as values. */
import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { instant } from '../../src/kernel/clock.ts';
import { importPublic, publicOf } from '../../src/tokens/jwk.ts';
import {
  compromise,
  jwks,
  noteSigned,
  prune,
  readJwks,
  ringKey,
  ringKeys,
  rotate,
} from '../../src/tokens/keyring.ts';
import { readStatusList, signStatusList, statusIn } from '../../src/tokens/status.ts';
import { AMS, forge, issuerKey, KID, NOW, NOW_S, newKey, thief, verdict } from './forge.ts';

const uri = `${AMS}/status/1`;
const keys = new Map([[KID, { key: importPublic(publicOf(issuerKey)) }]]);
const from = { iss: AMS, uri, keys };
const sign = (
  revoked: number[],
  over: { iat?: number; exp?: number; uri?: string; iss?: string } = {},
  key = issuerKey,
) =>
  signStatusList(
    { iss: AMS, uri, iat: NOW_S, exp: NOW_S + 60, size: 64, revoked, ...over },
    { kid: KID, key },
  );

describe('attack 45: the status list', () => {
  const list = readStatusList(sign([5, 63]), from, NOW);
  test.each([
    [5, 0, 'REVOKED'],
    [63, 0, 'REVOKED'],
    [6, 0, 'VALID'],
    [6, 59_999, 'VALID'],
    [6, 60_000, 'STALE'],
    [5, 60_000, 'REVOKED'],
    [64, 0, 'STALE'],
  ])('index %i after %i ms: %s', (idx, ms, expected) => {
    expect(statusIn(list, idx, instant(NOW + ms))).toBe(expected);
  });
  test('no list says nothing', () => {
    expect(statusIn(undefined, 5, NOW)).toBe('STALE');
  });
  const bomb = (bytes: number): string =>
    forge(
      { alg: 'ES256', typ: 'statuslist+jwt', kid: KID },
      {
        iss: AMS,
        sub: uri,
        iat: NOW_S,
        exp: NOW_S + 60,
        status_list: { bits: 1, lst: deflateSync(Buffer.alloc(bytes)).toString('base64url') },
      },
    );
  test.each<[string, () => string, string]>([
    ['a newer one', () => sign([5, 6, 63], { iat: NOW_S + 1 }), 'accepted'],
    ['the same one', () => sign([5, 63]), 'accepted'],
    ['an older one', () => sign([5, 63], { iat: NOW_S - 1 }), 'STATUS_UNKNOWN'],
    ['one that takes a withdrawal back', () => sign([5], { iat: NOW_S + 1 }), 'STATUS_UNKNOWN'],
    [
      'a shorter one',
      () =>
        signStatusList(
          { iss: AMS, uri, iat: NOW_S, exp: NOW_S + 60, size: 8, revoked: [5] },
          { kid: KID, key: issuerKey },
        ),
      'STATUS_UNKNOWN',
    ],
    ['by another key', () => sign([5, 63], {}, thief), 'SIGNATURE'],
    ['of another address', () => sign([5, 63], { uri: `${AMS}/status/2` }), 'ISSUER'],
    ['of another issuer', () => sign([5, 63], { iss: 'https://lon.example' }), 'ISSUER'],
    ['expired', () => sign([5, 63], { exp: NOW_S }), 'EXPIRED'],
    ['of the future', () => sign([5, 63], { iat: NOW_S + 6 }), 'NOT_YET_VALID'],
    ['unpacking to 100 MB', () => bomb(100_000_000), 'CLAIMS'],
    ['3 MB of text', () => 'a'.repeat(3_000_000), 'TOO_LARGE'],
    ['a root', () => forge({ alg: 'ES256', typ: 'cct+jwt', kid: KID }, {}), 'HEADER'],
  ])('%s', (_, make, reason) => {
    expect(verdict(() => readStatusList(make(), from, NOW, list))).toBe(reason);
  });
});

describe('attack 54: key sets', () => {
  const good = { ...publicOf(issuerKey), kid: KID };
  const otherWise = { ...publicOf(thief), kid: KID };
  test.each<[string, unknown, RegExp]>([
    ['no set', [], /not a set/],
    ['null', null, /not a set/],
    ['too many keys', { keys: Array(65).fill(good) }, /at most 64/],
    ['one kid twice', { keys: [good, otherWise] }, /kid twice/],
    ['a private key', { keys: [{ ...issuerKey.export({ format: 'jwk' }), kid: 'x' }] }, /secret/],
    ['a shared key', { keys: [{ kty: 'oct', k: 'AAAA', kid: 'x' }] }, /secret/],
    ['no key for us', { keys: [{ kty: 'RSA', n: 'x', e: 'AQAB', kid: 'x' }] }, /no key/],
    ['a key for encryption', { keys: [{ ...good, use: 'enc' }] }, /no key/],
    ['a key for another algorithm', { keys: [{ ...good, alg: 'ES384' }] }, /no key/],
  ])('%s', (_, set, complaint) => {
    expect(() => readJwks(set)).toThrow(complaint);
  });
  test('what fits is taken, what does not is left', () => {
    expect([...readJwks({ keys: [good, { kty: 'RSA', n: 'x', e: 'AQAB', kid: 'r' }] }).keys()]).toEqual([
      KID,
    ]);
  });
});

describe('attack 56: a key ring', () => {
  const first = noteSigned([ringKey(newKey())], NOW_S + 1_000);
  const fresh = ringKey(newKey());
  const rotated = rotate(first, fresh, NOW_S);
  test('the old key verifies until its last token has ended', () => {
    expect(rotated[0].kid).toBe(fresh.kid);
    expect(ringKeys(rotated).get(first[0].kid)).toMatchObject({ retired: NOW_S, until: NOW_S + 1_000 });
    expect(prune(rotated, NOW_S + 999)).toHaveLength(2);
    expect(prune(rotated, NOW_S + 1_000)).toHaveLength(1);
  });
  test('a compromised one is not published and does not verify', () => {
    const ring = compromise(rotated, first[0].kid);
    expect(ringKeys(ring).get(first[0].kid)?.compromised).toBe(true);
    expect([...readJwks(jwks(ring)).keys()]).toEqual([fresh.kid]);
  });
  test('what is published holds no secret', () => {
    expect(JSON.stringify(jwks(rotated))).not.toContain('"d"');
    expect([...readJwks(jwks(rotated)).keys()]).toEqual(rotated.map((k) => k.kid));
  });
});
