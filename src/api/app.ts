/**
 * The public API of one domain: every resource on one server, the OpenAPI document made from their routes,
 * and the pages that show it. Building it opens nothing; the caller listens, and tests inject.
 */
import swaggerUi from '@fastify/swagger-ui';
import { actions } from '../aaa/decide.ts';
import type { PeerOffice } from '../broker/abroad/peerOffice.ts';
import type { UseCases } from '../broker/usecases.ts';
import { type Authenticate, buildServer, type HttpServer, type ServerLimits } from '../http/server.ts';
import type { ServerTls } from '../http/tls.ts';
import { invariant } from '../kernel/assert.ts';
import type { Clock } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import { resources } from './resources/index.ts';
import {
  AlternativeSchema,
  BottleneckSchema,
  FieldErrorSchema,
  NeededSchema,
  ProblemSchema,
} from './wire/common.ts';

export interface AppOptions {
  readonly broker: UseCases;
  readonly domain: string;
  readonly version: string;
  readonly authenticate: Authenticate;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: ServerLimits;
  /** Told of everybody who is turned away at the door. */
  readonly refused?: (code: string) => void;
  /** Listen with TLS; plain HTTP when absent. */
  readonly tls?: ServerTls;
  readonly logRequests?: 'all' | 'failed';
  /** Webhooks may reach private addresses; for labs. */
  readonly allowPrivateWebhooks?: boolean;
  readonly peerOffice?: PeerOffice;
  /** The pages at /docs; on unless said otherwise. They cost some start-up time. */
  readonly docs?: boolean;
}

const TAGS = [
  { name: 'circuits', description: 'Ask for, change and end circuits' },
  { name: 'circuit sets', description: 'Several circuits, all or none' },
  { name: 'offers', description: 'What could be had, to choose from' },
  { name: 'series', description: 'Circuits that repeat' },
  { name: 'events', description: 'One log, as a list and as a stream' },
  { name: 'webhooks', description: 'Be called when something happens' },
  { name: 'audit', description: 'The log of all decisions, signed; for operators' },
  { name: 'decisions', description: 'What the policy said, and why' },
  { name: 'tokens', description: 'Capability tokens of circuits: issue, narrow, look into, withdraw' },
  { name: 'policies', description: 'Versions of the policy; for operators' },
  { name: 'network', description: 'Topology, ports, links, domains' },
  { name: 'maintenance', description: 'Links and nodes out of use for a time' },
  { name: 'devices', description: 'Elements and their cross-connects; for operators' },
  { name: 'identity', description: 'Who is calling' },
  { name: 'system', description: 'Health, figures, version' },
];

/** Of the contract, not of the program: /version tells that. */
const API_VERSION = '1.0.0';

const PAGE_TYPES = ['text/html', 'text/css', 'application/javascript', 'application/json', 'image/png'];

/** The pages bring everything with them and ask nobody else. Swagger UI styles its own elements inline. */
const PAGE_POLICY =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

export async function buildApp(options: AppOptions): Promise<HttpServer> {
  const { broker, clock, log, domain, version, random, authenticate } = options;
  const app = await buildServer({
    log,
    clock,
    random,
    authenticate,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.logRequests === undefined ? {} : { logRequests: options.logRequests }),
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Turnpike',
        version: API_VERSION,
        summary: 'A service-plane broker for cut-through circuits',
        description:
          'Names are snake_case, what is absent is left out and never null. Times are RFC 3339 with an offset and whole seconds, durations integer seconds, rates integer Mb/s reserved in both directions. Errors are problem documents (RFC 9457) with a stable `code`.',
      },
      servers: [{ url: '/', description: 'This broker' }],
      tags: TAGS,
      security: [{ bearer: [] }],
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            bearerFormat: 'JWT',
            description: 'A JWT of an issuer that the operator configured',
          },
          circuitToken: {
            type: 'apiKey',
            in: 'header',
            name: 'Authorization',
            description:
              '`CCT root~link~kb`: the token of the circuit with a proof by its holder. On a MANUAL circuit that has been decided provision, release and changes need it, and DELETE when it is lit; it replaces the bearer there.',
          },
        },
      },
    },
  });
  app.addHook('onError', (_request, _reply, error, done) => {
    // Typed as what Fastify itself throws; ours come the same way.
    const thrown: unknown = error;
    if (thrown instanceof BrokerError && isAtTheDoor(thrown)) options.refused?.(thrown.code);
    done();
  });
  for (const schema of [FieldErrorSchema, BottleneckSchema, AlternativeSchema, NeededSchema, ProblemSchema]) {
    app.addSchema(schema);
  }
  const ports = {
    broker,
    clock,
    log,
    domain,
    version,
    allowPrivateWebhooks: options.allowPrivateWebhooks ?? false,
    ...(options.peerOffice === undefined ? {} : { peerOffice: options.peerOffice }),
  };
  watchDoors(app, broker);
  for (const register of resources) register(app, ports);
  await serveDocument(app, options.docs ?? true);
  return app;
}

/** Before there was anything to decide: what the policy denies has a decision, with a record of its own. */
const isAtTheDoor = ({ code, details }: BrokerError): boolean =>
  code === 'UNAUTHENTICATED' ||
  code === 'RATE_LIMITED' ||
  (code === 'POLICY_DENIED' && details.decision_id === undefined);

/** What only operators use is asked about as soon as it is known who comes. */
function watchDoors(app: HttpServer, broker: UseCases): void {
  app.addHook('onRequest', async (request) => {
    const { authorisation = '', atDoor = false } = request.routeOptions.config;
    if (!atDoor) return;
    const action = actions.find((one) => authorisation === `decided:${one}`);
    invariant(action !== undefined, 'a route with a door names the action that is asked about there');
    // The schema has not read the query yet.
    const { validate_only } = request.query as { readonly validate_only?: unknown };
    const validateOnly = validate_only === 'true';
    await broker.policies.enter(
      { principal: request.principal, requestId: request.id, validateOnly },
      action,
    );
  });
}

async function serveDocument(app: HttpServer, pages: boolean): Promise<void> {
  let text: string | undefined;
  app.get(
    '/openapi.json',
    { config: { authorisation: 'public' }, schema: { hide: true } },
    (_request, reply) => {
      text ??= JSON.stringify(app.swagger());
      return reply.type('application/json; charset=utf-8').send(text);
    },
  );
  if (!pages) return;
  await app.register((scope, _options, done) => {
    // The plugin's own routes declare nothing; what they show is public.
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, authorisation: 'public', produces: PAGE_TYPES };
    });
    scope.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: PAGE_POLICY,
      uiConfig: { validatorUrl: null },
    });
    done();
  });
}
