/**
 * Withdrawn tokens between domains: each pushes what its own issuer has withdrawn to every peer, as soon as it
 * looks (every few seconds) and again in every new session. A push with a token of anybody else is refused whole.
 */
import { type Static, Type } from 'typebox';
import { BrokerError } from '../kernel/errors.ts';
import type { Revocation } from '../tokens/status.ts';
import type { Tell } from './client.ts';
import type { Peer } from './peer.ts';

export const REVOCATIONS_PATH = '/peer/v1/revocations';
const MOST = 1_000;
const TIMEOUT_MS = 5_000;

const RevocationSchema = Type.Object(
  {
    iss: Type.String({ minLength: 1, maxLength: 512 }),
    jti: Type.String({ minLength: 1, maxLength: 128 }),
    exp: Type.Integer({ minimum: 0, description: 'Seconds; later it need not be remembered' }),
  },
  { additionalProperties: false },
);
export const RevocationsSchema = Type.Object(
  { revocations: Type.Array(RevocationSchema, { minItems: 1, maxItems: MOST }) },
  { $id: 'Revocations', additionalProperties: false, description: "Of the sender's own issuer only" },
);
export const HeardSchema = Type.Object(
  { news: Type.Integer({ minimum: 0, description: 'How many were not known' }) },
  { $id: 'RevocationsHeard', additionalProperties: false },
);

/** The broker's side. */
export interface Withdrawals {
  withdrawn(): readonly Revocation[];
  hearWithdrawn(from: string, revocations: readonly Revocation[]): Promise<number>;
}

export async function hearRevocations(
  peer: Peer,
  { revocations }: Static<typeof RevocationsSchema>,
  broker: Withdrawals,
): Promise<Static<typeof HeardSchema>> {
  const foreign = revocations.find(({ iss }) => iss !== peer.settings.issuer);
  if (foreign !== undefined) {
    peer.failed(`it withdraws a token of ${foreign.iss.slice(0, 128)}`);
    throw new BrokerError('POLICY_DENIED', `${peer.domain} did not issue what it withdraws`);
  }
  return { news: await broker.hearWithdrawn(peer.domain, revocations) };
}

/** Tells the peer what it has not been told in this session. */
export async function pushRevocations(peer: Peer, broker: Withdrawals, tell: Tell): Promise<void> {
  const session = peer.session;
  if (session === undefined) return;
  if (peer.told.session !== session) peer.told = { session, revocations: new Set() };
  const { told } = peer;
  const news = broker
    .withdrawn()
    .filter(({ jti }) => !told.revocations.has(jti))
    .slice(0, MOST)
    .map(({ iss, jti, exp }) => ({ iss, jti, exp }));
  if (news.length === 0) return;
  const call = { path: REVOCATIONS_PATH, body: { revocations: news }, timeoutMs: TIMEOUT_MS };
  const answered = await tell(peer, call);
  if (typeof answered !== 'string' && answered.status === 200)
    for (const { jti } of news) told.revocations.add(jti);
}
