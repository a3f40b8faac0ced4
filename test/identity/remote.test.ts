/** Keys that are fetched: once, kept fresh, rotated without a restart, and what an issuer may not do to us. */
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { CompactSign, type CryptoKey, exportJWK, generateKeyPair, type JWK } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { issuerAgent, jsonFetcher, MAX_DOCUMENT_BYTES } from '../../src/identity/fetch.ts';
import { bearerAuthenticator, type Issuer } from '../../src/identity/issuers.ts';
import { RemoteKeys } from '../../src/identity/keys.ts';
import { instant, wallClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { makeCertificate } from '../../src/lab/certificates.ts';

const ISSUER = 'https://login.example';
let nowS = 1_800_000_000;
const clock = { now: () => instant(nowS * 1000), alarm: () => () => {} };

const pairs: { publicKey: CryptoKey; privateKey: CryptoKey }[] = [];
const jwks: JWK[] = [];
beforeAll(async () => {
  for (const kid of ['k1', 'k2']) {
    const pair = await generateKeyPair('ES256', { extractable: true });
    pairs.push(pair);
    jwks.push({ ...(await exportJWK(pair.publicKey)), kid, alg: 'ES256' });
  }
});

const token = (key: number, kid = `k${key + 1}`): Promise<string> =>
  new CompactSign(
    new TextEncoder().encode(
      JSON.stringify({ iss: ISSUER, sub: 'alice', aud: 'ams.example', iat: nowS, exp: nowS + 100_000 }),
    ),
  )
    .setProtectedHeader({ alg: 'ES256', kid })
    .sign((pairs[key] as { privateKey: CryptoKey }).privateKey);

describe('a set that is fetched', () => {
  let asked: string[];
  let answer: (url: string) => unknown;
  let ask: ReturnType<typeof bearerAuthenticator>;
  beforeEach(() => {
    asked = [];
    answer = (url) =>
      url.endsWith('openid-configuration')
        ? { issuer: ISSUER, jwks_uri: 'https://keys.example/set' }
        : { keys: [jwks[0]] };
    const get = async (url: string): Promise<unknown> => {
      asked.push(url);
      return answer(url);
    };
    const keys = new RemoteKeys({ issuer: ISSUER, algorithm: 'ES256' }, { get, clock, log: silentLog });
    const issuer: Issuer = {
      issuer: ISSUER,
      audience: 'ams.example',
      algorithm: 'ES256',
      keys,
      profile: 'oidc',
      strongAcr: [],
      mappings: [],
    };
    ask = bearerAuthenticator([issuer], clock);
  });
  const enters = async (text: string | Promise<string>): Promise<string> => {
    try {
      return (await ask({ authorization: `Bearer ${await text}` })).name;
    } catch (error) {
      return (error as Error).message;
    }
  };

  test('is discovered with the first token and asked for once', async () => {
    expect(await Promise.all([enters(token(0)), enters(token(0)), enters(token(0))])).toEqual([
      'alice',
      'alice',
      'alice',
    ]);
    expect(asked).toEqual([`${ISSUER}/.well-known/openid-configuration`, 'https://keys.example/set']);
    expect(await enters(token(0))).toBe('alice');
    expect(asked).toHaveLength(2);
  });

  test('rotates without a restart: a new key is found, one that was taken back is worth nothing', async () => {
    const old = await token(0);
    expect(await enters(old)).toBe('alice');
    answer = () => ({ issuer: ISSUER, jwks_uri: 'https://keys.example/set', keys: [jwks[1]] });
    nowS += 31;
    expect(await enters(token(1))).toBe('alice');
    nowS += 31;
    // It was remembered as verified; its key is gone all the same.
    expect(await enters(old)).toContain('unknown key');
  });

  test('is used while it is renewed, and for a day when it cannot be', async () => {
    expect(await enters(token(0))).toBe('alice');
    const known = asked.length;
    answer = () => {
      throw new Error('down');
    };
    nowS += 3_600;
    expect(await enters(token(0))).toBe('alice');
    await Promise.resolve();
    expect(asked.length).toBe(known + 1);
    nowS += 25 * 3_600;
    expect(await enters(token(0))).toContain('unknown key');
  });

  test('attack 55: a flood of unknown kids is one fetch a cooldown, also while the issuer is down', async () => {
    await enters(token(0));
    const known = asked.length;
    for (const down of [false, true]) {
      if (down)
        answer = () => {
          throw new Error('down');
        };
      nowS += 31;
      const before = asked.length;
      const flood = await Promise.all(Array.from({ length: 200 }, (_, i) => enters(token(0, `x${i}`))));
      expect(new Set(flood)).toEqual(new Set(['the token is signed with an unknown key']));
      for (let i = 0; i < 20; i++) await enters(token(0, `y${i}`));
      expect(asked.length - before).toBe(down ? 1 : 2);
    }
    expect(asked.length).toBe(known + 3);
    expect(await enters(token(0))).toBe('alice');
  });

  test.each([
    ['a kid twice', () => ({ keys: [jwks[1], jwks[1]] })],
    [
      'a secret key',
      async () => ({ keys: [await exportJWK((pairs[1] as { privateKey: CryptoKey }).privateKey)] }),
    ],
    ['no set', () => ({ keys: 'all' })],
    ['none that fits', () => ({ keys: [{ ...jwks[1], use: 'enc' }] })],
    ['a thousand keys', () => ({ keys: Array.from({ length: 1_000 }, () => jwks[1]) })],
    [
      'the word of another issuer',
      () => ({ issuer: 'https://evil.example', jwks_uri: 'https://evil.example' }),
    ],
  ])('attack 54: %s: the old set stays', async (_name, set) => {
    await enters(token(0));
    answer = (url) =>
      url.endsWith('configuration') && _name !== 'the word of another issuer'
        ? { issuer: ISSUER, jwks_uri: 'https://keys.example/set' }
        : set();
    nowS += 31;
    expect(await enters(token(1))).toContain('unknown key');
    expect(await enters(token(0))).toBe('alice');
  });
});

describe('attack 54: over the wire', () => {
  let server: Server;
  let base: string;
  let ca: string;
  const wall = wallClock();
  const hits: string[] = [];
  let begun = (): void => {};
  beforeAll(async () => {
    const { certificate, key } = makeCertificate(
      { domain: 'localhost', from: wall.now(), days: 1 },
      systemRandom,
    );
    ca = certificate;
    server = createServer({ key, cert: certificate }, (request, response) => {
      hits.push(request.url ?? '');
      if (request.url === '/redirect') {
        response.writeHead(302, { location: `${base}/metadata` }).end();
      } else if (request.url === '/huge') {
        response.writeHead(200);
        const block = Buffer.alloc(64 * 1024, 0x20);
        const more = (): void => {
          while (response.write(block));
          response.once('drain', more);
        };
        response.on('error', () => {});
        more();
      } else if (request.url === '/slow') response.writeHead(200).write('{', () => begun());
      else if (request.url === '/text') response.end('hello');
      else response.end('{"keys":[]}');
    });
    await new Promise<void>((done) => {
      server.listen(0, '127.0.0.1', done);
    });
    base = `https://localhost:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const trying = async (path: string, options: { ca?: string; late?: boolean } = {}): Promise<unknown> => {
    const dispatcher = issuerAgent(options.ca ?? ca);
    // The alarm rings when the server has begun to answer and says no more.
    const at =
      options.late === true
        ? {
            now: wall.now,
            alarm: (_at: number, wake: () => void) => {
              begun = wake;
              return () => {};
            },
          }
        : wall;
    const fetch = jsonFetcher({ clock: at, dispatcher });
    try {
      return await fetch(path.includes('://') ? path : `${base}${path}`);
    } catch (error) {
      return (error as Error).message;
    } finally {
      await dispatcher.destroy();
    }
  };

  test('what is well is taken', async () => {
    expect(await trying('/set')).toEqual({ keys: [] });
  });
  test('a redirect is not followed', async () => {
    expect(await trying('/redirect')).toContain('redirects are not followed');
    expect(hits).not.toContain('/metadata');
  });
  test('a set without end', async () => {
    expect(await trying('/huge')).toMatch(/size|exceeded/i);
    expect(MAX_DOCUMENT_BYTES).toBeLessThan(1_048_576);
  });
  test('a slow body', async () => {
    expect(await trying('/slow', { late: true })).toContain('no answer within');
  });
  test('no JSON, no TLS, a certificate of nobody', async () => {
    expect(await trying('/text')).toMatch(/JSON/);
    expect(await trying(base.replace('https', 'http'))).toContain('only https');
    const other = makeCertificate({ domain: 'localhost', from: wall.now(), days: 1 }, systemRandom);
    expect(await trying('/set', { ca: other.certificate })).toMatch(/certificate|self/i);
  });
});
