/**
 * Certificates and keys for the lab's domains and for tests: self-signed, as peers pin them. RSA, because that is
 * what the library makes; it is used for making them only, never for judging one.
 */
import { generateKeyPairSync } from 'node:crypto';
import forge from 'node-forge';
import type { InstantMs } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';

const DAY_MS = 86_400_000;

/** All in PEM. */
export interface PeerFiles {
  readonly certificate: string;
  readonly key: string;
  readonly signingKey: string;
  readonly signingPublicKey: string;
}

export interface CertificateWish {
  /** The DNS name that it is for; the common name says the same unless it is given. */
  readonly domain: string;
  readonly commonName?: string;
  /** Whose key signs it; its own when absent. */
  readonly issuer?: { readonly domain: string; readonly key: string };
  readonly from: InstantMs;
  readonly days: number;
}

export function makePeerFiles(wish: CertificateWish, random: Random): PeerFiles {
  const signing = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    ...makeCertificate(wish, random),
    signingKey: signing.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    signingPublicKey: signing.publicKey.export({ type: 'spki', format: 'pem' }) as string,
  };
}

export function makeCertificate(
  { domain, commonName = domain, issuer, from, days }: CertificateWish,
  random: Random,
): Pick<PeerFiles, 'certificate' | 'key'> {
  // node:crypto is many times quicker at this than the library.
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(
    pair.publicKey.export({ type: 'spki', format: 'pem' }) as string,
  );
  // Positive: the first bit is clear.
  certificate.serialNumber = `01${Buffer.from(random.bytes(15)).toString('hex')}`;
  // A minute earlier, for a neighbour whose clock is behind.
  certificate.validity.notBefore = new Date(from - 60_000);
  certificate.validity.notAfter = new Date(from + days * DAY_MS);
  certificate.setSubject([{ name: 'commonName', value: commonName }]);
  certificate.setIssuer([{ name: 'commonName', value: issuer?.domain ?? commonName }]);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: false },
    { name: 'keyUsage', digitalSignature: true },
    { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
    // 2: a DNS name.
    { name: 'subjectAltName', altNames: [{ type: 2, value: domain }] },
  ]);
  certificate.sign(forge.pki.privateKeyFromPem(issuer?.key ?? key), forge.md.sha256.create());
  return { certificate: forge.pki.certificateToPem(certificate), key };
}
