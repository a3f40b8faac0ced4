/**
 * The signature of every message between peers, and of every answer: a JWS over who speaks to whom, in which
 * session, when, which request, and the digest of the body. It is made afresh for each attempt. TLS says that
 * a connection is the peer's; this says that the words are, to whoever must still be convinced next year.
 */
import type { KeyObject } from 'node:crypto';
import { type InstantMs, instant } from '../kernel/clock.ts';
import { fromBase64url, readObject, sha256 } from '../tokens/encoding.ts';
import { ALGORITHM, publicOf, signJws, thumbprint, verifyJws } from '../tokens/jwk.ts';

/** Where the signature travels, both ways. */
export const SEAL_HEADER = 'turnpike-signature';

const LONGEST_SEAL = 2_048;
const NAME = /^[\x21-\x7e]{1,256}$/;

export interface Signer {
  readonly kid: string;
  readonly key: KeyObject;
}

export const signerOf = (key: KeyObject): Signer => ({ kid: thumbprint(publicOf(key)), key });

/** The public keys that a peer's words are checked against, by their names. */
export type PeerKeys = ReadonlyMap<string, { readonly key: KeyObject }>;

export interface RequestSeal {
  readonly iss: string;
  readonly aud: string;
  /** The receiver's session, as it said hello; absent in the hello itself. */
  readonly session?: string;
  /** Milliseconds, so that clocks can be compared by it. */
  readonly iat: InstantMs;
  readonly jti: string;
  readonly path: string;
  readonly digest: string;
}

export interface AnswerSeal {
  readonly iss: string;
  readonly aud: string;
  readonly iat: InstantMs;
  /** The jti of the request that it answers. */
  readonly req: string;
  readonly status: number;
  readonly digest: string;
}

/** Why a seal is not believed; the text is for the log and the peer's operator. */
export class SealError extends Error {
  override readonly name = 'SealError';
}

export const digestOf = (body: string | Uint8Array): string => sha256(body);

const REQUEST = 'turnpike-peer-request+jws';
const ANSWER = 'turnpike-peer-answer+jws';
const DOCUMENT = 'turnpike-topology+jws';

const sealed = (typ: string, claims: object, { kid, key }: Signer): string =>
  signJws({ alg: ALGORITHM, typ, kid }, claims, key);

export const sealRequest = (claims: RequestSeal, signer: Signer): string => sealed(REQUEST, claims, signer);
export const sealAnswer = (claims: AnswerSeal, signer: Signer): string => sealed(ANSWER, claims, signer);
/** Something that outlives its message, as a topology document does: issuer and digest are all that counts. */
export const sealDocument = (iss: string, body: string, signer: Signer): string =>
  sealed(DOCUMENT, { iss, digest: digestOf(body) }, signer);

export function openRequest(text: string | undefined, keys: PeerKeys): RequestSeal {
  const claims = opened(text, REQUEST, keys);
  const session = claims.get('session');
  return {
    iss: name(claims, 'iss'),
    aud: name(claims, 'aud'),
    iat: instant(integer(claims, 'iat')),
    jti: name(claims, 'jti'),
    path: name(claims, 'path'),
    digest: name(claims, 'digest'),
    ...(session === undefined ? {} : { session: name(claims, 'session') }),
  };
}

export function openAnswer(text: string | undefined, keys: PeerKeys): AnswerSeal {
  const claims = opened(text, ANSWER, keys);
  return {
    iss: name(claims, 'iss'),
    aud: name(claims, 'aud'),
    iat: instant(integer(claims, 'iat')),
    req: name(claims, 'req'),
    status: integer(claims, 'status'),
    digest: name(claims, 'digest'),
  };
}

/** Throws unless `body` was signed by one of these keys in the name of `iss`. */
export function openDocument(text: string, keys: PeerKeys, iss: string, body: string): void {
  const claims = opened(text, DOCUMENT, keys);
  if (name(claims, 'iss') !== iss) throw new SealError('it is signed in another name');
  if (name(claims, 'digest') !== digestOf(body)) throw new SealError('it is not what was signed');
}

/** The claims of a JWS in compact form with exactly our header, once its signature is verified. */
function opened(text: string | undefined, typ: string, keys: PeerKeys): ReadonlyMap<string, unknown> {
  if (text === undefined) throw new SealError('it is not signed');
  const [head, body, signature, more] = text.length > LONGEST_SEAL ? [] : text.split('.', 4);
  if (head === undefined || body === undefined || signature === undefined || more !== undefined)
    throw new SealError('its signature is malformed');
  try {
    const header = readObject(fromBase64url(head));
    const kid = header.get('kid');
    if (header.size !== 3 || header.get('alg') !== ALGORITHM || header.get('typ') !== typ)
      throw new SealError(`its signature is not of the type ${typ}`);
    const known = typeof kid === 'string' ? keys.get(kid) : undefined;
    if (known === undefined) throw new SealError('it is signed with a key that is not pinned');
    if (!verifyJws(`${head}.${body}`, fromBase64url(signature), known.key))
      throw new SealError('its signature does not hold');
    return readObject(fromBase64url(body));
  } catch (error) {
    // The strict readers have an error of their own, which says no more than this.
    if (error instanceof SealError) throw error;
    throw new SealError('its signature is malformed', { cause: error });
  }
}

function name(claims: ReadonlyMap<string, unknown>, key: string): string {
  const value = claims.get(key);
  if (typeof value !== 'string' || !NAME.test(value)) throw new SealError(`its ${key} is not well formed`);
  return value;
}

function integer(claims: ReadonlyMap<string, unknown>, key: string): number {
  const value = claims.get(key);
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new SealError(`its ${key} is not well formed`);
  return value as number;
}
