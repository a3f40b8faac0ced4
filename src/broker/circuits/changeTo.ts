/**
 * Another placement for a circuit, for a reason of ours and not by a wish of its owner: it stands at once, or when
 * the other domains in it have agreed, and until then the one in force does.
 */
import { instant } from '../../kernel/clock.ts';
import type { Circuit, Placement } from '../../model/circuit.ts';
import type { HomeEv } from '../../model/events.ts';
import { ATTEMPT_MS } from '../limits.ts';
import type { Tx } from '../tx.ts';

type Why = Required<Pick<HomeEv<'modify'>, 'cause'>> & Pick<HomeEv<'modify'>, 'for' | 'asked'>;

export function changeTo(
  tx: Tx,
  circuit: Circuit,
  next: Omit<Placement, 'version'>,
  why: Why,
  decisionId?: string,
): Placement {
  const placement: Placement = { ...next, version: circuit.version + 1 };
  const until = instant(tx.now + ATTEMPT_MS);
  const { request } = circuit;
  tx.apply(circuit.id, { type: 'modify', placement, request, until, ...why, at: tx.now }, decisionId);
  return placement;
}
