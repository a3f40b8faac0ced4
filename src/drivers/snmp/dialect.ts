/** What differs between makers of VLAN switches, as data: the driver does the rest. */

export type Order = 'create-first' | 'leave-first';
/** All columns in the request that makes the row; made bare and then filled; or made waiting, filled, then active. */
export type Style = 'one' | 'bare' | 'wait';

export interface SnmpDialect {
  readonly name: string;
  /** What is tried first; the other is tried once when the agent objects. */
  readonly order: Order;
  readonly style: Style;
  /** Octets of a port list, where reading one does not tell. */
  readonly listOctets?: number;
  /** Why this maker's switches cannot be written to. */
  readonly refused?: string;
}
