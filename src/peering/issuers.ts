/**
 * Peers as issuers of circuit tokens. Which keys a peer signs tokens with it tells in its hello, which is signed
 * with keys that an operator pinned: they count for its own issuer only, and a key that it tells no more counts no
 * more. Which of its tokens it has withdrawn it pushes; how fresh our word on that is, its status lists say, which
 * are asked for when one is needed and again before they end.
 */
import { type Static, Type } from 'typebox';
import type { PublishedIssuer } from '../broker/tokens/tokenRing.ts';
import { LONGEST_LIFE_S } from '../broker/tokens/tokenRing.ts';
import type { InstantMs } from '../kernel/clock.ts';
import { textOf } from '../kernel/errors.ts';
import { forgetOldest } from '../kernel/forget.ts';
import type { RootClaims } from '../tokens/claims.ts';
import { importPublic, publicJwk, thumbprint } from '../tokens/jwk.ts';
import { readStatusList, type StatusList, statusIn } from '../tokens/status.ts';
import type { IssuerKey, TokenStatus, TrustedIssuer } from '../tokens/verify.ts';
import type { Tell } from './client.ts';
import type { Peer } from './peer.ts';

export const STATUS_PATH = '/peer/v1/token-status';
const TIMEOUT_MS = 5_000;
/** Of one peer; 16 kB each. */
const MOST_LISTS = 64;
/** The same list is not asked for more often, whoever needs it. */
const ASK_EVERY_MS = 1_000;
/** A list is renewed when it has no longer to live: two thirds of what it had. */
const RENEW_BELOW_MS = 600_000;

const Coordinate = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' });
export const IssuerSchema = Type.Object(
  {
    iss: Type.String({ minLength: 1, maxLength: 256 }),
    keys: Type.Array(
      Type.Object({
        kty: Type.Literal('EC'),
        crv: Type.Literal('P-256'),
        x: Coordinate,
        y: Coordinate,
        retired: Type.Optional(
          Type.Integer({ minimum: 0, description: 'Seconds; what it signed later is refused' }),
        ),
      }),
      { maxItems: 64 },
    ),
  },
  { description: 'Whoever signs its circuit tokens; a key that is told no more counts no more' },
);
type Issuer = Static<typeof IssuerSchema>;

export const StatusAskSchema = Type.Object(
  { list: Type.Integer({ minimum: 0, maximum: 999_999 }) },
  { $id: 'TokenStatusAsk', additionalProperties: false },
);
export const StatusAnswerSchema = Type.Object(
  { signed: Type.String({ description: 'A status list (IETF Token Status List), as a JWS' }) },
  { $id: 'TokenStatus', additionalProperties: false },
);

export const writeIssuer = ({ iss, keys }: PublishedIssuer): Issuer => ({
  iss,
  keys: keys.map(({ jwk, retired }) => ({ ...jwk, ...(retired === undefined ? {} : { retired }) })),
});

/** What a peer's hello says of its issuer, as far as it is its own to say. */
export function takeIssuer(peer: Peer, said: Issuer | undefined, ownPrefix: string): void {
  const { issuer: iss, mintsFor = [ownPrefix] } = peer.settings;
  peer.issuer = undefined;
  if (said === undefined) return;
  if (said.iss !== iss) {
    peer.failed(`it issues tokens as ${said.iss}; ${iss} is pinned`);
    return;
  }
  try {
    const keys = new Map<string, IssuerKey>();
    for (const { retired, ...key } of said.keys) {
      const jwk = publicJwk(key);
      // A key has one name, which it cannot choose.
      keys.set(thumbprint(jwk), { key: importPublic(jwk), ...(retired === undefined ? {} : { retired }) });
    }
    peer.issuer = { iss, keys, maxLifetimeS: LONGEST_LIFE_S, mintsFor };
  } catch (error) {
    peer.failed(`its token keys: ${textOf(error)}`);
  }
}

/** Our word on the withdrawals of each peer. Kept in memory: after a restart the lists are asked for anew. */
export class TokenStatusLists {
  readonly #peers: () => readonly Peer[];
  readonly #tell: Tell;
  readonly #now: () => InstantMs;
  readonly #lists = new Map<string, StatusList>();
  readonly #asked = new Map<string, { readonly at: InstantMs; readonly answer: Promise<void> }>();

  constructor(peers: () => readonly Peer[], tell: Tell, now: () => InstantMs) {
    this.#peers = peers;
    this.#tell = tell;
    this.#now = now;
  }

  trusted(): readonly TrustedIssuer[] {
    return this.#peers().flatMap(({ issuer }) => issuer ?? []);
  }

  statusAt({ status }: RootClaims, now: InstantMs): TokenStatus {
    return statusIn(this.#lists.get(status.uri), status.idx, now);
  }

  /** Asks the issuer for the list of that token. Whether it came is seen by statusAt. */
  refresh({ iss, status: { uri } }: RootClaims): Promise<void> {
    return this.#refresh(iss, uri);
  }

  async #refresh(iss: string, uri: string): Promise<void> {
    const peer = this.#peers().find(({ settings }) => settings.issuer === iss);
    const asked = this.#asked.get(uri);
    if (asked !== undefined && this.#now() < asked.at + ASK_EVERY_MS) return asked.answer;
    if (peer === undefined || listOf(iss, uri) === undefined) return;
    const answer = this.#ask(peer, uri).catch((error: unknown) => peer.failed(textOf(error)));
    this.#asked.set(uri, { at: this.#now(), answer });
    forgetOldest(this.#asked, MOST_LISTS);
    return answer;
  }

  /** Before they end. */
  renew(peer: Peer): void {
    const { issuer: iss } = peer.settings;
    for (const list of this.#lists.values()) {
      if (list.iss !== iss || list.exp * 1000 - this.#now() > RENEW_BELOW_MS) continue;
      void this.#refresh(iss, list.uri);
    }
  }

  async #ask(peer: Peer, uri: string): Promise<void> {
    const { issuer: iss } = peer.settings;
    const body = { list: listOf(iss, uri) };
    const answered = await this.#tell(peer, { path: STATUS_PATH, body, timeoutMs: TIMEOUT_MS });
    if (typeof answered === 'string' || answered.status !== 200) return;
    const from = { iss, uri, keys: peer.issuer?.keys ?? new Map<string, IssuerKey>() };
    const before = this.#lists.get(uri);
    const list = readStatusList(String(answered.body['signed']), from, this.#now(), before);
    this.#lists.delete(uri);
    this.#lists.set(uri, list);
    forgetOldest(this.#lists, MOST_LISTS);
  }
}

/** The number of a list of that issuer, by its address. */
function listOf(iss: string, uri: string): number | undefined {
  const prefix = `${iss}/v1/tokens/status/`;
  const number = uri.startsWith(prefix) ? uri.slice(prefix.length) : '';
  return /^(0|[1-9][0-9]{0,5})$/.test(number) ? Number(number) : undefined;
}
