/**
 * Versions of the policy: uploaded, tested, tried against what was decided before, put in force, taken back.
 * For those whom the policy in force lets: by default operators. A version is never changed.
 */
import { type Static, Type } from 'typebox';
import type { PolicyView } from '../../broker/aaa/policy.ts';
import type { PolicyRecord } from '../../broker/aaa/policyPorts.ts';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { answer, BODIES, CHANGES, created, KEYS, nothingNew, refusals, resource } from '../answers.ts';
import { callOf, type Render, type Rendered, sendMutated, sendRead } from '../mutation.ts';
import type { ApiPorts } from '../resource.ts';
import {
  IdParams,
  listOf,
  MutationQuery,
  NoBody,
  NoQuery,
  pageQuery,
  pageToWire,
  readId,
  readPage,
  readTime,
  Time,
} from '../wire/common.ts';
import { IdempotencyHeader } from '../wire/headers.ts';
import {
  PolicyRequestSchema,
  PolicySchema,
  PolicySummarySchema,
  policySchemas,
  readDraft,
  SimulationSchema,
  TestResultsSchema,
  writePolicy,
  writeSummary,
} from '../wire/policy.ts';

const tags = ['policies'];
/** A version has no other. Which one is in force is not part of it, but of the list. */
const REVISION = 1;
const MOST_SIMULATED = 20_000;

const read = { authorisation: 'decided:policy.read', atDoor: true } as const;
const write = { authorisation: 'decided:policy.write', atDoor: true } as const;
const activate = { authorisation: 'decided:policy.activate', atDoor: true, bodyOptional: true } as const;

const SimulateBody = Type.Object(
  {
    from_time: Type.Optional(Time),
    before_time: Type.Optional(Time),
    most: Type.Optional(
      Type.Integer({ minimum: 1, maximum: MOST_SIMULATED, default: 1_000, description: 'At most so many' }),
    ),
  },
  { $id: 'SimulateRequest', additionalProperties: false },
);

const renderNew: Render<PolicyRecord> = (policy) => ({
  status: 201,
  body: writePolicy({ policy, active: false }),
  revision: REVISION,
  location: `/v1/policies/${policy.id}`,
});
const renderActive: Render<PolicyView> = (view): Rendered => ({ status: 200, body: writeSummary(view) });

export function policies(app: HttpServer, { broker }: ApiPorts): void {
  for (const schema of [...policySchemas, SimulateBody]) app.addSchema(schema);
  versions(app, broker);
  trials(app, broker);
  inForce(app, broker);
}

function versions(app: HttpServer, broker: ApiPorts['broker']): void {
  app.post(
    '/v1/policies',
    {
      config: write,
      schema: {
        operationId: 'createPolicy',
        summary: 'Upload a version of the policy',
        description:
          'It is checked against the schema and must pass the tests that come with it; it does not decide before it is put in force. With validate_only both are done and nothing is kept.',
        tags,
        querystring: MutationQuery,
        headers: Type.Object(IdempotencyHeader),
        body: ref(PolicyRequestSchema),
        response: {
          201: created('The version', ref(PolicySchema)),
          ...refusals(...CHANGES, ...BODIES, ...KEYS),
        },
      },
    },
    async (request, reply) => {
      const made = await broker.policies.upload(callOf(request, renderNew), readDraft(request.body));
      return sendMutated(request, reply, made, renderNew);
    },
  );

  app.get(
    '/v1/policies',
    {
      config: read,
      schema: {
        operationId: 'listPolicies',
        summary: 'List the versions, the latest first',
        tags,
        querystring: Type.Object(pageQuery, { additionalProperties: false }),
        response: {
          200: answer('A page', listOf(PolicySummarySchema)),
          ...refusals('INVALID_REQUEST', 'POLICY_DENIED'),
        },
      },
    },
    async (request) => pageToWire(await broker.policies.list(readPage(request.query)), writeSummary),
  );

  app.get(
    '/v1/policies/:id',
    {
      config: read,
      schema: {
        operationId: 'getPolicy',
        summary: 'Read a version, with its text and its tests',
        tags,
        params: IdParams,
        querystring: NoQuery,
        response: {
          200: resource('The version', ref(PolicySchema)),
          ...nothingNew,
          ...refusals('NOT_FOUND', 'POLICY_DENIED'),
        },
      },
    },
    async (request, reply) => {
      const view = await broker.policies.one(readId('pol', request.params.id));
      return sendRead(request, reply, view.active ? REVISION + 1 : REVISION, writePolicy(view));
    },
  );
}

function trials(app: HttpServer, broker: ApiPorts['broker']): void {
  app.post(
    '/v1/policies/:id/test',
    {
      config: { ...read, bodyOptional: true },
      schema: {
        operationId: 'testPolicy',
        summary: 'Run the tests of a version in the domain as it is now',
        tags,
        params: IdParams,
        querystring: NoQuery,
        body: NoBody,
        response: {
          200: answer('Each of them', ref(TestResultsSchema)),
          ...refusals(...BODIES, 'NOT_FOUND', 'POLICY_DENIED', 'POLICY_UNFIT'),
        },
      },
    },
    async (request): Promise<Static<typeof TestResultsSchema>> => {
      const results = await broker.policies.test(readId('pol', request.params.id));
      const passed = results.filter((result) => result.ok).length;
      return { passed, failed: results.length - passed, items: results.map((result) => ({ ...result })) };
    },
  );

  app.post(
    '/v1/policies/:id/simulate',
    {
      config: { ...read, bodyOptional: true },
      schema: {
        operationId: 'simulatePolicy',
        summary: 'Which past decisions would this version turn round?',
        tags,
        params: IdParams,
        querystring: NoQuery,
        body: ref(SimulateBody),
        response: {
          200: answer('Those that it would', ref(SimulationSchema)),
          ...refusals(...BODIES, 'NOT_FOUND', 'POLICY_DENIED', 'POLICY_UNFIT'),
        },
      },
    },
    async ({ params, body }): Promise<Static<typeof SimulationSchema>> => {
      const found = await broker.policies.simulate(readId('pol', params.id), {
        most: body.most ?? 1_000,
        ...(body.from_time === undefined ? {} : { from: readTime(body.from_time, '/from_time') }),
        ...(body.before_time === undefined ? {} : { before: readTime(body.before_time, '/before_time') }),
      });
      return {
        ...found,
        changes: found.changes.map(({ decisionId, was, becomes, rules }) => ({
          decision_id: decisionId,
          was,
          becomes,
          rules: [...rules],
        })),
      };
    },
  );
}

function inForce(app: HttpServer, broker: ApiPorts['broker']): void {
  const schema = {
    tags,
    querystring: MutationQuery,
    headers: Type.Object(IdempotencyHeader),
    body: NoBody,
    response: {
      200: answer('The version that decides from now on', ref(PolicySummarySchema)),
      ...refusals(...CHANGES, ...BODIES, ...KEYS, 'NOT_FOUND', 'POLICY_UNFIT'),
    },
  };
  app.post(
    '/v1/policies/:id/activate',
    {
      config: activate,
      schema: {
        ...schema,
        operationId: 'activatePolicy',
        summary: 'Put a version in force',
        description:
          'Whole and at once. One that does not load, does not pass its tests, or under which you could not put another in force, is refused, and the version before goes on deciding.',
        params: IdParams,
      },
    },
    async (request, reply) => {
      const id = readId('pol', request.params.id);
      const done = await broker.policies.activate(callOf(request, renderActive), id);
      return sendMutated(request, reply, done, renderActive);
    },
  );

  app.post(
    '/v1/policies/rollback',
    {
      config: activate,
      schema: {
        ...schema,
        operationId: 'rollBackPolicy',
        summary: 'Put the version in force that was so before this one',
      },
    },
    async (request, reply) => {
      const done = await broker.policies.rollBack(callOf(request, renderActive));
      return sendMutated(request, reply, done, renderActive);
    },
  );
}
