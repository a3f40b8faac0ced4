/**
 * From the configuration to the peers of a domain: the files that it names are read here, and what is wrong with
 * one of them is told with the peer that it belongs to.
 */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { audienceOf } from './broker/tokens/tokenDesk.ts';
import type { Config } from './config.ts';
import { StartError } from './flags.ts';
import { textOf } from './kernel/errors.ts';
import { readPins } from './peering/certificate.ts';
import type { PeerSettings } from './peering/peer.ts';
import { Peering, type PeeringPorts } from './peering/peering.ts';
import type { Credentials } from './peering/renewal.ts';
import { type PeerKeys, signerOf } from './peering/seal.ts';
import { importPublic, publicJwk, thumbprint } from './tokens/jwk.ts';

const KEY_BLOCK = /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g;

/** Undefined for a domain without peering. Throws StartError. */
export function openPeering(config: Config, prefix: string, ports: PeeringPorts): Peering | undefined {
  const { host, port, messages_per_s: perSecond } = config.peering;
  const credentials = credentialsOf(config);
  return credentials && new Peering({ ...credentials, prefix, host, port, perSecond }, ports);
}

/** What the files say now; undefined without peering. Throws StartError. */
export function credentialsOf(config: Config): Credentials | undefined {
  const { domain, peering } = config;
  const { certificate_file, key, signing_key } = peering;
  // loadConfig has seen to it that with the one there are the others.
  if (certificate_file === undefined || key === undefined || signing_key === undefined) return undefined;
  return told('`peering`', () => {
    const certificate = readFileSync(certificate_file, 'utf8');
    readPins(certificate, domain);
    if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)))
      throw new Error('`peering.key_file` is not the key of `peering.certificate_file`');
    const signer = signerOf(createPrivateKey(signing_key));
    const identity = { domain, signer, key, certificate };
    const peers = peering.peers.map((peer) => told(`the peer ${peer.domain}`, () => settingsOf(peer)));
    return { identity, peers };
  });
}

function settingsOf(peer: Config['peering']['peers'][number]): PeerSettings {
  const { domain, prefix, url, issuer = audienceOf(domain), mints_for: mintsFor } = peer;
  return {
    domain,
    prefix,
    url,
    pins: readPins(readFileSync(peer.certificate_file, 'utf8'), domain),
    keys: readKeys(readFileSync(peer.keys_file, 'utf8')),
    issuer,
    ...(mintsFor === 'all' ? {} : { mintsFor: mintsFor === 'none' ? [] : mintsFor.split(/ +/) }),
  };
}

function readKeys(pem: string): PeerKeys {
  const blocks = pem.match(KEY_BLOCK) ?? [];
  if (blocks.length === 0) throw new Error('its keys_file holds no public key in PEM');
  return new Map(
    blocks.map((block) => {
      const jwk = publicJwk(createPublicKey(block).export({ format: 'jwk' }));
      return [thumbprint(jwk), { key: importPublic(jwk) }];
    }),
  );
}

function told<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`${what}: ${textOf(error)}`);
  }
}
