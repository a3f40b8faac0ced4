/**
 * What a circuit has kept from others so far: reserved time times bandwidth, over every placement that was in
 * force, not the present one alone. Which was in force when is read from the circuit's own events. Billing
 * and quotas are not here.
 */
import { type Static, Type } from 'typebox';
import type { OctetRecord } from '../../broker/devices/octetRecords.ts';
import { type InstantMs, instant, NEVER, rfc3339 } from '../../kernel/clock.ts';
import { type Circuit, isFinal } from '../../model/circuit.ts';
import { secondsBetween } from '../../model/window.ts';
import { Time } from './common.ts';

const Count = (description: string) => Type.String({ pattern: '^[0-9]{1,24}$', description });
const OctetsSchema = Type.Object(
  {
    end: Type.Enum(['A', 'Z']),
    in: Count('Into the network, at this end; a whole number, which may be larger than 2^53'),
    out: Count('Out of the network'),
    from_time: Time,
    to_time: Time,
    exclusive: Type.Boolean({
      description: 'It had the port for itself; otherwise this is what all on the port have carried',
    }),
    complete: Type.Boolean({ description: 'No restart of the device has hidden any' }),
  },
  { description: "What the device's counters say of one end" },
);

const Mbit = (description: string) => Type.Integer({ minimum: 0, description });
export const UsageSchema = Type.Object(
  {
    circuit_id: Type.String(),
    bandwidth_mbps: Type.Integer({ description: 'Of the present placement' }),
    booked_s: Type.Optional(Type.Integer({ description: 'Length of its slot; absent when it has no end' })),
    booked_mbit: Type.Optional(Mbit('What was reserved so far, and what is left of the slot')),
    reserved_s: Type.Integer({ description: 'How long it has kept a rate from others' }),
    reserved_mbit: Mbit('That, times the rate at each time'),
    active_s: Type.Integer({ description: 'How long it carried light' }),
    octets: Type.Optional(
      Type.Array(OctetsSchema, {
        description: 'Absent where no device has counters; as of the last look, every five minutes',
      }),
    ),
  },
  { $id: 'Usage', description: 'Reserved time times bandwidth' },
);

/** From `since` on this was the placement in force. */
export interface InForce {
  readonly since: InstantMs;
  readonly start: InstantMs;
  readonly end: InstantMs;
  readonly mbps: number;
}

/** What an event tells of the placement: its snapshot is in the words of the API. */
export function inForce(event: {
  readonly time: InstantMs;
  readonly data: Readonly<Record<string, unknown>>;
}): InForce | undefined {
  const placement = event.data['placement'] as
    | { readonly start_time: string; readonly end_time?: string; readonly bandwidth_mbps: number }
    | undefined;
  if (placement === undefined) return undefined;
  return {
    since: event.time,
    start: instant(Date.parse(placement.start_time)),
    end: placement.end_time === undefined ? NEVER : instant(Date.parse(placement.end_time)),
    mbps: placement.bandwidth_mbps,
  };
}

export function usageOf(
  circuit: Circuit,
  history: readonly InForce[],
  now: InstantMs,
  octets: readonly OctetRecord[] = [],
) {
  const gaveUp = isFinal(circuit.state) ? (circuit.actualEnd ?? circuit.updateTime) : NEVER;
  const until = Math.min(now, gaveUp);
  let reservedS = 0;
  let reservedMbit = 0;
  for (const [i, { since, start, end, mbps }] of history.entries()) {
    // The first was asked for with its start, which may lie a few seconds before the answer.
    const from = i === 0 ? start : Math.max(start, since);
    const to = Math.min(end, until, history[i + 1]?.since ?? NEVER);
    const seconds = to <= from ? 0 : secondsBetween(instant(from), instant(to));
    reservedS += seconds;
    reservedMbit += seconds * mbps;
  }
  const { current } = circuit;
  const { start, end } = current?.window ?? { start: now, end: now };
  const mbps = current?.mbps ?? 0;
  const left = secondsBetween(instant(Math.max(start, Math.min(until, end))), end);
  const lit = circuit.actualStart;
  return {
    circuit_id: circuit.id,
    bandwidth_mbps: mbps,
    ...(end >= NEVER
      ? {}
      : { booked_s: secondsBetween(start, end), booked_mbit: reservedMbit + left * mbps }),
    reserved_s: reservedS,
    reserved_mbit: reservedMbit,
    active_s: lit === undefined ? 0 : Math.max(0, secondsBetween(lit, circuit.actualEnd ?? now)),
    ...(octets.length === 0 ? {} : { octets: octets.map(writeOctets) }),
  };
}

const writeOctets = ({ end, exclusive, octets }: OctetRecord): Static<typeof OctetsSchema> => ({
  end,
  in: `${octets.in}`,
  out: `${octets.out}`,
  from_time: rfc3339(octets.since),
  to_time: rfc3339(octets.last.at),
  exclusive,
  complete: octets.gaps === 0,
});
