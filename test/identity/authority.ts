/** An authority and certificates of every kind, made for tests of who is let in. */
import { generateKeyPairSync } from 'node:crypto';
import forge from 'node-forge';

export interface Made {
  readonly pem: string;
  readonly key: string;
  readonly der: Uint8Array;
  readonly subject: forge.pki.CertificateField[];
}

export interface Wish {
  readonly name: string;
  readonly from: number;
  readonly until: number;
  readonly email?: string;
  readonly ca?: boolean;
  readonly use?: 'clientAuth' | 'serverAuth';
  /** Who signs; itself when absent. */
  readonly by?: Made;
  /** Without the extension that says whether it may sign. */
  readonly bare?: boolean;
}

let serial = 1;

// Short keys: nothing here is secret, and the library signs in JavaScript.
export function makeCertificate({ name, from, until, email, ca, use, by, bare }: Wish): Made {
  const pair = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const key = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(
    pair.publicKey.export({ type: 'spki', format: 'pem' }) as string,
  );
  certificate.serialNumber = `0${serial++}`.slice(-2);
  certificate.validity.notBefore = new Date(from);
  certificate.validity.notAfter = new Date(until);
  const subject = [
    { name: 'organizationName', value: 'Example' },
    { name: 'commonName', value: name },
  ];
  certificate.setSubject(subject);
  certificate.setIssuer(by?.subject ?? subject);
  certificate.setExtensions([
    ...(bare === true ? [] : [{ name: 'basicConstraints', cA: ca === true, critical: true }]),
    ...(ca === true ? [{ name: 'keyUsage', keyCertSign: true, critical: true }] : []),
    ...(use === undefined ? [] : [{ name: 'extKeyUsage', [use]: true }]),
    // 1: an e-mail address.
    ...(email === undefined ? [] : [{ name: 'subjectAltName', altNames: [{ type: 1, value: email }] }]),
  ]);
  certificate.sign(forge.pki.privateKeyFromPem(by?.key ?? key), forge.md.sha256.create());
  const pem = forge.pki.certificateToPem(certificate);
  const der = Buffer.from(forge.asn1.toDer(forge.pki.certificateToAsn1(certificate)).getBytes(), 'binary');
  return { pem, key, der, subject };
}
