/** Peers: the brokers of other domains, and how we stand with each. For operators. */
import { Type } from 'typebox';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { BrokerError } from '../../kernel/errors.ts';
import { answer, BODIES, CHANGES, KEYS, refusals } from '../answers.ts';
import { callOf, sendMutated } from '../mutation.ts';
import type { ApiPorts } from '../resource.ts';
import { IdParams, listOf, MutationQuery, NoBody, NoQuery, pageInMemory, pageQuery } from '../wire/common.ts';
import { IdempotencyHeader } from '../wire/headers.ts';
import { PeerMessagesSchema, PeerSchema, peerSchemas, writePeer, writePeerMessage } from '../wire/peer.ts';

const tags = ['network'];
const config = { authorisation: 'decided:network.inspect', atDoor: true } as const;

const Readmission = Type.Object(
  {
    reason: Type.String({
      minLength: 1,
      maxLength: 512,
      description: 'What was found when it was looked at',
    }),
  },
  { $id: 'Readmission', additionalProperties: false },
);

export function peers(app: HttpServer, { broker, peerOffice }: ApiPorts): void {
  for (const schema of [...peerSchemas, Readmission]) app.addSchema(schema);
  const all = () => (peerOffice?.peers() ?? []).map((peer) => writePeer(peer, broker.dealings(peer.domain)));
  const missing = (domain: string): BrokerError =>
    new BrokerError('NOT_FOUND', `there is no peer ${domain.slice(0, 128)}`);
  const one = (domain: string) => {
    const peer = all().find((candidate) => candidate.domain === domain);
    if (peer === undefined) throw missing(domain);
    return peer;
  };

  app.get(
    '/v1/peers',
    {
      config,
      schema: {
        operationId: 'listPeers',
        summary: 'List the peers, and how we stand with each',
        tags,
        querystring: Type.Object(pageQuery, { additionalProperties: false }),
        response: {
          200: answer('A page', listOf(PeerSchema)),
          ...refusals('INVALID_REQUEST', 'POLICY_DENIED'),
        },
      },
    },
    async (request) => pageInMemory(all(), (peer) => peer.domain, request.query),
  );

  app.get(
    '/v1/peers/:id',
    {
      config,
      schema: {
        operationId: 'getPeer',
        summary: 'Read a peer, by its domain',
        tags,
        params: IdParams,
        querystring: NoQuery,
        response: { 200: answer('The peer', ref(PeerSchema)), ...refusals('NOT_FOUND', 'POLICY_DENIED') },
      },
    },
    async (request) => one(request.params.id),
  );

  app.post(
    '/v1/peers/:id/check',
    {
      config: { ...config, bodyOptional: true },
      schema: {
        operationId: 'checkPeer',
        summary: 'Say hello to a peer now, and tell how it went; changes nothing else',
        tags,
        params: IdParams,
        querystring: NoQuery,
        body: NoBody,
        response: {
          200: answer('The peer as it was found', ref(PeerSchema)),
          ...refusals(...BODIES, 'NOT_FOUND', 'POLICY_DENIED'),
        },
      },
    },
    async (request) => {
      const { id } = request.params;
      const checked = await peerOffice?.check(id);
      if (checked === undefined) throw missing(id);
      return writePeer(checked, broker.dealings(id));
    },
  );

  app.post(
    '/v1/peers/:id/readmit',
    {
      config: { authorisation: 'decided:topology.write', atDoor: true },
      schema: {
        operationId: 'readmitPeer',
        summary: 'Trust a peer again: out of quarantine, and from whatever term of office it is in',
        description:
          'For a peer that has contradicted itself, or whose store was set back so that its term of office is lower than it was. Look first.',
        tags,
        params: IdParams,
        querystring: MutationQuery,
        headers: Type.Object(IdempotencyHeader),
        body: ref(Readmission),
        response: {
          204: { description: 'It is as any other' },
          ...refusals(...CHANGES, ...BODIES, ...KEYS, 'NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const { domain } = one(request.params.id);
      const render = () => ({ status: 204 });
      const done = await broker.standings.readmit(callOf(request, render), domain, request.body.reason);
      return sendMutated(request, reply, done, render);
    },
  );

  app.get(
    '/v1/peers/:id/messages',
    {
      config,
      schema: {
        operationId: 'listPeerMessages',
        summary: 'The last messages to and from a peer, without anything secret',
        tags,
        params: IdParams,
        querystring: NoQuery,
        response: {
          200: answer('The newest first', ref(PeerMessagesSchema)),
          ...refusals('NOT_FOUND', 'POLICY_DENIED'),
        },
      },
    },
    async (request) => {
      const { domain } = one(request.params.id);
      return { items: (peerOffice?.messages(domain) ?? []).map(writePeerMessage) };
    },
  );
}
