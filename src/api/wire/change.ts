/**
 * A change of a circuit as a client writes it: a merge patch of its rate and times, or one step that extends it.
 */
import { type Static, Type } from 'typebox';
import type { CircuitChange } from '../../broker/calls.ts';
import { invalid, LONGEST_S, readTime, Time } from './common.ts';
import { Mbps } from './schedule.ts';

const End = Type.Optional(
  Type.Literal('NEVER', { description: 'Instead of an end_time: until it is released' }),
);

export const ChangeBody = Type.Object(
  {
    bandwidth_mbps: Type.Optional(Mbps),
    schedule: Type.Optional(
      Type.Object(
        {
          end_time: Type.Optional(Time),
          end: End,
          not_before_time: Type.Optional(Time),
          deadline_time: Type.Optional(Time),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
);

export const ExtendBody = Type.Object(
  {
    extend_s: Type.Optional(
      Type.Integer({ minimum: 1, maximum: LONGEST_S, description: 'So much later than now planned' }),
    ),
    end_time: Type.Optional(Time),
    end: End,
  },
  { additionalProperties: false },
);

function readEnd(
  wire: { readonly end_time?: string; readonly end?: 'NEVER' },
  base: string,
): Pick<CircuitChange, 'end'> {
  if (wire.end !== undefined && wire.end_time !== undefined)
    throw invalid(`${base}/end`, 'contradicts end_time');
  if (wire.end !== undefined) return { end: wire.end };
  return wire.end_time === undefined ? {} : { end: readTime(wire.end_time, `${base}/end_time`) };
}

export function readChange(wire: Static<typeof ChangeBody>): CircuitChange {
  const { bandwidth_mbps, schedule = {} } = wire;
  const { not_before_time, deadline_time } = schedule;
  const change: CircuitChange = {
    ...(bandwidth_mbps === undefined ? {} : { mbps: bandwidth_mbps }),
    ...readEnd(schedule, '/schedule'),
    ...(not_before_time === undefined
      ? {}
      : { notBefore: readTime(not_before_time, '/schedule/not_before_time') }),
    ...(deadline_time === undefined ? {} : { deadline: readTime(deadline_time, '/schedule/deadline_time') }),
  };
  if (Object.keys(change).length === 0) throw invalid('', 'changes nothing');
  return change;
}

export function readExtension({ extend_s: extendS, ...end }: Static<typeof ExtendBody>): CircuitChange {
  const ends = readEnd(end, '');
  if ((extendS === undefined) === (ends.end === undefined)) {
    throw invalid('/extend_s', 'or end_time: exactly one of the two is required');
  }
  return extendS === undefined ? { ...ends, laterOnly: true } : { extendS };
}
