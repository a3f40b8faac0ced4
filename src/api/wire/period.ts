/** A stretch of the past that an accounting question is about, and the notation of the answer. */
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { type InstantMs, instant } from '../../kernel/clock.ts';
import { invalid, readTime, Time } from './common.ts';

const period = {
  from: Type.Optional({ ...Time, description: 'Default: the first of this month in UTC' }),
  to: Type.Optional({ ...Time, description: 'Default: now' }),
  format: Type.Optional(Type.Enum(['json', 'csv'], { default: 'json' })),
};
export const PeriodQuery = Type.Object(period, { additionalProperties: false });
export const UsageQuery = Type.Object(
  { project: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })), ...period },
  { additionalProperties: false },
);

export function readPeriod(
  query: { readonly from?: string; readonly to?: string },
  now: InstantMs,
): { readonly from: InstantMs; readonly to: InstantMs } {
  const day = new Date(now);
  // What happened in this very millisecond belongs to it.
  const to = query.to === undefined ? instant(now + 1) : readTime(query.to, 'to');
  const from =
    query.from === undefined
      ? instant(Math.min(to, Date.UTC(day.getUTCFullYear(), day.getUTCMonth())))
      : readTime(query.from, 'from');
  if (from > to) throw invalid('to', 'lies before from');
  return { from, to };
}

export const sendCsv = (reply: FastifyReply, text: string): FastifyReply =>
  reply.type('text/csv; charset=utf-8; header=present').send(text);
