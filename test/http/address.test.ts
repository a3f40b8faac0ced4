import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import fc from 'fast-check';
import { type Agent, request } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type GuardOptions,
  guardedAgent,
  guardedConnector,
  isPublicAddress,
  parseTarget,
} from '../../src/http/address.ts';
import { BrokerError } from '../../src/kernel/errors.ts';

describe('a public address', () => {
  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '192.169.0.1',
    '172.32.0.1',
    '100.128.0.1',
    '2606:4700::1111',
    '2a00:1450:4001::1',
    '2001:4860:4860::8888',
  ])('%s is one', (address) => expect(isPublicAddress(address)).toBe(true));

  it.each([
    ['this network', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.255.254'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['carrier NAT', '100.64.0.1'],
    ['carrier NAT, where one cloud keeps its metadata', '100.100.100.200'],
    ['link-local, cloud metadata', '169.254.169.254'],
    ['cloud metadata', '168.63.129.16'],
    ['protocol assignments', '192.0.0.192'],
    ['documentation', '192.0.2.1'],
    ['documentation', '198.51.100.1'],
    ['benchmarking', '198.18.0.1'],
    ['multicast', '224.0.0.1'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['unspecified', '::'],
    ['loopback', '::1'],
    ['mapped', '::ffff:10.0.0.1'],
    ['mapped, and public inside', '::ffff:8.8.8.8'],
    ['mapped, in hexadecimal', '::ffff:7f00:1'],
    ['compatible', '::127.0.0.1'],
    ['translated', '::ffff:0:10.0.0.1'],
    ['NAT64', '64:ff9b::a00:1'],
    ['local NAT64', '64:ff9b:1::a00:1'],
    ['6to4', '2002:a00:1::1'],
    ['Teredo', '2001:0:a00:1::1'],
    ['unique local', 'fd00:ec2::254'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['public with a zone', '2606:4700::1111%lo'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
    ['documentation', '2001:db8::1'],
    ['documentation', '3fff::1'],
    ['segment routing', '5f00::1'],
    ['discard', '100::1'],
    ['unassigned', '4000::1'],
    ['an odd form', '0x7f000001'],
    ['an odd form', '2130706433'],
    ['an odd form', '127.1'],
    ['an odd form of a public address', '010.8.8.8'],
    ['a name', 'example.net'],
    ['nothing', ''],
  ])('%s: %s is none', (_kind, address) => expect(isPublicAddress(address)).toBe(false));

  it('no IPv6 form that carries an IPv4 address is public, whatever it carries', () => {
    fc.assert(
      fc.property(
        fc.ipV4(),
        fc.constantFrom('::', '::ffff:', '::ffff:0:', '64:ff9b::', '64:ff9b:1::'),
        (v4, prefix) => {
          expect(isPublicAddress(`${prefix}${v4}`)).toBe(false);
        },
      ),
    );
  });
});

describe('attack 72: the URL of a webhook', () => {
  const refused = (url: string): string => {
    try {
      return `taken as ${parseTarget(url, false).href}`;
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      expect(error.code).toBe('INVALID_REQUEST');
      expect(error.details.errors?.[0]?.pointer).toBe('/url');
      return error.message;
    }
  };

  it.each([
    ['not a URL', 'example.net/hook', 'not a URL'],
    ['a file', 'file:///etc/passwd', 'only https and http'],
    ['another scheme', 'gopher://example.net/', 'only https and http'],
    ['credentials', 'https://me:secret@example.net/', 'credentials'],
    ['credentials without a password', 'https://me@example.net/', 'credentials'],
    ['empty credentials', 'https://@example.net/', 'plain form'],
    ['a number in hexadecimal', 'http://0x7f000001/', 'plain form, 127.0.0.1'],
    ['a decimal number', 'http://2130706433/', 'plain form'],
    ['an octal number', 'http://017700000001/', 'plain form'],
    ['two parts', 'http://127.1/', 'plain form'],
    ['full-width digits', 'http://\uff11\uff12\uff17.0.0.1/', 'plain form'],
    ['an odd form of a public address', 'http://0x08080808/', 'plain form'],
    ['a percent-encoded host', 'http://ex%61mple.net/', 'plain form'],
    ['a tab in the host', 'http://exa\tmple.net/', 'plain form'],
    ['backslashes', 'https:\\\\example.net\\hook', 'plain form'],
    ['too many slashes', 'https:////example.net/', 'plain form'],
    ['no slashes', 'https:example.net', 'plain form'],
    ['loopback', 'http://127.0.0.1:8080/', 'not a public'],
    ['loopback in IPv6', 'http://[::1]/', 'not a public'],
    ['a mapped private address', 'http://[::ffff:a00:1]/', 'not a public'],
    ['the same, written with dots', 'http://[::ffff:10.0.0.1]/', 'plain form'],
    ['cloud metadata', 'http://169.254.169.254/latest/meta-data/', 'not a public'],
    ['localhost', 'http://localhost:9200/', 'not a public'],
    ['localhost with a dot', 'http://localhost./', 'not a public'],
    ['a name below localhost', 'http://x.LOCALHOST/', 'not a public'],
    ['an internal name', 'http://metadata.google.internal/', 'not a public'],
    ['port 0', 'http://example.net:0/', 'port 0'],
    ['endless', `https://example.net/${'a'.repeat(2048)}`, 'longer than'],
  ])('%s is refused', (_name, url, why) => expect(refused(url)).toContain(why));

  it.each([
    ['https://example.net/hook?x=1', 'https://example.net/hook?x=1'],
    ['HTTPS://Example.NET', 'https://example.net/'],
    ['http://example.net:8080/a@b', 'http://example.net:8080/a@b'],
    ['https://[2606:4700::1111]:8443/', 'https://[2606:4700::1111]:8443/'],
    ['https://xn--mnchen-3ya.example/', 'https://xn--mnchen-3ya.example/'],
    ['http://1.1.1.1/', 'http://1.1.1.1/'],
  ])('%s is taken', (url, href) => expect(parseTarget(url, false).href).toBe(href));

  it('a lab may use its own addresses, but no other scheme and no odd form', () => {
    expect(parseTarget('http://127.0.0.1:8080/', true).port).toBe('8080');
    expect(parseTarget('http://localhost/', true).hostname).toBe('localhost');
    expect(() => parseTarget('file:///etc/passwd', true)).toThrow('only https and http');
    expect(() => parseTarget('http://0x7f000001/', true)).toThrow('plain form');
  });
});

describe('attack 72: the address that is really connected to', () => {
  let server: Server | undefined;
  let agent: Agent | undefined;
  let connections = 0;

  afterEach(async () => {
    await agent?.destroy();
    server?.closeAllConnections();
    await new Promise((done) => server?.close(done) ?? done(undefined));
    connections = 0;
  });

  async function listen(): Promise<number> {
    server = createServer((_request, response) => response.end('reached'));
    server.on('connection', () => {
      connections++;
    });
    await new Promise<void>((done) => server?.listen(0, '127.0.0.1', done));
    return (server.address() as AddressInfo).port;
  }

  async function call(url: string, options: GuardOptions): Promise<string> {
    agent = guardedAgent(options);
    const answer = await request(url, { dispatcher: agent });
    return answer.body.text();
  }

  const resolvesTo = (...addresses: string[]): GuardOptions => ({
    allowPrivate: false,
    resolve: async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
  });

  it('is reached when private addresses are allowed, so the tests below prove something', async () => {
    const port = await listen();
    expect(await call(`http://127.0.0.1:${port}/`, { allowPrivate: true })).toBe('reached');
    expect(connections).toBe(1);
  });

  it.each(['127.0.0.1', '[::ffff:7f00:1]', '0.0.0.0'])('is not %s, given as a literal', async (host) => {
    const port = await listen();
    await expect(call(`http://${host}:${port}/`, { allowPrivate: false })).rejects.toThrow('not a public');
    expect(connections).toBe(0);
  });

  it.each([['127.0.0.1'], ['::ffff:127.0.0.1'], ['0.0.0.0'], ['127.0.0.1', '::1']])(
    'is not %s, found by name',
    async (...addresses) => {
      const port = await listen();
      const called = call(`http://hook.example:${port}/`, resolvesTo(...addresses));
      await expect(called).rejects.toThrow('hook.example has no public address');
      expect(connections).toBe(0);
    },
  );

  it('is not a name that the system itself resolves to loopback', async () => {
    const port = await listen();
    const called = call(`http://localhost:${port}/`, { allowPrivate: false });
    await expect(called).rejects.toThrow('no public address');
    expect(connections).toBe(0);
  });

  it('is not a name that was public when the hook was made and is not any more', async () => {
    const port = await listen();
    const answers = ['8.8.8.8', '127.0.0.1'];
    const resolve = async () => [{ address: answers.shift() ?? '127.0.0.1', family: 4 }];
    expect((await resolve())[0]?.address).toBe('8.8.8.8');
    expect(parseTarget(`http://rebind.example:${port}/`, false).hostname).toBe('rebind.example');
    const called = call(`http://rebind.example:${port}/`, { allowPrivate: false, resolve });
    await expect(called).rejects.toThrow('no public address');
    expect(connections).toBe(0);
  });

  it('is given up when the connection ends somewhere else than it was sent', async () => {
    const port = await listen();
    // A connector that is led astray: whatever it is asked for, it ends at the server above.
    const connect = guardedConnector({ allowPrivate: false }, (_target, callback) => {
      const socket = connectTcp(port, '127.0.0.1', () => callback(null, socket));
    });
    const target = { hostname: '8.8.8.8', protocol: 'http:', port: '80' };
    const outcome = await new Promise((done) => connect(target, (error, socket) => done({ error, socket })));
    expect(outcome).toMatchObject({
      error: { code: 'ADDRESS_REFUSED', message: expect.stringContaining('ended at 127.0.0.1') },
      socket: null,
    });
  });
});
