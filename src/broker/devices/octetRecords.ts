/** What was counted of a circuit at either end, as the store keeps it. Who counts is meter.ts. */
import type { CircuitId } from '../../kernel/ids.ts';
import type { Octets } from '../../model/octets.ts';

/** What one end of a circuit has carried into our network and out of it. */
export interface OctetRecord {
  readonly circuit: CircuitId;
  readonly end: 'A' | 'Z';
  readonly device: string;
  readonly port: string;
  /** It had the port for itself. Otherwise this is what everybody on the port has carried: no less than its own. */
  readonly exclusive: boolean;
  readonly octets: Octets;
}

export const keyOf = ({ circuit, end }: Pick<OctetRecord, 'circuit' | 'end'>): string => `${circuit} ${end}`;
