/** Quotas: the most that a project, or everybody at a group of ports, may have at once or in a period. */
import { Type } from 'typebox';
import type { QuotaView } from '../../broker/aaa/accounting.ts';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { answer, BODIES, CHANGES, created, KEYS, nothingNew, refusals, resource } from '../answers.ts';
import { callOf, type Rendered, sendMutated, sendRead } from '../mutation.ts';
import type { ApiPorts } from '../resource.ts';
import {
  accountingSchemas,
  QuotaChangeSchema,
  QuotaRequestSchema,
  QuotaSchema,
  readQuota,
  writeQuota,
} from '../wire/accounting.ts';
import {
  IdParams,
  listOf,
  MutationQuery,
  NoQuery,
  pageInMemory,
  pageQuery,
  readId,
  readIfMatch,
} from '../wire/common.ts';
import { IdempotencyHeader, IfMatchHeader } from '../wire/headers.ts';

const tags = ['accounting'];
const visible = { authorisation: 'visible' } as const;
const operator = { authorisation: 'decided:quota.write', atDoor: true } as const;
const params = IdParams;

const renderQuota = (quota: QuotaView): Rendered => ({
  status: 200,
  body: writeQuota(quota),
  revision: quota.revision,
});
export const renderNewQuota = (quota: QuotaView): Rendered => ({
  ...renderQuota(quota),
  status: 201,
  location: `/v1/quotas/${quota.id}`,
});
const renderGone = (): Rendered => ({ status: 204 });

export function quotas(app: HttpServer, { broker: { bursar } }: ApiPorts): void {
  for (const schema of accountingSchemas) app.addSchema(schema);

  app.post(
    '/v1/quotas',
    {
      config: operator,
      schema: {
        operationId: 'createQuota',
        summary: 'Limit what a project or a group of ports may have',
        description: 'What is booked already stays; nothing is booked beyond it from now on.',
        tags,
        querystring: MutationQuery,
        headers: Type.Object(IdempotencyHeader),
        body: ref(QuotaRequestSchema),
        response: {
          201: created('The quota', ref(QuotaSchema)),
          ...refusals(...CHANGES, ...BODIES, ...KEYS, 'QUOTA_EXISTS'),
        },
      },
    },
    async (request, reply) => {
      const made = await bursar.createQuota(callOf(request, renderNewQuota), readQuota(request.body));
      return sendMutated(request, reply, made, renderNewQuota);
    },
  );

  app.get(
    '/v1/quotas',
    {
      config: visible,
      schema: {
        operationId: 'listQuotas',
        summary: 'Quotas, and how much of each is taken',
        tags,
        querystring: Type.Object(pageQuery, { additionalProperties: false }),
        response: { 200: answer('A page', listOf(QuotaSchema)), ...refusals('INVALID_REQUEST') },
      },
    },
    async ({ principal, query }) =>
      pageInMemory(bursar.quotas(principal).map(writeQuota), ({ id }) => id, query),
  );

  app.get(
    '/v1/quotas/:id',
    {
      config: visible,
      schema: {
        operationId: 'getQuota',
        summary: 'Read a quota',
        tags,
        params,
        querystring: NoQuery,
        response: { 200: resource('The quota', ref(QuotaSchema)), ...nothingNew, ...refusals('NOT_FOUND') },
      },
    },
    async (request, reply) => {
      const quota = bursar.quota(request.principal, readId('quo', request.params.id));
      return sendRead(request, reply, quota.revision, writeQuota(quota));
    },
  );

  app.patch(
    '/v1/quotas/:id',
    {
      config: operator,
      schema: {
        operationId: 'changeQuota',
        summary: 'Change the limit of a quota',
        tags,
        params,
        querystring: MutationQuery,
        headers: IfMatchHeader,
        body: ref(QuotaChangeSchema),
        response: {
          200: resource('The quota', ref(QuotaSchema)),
          ...refusals(...CHANGES, ...BODIES, 'NOT_FOUND', 'PRECONDITION_REQUIRED'),
        },
      },
    },
    async (request, reply) => {
      const revision = readIfMatch(request.headers['if-match'], true);
      const id = readId('quo', request.params.id);
      const done = await bursar.changeQuota(callOf(request, renderQuota), id, request.body.limit, revision);
      return sendMutated(request, reply, done, renderQuota);
    },
  );

  app.delete(
    '/v1/quotas/:id',
    {
      config: operator,
      schema: {
        operationId: 'deleteQuota',
        summary: 'Lift a quota',
        tags,
        params,
        querystring: MutationQuery,
        headers: IfMatchHeader,
        response: { 204: { description: 'It is gone' }, ...refusals(...CHANGES, 'NOT_FOUND') },
      },
    },
    async (request, reply) => {
      const revision = readIfMatch(request.headers['if-match']);
      const id = readId('quo', request.params.id);
      const gone = await bursar.dropQuota(callOf(request, renderGone), id, revision);
      return sendMutated(request, reply, gone, renderGone);
    },
  );
}
