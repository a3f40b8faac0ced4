/**
 * Where peers' messages come in: a server of its own with TLS on both sides. A peer is who its certificate says,
 * never who its message says. What a message must pass is in checks.ts; every answer to a message that is surely
 * the peer's is signed, refusals too.
 */
import type { Server as TlsServer } from 'node:tls';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Static, TSchema } from 'typebox';
import type { PeerAnswer, PeerMessage } from '../broker/abroad/peerPorts.ts';
import { ref } from '../http/schema.ts';
import { buildServer, type HttpServer } from '../http/server.ts';
import { mutualTls } from '../http/tls.ts';
import { type Clock, stopwatch } from '../kernel/clock.ts';
import { BrokerError, textOf } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { Random } from '../kernel/random.ts';
import { checkFresh, checkOperation, checkTrace, ownerOf, provenSeal } from './checks.ts';
import type { Identity } from './client.ts';
import { type Hello, HelloSchema } from './hello.ts';
import { STATUS_PATH, StatusAnswerSchema, StatusAskSchema } from './issuers.ts';
import type { Peer, Said } from './peer.ts';
import { HeardSchema, REVOCATIONS_PATH, RevocationsSchema } from './revocations.ts';
import { digestOf, type RequestSeal, SEAL_HEADER, sealAnswer } from './seal.ts';
import {
  OutcomeSchema,
  SignedSchema,
  TOPOLOGIES_PATH,
  TOPOLOGY_BYTES,
  TOPOLOGY_DIGEST_PATH,
  type Topologies,
  VersionsSchema,
} from './topologies.ts';
import { AnswerSchema, MessageSchema, readMessage, writeAnswer } from './wire.ts';
import {
  CHECKPOINTS_PATH,
  NothingSchema,
  SEEN_PATH,
  SeenSchema,
  ShownSchema,
  WitnessedSchema,
  type Witnesses,
} from './witnesses.ts';

export const HELLO_PATH = '/peer/v1/hello';
export const MESSAGES_PATH = '/peer/v1/messages';

/** The longest is a digest; a topology document has a limit of its own. */
const MESSAGE_BYTES = 1024 * 1024;

export interface Receiver {
  /** In whose session a message must be; another for every process. */
  readonly session: string;
  peers(): readonly Peer[];
  /** Takes in a peer's hello and gives ours. */
  hello(peer: Peer, theirs: Hello): Hello;
  take(peer: Peer, message: PeerMessage): Promise<PeerAnswer>;
  revoked(peer: Peer, body: Static<typeof RevocationsSchema>): Promise<Static<typeof HeardSchema>>;
  /** Which tokens of ours were withdrawn: a status list by its number. */
  tokenStatus(list: number): string | undefined;
  readonly topologies: Pick<Topologies, 'accept' | 'compared'>;
  readonly witnesses: Pick<Witnesses, 'shown' | 'seen'>;
}

export interface RoutePorts {
  readonly identity: Identity;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Who asks, and once its signature has been checked, what it signed. */
const askers = new WeakMap<FastifyRequest, { readonly peer: Peer; readonly seal: RequestSeal }>();

export async function buildPeerServer(receiver: Receiver, ports: RoutePorts): Promise<HttpServer> {
  const { identity, clock, random, log } = ports;
  const app = await buildServer({
    clock,
    random,
    log,
    authenticate: ({ certificate }) => {
      const { domain } = ownerOf(receiver.peers(), certificate, clock);
      return { id: `peer|${domain}`, name: domain, roles: [], projects: [], assurance: 2 };
    },
    // Peers have limits of their own, in which what only takes away is never refused.
    limits: { bodyBytes: MESSAGE_BYTES, rate: false },
    logRequests: 'failed',
    tls: { key: identity.key, certificate: identity.certificate },
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Turnpike between domains',
        version: '1.0.0',
        summary: 'What the brokers of two domains say to each other',
        description:
          'Over mutual TLS with pinned certificates. Each request carries `turnpike-signature`, a JWS (ES256) over iss, aud, iat, jti, path, the digest of the body and the session that the receiver named in its hello; each answer one over iss, aud, iat, the jti that it answers, its status and the digest of its body. Refusals are problem documents (RFC 9457).',
      },
      servers: [{ url: '/', description: 'This broker, to its peers' }],
      tags: [{ name: 'peering', description: 'Between brokers' }],
      // Of OpenAPI 3.1; the types know 3.0.
      components: { securitySchemes: { peer: { type: 'mutualTLS' } as never } },
      security: [{ peer: [] }],
    },
  });
  app.addHook('preValidation', (request, _reply, done) => {
    if (!request.is404) admit(request, receiver, ports);
    done();
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    sign(request, reply, typeof payload === 'string' ? payload : '', ports);
    done(null, payload);
  });
  for (const schema of schemas) app.addSchema(schema);
  helloRoute(app, receiver);
  messageRoute(app, receiver, ports);
  topologyRoutes(app, receiver);
  revocationRoute(app, receiver);
  checkpointRoutes(app, receiver);
  return app;
}

/** Connections from now on are shown this certificate; those that are idle are hung up on. */
export function presentAnew({ server }: HttpServer, { key, certificate }: Identity): void {
  // With TLS, as it was built.
  (server as unknown as TlsServer).setSecureContext(mutualTls({ key, certificate }));
  server.closeIdleConnections();
}

function admit(request: FastifyRequest, receiver: Receiver, { identity, clock, log }: RoutePorts): void {
  const peer = receiver.peers().find(({ domain }) => domain === request.principal.name);
  if (peer === undefined) throw new BrokerError('UNAUTHENTICATED', 'no longer a peer');
  try {
    const header = request.headers[SEAL_HEADER];
    const seal = provenSeal(peer, identity.domain, {
      header: typeof header === 'string' ? header : undefined,
      path: request.url,
      body: request.bodyBytes ?? '',
    });
    // From here on it is certain who asks what: the answer is signed and bound to the question.
    askers.set(request, { peer, seal });
    checkFresh(peer, seal, request.url === HELLO_PATH ? undefined : receiver.session, clock);
  } catch (error) {
    // After a restart it is not the peer's fault that it does not know.
    if (!(error instanceof BrokerError && error.code === 'STALE_SESSION')) {
      peer.failed(textOf(error));
      log.warn({ event: 'peer.refused', peer: peer.domain, detail: textOf(error) });
    }
    throw error;
  }
}

function sign(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: string,
  { identity, clock }: RoutePorts,
): void {
  const asker = askers.get(request);
  if (asker === undefined) return;
  const claims = {
    iss: identity.domain,
    aud: asker.peer.domain,
    iat: clock.now(),
    req: asker.seal.jti,
    status: reply.statusCode,
    digest: digestOf(payload),
  };
  reply.header(SEAL_HEADER, sealAnswer(claims, identity.signer));
}

const askerOf = (request: FastifyRequest): Peer => {
  const asker = askers.get(request);
  if (asker === undefined) throw new BrokerError('UNAUTHENTICATED', 'nobody has signed this');
  return asker.peer;
};

const schemas = [
  HelloSchema,
  MessageSchema,
  AnswerSchema,
  SignedSchema,
  OutcomeSchema,
  VersionsSchema,
  RevocationsSchema,
  HeardSchema,
  StatusAskSchema,
  StatusAnswerSchema,
  ShownSchema,
  WitnessedSchema,
  NothingSchema,
  SeenSchema,
];
const tags = ['peering'];
const answer = (description: string, schema: TSchema) => ({
  description,
  content: { 'application/json': { schema } },
});
const config = { authorisation: 'visible' } as const;

function helloRoute(app: HttpServer, receiver: Receiver): void {
  app.post(
    HELLO_PATH,
    {
      config,
      schema: {
        operationId: 'hello',
        summary: 'Say who you are, and learn the same of us',
        tags,
        body: ref(HelloSchema),
        response: { 200: answer('Our own hello', ref(HelloSchema)) },
      },
    },
    async (request) => {
      const peer = askerOf(request);
      const answer = receiver.hello(peer, request.body);
      peer.note('IN', { op: 'hello' }, peer.unfit ?? 'WELCOME', 0);
      return answer;
    },
  );
}

/** What these take must be given back, and nobody is kept from giving back. */
export const TAKING: ReadonlySet<string> = new Set(['hold', 'extend', 'commit', 'provision']);

function messageRoute(app: HttpServer, receiver: Receiver, { identity, clock }: RoutePorts): void {
  app.post(
    MESSAGES_PATH,
    {
      config,
      schema: {
        operationId: 'message',
        summary: 'One verb of a circuit; the answer is the present state of the segment',
        tags,
        body: ref(MessageSchema),
        response: { 200: answer('The present state', ref(AnswerSchema)) },
      },
    },
    async (request) => {
      const peer = askerOf(request);
      const { trace } = request.body;
      const message = readMessage(request.body.message);
      const watch = stopwatch();
      const entered = peer.enter();
      try {
        if (TAKING.has(message.op)) checkRoom(peer, entered);
        checkTrace(trace, peer.domain, identity.domain);
        checkOperation(peer, message, clock);
        const answer = await receiver.take(peer, message);
        peer.epoch = message.epoch;
        peer.note('IN', saidOf(message), answer.state, stopwatch() - watch);
        return writeAnswer(answer);
      } catch (error) {
        const outcome = error instanceof BrokerError ? `${error.code}: ${error.message}` : 'INTERNAL';
        peer.note('IN', saidOf(message), outcome, stopwatch() - watch);
        throw error;
      } finally {
        if (entered) peer.leave();
      }
    },
  );
}

function topologyRoutes(app: HttpServer, { topologies }: Receiver): void {
  app.post(
    TOPOLOGIES_PATH,
    {
      config,
      bodyLimit: TOPOLOGY_BYTES,
      schema: {
        operationId: 'bringTopology',
        summary: 'A topology document, signed by the domain that it is of',
        tags,
        body: ref(SignedSchema),
        response: { 200: answer('What it was here', ref(OutcomeSchema)) },
      },
    },
    async (request) => {
      const peer = askerOf(request);
      checkRoom(peer, true);
      const outcome = await topologies.accept(peer, request.body);
      peer.note('IN', { op: 'topology' }, outcome, 0);
      return { outcome };
    },
  );
  app.post(
    TOPOLOGY_DIGEST_PATH,
    {
      config,
      schema: {
        operationId: 'compareTopologies',
        summary: 'Which versions of which documents each side has',
        tags,
        body: ref(VersionsSchema),
        response: { 200: answer('What we have', ref(VersionsSchema)) },
      },
    },
    async (request) => {
      const peer = askerOf(request);
      checkRoom(peer, true);
      return topologies.compared(peer, request.body);
    },
  );
}

function revocationRoute(app: HttpServer, receiver: Receiver): void {
  app.post(
    REVOCATIONS_PATH,
    {
      config,
      schema: {
        operationId: 'revoke',
        summary: "Withdraw tokens of the sender's own issuer",
        tags,
        body: ref(RevocationsSchema),
        response: { 200: answer('How many were news', ref(HeardSchema)) },
      },
    },
    async (request) => {
      const peer = askerOf(request);
      const heard = await receiver.revoked(peer, request.body);
      peer.note('IN', { op: 'revocations' }, `${heard.news} NEW`, 0);
      return heard;
    },
  );
  app.post(
    STATUS_PATH,
    {
      config,
      schema: {
        operationId: 'tokenStatus',
        summary: "Which tokens of the receiver's own issuer were withdrawn",
        tags,
        body: ref(StatusAskSchema),
        response: { 200: answer('The list, signed by the issuer', ref(StatusAnswerSchema)) },
      },
    },
    async (request) => {
      const peer = askerOf(request);
      checkRoom(peer, true);
      const signed = receiver.tokenStatus(request.body.list);
      peer.note('IN', { op: 'token-status' }, signed === undefined ? 'NOT_FOUND' : 'LIST', 0);
      if (signed === undefined) throw new BrokerError('NOT_FOUND', 'there is no such list');
      return { signed };
    },
  );
}

function checkpointRoutes(app: HttpServer, { witnesses }: Receiver): void {
  app.post(
    CHECKPOINTS_PATH,
    {
      config,
      schema: {
        operationId: 'showCheckpoint',
        summary: "Show the newest checkpoint of the sender's audit log, to be cosigned",
        tags,
        body: ref(ShownSchema),
        response: { 200: answer('The cosignature, or what was seen before', ref(WitnessedSchema)) },
      },
    },
    async (request) => {
      const peer = askerOf(request);
      checkRoom(peer, true);
      const said = await witnesses.shown(peer, request.body);
      peer.note('IN', { op: 'checkpoint' }, said.outcome, 0);
      return said;
    },
  );
  app.post(
    SEEN_PATH,
    {
      config,
      schema: {
        operationId: 'seenCheckpoints',
        summary: "What was cosigned of the sender's audit log",
        tags,
        body: ref(NothingSchema),
        response: { 200: answer('As the sender signed it', ref(SeenSchema)) },
      },
    },
    async (request) => {
      const peer = askerOf(request);
      checkRoom(peer, true);
      return witnesses.seen(peer);
    },
  );
}

function checkRoom(peer: Peer, entered: boolean): void {
  if (!peer.bucket.take())
    throw new BrokerError('RATE_LIMITED', 'too many messages a second', { retry_after_s: 1 });
  if (!entered) throw new BrokerError('OVERLOADED', 'too many messages at once', { retry_after_s: 1 });
}

/** A message in the journal: its verb and its circuit, nothing of who asked or with which token. */
export const saidOf = (message: PeerMessage): Said => ({
  op: message.op,
  circuit: message.circuit,
  ...('version' in message ? { version: message.version } : {}),
});
