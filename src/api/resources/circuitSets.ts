/** Circuit sets: several circuits placed as one, all or none, and then committed or given up as one. */
import { Type } from 'typebox';
import type { SetMemberAsk, SetResult } from '../../broker/calls.ts';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { BrokerError } from '../../kernel/errors.ts';
import type { Principal } from '../../model/principal.ts';
import { BODIES, CHANGES, created, KEYS, nothingNew, refusals, resource } from '../answers.ts';
import { callOf, type Rendered, sendMutated, sendRead } from '../mutation.ts';
import type { ApiPorts } from '../resource.ts';
import { IdParams, invalid, MutationQuery, NoBody, NoQuery, readId, readIfMatch } from '../wire/common.ts';
import { IdempotencyHeader, IfMatchHeader } from '../wire/headers.ts';
import { readRequest } from '../wire/request.ts';
import { SetRequestSchema, SetSchema, setSchemas, writeSet } from '../wire/series.ts';

const tags = ['circuit sets'];

const renderSet = (result: SetResult): Rendered => ({
  status: 200,
  body: writeSet(result),
  revision: result.set.revision,
});
const renderNew = (result: SetResult): Rendered => ({
  ...renderSet(result),
  status: 201,
  location: `/v1/circuit-sets/${result.set.id}`,
});

export function circuitSets(app: HttpServer, { broker }: ApiPorts): void {
  for (const schema of setSchemas) app.addSchema(schema);

  app.post(
    '/v1/circuit-sets',
    {
      config: { authorisation: 'decided:set.create' },
      schema: {
        operationId: 'createCircuitSet',
        summary: 'Ask for several circuits, all or none',
        description:
          'Placed as one: in the order that `after` and `gap_s` give them, apart where `diverse` asks for it. A refusal points to the circuit that could not be had, as in `/circuits/2`.',
        tags,
        querystring: MutationQuery,
        headers: Type.Object(IdempotencyHeader),
        body: ref(SetRequestSchema),
        response: {
          201: created('The set with its circuits', ref(SetSchema)),
          ...refusals(
            ...CHANGES,
            ...BODIES,
            ...KEYS,
            'START_IN_PAST',
            'QUOTA_EXCEEDED',
            'NO_FEASIBLE_SLOT',
            'CLIENT_REF_TAKEN',
            'DEADLINE_UNREACHABLE',
            'NOT_HOME',
            'NOT_SUPPORTED',
          ),
        },
      },
    },
    async (request, reply) => {
      const members = readMembers(request.body.circuits, request.principal);
      const made = await broker.createSet(callOf(request, renderNew), members);
      return sendMutated(request, reply, made, renderNew);
    },
  );

  app.get(
    '/v1/circuit-sets/:id',
    {
      config: { authorisation: 'visible' },
      schema: {
        operationId: 'getCircuitSet',
        summary: 'Read a set with its circuits',
        tags,
        params: IdParams,
        querystring: NoQuery,
        response: { 200: resource('The set', ref(SetSchema)), ...nothingNew, ...refusals('NOT_FOUND') },
      },
    },
    async (request, reply) => {
      const result = await broker.set(request.principal, readId('set', request.params.id));
      return sendRead(request, reply, result.set.revision, writeSet(result));
    },
  );

  const verbs = [
    ['commit', 'commitCircuitSet', 'Commit every circuit of a held set'],
    ['abort', 'abortCircuitSet', 'Give every circuit of a held set up'],
  ] as const;
  for (const [verb, operationId, summary] of verbs) {
    app.post(
      `/v1/circuit-sets/:id/${verb}`,
      {
        config: { authorisation: `decided:set.${verb}`, bodyOptional: true },
        schema: {
          operationId,
          summary,
          tags,
          params: IdParams,
          querystring: MutationQuery,
          headers: Type.Object(IdempotencyHeader),
          body: NoBody,
          response: {
            200: resource('Done', ref(SetSchema)),
            ...refusals(...CHANGES, ...BODIES, ...KEYS, 'NOT_FOUND', 'WRONG_STATE', 'HOLD_EXPIRED'),
          },
        },
      },
      async (request, reply) => {
        const id = readId('set', request.params.id);
        const done = await broker.actOnSet(callOf(request, renderSet), id, verb);
        return sendMutated(request, reply, done, renderSet);
      },
    );
  }

  app.delete(
    '/v1/circuit-sets/:id',
    {
      config: { authorisation: 'decided:set.cancel' },
      schema: {
        operationId: 'cancelCircuitSet',
        summary: 'Cancel every circuit of a set',
        tags,
        params: IdParams,
        querystring: MutationQuery,
        headers: IfMatchHeader,
        response: {
          200: resource('Cancelled, or on the way there', ref(SetSchema)),
          ...refusals(...CHANGES, 'NOT_FOUND', 'WRONG_STATE'),
        },
      },
    },
    async (request, reply) => {
      const id = readId('set', request.params.id);
      const revision = readIfMatch(request.headers['if-match']);
      const done = await broker.actOnSet(callOf(request, renderSet), id, 'cancel', revision);
      return sendMutated(request, reply, done, renderSet);
    },
  );
}

function readMembers(wire: Type.Static<typeof SetRequestSchema>['circuits'], who: Principal): SetMemberAsk[] {
  const keys = new Set<string>();
  return wire.map(({ key, after, gap_s: gapS, diverse, ...circuit }, i) => {
    const base = `/circuits/${i}`;
    if (keys.has(key)) throw invalid(`${base}/key`, 'names another circuit of the set already');
    keys.add(key);
    if (gapS !== undefined && after === undefined)
      throw invalid(`${base}/gap_s`, 'goes with `after`: the circuit that it is a gap to');
    const { request, recurrence, taking } = readRequest(circuit, who, base);
    if (recurrence !== undefined) throw unsupported(`${base}/schedule/type`, 'RECURRING in a set');
    if (taking !== undefined) throw unsupported(`${base}/schedule/type`, 'OFFER in a set');
    return {
      key,
      request,
      ...(after === undefined ? {} : { after }),
      ...(gapS === undefined ? {} : { gapS }),
      ...(diverse === undefined ? {} : { diverse }),
    };
  });
}

const unsupported = (pointer: string, what: string): BrokerError =>
  new BrokerError('NOT_SUPPORTED', `${what} is not offered by this broker`, {
    errors: [{ pointer, detail: 'not offered here' }],
  });
