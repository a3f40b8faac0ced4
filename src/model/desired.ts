/**
 * Which cross-connects should exist, from the circuits alone: hops carry device, port and label, so that no
 * topology is needed to know what must shine.
 */
import { type Circuit, type Hop, isFinal, localSegment, placements, type Segment } from './circuit.ts';

export interface Desired {
  readonly circuit: Circuit;
  readonly version: number;
  readonly segment: Segment;
}

/** The local segments of a circuit that should carry light now. */
export function desired(circuit: Circuit): Desired[] {
  if (isFinal(circuit.state) || circuit.state === 'RELEASING') return [];
  return placements(circuit).flatMap((p) => {
    const segment = localSegment(p);
    return segment !== undefined && (segment.light === 'LIGHTING' || segment.light === 'LIT')
      ? [{ circuit, version: p.version, segment }]
      : [];
  });
}

/** The same cross-connect, whichever way round it is written. */
export function hopKey(hop: Hop): string {
  const ends = [`${hop.in.port}#${hop.in.label}`, `${hop.out.port}#${hop.out.label}`].sort();
  return `${hop.device} ${ends.join(' ')}`;
}
