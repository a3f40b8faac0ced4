/**
 * Attacks 1 to 23: the form of a token. Every case is a token that a careless reader would take, signed by
 * a real key where the attacker could have it signed, and the reason for which it is refused.
 */
import { createHmac, createPublicKey } from 'node:crypto';
import fc from 'fast-check';
import { compactVerify, importJWK, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { writeRoot } from '../../src/tokens/claims.ts';
import { publicOf } from '../../src/tokens/jwk.ts';
import { splitToken } from '../../src/tokens/parse.ts';
import { verifyChain } from '../../src/tokens/verify.ts';
import {
  AMS,
  b64,
  chainOf,
  forge,
  forgeRoot,
  holders,
  issuerKey,
  KID,
  NOW,
  NOW_S,
  nothingRevoked,
  pass,
  present,
  root,
  rootClaims,
  rootHeader,
  SDG,
  sha,
  thief,
  trust,
  verdict,
  verifyAll,
} from './forge.ts';

const claims = (): object => writeRoot(rootClaims());
const withHeader = (header: string | object): string => `${forge(header, claims())}~`;

test('what is well made is accepted: bare, passed on three times, proven', () => {
  const bare = root();
  expect(verdict(() => verifyAll(present(bare, holders[0])))).toBe('accepted');
  const thrice = pass(pass(pass(bare, 0), 1), 2);
  const chain = verifyAll(present(thrice, holders[3]));
  expect(chain.grant.dlg).toBe(0);
  expect(chain.linkJtis).toHaveLength(3);
});

describe('jose is the witness that this is JOSE', () => {
  test('it verifies what we sign', async () => {
    const [jws = ''] = root().split('~');
    const key = await importJWK({ ...publicOf(issuerKey) }, 'ES256');
    const { payload } = await compactVerify(jws, key, { algorithms: ['ES256'] });
    expect(JSON.parse(new TextDecoder().decode(payload))).toMatchObject({ iss: AMS });
  });
  test('we verify what it signs', async () => {
    const jws = await new SignJWT(JSON.parse(JSON.stringify(claims())))
      .setProtectedHeader(rootHeader)
      .sign(issuerKey);
    expect(verdict(() => chainOf(`${jws}~`))).toBe('accepted');
  });
});

describe('headers', () => {
  const pem = createPublicKey(issuerKey).export({ type: 'spki', format: 'pem' });
  const mac = (): string => {
    const input = `${b64({ ...rootHeader, alg: 'HS256' })}.${b64(claims())}`;
    return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}~`;
  };
  const jwk = publicOf(thief);
  test.each<[string, string, string]>([
    [
      'attack 1: alg none, without a signature',
      `${b64({ ...rootHeader, alg: 'none' })}.${b64(claims())}.~`,
      'HEADER',
    ],
    ['attack 1: alg none, with one', withHeader({ ...rootHeader, alg: 'none' }), 'HEADER'],
    ['attack 2: HS256 with the public PEM', mac(), 'HEADER'],
    ['attack 3: right kid, other key', `${forge(rootHeader, claims(), thief)}~`, 'SIGNATURE'],
    ['attack 4: jwk', `${forge({ ...rootHeader, jwk }, claims(), thief)}~`, 'HEADER'],
    ['attack 5: jku', withHeader({ ...rootHeader, jku: 'http://127.0.0.1:1/keys' }), 'HEADER'],
    ['attack 6: x5u', withHeader({ ...rootHeader, x5u: 'http://127.0.0.1:1/cert' }), 'HEADER'],
    ['attack 6: x5c', withHeader({ ...rootHeader, x5c: ['MIIB'] }), 'HEADER'],
    ['attack 7: crit with an unknown name', withHeader({ ...rootHeader, crit: ['x'], x: 1 }), 'HEADER'],
    ['attack 7: b64 false', withHeader({ ...rootHeader, b64: false, crit: ['b64'] }), 'HEADER'],
    ['attack 7: zip', withHeader({ ...rootHeader, zip: 'DEF' }), 'HEADER'],
    ['attack 8: kid that is a path', withHeader({ ...rootHeader, kid: '../../etc/passwd' }), 'HEADER'],
    ['attack 8: kid that is SQL', withHeader({ ...rootHeader, kid: "x' OR 1=1 --" }), 'HEADER'],
    ['attack 8: kid of 5 kB', withHeader({ ...rootHeader, kid: 'k'.repeat(5_000) }), 'HEADER'],
    ['attack 8: kid of 10 kB', withHeader({ ...rootHeader, kid: 'k'.repeat(10_000) }), 'TOO_LARGE'],
    ['attack 8: kid with NUL', withHeader({ ...rootHeader, kid: `${KID}\u0000` }), 'HEADER'],
    ['attack 8: kid that is a number', withHeader({ ...rootHeader, kid: 7 }), 'HEADER'],
    ['attack 8: kid __proto__', withHeader({ ...rootHeader, kid: '__proto__' }), 'KEY'],
    ['attack 9: typ JWT', withHeader({ ...rootHeader, typ: 'JWT' }), 'HEADER'],
    ['attack 9: typ at+jwt', withHeader({ ...rootHeader, typ: 'at+jwt' }), 'HEADER'],
    ['attack 9: no typ', withHeader({ alg: 'ES256', kid: KID }), 'HEADER'],
    ['attack 9: a link as a root', `${pass(root(), 0).split('~')[1] ?? ''}~`, 'HEADER'],
    ['attack 9: EdDSA', withHeader({ ...rootHeader, alg: 'EdDSA' }), 'HEADER'],
    ['attack 23: JWE', `${b64({ alg: 'ECDH-ES', enc: 'A256GCM' })}.a.b.c.d~`, 'MALFORMED'],
    [
      'attack 23: PBES2 with a huge count',
      withHeader({ alg: 'PBES2-HS256+A128KW', typ: 'cct+jwt', p2c: 2 ** 31 }),
      'HEADER',
    ],
    ['attack 23: nested', `${forge({ ...rootHeader, cty: 'JWT' }, claims())}~`, 'HEADER'],
  ])('%s', (_, token, reason) => {
    expect(verdict(() => chainOf(token))).toBe(reason);
  });
});

describe('claims', () => {
  const set = (name: string, value: unknown) => (c: Record<string, unknown>) => {
    c[name] = value;
  };
  const rights = (name: string, value: unknown) => (c: Record<string, unknown>) => {
    // The forged claims have the one rights object that writeRoot gave them.
    (c['authorization_details'] as Record<string, unknown>[])[0] = {
      ...(c['authorization_details'] as Record<string, unknown>[])[0],
      [name]: value,
    };
  };
  const without = (name: string) => (c: Record<string, unknown>) => {
    delete c[name];
  };
  test.each<[string, (c: Record<string, unknown>) => void, string]>([
    ['attack 10: unknown iss', set('iss', 'https://evil.example'), 'ISSUER'],
    ['attack 10: iss __proto__', set('iss', '__proto__'), 'ISSUER'],
    ['attack 10: iss with a slash more', set('iss', `${AMS}/`), 'ISSUER'],
    ['attack 10: iss in another case', set('iss', 'https://AMS.example'), 'ISSUER'],
    ['attack 10: iss with userinfo', set('iss', 'https://ams.example@evil.example'), 'ISSUER'],
    ['attack 11: expired', set('exp', NOW_S), 'EXPIRED'],
    ['attack 12: nbf in the future', set('nbf', NOW_S + 6), 'NOT_YET_VALID'],
    ['attack 12: iat in the future', set('iat', NOW_S + 6), 'NOT_YET_VALID'],
    ['attack 13: no exp', without('exp'), 'CLAIMS'],
    ['attack 13: no jti', without('jti'), 'CLAIMS'],
    ['attack 13: no cnf', without('cnf'), 'CLAIMS'],
    ['attack 13: no status', without('status'), 'CLAIMS'],
    ['attack 14: exp as text', set('exp', String(NOW_S + 60)), 'CLAIMS'],
    ['attack 14: exp -1', set('exp', -1), 'CLAIMS'],
    ['attack 14: exp 2^60', set('exp', 2 ** 60), 'CLAIMS'],
    ['attack 14: exp 1.5', set('exp', NOW_S + 0.5), 'CLAIMS'],
    ['attack 15: exp - iat above the maximum', set('exp', NOW_S + 31 * 86_400), 'LIFETIME'],
    ['attack 16: aud of another domain', set('aud', [AMS]), 'AUDIENCE'],
    ['attack 17: aud with a number', set('aud', [SDG, 1]), 'CLAIMS'],
    ['attack 17: aud as text', set('aud', SDG), 'CLAIMS'],
    ['attack 17: aud that ours is a prefix of', set('aud', [`${SDG}.evil.example`]), 'AUDIENCE'],
    ['attack 17: aud that is a prefix of ours', set('aud', ['https://sdg.exampl']), 'AUDIENCE'],
    ['attack 21: a claim that nobody knows', set('wlcg.ver', '1.0'), 'CLAIMS'],
    ['attack 33: bandwidth as text', rights('bandwidth_mbps', '10000'), 'CLAIMS'],
    ['attack 33: bandwidth 0', rights('bandwidth_mbps', 0), 'CLAIMS'],
    ['attack 37: depth above the allowance', rights('dlg', 4), 'DEPTH'],
    [
      'attack 38: a private key inside cnf',
      set('cnf', { jwk: holders[0].export({ format: 'jwk' }) }),
      'CLAIMS',
    ],
    [
      'attack 38: a key off the curve',
      set('cnf', { jwk: { ...publicOf(holders[0]), y: 'A'.repeat(43) } }),
      'CLAIMS',
    ],
    ['an action that nobody knows', rights('actions', ['provision', 'fly']), 'CLAIMS'],
    ['two rights', set('authorization_details', [{}, {}]), 'CLAIMS'],
    ['a window that ends before it starts', rights('window', { start: 5, end: 5 }), 'CLAIMS'],
    ['a port that is none', rights('stps', [{ end: 'a', port: 'AMS:1' }]), 'CLAIMS'],
  ])('%s', (_, change, reason) => {
    expect(verdict(() => chainOf(forgeRoot(change)))).toBe(reason);
  });
  const text = JSON.stringify(claims());
  test.each<[string, string, string]>([
    ['attack 14: exp 1e400', text.replace(/"exp":\d+/, '"exp":1e400'), 'CLAIMS'],
    ['attack 20: a key twice', text.replace('{"iss"', '{"iss":"x","iss"'), 'MALFORMED'],
    ['attack 20: a key twice, deep inside', text.replace('"max":10', '"max":10,"max":99'), 'MALFORMED'],
    ['attack 20: a key twice, once escaped', text.replace('{"iss"', '{"\\u0069ss":"x","iss"'), 'MALFORMED'],
    ['attack 20: a key in a text is no key', text.replace('"txn-1"', '"\\"iss\\":"'), 'accepted'],
    ['attack 21: __proto__ in claims', text.replace('{"iss"', '{"__proto__":{"admin":true},"iss"'), 'CLAIMS'],
    ['attack 21: constructor in claims', text.replace('{"iss"', '{"constructor":{"a":1},"iss"'), 'CLAIMS'],
    ['attack 21: __proto__ in the budget', text.replace('"bud":{', '"bud":{"__proto__":5,'), 'CLAIMS'],
    ['attack 78: nested a thousand deep', `${'['.repeat(1_000)}${']'.repeat(1_000)}`, 'MALFORMED'],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]).toString('latin1'), 'MALFORMED'],
    ['a list', '[]', 'CLAIMS'],
    ['nothing', '', 'MALFORMED'],
  ])('%s', (_, body, reason) => {
    expect(verdict(() => chainOf(`${forge(rootHeader, body)}~`))).toBe(reason);
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });
});

describe('attack 18: size', () => {
  const huge: [string, string][] = [
    ['more than 8 KiB', `${'a'.repeat(8_193)}~`],
    ['ten thousand ~', '~'.repeat(10_000)],
    ['a thousand ~ in 8 KiB', '~'.repeat(1_000)],
    ['four links', `${root()}${'a.b.c~'.repeat(4)}`],
    ['100 MB', 'a.'.repeat(50_000_000)],
  ];
  test.each(huge)('%s', (_, text) => {
    expect(verdict(() => chainOf(text))).toBe('TOO_LARGE');
  });
  test('looks at no more than a few characters of what is too large', () => {
    let looks = 0;
    const text = '~'.repeat(5_000);
    const spy = {
      length: text.length,
      indexOf: (...args: [string, number?]) => {
        looks++;
        return text.indexOf(...args);
      },
      lastIndexOf: () => {
        throw new Error('looked at it all');
      },
    };
    // A stand-in that counts; splitToken uses these three members of a string before it refuses.
    expect(verdict(() => splitToken(spy as unknown as string))).toBe('TOO_LARGE');
    expect(looks).toBeLessThan(10);
  });
});

describe('attack 19: base64url has one form', () => {
  const good = root();
  const [head = '', body = '', seal = ''] = good.slice(0, -1).split('.');
  // The last of the 86 characters of a 64-byte signature holds 4 stray bits.
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const stray = alphabet[alphabet.indexOf(seal.at(-1) ?? '') + 1] ?? '';
  test.each([
    ['padding', `${head}.${body}.${seal}==~`],
    ['white space', `${head}. ${body}.${seal}~`],
    ['a line break', `${head}.${body}.${seal}\n~`],
    ['the other alphabet', `${head}.${body}.${seal.slice(0, -2)}+/~`],
    ['stray bits', `${head}.${body}.${seal.slice(0, -1)}${stray}~`],
    ['a part more', `${head}.${body}.${seal}.AAAA~`],
    ['a part less', `${head}.${body}~`],
    ['an empty part', `${head}..${seal}~`],
    ['a short signature', `${head}.${body}.${seal.slice(0, 40)}~`],
    ['nothing after a ~', `${good}~`],
    ['nothing at all', ''],
    ['only a ~', '~'],
  ])('%s', (_, text) => {
    expect(verdict(() => chainOf(text))).toBe('MALFORMED');
  });
});

test('attack 22: the (r, n - s) variant verifies, and is the same token to every count and list', () => {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const good = root();
  const [head = '', body = '', seal = ''] = good.slice(0, -1).split('.');
  const bytes = Buffer.from(seal, 'base64url');
  const s = BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  const other = Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex');
  const variant = `${head}.${body}.${Buffer.concat([bytes.subarray(0, 32), other]).toString('base64url')}~`;
  const [a, b] = [chainOf(good), chainOf(variant)];
  expect(sha(good)).not.toBe(sha(variant));
  expect(b.counters.map((c) => c.id)).toEqual(a.counters.map((c) => c.id));
  expect(b.root.jti).toBe(a.root.jti);
});

test('attack 22: a link malleated by its receiver counts as the same link', () => {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const good = pass(root(), 0);
  const cut = good.lastIndexOf('.') + 1;
  const bytes = Buffer.from(good.slice(cut, -1), 'base64url');
  const s = BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  const other = Buffer.from((order - s).toString(16).padStart(64, '0'), 'hex');
  const variant = `${good.slice(0, cut)}${Buffer.concat([bytes.subarray(0, 32), other]).toString('base64url')}~`;
  expect(chainOf(variant).counters.map((c) => c.id)).toEqual(chainOf(good).counters.map((c) => c.id));
});

test('whatever text comes, the answer is a refusal and never a crash', () => {
  const alphabet = fc.constantFrom(...'~.AZaz09-_= {}":,\u0000\ud800é');
  fc.assert(
    fc.property(fc.string({ unit: alphabet, maxLength: 300 }), (text) => {
      expect(verdict(() => verifyChain(text, trust(), nothingRevoked, NOW))).not.toBe('accepted');
    }),
    { numRuns: 500 },
  );
});

test('one changed character anywhere is refused', () => {
  const good = present(pass(root(), 0), holders[1]);
  expect(verdict(() => verifyAll(good))).toBe('accepted');
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.constantFrom(...'~.Aaz9-_'), (i, char) => {
      fc.pre(good[i] !== char);
      expect(verdict(() => verifyAll(good.slice(0, i) + char + good.slice(i + 1)))).not.toBe('accepted');
    }),
    { numRuns: 300 },
  );
});
