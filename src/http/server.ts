/**
 * The HTTP server that the API and the peering routes are built on: ids and traces, authentication, strict
 * bodies, schema checks, rate limits, and problem+json for whatever goes wrong, in one place. It knows no
 * resource. Nothing listens here: the caller does, and tests use inject.
 *
 * Each route declares who may use it (`config.authorisation`); one that does not cannot be served, because
 * the server refuses to become ready.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { invariant } from '../kernel/assert.ts';
import type { Clock } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';
import { newId } from '../kernel/ids.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import type { Principal } from '../model/principal.ts';
import { CredentialGuard } from './guard.ts';
import {
  givenRequestId,
  givenTrace,
  refuseCompressed,
  refuseDuplicates,
  refuseUnacceptable,
} from './headers.ts';
import { parseStrict } from './json.ts';
import { brokerErrorOf, internal, problemHeaders, served } from './problem.ts';
import { type Authorisation, allowedMethods, type Route, routeOf } from './routes.ts';
import { buildSerializer, validators } from './schema.ts';
import { certificateOf, mutualTls, type ServerTls } from './tls.ts';

/** What a client shows of itself. */
export interface Credentials {
  readonly authorization: string | undefined;
  /** The certificate that it proved to own, in DER; only where the server speaks TLS. Nobody has judged it yet. */
  readonly certificate?: Uint8Array | undefined;
}

/** Throws UNAUTHENTICATED. An answer that is at hand comes without a promise. */
export type Authenticate = (credentials: Credentials) => Principal | Promise<Principal>;

declare module 'fastify' {
  interface FastifyContextConfig {
    authorisation?: Authorisation;
    /** Whom no rule lets in is refused before the body is read, and before anything is looked for. */
    atDoor?: boolean;
    /** Media types that the route can answer with; JSON when absent. */
    produces?: readonly string[];
    /** A missing body stands for `{}`. */
    bodyOptional?: boolean;
    /** The action that a circuit token (`Authorization: CCT`) may open here; nothing when absent. */
    capability?: string;
  }
  interface FastifyRequest {
    /** Set on every route that is not public; reading it on a public one is a bug and throws. */
    principal: Principal;
    /** The W3C trace that the client is in, to be passed on. */
    traceparent: string | undefined;
    /** The body as it came, for whoever has to check a signature over it. */
    bodyBytes: Buffer | undefined;
  }
  interface FastifyInstance {
    /** Every route that was registered, for tests and for the answer 405. */
    readonly routeTable: readonly Route[];
  }
}

export type HttpServer = FastifyInstance<
  Server,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export interface ServerLimits {
  readonly bodyBytes?: number;
  /** A request that has not arrived wholly by then is cut off. */
  readonly requestTimeoutMs?: number;
  /** How often such requests are looked for. */
  readonly checkIntervalMs?: number;
  /** Requests per principal and window; `false` turns the limit off. */
  readonly rate?: { readonly max: number; readonly windowMs: number } | false;
  /** Requests with bad credentials or none per address and window; `false` turns the limit off. */
  readonly refusals?: { readonly max: number; readonly windowMs: number } | false;
}

export interface ServerOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly authenticate: Authenticate;
  readonly limits?: ServerLimits;
  /** The head of the OpenAPI document: info, tags, servers, security schemes. */
  readonly openapi: NonNullable<Extract<Parameters<typeof swagger>[1], { openapi?: unknown }>['openapi']>;
  /** Log every request, or only those that failed here (5xx). */
  readonly logRequests?: 'all' | 'failed';
  /** Listen with TLS, in PEM; whose a client's certificate may be is for `authenticate` to say. */
  readonly tls?: ServerTls;
}

const BODY_BYTES = 256 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;
const CHECK_INTERVAL_MS = 5_000;
/** 10,000 a second: meant against a loop gone wild, not as a quota. */
const RATE = { max: 600_000, windowMs: 60_000 };
/** 100 a second: a client whose token has expired goes on unharmed, a flood is stopped within seconds. */
const REFUSALS = { max: 6_000, windowMs: 60_000 };
/** A percent-encoded port id: 81 characters of at most three. */
const PARAM_LENGTH = 256;

const JSON_BODY = /^application\/(?:json|merge-patch\+json)(?:\s*;|$)/i;

const caller = Symbol('principal');
type WithCaller = FastifyRequest & { [caller]?: Principal };

export async function buildServer(options: ServerOptions): Promise<HttpServer> {
  const { log, clock, random, limits = {} } = options;
  const requestTimeout = limits.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
  const nextRequestId = (): string => newId('req', clock.now(), random);
  const http = {
    requestTimeout,
    // Node gives the head a minute of its own unless told; the whole request has less.
    headersTimeout: requestTimeout,
    connectionsCheckingInterval: limits.checkIntervalMs ?? CHECK_INTERVAL_MS,
  };

  const app = Fastify<Server, IncomingMessage, ServerResponse>({
    // A server with TLS differs in its sockets only, which nothing but `certificateOf` looks at.
    ...((options.tls === undefined ? { http } : { https: { ...http, ...mutualTls(options.tls) } }) as {
      http: typeof http;
    }),
    logger: false,
    requestIdHeader: false,
    genReqId: (raw) => givenRequestId(raw) ?? nextRequestId(),
    bodyLimit: limits.bodyBytes ?? BODY_BYTES,
    requestTimeout,
    return503OnClosing: false, // the hook below says it in our own words
    routerOptions: { maxParamLength: PARAM_LENGTH },
    schemaController: {
      // Fastify types the schemas of its registry as unknown on one side and as any on the other.
      compilersFactory: {
        buildValidator: validators() as never,
        buildSerializer: buildSerializer as never,
      },
    },
    frameworkErrors: (error, request, reply) => answer(error, request, reply as FastifyReply, log),
    clientErrorHandler: (error, socket) => refuseConnection(error.code, socket, nextRequestId()),
  }).withTypeProvider<TypeBoxTypeProvider>();

  decorate(app);
  takeStrictJson(app);
  app.setErrorHandler((error, request, reply) => answer(error, request, reply, log));
  app.setNotFoundHandler((request, reply) => {
    const methods = allowedMethods(app.routeTable, request.url);
    if (methods.length === 0) throw new BrokerError('NOT_FOUND', 'there is nothing at this path');
    reply.header('allow', methods.join(', '));
    throw new BrokerError('METHOD_NOT_ALLOWED', `this resource knows ${methods.join(', ')}`);
  });

  let closing = false;
  app.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    request.traceparent = givenTrace(request.raw);
    if (request.traceparent !== undefined) reply.header('traceparent', request.traceparent);
    if (closing) throw new BrokerError('STOPPING', 'the broker is stopping');
    refuseDuplicates(request.raw);
    refuseCompressed(request.raw);
    if (!request.is404) refuseUnacceptable(request.raw, request.routeOptions.config.produces);
    done();
  });
  const refusals = limits.refusals ?? REFUSALS;
  const guard = refusals === false ? undefined : new CredentialGuard(clock, refusals);
  app.addHook('onRequest', authentication(options.authenticate, guard));
  app.addHook('preValidation', (request, _reply, done) => {
    if (request.routeOptions.config.bodyOptional === true && request.body == null) request.body = {};
    done();
  });
  logRequests(app, log, options.logRequests ?? 'all');

  await app.register(swagger, {
    openapi: options.openapi,
    convertConstToEnum: false,
    // The document names a schema as the code does.
    refResolver: {
      buildLocalReference: (schema, _base, _fragment, i) => String(schema['$id'] ?? `def-${i}`),
    },
  });
  const rate = limits.rate ?? RATE;
  if (rate !== false) {
    await app.register(rateLimit, {
      max: rate.max,
      timeWindow: rate.windowMs,
      enableDraftSpec: true,
      keyGenerator: (request) => (request as WithCaller)[caller]?.id ?? `ip:${request.ip}`,
      errorResponseBuilder: (_request, context) =>
        new BrokerError('RATE_LIMITED', `more than ${context.max} requests; try again in ${context.after}`, {
          retry_after_s: Math.ceil(context.ttl / 1000),
        }),
    });
  }
  return app;
}

function decorate(app: HttpServer): void {
  const table: Route[] = [];
  app.decorate('routeTable', table);
  app.addHook('onRoute', (route) => {
    table.push(...routeOf(route));
  });
  app.addHook('onReady', (done) => {
    const open = table.find((route) => route.authorisation() === undefined);
    invariant(open === undefined, `the route ${open?.method} ${open?.url} does not declare who may use it`);
    done();
  });
  app.decorateRequest('traceparent', undefined);
  app.decorateRequest('bodyBytes', undefined);
  app.decorateRequest('principal', {
    getter() {
      const principal = (this as WithCaller)[caller];
      invariant(principal !== undefined, `the route ${this.routeOptions.url} has authenticated nobody`);
      return principal;
    },
  });
}

/** Bodies are JSON in UTF-8, read strictly; everything else is 415. */
function takeStrictJson(app: HttpServer): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>(JSON_BODY, { parseAs: 'buffer' }, (request, body, done) => {
    request.bodyBytes = body;
    // Thrown errors would reach the handler too; handing them over keeps the stack short.
    try {
      if (body.length === 0) return done(null, undefined);
      if (!isUtf8(body)) throw new BrokerError('INVALID_REQUEST', 'the body is not UTF-8');
      const value = parseStrict(body.toString('utf8'));
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw new BrokerError('INVALID_REQUEST', 'the body must be an object', {
          errors: [{ pointer: '', detail: 'must be an object' }],
        });
      }
      done(null, value);
    } catch (error) {
      // Whatever was thrown is an Error here: parseStrict and the lines above throw nothing else.
      done(error as Error, undefined);
    }
  });
}

const CAPABILITY = /^CCT\b/i;
const isCapability = ({ headers }: Pick<FastifyRequest, 'headers'>): boolean =>
  CAPABILITY.test(headers.authorization ?? '');

function authentication(authenticate: Authenticate, guard: CredentialGuard | undefined) {
  const admit = (request: FastifyRequest, principal: Principal): void => {
    (request as WithCaller)[caller] = principal;
  };
  /** What stands here may be a fault of ours, too: that counts against nobody. */
  const counted = (request: FastifyRequest, error: unknown): unknown => {
    if (error instanceof BrokerError && error.status === 401) guard?.refused(request.ip);
    return error;
  };
  return (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void => {
    if (request.is404 || request.routeOptions.config.authorisation === 'public') {
      done();
      return;
    }
    guard?.check(request.ip);
    if (isCapability(request) && request.routeOptions.config.capability === undefined)
      throw counted(
        request,
        new BrokerError('UNAUTHENTICATED', 'a circuit token opens the verbs of its circuit and nothing else'),
      );
    let found: Principal | Promise<Principal>;
    try {
      found = authenticate({
        authorization: request.headers.authorization,
        certificate: certificateOf(request.raw.socket),
      });
    } catch (error) {
      throw counted(request, error);
    }
    if (found instanceof Promise) {
      found
        .catch((error: unknown) => {
          throw counted(request, error);
        })
        .then((principal) => admit(request, principal))
        .then(() => done(), done);
    } else {
      admit(request, found);
      done();
    }
  };
}

function answer(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): void {
  let known = brokerErrorOf(error);
  if (known === undefined) {
    const text = error instanceof Error ? (error.stack ?? String(error)) : String(error);
    log.error({ event: 'http.failed', request_id: request.id, error: text });
    known = internal();
  }
  const headers = problemHeaders(known, request.headers.authorization !== undefined);
  // A body that is not read would be taken for the next request.
  if (known.status === 413 || known.status === 415) headers['connection'] = 'close';
  reply
    .code(known.status)
    .header('x-request-id', request.id)
    .headers(headers)
    .send(JSON.stringify(served(known, request.id)));
}

/** What never became a request: the parser gave up on it, or it took too long. */
function refuseConnection(code: string, socket: Socket, requestId: string): void {
  if (code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const error =
    code === 'HPE_HEADER_OVERFLOW'
      ? new BrokerError('HEADERS_TOO_LARGE', 'the headers are larger than 16 KiB')
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? new BrokerError('REQUEST_TIMEOUT', 'the request did not arrive in time')
        : new BrokerError('INVALID_REQUEST', 'this is not a well-formed HTTP request');
  const body = JSON.stringify(served(error, requestId));
  const headers = {
    ...problemHeaders(error, false),
    'x-request-id': requestId,
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}\r\n${lines.join('')}\r\n${body}`);
}

function logRequests(app: HttpServer, log: Log, which: 'all' | 'failed'): void {
  app.addHook('onResponse', (request, reply, done) => {
    if (which === 'all' || reply.statusCode >= 500) {
      const principal = (request as WithCaller)[caller];
      log.info({
        event: 'http.request',
        request_id: request.id,
        method: request.method,
        // The pattern, not the path: what a client wrote there is free text.
        route: request.routeOptions.url ?? '-',
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
        ...(principal === undefined ? {} : { principal: principal.id }),
      });
    }
    done();
  });
}
