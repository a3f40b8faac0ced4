/**
 * New certificates and keys without a restart: whoever was handed our identity at the start sees the one of now.
 * Connections that are there end with the certificate that they began with; the next ones show the new one.
 */
import type { Identity } from './client.ts';
import type { PeerSettings } from './peer.ts';

/** What an operator lays down in files. */
export interface Credentials {
  readonly identity: Identity;
  readonly peers: readonly PeerSettings[];
}

export class PresentIdentity implements Identity {
  #now: Identity;

  constructor(identity: Identity) {
    this.#now = identity;
  }

  take(identity: Identity): void {
    this.#now = identity;
  }

  get domain(): Identity['domain'] {
    return this.#now.domain;
  }
  get signer(): Identity['signer'] {
    return this.#now.signer;
  }
  get key(): Identity['key'] {
    return this.#now.key;
  }
  get certificate(): Identity['certificate'] {
    return this.#now.certificate;
  }
}
