/**
 * What lies below one circuit and is only read: its events, the decisions about it, its segments, what it has
 * used of the network, and the cross-connects that it needs from our devices.
 */
import { Type } from 'typebox';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { type CircuitId, eventId } from '../../kernel/ids.ts';
import { cloudEvent } from '../../model/cloudevent.ts';
import type { Principal } from '../../model/principal.ts';
import { answer, refusals } from '../answers.ts';
import type { ApiPorts } from '../resource.ts';
import { SegmentSchema, writeAllSegments } from '../wire/circuit.ts';
import { IdParams, listOf, NoQuery, pageQuery, pageToWire, readId, readPage } from '../wire/common.ts';
import { DecisionSchema, writeDecision } from '../wire/decision.ts';
import { DevicePlanSchema, writePlan } from '../wire/device.ts';
import { EventSchema, readEventSeq } from '../wire/event.ts';
import { type InForce, inForce, UsageSchema, usageOf } from '../wire/usage.ts';

const tags = ['circuits'];
const PageQuery = Type.Object(pageQuery, { additionalProperties: false });

/** Events of one circuit that its usage is read from: more have never been seen, and each is a few bytes. */
const LONGEST_HISTORY = 10_000;

export function circuitParts(app: HttpServer, { broker, clock, domain }: ApiPorts): void {
  app.addSchema(UsageSchema);
  const config = { authorisation: 'visible' } as const;
  const params = IdParams;

  app.get(
    '/v1/circuits/:id/events',
    {
      config,
      schema: {
        operationId: 'listCircuitEvents',
        summary: 'What happened to a circuit, oldest first',
        tags,
        params,
        querystring: PageQuery,
        response: {
          200: answer('A page of CloudEvents', listOf(EventSchema)),
          ...refusals('INVALID_REQUEST', 'NOT_FOUND'),
        },
      },
    },
    async (request) => {
      const circuitId = readId('cir', request.params.id);
      const { limit, after } = readPage(request.query);
      const afterSeq = after === undefined ? 0 : readEventSeq(after, 'page_token');
      // The events of a circuit that is not the asker's to see must not tell that it exists.
      await broker.circuit(request.principal, circuitId);
      // One more than the page holds shows whether there is another page.
      const found = await broker.events(request.principal, { circuitId, afterSeq, limit: limit + 1 });
      const items = found.slice(0, limit);
      const last = items.at(-1);
      return {
        items: items.map((event) => cloudEvent(event, domain)),
        ...(found.length > limit && last !== undefined ? { next_page_token: eventId(last.seq) } : {}),
      };
    },
  );

  app.get(
    '/v1/circuits/:id/decisions',
    {
      config,
      schema: {
        operationId: 'listCircuitDecisions',
        summary: 'The policy decisions about a circuit',
        tags,
        params,
        querystring: PageQuery,
        response: {
          200: answer('A page', listOf(DecisionSchema)),
          ...refusals('INVALID_REQUEST', 'NOT_FOUND'),
        },
      },
    },
    async (request) => {
      const circuitId = readId('cir', request.params.id);
      await broker.circuit(request.principal, circuitId);
      const page = await broker.decisions(request.principal, { circuitId, ...readPage(request.query) });
      return pageToWire(page, writeDecision);
    },
  );

  app.get(
    '/v1/circuits/:id/segments',
    {
      config,
      schema: {
        operationId: 'listCircuitSegments',
        summary: 'The parts of a circuit, one per domain',
        tags,
        params,
        querystring: NoQuery,
        response: { 200: answer('All of them', listOf(SegmentSchema)), ...refusals('NOT_FOUND') },
      },
    },
    async (request) => {
      const circuit = await broker.circuit(request.principal, readId('cir', request.params.id));
      return { items: writeAllSegments(circuit) };
    },
  );

  app.get(
    '/v1/circuits/:id/usage',
    {
      config,
      schema: {
        operationId: 'getCircuitUsage',
        summary: 'What a circuit has used of the network',
        tags,
        params,
        querystring: NoQuery,
        response: { 200: answer('So far', ref(UsageSchema)), ...refusals('NOT_FOUND') },
      },
    },
    async (request) => {
      const circuit = await broker.circuit(request.principal, readId('cir', request.params.id));
      const [history, octets] = await Promise.all([
        historyOf(broker, request.principal, circuit.id),
        broker.octets(circuit.id),
      ]);
      return usageOf(circuit, history, clock.now(), octets);
    },
  );

  app.get(
    '/v1/circuits/:id/device-plan',
    {
      config,
      schema: {
        operationId: 'getDevicePlan',
        summary: 'What a circuit needs from our devices, the exact commands, and what was answered',
        tags,
        params,
        querystring: NoQuery,
        response: { 200: answer('As it is now', ref(DevicePlanSchema)), ...refusals('NOT_FOUND') },
      },
    },
    async (request) =>
      writePlan(await broker.devicePlan(request.principal, readId('cir', request.params.id))),
  );
}

async function historyOf(
  broker: ApiPorts['broker'],
  who: Principal,
  circuitId: CircuitId,
): Promise<readonly InForce[]> {
  const events = await broker.events(who, { circuitId, afterSeq: 0, limit: LONGEST_HISTORY });
  return events.flatMap((event) => inForce(event) ?? []);
}
