/**
 * Every way a capability token is refused. The reason is for machines and for records; the detail is for
 * people and never quotes the token, so that it may be logged.
 */

export const refusals = {
  MALFORMED: 'not a circuit token',
  TOO_LARGE: 'more bytes or links than a token may have',
  HEADER: 'a header that is not the one form allowed',
  ISSUER: 'an issuer that this domain does not trust, or not for these ports',
  KEY: 'a key that is unknown, retired or compromised',
  SIGNATURE: 'a signature that does not verify',
  CLAIMS: 'claims missing, unknown or out of range',
  LIFETIME: 'a longer life than the issuer may give',
  EXPIRED: 'past its end',
  NOT_YET_VALID: 'before its beginning',
  AUDIENCE: 'made for another domain',
  CHAIN: 'links that do not follow each other',
  WIDENED: 'a link that asks for more than it was given',
  DEPTH: 'delegated further than allowed',
  REVOKED: 'withdrawn',
  STATUS_UNKNOWN: 'no fresh word on whether it was withdrawn',
  HOLDER: 'not shown by the key that it was given to',
  REQUEST: 'a proof for another request',
  PROOF_STALE: 'a proof that is too old, or from the future',
  REPLAY: 'a proof that was used before',
  OP_KEY_REUSED: 'an operation key that was used for another request',
  SCOPE: 'rights that do not cover this',
  SPENT: 'no use left',
  BUDGET: 'no budget left',
} as const;
export type TokenRefusal = keyof typeof refusals;

/** A token that is not accepted. Nothing has changed, and nobody but the asker is at fault. */
export class TokenError extends Error {
  override readonly name = 'TokenError';
  readonly reason: TokenRefusal;
  constructor(reason: TokenRefusal, detail: string = refusals[reason]) {
    super(detail);
    this.reason = reason;
  }
}
