/**
 * Certificates of peers. Each is pinned: what counts is that it is byte for byte one of those that an operator
 * laid down for the peer, names the peer's domain, and is within its dates. Who signed it counts for nothing,
 * so that there is no authority to trust and no chain to build: what a pinned certificate signs is not pinned.
 */
import { createHash, X509Certificate } from 'node:crypto';
import type { InstantMs } from '../kernel/clock.ts';

export interface Pin {
  /** SHA-256 of the DER, in hexadecimal. */
  readonly fingerprint: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates in a PEM text, the present one and perhaps its successor. Throws an Error that says what is wrong. */
export function readPins(pem: string, domain: string): readonly Pin[] {
  const blocks = pem.match(BLOCK) ?? [];
  if (blocks.length === 0) throw new Error('it holds no certificate');
  return blocks.map((block) => {
    const certificate = new X509Certificate(block);
    // Of the subject's alternative names only: a common name names nobody.
    if (certificate.checkHost(domain, { subject: 'never', wildcards: false }) === undefined)
      throw new Error(`its certificate names ${certificate.subjectAltName ?? 'nobody'} and not ${domain}`);
    return {
      fingerprint: fingerprintOf(certificate.raw),
      notBefore: Date.parse(certificate.validFrom),
      notAfter: Date.parse(certificate.validTo),
    };
  });
}

const seen = new WeakMap<Uint8Array, string>();

/** Of the same bytes, as a connection's are, it is worked out once. */
export function fingerprintOf(der: Uint8Array): string {
  const known = seen.get(der);
  if (known !== undefined) return known;
  const made = createHash('sha256').update(der).digest('hex');
  seen.set(der, made);
  return made;
}

/** Why this certificate does not speak for the owner of the pins; undefined when it does. */
export function distrust(
  pins: readonly Pin[],
  der: Uint8Array | undefined,
  now: InstantMs,
): string | undefined {
  if (der === undefined) return 'it showed no certificate';
  const fingerprint = fingerprintOf(der);
  const pin = pins.find((one) => one.fingerprint === fingerprint);
  if (pin === undefined) return 'its certificate is not pinned';
  return outOfDate(pin, now);
}

function outOfDate(pin: Pin, now: InstantMs): string | undefined {
  if (now < pin.notBefore) return 'its certificate is not valid yet';
  return now >= pin.notAfter ? 'its certificate has expired' : undefined;
}

/** Why none of them counts now: a connection that is kept may be older than the end of its certificate. */
export function allOutOfDate(pins: readonly Pin[], now: InstantMs): string | undefined {
  const reasons = pins.map((pin) => outOfDate(pin, now));
  return reasons.includes(undefined) ? undefined : reasons[0];
}

/** When the last of them ends. */
export const lastEnd = (pins: readonly Pin[]): number => Math.max(...pins.map((pin) => pin.notAfter));
