/**
 * Callers with a client certificate. The operator lists whose are accepted: one by its fingerprint (pinned,
 * whoever signed it), or by a name in its subjectAltName or its subject, and then it must be signed by one of
 * the authorities that the configuration names, directly. The common name by itself names nobody.
 */
import { createHash, X509Certificate } from 'node:crypto';
import type { Clock, InstantMs } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';
import type { Principal } from '../model/principal.ts';

export interface CertificateRule {
  readonly name: string;
  /** SHA-256 of the DER in hexadecimal, colons or not. */
  readonly fingerprint?: string;
  /** One entry of the subjectAltName as OpenSSL prints it: `email:alice@example.org`, `URI:...`, `DNS:...`. */
  readonly san?: string;
  /** The whole subject: `C=NL, O=Example, CN=alice`. */
  readonly subject?: string;
  readonly roles: Principal['roles'];
  readonly projects: readonly string[];
  readonly groups: readonly string[];
  readonly assurance: number;
}

const no = (detail: string): BrokerError => new BrokerError('UNAUTHENTICATED', detail);

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
/** id-kp-clientAuth */
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
/** Seen certificates; a client has one or two. */
const REMEMBERED = 1_000;

/** Authorities in PEM; throws an Error that says what is wrong. */
export function readAuthorities(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(BLOCK) ?? [];
  if (blocks.length === 0) throw new Error('it holds no certificate');
  return blocks.map((block) => {
    const authority = new X509Certificate(block);
    if (!authority.ca) throw new Error(`${authority.subject} is not a certificate authority`);
    return authority;
  });
}

interface Judged {
  readonly principal: Principal;
  readonly from: number;
  readonly until: number;
  /** The authority's own end; a pinned one has none. */
  readonly authority: X509Certificate | undefined;
}

export function certificateAuthenticator(
  rules: readonly CertificateRule[],
  authorities: readonly X509Certificate[],
  clock: Clock,
): (der: Uint8Array) => Principal {
  // By the bytes themselves, which a connection hands over again with every request.
  const judged = new WeakMap<Uint8Array, Judged>();
  const byHash = new Map<string, Judged>();

  const judge = (der: Uint8Array): Judged => {
    const hash = createHash('sha256').update(der).digest('hex');
    const known = byHash.get(hash);
    if (known !== undefined) return known;
    const certificate = parse(der);
    const pinned = rules.find(({ fingerprint }) => fingerprint !== undefined && plain(fingerprint) === hash);
    const authority = pinned === undefined ? signerOf(certificate, authorities) : undefined;
    const rule =
      pinned ?? (authority === undefined ? undefined : rules.find((one) => names(one, certificate)));
    if (rule === undefined) throw no('the client certificate is nobody of ours');
    if (certificate.ca) throw no('a certificate authority is no client');
    // Absent in some; where it is there, it must allow this use.
    const uses: readonly string[] | undefined = certificate.keyUsage;
    if (uses !== undefined && !uses.includes(CLIENT_AUTH))
      throw no('the client certificate is for another use');
    const made: Judged = {
      principal: principalOf(rule),
      from: Date.parse(certificate.validFrom),
      until: Date.parse(certificate.validTo),
      authority,
    };
    if (byHash.size >= REMEMBERED) byHash.delete(byHash.keys().next().value as string);
    byHash.set(hash, made);
    return made;
  };

  return (der) => {
    const found = judged.get(der) ?? judge(der);
    judged.set(der, found);
    checkDates(found, clock.now());
    return found.principal;
  };
}

function checkDates({ from, until, authority }: Judged, now: InstantMs): void {
  if (now < from) throw no('the client certificate is not valid yet');
  if (now >= until) throw no('the client certificate has expired');
  if (authority !== undefined && now >= Date.parse(authority.validTo))
    throw no('the authority of the client certificate has expired');
}

function parse(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch {
    throw no('the client certificate cannot be read');
  }
}

/** Directly and by an authority: what another leaf has signed, whatever it says of itself, is nobody's. */
const signerOf = (
  certificate: X509Certificate,
  authorities: readonly X509Certificate[],
): X509Certificate | undefined =>
  authorities.find(
    (authority) =>
      authority.ca && certificate.checkIssued(authority) && certificate.verify(authority.publicKey),
  );

function names({ san, subject }: CertificateRule, certificate: X509Certificate): boolean {
  if (san !== undefined) return (certificate.subjectAltName ?? '').split(', ').includes(san);
  // Node writes one attribute a line.
  return subject !== undefined && certificate.subject.split('\n').join(', ') === subject;
}

const plain = (fingerprint: string): string => fingerprint.replaceAll(':', '').toLowerCase();

const principalOf = ({ name, roles, projects, groups, assurance }: CertificateRule): Principal => ({
  id: `certificate|${name}`,
  name,
  roles,
  projects,
  ...(groups.length === 0 ? {} : { groups }),
  assurance,
});
