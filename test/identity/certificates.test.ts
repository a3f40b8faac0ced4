/** Which client certificates open the front door, and as whom. */
import { createHash } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import {
  type CertificateRule,
  certificateAuthenticator,
  readAuthorities,
} from '../../src/identity/certificates.ts';
import { instant } from '../../src/kernel/clock.ts';
import { type Made, makeCertificate, type Wish } from './authority.ts';

const NOW = 1_800_000_000_000;
const DAY = 86_400_000;
let now = NOW;
const clock = { now: () => instant(now), alarm: () => () => {} };

const wish = (name: string, over: Partial<Wish> = {}): Wish => ({
  name,
  from: NOW - DAY,
  until: NOW + DAY,
  ...over,
});
const rule = (over: Partial<CertificateRule>): CertificateRule => ({
  name: 'alice',
  roles: ['user'],
  projects: ['lhc'],
  groups: [],
  assurance: 2,
  ...over,
});
const hashOf = ({ der }: Made): string => createHash('sha256').update(der).digest('hex');

let ca: Made;
let other: Made;
let alice: Made;
beforeAll(() => {
  ca = makeCertificate(wish('Authority', { ca: true }));
  other = makeCertificate(wish('Authority', { ca: true }));
  alice = makeCertificate(wish('alice', { by: ca, email: 'alice@example.org', use: 'clientAuth' }));
});

function asked(shown: Made, rules: readonly CertificateRule[], authorities: readonly Made[] = [ca]): string {
  const trusted = authorities.flatMap(({ pem }) => readAuthorities(pem));
  try {
    return certificateAuthenticator(rules, trusted, clock)(shown.der).id;
  } catch (error) {
    return (error as Error).message;
  }
}
const bySan = rule({ san: 'email:alice@example.org' });

test('by a name that an authority of ours has signed, by the whole subject, by its fingerprint', () => {
  expect(asked(alice, [bySan])).toBe('certificate|alice');
  expect(asked(alice, [rule({ subject: 'O=Example, CN=alice' })])).toBe('certificate|alice');
  const pinned = makeCertificate(wish('bob'));
  const fingerprint = (hashOf(pinned).match(/../g) ?? []).join(':').toUpperCase();
  expect(asked(pinned, [rule({ name: 'bob', fingerprint })], [])).toBe('certificate|bob');
});

test('what the rule says becomes the principal', () => {
  const who = certificateAuthenticator(
    [rule({ san: 'email:alice@example.org', groups: ['cms/ops'] })],
    readAuthorities(ca.pem),
    clock,
  )(alice.der);
  expect(who).toEqual({
    id: 'certificate|alice',
    name: 'alice',
    roles: ['user'],
    projects: ['lhc'],
    groups: ['cms/ops'],
    assurance: 2,
  });
});

test('attack 49: expired, not yet valid, of another authority, the right common name with another SAN', () => {
  const signed = (over: Partial<Wish>): Made =>
    makeCertificate(wish('alice', { by: ca, email: 'alice@example.org', ...over }));
  expect(asked(signed({ until: NOW }), [bySan])).toContain('has expired');
  expect(asked(signed({ from: NOW + 1_000 }), [bySan])).toContain('not valid yet');
  // The same name of the authority, another key.
  expect(asked(signed({ by: other }), [bySan])).toContain('nobody of ours');
  expect(asked(makeCertificate(wish('alice', { email: 'alice@example.org' })), [bySan])).toContain('nobody');
  expect(asked(signed({ email: 'mallory@example.org' }), [bySan])).toContain('nobody of ours');
  expect(asked(signed({ email: 'alice@example.org.evil.example' }), [bySan])).toContain('nobody of ours');
  expect(asked(signed({}), [rule({ subject: 'CN=alice' })])).toContain('nobody of ours');
});

test('attack 49: one that was let in expires while its connection lasts', () => {
  const open = certificateAuthenticator([bySan], readAuthorities(ca.pem), clock);
  expect(open(alice.der).name).toBe('alice');
  now = NOW + DAY;
  expect(() => open(alice.der)).toThrow('has expired');
  now = NOW;
});

test('attack 51: a leaf that signs another leaf', () => {
  for (const leaf of [
    makeCertificate(wish('alice', { by: ca, email: 'alice@example.org' })),
    makeCertificate(wish('alice', { by: ca, email: 'alice@example.org', bare: true })),
  ]) {
    const grandchild = makeCertificate(wish('alice', { by: leaf, email: 'alice@example.org' }));
    expect(asked(grandchild, [bySan])).toContain('nobody of ours');
    expect(() => readAuthorities(leaf.pem)).toThrow('not a certificate authority');
    // Pinned, it is still only itself.
    expect(asked(grandchild, [rule({ fingerprint: hashOf(leaf) })])).toContain('nobody of ours');
  }
});

test('an authority itself, a certificate for servers, and what is none', () => {
  expect(asked(ca, [rule({ fingerprint: hashOf(ca) })])).toContain('no client');
  const server = makeCertificate(wish('alice', { by: ca, email: 'alice@example.org', use: 'serverAuth' }));
  expect(asked(server, [bySan])).toContain('another use');
  expect(asked({ ...alice, der: Buffer.from('nothing') }, [bySan])).toContain('cannot be read');
  expect(() => readAuthorities('nothing')).toThrow('no certificate');
});
