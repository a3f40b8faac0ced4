/**
 * Request headers as the OpenAPI document shows them. Their names are written as people do, and Node hands
 * them over in lower case: the schema check never sees them, what reads them checks them.
 */
import { Type } from 'typebox';

export const IdempotencyHeader = {
  'Idempotency-Key': Type.Optional(
    Type.String({
      maxLength: 255,
      description: 'Kept for 24 h; the same request under it is answered as the first time',
    }),
  ),
};
export const IfMatchHeader = Type.Object({
  'If-Match': Type.Optional(Type.String({ description: 'The ETag that must still be right' })),
});
/** Optional to the schema, so that its absence is answered with 428 and not 400. */
export const IfMatchRequired = Type.Object({
  'If-Match': Type.Optional(Type.String({ description: 'The ETag of what you have read; required' })),
});
export const OverrideHeader = {
  'Turnpike-Override-Reason': Type.Optional(
    Type.String({ description: 'Operators: why this is done without the token of the circuit; recorded' }),
  ),
};
export const DelegationHeader = {
  'Turnpike-Delegation': Type.Optional(
    Type.String({
      description:
        'With a circuit token, where other domains take part: a link that passes it on to the key of this broker (`/v1/tokens/holder`), for this verb. Provision needs it',
    }),
  ),
};
export const WaitHeader = {
  Prefer: Type.Optional(Type.String({ description: '`wait=30`: answer when it is settled, or after 30 s' })),
};
