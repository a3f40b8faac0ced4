/**
 * The keys of this domain's tokens: one signs, retired ones verify until the last token that they have signed
 * has ended, a compromised one is worth nothing; and the key with which this domain holds tokens itself. The
 * records are in the store, so that whoever takes over signs with the same keys.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { invariant } from '../../kernel/assert.ts';
import type { InstantMs } from '../../kernel/clock.ts';
import { ALGORITHM, importPublic, type PublicJwk, publicOf, thumbprint } from '../../tokens/jwk.ts';
import type { IssuerKey, TrustedIssuer } from '../../tokens/verify.ts';
import type { Book } from '../book.ts';
import { HORIZON_S } from '../limits.ts';
import type { Tx } from '../tx.ts';
import type { TokenKeyRecord } from './tokenRecords.ts';

export const LONGEST_LIFE_S = HORIZON_S + 86_400;

/** What other domains must know to believe our tokens: the keys that sign, and those that did. */
export interface PublishedIssuer {
  readonly iss: string;
  readonly keys: readonly { readonly jwk: PublicJwk; readonly retired?: number }[];
}

interface Keys {
  readonly at: number;
  readonly issuer: { readonly kid: string; readonly key: KeyObject } | undefined;
  readonly holder: { readonly jwk: PublicJwk; readonly key: KeyObject } | undefined;
  readonly trusted: TrustedIssuer;
}

export class TokenRing {
  readonly #issuer: string;
  readonly #newKey: () => KeyObject;
  readonly #book: Book;
  #made: Keys | undefined;
  #published: PublishedIssuer | undefined;

  constructor(issuer: string, newKey: () => KeyObject, book: Book) {
    this.#issuer = issuer;
    this.#newKey = newKey;
    this.#book = book;
  }

  get incomplete(): boolean {
    const { issuer, holder } = this.#keys();
    return issuer === undefined || holder === undefined;
  }

  /** Makes what is missing. `ISSUER`: the present key signs no more; what it has signed goes on. */
  make(tx: Tx, replace?: 'ISSUER'): void {
    for (const use of ['ISSUER', 'HOLDER'] as const) {
      const present = this.#current(use);
      if (present !== undefined && use !== replace) continue;
      if (present !== undefined) this.#set(tx, { ...present, retired: Math.floor(tx.now / 1000) });
      const secret = this.#newKey();
      const jwk = publicOf(secret);
      const { d } = secret.export({ format: 'jwk' });
      invariant(d !== undefined, 'a private key has a d');
      this.#set(tx, { kid: thumbprint(jwk), use, jwk: { ...jwk, d }, createTime: tx.now });
    }
  }

  /** Everything that the key has signed is worth nothing from now on. */
  compromise(tx: Tx, kid: string): TokenKeyRecord | undefined {
    const key = tx.book.tokens.keys.get(kid);
    if (key?.use !== 'ISSUER') return undefined;
    if (this.#current('ISSUER')?.kid === kid) this.make(tx, 'ISSUER');
    const dead: TokenKeyRecord = { ...(tx.book.tokens.keys.get(kid) ?? key), compromised: true };
    this.#set(tx, dead);
    return dead;
  }

  #set(tx: Tx, key: TokenKeyRecord): void {
    tx.book.tokens.setKey(key, tx.undo);
    tx.tokens.keys.push(key);
  }

  #current(use: TokenKeyRecord['use']): TokenKeyRecord | undefined {
    return [...this.#book.tokens.keys.values()].find(
      (key) => key.use === use && key.retired === undefined && key.compromised !== true,
    );
  }

  /** The keys as crypto has them, made again when a record changed. */
  #keys(): Keys {
    const { tokens } = this.#book;
    if (this.#made?.at === tokens.changes) return this.#made;
    const [issuer, holder] = [this.#current('ISSUER'), this.#current('HOLDER')];
    const keys = new Map<string, IssuerKey>();
    for (const { kid, use, jwk, retired, compromised } of tokens.keys.values()) {
      if (use !== 'ISSUER') continue;
      keys.set(kid, {
        key: importPublic(open(jwk)),
        // Verify-only, for as long as something lives that it has signed.
        ...(retired === undefined ? {} : { retired, until: tokens.lastExpOf(kid) }),
        ...(compromised === true ? { compromised } : {}),
      });
    }
    this.#made = {
      at: tokens.changes,
      issuer: issuer && { kid: issuer.kid, key: secretOf(issuer) },
      holder: holder && { jwk: open(holder.jwk), key: secretOf(holder) },
      trusted: {
        iss: this.#issuer,
        keys,
        maxLifetimeS: LONGEST_LIFE_S,
        mintsFor: [this.#book.topology.document.prefix],
      },
    };
    return this.#made;
  }

  /** The public half of every key that still verifies. */
  jwks(now: InstantMs): { readonly keys: readonly object[] } {
    const seconds = Math.floor(now / 1000);
    const live = [...this.#book.tokens.keys.values()].filter(
      ({ kid, use, retired, compromised }) =>
        use === 'ISSUER' &&
        compromised !== true &&
        (retired === undefined || this.#book.tokens.lastExpOf(kid) > seconds),
    );
    return {
      keys: live.map(({ kid, jwk }) => ({ ...open(jwk), kid, alg: ALGORITHM, use: 'sig' })),
    };
  }

  /** The same object for as long as it says the same. */
  published(): PublishedIssuer {
    const keys = [...this.#book.tokens.keys.values()]
      .filter(({ use, compromised }) => use === 'ISSUER' && compromised !== true)
      .map(({ jwk, retired }) => ({ jwk: open(jwk), ...(retired === undefined ? {} : { retired }) }));
    const before = this.#published;
    const now: PublishedIssuer = { iss: this.#issuer, keys };
    if (before === undefined || JSON.stringify(before) !== JSON.stringify(now)) this.#published = now;
    return this.#published ?? now;
  }

  /** The key that this domain itself holds tokens with. */
  get ownHolder(): PublicJwk {
    const { holder } = this.#keys();
    invariant(holder !== undefined, 'there is a holder key while in office');
    return holder.jwk;
  }

  /** Signs with the issuer's present key: status lists. */
  signer(): { readonly kid: string; readonly key: KeyObject } {
    const { issuer } = this.#keys();
    invariant(issuer !== undefined, 'there is an issuer key while in office');
    return issuer;
  }

  /** This domain as an issuer to trust. */
  get trusted(): TrustedIssuer {
    return this.#keys().trusted;
  }

  /** A secret that stays as long as the holder key: for pseudonyms. */
  get pepper(): string {
    const holder = this.#current('HOLDER');
    invariant(holder !== undefined, 'there is a holder key while in office');
    return holder.jwk.d;
  }

  /** Signs proofs of the tokens that are kept here. */
  get secret(): KeyObject {
    const { holder } = this.#keys();
    invariant(holder !== undefined, 'there is a holder key while in office');
    return holder.key;
  }
}

const open = ({ kty, crv, x, y }: PublicJwk): PublicJwk => ({ kty, crv, x, y });
const secretOf = ({ jwk }: TokenKeyRecord): KeyObject => createPrivateKey({ key: { ...jwk }, format: 'jwk' });
