/**
 * Capability tokens in office: the issuer's keys, minting when a circuit has been decided, and the question
 * whether a token that somebody shows opens a verb here. How tokens are made and read is src/tokens; what is
 * stored of them is in tokenBook.ts; which verbs of a client need one is in padlock.ts. A peer's commit is
 * checked with the same three calls: read() once, then present() and enter() in the transaction of the effect.
 */
import { createHmac, type KeyObject } from 'node:crypto';
import { invariant } from '../../kernel/assert.ts';
import type { InstantMs } from '../../kernel/clock.ts';
import { forgetOldest } from '../../kernel/forget.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import type { Random } from '../../kernel/random.ts';
import { type Circuit, isFinal } from '../../model/circuit.ts';
import type { Principal } from '../../model/principal.ts';
import { prefixCache } from '../../tokens/cache.ts';
import type { ProofClaims, RootClaims } from '../../tokens/claims.ts';
import { type GrantAsk, requireCovers, type TokenAction } from '../../tokens/grant.ts';
import { type PublicJwk, publicJwk, thumbprint } from '../../tokens/jwk.ts';
import { mintRoot, newJti, prove } from '../../tokens/mint.ts';
import { parsePrefix, parseProof, splitToken } from '../../tokens/parse.ts';
import { type RedeemOutcome, redeem } from '../../tokens/redeem.ts';
import { TokenError } from '../../tokens/refusal.ts';
import { mayRevoke, type Revocation } from '../../tokens/status.ts';
import {
  type Chain,
  type TokenStatus,
  type Trust,
  type TrustedIssuer,
  verifyChain,
  verifyProof,
} from '../../tokens/verify.ts';
import type { Book } from '../book.ts';
import type { Store } from '../ports.ts';
import type { Tx } from '../tx.ts';
import { agreed, grantFor, hasRoom, isDecided, scopeOf } from './tokenGrant.ts';
import type { MintedToken, RevocationRecord } from './tokenRecords.ts';
import { TokenRing } from './tokenRing.ts';

export interface TokenPorts {
  /** Our `iss`, and what `aud` must hold here. */
  readonly issuer: string;
  /** What another domain is called in `aud`. */
  audienceOf(domain: string): string;
  newKey(): KeyObject;
  /** Absent where there are no other issuers. */
  readonly abroad?: ForeignIssuers;
}

/** Issuers of other domains, as far as the peers are known. */
export interface ForeignIssuers {
  /** By the keys that are pinned for them. */
  trusted(): readonly TrustedIssuer[];
  /** What the status list of a token's issuer says. */
  statusAt(root: RootClaims, now: InstantMs): TokenStatus;
  /** Asks the issuer for the list, when ours says nothing any more. */
  refresh(root: RootClaims): Promise<void>;
}

/** `https://` and the domain's name: the same for everybody who has to agree on it. */
export const audienceOf = (domain: string): string => `https://${domain}`;

/** What a client or a peer showed with a request. */
export interface Presented {
  /** `root~link~kb`. */
  readonly text: string;
  readonly action: TokenAction;
  readonly bodyHash: string;
  /** Its Idempotency-Key, where there was one. */
  readonly opKey?: string;
  /** Who brought it, as the TLS layer says. */
  readonly peer: string;
  /** A client's: the link with which he passes the token on to us, for the other domains of the circuit. */
  readonly link?: string;
}
/** Read and its signatures verified; what may change until it is used is asked again. */
export interface Shown {
  readonly presented: Presented;
  readonly chain: Chain;
  readonly proof: ProofClaims;
}

export const DEFAULT_USES = 16;
/** Texts of tokens that we hold ourselves: 2 MB. */
const REMEMBERED_TEXTS = 1_024;
/** Tokens a status list: 16 kB of bits. */
export const LIST_SIZE = 131_072;

export class TokenDesk {
  readonly issuer: string;
  readonly #ports: TokenPorts;
  readonly #book: Book;
  readonly random: Random;
  readonly #cache = prefixCache();
  readonly #texts = new Map<string, string>();
  readonly ring: TokenRing;

  constructor(ports: TokenPorts, book: Book, random: Random) {
    this.issuer = ports.issuer;
    this.#ports = ports;
    this.#book = book;
    this.random = random;
    this.ring = new TokenRing(ports.issuer, () => ports.newKey(), book);
  }

  // ---- minting -------------------------------------------------------------------------------------------

  /** A root for the circuit as it stands, with all that its request promises. */
  mint(
    tx: Tx,
    circuit: Circuit,
    ask: { readonly kept: MintedToken['kept']; readonly holder: PublicJwk; readonly uses?: number },
  ): MintedToken {
    const { kid } = this.ring.signer();
    const idx = tx.book.tokens.nextIdx;
    const iat = Math.floor(tx.now / 1000);
    const uses = ask.uses ?? (ask.kept === 'HOME' ? Number.MAX_SAFE_INTEGER : DEFAULT_USES);
    const claims = this.#claims(circuit, ask.kept, { iat, idx, uses, holder: ask.holder });
    const text = mintRoot(claims, this.ring.signer());
    const minted: MintedToken = {
      jti: claims.jti,
      circuitId: circuit.id,
      kept: ask.kept,
      holder: ask.holder,
      uses,
      aud: claims.grant.aud,
      idx,
      kid,
      iat,
      exp: claims.grant.exp,
      scope: scopeOf(claims.grant),
    };
    this.#enter(tx, minted, text);
    tx.record({
      op: 'token.mint',
      txn: claims.txn,
      project: circuit.request.project,
      circuit: circuit.id,
      holder: thumbprint(ask.holder),
      token: { iss: this.issuer, jti: claims.jti, links: 0 },
    });
    return minted;
  }

  /** A kB or two: in the store, and here as long as it is likely to be shown. */
  #enter(tx: Tx, minted: MintedToken, text: string): void {
    tx.book.tokens.enterMinted(minted, tx.undo);
    tx.tokens.minted.push({ ...minted, text });
    if (minted.kept === 'HOLDER') return;
    this.#texts.set(minted.jti, text);
    forgetOldest(this.#texts, REMEMBERED_TEXTS);
  }

  /** What a holder has passed on to us, to be shown to other domains in his stead. */
  keep(tx: Tx, chain: Chain, text: string): void {
    const { root, grant, linkJtis } = chain;
    const jti = linkJtis.at(-1);
    invariant(jti !== undefined, 'it was passed on by a link');
    // The same link again, with another proof, is kept already.
    if (tx.book.tokens.minted(jti) !== undefined) return;
    const minted: MintedToken = {
      jti,
      // The claims were read by their pattern, so that this is the id of a circuit.
      circuitId: grant.circuit as CircuitId,
      kept: 'DELEGATED',
      holder: this.ring.ownHolder,
      uses: root.uses,
      aud: grant.aud,
      idx: tx.book.tokens.nextIdx,
      kid: chain.kid,
      iat: chain.latestIat,
      exp: grant.exp,
      scope: scopeOf(grant),
    };
    this.#enter(tx, minted, text);
  }

  #claims(
    c: Circuit,
    kept: MintedToken['kept'],
    of: { readonly iat: number; readonly idx: number; readonly uses: number; readonly holder: PublicJwk },
  ): RootClaims {
    const { iat, idx, uses, holder } = of;
    return {
      iss: this.issuer,
      // Another name for the same person with every issuer, and for nobody to guess.
      sub: createHmac('sha256', this.ring.pepper).update(c.owner).digest('base64url').slice(0, 22),
      clientId: c.request.project,
      iat,
      nbf: iat,
      jti: newJti(this.random),
      txn: c.decisionIds.at(-1) ?? c.id,
      uses,
      holder,
      status: {
        uri: `${this.issuer}/v1/tokens/status/${Math.floor(idx / LIST_SIZE)}`,
        idx: idx % LIST_SIZE,
      },
      grant: grantFor(c, kept, this.#domainsOf(c), iat),
    };
  }

  #domainsOf(c: Circuit): string[] {
    const others = agreed(c).flatMap((p) => p.segments.filter((s) => !s.local).map((s) => s.domain));
    return [this.issuer, ...[...new Set(others)].sort().map((domain) => this.#ports.audienceOf(domain))];
  }

  /**
   * In the transaction of every step: tokens are minted when the home decides, and minted anew, the old ones
   * withdrawn, when other domains take part or the circuit has become more than they cover.
   */
  step(tx: Tx, before: Circuit, after: Circuit): void {
    if (after.role !== 'HOME' || isFinal(after.state) || !isDecided(after)) return;
    const aud = this.#domainsOf(after);
    const own = [...tx.book.tokens.tokensOf(after.id, this.issuer)].filter((t) => t.kept !== 'DELEGATED');
    for (const token of own) {
      const same = token.aud.length === aud.length && aud.every((one) => token.aud.includes(one));
      if (same && (aud.length === 1 || this.#covers(token, before, after))) continue;
      this.revoke(tx, token, same ? 'the circuit has become more' : 'other domains take part');
      this.#fit(() => this.mint(tx, after, token));
    }
    if (isDecided(before) && aud.length === this.#domainsOf(before).length) return;
    const there = new Set(own.map((token) => token.kept));
    const jwk = after.request.holderJwk;
    if (jwk !== undefined && !there.has('HOLDER'))
      this.#fit(() => this.mint(tx, after, { kept: 'HOLDER', holder: publicJwk(jwk) }));
    if (aud.length > 1 && !there.has('HOME'))
      this.#fit(() => this.mint(tx, after, { kept: 'HOME', holder: this.ring.ownHolder }));
  }

  #covers(token: MintedToken, before: Circuit, after: Circuit): boolean {
    const needed = scopeOf(grantFor(after, token.kept, token.aud, token.iat));
    if (!hasRoom(token.scope, needed)) return false;
    // Armed by an operator: nobody has passed a token on, and ours did not say that we may.
    const armed = token.kept === 'HOME' && after.armed && !before.armed;
    return !armed || this.kept(after.id, 'provision').length > 0;
  }

  /** More domains than a token has room for: they will refuse it, and say why. */
  #fit(mint: () => void): void {
    try {
      mint();
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
    }
  }

  // ---- withdrawing ---------------------------------------------------------------------------------------

  /** A root of ours, and with it all that was made from it. False when it was withdrawn before. */
  revoke(tx: Tx, token: MintedToken, by: string): boolean {
    const { jti, exp, idx } = token;
    return this.#withdraw(tx, { iss: this.issuer, jti, exp, idx, time: tx.now, by }, 0);
  }

  /** One link of a chain, and what was made from that. */
  revokeLink(tx: Tx, chain: Chain, by: string): boolean {
    const jti = chain.linkJtis.at(-1);
    invariant(jti !== undefined, 'the chain has a link');
    const revocation = { iss: chain.root.iss, jti, exp: chain.root.grant.exp, time: tx.now, by };
    return this.#withdraw(tx, revocation, chain.linkJtis.length);
  }

  /** A peer withdraws what its own issuer made; false for everything else, and for what is known already. */
  hear(tx: Tx, peer: string, peerIssuers: readonly string[], revocation: Revocation): boolean {
    if (revocation.iss === this.issuer || !mayRevoke(peerIssuers, revocation)) return false;
    return this.#withdraw(tx, { ...revocation, time: tx.now, by: peer }, 0);
  }

  #withdraw(tx: Tx, revocation: RevocationRecord, links: number): boolean {
    if (!tx.book.tokens.enterRevocation(revocation, tx.undo)) return false;
    tx.tokens.revocations.push(revocation);
    const { iss, jti, by } = revocation;
    tx.record({ op: 'token.revoke', actor: by, token: { iss, jti, links } });
    return true;
  }

  // ---- showing and checking ------------------------------------------------------------------------------

  get trust(): Trust {
    const own = this.ring.trusted;
    const issuers = new Map((this.#ports.abroad?.trusted() ?? []).map((issuer) => [issuer.iss, issuer]));
    issuers.set(own.iss, own);
    return { audience: this.issuer, ownPrefixes: [this.#book.topology.document.prefix], issuers };
  }

  /** The chain without its proof. Throws a TokenError. */
  chain(text: string, now: InstantMs): Chain {
    return verifyChain(text, this.trust, this.#withdrawals, now, this.#cache);
  }

  /** Who signs for a token, as a caller: nobody but its holder, and in no project but the circuit's. */
  holder(text: string, now: InstantMs): Principal {
    const chain = this.chain(text, now);
    if (chain.root.iss !== this.issuer) throw new TokenError('ISSUER', 'ask the domain that made the token');
    return {
      id: `cct|${chain.holderThumbprint}`,
      name: `holder of a token for ${chain.grant.circuit}`,
      roles: ['user'],
      projects: [chain.root.clientId],
      assurance: 1,
    };
  }

  read(presented: Presented, now: InstantMs): Shown {
    const { text, action, bodyHash } = presented;
    const chain = this.chain(text, now);
    const said = splitToken(text).proof;
    if (said === undefined) throw new TokenError('HOLDER', 'no proof of possession');
    const opKey = presented.opKey ?? parseProof(said).claims.opKey;
    const proof = verifyProof(text, chain, { action, bodyHash, opKey }, this.trust);
    return { presented, chain, proof };
  }

  /**
   * Whether it opens the verb now: what can change is asked again, a retry told from a replay, and a new
   * operation compared with what is stored. `mbit`: what the verb takes beyond what is there. Changes nothing.
   */
  present(
    tx: Tx,
    { presented, proof }: Shown,
    ask: GrantAsk,
    mbit: number,
  ): Exclude<RedeemOutcome, { kind: 'REFUSED' }> {
    const chain = this.chain(presented.text, tx.now);
    if (chain.grant.circuit !== ask.circuit)
      throw new TokenError('SCOPE', 'the token is for another circuit');
    const outcome = redeem(chain, { proof, peer: presented.peer, mbit }, tx.book.tokens.redemptions, tx.now);
    if (outcome.kind === 'REFUSED') throw new TokenError(outcome.reason);
    if (outcome.kind === 'REDEEM') requireCovers(chain.grant, ask);
    return outcome;
  }

  /** In the transaction of the effect, or of the answer that repeats it. */
  enter(tx: Tx, shown: Shown, outcome: Exclude<RedeemOutcome, { kind: 'REFUSED' }>): void {
    // The same proof again changes nothing, and nobody fills the log with it.
    if (outcome.kind === 'PRESENT' && outcome.remember === undefined) return;
    const { root, linkJtis, grant, holderThumbprint } = shown.chain;
    const redeemed = outcome.kind === 'REDEEM';
    tx.record({
      op: redeemed ? 'token.redeem' : 'token.seen',
      txn: root.txn,
      action: shown.proof.action,
      circuit: grant.circuit,
      holder: holderThumbprint,
      token: { iss: root.iss, jti: root.jti, links: linkJtis.length },
    });
    if (redeemed) {
      tx.book.tokens.enterRedemption(outcome.redemption, tx.undo);
      tx.tokens.redemptions.push(outcome.redemption);
      tx.tokens.proofs.push(outcome.redemption.proof);
    } else if (outcome.remember !== undefined) {
      tx.book.tokens.enterProof(outcome.remember, tx.undo);
      tx.tokens.proofs.push(outcome.remember);
    }
  }

  /** What we hold ourselves of a circuit that is good for a verb; first what its holder has passed on. */
  kept(circuit: CircuitId, action: TokenAction): MintedToken[] {
    const ours = [...this.#book.tokens.tokensOf(circuit, this.issuer)].filter(
      ({ kept, scope }) => kept !== 'HOLDER' && (scope === undefined || scope.actions.includes(action)),
    );
    const rank = ({ kept }: MintedToken): number => (kept === 'DELEGATED' ? 0 : 1);
    return ours.reverse().sort((a, b) => rank(a) - rank(b));
  }

  async text({ jti }: MintedToken, store: Store): Promise<string | undefined> {
    return this.#texts.get(jti) ?? (await store.token(jti))?.text;
  }

  /** The issuer of another domain, by its name. */
  issuerOf(domain: string): string {
    return this.#ports.audienceOf(domain);
  }

  /** Asks the issuer of a token for its status list. */
  async refresh(text: string): Promise<void> {
    await this.#ports.abroad?.refresh(parsePrefix(splitToken(text).prefix).root.claims);
  }

  /** A token that this domain holds, with a fresh proof. */
  proven(
    text: string,
    aud: string,
    message: { readonly action: TokenAction; readonly body: string; readonly opKey: string },
    now: InstantMs,
  ): string {
    const iat = Math.floor(now / 1000);
    return prove(text, { ...message, aud, jti: newJti(this.random), iat }, this.ring.secret);
  }

  readonly #withdrawals = {
    isRevoked: (iss: string, jti: string): boolean => this.#book.tokens.revocations.isRevoked(iss, jti),
    // Of our own we know all: the list is made from what isRevoked asks.
    status: (root: RootClaims, now: InstantMs): TokenStatus =>
      root.iss === this.issuer ? 'VALID' : (this.#ports.abroad?.statusAt(root, now) ?? 'STALE'),
  };
}
