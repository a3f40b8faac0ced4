/**
 * Attacks 26 to 30 and 41: a retry is answered, a replay refused, one use is one effect, and a budget split
 * among delegates is spent once. Every row is one presentation after others; the book is the fold of rows.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type InstantMs, instant } from '../../src/kernel/clock.ts';
import type { TokenAction } from '../../src/tokens/grant.ts';
import { type Redemption, RedemptionBook, redeem } from '../../src/tokens/redeem.ts';
import { verifyChain, verifyProof } from '../../src/tokens/verify.ts';
import { holders, jti, NOW, NOW_S, nothingRevoked, pass, present, root, SDG, sha, trust } from './forge.ts';

interface Ask {
  readonly body?: string;
  readonly opKey?: string;
  readonly action?: TokenAction;
  readonly peer?: string;
  readonly mbit?: number;
  readonly now?: InstantMs;
}

/** What a server does with one presentation, the state being `book`. */
function serve(book: RedemptionBook, text: string, ask: Ask = {}, rows: Redemption[] = []): string {
  const { body = '{}', opKey = 'op-1', action = 'provision', now = NOW } = ask;
  const chain = verifyChain(text, trust(), nothingRevoked, now);
  const proof = verifyProof(text, chain, { action, opKey, bodyHash: sha(body) }, trust());
  const outcome = redeem(chain, { proof, peer: ask.peer ?? 'ams', mbit: ask.mbit ?? 0 }, book, now);
  if (outcome.kind === 'REFUSED') return outcome.reason;
  if (outcome.kind === 'REDEEM') {
    book.enter(outcome.redemption);
    rows.push(outcome.redemption);
  } else if (outcome.remember !== undefined) book.remember(outcome.remember);
  return outcome.kind;
}

const token = root({ uses: 1 });
const proven = (over: Parameters<typeof present>[2] = {}, i = 0, of = token): string =>
  present(of, holders[i] ?? holders[0], { body: '{}', ...over });

describe('attack 28: the same proof twice', () => {
  const first = proven();
  test.each<[string, string, Ask, string]>([
    ['the identical request of the same peer: the present state', first, {}, 'PRESENT'],
    ['also when it is older than a new one may be', first, { now: instant(NOW + 61_000) }, 'PRESENT'],
    ['from another peer', first, { peer: 'lon' }, 'REPLAY'],
  ])('%s', (_, text, ask, expected) => {
    const book = new RedemptionBook();
    expect(serve(book, first)).toBe('REDEEM');
    expect(serve(book, text, ask)).toBe(expected);
  });
  test('an id used again over another request', () => {
    const book = new RedemptionBook();
    const id = jti();
    expect(serve(book, proven({ jti: id }))).toBe('REDEEM');
    expect(serve(book, proven({ jti: id, opKey: 'op-2' }), { opKey: 'op-2' })).toBe('REPLAY');
    expect(serve(book, proven({ jti: id, body: '{"x":1}' }), { body: '{"x":1}' })).toBe('REPLAY');
  });
  test('after a restart the rows say the same', () => {
    const rows: Redemption[] = [];
    serve(new RedemptionBook(), first, {}, rows);
    const restarted = new RedemptionBook();
    for (const row of rows) restarted.enter(row);
    expect(serve(restarted, first)).toBe('PRESENT');
    expect(serve(restarted, proven({ opKey: 'op-2' }), { opKey: 'op-2' })).toBe('SPENT');
  });
  test('another holder cannot use up the ids of this one', () => {
    const book = new RedemptionBook();
    const wide = root();
    const id = jti();
    expect(serve(book, proven({ jti: id, opKey: 'op-9' }, 1, pass(wide, 0)), { opKey: 'op-9' })).toBe(
      'REDEEM',
    );
    expect(serve(book, proven({ jti: id }, 0, wide))).toBe('REDEEM');
  });
});

describe('attack 27: the age of a new proof', () => {
  test.each([
    [NOW_S - 60, 'REDEEM'],
    [NOW_S - 61, 'PROOF_STALE'],
    [NOW_S + 5, 'REDEEM'],
    [NOW_S + 6, 'PROOF_STALE'],
  ])('signed at %i: %s', (iat, expected) => {
    expect(serve(new RedemptionBook(), proven({ iat }))).toBe(expected);
  });
  test('attack 68: a forgotten proof is not revived by a clock that steps back', () => {
    const book = new RedemptionBook();
    const first = proven();
    serve(book, first);
    book.forget(instant(NOW + 61_000));
    expect(serve(book, first)).toBe('PROOF_STALE');
  });
  test('it is remembered for as long as it would be fresh', () => {
    for (const iat of [NOW_S - 60, NOW_S, NOW_S + 5]) {
      const book = new RedemptionBook();
      const text = proven({ iat });
      serve(book, text);
      for (let s = 0; s < 70; s++) {
        const now = instant(NOW + s * 1000);
        book.forget(now);
        expect(['PRESENT', 'PROOF_STALE']).toContain(serve(book, text, { now }));
      }
    }
  });
});

describe('attack 29: one use', () => {
  test('a fresh proof over the old operation is a retry', () => {
    const book = new RedemptionBook();
    expect(serve(book, proven())).toBe('REDEEM');
    const again = proven();
    expect(serve(book, again)).toBe('PRESENT');
    expect(serve(book, again, { peer: 'lon' })).toBe('REPLAY');
    expect(book.uses(verifyChain(token, trust(), nothingRevoked, NOW).counters[0]?.id ?? '')).toBe(1);
  });
  test('a fresh proof over a new operation is refused', () => {
    const book = new RedemptionBook();
    serve(book, proven());
    expect(serve(book, proven({ opKey: 'op-2' }), { opKey: 'op-2' })).toBe('SPENT');
  });
  test('the old operation key with another body or verb', () => {
    const book = new RedemptionBook();
    serve(book, proven());
    expect(serve(book, proven({ body: '{"x":1}' }), { body: '{"x":1}' })).toBe('OP_KEY_REUSED');
    expect(serve(book, proven({ action: 'modify' }), { action: 'modify' })).toBe('OP_KEY_REUSED');
  });
  test('a release after the last use is not refused', () => {
    const book = new RedemptionBook();
    serve(book, proven());
    expect(
      serve(book, proven({ opKey: 'op-2', action: 'release' }), { opKey: 'op-2', action: 'release' }),
    ).toBe('REDEEM');
  });
  test('of fifty, in any order, one is done', () => {
    const book = new RedemptionBook();
    const many = Array.from({ length: 50 }, (_, i) =>
      serve(book, proven({ opKey: `op-${i}` }), { opKey: `op-${i}` }),
    );
    expect(many.filter((o) => o === 'REDEEM')).toHaveLength(1);
  });
  test('what a failed transaction entered is taken out again', () => {
    const book = new RedemptionBook();
    const chain = verifyChain(token, trust(), nothingRevoked, NOW);
    const text = proven();
    const proof = verifyProof(
      text,
      chain,
      { action: 'provision', opKey: 'op-1', bodyHash: sha('{}') },
      trust(),
    );
    const outcome = redeem(chain, { proof, peer: 'ams', mbit: 5 }, book, NOW);
    if (outcome.kind !== 'REDEEM') throw new Error(outcome.kind);
    book.enter(outcome.redemption)();
    expect(serve(book, text, { mbit: 5 })).toBe('REDEEM');
  });
});

describe('attack 41: the budget', () => {
  const wide = root({}, { bud: new Map([[SDG, 100]]) });
  const left = pass(wide, 0, { bud: new Map([[SDG, 60]]) });
  const right = pass(wide, 0, { bud: new Map([[SDG, 60]]) });
  const spend = (book: RedemptionBook, of: string, mbit: number, opKey: string): string =>
    serve(book, proven({ opKey }, 1, of), { mbit, opKey });
  test('two delegates do not overspend the root together', () => {
    const book = new RedemptionBook();
    expect(spend(book, left, 60, 'a')).toBe('REDEEM');
    expect(spend(book, right, 41, 'b')).toBe('BUDGET');
    expect(spend(book, right, 40, 'c')).toBe('REDEEM');
  });
  test('nor one of them its own share', () => {
    expect(spend(new RedemptionBook(), left, 61, 'a')).toBe('BUDGET');
  });
  test.each([-1, 0.5, Number.NaN, 2 ** 53])('%d Mbit are no cost', (mbit) => {
    expect(spend(new RedemptionBook(), left, mbit, 'a')).toBe('BUDGET');
  });
  test('a domain without a share has none', () => {
    const foreign = root({}, { bud: new Map() });
    expect(serve(new RedemptionBook(), proven({}, 0, foreign), { mbit: 1 })).toBe('BUDGET');
  });
  test('whatever is presented in whatever order, no prefix spends more than it has', () => {
    const tokens = [
      { of: left, i: 1 },
      { of: right, i: 1 },
      { of: pass(left, 1, { bud: new Map([[SDG, 30]]) }), i: 2 },
      { of: wide, i: 0 },
    ];
    fc.assert(
      fc.property(
        fc.array(fc.record({ which: fc.nat(3), mbit: fc.nat(50), op: fc.nat(9) }), { maxLength: 25 }),
        (asks) => {
          const book = new RedemptionBook();
          for (const { which, mbit, op } of asks) {
            const { of, i } = tokens[which] ?? { of: wide, i: 0 };
            serve(book, proven({ opKey: `op-${op}` }, i, of), { mbit, opKey: `op-${op}` });
          }
          for (const { of } of tokens) {
            for (const { id, bud } of verifyChain(of, trust(), nothingRevoked, NOW).counters)
              expect(book.spent(id, SDG)).toBeLessThanOrEqual(bud.get(SDG) ?? 0);
          }
        },
      ),
      { numRuns: 20 },
    );
  });
});
