/** A decision as it is served: who asked what, the answer, the rules that made it and what they saw. */
import { type Static, Type } from 'typebox';
import type { DecisionRecord } from '../../broker/ports.ts';
import { rfc3339 } from '../../kernel/clock.ts';
import { idSchema, Time } from './common.ts';

const ProofSchema = Type.Object(
  {
    seq: Type.Integer({ minimum: 0, description: 'Its place in the audit log' }),
    record: Type.String({ description: 'The record as it was hashed' }),
    inclusion: Type.Array(Type.String(), { description: 'RFC 6962, section 2.1.1; hashes in base64url' }),
    checkpoint: Type.String({ description: 'The signed note (C2SP tlog-checkpoint) that covers it' }),
  },
  { description: 'Once a checkpoint covers it, a second later: that this decision is in the signed log' },
);

export const DecisionSchema = Type.Object(
  {
    id: idSchema('dec', 'Sorts by time'),
    create_time: Time,
    principal: Type.String(),
    action: Type.String(),
    effect: Type.Enum(['ALLOW', 'DENY']),
    project: Type.String(),
    circuit_id: Type.Optional(Type.String()),
    request_id: Type.String(),
    sequence: Type.Enum(['AGENT', 'PULL', 'PUSH'], { description: 'RFC 2904' }),
    policy: Type.String({ description: 'The policy version that was asked' }),
    rules: Type.Array(Type.String(), { description: 'The rules that decided, sorted' }),
    inputs: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
      description: 'What the rules saw of the request',
    }),
    proof: Type.Optional(ProofSchema),
  },
  { $id: 'Decision' },
);

export const writeDecision = (d: DecisionRecord): Static<typeof DecisionSchema> => ({
  id: d.id,
  create_time: rfc3339(d.time),
  principal: d.principal,
  action: d.action,
  effect: d.effect,
  project: d.project,
  ...(d.circuitId === undefined ? {} : { circuit_id: d.circuitId }),
  request_id: d.requestId,
  sequence: d.sequence,
  policy: d.policy,
  rules: [...d.reasons],
  inputs: { ...d.facts },
});
