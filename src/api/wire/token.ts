/** Capability tokens on the wire: what is asked of them and how they and their keys are shown. */
import { type Static, Type } from 'typebox';
import type { TokenKeyView, TokenView } from '../../broker/tokens/tokenUse.ts';
import { ref } from '../../http/schema.ts';
import { instant, rfc3339 } from '../../kernel/clock.ts';
import { readLimits } from '../../tokens/claims.ts';
import type { Limits } from '../../tokens/grant.ts';
import { importPublic, type PublicJwk, publicJwk, thumbprint } from '../../tokens/jwk.ts';
import { MAX_TOKEN_BYTES } from '../../tokens/parse.ts';
import { TokenError } from '../../tokens/refusal.ts';
import { idSchema, invalid, Time } from './common.ts';

const strict = { additionalProperties: false } as const;
const CREDENTIALS = /^CCT +(\S+)$/i;

/** The token of an Authorization header, when it is of that kind. */
export const capabilityOf = (authorization: string | undefined): string | undefined =>
  CREDENTIALS.exec(authorization ?? '')?.[1];

export const HolderJwk = Type.Record(Type.String({ maxLength: 32 }), Type.Unknown(), {
  maxProperties: 16,
  description: 'P-256 public key (RFC 7517) that the token is bound to',
});

export function readHolder(jwk: Readonly<Record<string, unknown>>, pointer: string): PublicJwk {
  for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']) {
    if (Object.hasOwn(jwk, secret))
      throw invalid(`${pointer}/${secret}`, 'is secret: send the public key only');
  }
  try {
    const holder = publicJwk(jwk);
    importPublic(holder);
    return holder;
  } catch (error) {
    if (error instanceof TokenError)
      throw invalid(pointer, 'must be a P-256 public key (kty EC, crv P-256, x, y)');
    throw error;
  }
}

export const TokenText = Type.String({ minLength: 1, maxLength: MAX_TOKEN_BYTES });

export const IssueBody = Type.Object(
  {
    circuit_id: idSchema('cir', 'Whose token'),
    holder_jwk: Type.Optional(HolderJwk),
    uses: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        description: 'How many operations it opens; 16 when absent. A retry is not another one',
      }),
    ),
  },
  strict,
);

export const LimitsSchema = Type.Record(Type.String({ maxLength: 32 }), Type.Unknown(), {
  maxProperties: 8,
  description:
    'Any of actions, bandwidth_mbps, window {start, end} in seconds, aud, stps, exp, dlg, bud: each may only be narrower than before',
});
export const AttenuateBody = Type.Object(
  { token: TokenText, holder_jwk: HolderJwk, limits: Type.Optional(LimitsSchema) },
  strict,
);

export function readWireLimits(limits: unknown): Limits {
  try {
    return readLimits(limits ?? {});
  } catch (error) {
    if (error instanceof TokenError) throw invalid('/limits', error.message);
    throw error;
  }
}

export const IntrospectBody = Type.Object(
  { token: TokenText, token_type_hint: Type.Optional(Type.String({ maxLength: 64 })) },
  strict,
);
export const RevokeBody = Type.Object(
  {
    token: Type.Optional(TokenText),
    jti: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' })),
    token_type_hint: Type.Optional(Type.String({ maxLength: 64 })),
    kill: Type.Optional(Type.Boolean({ default: false, description: 'The light goes out, too' })),
  },
  strict,
);

export const TokenSchema = Type.Object(
  {
    jti: Type.String({ description: 'Its id: for revocation and records' }),
    circuit_id: Type.String(),
    token: Type.Optional(
      Type.String({ description: '`root~`: worth something only to the holder of its key' }),
    ),
    access_token: Type.Optional(Type.String({ description: 'The same, by its name of RFC 8693' })),
    token_type: Type.Literal('CCT'),
    issued_token_type: Type.Literal('urn:turnpike:token-type:circuit'),
    expires_in: Type.Integer({ description: 'Seconds' }),
    expire_time: Time,
    holder_jkt: Type.String({ description: 'RFC 7638 thumbprint of the holder key' }),
    kept: Type.Enum(['HOLDER', 'HOME'], { description: 'HOME: this broker itself holds it' }),
    uses: Type.Optional(Type.Integer()),
    aud: Type.Array(Type.String()),
  },
  { $id: 'CircuitToken' },
);

export function writeToken({ token: t, text }: TokenView, now: number): Static<typeof TokenSchema> {
  return {
    jti: t.jti,
    circuit_id: t.circuitId,
    ...(text === undefined ? {} : { token: text, access_token: text }),
    token_type: 'CCT',
    issued_token_type: 'urn:turnpike:token-type:circuit',
    expires_in: Math.max(0, t.exp - Math.floor(now / 1000)),
    expire_time: rfc3339(instant(t.exp * 1000)),
    holder_jkt: thumbprint(t.holder),
    kept: t.kept === 'HOLDER' ? 'HOLDER' : 'HOME',
    ...(t.uses === Number.MAX_SAFE_INTEGER ? {} : { uses: t.uses }),
    aud: [...t.aud],
  };
}

export const TokenKeySchema = Type.Object(
  {
    kid: Type.String(),
    use: Type.Enum(['ISSUER', 'HOLDER'], { description: 'Signs tokens, or proofs of those kept here' }),
    jwk: Type.Record(Type.String(), Type.String()),
    create_time: Time,
    retire_time: Type.Optional(Time),
    compromised: Type.Optional(Type.Boolean()),
  },
  { $id: 'TokenKey' },
);
export const TokenKeysSchema = Type.Object({ items: Type.Array(ref(TokenKeySchema)) });

export const writeKeys = (keys: readonly TokenKeyView[]): Static<typeof TokenKeysSchema> => ({
  items: keys.map((key) => ({
    kid: key.kid,
    use: key.use,
    jwk: { ...key.jwk },
    create_time: rfc3339(key.createTime),
    ...(key.retired === undefined ? {} : { retire_time: rfc3339(instant(key.retired * 1000)) }),
    ...(key.compromised === undefined ? {} : { compromised: true }),
  })),
});
