/**
 * The placements of a home's circuit: the one in force, the one under negotiation, and a domain's answer written
 * into either. What follows from an answer is in attempt.ts and change.ts.
 */
import { invariant } from '../../kernel/assert.ts';
import { answeredFor } from '../borders.ts';
import type { Circuit, Pending, Placement } from '../circuit.ts';
import type { HomeEv } from '../events.ts';
import { inDomain, mapSegments, remotes } from '../rules.ts';

export function inForce(c: Circuit): Placement {
  invariant(c.current !== undefined, `${c.id} is ${c.state} and has a placement`);
  return c.current;
}

export const underNegotiation = (p: Pending): boolean => p.phase === 'HOLDING' || p.phase === 'COMMITTING';

/** One domain's answer to a hold, written into the attempt; undefined when it answers something else. */
export function answered(pending: Pending | undefined, e: HomeEv<'held'>): Pending | undefined {
  if (pending?.phase !== 'HOLDING' || pending.placement.version !== e.version) return undefined;
  const placement = mapSegments(
    pending.placement,
    inDomain(e.domain, (s) => ({ ...answeredFor(s, e), agreed: 'HELD', peerRef: e.peerRef })),
  );
  const until = pending.until === undefined || e.until < pending.until ? e.until : pending.until;
  return { ...pending, placement, until };
}

export const committedBy = (p: Placement, domain: string): Placement =>
  mapSegments(
    p,
    inDomain(domain, (s) => ({ ...s, agreed: 'COMMITTED' })),
  );

export const allCommitted = (p: Placement): boolean => remotes(p).every((s) => s.agreed === 'COMMITTED');
