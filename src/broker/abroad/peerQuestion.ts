/** What the policy is asked when a peer takes something: about its segment, and with which token. */
import type { Circuit, CircuitRequest } from '../../model/circuit.ts';
import type { Question } from '../aaa/authorise.ts';
import { factsOf } from '../aaa/facts.ts';
import type { Slot } from '../circuits/plan.ts';
import type { Tx } from '../tx.ts';
import type { PeerMessage } from './peerPorts.ts';
import type { PeerKey } from './peerToken.ts';

export function peerQuestion(
  tx: Tx,
  from: string,
  { op, circuit, version }: Extract<PeerMessage, { op: 'hold' | 'commit' | 'provision' }>,
  about: { request: CircuitRequest; slot: Slot; known: Circuit | undefined },
  key: PeerKey,
): Question {
  const { request, slot, known } = about;
  const { project } = request;
  return {
    principal: { id: `peer|${from}`, name: from, roles: [], projects: [project], assurance: 2 },
    requestId: `${circuit}/${version}/${op}`,
    action: 'peer.segment',
    project,
    facts: {
      ...factsOf(tx, 'peer.segment', request, {
        slot: { window: slot.window, mbps: slot.mbps },
        ...(known === undefined ? {} : { circuit: known }),
      }),
      peer: from,
      op,
    },
    ...key.question,
  };
}
