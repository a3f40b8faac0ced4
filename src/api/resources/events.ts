/**
 * The event log: as a list that is read page by page, and as a stream of server-sent events that goes on
 * where Last-Event-ID says. Both show what the caller may see and no more. How the stream keeps up, and when
 * it gives up, is ../stream.ts.
 */
import { Type } from 'typebox';
import type { HttpServer } from '../../http/server.ts';
import { type CircuitId, eventId } from '../../kernel/ids.ts';
import { cloudEvent, type EventType } from '../../model/cloudevent.ts';
import { answer, refusals } from '../answers.ts';
import type { ApiPorts } from '../resource.ts';
import { EventStreams, type StreamFilter } from '../stream.ts';
import { idSchema, invalid, listOf, pageQuery, readId, readPage } from '../wire/common.ts';
import { EventSchema, readEventSeq, readTypes, TypesSchema } from '../wire/event.ts';

const filters = {
  type: Type.Optional(Type.Unsafe<string | string[]>({ ...TypesSchema })),
  circuit_id: Type.Optional(idSchema('cir', 'Only events of this circuit')),
  after: Type.Optional(idSchema('evt', 'Only what follows this event')),
};

const ListQuery = Type.Object({ ...pageQuery, ...filters }, { additionalProperties: false });
const StreamQuery = Type.Object(filters, { additionalProperties: false });

interface Asked {
  readonly type?: string | string[];
  readonly circuit_id?: string;
}

interface Filter {
  readonly types?: readonly EventType[];
  readonly circuitId?: CircuitId;
}

/** `type` may be repeated, and may name several with commas between. */
function readFilter(asked: Asked): Filter {
  const types = readTypes(
    asked.type === undefined ? undefined : [asked.type].flat().flatMap((text) => text.split(',')),
    'type',
  );
  return {
    ...(types === undefined ? {} : { types }),
    ...(asked.circuit_id === undefined ? {} : { circuitId: readId('cir', asked.circuit_id) }),
  };
}

const tags = ['events'];

export function events(app: HttpServer, ports: ApiPorts): void {
  const { broker, domain } = ports;
  app.addSchema(EventSchema);

  app.get(
    '/v1/events',
    {
      config: { authorisation: 'visible' },
      schema: {
        operationId: 'listEvents',
        tags,
        summary: 'Read the event log, oldest first',
        querystring: ListQuery,
        response: {
          200: answer('A page', listOf(EventSchema)),
          ...refusals('INVALID_REQUEST', 'NOT_FOUND'),
        },
      },
    },
    async (request) => {
      const { query, principal } = request;
      const filter = readFilter(query);
      await mustSee(ports, { who: principal, ...filter });
      const { limit } = readPage(query);
      const afterSeq =
        query.page_token !== undefined
          ? readEventSeq(query.page_token, 'page_token')
          : query.after !== undefined
            ? readEventSeq(query.after, 'after')
            : 0;
      // One more than the page holds shows whether there is another page.
      const found = await broker.events(principal, { ...filter, afterSeq, limit: limit + 1 });
      const items = found.slice(0, limit);
      const last = items.at(-1);
      return {
        items: items.map((event) => cloudEvent(event, domain)),
        ...(found.length > limit && last !== undefined ? { next_page_token: eventId(last.seq) } : {}),
      };
    },
  );

  const streams = new EventStreams(ports);
  app.addHook('preClose', () => streams.close());

  app.get(
    '/v1/events/stream',
    {
      // It would be a stream without a body.
      exposeHeadRoute: false,
      config: { authorisation: 'visible', produces: ['text/event-stream'] },
      schema: {
        operationId: 'streamEvents',
        tags,
        summary: 'Hear events as they happen',
        description:
          'Server-sent events: `id` is the id of the event, `event` its type, `data` the CloudEvent in JSON. ' +
          'A client that comes back with `Last-Event-ID` misses nothing. A comment every 15 s shows that the ' +
          'stream lives. It ends after an hour, or when the broker stops; come back then.',
        querystring: StreamQuery,
        headers: Type.Object({
          'Last-Event-ID': Type.Optional(Type.String({ description: 'Only what follows this event' })),
        }),
        response: {
          200: answer('The stream', Type.String(), 'text/event-stream'),
          ...refusals('INVALID_REQUEST', 'NOT_FOUND', 'OVERLOADED'),
        },
      },
    },
    async (request, reply) => {
      const { query, principal } = request;
      const filter: StreamFilter = { who: principal, ...readFilter(query) };
      await mustSee(ports, filter);
      const cursor = await startOf(ports, request.headers['last-event-id'], query.after);
      streams.admit(principal);
      reply.hijack();
      streams.serve(reply.raw, reply.getHeaders(), filter, cursor);
    },
  );
}

/** NOT_FOUND for a circuit that the caller may not see, rather than silence for ever. */
async function mustSee({ broker }: ApiPorts, { who, circuitId }: StreamFilter): Promise<void> {
  if (circuitId !== undefined) await broker.circuit(who, circuitId);
}

/** Where a stream begins: after what the client has heard, or with what happens from now on. */
async function startOf(
  { broker }: ApiPorts,
  heard: string | string[] | undefined,
  after: string | undefined,
): Promise<number> {
  const last = await broker.lastEventSeq();
  const [name, given] =
    typeof heard === 'string' && heard !== '' ? ['Last-Event-ID', heard] : ['after', after];
  if (given === undefined) return last;
  const seq = readEventSeq(given, name as string);
  // It would wait for the log to come so far, and miss what happens until then.
  if (seq > last) throw invalid(name as string, 'lies behind the end of the log');
  return seq;
}
