/**
 * The verbs on one circuit: each is a step of the lifecycle that a client may ask for, as POST to its name.
 * Which of them a circuit allows now is in its allowed_actions.
 */
import { Type } from 'typebox';
import type { CircuitAction } from '../../broker/calls.ts';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import type { ProblemCode } from '../../kernel/errors.ts';
import type { Circuit } from '../../model/circuit.ts';
import { BODIES, CHANGES, KEYS, OPENED_BY, refusals, resource, TOKENS } from '../answers.ts';
import { callOf, type Rendered, sendMutated } from '../mutation.ts';
import type { ApiPorts } from '../resource.ts';
import { ExtendBody, readExtension } from '../wire/change.ts';
import { CircuitSchema, underNegotiation, writeCircuit } from '../wire/circuit.ts';
import { IdParams, MutationQuery, NoBody, readId, readIfMatch } from '../wire/common.ts';
import { DelegationHeader, IdempotencyHeader, IfMatchHeader, OverrideHeader } from '../wire/headers.ts';
import { LONGEST_HOLD_S } from '../wire/request.ts';

const tags = ['circuits'];

export const renderCircuit = (circuit: Circuit): Rendered => ({
  status: underNegotiation(circuit) ? 202 : 200,
  body: writeCircuit(circuit),
  revision: circuit.revision,
});
export const renderDone = (circuit: Circuit): Rendered => ({ ...renderCircuit(circuit), status: 200 });

export function circuitVerbs(app: HttpServer, { broker }: ApiPorts): void {
  const schema = (operationId: string, summary: string, codes: readonly ProblemCode[] = []) => ({
    operationId,
    summary,
    tags,
    security: OPENED_BY,
    params: IdParams,
    querystring: MutationQuery,
    headers: Type.Object({
      ...IdempotencyHeader,
      ...IfMatchHeader.properties,
      ...OverrideHeader,
      ...DelegationHeader,
    }),
    response: {
      200: resource('Done', ref(CircuitSchema)),
      ...refusals(...CHANGES, ...BODIES, ...KEYS, ...TOKENS, 'NOT_FOUND', 'WRONG_STATE', ...codes),
    },
  });

  const plain = [
    ['commit', 'commitCircuit', 'Commit a held circuit', ['HOLD_EXPIRED']],
    ['abort', 'abortCircuit', 'Give a held circuit up', ['HOLD_EXPIRED']],
    ['provision', 'provisionCircuit', 'Ask for light on a MANUAL circuit', []],
  ] as const;
  for (const [type, operationId, summary, codes] of plain) {
    app.post(
      `/v1/circuits/:id/${type}`,
      {
        config: {
          authorisation: `decided:circuit.${type}`,
          bodyOptional: true,
          ...(type === 'provision' ? { capability: type } : {}),
        },
        schema: { ...schema(operationId, summary, codes), body: NoBody },
      },
      async (request, reply) => {
        const id = readId('cir', request.params.id);
        const revision = readIfMatch(request.headers['if-match']);
        const done = await broker.act(callOf(request, renderDone), id, { type }, revision);
        return sendMutated(request, reply, done, renderDone);
      },
    );
  }

  app.post(
    '/v1/circuits/:id/release',
    {
      config: { authorisation: 'decided:circuit.release', bodyOptional: true, capability: 'release' },
      schema: {
        ...schema('releaseCircuit', 'Put a circuit out for good and free the rest of its slot'),
        body: Type.Object(
          {
            reason: Type.Optional(
              Type.String({ minLength: 1, maxLength: 256, pattern: '^[^\\u0000-\\u001f\\u007f]+$' }),
            ),
          },
          { additionalProperties: false },
        ),
      },
    },
    async (request, reply) => {
      const action: CircuitAction = {
        type: 'release',
        detail: request.body.reason ?? 'released by the client',
      };
      const id = readId('cir', request.params.id);
      const revision = readIfMatch(request.headers['if-match']);
      return sendMutated(
        request,
        reply,
        await broker.act(callOf(request, renderDone), id, action, revision),
        renderDone,
      );
    },
  );

  app.post(
    '/v1/circuits/:id/extend-hold',
    {
      config: { authorisation: 'decided:circuit.extend-hold' },
      schema: {
        ...schema('extendHold', 'Hold longer: so many seconds from now', [
          'HOLD_EXPIRED',
          'NO_FEASIBLE_SLOT',
        ]),
        body: Type.Object(
          { hold_s: Type.Integer({ minimum: 1, maximum: LONGEST_HOLD_S }) },
          { additionalProperties: false },
        ),
      },
    },
    async (request, reply) => {
      const action: CircuitAction = { type: 'extend-hold', holdS: request.body.hold_s };
      const id = readId('cir', request.params.id);
      const revision = readIfMatch(request.headers['if-match']);
      return sendMutated(
        request,
        reply,
        await broker.act(callOf(request, renderDone), id, action, revision),
        renderDone,
      );
    },
  );

  const extend = schema('extendCircuit', 'End later', ['NO_FEASIBLE_SLOT', 'CHANGE_PENDING']);
  app.post(
    '/v1/circuits/:id/extend',
    {
      config: { authorisation: 'decided:circuit.modify', capability: 'extend' },
      schema: {
        ...extend,
        response: { ...extend.response, 202: resource('Peers are being asked', ref(CircuitSchema)) },
        body: ExtendBody,
      },
    },
    async (request, reply) => {
      const change = readExtension(request.body);
      const id = readId('cir', request.params.id);
      const revision = readIfMatch(request.headers['if-match']);
      const changed = await broker.change(callOf(request, renderCircuit), id, change, revision);
      return sendMutated(request, reply, changed, renderCircuit);
    },
  );

  const reroute = schema('rerouteCircuit', 'Take the best road that there is now', [
    'NO_FEASIBLE_SLOT',
    'CHANGE_PENDING',
  ]);
  app.post(
    '/v1/circuits/:id/reroute',
    {
      config: { authorisation: 'decided:circuit.reroute', bodyOptional: true, capability: 'reroute' },
      schema: {
        ...reroute,
        description:
          'Same ends, rate and slot; make before break. On its present road it stays if none is better; over several domains it is the way that is looked for anew.',
        response: { ...reroute.response, 202: resource('Peers are being asked', ref(CircuitSchema)) },
        body: NoBody,
      },
    },
    async (request, reply) => {
      const id = readId('cir', request.params.id);
      const revision = readIfMatch(request.headers['if-match']);
      const call = callOf(request, renderCircuit);
      const moved = await broker.act(call, id, { type: 'reroute' }, revision);
      return sendMutated(request, reply, moved, renderCircuit);
    },
  );
}
