/** Decisions of the policy: a list with filters, one of them, and all of them as lines of JSON. */
import { Readable } from 'node:stream';
import { type Static, Type } from 'typebox';
import type { DecisionQuery } from '../../broker/ports.ts';
import type { UseCases } from '../../broker/usecases.ts';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import type { Principal } from '../../model/principal.ts';
import { answer, BODIES, nothingNew, refusals, resource } from '../answers.ts';
import { sendRead } from '../mutation.ts';
import type { ApiPorts } from '../resource.ts';
import {
  ColumnText,
  IdParams,
  listOf,
  NoQuery,
  pageQuery,
  pageToWire,
  readId,
  readPage,
  readTime,
  Time,
} from '../wire/common.ts';
import {
  DecisionSchema,
  decisionSchemas,
  ExplainRequestSchema,
  ExplanationSchema,
  readExplain,
  writeDecision,
  writeExplanation,
} from '../wire/decision.ts';

const tags = ['decisions'];
const NDJSON = 'application/x-ndjson';
const EXPORT_PAGE = 500;

const filters = {
  principal: Type.Optional(ColumnText(512)),
  action: Type.Optional(ColumnText(64)),
  effect: Type.Optional(Type.Enum(['ALLOW', 'DENY'])),
  circuit_id: Type.Optional(ColumnText(32)),
  'create_time.gte': Type.Optional(Time),
  'create_time.lt': Type.Optional(Time),
};
const Filters = Type.Object(filters, { additionalProperties: false });
const ListQuery = Type.Object({ ...pageQuery, ...filters }, { additionalProperties: false });

export function decisions(app: HttpServer, { broker }: ApiPorts): void {
  for (const schema of decisionSchemas) app.addSchema(schema);
  const config = { authorisation: 'visible' } as const;
  explain(app, broker);

  app.get(
    '/v1/decisions',
    {
      config,
      schema: {
        operationId: 'listDecisions',
        summary: 'List decisions',
        tags,
        querystring: ListQuery,
        response: { 200: answer('A page', listOf(DecisionSchema)), ...refusals('INVALID_REQUEST') },
      },
    },
    async (request) => {
      const query = { ...readFilters(request.query), ...readPage(request.query) };
      return pageToWire(await broker.decisions(request.principal, query), writeDecision);
    },
  );

  app.get(
    '/v1/decisions/export',
    {
      config: { ...config, produces: [NDJSON] },
      schema: {
        operationId: 'exportDecisions',
        summary: 'All decisions, one per line',
        tags,
        querystring: Filters,
        response: {
          200: answer('Lines of JSON, each a Decision', Type.String(), NDJSON),
          ...refusals('INVALID_REQUEST'),
        },
      },
    },
    async (request, reply) => {
      const lines = exportLines(broker, request.principal, readFilters(request.query));
      return reply.type(NDJSON).send(Readable.from(lines, { objectMode: true, highWaterMark: 1 }));
    },
  );

  app.get(
    '/v1/decisions/:id',
    {
      config,
      schema: {
        operationId: 'getDecision',
        summary: 'Read a decision',
        tags,
        params: IdParams,
        querystring: NoQuery,
        response: {
          200: resource('The decision', ref(DecisionSchema)),
          ...nothingNew,
          ...refusals('NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const decision = await broker.decision(request.principal, readId('dec', request.params.id));
      const proof = await broker.audit.proofOf(decision.id);
      // A decision never changes; all that it can gain is its proof.
      if (proof === undefined) return sendRead(request, reply, 1, writeDecision(decision));
      const proven = { ...writeDecision(decision), proof: { ...proof, inclusion: [...proof.inclusion] } };
      return sendRead(request, reply, 2, proven);
    },
  );
}

function explain(app: HttpServer, broker: UseCases): void {
  app.post(
    '/v1/decisions/explain',
    {
      config: { authorisation: 'visible' },
      schema: {
        operationId: 'explainDecision',
        summary: 'Would I be allowed?',
        description:
          'Asks the policy in force as the real call would, and writes nothing. Whether there is room, or money, it does not say.',
        tags,
        querystring: NoQuery,
        body: ref(ExplainRequestSchema),
        response: {
          200: answer('What would be decided', ref(ExplanationSchema)),
          ...refusals(...BODIES, 'NOT_FOUND', 'START_IN_PAST'),
        },
      },
    },
    async ({ body, principal }) =>
      writeExplanation(await broker.policies.explain(principal, readExplain(body, principal)), principal),
  );
}

/** One page at a time, as fast as the client reads. */
async function* exportLines(
  broker: UseCases,
  who: Principal,
  query: Omit<DecisionQuery, 'visibleTo' | 'limit' | 'after'>,
): AsyncGenerator<string> {
  let after: string | undefined;
  do {
    const page = await broker.decisions(who, {
      ...query,
      limit: EXPORT_PAGE,
      ...(after === undefined ? {} : { after }),
    });
    if (page.items.length > 0) yield page.items.map((d) => `${JSON.stringify(writeDecision(d))}\n`).join('');
    after = page.next;
  } while (after !== undefined);
}

function readFilters(q: Static<typeof Filters>): Omit<DecisionQuery, 'visibleTo' | 'limit' | 'after'> {
  return {
    ...(q.principal === undefined ? {} : { principal: q.principal }),
    ...(q.action === undefined ? {} : { action: q.action }),
    ...(q.effect === undefined ? {} : { effect: q.effect }),
    ...(q.circuit_id === undefined ? {} : { circuitId: readId('cir', q.circuit_id) }),
    ...(q['create_time.gte'] === undefined
      ? {}
      : { from: readTime(q['create_time.gte'], 'create_time.gte') }),
    ...(q['create_time.lt'] === undefined ? {} : { before: readTime(q['create_time.lt'], 'create_time.lt') }),
  };
}
