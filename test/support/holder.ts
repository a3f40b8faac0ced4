/** Somebody who holds a circuit token: his key, and proofs that he signs for single requests. */
import type { KeyObject } from 'node:crypto';
import type { InstantMs } from '../../src/kernel/clock.ts';
import { newP256Key, systemRandom } from '../../src/kernel/random.ts';
import type { Limits, TokenAction } from '../../src/tokens/grant.ts';
import { type PublicJwk, publicOf } from '../../src/tokens/jwk.ts';
import { attenuate, newJti, prove } from '../../src/tokens/mint.ts';

let operations = 0;

export interface Proof {
  readonly action: TokenAction;
  readonly body?: string;
  readonly opKey?: string;
  readonly aud?: string;
  readonly jti?: string;
  readonly iat?: number;
}

export class Holder {
  readonly key: KeyObject = newP256Key();
  readonly #now: () => InstantMs;
  constructor(clock: { now(): InstantMs }) {
    this.#now = () => clock.now();
  }

  get jwk(): PublicJwk {
    return publicOf(this.key);
  }
  get #seconds(): number {
    return Math.floor(this.#now() / 1000);
  }

  /** The header that opens one verb once. */
  shows(token: string, proof: Proof): { authorization: string } {
    const { action, body = '', opKey = `op-${++operations}`, aud = 'https://ams.example' } = proof;
    const { jti = newJti(systemRandom), iat = this.#seconds } = proof;
    return { authorization: `CCT ${prove(token, { action, body, opKey, aud, jti, iat }, this.key)}` };
  }

  passes(token: string, to: Holder, lim: Limits = {}): string {
    const link = { lim, holder: to.jwk, jti: newJti(systemRandom), iat: this.#seconds };
    return attenuate(token, link, this.key);
  }
}
