/** Where a setting comes from, which one wins, and what is said of a wrong one. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Config, configReference, loadConfig, shownConfig } from '../../src/config.ts';
import { SettingsError } from '../../src/settings.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'turnpike-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

type Env = Record<string, string>;
type Flags = [string, string][];

const MINIMAL = 'domain: ams.example\nidentity: {development_dir: keys}\n';

function load(text: string, env: Env = {}, flags: Flags = []): Promise<Config> {
  writeFileSync(join(folder, 'domain.yaml'), text);
  return loadConfig({ file: join(folder, 'domain.yaml'), env, flags, folder: '/started/here' });
}

async function faultsOf(text: string, env: Env = {}, flags: Flags = []): Promise<readonly string[]> {
  try {
    await load(text, env, flags);
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
  return [];
}

describe('which value wins', () => {
  const yaml = `${MINIMAL}http: {port: 2000}\n`;
  test.each<[string, string, Env, Flags, number]>([
    ['the default', MINIMAL, {}, [], 8080],
    ['YAML over the default', yaml, {}, [], 2000],
    ['the environment over YAML', yaml, { TURNPIKE__HTTP__PORT: '3000' }, [], 3000],
    ['a flag over the environment', yaml, { TURNPIKE__HTTP__PORT: '3000' }, [['http.port', '4000']], 4000],
    [
      'the last of two flags',
      yaml,
      {},
      [
        ['http.port', '4000'],
        ['http.port', '5000'],
      ],
      5000,
    ],
    ['an empty YAML value leaves the default', `${MINIMAL}http: {port: }\n`, {}, [], 8080],
    ['an empty section leaves the defaults', `${MINIMAL}http:\n`, {}, [], 8080],
    ['variables of the command line are none of ours', yaml, { TURNPIKE_URL: 'x', PATH: '/bin' }, [], 2000],
  ])('%s', async (_name, text, env, flags, port) => {
    expect((await load(text, env, flags)).http.port).toBe(port);
  });

  test('a list is replaced as a whole', async () => {
    const text = `${MINIMAL}  # two issuers\n`.replace(
      '{development_dir: keys}',
      '\n  issuers:\n    - {issuer: one, jwks_file: a.json}\n    - {issuer: two, jwks_file: b.json, algorithm: RS256}',
    );
    expect((await load(text)).identity.issuers).toMatchObject([
      { issuer: 'one', algorithm: 'ES256', jwks_file: join(folder, 'a.json') },
      { issuer: 'two', algorithm: 'RS256', jwks_file: join(folder, 'b.json') },
    ]);
    const env = { TURNPIKE__IDENTITY__ISSUERS: '[{"issuer":"three","jwks_file":"/c.json"}]' };
    expect((await load(text, env)).identity.issuers).toMatchObject([
      { issuer: 'three', algorithm: 'ES256', jwks_file: '/c.json' },
    ]);
  });
});

describe('relative paths', () => {
  test('in a file are taken from its folder, elsewhere from where the program was started', async () => {
    const text = `${MINIMAL}seeds: {topology: net.yaml}\n`;
    expect((await load(text)).seeds.topology).toBe(join(folder, 'net.yaml'));
    expect((await load(text)).store.file).toBe('/started/here/turnpike.db');
    expect((await load(text, { TURNPIKE__SEEDS__TOPOLOGY: 'net.yaml' })).seeds.topology).toBe(
      '/started/here/net.yaml',
    );
    expect((await load(text, {}, [['seeds.topology', '/net.yaml']])).seeds.topology).toBe('/net.yaml');
  });
});

describe('secrets', () => {
  const base = `${MINIMAL}store: {client: postgres, url: "postgres://turnpike@db/turnpike"`;
  test('are read from the file named, without its last line end', async () => {
    writeFileSync(join(folder, 'pw'), 'open sesame\n');
    const config = await load(`${base}, password_file: pw}\n`);
    expect(config.store.password).toBe('open sesame');
    expect(JSON.stringify(shownConfig(config))).not.toContain('sesame');
  });
  test.each([
    [
      'a password in the YAML',
      `${base}, password: x}\n`,
      /is a secret: put it in a file and name that in `password_file`/,
    ],
    ['a password in the URL', `${base}, password_file: pw}\n`.replace('@db', ':x@db'), /put it in a file/],
    ['a file that is not there', `${base}, password_file: nowhere}\n`, /readable file/],
  ])('%s is refused', async (_name, text, message) => {
    expect(await faultsOf(text)).toEqual([expect.stringMatching(message)]);
  });
});

describe('faults name their place', () => {
  test.each<[string, string, Env, Flags, string]>([
    [
      'an unknown key',
      `${MINIMAL}http:\n  prot: 1\n`,
      {},
      [],
      'domain.yaml:4: unknown key `prot` in http; known are host, port',
    ],
    [
      'an unknown section',
      `${MINIMAL}htpt: {port: 1}\n`,
      {},
      [],
      'domain.yaml:3: unknown key `htpt`; known are domain, http',
    ],
    [
      'a key twice',
      `${MINIMAL}http: {port: 1}\nhttp: {port: 2}\n`,
      {},
      [],
      'domain.yaml:4: Map keys must be unique',
    ],
    [
      'a wrong value',
      `${MINIMAL}http:\n  port: many\n`,
      {},
      [],
      'domain.yaml:4: `http.port` must be an integer from 0 to 65535',
    ],
    [
      'a port out of range',
      `${MINIMAL}http: {port: 70000}\n`,
      {},
      [],
      'domain.yaml:3: `http.port` must be an integer',
    ],
    ['a fraction', `${MINIMAL}http: {port: 80.5}\n`, {}, [], '`http.port` must be an integer'],
    ['a map under a value', `${MINIMAL}http: {port: {a: 1}}\n`, {}, [], '`http.port` must be an integer'],
    ['a value for a section', `${MINIMAL}http: 8080\n`, {}, [], '`http` must hold keys and values'],
    ['broken YAML', `${MINIMAL}http: {port: 1\n`, {}, [], 'domain.yaml:'],
    [
      'a list that is none',
      'domain: a.b\nidentity:\n  issuers: x\n',
      {},
      [],
      'domain.yaml:3: `identity.issuers` must be a list',
    ],
    [
      'a key inside a list',
      'domain: a.b\nidentity:\n  issuers:\n    - {issuer: a, jwks_file: b, alg: c}\n',
      {},
      [],
      'domain.yaml:4: unknown key `alg` in identity.issuers.0',
    ],
    ['a missing domain', 'identity: {development_dir: keys}\n', {}, [], '`domain` is required'],
    [
      'a domain that is no name',
      MINIMAL.replace('ams.example', '"Ams Example"'),
      {},
      [],
      '`domain` must be a name such as ams.example',
    ],
    ['nobody to log in', 'domain: ams.example\n', {}, [], 'nobody could log in'],
    [
      'one issuer twice',
      'domain: a.b\nidentity:\n  issuers: [{issuer: a, jwks_file: b}, {issuer: a, jwks_file: c}]\n',
      {},
      [],
      'listed twice',
    ],
    [
      'an issuer whose keys are nowhere to be had',
      'domain: a.b\nidentity:\n  issuers: [{issuer: "urn:x"}]\n',
      {},
      [],
      'the keys of the issuer `urn:x` can be fetched over https only',
    ],
    [
      'a certificate without a key',
      `${MINIMAL}api: {tls: {certificate_file: domain.yaml}}\n`,
      {},
      [],
      '`api.tls.certificate_file` and `api.tls.key_file` go together',
    ],
    [
      'client certificates without TLS',
      `${MINIMAL}  certificates: [{name: a, fingerprint: ${'ab'.repeat(32)}}]\n`.replace(
        '{development_dir: keys}',
        '\n  development_dir: keys',
      ),
      {},
      [],
      '`identity.certificates` needs `api.tls.certificate_file`',
    ],
    ['PostgreSQL without an address', `${MINIMAL}store: {client: postgres}\n`, {}, [], 'needs `store.url`'],
    ['another database', `${MINIMAL}store: {client: mysql}\n`, {}, [], 'must be one of sqlite, postgres'],
    [
      'an unknown variable',
      MINIMAL,
      { TURNPIKE__HTTP__PROT: '1' },
      [],
      'TURNPIKE__HTTP__PROT: unknown key `prot` in http',
    ],
    [
      'a variable that is a section',
      MINIMAL,
      { TURNPIKE__HTTP: '1' },
      [],
      'TURNPIKE__HTTP: `http` is a section',
    ],
    [
      'a variable too deep',
      MINIMAL,
      { TURNPIKE__HTTP__PORT__X: '1' },
      [],
      '`http.port` has no keys of its own',
    ],
    [
      'a wrong variable',
      MINIMAL,
      { TURNPIKE__WEBHOOKS__ALLOW_PRIVATE: 'yes' },
      [],
      'TURNPIKE__WEBHOOKS__ALLOW_PRIVATE: `webhooks.allow_private` must be true or false',
    ],
    ['an unknown flag', MINIMAL, {}, [['http.prot', '1']], '--set http.prot: unknown key `prot` in http'],
    ['a prototype', `${MINIMAL}__proto__: {port: 1}\n`, {}, [], 'unknown key `__proto__`'],
  ])('%s', async (_name, text, env, flags, expected) => {
    const faults = await faultsOf(text, env, flags);
    expect(faults[0]).toContain(expected);
    expect(faults).toHaveLength(1);
  });

  test('all at once', async () => {
    expect(await faultsOf('http: {prot: 1, port: x}\n', { TURNPIKE__A: '1' })).toHaveLength(4);
  });

  test('a file that is not there', async () => {
    await expect(loadConfig({ file: 'nowhere.yaml', env: {}, flags: [], folder })).rejects.toThrow(
      /nowhere\.yaml: ENOENT/,
    );
  });
});

test('every setting is in the reference, with a word of help', async () => {
  const keys = configReference().map((line) => line.key);
  expect(keys).toContain('store.password_file');
  expect(keys).toContain('identity.issuers[].jwks_file');
  expect(configReference().every((line) => line.help.length > 10)).toBe(true);
});

describe('elements', () => {
  const yaml = (elements: string): string =>
    `${MINIMAL}devices:\n  driver: elements\n  elements:\n${elements}`;
  const sw1 =
    '    - {id: sw1, protocol: snmp, dialect: standard, address: 192.0.2.1, user: u, auth_key_file: auth, priv_key_file: priv}\n';
  const ocx =
    '    - {id: ocx, protocol: tl1, dialect: polatis, address: 192.0.2.2, user: u, password_file: pass, whole_port_label: 4000}\n';
  beforeAll(() => {
    for (const name of ['auth', 'priv', 'pass']) writeFileSync(join(folder, name), `${name}-canary\n`);
  });

  test('are read with their secrets, which are never shown', async () => {
    const config = await load(yaml(sw1 + ocx));
    expect(config.devices.elements).toMatchObject([
      { id: 'sw1', version: 'v3', auth_key: 'auth-canary', priv_key: 'priv-canary', port: 0, idle_vlan: 1 },
      { id: 'ocx', password: 'pass-canary', size: 64, whole_port_label: 4000 },
    ]);
    expect(JSON.stringify(shownConfig(config))).not.toContain('canary');
    expect(JSON.stringify(shownConfig(config))).toContain('(set)');
  });

  test.each<[string, string, RegExp]>([
    ['none', '    []\n', /needs `devices\.elements`/],
    ['a name twice', sw1 + sw1, /`sw1` is listed twice/],
    ['no key for v3', sw1.replace('priv_key_file: priv', ''), /`sw1` needs `priv_key_file` \(snmp v3\)/],
    ['no community for v2c', sw1.replace('user: u', 'version: v2c'), /needs `community_file` \(snmp v2c\)/],
    ['no password', ocx.replace('password_file: pass, ', ''), /`ocx` needs `password_file` \(tl1\)/],
    ['nobody to log in as', ocx.replace('user: u, ', ''), /`ocx` needs `user`/],
    ['a secret in the file', ocx.replace('password_file: pass', 'password: pass'), /`password_file`/],
    ['a range upside down', sw1.replace('user', 'internal_vlans: 90-80, user'), /`internal_vlans` must be/],
    [
      'a protocol that there is not',
      ocx.replace('tl1', 'cli'),
      /`devices\.elements\.1?0?\.protocol` must be/,
    ],
  ])('%s is a fault', async (_name, elements, fault) => {
    expect((await faultsOf(yaml(elements))).join('\n')).toMatch(fault);
  });
});
