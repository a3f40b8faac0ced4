/**
 * A newcomer over several domains in the place of circuits that are all ours. They step aside inside their windows at
 * once, in the transaction that holds our part of it; like those that move for a peer's hold they stay where they are
 * then, whatever the other domains say.
 */
import { toSeconds } from '../../model/capacity.ts';
import type { CircuitRequest, Segment, SegmentEnd, Setback } from '../../model/circuit.ts';
import type { Placing, Slot, Wish } from '../circuits/plan.ts';
import type { Tx } from '../tx.ts';
import { planInstead } from './guest.ts';
import { endFor } from './messages.ts';
import type { PeerSegment } from './peerPorts.ts';
import { type Availability, placeAbroad } from './placeAbroad.ts';

export function placeAside(
  tx: Tx,
  id: string,
  request: CircuitRequest,
  wish: Wish,
  setbacks: readonly Setback[],
  known: readonly Availability[],
): Placing | undefined {
  if (request.protection === 'PROTECTED') return undefined;
  const { fleet } = tx.book;
  fleet.advance(toSeconds(tx.now));
  // Who may step aside is not counted: the road is one on which nothing else is in the way.
  const rigid = { ...tx.ground, calendar: fleet.rigid };
  const placing = placeAbroad(rigid, id, request, wish, setbacks, known);
  const own = placing.kind === 'placed' ? placing.segments.find((s) => s.local) : undefined;
  if (placing.kind === 'refused' || own === undefined) return undefined;
  const { slot } = placing;
  const aside = planInstead(tx, id, askedOf(request, own, slot), overRoad(request, own));
  if (aside === undefined) return undefined;
  const segments = placing.segments.map((s) => (s === own ? aside.segment : s));
  return { kind: 'placed', slot, segments, moves: aside.moves };
}

/** Our own part, as we would be asked for it. */
const askedOf = (request: CircuitRequest, own: Segment, { window, mbps }: Slot): PeerSegment => ({
  a: endFor(request, asAsked(own.a)),
  z: endFor(request, asAsked(own.z)),
  window,
  mbps,
  provision: request.provision,
  requester: '',
});

/** The label that the client's port was given beside what is rigid is perhaps somebody's who stays. */
function asAsked(end: SegmentEnd): SegmentEnd {
  if (end.border !== undefined) return end;
  const { label: _, ...open } = end;
  return open;
}

/** That road keeps to all that was asked of the whole; the names in it mean little to our part alone. */
const overRoad = (request: CircuitRequest, { links }: Segment): CircuitRequest => ({
  ...request,
  constraints: links.length === 0 ? {} : { explicit_route: links.map((link) => ({ link, strict: true })) },
});
