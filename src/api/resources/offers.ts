/**
 * Offers: what could be had, as slots to choose from. Taking one is asking for a circuit with a schedule of
 * type OFFER, which is in circuits.ts.
 */
import { Type } from 'typebox';
import type { OfferSet } from '../../broker/calls.ts';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { answer, BODIES, CHANGES, KEYS, refusals } from '../answers.ts';
import { callOf, type Rendered, sendMutated } from '../mutation.ts';
import type { ApiPorts } from '../resource.ts';
import { MutationQuery } from '../wire/common.ts';
import { IdempotencyHeader } from '../wire/headers.ts';
import { OfferRequestSchema, OfferSchema, offerSchemas, readOffer, writeOffer } from '../wire/offer.ts';

export function offers(app: HttpServer, { broker, domain }: ApiPorts): void {
  for (const schema of offerSchemas) app.addSchema(schema);

  // An offer cannot be read again, so it has neither an address nor a revision.
  const render = (offer: OfferSet): Rendered => ({ status: 201, body: writeOffer(offer, domain) });

  app.post(
    '/v1/offers',
    {
      config: { authorisation: 'decided:circuit.create' },
      schema: {
        operationId: 'createOffer',
        summary: 'Ask what could be had',
        description:
          'Slots for a request, without booking it. Take one with `POST /v1/circuits` and a schedule of type OFFER before `expire_time`. Where nothing is free as things are, the one option is what could be had if others stepped aside.',
        tags: ['offers'],
        querystring: MutationQuery,
        headers: Type.Object(IdempotencyHeader),
        body: ref(OfferRequestSchema),
        response: {
          201: answer('The offer', ref(OfferSchema)),
          ...refusals(
            ...CHANGES,
            ...BODIES,
            ...KEYS,
            'START_IN_PAST',
            'QUOTA_EXCEEDED',
            'NO_FEASIBLE_SLOT',
            'DEADLINE_UNREACHABLE',
            'NOT_HOME',
            'NOT_SUPPORTED',
          ),
        },
      },
    },
    async (request, reply) => {
      const ask = readOffer(request.body, request.principal);
      return sendMutated(request, reply, await broker.offers(callOf(request, render), ask), render);
    },
  );
}
