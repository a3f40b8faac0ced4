/** Projects, quotas, statements and use on the wire: amounts are whole Mbit, bandwidth times time. */
import { Type } from 'typebox';
import type { Statement } from '../../aaa/ledger/usage.ts';
import type { ProjectView, QuotaAsk, QuotaView } from '../../broker/aaa/accounting.ts';
import type { UsageRecord } from '../../broker/aaa/accountRecords.ts';
import { rfc3339 } from '../../kernel/clock.ts';
import { secondsBetween } from '../../model/window.ts';
import { ColumnText, idSchema, Time } from './common.ts';

const MAX = Number.MAX_SAFE_INTEGER;
const Mbit = (description: string) => Type.Integer({ minimum: 0, description });
export const ProjectId = Type.String({
  minLength: 1,
  maxLength: 128,
  pattern: '^[^\\u0000-\\u001f\\u007f]+$',
});

const AccountSchema = Type.Object(
  {
    available_mbit: Mbit('To be booked'),
    held_mbit: Mbit('Of circuits that are booked and not over'),
    spent_mbit: Mbit('Of circuits that are over'),
  },
  { description: 'What is paid beforehand. Absent: the project is not charged' },
);
export const ProjectSchema = Type.Object(
  {
    id: ProjectId,
    description: Type.Optional(Type.String()),
    commercial: Type.Boolean(),
    circuits: Type.Integer({ minimum: 0, description: 'Booked and not over' }),
    booked_mbit: Mbit('Of these, but for those without an end'),
    account: Type.Optional(AccountSchema),
  },
  { $id: 'Project' },
);
export const ProjectRequestSchema = Type.Object(
  {
    description: Type.Optional(ColumnText(256)),
    commercial: Type.Optional(Type.Boolean({ default: false, description: 'Policies can ask for it' })),
  },
  {
    $id: 'ProjectRequest',
    additionalProperties: false,
    examples: [{ description: 'CMS replay', commercial: false }],
  },
);
const Reason = Type.Optional(ColumnText(256));
export const GrantSchema = Type.Object(
  {
    amount_mbit: Type.Integer({
      minimum: -MAX,
      maximum: MAX,
      description: 'Mb/s times seconds. A negative one takes back what is still there',
    }),
    reason: Reason,
  },
  {
    $id: 'Grant',
    additionalProperties: false,
    examples: [{ amount_mbit: 72_000_000, reason: '10G for two hours' }],
  },
);
export const RefundSchema = Type.Object(
  {
    circuit_id: idSchema('cir', 'The circuit that was charged'),
    amount_mbit: Type.Integer({ minimum: 1, maximum: MAX }),
    reason: Reason,
  },
  {
    $id: 'Refund',
    additionalProperties: false,
    examples: [{ circuit_id: 'cir_01m7vjz7sh2w1hw8gq0tm5f63q', amount_mbit: 1000 }],
  },
);

const kinds = ['CIRCUITS', 'BANDWIDTH', 'VOLUME'] as const;
const periods = ['LIVE', 'DAY', 'MONTH', 'YEAR'] as const;
const quotaFields = {
  scope: Type.Object(
    { type: Type.Enum(['PROJECT', 'PORT_GROUP']), id: ProjectId },
    { additionalProperties: false },
  ),
  kind: Type.Enum([...kinds], { description: 'Circuits, Mb/s at once, or Mbit' }),
  period: Type.Enum([...periods], {
    description:
      'LIVE: what is booked and not over. Otherwise what begins (CIRCUITS) or lies (VOLUME) in one day, month or year in UTC',
  }),
  limit: Type.Integer({ minimum: 0, maximum: MAX }),
};
export const QuotaSchema = Type.Object(
  {
    id: idSchema('quo', 'The quota'),
    ...quotaFields,
    used: Mbit('Now, or in the present period'),
    create_time: Time,
  },
  { $id: 'Quota' },
);
export const QuotaRequestSchema = Type.Object(
  { ...quotaFields, period: Type.Optional({ ...quotaFields.period, default: 'LIVE' }) },
  {
    $id: 'QuotaRequest',
    additionalProperties: false,
    examples: [{ scope: { type: 'PROJECT', id: 'lhc' }, kind: 'BANDWIDTH', limit: 40_000 }],
  },
);
export const QuotaChangeSchema = Type.Object(
  { limit: quotaFields.limit },
  { $id: 'QuotaChange', additionalProperties: false, examples: [{ limit: 80_000 }] },
);

export const UsageLineSchema = Type.Object(
  {
    circuit_id: Type.String(),
    project: Type.String(),
    start_time: Time,
    end_time: Time,
    bandwidth_mbps: Type.Integer(),
    reserved_mbit: Mbit('That rate for that time'),
  },
  { $id: 'UsageLine', description: 'A stretch of time in which a circuit kept one rate from others' },
);
export const StatementSchema = Type.Object(
  {
    project: Type.String(),
    opening_mbit: Type.Integer({ description: 'Available or held at the beginning' }),
    granted_mbit: Type.Integer(),
    lines: Type.Array(
      Type.Object({
        circuit_id: Type.String(),
        held_mbit: Mbit('Held in this time'),
        captured_mbit: Mbit('Spent in this time'),
        refunded_mbit: Mbit('Given back in this time'),
        open_mbit: Mbit('Held and not resolved at the end'),
      }),
    ),
    closing_mbit: Type.Integer({ description: 'Available or held at the end' }),
  },
  { $id: 'Statement' },
);

export const accountingSchemas = [
  ProjectSchema,
  ProjectRequestSchema,
  GrantSchema,
  RefundSchema,
  QuotaSchema,
  QuotaRequestSchema,
  QuotaChangeSchema,
  UsageLineSchema,
  StatementSchema,
];

export const writeProject = ({
  id,
  description,
  commercial,
  circuits,
  bookedMbit,
  account,
}: ProjectView) => ({
  id,
  ...(description === undefined ? {} : { description }),
  commercial,
  circuits,
  booked_mbit: bookedMbit,
  ...(account === undefined
    ? {}
    : {
        account: {
          available_mbit: account.available,
          held_mbit: account.held,
          spent_mbit: account.spent,
        },
      }),
});

export const writeQuota = ({ id, scope, kind, period, limit, used, createTime }: QuotaView) => ({
  id,
  scope: { type: scope.type, id: scope.id },
  kind,
  period,
  limit,
  used,
  create_time: rfc3339(createTime),
});

export const readQuota = (
  body: Pick<QuotaAsk, 'scope' | 'kind' | 'limit'> & { readonly period?: QuotaAsk['period'] },
): QuotaAsk => ({ scope: body.scope, kind: body.kind, period: body.period ?? 'LIVE', limit: body.limit });

export const writeUsageLine = ({ circuit, project, mbps, window }: UsageRecord) => ({
  circuit_id: circuit,
  project,
  start_time: rfc3339(window.start),
  end_time: rfc3339(window.end),
  bandwidth_mbps: mbps,
  reserved_mbit: mbps * secondsBetween(window.start, window.end),
});

export const writeStatement = ({ project, opening, granted, lines, closing }: Statement) => ({
  project,
  opening_mbit: opening,
  granted_mbit: granted,
  lines: lines.map(({ circuit, held, captured, refunded, open }) => ({
    circuit_id: circuit,
    held_mbit: held,
    captured_mbit: captured,
    refunded_mbit: refunded,
    open_mbit: open,
  })),
  closing_mbit: closing,
});
