/**
 * One mutation from beginning to end: only looked at, or decided and made durable, and under its
 * Idempotency-Key at most once. What was answered under a key is stored with what it answers for, so that a
 * repeat gets the same words even after a crash.
 */
import { createHash } from 'node:crypto';
import { type Clock, instant } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';
import type { Mutated, Mutation } from './calls.ts';
import type { Office } from './office.ts';
import type { Store } from './ports.ts';
import type { Term } from './term.ts';
import type { Tx } from './tx.ts';
import { StoredRefusal } from './writer.ts';

const KEY_LIFE_MS = 86_400_000;

export class Mutations {
  done = 0;
  refused = 0;
  readonly #office: Office;
  readonly #ports: { readonly store: Store; readonly clock: Clock };

  constructor(office: Office, ports: { readonly store: Store; readonly clock: Clock }) {
    this.#office = office;
    this.#ports = ports;
  }

  /** One mutation: under its idempotency key, decided and made durable, or only looked at. */
  async run<T>(
    call: Mutation<T>,
    decide: (tx: Tx, term: Term) => T | StoredRefusal,
    reduces = false,
  ): Promise<Mutated<T>> {
    const term = this.#office.now();
    if (call.validateOnly) return { kind: 'done', value: term.writer.preview((tx) => decide(tx, term)) };
    const { idempotency } = call;
    if (idempotency === undefined) return { kind: 'done', value: await this.#submit(term, decide, reduces) };

    const bodyHash = createHash('sha256')
      .update(`${call.principal.id}\u0000${idempotency.bodyHash}`)
      .digest('base64url');
    const known = term.book.keys.get(idempotency.key);
    if (known !== undefined && known.expire > this.#ports.clock.now()) {
      if (known.bodyHash !== bodyHash)
        throw new BrokerError(
          'IDEMPOTENCY_KEY_REUSED',
          'this Idempotency-Key came with another request before',
        );
      if (known.pending)
        throw new BrokerError(
          'IDEMPOTENCY_IN_PROGRESS',
          'the first request with this Idempotency-Key is still running',
          { retry_after_s: 1 },
        );
      const stored = await this.#ports.store.idempotent(call.principal.id, idempotency.key);
      if (stored !== undefined) return { kind: 'replayed', answer: stored.answer };
    }
    const keep = (tx: Tx, outcome: { readonly ok: T } | { readonly problem: BrokerError }): void => {
      const expireTime = instant(tx.now + KEY_LIFE_MS);
      const answer = idempotency.render(outcome);
      tx.book.setKey(
        idempotency.key,
        { principal: call.principal.id, bodyHash, expire: expireTime, pending: true },
        tx.undo,
      );
      tx.idempotency.push({
        principal: call.principal.id,
        key: idempotency.key,
        bodyHash,
        expireTime,
        answer,
      });
    };
    const settle = (): void => {
      const state = term.book.keys.get(idempotency.key);
      if (state?.pending === true && state.bodyHash === bodyHash)
        term.book.keys.set(idempotency.key, { ...state, pending: false });
    };
    const guarded = (tx: Tx): T | StoredRefusal => {
      try {
        const outcome = decide(tx, term);
        if (outcome instanceof StoredRefusal) keep(tx, { problem: outcome.problem });
        else keep(tx, { ok: outcome });
        return outcome;
      } catch (error) {
        if (!(error instanceof BrokerError) || error.status >= 500) throw error;
        const problem = tx.refuse(error);
        keep(tx, { problem });
        return new StoredRefusal(problem);
      }
    };
    try {
      const value = await this.#submit(term, guarded, reduces);
      settle();
      return { kind: 'done', value };
    } catch (error) {
      settle();
      throw error;
    }
  }

  async #submit<T>(
    term: Term,
    decide: (tx: Tx, term: Term) => T | StoredRefusal,
    reduces: boolean,
  ): Promise<T> {
    try {
      const value = await term.writer.submit((tx) => decide(tx, term), reduces);
      this.done++;
      return value;
    } catch (error) {
      this.refused++;
      throw error;
    }
  }
}
