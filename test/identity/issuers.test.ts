/** Who gets in with a bearer token and who does not; each refusal is one line of a table. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { base64url, CompactSign, type CryptoKey, exportJWK, generateKeyPair, type JWK } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { DEVELOPMENT_ISSUER, developmentIssuer } from '../../src/identity/dev.ts';
import { bearerAuthenticator, type Issuer, openIssuer } from '../../src/identity/issuers.ts';
import { readKeys } from '../../src/identity/keys.ts';
import { type Clock, instant, wallClock } from '../../src/kernel/clock.ts';
import { BrokerError } from '../../src/kernel/errors.ts';

const NOW_S = 1_800_000_000;
let nowS = NOW_S;
const clock: Clock = { now: () => instant(nowS * 1000), alarm: () => () => {} };

const ISSUER = 'https://login.example';
const OURS = 'ams.example';

let keys: { publicKey: CryptoKey; privateKey: CryptoKey };
let others: { publicKey: CryptoKey; privateKey: CryptoKey };
let publicJwk: JWK;
let issuer: Issuer;

beforeAll(async () => {
  keys = await generateKeyPair('ES256', { extractable: true });
  others = await generateKeyPair('ES256', { extractable: true });
  publicJwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'ES256' };
  issuer = await openIssuer({
    issuer: ISSUER,
    audience: OURS,
    algorithm: 'ES256',
    keys: { keys: [publicJwk] },
  });
});

const claims = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  iss: ISSUER,
  sub: 'alice',
  aud: OURS,
  iat: NOW_S,
  exp: NOW_S + 600,
  roles: ['user', 'king'],
  projects: ['lhc'],
  ...changes,
});

function token(
  payload: Record<string, unknown> | string,
  header: Record<string, unknown> = {},
  key: CryptoKey = keys.privateKey,
): Promise<string> {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
  return new CompactSign(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'k1', ...header })
    .sign(key);
}

async function outcome(authorization: string | undefined): Promise<string> {
  try {
    return (await bearerAuthenticator([issuer], clock)({ authorization })).id;
  } catch (error) {
    expect(error).toBeInstanceOf(BrokerError);
    expect((error as BrokerError).code).toBe('UNAUTHENTICATED');
    return (error as BrokerError).message;
  }
}

/** A token put together by hand, for headers that no library signs. */
const forged = (header: Record<string, unknown>, payload: Record<string, unknown> = claims()): string =>
  `${base64url.encode(JSON.stringify(header))}.${base64url.encode(JSON.stringify(payload))}.${base64url.encode('x'.repeat(64))}`;

describe('a token of a configured issuer', () => {
  it('becomes a principal with the roles that exist and the projects it names', async () => {
    const found = await bearerAuthenticator(
      [issuer],
      clock,
    )({ authorization: `Bearer ${await token(claims())}` });
    expect(found).toEqual({
      id: `${ISSUER}|alice`,
      name: 'alice',
      roles: ['user'],
      projects: ['lhc'],
      assurance: 1,
    });
  });

  it('may name several audiences, lack a kid when there is one key, and carry a second factor', async () => {
    const authenticate = bearerAuthenticator([issuer], clock);
    const text = await token(claims({ aud: ['x', OURS], amr: ['pwd', 'mfa'] }), { kid: undefined });
    expect(await authenticate({ authorization: `bearer ${text}` })).toMatchObject({ assurance: 2 });
  });

  it('loses the names that no column can hold', async () => {
    const text = await token(claims({ name: 'A\u0000', projects: ['lhc', 'l\u0000hc', ''] }));
    const found = await bearerAuthenticator([issuer], clock)({ authorization: `Bearer ${text}` });
    expect(found).toMatchObject({ name: 'alice', projects: ['lhc'] });
  });

  it('is remembered until it expires, and no longer', async () => {
    const authenticate = bearerAuthenticator([issuer], clock);
    const authorization = `Bearer ${await token(claims())}`;
    const first = await authenticate({ authorization });
    expect(authenticate({ authorization })).toBe(first);
    nowS = NOW_S + 600;
    expect(() => authenticate({ authorization })).toThrow('expired');
    await expect(Promise.resolve(authenticate({ authorization }))).rejects.toThrow('expired');
    nowS = NOW_S;
  });
});

describe('attack 68: a clock that is stepped back an hour', () => {
  const setSystem = (seconds: number) => vi.spyOn(Date, 'now').mockReturnValue(seconds * 1000);
  afterAll(() => vi.restoreAllMocks());

  it('revives no token, not even after a restart', async () => {
    const authorization = `Bearer ${await token(claims({ iat: NOW_S, exp: NOW_S + 600 }))}`;
    setSystem(NOW_S);
    const running = wallClock();
    const authenticate = bearerAuthenticator([issuer], running);
    await authenticate({ authorization });
    setSystem(NOW_S + 601);
    expect(() => authenticate({ authorization })).toThrow('expired');
    setSystem(NOW_S + 601 - 3600);
    await expect(Promise.resolve(authenticate({ authorization }))).rejects.toThrow('expired');
    // The stored high-water mark is the floor of the next run.
    const restarted = bearerAuthenticator([issuer], wallClock(running.now()));
    await expect(Promise.resolve(restarted({ authorization }))).rejects.toThrow('expired');
  });
});

describe('what is refused', () => {
  const now = NOW_S;
  const byClaims: [string, Record<string, unknown>, string][] = [
    ['an unknown issuer', { iss: 'https://evil.example' }, 'unknown issuer'],
    ['an issuer that differs by a slash', { iss: `${ISSUER}/` }, 'unknown issuer'],
    ['an issuer that differs by case', { iss: 'https://LOGIN.example' }, 'unknown issuer'],
    ['__proto__ as issuer', { iss: '__proto__' }, 'unknown issuer'],
    ['another audience', { aud: 'sdg.example' }, 'another audience'],
    ['an audience that only begins as ours', { aud: 'ams.example.evil' }, 'another audience'],
    ['no audience', { aud: undefined }, 'malformed'],
    ['an audience that is no text', { aud: [OURS, 7] }, 'malformed'],
    ['no expiry', { exp: undefined }, 'needs an expiry'],
    ['an expiry as text', { exp: `${now + 600}` }, 'needs an expiry'],
    ['an expiry of -1', { exp: -1 }, 'needs an expiry'],
    ['an expiry beyond 2^53', { exp: 2 ** 60 }, 'needs an expiry'],
    ['an expiry now', { exp: now }, 'expired'],
    ['not before later', { nbf: now + 60 }, 'not valid yet'],
    ['issued in the future', { iat: now + 60 }, 'not valid yet'],
    ['a not-before that is no number', { nbf: 'soon' }, 'malformed'],
    ['nobody', { sub: undefined }, 'names nobody'],
    ['an empty subject', { sub: '' }, 'names nobody'],
    ['a subject with NUL', { sub: 'al\u0000ice' }, 'names nobody'],
    ['a subject with an escape', { sub: '\u001b[31malice' }, 'names nobody'],
  ];
  it.each(byClaims)('%s', async (_name, changes, says) => {
    expect(await outcome(`Bearer ${await token(claims(changes))}`)).toContain(says);
  });

  it('an expiry that no number holds', async () => {
    const text = JSON.stringify(claims()).replace(`"exp":${now + 600}`, '"exp":1e400');
    expect(await outcome(`Bearer ${await token(text)}`)).toContain('needs an expiry');
  });

  const byHeader: [string, Record<string, unknown>, string][] = [
    ['alg none', { alg: 'none' }, 'signed with ES256'],
    ['a symmetric algorithm', { alg: 'HS256', kid: 'k1' }, 'signed with ES256'],
    ['an algorithm of another issuer', { alg: 'RS256', kid: 'k1' }, 'signed with ES256'],
    ['a key in the header', { alg: 'ES256', jwk: {} }, 'may not hold jwk'],
    ['a key by address', { alg: 'ES256', jku: 'http://127.0.0.1/' }, 'may not hold jku'],
    ['a certificate', { alg: 'ES256', x5c: [] }, 'may not hold x5c'],
    ['crit', { alg: 'ES256', crit: ['b64'], b64: false }, 'may not hold crit'],
    ['zip', { alg: 'ES256', zip: 'DEF' }, 'may not hold zip'],
    ['an unknown key', { alg: 'ES256', kid: '../../etc/passwd' }, 'unknown key'],
    ['__proto__ as kid', { alg: 'ES256', kid: '__proto__' }, 'unknown key'],
    ['a kid that is a list', { alg: 'ES256', kid: ['k1'] }, 'unknown key'],
    ['another kind of token', { alg: 'ES256', typ: 'cct+jwt', kid: 'k1' }, 'not an access token'],
    ['a wrong signature', { alg: 'ES256', kid: 'k1' }, 'signature'],
  ];
  it.each(byHeader)('%s', async (_name, header, says) => {
    expect(await outcome(`Bearer ${forged(header)}`)).toContain(says);
  });

  it('the right kid with another key', async () => {
    expect(await outcome(`Bearer ${await token(claims(), {}, others.privateKey)}`)).toContain('signature');
  });

  const byForm: [string, string | undefined, string][] = [
    ['no header', undefined, 'needs a bearer token'],
    ['Basic', 'Basic dTpw', 'not Bearer'],
    ['Bearer without a token', 'Bearer ', 'not Bearer'],
    ['two tokens', 'Bearer a b', 'not Bearer'],
    ['no JWT', 'Bearer opaque', 'not a signed JWT'],
    ['five parts, as encrypted tokens have', 'Bearer a.b.c.d.e', 'not a signed JWT'],
    ['parts that are not base64url', 'Bearer !.!.!', 'malformed'],
    ['9 KiB', `Bearer ${'a'.repeat(9 * 1024)}`, '8 KiB'],
    ['ten thousand dots', `Bearer ${'.'.repeat(8000)}`, 'not a signed JWT'],
  ];
  it.each(byForm)('%s', async (_name, authorization, says) => {
    expect(await outcome(authorization)).toContain(says);
  });
});

it('attack 52: a token bound to a client certificate is worth nothing with another, and nothing without', async () => {
  const [mine, other] = [Buffer.from('my certificate'), Buffer.from('another one')];
  const bound = createHash('sha256').update(mine).digest('base64url');
  const authenticate = bearerAuthenticator([issuer], clock);
  const authorization = `Bearer ${await token(claims({ cnf: { 'x5t#S256': bound } }))}`;
  // Before it is remembered, and after.
  for (let round = 0; round < 2; round++) {
    for (const certificate of [other, undefined])
      await expect((async () => authenticate({ authorization, certificate }))()).rejects.toThrow(
        'bound to another client certificate',
      );
    expect((await authenticate({ authorization, certificate: mine })).name).toBe('alice');
  }
  for (const cnf of [{ jkt: 'x' }, 'x', { 'x5t#S256': bound, jkt: 'x' }])
    expect(await outcome(`Bearer ${await token(claims({ cnf }))}`)).toContain('not known here');
});

describe('key sets', () => {
  it('with a secret key, a double kid or no fitting key are not opened', async () => {
    const open = (set: JWK[]) =>
      openIssuer({ issuer: ISSUER, audience: OURS, algorithm: 'ES256', keys: { keys: set } });
    await expect(open([await exportJWK(keys.privateKey)])).rejects.toThrow('secret');
    await expect(open([{ kty: 'oct', k: 'AAAA' }])).rejects.toThrow('secret');
    await expect(open([publicJwk, publicJwk])).rejects.toThrow('twice');
    await expect(open([{ ...publicJwk, use: 'enc' }])).rejects.toThrow('no key for ES256');
  });
});

describe('the development issuer', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'turnpike-dev-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  it('keeps its key for the owner alone and mints for three people', async () => {
    const dev = await developmentIssuer({ directory, audience: OURS, clock });
    const file = path.join(directory, 'development-issuer.jwk');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(JSON.stringify(dev.jwks)).not.toContain('"d"');
    expect(JSON.parse(await readFile(file, 'utf8'))).toHaveProperty('d');

    const authenticate = bearerAuthenticator([issuer, dev.issuer], clock);
    const who = async (person: 'operator' | 'user' | 'stranger') =>
      authenticate({ authorization: `Bearer ${await dev.mint(person)}` });
    expect(await who('operator')).toMatchObject({ roles: ['operator', 'user'] });
    expect(await who('user')).toMatchObject({
      id: `${DEVELOPMENT_ISSUER}|user`,
      roles: ['user'],
      projects: ['lhc'],
    });
    expect(await who('stranger')).toMatchObject({ roles: ['user'], projects: ['elsewhere'] });
  });

  it('knows its tokens again after a restart, and not those of another domain', async () => {
    const before = await developmentIssuer({ directory, audience: OURS, clock });
    const text = await before.mint('user');
    const after = await developmentIssuer({ directory, audience: OURS, clock });
    const elsewhere = await developmentIssuer({ directory, audience: 'sdg.example', clock });
    const authorization = `Bearer ${text}`;
    expect(await bearerAuthenticator([after.issuer], clock)({ authorization })).toMatchObject({
      projects: ['lhc'],
    });
    await expect(
      Promise.resolve(bearerAuthenticator([elsewhere.issuer], clock)({ authorization })),
    ).rejects.toThrow('another audience');
  });

  it('serves a key set that can be read from a file again', async () => {
    const dev = await developmentIssuer({ directory, audience: OURS, clock });
    const file = path.join(directory, 'jwks.json');
    await writeFile(file, JSON.stringify(dev.jwks));
    expect(await readKeys(file)).toEqual(dev.jwks);
    await expect(readKeys(path.join(directory, 'development-issuer.jwk'))).rejects.toThrow('not a JWK set');
  });
});
