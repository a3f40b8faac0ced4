/** A decision as it is served: who asked what, the answer, the rules that made it and what they saw. */
import { type Static, Type } from 'typebox';
import { actions, type NearMiss, type Verdict } from '../../aaa/decide.ts';
import type { ExplainAsk, Explained } from '../../broker/aaa/policyDesk.ts';
import type { DecisionRecord } from '../../broker/ports.ts';
import { ref } from '../../http/schema.ts';
import { rfc3339 } from '../../kernel/clock.ts';
import type { Principal } from '../../model/principal.ts';
import { ChangeBody, readChange } from './change.ts';
import { idSchema, invalid, NeededSchema, readId, type Seen, seenSchema, Time } from './common.ts';
import { CircuitRequestSchema, readRequest } from './request.ts';

const Effect = Type.Enum(['ALLOW', 'DENY']);
const answered = {
  action: Type.String(),
  effect: Effect,
  project: Type.String(),
  policy_id: Type.Optional(idSchema('pol', 'The version of the policy that was in force')),
  policy: Type.String({ description: 'SHA-256 of its text; NONE where none was in force' }),
  policy_schema: Type.String({ description: 'SHA-256 of the schema that it was checked against' }),
  rules: Type.Array(Type.String(), {
    description:
      'The rules that decided, sorted. REDUCE_ONLY: the policy failed, and what only gives back is not kept from it. REPAIR: none was in force, and an operator mends that',
  }),
  errors: Type.Optional(
    Type.Array(Type.String(), { description: 'What went wrong; the answer is then no, but for those two' }),
  ),
  inputs: seenSchema(
    'What was asked, and what the rules saw of it: with the policy that decides again, and the same',
  ),
  near_misses: Type.Array(ref(NeededSchema), { description: 'What would have been needed' }),
};

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
    circuit_id: Type.Optional(Type.String()),
    request_id: Type.String(),
    sequence: Type.Enum(['AGENT', 'PULL', 'PUSH'], {
      description:
        'RFC 2904: the broker acts for the user, a device or domain asks, or the user brings a token',
    }),
    token: Type.Optional(
      Type.Object(
        { iss: Type.String(), jti: Type.String(), links: Type.Array(Type.String()) },
        { description: 'Which token was shown: its issuer, its id, and those of its links' },
      ),
    ),
    proof: Type.Optional(ProofSchema),
    refused: Type.Optional(
      Type.String({
        description: 'It was allowed and came to nothing all the same: the code of the refusal',
      }),
    ),
    ...answered,
  },
  { $id: 'Decision' },
);

export const ExplanationSchema = Type.Object(
  { principal: Type.String(), ...answered },
  { $id: 'Explanation', description: 'What would be decided; nothing was written' },
);

export const ExplainRequestSchema = Type.Object(
  {
    action: Type.Enum([...actions], { description: 'As in `circuit.create`' }),
    circuit: Type.Optional(ref(CircuitRequestSchema)),
    circuit_id: Type.Optional(Type.String({ maxLength: 64, description: 'One that stands' })),
    change: Type.Optional(ChangeBody),
    project: Type.Optional(Type.String({ maxLength: 256, description: 'Where it is about no circuit' })),
    suppose: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
        description: 'Facts in the place of those that would be found, by the names of docs/POLICY.md',
        maxProperties: 64,
      }),
    ),
  },
  {
    $id: 'ExplainRequest',
    additionalProperties: false,
    examples: [{ action: 'topology.write' }],
  },
);

export const decisionSchemas = [DecisionSchema, ExplainRequestSchema, ExplanationSchema];

export const writeNearMiss = ({ rule, effect, clause, values }: NearMiss): Static<typeof NeededSchema> => ({
  rule,
  effect,
  clause,
  values: values as Seen,
});

const writeAnswered = (
  d: Verdict & Pick<DecisionRecord, 'action' | 'project' | 'policyId'>,
  inputs: NonNullable<Verdict['seen']>,
) => ({
  action: d.action,
  effect: d.effect,
  project: d.project,
  ...(d.policyId === undefined ? {} : { policy_id: d.policyId }),
  policy: d.policy,
  policy_schema: d.schema,
  rules: [...d.reasons],
  ...(d.errors === undefined ? {} : { errors: [...d.errors] }),
  // Lists in it are read-only here and not in the schema.
  inputs: inputs as Seen,
  near_misses: (d.nearMisses ?? []).map(writeNearMiss),
});

export const writeDecision = (d: DecisionRecord): Static<typeof DecisionSchema> => ({
  id: d.id,
  create_time: rfc3339(d.time),
  principal: d.principal,
  ...(d.circuitId === undefined ? {} : { circuit_id: d.circuitId }),
  request_id: d.requestId,
  sequence: d.sequence,
  ...(d.token === undefined ? {} : { token: { ...d.token, links: [...d.token.links] } }),
  ...(d.refused === undefined ? {} : { refused: d.refused }),
  ...writeAnswered(d, { ...d.facts, ...d.seen }),
});

export const writeExplanation = (d: Explained, who: Principal): Static<typeof ExplanationSchema> => ({
  principal: who.id,
  ...writeAnswered(d, d.seen ?? {}),
});

export function readExplain(wire: Static<typeof ExplainRequestSchema>, who: Principal): ExplainAsk {
  const { action, circuit, circuit_id, change, project, suppose } = wire;
  if (circuit !== undefined && circuit_id !== undefined)
    throw invalid(
      '/circuit_id',
      'is about a circuit that stands, `circuit` about a new one: give one of them',
    );
  if (change !== undefined && circuit_id === undefined) throw invalid('/change', 'needs a circuit_id');
  return {
    action,
    ...(circuit === undefined ? {} : { request: readRequest(circuit, who, '/circuit').request }),
    ...(circuit_id === undefined ? {} : { circuitId: readId('cir', circuit_id) }),
    ...(change === undefined ? {} : { change: readChange(change) }),
    ...(project === undefined ? {} : { project }),
    ...(suppose === undefined ? {} : { suppose }),
  };
}
