/**
 * Webhooks: somebody who wants to be called instead of asking. The secret is shown once, in the answer that
 * makes the hook. Which addresses may be called is http/address.ts, the calling itself notify/.
 */
import { Type } from 'typebox';
import type { WebhookRecord } from '../../broker/ports.ts';
import { parseTarget } from '../../http/address.ts';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { rfc3339 } from '../../kernel/clock.ts';
import { eventId } from '../../kernel/ids.ts';
import { answer, BODIES, CHANGES, created, KEYS, refusals, resource } from '../answers.ts';
import { callOf, type Render, sendMutated } from '../mutation.ts';
import type { ApiPorts } from '../resource.ts';
import {
  etagOf,
  IdParams,
  idSchema,
  MutationQuery,
  NoQuery,
  readId,
  readIfMatch,
  Time,
} from '../wire/common.ts';
import { readTypes, TypesSchema } from '../wire/event.ts';
import { IdempotencyHeader, IfMatchHeader } from '../wire/headers.ts';

const shown = {
  id: idSchema('whk', 'The webhook'),
  url: Type.String({ format: 'uri' }),
  types: Type.Optional(Type.Array(Type.String(), { description: 'Absent: every type' })),
  project: Type.String(),
  state: Type.Enum(['ENABLED', 'DISABLED'], {
    description: 'DISABLED: it has failed for a day, or said 410',
  }),
  last_event_id: Type.Optional(idSchema('evt', 'The last event delivered or passed over')),
  failures: Type.Integer({ minimum: 0, description: 'Failed calls since the last one that got through' }),
  last_error: Type.Optional(Type.String()),
  create_time: Time,
};

const WebhookSchema = Type.Object(shown, { $id: 'Webhook' });
const NewWebhookSchema = Type.Object(
  {
    ...shown,
    secret: Type.Optional(
      Type.String({
        description: 'Shown here and never again: verify calls with it, as Standard Webhooks describes',
      }),
    ),
  },
  { $id: 'NewWebhook' },
);
const WebhookList = Type.Object({ items: Type.Array(ref(WebhookSchema)) });

const Ask = Type.Object(
  {
    url: Type.String({
      minLength: 1,
      maxLength: 2048,
      description: 'https or http, without credentials, at a public address',
    }),
    types: Type.Optional(TypesSchema),
    project: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description: 'One of yours, whose circuits it hears of; absent: the first that your token names',
      }),
    ),
  },
  {
    $id: 'WebhookRequest',
    additionalProperties: false,
    examples: [{ url: 'https://hooks.example.net/turnpike', types: ['circuit.active', 'circuit.failed'] }],
  },
);

const toWire = (hook: WebhookRecord) => ({
  id: hook.id,
  url: hook.url,
  ...(hook.types.length === 0 ? {} : { types: [...hook.types] }),
  project: hook.project,
  state: hook.state,
  ...(hook.cursor === 0 ? {} : { last_event_id: eventId(hook.cursor) }),
  failures: hook.failures,
  ...(hook.lastError === undefined ? {} : { last_error: hook.lastError }),
  create_time: rfc3339(hook.createTime),
});

const tags = ['webhooks'];

export function webhooks(app: HttpServer, { broker, allowPrivateWebhooks }: ApiPorts): void {
  for (const schema of [WebhookSchema, NewWebhookSchema, Ask]) app.addSchema(schema);

  app.post(
    '/v1/webhooks',
    {
      config: { authorisation: 'decided:webhook.write' },
      schema: {
        operationId: 'createWebhook',
        tags,
        summary: 'Be called when something happens',
        description:
          'Each call carries one CloudEvent and is signed as Standard Webhooks has it. Calls come in order and ' +
          'at least once: `webhook-id` tells a repeated one. Redirects are not followed.',
        querystring: MutationQuery,
        headers: Type.Object(IdempotencyHeader),
        body: ref(Ask),
        response: {
          201: created('The webhook, with its secret', ref(NewWebhookSchema)),
          ...refusals(...CHANGES, ...BODIES, ...KEYS),
        },
      },
    },
    async (request, reply) => {
      const url = parseTarget(request.body.url, allowPrivateWebhooks);
      const types = readTypes(request.body.types, '/types') ?? [];
      const tried = request.query.validate_only === true;
      const render: Render<WebhookRecord> = (hook) => ({
        status: 201,
        body: { ...toWire(hook), ...(tried ? {} : { secret: hook.secret }) },
        revision: hook.revision,
        location: `/v1/webhooks/${hook.id}`,
      });
      const { project } = request.body;
      const made = await broker.createWebhook(callOf(request, render), {
        url: url.href,
        types,
        ...(project === undefined ? {} : { project }),
      });
      // The secret is in it.
      reply.header('cache-control', 'no-store');
      return sendMutated(request, reply, made, render);
    },
  );

  app.get(
    '/v1/webhooks',
    {
      config: { authorisation: 'visible' },
      schema: {
        operationId: 'listWebhooks',
        tags,
        summary: 'List webhooks',
        querystring: NoQuery,
        response: { 200: answer('All that you may see', WebhookList), ...refusals('INVALID_REQUEST') },
      },
    },
    async (request) => ({ items: (await broker.webhooks(request.principal)).map(toWire) }),
  );

  app.get(
    '/v1/webhooks/:id',
    {
      config: { authorisation: 'visible' },
      schema: {
        operationId: 'getWebhook',
        tags,
        summary: 'Show a webhook, and how its calls go',
        params: IdParams,
        querystring: NoQuery,
        response: {
          200: resource('The webhook', ref(WebhookSchema)),
          ...refusals('INVALID_REQUEST', 'NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const hook = await broker.webhook(request.principal, readId('whk', request.params.id));
      // No 304 here: how the calls go changes without a new revision.
      reply.header('etag', etagOf(hook.revision));
      return toWire(hook);
    },
  );

  app.delete(
    '/v1/webhooks/:id',
    {
      config: { authorisation: 'decided:webhook.write' },
      schema: {
        operationId: 'deleteWebhook',
        tags,
        summary: 'Be called no more',
        params: IdParams,
        querystring: MutationQuery,
        headers: IfMatchHeader,
        response: { 204: { description: 'It is gone' }, ...refusals(...CHANGES, 'NOT_FOUND') },
      },
    },
    async (request, reply) => {
      const id = readId('whk', request.params.id);
      const revision = readIfMatch(request.headers['if-match']);
      const render: Render<undefined> = () => ({ status: 204 });
      return sendMutated(
        request,
        reply,
        await broker.deleteWebhook(callOf(request, render), id, revision),
        render,
      );
    },
  );
}
