/** Rows of what circuits have carried, one for each end: written with their group, read for usage and for a term's beginning. */
import type { Knex } from 'knex';
import type { OctetRecord } from '../broker/devices/octetRecords.ts';
import { instant } from '../kernel/clock.ts';
import type { CircuitId } from '../kernel/ids.ts';
import { finalStates } from '../model/circuit.ts';
import { Insert, type Row, type Value } from './session.ts';

const totals = [
  ...['device', 'port', 'exclusive', 'in_octets', 'out_octets', 'since_time', 'lit', 'gaps'],
  ...['last_time', 'last_in', 'last_out', 'last_discontinuity', 'last_up'],
];

export const octets = new Insert(
  'octets',
  ['circuit_id', 'at_end', ...totals],
  `ON CONFLICT (circuit_id, at_end) DO UPDATE SET ${totals.map((name) => `${name} = excluded.${name}`).join(', ')}`,
);

export const octetsRow = (r: OctetRecord): Value[] => [
  r.circuit,
  r.end,
  r.device,
  r.port,
  r.exclusive ? 1 : 0,
  `${r.octets.in}`,
  `${r.octets.out}`,
  r.octets.since,
  r.octets.open ? 1 : 0,
  r.octets.gaps,
  r.octets.last.at,
  `${r.octets.last.inOctets}`,
  `${r.octets.last.outOctets}`,
  r.octets.last.discontinuity,
  r.octets.last.upTicks,
];

/** Of one circuit, or of all that are not final. */
export async function octetsOf(knex: Knex, circuit: CircuitId | undefined): Promise<OctetRecord[]> {
  const query = knex<Row>('octets').select('*').orderBy(['circuit_id', 'at_end']);
  const rows: Row[] =
    circuit === undefined
      ? await query.whereIn('circuit_id', knex<Row>('circuits').select('id').whereNotIn('state', finalStates))
      : await query.where('circuit_id', circuit);
  return rows.map((row) => ({
    circuit: row['circuit_id'] as CircuitId,
    end: row['at_end'] as 'A' | 'Z',
    device: row['device'] as string,
    port: row['port'] as string,
    exclusive: row['exclusive'] === 1,
    octets: {
      in: BigInt(row['in_octets'] as string),
      out: BigInt(row['out_octets'] as string),
      since: instant(row['since_time'] as number),
      open: row['lit'] === 1,
      gaps: row['gaps'] as number,
      last: {
        at: instant(row['last_time'] as number),
        inOctets: BigInt(row['last_in'] as string),
        outOctets: BigInt(row['last_out'] as string),
        discontinuity: row['last_discontinuity'] as number,
        upTicks: row['last_up'] as number,
      },
    },
  }));
}
