/**
 * The part of the book that knows capability tokens: which were minted, which are withdrawn, what was
 * redeemed. Like the rest of it a fold of the rows, and every change leaves its undo.
 */
import { invariant } from '../../kernel/assert.ts';
import type { InstantMs } from '../../kernel/clock.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import { type Redemption, RedemptionBook, type SeenProof } from '../../tokens/redeem.ts';
import { Revocations } from '../../tokens/status.ts';
import { put } from '../put.ts';
import type { MintedToken, RevocationRecord, StoredTokens, TokenKeyRecord } from './tokenRecords.ts';

type Undo = () => void;

export class TokenBook {
  readonly redemptions = new RedemptionBook();
  readonly revocations = new Revocations();
  /** By kid. */
  readonly keys = new Map<string, TokenKeyRecord>();
  /** Bits that are set in our own status lists. */
  readonly withdrawn = new Set<number>();
  readonly #minted = new Map<string, MintedToken>();
  readonly #byCircuit = new Map<CircuitId, Set<string>>();
  #nextIdx = 0;
  #changes = 0;

  /** Grows with every change of keys or withdrawals: what is made from them is made anew then. */
  get changes(): number {
    return this.#changes;
  }
  get nextIdx(): number {
    return this.#nextIdx;
  }

  fold(stored: StoredTokens): void {
    for (const key of stored.keys) this.keys.set(key.kid, key);
    const none: Undo[] = [];
    for (const token of stored.minted) this.enterMinted(token, none);
    for (const redemption of stored.redemptions) this.redemptions.enter(redemption);
    for (const proof of stored.proofs) this.redemptions.remember(proof);
    for (const revocation of stored.revocations) this.enterRevocation(revocation, none);
    this.#nextIdx = Math.max(this.#nextIdx, stored.nextIdx);
    this.#changes++;
  }

  /** Of our own making, by its id. */
  minted(jti: string): MintedToken | undefined {
    return this.#minted.get(jti);
  }
  /** Of a circuit, those that are not withdrawn, the latest last. */
  *tokensOf(circuit: CircuitId, issuer: string): Iterable<MintedToken> {
    for (const jti of this.#byCircuit.get(circuit) ?? []) {
      const token = this.#minted.get(jti);
      if (token !== undefined && !this.revocations.isRevoked(issuer, jti)) yield token;
    }
  }
  /** When the last token that a key has signed ends. Seconds. */
  lastExpOf(kid: string): number {
    let last = 0;
    for (const token of this.#minted.values()) if (token.kid === kid) last = Math.max(last, token.exp);
    return last;
  }

  setKey(key: TokenKeyRecord, undo: Undo[]): void {
    const back = put(this.keys, key.kid, key);
    this.#changes++;
    undo.push(() => {
      this.#changes++;
      back();
    });
  }

  enterMinted(token: MintedToken, undo: Undo[]): void {
    invariant(!this.#minted.has(token.jti), 'a token has an id of its own');
    const before = this.#nextIdx;
    this.#minted.set(token.jti, token);
    const ofCircuit = this.#byCircuit.get(token.circuitId) ?? new Set();
    this.#byCircuit.set(token.circuitId, ofCircuit.add(token.jti));
    this.#nextIdx = Math.max(before, token.idx + 1);
    undo.push(() => {
      this.#drop(token);
      this.#nextIdx = before;
    });
  }

  enterRedemption(redemption: Redemption, undo: Undo[]): void {
    undo.push(this.redemptions.enter(redemption));
  }
  enterProof(proof: SeenProof, undo: Undo[]): void {
    undo.push(this.redemptions.remember(proof));
  }

  /** False when it was known already. */
  enterRevocation(revocation: RevocationRecord, undo: Undo[]): boolean {
    if (this.revocations.isRevoked(revocation.iss, revocation.jti)) return false;
    const { idx } = revocation;
    if (idx !== undefined) this.withdrawn.add(idx);
    this.#changes++;
    const takeOut = this.revocations.add(revocation);
    undo.push(() => {
      takeOut();
      if (idx !== undefined) this.withdrawn.delete(idx);
      this.#changes++;
    });
    return true;
  }

  /** What has ended can be asked for no more. Withdrawals stay: a status list never takes one back. */
  forget(now: InstantMs): void {
    this.redemptions.forget(now);
    for (const token of [...this.#minted.values()]) if (token.exp * 1000 <= now) this.#drop(token);
  }

  #drop({ jti, circuitId }: MintedToken): void {
    this.#minted.delete(jti);
    const ofCircuit = this.#byCircuit.get(circuitId);
    ofCircuit?.delete(jti);
    if (ofCircuit?.size === 0) this.#byCircuit.delete(circuitId);
  }
}
