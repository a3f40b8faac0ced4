/** Peers: the brokers of other domains, and how we stand with each. For operators. */
import { Type } from 'typebox';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { BrokerError } from '../../kernel/errors.ts';
import { answer, BODIES, refusals } from '../answers.ts';
import type { ApiPorts } from '../resource.ts';
import { IdParams, listOf, NoBody, NoQuery, pageInMemory, pageQuery } from '../wire/common.ts';
import { PeerMessagesSchema, PeerSchema, peerSchemas, writePeer, writePeerMessage } from '../wire/peer.ts';

const tags = ['network'];
const config = { authorisation: 'decided:network.inspect', atDoor: true } as const;

export function peers(app: HttpServer, { broker, peerOffice }: ApiPorts): void {
  for (const schema of peerSchemas) app.addSchema(schema);
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
