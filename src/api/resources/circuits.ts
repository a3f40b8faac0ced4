/**
 * Circuits: asking for one, reading, changing and ending it. The resource is the operation: what POST answers
 * is decided and durable. A request that repeats (RECURRING) makes a series; its routes are in series.ts.
 * The verbs on one circuit are in circuitVerbs.ts, what lies below it in circuitParts.ts.
 */
import { Type } from 'typebox';
import type { CircuitAction } from '../../broker/calls.ts';
import type { CircuitQuery, SeriesRecord } from '../../broker/ports.ts';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { instant } from '../../kernel/clock.ts';
import type { ProblemCode } from '../../kernel/errors.ts';
import { type Circuit, states } from '../../model/circuit.ts';
import {
  answer,
  BODIES,
  CHANGES,
  created,
  KEYS,
  nothingNew,
  OPENED_BY,
  refusals,
  resource,
  TOKENS,
} from '../answers.ts';
import { callOf, type Rendered, sendMutated, sendRead } from '../mutation.ts';
import type { ApiPorts } from '../resource.ts';
import { ChangeBody, readChange } from '../wire/change.ts';
import { CircuitSchema, circuitSchemas, writeCircuit } from '../wire/circuit.ts';
import {
  ColumnText,
  IdParams,
  listOf,
  MutationQuery,
  NoQuery,
  pageQuery,
  pageToWire,
  readId,
  readIfMatch,
  readPage,
  readTime,
  Time,
} from '../wire/common.ts';
import {
  DelegationHeader,
  IdempotencyHeader,
  IfMatchHeader,
  IfMatchRequired,
  OverrideHeader,
  WaitHeader,
} from '../wire/headers.ts';
import {
  CircuitRequestSchema,
  ClientRef,
  PortSchema,
  ProjectName,
  readRequest,
  requestSchemas,
} from '../wire/request.ts';
import { SeriesSchema, seriesSchemas, writeSeries } from '../wire/series.ts';
import { renderCircuit, renderDone } from './circuitVerbs.ts';

const tags = ['circuits'];

const renderNew = (circuit: Circuit): Rendered => ({
  ...renderCircuit(circuit),
  status: 201,
  location: `/v1/circuits/${circuit.id}`,
});
const renderNewSeries = (series: SeriesRecord): Rendered => ({
  status: 201,
  body: writeSeries(series),
  revision: series.revision,
  location: `/v1/series/${series.id}`,
});

const ADMISSION: readonly ProblemCode[] = [
  'START_IN_PAST',
  'QUOTA_EXCEEDED',
  'NO_FEASIBLE_SLOT',
  'CLIENT_REF_TAKEN',
  'OFFER_TAKEN',
  'OFFER_EXPIRED',
  'DEADLINE_UNREACHABLE',
  'NOT_HOME',
  'NOT_SUPPORTED',
];

export function circuits(app: HttpServer, { broker, clock }: ApiPorts): void {
  for (const schema of [...requestSchemas, ...circuitSchemas, ...seriesSchemas]) app.addSchema(schema);

  app.post(
    '/v1/circuits',
    {
      config: { authorisation: 'decided:circuit.create' },
      schema: {
        operationId: 'createCircuit',
        summary: 'Ask for a circuit',
        description:
          'Decided before the answer where no peer is needed: 201, or a problem and no circuit. `Prefer: wait=30` waits for peers. A FLEXIBLE or VOLUME circuit may be moved inside its window to make room for others, and others for it; `circuit.moved` tells. A RECURRING schedule is answered with a series, an OFFER with the circuit that it names.',
        tags,
        querystring: MutationQuery,
        headers: Type.Object({ ...IdempotencyHeader, ...WaitHeader }),
        body: ref(CircuitRequestSchema),
        response: {
          201: created('The circuit, or the series', Type.Union([ref(CircuitSchema), ref(SeriesSchema)])),
          ...refusals(...CHANGES, ...BODIES, ...KEYS, ...ADMISSION),
        },
      },
    },
    async (request, reply) => {
      const wait = readWait(request.headers['prefer']);
      const { request: asked, recurrence, taking } = readRequest(request.body, request.principal);
      if (recurrence !== undefined) {
        const call = callOf(request, renderNewSeries);
        const made = await broker.createSeries(call, asked, recurrence);
        return sendMutated(request, reply, made, renderNewSeries);
      }
      const call = callOf(request, renderNew);
      const made =
        taking === undefined
          ? await broker.createCircuit(call, asked)
          : await broker.takeOffer(call, taking.offer, taking.option, asked);
      if (wait === undefined || made.kind === 'replayed' || request.query.validate_only === true) {
        return sendMutated(request, reply, made, renderNew);
      }
      reply.header('preference-applied', `wait=${wait}`);
      const until = instant(clock.now() + wait * 1000);
      const value = await broker.settled(request.principal, made.value.id, until);
      return sendMutated(request, reply, { kind: 'done', value }, renderNew);
    },
  );

  app.get(
    '/v1/circuits',
    {
      config: { authorisation: 'visible' },
      schema: {
        operationId: 'listCircuits',
        summary: 'List circuits',
        tags,
        querystring: ListQuery,
        response: { 200: answer('A page', listOf(CircuitSchema)), ...refusals('INVALID_REQUEST') },
      },
    },
    async (request) =>
      pageToWire(await broker.circuits(request.principal, readQuery(request.query)), writeCircuit),
  );

  app.get(
    '/v1/circuits/:id',
    {
      config: { authorisation: 'visible' },
      schema: {
        operationId: 'getCircuit',
        summary: 'Read a circuit',
        tags,
        params: IdParams,
        querystring: NoQuery,
        response: {
          200: resource('The circuit', ref(CircuitSchema)),
          ...nothingNew,
          ...refusals('NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const circuit = await broker.circuit(request.principal, readId('cir', request.params.id));
      return sendRead(request, reply, circuit.revision, writeCircuit(circuit));
    },
  );

  app.patch(
    '/v1/circuits/:id',
    {
      config: { authorisation: 'decided:circuit.modify', capability: 'modify' },
      schema: {
        operationId: 'changeCircuit',
        summary: 'Change rate or times in place',
        description:
          'A merge patch (RFC 7396), make before break. 202 with `pending` while peers must agree; a change that fails changes nothing.',
        tags,
        security: OPENED_BY,
        params: IdParams,
        querystring: MutationQuery,
        headers: Type.Object({ ...IfMatchRequired.properties, ...OverrideHeader, ...DelegationHeader }),
        body: ChangeBody,
        response: {
          200: resource('Changed', ref(CircuitSchema)),
          202: resource('Peers are being asked', ref(CircuitSchema)),
          ...refusals(
            ...CHANGES,
            ...BODIES,
            ...TOKENS,
            'NOT_FOUND',
            'NO_FEASIBLE_SLOT',
            'WRONG_STATE',
            'CHANGE_PENDING',
            'DEADLINE_UNREACHABLE',
            'PRECONDITION_REQUIRED',
          ),
        },
      },
    },
    async (request, reply) => {
      const revision = readIfMatch(request.headers['if-match'], true);
      const change = readChange(request.body);
      const id = readId('cir', request.params.id);
      const changed = await broker.change(callOf(request, renderCircuit), id, change, revision);
      return sendMutated(request, reply, changed, renderCircuit);
    },
  );

  app.delete(
    '/v1/circuits/:id',
    {
      config: { authorisation: 'decided:circuit.cancel', capability: 'cancel' },
      schema: {
        operationId: 'cancelCircuit',
        summary: 'Cancel a circuit',
        description: 'A lit one passes RELEASING first.',
        tags,
        security: OPENED_BY,
        params: IdParams,
        querystring: MutationQuery,
        headers: Type.Object({ ...IfMatchHeader.properties, ...OverrideHeader }),
        response: {
          200: resource('Cancelled, or on the way there', ref(CircuitSchema)),
          ...refusals(...CHANGES, ...TOKENS, 'NOT_FOUND', 'WRONG_STATE'),
        },
      },
    },
    async (request, reply) => {
      const action: CircuitAction = { type: 'cancel', detail: 'cancelled by the client' };
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
}

// ---- queries ---------------------------------------------------------------------------------------------

const SORTS = ['create_time', '-create_time', 'start_time', '-start_time', 'end_time', '-end_time'] as const;

const ListQuery = Type.Object(
  {
    ...pageQuery,
    sort: Type.Optional(Type.Enum([...SORTS], { default: '-create_time' })),
    state: Type.Optional(
      Type.Array(Type.Enum([...states]), {
        maxItems: states.length,
        description: 'May be given several times',
      }),
    ),
    project: Type.Optional(ProjectName),
    port: Type.Optional(PortSchema),
    client_ref: Type.Optional(ClientRef),
    short_code: Type.Optional(ColumnText(4)),
    role: Type.Optional(Type.Enum(['HOME', 'PARTICIPANT'])),
    set_id: Type.Optional(ColumnText(32)),
    series_id: Type.Optional(ColumnText(32)),
    'start_time.gte': Type.Optional(Time),
    'start_time.lt': Type.Optional(Time),
    'end_time.gte': Type.Optional(Time),
    'end_time.lt': Type.Optional(Time),
  },
  { additionalProperties: false },
);

function readQuery(q: Type.Static<typeof ListQuery>): Omit<CircuitQuery, 'visibleTo'> {
  const time = <K extends string>(key: K, name: keyof typeof q) => {
    const text = q[name];
    // The four names below hold text; only `state` is a list.
    return text === undefined ? {} : { [key]: readTime(text as string, name) };
  };
  return {
    ...readPage(q),
    sort: q.sort ?? '-create_time',
    ...(q.state === undefined ? {} : { states: q.state }),
    ...(q.project === undefined ? {} : { project: q.project }),
    ...(q.port === undefined ? {} : { port: q.port }),
    ...(q.client_ref === undefined ? {} : { clientRef: q.client_ref }),
    ...(q.short_code === undefined ? {} : { shortCode: q.short_code.toUpperCase() }),
    ...(q.role === undefined ? {} : { role: q.role }),
    ...(q.set_id === undefined ? {} : { setId: q.set_id }),
    ...(q.series_id === undefined ? {} : { seriesId: q.series_id }),
    ...time('startFrom', 'start_time.gte'),
    ...time('startBefore', 'start_time.lt'),
    ...time('endFrom', 'end_time.gte'),
    ...time('endBefore', 'end_time.lt'),
  };
}

/** RFC 7240: how long the client likes to wait for a decision, up to a minute. */
const LONGEST_WAIT_S = 60;

function readWait(prefer: string | string[] | undefined): number | undefined {
  const match = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:$|[,;])/i.exec(String(prefer ?? ''));
  return match === null ? undefined : Math.min(Number(match[1]), LONGEST_WAIT_S);
}
