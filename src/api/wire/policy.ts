/** Versions of the policy and what is asked of them, in the words of the API. */
import { type Static, Type } from 'typebox';
import type { Assertion } from '../../aaa/assertions.ts';
import { actions } from '../../aaa/decide.ts';
import type { PolicyDraft, PolicyView } from '../../broker/aaa/policy.ts';
import { ref } from '../../http/schema.ts';
import { rfc3339 } from '../../kernel/clock.ts';
import { idSchema, Time } from './common.ts';

const closed = { additionalProperties: false } as const;
const Name = Type.String({ minLength: 1, maxLength: 256 });
const Names = Type.Array(Name, { maxItems: 64 });

/** A test of a policy: who asks what, and what must come out. */
export const AssertionSchema = Type.Object(
  {
    name: Name,
    principal: Type.Object(
      {
        id: Type.Optional(Name),
        roles: Type.Optional(Type.Array(Type.Enum(['operator', 'user']), { maxItems: 2 })),
        groups: Type.Optional(Names),
        projects: Type.Optional(Names),
        assurance: Type.Optional(Type.Integer({ minimum: 0, maximum: 9 })),
      },
      closed,
    ),
    action: Type.Enum([...actions]),
    project: Type.String({ maxLength: 256 }),
    at: Type.Optional(Type.String({ format: 'date-time', description: 'When it is asked' })),
    facts: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
        description: 'What the rules are told of the request, by the names of docs/POLICY.md',
      }),
    ),
    expect: Type.Enum(['ALLOW', 'DENY']),
    because: Type.Optional(
      Type.Array(Type.String({ maxLength: 64 }), {
        maxItems: 1_000,
        description: 'Exactly these rules decide',
      }),
    ),
    near: Type.Optional(
      Type.String({
        maxLength: 64,
        description: 'A clause of this rule is among what would have been needed',
      }),
    ),
  },
  { $id: 'PolicyAssertion', ...closed },
);

export const PolicyRequestSchema = Type.Object(
  {
    text: Type.String({ minLength: 1, maxLength: 200_000, description: 'Cedar; see docs/POLICY.md' }),
    description: Type.Optional(Type.String({ maxLength: 1_024 })),
    assertions: Type.Optional(
      Type.Array(ref(AssertionSchema), {
        maxItems: 1_000,
        description: 'Its tests: it is stored if they pass',
      }),
    ),
  },
  {
    $id: 'PolicyRequest',
    ...closed,
    examples: [
      {
        text: '@id("members-book") permit (principal, action in Action::"book", resource) when { principal in resource };',
        description: 'members only',
        assertions: [
          {
            name: 'a member',
            principal: { projects: ['lhc'] },
            action: 'circuit.create',
            project: 'lhc',
            expect: 'ALLOW',
          },
        ],
      },
    ],
  },
);

const summary = {
  id: idSchema('pol', 'The version'),
  state: Type.Enum(['ACTIVE', 'INACTIVE']),
  description: Type.Optional(Type.String()),
  author: Type.String(),
  create_time: Time,
  sha256: Type.String({ description: 'Of the text' }),
  schema_sha256: Type.String({ description: 'Of the schema that it was checked against' }),
  rules: Type.Array(Type.Object({ id: Type.String(), effect: Type.Enum(['permit', 'forbid']) })),
  assertion_count: Type.Integer(),
};
/** Of a list: without what is long. */
export const PolicySummarySchema = Type.Object(summary, { $id: 'PolicySummary' });
export const PolicySchema = Type.Object(
  { ...summary, text: Type.String(), assertions: Type.Array(ref(AssertionSchema)) },
  { $id: 'Policy' },
);

export const TestResultsSchema = Type.Object(
  {
    passed: Type.Integer(),
    failed: Type.Integer(),
    items: Type.Array(
      Type.Object({ name: Type.String(), ok: Type.Boolean(), detail: Type.Optional(Type.String()) }),
    ),
  },
  { $id: 'PolicyTest' },
);

export const SimulationSchema = Type.Object(
  {
    decisions: Type.Integer({ description: 'So many were decided again, the latest first' }),
    unknown: Type.Integer({
      description: 'Of these, so many lack something that this version looks at, or met an error then',
    }),
    more: Type.Boolean({ description: 'There are older ones' }),
    changes: Type.Array(
      Type.Object({
        decision_id: Type.String(),
        was: Type.Enum(['ALLOW', 'DENY']),
        becomes: Type.Enum(['ALLOW', 'DENY']),
        rules: Type.Array(Type.String()),
      }),
    ),
  },
  { $id: 'PolicySimulation' },
);

export const policySchemas = [
  AssertionSchema,
  PolicyRequestSchema,
  PolicySummarySchema,
  PolicySchema,
  TestResultsSchema,
  SimulationSchema,
];

export const readDraft = (wire: Static<typeof PolicyRequestSchema>): PolicyDraft => ({
  text: wire.text,
  // Of the same shape, by the schema above.
  assertions: (wire.assertions ?? []) as readonly Assertion[],
  ...(wire.description === undefined ? {} : { description: wire.description }),
});

export const writeSummary = ({ policy, active }: PolicyView): Static<typeof PolicySummarySchema> => ({
  id: policy.id,
  state: active ? 'ACTIVE' : 'INACTIVE',
  ...(policy.description === undefined ? {} : { description: policy.description }),
  author: policy.author,
  create_time: rfc3339(policy.createTime),
  sha256: policy.sha256,
  schema_sha256: policy.schema,
  rules: policy.rules.map((rule) => ({ ...rule })),
  assertion_count: policy.assertions.length,
});

export const writePolicy = (view: PolicyView): Static<typeof PolicySchema> => ({
  ...writeSummary(view),
  text: view.policy.text,
  assertions: view.policy.assertions as Static<typeof AssertionSchema>[],
});
