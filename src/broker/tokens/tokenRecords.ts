/** What is stored of capability tokens: keys, what was minted with them, what was redeemed, what was withdrawn. */
import type { InstantMs } from '../../kernel/clock.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import type { Grant } from '../../tokens/grant.ts';
import type { PublicJwk } from '../../tokens/jwk.ts';
import type { Redemption, SeenProof } from '../../tokens/redeem.ts';
import type { Revocation } from '../../tokens/status.ts';

/** ISSUER keys sign tokens; with the HOLDER key this domain proves that it holds the ones that it keeps. */
export interface TokenKeyRecord {
  readonly kid: string;
  readonly use: 'ISSUER' | 'HOLDER';
  readonly jwk: PublicJwk & { readonly d: string };
  readonly createTime: InstantMs;
  /** Verify-only since then. Seconds. */
  readonly retired?: number;
  readonly compromised?: true;
}

/** One token in the writer's memory; its text is in the store only. */
export interface MintedToken {
  readonly jti: string;
  readonly circuitId: CircuitId;
  /** Who signs its proofs: whoever asked, this domain, or this domain for a holder who has passed his on to it. */
  readonly kept: 'HOLDER' | 'HOME' | 'DELEGATED';
  readonly holder: PublicJwk;
  readonly uses: number;
  /** The domains that it is for, by their URLs. */
  readonly aud: readonly string[];
  /** Its place in the status lists, counted over all of them. */
  readonly idx: number;
  readonly kid: string;
  /** Seconds. */
  readonly iat: number;
  readonly exp: number;
  /** What it is good for. Absent in rows of before it was kept: such a token is minted anew when it is needed. */
  readonly scope?: TokenScope;
}
export interface TokenScope extends Pick<Grant, 'actions' | 'stps' | 'mbps' | 'window'> {
  /** Prepaid, in each of its domains. */
  readonly mbit: number;
}
export interface TokenRecord extends MintedToken {
  readonly text: string;
}

export interface RevocationRecord extends Revocation {
  readonly time: InstantMs;
  /** Who withdrew it: a principal, or the domain that told us. */
  readonly by: string;
  /** Of our own roots: where the status list has its bit. */
  readonly idx?: number;
}

/** What one decision, or one group of them, writes. */
export interface TokenRows {
  readonly keys: readonly TokenKeyRecord[];
  readonly minted: readonly TokenRecord[];
  readonly redemptions: readonly Redemption[];
  /** Also those of the redemptions. */
  readonly proofs: readonly SeenProof[];
  readonly revocations: readonly RevocationRecord[];
}

type Lists = { readonly [K in keyof TokenRows]: TokenRows[K][number][] };
const names = ['keys', 'minted', 'redemptions', 'proofs', 'revocations'] as const;

/** The rows of a decision that is under way. */
export class TokenWrites implements Lists {
  readonly keys: TokenKeyRecord[] = [];
  readonly minted: TokenRecord[] = [];
  readonly redemptions: Redemption[] = [];
  readonly proofs: SeenProof[] = [];
  readonly revocations: RevocationRecord[] = [];

  get isEmpty(): boolean {
    return names.every((name) => this[name].length === 0);
  }
  clear(): void {
    for (const name of names) this[name].length = 0;
  }
}

/** The rows of a group; undefined when it has none, as most. */
export function together(all: readonly TokenWrites[]): TokenRows | undefined {
  const some = all.filter((rows) => !rows.isEmpty);
  if (some.length === 0) return undefined;
  return {
    // A key that changed twice in a group is written once, as it is now.
    keys: [...new Map(some.flatMap((rows) => rows.keys.map((key) => [key.kid, key] as const))).values()],
    minted: some.flatMap((rows) => rows.minted),
    redemptions: some.flatMap((rows) => rows.redemptions),
    proofs: some.flatMap((rows) => rows.proofs),
    revocations: some.flatMap((rows) => rows.revocations),
  };
}

/** What the writer begins with. Nothing in it that could not matter any more. */
export interface StoredTokens extends Omit<TokenRows, 'minted'> {
  readonly minted: readonly MintedToken[];
  /** The next free place in the status lists: those of tokens that have ended are not given again. */
  readonly nextIdx: number;
}
