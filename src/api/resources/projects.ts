/**
 * Projects: what they have booked, what they may still book, and the statement of what they were charged.
 * Members see their own; operators see all, and are the only ones to describe, grant and refund.
 */
import { Type } from 'typebox';
import { statementCsv } from '../../aaa/ledger/usage.ts';
import type { ProjectView } from '../../broker/aaa/accounting.ts';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { answer, BODIES, CHANGES, KEYS, nothingNew, refusals, resource } from '../answers.ts';
import { callOf, type Rendered, sendMutated, sendRead } from '../mutation.ts';
import type { ApiPorts } from '../resource.ts';
import {
  GrantSchema,
  ProjectId,
  ProjectRequestSchema,
  ProjectSchema,
  RefundSchema,
  StatementSchema,
  writeProject,
  writeStatement,
} from '../wire/accounting.ts';
import {
  listOf,
  MutationQuery,
  NoQuery,
  pageInMemory,
  pageQuery,
  readId,
  readIfMatch,
} from '../wire/common.ts';
import { IdempotencyHeader, IfMatchHeader } from '../wire/headers.ts';
import { PeriodQuery, readPeriod, sendCsv } from '../wire/period.ts';

const tags = ['accounting'];
const visible = { authorisation: 'visible' } as const;
const operator = { authorisation: 'decided:project.write', atDoor: true } as const;
const params = Type.Object({ id: ProjectId });

export const renderProject = (project: ProjectView): Rendered => ({
  status: 200,
  body: writeProject(project),
  revision: project.revision,
});

export function projects(app: HttpServer, { broker: { bursar }, clock }: ApiPorts): void {
  app.get(
    '/v1/projects',
    {
      config: visible,
      schema: {
        operationId: 'listProjects',
        summary: 'Projects, what they have booked and what is left',
        tags,
        querystring: Type.Object(pageQuery, { additionalProperties: false }),
        response: { 200: answer('A page', listOf(ProjectSchema)), ...refusals('INVALID_REQUEST') },
      },
    },
    async ({ principal, query }) =>
      pageInMemory(bursar.projects(principal).map(writeProject), ({ id }) => id, query),
  );

  app.get(
    '/v1/projects/:id',
    {
      config: visible,
      schema: {
        operationId: 'getProject',
        summary: 'Read a project',
        tags,
        params,
        querystring: NoQuery,
        response: {
          200: resource('The project', ref(ProjectSchema)),
          ...nothingNew,
          ...refusals('NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const project = bursar.project(request.principal, request.params.id);
      return sendRead(request, reply, project.revision, writeProject(project));
    },
  );

  app.put(
    '/v1/projects/:id',
    {
      config: operator,
      schema: {
        operationId: 'putProject',
        summary: 'Describe a project',
        tags,
        params,
        querystring: MutationQuery,
        headers: IfMatchHeader,
        body: ref(ProjectRequestSchema),
        response: { 200: resource('The project', ref(ProjectSchema)), ...refusals(...CHANGES, ...BODIES) },
      },
    },
    async (request, reply) => {
      const revision = readIfMatch(request.headers['if-match']);
      const call = callOf(request, renderProject);
      const done = await bursar.setProject(call, request.params.id, request.body, revision);
      return sendMutated(request, reply, done, renderProject);
    },
  );

  app.post(
    '/v1/projects/:id/grants',
    {
      config: operator,
      schema: {
        operationId: 'grantToProject',
        summary: 'Give a project bandwidth times time to book',
        description: 'The first grant opens its account: from then on it books no more than it has.',
        tags,
        params,
        querystring: MutationQuery,
        headers: Type.Object(IdempotencyHeader),
        body: ref(GrantSchema),
        response: {
          200: resource('The project', ref(ProjectSchema)),
          ...refusals(...CHANGES, ...BODIES, ...KEYS),
        },
      },
    },
    async (request, reply) => {
      const { amount_mbit, reason } = request.body;
      const call = callOf(request, renderProject);
      const done = await bursar.grant(call, request.params.id, amount_mbit, reason);
      return sendMutated(request, reply, done, renderProject);
    },
  );

  app.post(
    '/v1/projects/:id/refunds',
    {
      config: operator,
      schema: {
        operationId: 'refundToProject',
        summary: 'Give back what a circuit was charged, or a part of it',
        tags,
        params,
        querystring: MutationQuery,
        headers: Type.Object(IdempotencyHeader),
        body: ref(RefundSchema),
        response: {
          200: resource('The project', ref(ProjectSchema)),
          ...refusals(...CHANGES, ...BODIES, ...KEYS, 'NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const { circuit_id, amount_mbit, reason } = request.body;
      const of = { project: request.params.id, circuit: readId('cir', circuit_id), amount: amount_mbit };
      const done = await bursar.refund(callOf(request, renderProject), of, reason);
      return sendMutated(request, reply, done, renderProject);
    },
  );

  app.get(
    '/v1/projects/:id/statement',
    {
      config: visible,
      schema: {
        operationId: 'getProjectStatement',
        summary: 'What a project was charged, circuit by circuit',
        tags,
        params,
        querystring: PeriodQuery,
        response: {
          200: answer('The statement; as CSV where asked for', ref(StatementSchema)),
          ...refusals('INVALID_REQUEST', 'NOT_FOUND'),
        },
      },
    },
    async ({ principal, params: { id }, query }, reply) => {
      const { from, to } = readPeriod(query, clock.now());
      const statement = await bursar.statement(principal, id, from, to);
      return query.format === 'csv' ? sendCsv(reply, statementCsv(statement)) : writeStatement(statement);
    },
  );
}
