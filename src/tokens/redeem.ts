/**
 * Redemption: a verified chain and proof against what was redeemed before. A retry is told from a replay in
 * the one order that is safe, and the answer is data: the present state again, a new redemption to store
 * together with its effect, or a refusal. Nothing is changed here; RedemptionBook is the fold of the rows.
 */
import { type InstantMs, instant } from '../kernel/clock.ts';
import type { ProofClaims } from './claims.ts';
import { sha256 } from './encoding.ts';
import { takes } from './grant.ts';
import type { TokenRefusal } from './refusal.ts';
import { type Chain, PROOF_LIFE_S, SKEW_S } from './verify.ts';

/** A proof that has been used: kept until it would be refused as old anyway. */
export interface SeenProof {
  /** Of one holder: nobody can use up the ids of another. */
  readonly id: string;
  readonly requestHash: string;
  /** Who brought it, as the TLS layer says. */
  readonly peer: string;
  readonly until: InstantMs;
}

/** One row: unique by (rootId, opKey). */
export interface Redemption {
  readonly rootId: string;
  readonly opKey: string;
  readonly bodyHash: string;
  readonly action: string;
  readonly at: InstantMs;
  readonly uses: 0 | 1;
  readonly audience: string;
  /** Charged to each of these. */
  readonly counters: readonly string[];
  readonly mbit: number;
  readonly proof: SeenProof;
  /** The end of the root: nothing can be redeemed with it after that. */
  readonly until: InstantMs;
}

export interface RedemptionState {
  /** The latest moment that this state has seen: a clock that steps back revives no proof. */
  readonly floor: InstantMs;
  proof(id: string): SeenProof | undefined;
  operation(rootId: string, opKey: string): Pick<Redemption, 'bodyHash' | 'action'> | undefined;
  uses(rootId: string): number;
  spent(counter: string, audience: string): number;
}

export type RedeemOutcome =
  /** A retry: answer with the present state, do nothing. `remember` is stored when given. */
  | { readonly kind: 'PRESENT'; readonly remember?: SeenProof }
  | { readonly kind: 'REDEEM'; readonly redemption: Redemption }
  | { readonly kind: 'REFUSED'; readonly reason: TokenRefusal };

export interface RedeemAsk {
  readonly proof: ProofClaims;
  readonly peer: string;
  /** What this costs of the domain's prepaid budget, in Mbit; nothing for a change that costs no more. */
  readonly mbit: number;
}

/** `chain` and `ask.proof` have been verified (verifyChain, verifyProof): that is step 1. */
export function redeem(chain: Chain, ask: RedeemAsk, state: RedemptionState, now: InstantMs): RedeemOutcome {
  const { proof, peer, mbit } = ask;
  const at = instant(Math.max(now, state.floor));
  const id = sha256(`${chain.holderThumbprint}\n${proof.jti}`);
  const requestHash = sha256(`${proof.prh}\n${proof.action}\n${proof.bodyHash}\n${proof.opKey}`);
  // 2. A known proof: the same request from the same peer is a retry, however late; all else is a replay.
  const known = state.proof(id);
  if (known !== undefined) {
    return known.requestHash === requestHash && known.peer === peer
      ? { kind: 'PRESENT' }
      : { kind: 'REFUSED', reason: 'REPLAY' };
  }
  // 3. A new one must be of now.
  const age = at - proof.iat * 1000;
  if (age > PROOF_LIFE_S * 1000 || age < -SKEW_S * 1000) return { kind: 'REFUSED', reason: 'PROOF_STALE' };
  const seen: SeenProof = {
    id,
    requestHash,
    peer,
    until: instant((proof.iat + PROOF_LIFE_S + 1) * 1000),
  };
  // 4. The operation was done already: retries sign new proofs over the old key.
  const rootId = chain.counters[0]?.id ?? '';
  const done = state.operation(rootId, proof.opKey);
  if (done !== undefined) {
    return done.bodyHash === proof.bodyHash && done.action === proof.action
      ? { kind: 'PRESENT', remember: seen }
      : { kind: 'REFUSED', reason: 'OP_KEY_REUSED' };
  }
  // 5. A new operation: uses at the root, the budget at the root and at every link.
  const uses = takes(proof.action) ? 1 : 0;
  if (uses === 1 && state.uses(rootId) >= chain.root.uses) return { kind: 'REFUSED', reason: 'SPENT' };
  if (!Number.isSafeInteger(mbit) || mbit < 0) return { kind: 'REFUSED', reason: 'BUDGET' };
  for (const counter of chain.counters) {
    const left = (counter.bud.get(proof.aud) ?? 0) - state.spent(counter.id, proof.aud);
    if (mbit > 0 && mbit > left) return { kind: 'REFUSED', reason: 'BUDGET' };
  }
  const redemption: Redemption = {
    rootId,
    opKey: proof.opKey,
    bodyHash: proof.bodyHash,
    action: proof.action,
    at,
    uses,
    audience: proof.aud,
    counters: chain.counters.map((c) => c.id),
    mbit,
    proof: seen,
    until: instant(chain.root.grant.exp * 1000),
  };
  return { kind: 'REDEEM', redemption };
}

/** The state as a fold of its rows, each of which can be taken back while its transaction is open. */
export class RedemptionBook implements RedemptionState {
  floor: InstantMs = instant(0);
  readonly #proofs = new Map<string, SeenProof>();
  readonly #operations = new Map<string, Redemption>();
  readonly #uses = new Map<string, number>();
  readonly #spent = new Map<string, number>();

  proof(id: string): SeenProof | undefined {
    return this.#proofs.get(id);
  }
  operation(rootId: string, opKey: string): Redemption | undefined {
    return this.#operations.get(`${rootId}\n${opKey}`);
  }
  uses(rootId: string): number {
    return this.#uses.get(rootId) ?? 0;
  }
  spent(counter: string, audience: string): number {
    return this.#spent.get(`${counter}\n${audience}`) ?? 0;
  }

  /** Enters a redemption; the function given back takes it out again. */
  enter(r: Redemption): () => void {
    const forget = this.remember(r.proof);
    const key = `${r.rootId}\n${r.opKey}`;
    this.#operations.set(key, r);
    this.#charge(r, 1);
    return () => {
      this.#operations.delete(key);
      this.#charge(r, -1);
      forget();
    };
  }

  remember(proof: SeenProof): () => void {
    this.#proofs.set(proof.id, proof);
    return () => this.#proofs.delete(proof.id);
  }

  /** Forgets what nobody would accept any more, and sees to it that the clock cannot bring it back. */
  forget(now: InstantMs): void {
    this.floor = instant(Math.max(this.floor, now));
    for (const [id, { until }] of this.#proofs) if (until <= this.floor) this.#proofs.delete(id);
    for (const [key, r] of this.#operations) {
      if (r.until > this.floor) continue;
      this.#operations.delete(key);
      this.#uses.delete(r.rootId);
      for (const counter of r.counters) this.#spent.delete(`${counter}\n${r.audience}`);
    }
  }

  #charge(r: Redemption, sign: 1 | -1): void {
    this.#uses.set(r.rootId, this.uses(r.rootId) + sign * r.uses);
    for (const counter of r.counters)
      this.#spent.set(`${counter}\n${r.audience}`, this.spent(counter, r.audience) + sign * r.mbit);
  }
}
