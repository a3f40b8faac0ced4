/**
 * The topology as a whole: read in any notation that can be written, replaced by any that can be read. What
 * runs is one document; each version of it has an ETag, which links and their states share.
 */
import { isUtf8 } from 'node:buffer';
import { type Static, Type } from 'typebox';
import type { TopologyImpact } from '../../broker/calls.ts';
import { parseStrict } from '../../http/json.ts';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { BrokerError } from '../../kernel/errors.ts';
import type { TopologyDocument } from '../../topology/document.ts';
import { BODIES, CHANGES, nothingNew, refusals, resource } from '../answers.ts';
import { callOf, type Rendered, sendMutated, sendNotation, sendRead } from '../mutation.ts';
import type { ApiPorts } from '../resource.ts';
import { readIfMatch, ValidateOnly } from '../wire/common.ts';
import { IfMatchHeader } from '../wire/headers.ts';
import {
  notation,
  notationOf,
  type Reading,
  readNotation,
  readNotations,
  textTypes,
  typeOf,
  warningsOf,
  writtenNotations,
} from '../wire/notation.ts';
import { Mbps } from '../wire/schedule.ts';
import { GraphSchema, ImpactSchema, readTopology, TopologySchema, writeImpact } from '../wire/topology.ts';

const tags = ['network'];
const strict = { additionalProperties: false } as const;
/** The largest network of the Topology Zoo has 754 nodes and needs 300 kB; 5,000 nodes need 3 MB. */
const BODY_BYTES = 8 * 1024 * 1024;

const GetQuery = Type.Object(
  { format: Type.Optional(Type.Enum([...writtenNotations], { default: 'json' })) },
  strict,
);
const PutQuery = Type.Object(
  {
    ...ValidateOnly,
    format: Type.Optional(
      Type.Enum([...readNotations], { description: 'What the body is, whatever its Content-Type says' }),
    ),
    capacity_mbps: Type.Optional(
      Type.Integer({ ...Mbps, description: 'Of links and ports whose notation does not say; 10000' }),
    ),
  },
  strict,
);

const text = (description: string) => ({ schema: Type.String({ description }) });

export function topologyDocument(app: HttpServer, { broker }: ApiPorts): void {
  app.get(
    '/v1/topology',
    {
      config: { authorisation: 'visible', produces: writtenNotations.map(typeOf) },
      schema: {
        operationId: 'getTopology',
        summary: 'Read the topology',
        description: '`format` says in which notation; without it, a single type in Accept does.',
        tags,
        querystring: GetQuery,
        response: {
          200: {
            ...resource('The document that PUT takes', ref(TopologySchema)),
            content: {
              'application/json': { schema: ref(TopologySchema) },
              [typeOf('graphology')]: { schema: ref(GraphSchema) },
              [typeOf('geojson')]: { schema: Type.Object({ type: Type.Literal('FeatureCollection') }, open) },
              [typeOf('yaml')]: text('The same document'),
              [typeOf('nml')]: text('OGF GFD.206'),
              [typeOf('dot')]: text('For Graphviz'),
            },
          },
          ...nothingNew,
          ...refusals('INVALID_REQUEST'),
        },
      },
    },
    async (request, reply) => {
      const wanted = writtenNotations.find((name) => typeOf(name) === request.headers.accept);
      const name = request.query.format ?? wanted ?? 'json';
      const { version, document } = broker.topology();
      reply.header('vary', 'accept');
      if (name === 'json') return sendRead(request, reply, version, document);
      const written = notation(name).write?.(document) ?? '';
      return sendNotation(request, reply, version, { name, type: typeOf(name), text: written });
    },
  );

  // Only here are bodies anything but JSON.
  app.register((scope: HttpServer, _options, done) => {
    takeTexts(scope);
    putTopology(scope, broker);
    done();
  });
}

const open = { additionalProperties: true } as const;

function takeTexts(scope: HttpServer): void {
  scope.addContentTypeParser<Buffer>([...textTypes], { parseAs: 'buffer' }, (_request, body, done) => {
    if (!isUtf8(body)) done(new BrokerError('INVALID_REQUEST', 'the body is not UTF-8'), undefined);
    else done(null, body.toString('utf8'));
  });
  scope.addHook('onRequest', (request, _reply, done) => {
    const { format } = request.query as { readonly format?: unknown };
    // The schema check comes after the body is read; what is no notation is refused there.
    const named = readNotations.find((name) => name === format);
    if (named !== undefined) request.headers = { ...request.headers, 'content-type': typeOf(named) };
    done();
  });
}

function putTopology(scope: HttpServer, broker: ApiPorts['broker']): void {
  scope.put(
    '/v1/topology',
    {
      config: { authorisation: 'decided:topology.write', atDoor: true },
      bodyLimit: BODY_BYTES,
      schema: {
        operationId: 'putTopology',
        summary: 'Replace the topology',
        description:
          'With validate_only it says which bookings would break, and changes nothing. Maintenance windows stay unless the document has a list of its own. Up to 8 MiB.',
        tags,
        querystring: PutQuery,
        headers: IfMatchHeader,
        body: {
          content: {
            'application/json': { schema: ref(TopologySchema) },
            ...Object.fromEntries(textTypes.map((type) => [type, { schema: Type.String() }])),
          },
        },
        response: {
          200: resource('What it means for the bookings', ref(ImpactSchema)),
          ...refusals(...CHANGES, ...BODIES),
        },
      },
    },
    async (request, reply) => {
      const running = broker.topology();
      const { document, warnings } = reading(
        request.body,
        request.mediaType ?? '',
        running.document,
        request.query.capacity_mbps,
      );
      const render = (impact: TopologyImpact): Rendered => ({
        status: 200,
        body: {
          ...writeImpact(impact),
          ...(warnings.length === 0 ? {} : { warnings: [...warnings] }),
        } satisfies Static<typeof ImpactSchema>,
        revision: impact.version,
      });
      const windows = document.maintenance_windows ?? running.document.maintenance_windows;
      const kept = windows === undefined || windows === document.maintenance_windows;
      // Windows that are carried over must be those of the version that is replaced.
      const revision = readIfMatch(request.headers['if-match']) ?? (kept ? undefined : running.version);
      const whole = kept ? document : { ...document, maintenance_windows: windows };
      const put = await broker.putTopology(callOf(request, render), whole, revision);
      return sendMutated(request, reply, put, render);
    },
  );
}

function reading(
  body: unknown,
  mediaType: string,
  { domain, prefix }: TopologyDocument,
  capacityMbps: number | undefined,
): Reading {
  if (typeof body === 'string') {
    const format = notationOf(mediaType, body);
    // What JSON may not hold, it may not hold in a graph either.
    if (format.name === 'graphology') parseStrict(body);
    const options = { domain, prefix, ...(capacityMbps === undefined ? {} : { capacityMbps }) };
    return readNotation(body, format, options);
  }
  if (body === undefined || mediaType !== 'application/json') {
    throw new BrokerError('UNSUPPORTED_MEDIA_TYPE', `send one of application/json, ${textTypes.join(', ')}`);
  }
  // The schema of this media type has just let it through.
  const document = readTopology(body as Static<typeof TopologySchema>);
  return { document, warnings: warningsOf(document) };
}
