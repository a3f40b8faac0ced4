/** The TestAndIncr (RFC 2579) that our writes are tied to: the value that was read, and the one that follows. */
import { integer } from './ber.ts';
import type { VarBind } from './codec.ts';

export interface Lock {
  readonly oid: string;
  readonly value: number;
}

export const lockBind = ({ oid, value }: Lock): VarBind => ({ oid, value: integer(value) });
/** TestAndIncr (RFC 2579) begins again at 0 behind the largest integer. */
export const after = (value: number): number => (value === 2_147_483_647 ? 0 : value + 1);
