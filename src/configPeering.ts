/** The settings of a domain among others: how peers reach us, who they are, and what their word counts for here. */
import { PREFIX_PATTERN } from './model/port.ts';
import { integer, items, path, secret, section, text, type Values } from './settings.ts';

export const DOMAIN = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?){0,7}$/;
const PREFIX = new RegExp(PREFIX_PATTERN);
export const peeringSection = section({
  host: text({ fallback: '127.0.0.1', help: 'Address to listen on for peers' }),
  port: integer({ fallback: 8443, help: 'Port to listen on for peers; 0 takes any free one' }, 0, 65_535),
  certificate_file: path({
    help: 'Our certificate for peers, in PEM: self-signed will do, its subjectAltName must be the domain. Without it there are no peers',
  }),
  key: secret({ help: 'The key of the certificate, in PEM' }),
  signing_key: secret({ help: 'The P-256 key that signs our messages, in PEM' }),
  messages_per_s: integer({ fallback: 2_000, help: 'How many each peer may send' }, 1, 1_000_000),
  peers: items('The domains that we deal with, neighbours or not', {
    domain: text(
      { required: true, help: 'The name of the domain, as its certificate has it' },
      DOMAIN,
      'a name such as sdg.example',
    ),
    prefix: text({ required: true, help: 'The prefix of its ports' }, PREFIX, 'a prefix such as sdg'),
    url: text({ required: true, help: 'Where its broker listens for peers' }, /^https:\/\//, 'an https URL'),
    certificate_file: path({
      required: true,
      help: 'Its certificate, in PEM, as its operator gave it to you; two while it changes',
    }),
    keys_file: path({ required: true, help: 'The public keys that it signs with, in PEM' }),
    issuer: text(
      { help: 'URL under which it issues circuit tokens; https:// and its domain when absent' },
      /^https?:\/\/[!-~]{1,240}$/,
      'a URL',
    ),
    mints_for: text(
      {
        fallback: 'all',
        help: 'Ports of ours for which its circuit tokens count: all, none, or their names',
      },
      /^(all|none|[a-z][^\s:]*:\S+( +[a-z][^\s:]*:\S+)*)$/,
      'all, none, or ports such as `ams:host1 ams:to-chi`',
    ),
  }),
});

interface Peered {
  readonly domain: string;
  readonly peering: Values<(typeof peeringSection)['fields']>;
}

/** What is right by itself and wrong together. */
export function peerFaults({ domain, peering }: Peered): string[] {
  const { certificate_file, key, signing_key, peers } = peering;
  const found: string[] = [];
  if (certificate_file === undefined)
    return peers.length === 0 ? [] : ['configuration: `peering.peers` needs `peering.certificate_file`'];
  if (key === undefined) found.push('configuration: `peering.certificate_file` needs `peering.key_file`');
  if (signing_key === undefined)
    found.push('configuration: `peering.certificate_file` needs `peering.signing_key_file`');
  for (const field of ['domain', 'prefix'] as const) {
    const seen = new Set<string>(field === 'domain' ? [domain] : []);
    for (const peer of peers) {
      if (seen.has(peer[field]))
        found.push(`configuration: two peers, or we and a peer, have the ${field} \`${peer[field]}\``);
      seen.add(peer[field]);
    }
  }
  return found;
}
