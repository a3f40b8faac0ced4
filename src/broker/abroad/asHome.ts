/** What a home answers to the domains that have a part in a circuit of its own: how it stands, and that it has heard. */
import { agreedOf, type Circuit, placements } from '../../model/circuit.ts';
import type { Tx } from '../tx.ts';
import type { PeerAnswer, PeerMessage } from './peerPorts.ts';
import { newsOf } from './present.ts';

export function answerAsHome(
  tx: Tx,
  circuit: Circuit,
  from: string,
  message: Extract<PeerMessage, { op: 'query' | 'notify' }>,
  epoch: number,
): PeerAnswer {
  if (message.op === 'notify' && hasPart(circuit, from)) {
    tx.apply(circuit.id, newsOf(from, message, tx.now));
  }
  const now = tx.book.circuits.get(circuit.id) ?? circuit;
  switch (now.state) {
    case 'RESERVING':
    case 'HELD':
    case 'COMMITTING':
      return { state: 'PENDING', epoch };
    case 'SCHEDULED':
    case 'PROVISIONING':
    case 'ACTIVE':
      return { state: 'ACTIVE', version: agreedOf(now)?.version ?? 0, epoch };
    default:
      return { state: 'ABORTED', epoch };
  }
}

/** A domain with a segment of a home circuit of ours. */
export const hasPart = (circuit: Circuit, domain: string): boolean =>
  circuit.role === 'HOME' &&
  placements(circuit).some((p) => p.segments.some((s) => !s.local && s.domain === domain));
