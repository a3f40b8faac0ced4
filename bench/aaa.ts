/**
 * What authorisation costs, each figure beside its raw primitive in the same run. Rates are per second of
 * CPU, so that a busy machine changes them little. Everything is in memory: what the store adds to a
 * decision or a transfer is in the benchmark of admissions.
 */
import { audit, auditStart } from './aaa/audit.ts';
import { ledger } from './aaa/ledger.ts';
import { policy } from './aaa/policy.ts';
import { tokens } from './aaa/tokens.ts';
import { type Bench, numberOf } from './line.ts';

export const run: Bench = async function* (options) {
  const scale = numberOf(options, 'scale', 1);
  yield* tokens(scale);
  yield* policy(scale);
  yield* audit(numberOf(options, 'records', 200_000 * scale));
  yield* auditStart(numberOf(options, 'records', 200_000 * scale));
  yield* ledger(scale);
};
