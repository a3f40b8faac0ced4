/**
 * The network piece by piece: ports, links and domains are views of the topology that runs now, small enough
 * to be paged in memory. The document as a whole is in topologyDocument.ts.
 */
import { type Static, Type } from 'typebox';
import type { TopologyImpact } from '../../broker/calls.ts';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { instant } from '../../kernel/clock.ts';
import { BrokerError } from '../../kernel/errors.ts';
import { answer, BODIES, CHANGES, nothingNew, refusals, resource } from '../answers.ts';
import { callOf, type Rendered, sendMutated, sendRead } from '../mutation.ts';
import type { ApiPorts } from '../resource.ts';
import {
  IdParams,
  invalid,
  LONGEST_S,
  listOf,
  MutationQuery,
  NoQuery,
  pageInMemory,
  pageQuery,
  readIfMatch,
  readTime,
  Time,
} from '../wire/common.ts';
import { IfMatchRequired } from '../wire/headers.ts';
import {
  CalendarSchema,
  DomainName,
  DomainSchema,
  LinkChangeSchema,
  LinkPatchSchema,
  LinkSchema,
  PortViewSchema,
  topologySchemas,
  writeCalendar,
  writeImpact,
  writePort,
} from '../wire/topology.ts';
import { topologyDocument } from './topologyDocument.ts';

const tags = ['network'];
const visible = { authorisation: 'visible' } as const;
const PageQuery = Type.Object(pageQuery, { additionalProperties: false });
/** What a calendar shows when nothing is said. */
const DEFAULT_SPAN_S = 86_400;

const missing = (what: string, id: string): BrokerError =>
  new BrokerError('NOT_FOUND', `there is no ${what} ${id.slice(0, 128)}`);

export function topology(app: HttpServer, ports: ApiPorts): void {
  for (const schema of topologySchemas) app.addSchema(schema);
  topologyDocument(app, ports);
  portRoutes(app, ports);
  linkRoutes(app, ports);
  domainRoutes(app, ports);
}

function portRoutes(app: HttpServer, { broker }: ApiPorts): void {
  app.get(
    '/v1/ports',
    {
      config: visible,
      schema: {
        operationId: 'listPorts',
        summary: 'List our ports and those that peers advertise',
        tags,
        querystring: Type.Object(
          { ...pageQuery, domain: Type.Optional(DomainName) },
          { additionalProperties: false },
        ),
        response: { 200: answer('A page', listOf(PortViewSchema)), ...refusals('INVALID_REQUEST') },
      },
    },
    async (request) =>
      pageInMemory(broker.ports(request.query.domain).map(writePort), (port) => port.id, request.query),
  );

  app.get(
    '/v1/ports/:id',
    {
      config: visible,
      schema: {
        operationId: 'getPort',
        summary: 'Read a port',
        tags,
        params: IdParams,
        querystring: NoQuery,
        response: { 200: answer('The port', ref(PortViewSchema)), ...refusals('NOT_FOUND') },
      },
    },
    async (request) => {
      const port = broker.ports().find(({ id }) => id === request.params.id);
      if (port === undefined) throw missing('port', request.params.id);
      return writePort(port);
    },
  );
}

function linkRoutes(app: HttpServer, { broker, clock }: ApiPorts): void {
  const linkOf = (id: string) => {
    const link = broker.topology().document.links.find((one) => one.id === id);
    if (link === undefined) throw missing('link', id);
    return link;
  };

  app.get(
    '/v1/links',
    {
      config: visible,
      schema: {
        operationId: 'listLinks',
        summary: 'List the links',
        tags,
        querystring: PageQuery,
        response: { 200: answer('A page', listOf(LinkSchema)), ...refusals('INVALID_REQUEST') },
      },
    },
    async (request) => pageInMemory(broker.topology().document.links, (link) => link.id, request.query),
  );

  app.get(
    '/v1/links/:id',
    {
      config: visible,
      schema: {
        operationId: 'getLink',
        summary: 'Read a link',
        tags,
        params: IdParams,
        querystring: NoQuery,
        response: {
          200: resource('The link, under the ETag of the topology', ref(LinkSchema)),
          ...nothingNew,
          ...refusals('NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const link = linkOf(request.params.id);
      return sendRead(request, reply, broker.topology().version, link);
    },
  );

  app.patch(
    '/v1/links/:id',
    {
      config: { authorisation: 'decided:topology.write', atDoor: true },
      schema: {
        operationId: 'changeLink',
        summary: 'Take a link out of use, or back into it',
        description:
          'Circuits on a link that goes down are given other roads, the most important first. The ETag is that of the topology.',
        tags,
        params: IdParams,
        querystring: MutationQuery,
        headers: IfMatchRequired,
        body: ref(LinkPatchSchema),
        response: {
          200: resource('The link, and what it means for the bookings', ref(LinkChangeSchema)),
          ...refusals(...CHANGES, ...BODIES, 'NOT_FOUND', 'PRECONDITION_REQUIRED'),
        },
      },
    },
    async (request, reply) => {
      const revision = readIfMatch(request.headers['if-match'], true);
      const { admin_state: admin, oper_state: oper } = request.body;
      const render = (impact: TopologyImpact): Rendered => ({
        status: 200,
        // The document's lists are read-only; otherwise it is what the schema says.
        body: {
          link: { ...linkOf(request.params.id), ...request.body } as Static<typeof LinkSchema>,
          ...writeImpact(impact),
        } satisfies Static<typeof LinkChangeSchema>,
        revision: impact.version,
      });
      const state = { ...(admin === undefined ? {} : { admin }), ...(oper === undefined ? {} : { oper }) };
      const changed = await broker.setLink(callOf(request, render), request.params.id, state, revision);
      return sendMutated(request, reply, changed, render);
    },
  );

  app.get(
    '/v1/links/:id/calendar',
    {
      config: visible,
      schema: {
        operationId: 'getLinkCalendar',
        summary: 'What is claimed of a link over time',
        tags,
        params: IdParams,
        querystring: Type.Object(
          {
            from: Type.Optional(Type.String({ ...Time, description: 'Now, when absent' })),
            to: Type.Optional(Type.String({ ...Time, description: 'A day later, when absent' })),
          },
          { additionalProperties: false },
        ),
        response: {
          200: answer('Its steps', ref(CalendarSchema)),
          ...refusals('INVALID_REQUEST', 'NOT_FOUND'),
        },
      },
    },
    async (request) => {
      const link = linkOf(request.params.id);
      const { query } = request;
      const from = query.from === undefined ? clock.now() : readTime(query.from, 'from');
      const to = query.to === undefined ? instant(from + DEFAULT_SPAN_S * 1000) : readTime(query.to, 'to');
      if (to <= from) throw invalid('to', 'must lie after from');
      if (to - from > LONGEST_S * 1000) throw invalid('to', 'is more than ten years after from');
      return writeCalendar(link, from, to, broker.linkCalendar(link.id, from, to) ?? []);
    },
  );
}

function domainRoutes(app: HttpServer, { broker }: ApiPorts): void {
  app.get(
    '/v1/domains',
    {
      config: visible,
      schema: {
        operationId: 'listDomains',
        summary: 'List our own domain, its neighbours, and those beyond that we know of',
        tags,
        querystring: PageQuery,
        response: { 200: answer('A page', listOf(DomainSchema)), ...refusals('INVALID_REQUEST') },
      },
    },
    async (request) => {
      const { domain, prefix, ports, neighbours = [] } = broker.topology().document;
      const adjacent = new Set(ports.map((port) => port.remote?.domain));
      const said = broker.domains().map(({ document }) => document);
      const all: Static<typeof DomainSchema>[] = [
        { name: domain, prefix, role: 'OWN', ports: ports.length },
        ...said.map((one) => ({
          name: one.domain,
          prefix: one.prefix,
          role: adjacent.has(one.domain) ? ('NEIGHBOUR' as const) : ('BEYOND' as const),
          ports: one.ports.length + one.borders.length,
        })),
        ...neighbours
          .filter((n) => !said.some((one) => one.domain === n.domain))
          .map((n) => ({
            name: n.domain,
            prefix: n.prefix,
            role: 'NEIGHBOUR' as const,
            ...(n.api === undefined ? {} : { api: n.api }),
            ports: n.ports.length,
          })),
      ];
      return pageInMemory(all, (one) => one.name, request.query);
    },
  );
}
