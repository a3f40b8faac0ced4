/**
 * `root ~ link ... ~ kb` taken apart: sizes first, so that the worst input costs microseconds; then headers,
 * before any signature is looked at; then claims. A token without a proof ends with `~`, as in SD-JWT.
 * What comes out is well formed; nothing of it is verified yet.
 */
import {
  type LinkClaims,
  MAX_LINKS,
  type ProofClaims,
  type RootClaims,
  readLink,
  readProof,
  readRoot,
} from './claims.ts';
import { fromBase64url, readObject } from './encoding.ts';
import { ALGORITHM } from './jwk.ts';
import { TokenError } from './refusal.ts';

export const MAX_TOKEN_BYTES = 8 * 1024;

export const typ = { root: 'cct+jwt', link: 'cct-link+jwt', proof: 'cct-kb+jwt' } as const;

const KID = /^[A-Za-z0-9_-]{1,128}$/;

/** One signed part: what was signed, and with what. */
export interface Signed<C> {
  readonly claims: C;
  readonly input: string;
  readonly signature: Uint8Array;
}

export interface ParsedToken {
  readonly kid: string;
  readonly root: Signed<RootClaims>;
  readonly links: readonly Signed<LinkClaims>[];
  /** Of each part the text before it with its `~`: what its `prh` must be the hash of. */
  readonly prefixes: readonly string[];
}

/** The token as it is handed on and stored, and the proof that came with it. */
export interface SplitToken {
  /** With the `~` at its end. */
  readonly prefix: string;
  readonly proof: string | undefined;
}

/** Separates the proof from the rest by text alone; bounded before anything else is looked at. */
export function splitToken(text: string): SplitToken {
  if (text.length > MAX_TOKEN_BYTES) throw new TokenError('TOO_LARGE');
  let parts = 0;
  for (let at = text.indexOf('~'); at !== -1; at = text.indexOf('~', at + 1)) {
    if (++parts > MAX_LINKS + 1) throw new TokenError('TOO_LARGE');
  }
  const end = text.lastIndexOf('~') + 1;
  if (end === 0) throw new TokenError('MALFORMED');
  return { prefix: text.slice(0, end), proof: end === text.length ? undefined : text.slice(end) };
}

export function parsePrefix(prefix: string): ParsedToken {
  const { proof } = splitToken(prefix);
  if (proof !== undefined) throw new TokenError('MALFORMED', 'a proof where a token was expected');
  const [first = '', ...rest] = prefix.slice(0, -1).split('~');
  const header = part(first, typ.root, ['alg', 'typ', 'kid']);
  const kid = header.header.get('kid');
  if (typeof kid !== 'string' || !KID.test(kid)) throw new TokenError('HEADER', 'kid is not well formed');
  const prefixes: string[] = [];
  let before = `${first}~`;
  const links = rest.map((text) => {
    prefixes.push(before);
    before += `${text}~`;
    const link = part(text, typ.link, ['alg', 'typ']);
    return { claims: readLink(link.payload()), input: link.input, signature: link.signature };
  });
  const root = { claims: readRoot(header.payload()), input: header.input, signature: header.signature };
  return { kid, root, links, prefixes };
}

export function parseProof(text: string): Signed<ProofClaims> {
  const { input, signature, payload } = part(text, typ.proof, ['alg', 'typ']);
  return { claims: readProof(payload()), input, signature };
}

/** One JWS in compact form whose header has exactly these members. */
function part(
  text: string,
  kind: string,
  members: readonly string[],
): {
  readonly header: ReadonlyMap<string, unknown>;
  readonly input: string;
  readonly signature: Uint8Array;
  readonly payload: () => ReadonlyMap<string, unknown>;
} {
  const [head, body, seal, more] = text.split('.', 4);
  if (head === undefined || body === undefined || seal === undefined || more !== undefined)
    throw new TokenError('MALFORMED');
  const header = readObject(fromBase64url(head));
  if (header.size !== members.length || !members.every((name) => header.has(name)))
    throw new TokenError('HEADER', `the header has not exactly ${members.join(', ')}`);
  if (header.get('alg') !== ALGORITHM) throw new TokenError('HEADER', `alg is not ${ALGORITHM}`);
  if (header.get('typ') !== kind) throw new TokenError('HEADER', `typ is not ${kind}`);
  const signature = fromBase64url(seal);
  if (signature.length !== 64) throw new TokenError('MALFORMED', 'a signature is not 64 bytes');
  return { header, input: `${head}.${body}`, signature, payload: () => readObject(fromBase64url(body)) };
}
