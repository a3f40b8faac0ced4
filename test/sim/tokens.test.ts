/**
 * Circuits with tokens over several domains, whatever gets lost and whoever dies; and the proof that their laws are
 * looked after: what is planted against them is caught within sixty seeds.
 */
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Broker } from '../../src/broker/broker.ts';
import { TokenDesk } from '../../src/broker/tokens/tokenDesk.ts';
import { Tx } from '../../src/broker/tx.ts';
import type { Plants } from './node.ts';
import { simulate } from './world.ts';

test.each([
  [1, 2],
  [4, 2],
  [6, 3],
])(
  'the laws of the token hold: seed %i, %i domains',
  async (seed, domains) => {
    const result = await simulate({ seed, domains, safetyS: 200, tokens: true });
    expect(result.violations).toEqual([]);
    expect(result.circuits).toBeGreaterThan(15);
  },
  120_000,
);

describe('what is planted is caught within sixty seeds', { timeout: 300_000 }, () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** The first thing said that is about the plant. */
  async function caught(law: RegExp, plants: Plants = {}): Promise<string | undefined> {
    for (let seed = 1; seed <= 60; seed++) {
      const options = { seed, domains: 2, safetyS: 300, tokens: true, stopAt: /./, plants };
      const { violations } = await simulate(options);
      const said = violations.find((text) => law.test(text));
      if (said !== undefined) return said;
    }
    return undefined;
  }

  test('a retry is counted again', async () => {
    const { enter } = TokenDesk.prototype;
    let n = 0;
    vi.spyOn(TokenDesk.prototype, 'enter').mockImplementation(function (this: TokenDesk, tx, shown, outcome) {
      const root = shown.chain.counters[0]?.id ?? '';
      const before = tx.book.tokens.redemptions.operation(root, shown.proof.opKey);
      if (outcome.kind !== 'PRESENT' || outcome.remember === undefined || before === undefined)
        return enter.call(this, tx, shown, outcome);
      const redemption = { ...before, opKey: `${before.opKey}+${++n}`, proof: outcome.remember };
      enter.call(this, tx, shown, { kind: 'REDEEM', redemption });
    });
    expect(await caught(/spends \d+ of \d+ Mbit/)).toBeDefined();
  });

  test('only the root is counted', async () => {
    const { chain } = TokenDesk.prototype;
    vi.spyOn(TokenDesk.prototype, 'chain').mockImplementation(function (this: TokenDesk, text, now) {
      const whole = chain.call(this, text, now);
      return { ...whole, counters: whole.counters.slice(0, 1) };
    });
    expect(await caught(/provision spends \d+ of \d+ Mbit/)).toBeDefined();
  });

  test('an effect leaves before it is durable', async () => {
    const terms = new Map<object, Broker['term']>();
    const tamper = ({ term }: Broker): void => {
      if (term !== undefined) terms.set(term.book, term);
    };
    const { apply } = Tx.prototype;
    vi.spyOn(Tx.prototype, 'apply').mockImplementation(function (this: Tx, ...args) {
      const before = this.effects.length;
      const after = apply.apply(this, args);
      const lights = this.effects.slice(before).filter(({ effect }) => effect.type === 'device.light');
      if (!this.isPreview) terms.get(this.book)?.lanes.push(lights);
      return after;
    });
    expect(await caught(/before the order is durable/, { tamper })).toBeDefined();
  });

  test('a token is demanded on release', async () => {
    const tamper = ({ term }: Broker): void => {
      const desk = term?.abroad.desk;
      if (desk === undefined) return;
      const { answer } = desk;
      desk.answer = (tx, from, message, brought) =>
        message.op === 'release' || message.op === 'cancel'
          ? { state: 'REFUSED', kind: 'TOKEN', cause: 'token HOLDER', epoch: tx.epoch }
          : answer.call(desk, tx, from, message, brought);
    };
    expect(await caught(/refuses (release|cancel) of/, { tamper })).toBeDefined();
  });
});
