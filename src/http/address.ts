/**
 * Which addresses a webhook may reach: public ones only, so that nobody can use the broker to knock at doors
 * behind the firewall. It is asked twice. parseTarget looks at the URL when a hook is made, so that a mistake
 * is answered at once; guardedAgent looks at the address when a connection is made, because a name may
 * resolve to something else by then. Redirects are not followed by this agent: it sends what it is given.
 */
import { promises as dns, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { Agent, buildConnector } from 'undici';
import { BrokerError } from '../kernel/errors.ts';

/** Longer ones are no addresses but something else. */
const MAX_URL_LENGTH = 2048;
const CONNECT_TIMEOUT_MS = 10_000;
/** An answer of a webhook matters by its status alone. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** Scheme, host and port as they were written: no user, no backslash, no white space. */
const AUTHORITY = /^https?:\/\/(\[[0-9a-f:.]+\]|[^/?#\\@:[\]\s]+)(?::\d{1,5})?(?:[/?#]|$)/i;

/** RFC 6761 and 8375: names that mean this machine or this site wherever they are asked. */
const LOCAL_NAME = /(?:^|\.)(?:localhost|local|internal|home\.arpa)\.?$/i;

/** Global unicast (RFC 4291): everything public in IPv6 begins with the bits 001. */
const GLOBAL_V6: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];
/** Public by its number, but answered by the host that a virtual machine runs on. */
const METADATA = new Set(['168.63.129.16']);

/**
 * Is this address on the public internet? Whatever is not plainly so is not: loopback, private, link-local
 * (cloud metadata lives there), carrier NAT, multicast, documentation and every form in which IPv6 carries an
 * IPv4 address, since it cannot be known from here where such a translation ends.
 */
export function isPublicAddress(text: string): boolean {
  if (text.includes('%')) return false; // a zone names an interface of this machine
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) {
    return ipaddr.IPv4.parse(text).range() === 'unicast' && !METADATA.has(text);
  }
  if (isIP(text) !== 6) return false;
  const address = ipaddr.IPv6.parse(text);
  return address.range() === 'unicast' && address.match(GLOBAL_V6);
}

/** The URL of a webhook, or a BrokerError INVALID_REQUEST that points at `pointer` and says why it is none. */
export function parseTarget(text: string, allowPrivate: boolean, pointer = '/url'): URL {
  const refuse = (detail: string): BrokerError =>
    new BrokerError('INVALID_REQUEST', detail, { errors: [{ pointer, detail }] });
  if (text.length > MAX_URL_LENGTH) throw refuse(`the URL is longer than ${MAX_URL_LENGTH} characters`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw refuse('this is not a URL');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refuse('only https and http are called');
  if (url.username !== '' || url.password !== '') throw refuse('a URL with credentials is not called');
  // The standard reads 0x7f000001, 2130706433, 127.1 and full-width digits as 127.0.0.1. A host that does
  // not come out as it was written is meant to deceive somebody.
  const host = AUTHORITY.exec(text)?.[1];
  if (host === undefined || host.toLowerCase() !== url.hostname) {
    throw refuse(`write the host in its plain form, ${url.hostname}`);
  }
  if (url.port === '0') throw refuse('port 0 cannot be called');
  if (
    !allowPrivate &&
    (isLiteral(url) ? !isPublicAddress(bare(url.hostname)) : LOCAL_NAME.test(url.hostname))
  ) {
    throw refuse('the address is not a public one');
  }
  return url;
}

/** An IPv6 address stands in brackets in a URL and nowhere else. */
const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '');
const isLiteral = (url: URL): boolean => isIP(bare(url.hostname)) !== 0;

export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
  readonly code = 'ADDRESS_REFUSED';
}

export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>;

export interface GuardOptions {
  /** `webhooks.allow_private`: for labs, where everything is on loopback. */
  readonly allowPrivate: boolean;
  readonly resolve?: Resolve;
}

const systemResolve: Resolve = (hostname) => dns.lookup(hostname, { all: true });

/** What undici and fetch send through: it connects to public addresses only. Close it when done. */
export function guardedAgent(options: GuardOptions): Agent {
  return new Agent({
    connect: guardedConnector(options),
    // One call at a time and hook; a second connection is for the one that is just closing.
    connections: 2,
    pipelining: 1,
    maxResponseSize: MAX_ANSWER_BYTES,
    // The caller has one limit for the whole call, on its own clock.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

/** `connect` is what makes the connection in the end; undici's own unless a test says otherwise. */
export function guardedConnector(
  { allowPrivate, resolve = systemResolve }: GuardOptions,
  connect: buildConnector.connector = buildConnector({
    timeout: CONNECT_TIMEOUT_MS,
    lookup: publicOnly(resolve, allowPrivate),
  }),
): buildConnector.connector {
  if (allowPrivate) return connect;
  return (target, callback) => {
    // A literal address is never looked up, so it has to be looked at here.
    const host = bare(target.hostname);
    if (isIP(host) !== 0 && !isPublicAddress(host)) {
      callback(new AddressRefused(`${host} is not a public address`), null);
      return;
    }
    connect(target, (...[error, socket]) => {
      if (error !== null) return callback(error, null);
      // Where the connection has really ended decides, whatever was asked for.
      const reached = socket.remoteAddress ?? 'nowhere';
      if (isPublicAddress(reached)) return callback(null, socket);
      socket.destroy();
      callback(new AddressRefused(`the connection ended at ${reached}, which is not a public address`), null);
    });
  };
}

/** A lookup for net.connect that leaves out every address that may not be reached. */
function publicOnly(resolve: Resolve, allowPrivate: boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (found) => {
        const wanted = found.filter(
          ({ address, family }) =>
            (allowPrivate || isPublicAddress(address)) &&
            (options.family === undefined || options.family === 0 || options.family === family),
        );
        const [first] = wanted;
        if (first === undefined) {
          callback(new AddressRefused(`${hostname} has no public address`), []);
        } else if (options.all === true) callback(null, wanted);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    );
  };
}
