/**
 * Capability tokens: to have the token of a circuit (in the shape of RFC 8693), to have one narrowed that
 * this broker holds, to look into one (RFC 7662), to withdraw one (RFC 7009), and what others need to check
 * them by themselves: the issuer's keys and the status lists. The two end points of those RFCs take a form,
 * too, as their clients send it.
 */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { TokenKeyView, TokenView } from '../../broker/tokens/tokenUse.ts';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { BrokerError } from '../../kernel/errors.ts';
import { answer, BODIES, CHANGES, KEYS, refusals } from '../answers.ts';
import { callOf, type Rendered, sendMutated } from '../mutation.ts';
import type { ApiPorts } from '../resource.ts';
import { invalid, MutationQuery, NoBody, NoQuery, readId } from '../wire/common.ts';
import { IdempotencyHeader } from '../wire/headers.ts';
import {
  AttenuateBody,
  IntrospectBody,
  IssueBody,
  RevokeBody,
  readHolder,
  readWireLimits,
  TokenKeySchema,
  TokenKeysSchema,
  TokenSchema,
  writeKeys,
  writeToken,
} from '../wire/token.ts';

const tags = ['tokens'];
const headers = Type.Object(IdempotencyHeader);
const FORM = 'application/x-www-form-urlencoded';
const LIST_TYPE = 'application/statuslist+jwt';

export function tokens(app: HttpServer, { broker, clock }: ApiPorts): void {
  for (const schema of [TokenSchema, TokenKeySchema]) app.addSchema(schema);

  const renderToken = (view: TokenView): Rendered => ({
    status: 200,
    body: writeToken(view, clock.now()),
  });
  app.post(
    '/v1/tokens',
    {
      config: { authorisation: 'decided:token.issue' },
      schema: {
        operationId: 'issueToken',
        summary: 'The token of a circuit, for one holder',
        description:
          'For whoever booked it, and for operators; the answer has the shape of RFC 8693. The holder is `holder_jwk`, or the one of the booking, or (AUTOMATIC) this broker. The same holder gets the same token again; for another one the token before is withdrawn. A grid token (WLCG, SciTokens) as the bearer is exchanged here.',
        tags,
        querystring: MutationQuery,
        headers,
        body: IssueBody,
        response: {
          200: answer('The token', ref(TokenSchema)),
          ...refusals(
            ...CHANGES,
            ...BODIES,
            ...KEYS,
            'NOT_FOUND',
            'NOT_HOME',
            'WRONG_STATE',
            'NOT_SUPPORTED',
          ),
        },
      },
    },
    async (request, reply) => {
      const { circuit_id, holder_jwk, uses } = request.body;
      const issued = await broker.tokens.issueToken(callOf(request, renderToken), readId('cir', circuit_id), {
        ...(holder_jwk === undefined ? {} : { holder: readHolder(holder_jwk, '/holder_jwk') }),
        ...(uses === undefined ? {} : { uses }),
      });
      reply.header('cache-control', 'no-store');
      return sendMutated(request, reply, issued, renderToken);
    },
  );

  const renderText = (token: string): Rendered => ({ status: 200, body: { token, token_type: 'CCT' } });
  app.post(
    '/v1/tokens/attenuate',
    {
      config: { authorisation: 'decided:token.attenuate' },
      schema: {
        operationId: 'attenuateToken',
        summary: 'Narrow a token that this broker holds, for another holder',
        description:
          'Only of tokens that are kept here (those of AUTOMATIC circuits). Any other holder does it without asking anybody: `turnpike token attenuate`.',
        tags,
        querystring: MutationQuery,
        headers,
        body: AttenuateBody,
        response: {
          200: answer(
            'The narrower token',
            Type.Object({ token: Type.String(), token_type: Type.Literal('CCT') }),
          ),
          ...refusals(...CHANGES, ...BODIES, ...KEYS, 'TOKEN_INVALID', 'NOT_FOUND', 'NOT_SUPPORTED'),
        },
      },
    },
    async (request, reply) => {
      const { token, holder_jwk, limits } = request.body;
      const link = { limits: readWireLimits(limits), holder: readHolder(holder_jwk, '/holder_jwk') };
      const made = await broker.tokens.attenuateToken(callOf(request, renderText), token, link);
      reply.header('cache-control', 'no-store');
      return sendMutated(request, reply, made, renderText);
    },
  );

  const renderRevoked = (revoked: boolean): Rendered => ({ status: 200, body: { revoked } });
  app.register((plain, _options, done) => {
    const scope = plain.withTypeProvider<TypeBoxTypeProvider>();
    scope.addContentTypeParser<string>(FORM, { parseAs: 'string' }, (_request, body, parsed) => {
      try {
        parsed(null, readForm(body));
      } catch (error) {
        // readForm throws nothing but a BrokerError.
        parsed(error as Error, undefined);
      }
    });

    scope.post(
      '/v1/tokens/introspect',
      {
        config: { authorisation: 'visible' },
        schema: {
          operationId: 'introspectToken',
          summary: 'What a token allows now (RFC 7662)',
          description:
            'Of one that is not accepted here, or of a circuit that is not yours to see, nothing but `active: false`.',
          tags,
          querystring: NoQuery,
          body: IntrospectBody,
          response: {
            200: answer(
              'Its effective rights, after all its links',
              Type.Object({ active: Type.Boolean() }, { additionalProperties: true }),
            ),
            ...refusals(...BODIES, 'NOT_SUPPORTED'),
          },
        },
      },
      async (request, reply) => {
        reply.header('cache-control', 'no-store');
        return broker.tokens.introspect(request.principal, request.body.token);
      },
    );

    scope.post(
      '/v1/tokens/revoke',
      {
        config: { authorisation: 'decided:token.revoke' },
        schema: {
          operationId: 'revokeToken',
          summary: 'Withdraw a token and all that was made from it (RFC 7009)',
          description:
            'The last link of `token`, the root when it has none; or the root of `jti`. What is no token any more is withdrawn already. Withdrawing stops new verbs; `kill: true` puts the light out, too.',
          tags,
          querystring: MutationQuery,
          headers,
          body: RevokeBody,
          response: {
            200: answer('Whether it was withdrawn by this', Type.Object({ revoked: Type.Boolean() })),
            ...refusals(...CHANGES, ...BODIES, ...KEYS, 'NOT_SUPPORTED'),
          },
        },
      },
      async (request, reply) => {
        const { token, jti, kill = false } = request.body;
        if ((token === undefined) === (jti === undefined))
          throw invalid('/token', 'or jti: exactly one of the two is required');
        const what = token === undefined ? { jti: jti ?? '' } : { text: token };
        const done = await broker.tokens.revokeToken(callOf(request, renderRevoked), what, kill);
        return sendMutated(request, reply, done, renderRevoked);
      },
    );
    done();
  });

  keyRoutes(app, { broker });

  app.get(
    '/.well-known/jwks.json',
    {
      config: { authorisation: 'public' },
      schema: {
        operationId: 'issuerKeys',
        summary: 'The public keys of our circuit tokens (RFC 7517)',
        tags,
        querystring: NoQuery,
        response: {
          200: answer(
            'The set',
            Type.Object({ keys: Type.Array(Type.Record(Type.String(), Type.String())) }),
          ),
          ...refusals('NOT_SUPPORTED'),
        },
      },
    },
    async (_request, reply) => {
      reply.header('cache-control', 'public, max-age=300');
      return broker.tokens.issuerKeys() as { keys: Record<string, string>[] };
    },
  );

  app.get(
    '/v1/tokens/holder',
    {
      config: { authorisation: 'public' },
      schema: {
        operationId: 'holderKey',
        summary: 'The key with which this broker holds tokens',
        description:
          'Whoever lights a MANUAL circuit over several domains passes his token on to it, for that verb (`Turnpike-Delegation`).',
        tags,
        querystring: NoQuery,
        response: {
          200: answer(
            'A public key (RFC 7517)',
            Type.Object({ jwk: Type.Record(Type.String(), Type.String()) }),
          ),
          ...refusals('NOT_SUPPORTED'),
        },
      },
    },
    async () => ({ jwk: { ...broker.tokens.holderKey() } }),
  );

  app.get(
    '/v1/tokens/status/:list',
    {
      config: { authorisation: 'public', produces: [LIST_TYPE] },
      schema: {
        operationId: 'tokenStatusList',
        summary: 'Which tokens were withdrawn: one bit each, signed',
        tags,
        querystring: NoQuery,
        params: Type.Object({ list: Type.String({ pattern: '^[0-9]{1,6}$' }) }),
        response: {
          200: {
            description: 'A status list (IETF Token Status List)',
            content: { [LIST_TYPE]: { schema: Type.String() } },
          },
          ...refusals('NOT_FOUND', 'NOT_SUPPORTED'),
        },
      },
    },
    async (request, reply) => {
      const list = broker.tokens.statusList(Number(request.params.list));
      if (list === undefined) throw new BrokerError('NOT_FOUND', 'there is no such list');
      return reply.header('cache-control', 'public, max-age=60').type(LIST_TYPE).send(list);
    },
  );
}

/** The issuer's own keys: for operators. */
function keyRoutes(app: HttpServer, { broker }: Pick<ApiPorts, 'broker'>): void {
  const render = (keys: readonly TokenKeyView[]): Rendered => ({ status: 200, body: writeKeys(keys) });
  app.get(
    '/v1/tokens/keys',
    {
      config: { authorisation: 'decided:token.keys', atDoor: true },
      schema: {
        operationId: 'listTokenKeys',
        summary: 'The keys of this issuer, old ones too',
        tags,
        querystring: NoQuery,
        response: { 200: answer('Public halves', TokenKeysSchema), ...refusals('POLICY_DENIED') },
      },
    },
    async () => writeKeys(broker.tokens.tokenKeys()),
  );
  app.post(
    '/v1/tokens/keys/rotate',
    {
      config: { authorisation: 'decided:token.keys', atDoor: true, bodyOptional: true },
      schema: {
        operationId: 'rotateTokenKey',
        summary: 'Sign with a new key from now on',
        description: 'The one before goes on verifying until the last token that it has signed has ended.',
        tags,
        querystring: MutationQuery,
        headers,
        body: NoBody,
        response: {
          200: answer('All keys', TokenKeysSchema),
          ...refusals(...CHANGES, ...BODIES, ...KEYS, 'NOT_SUPPORTED'),
        },
      },
    },
    async (request, reply) => {
      const done = await broker.tokens.changeTokenKeys(callOf(request, render), { rotate: 'ISSUER' });
      return sendMutated(request, reply, done, render);
    },
  );
  app.post(
    '/v1/tokens/keys/:kid/compromise',
    {
      config: { authorisation: 'decided:token.keys', atDoor: true, bodyOptional: true },
      schema: {
        operationId: 'compromiseTokenKey',
        summary: 'Trust nothing any more that this key has signed',
        tags,
        querystring: MutationQuery,
        headers,
        params: Type.Object({ kid: Type.String({ maxLength: 128 }) }),
        body: NoBody,
        response: {
          200: answer('All keys', TokenKeysSchema),
          ...refusals(...CHANGES, ...BODIES, ...KEYS, 'NOT_FOUND', 'NOT_SUPPORTED'),
        },
      },
    },
    async (request, reply) => {
      const change = { compromised: request.params.kid };
      const done = await broker.tokens.changeTokenKeys(callOf(request, render), change);
      return sendMutated(request, reply, done, render);
    },
  );
}

/** A form of few fields, each once; `kill` is the only one that is not text. */
function readForm(body: string): Record<string, unknown> {
  const form = new Map<string, unknown>();
  for (const [name, value] of new URLSearchParams(body)) {
    if (form.has(name) || form.size === 8)
      throw new BrokerError('INVALID_REQUEST', 'the form has a field twice, or too many');
    form.set(name, name === 'kill' && (value === 'true' || value === 'false') ? value === 'true' : value);
  }
  return Object.fromEntries(form);
}
