/**
 * Circuit tokens in the hands of a person: files that hold a token and a key, and the proof that its holder
 * signs for one request. Nothing of this asks the network.
 */
import { createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { newP256Key, systemRandom } from '../kernel/random.ts';
import type { TokenAction } from '../tokens/grant.ts';
import { type PublicJwk, publicJwk, publicOf } from '../tokens/jwk.ts';
import { attenuate, newJti, prove } from '../tokens/mint.ts';
import { type ParsedToken, parsePrefix, splitToken } from '../tokens/parse.ts';
import { TokenError } from '../tokens/refusal.ts';
import { effective } from '../tokens/verify.ts';
import type { Call } from './client.ts';
import type { Context } from './context.ts';
import { usage } from './io.ts';
import { dig } from './output.ts';

export interface UnlockOptions {
  /** A file with the token of the circuit. */
  readonly token?: string;
  /** With a token: a file with its holder's private key. */
  readonly key?: string;
  readonly override?: string;
}

export async function proving(
  context: Context,
  options: UnlockOptions,
  action: TokenAction,
): Promise<Pick<Call, 'headers' | 'prove'>> {
  const { token, key, override } = options;
  if (token === undefined || override !== undefined) throw usage('say either --token or --override');
  if (key === undefined) throw usage('a token needs its holder: say --key with the file of his private key');
  const text = await readToken(token);
  const secret = await readKey(key);
  const aud = parsed(text).root.claims.iss;
  const link = await linkFor(context, text, action, secret);
  return {
    ...(link === undefined ? {} : { headers: { 'turnpike-delegation': link } }),
    prove: (body, opKey) => {
      const iat = Math.floor(context.now / 1000);
      const proof = { aud, action, body, opKey, jti: newJti(systemRandom), iat };
      return `CCT ${prove(text, proof, secret)}`;
    },
  };
}

const PASSED_ON: readonly TokenAction[] = ['provision', 'modify', 'extend', 'reroute'];

/**
 * Of a circuit over several domains: the link with which the holder passes his token on to its home, for this verb
 * and until the window's end, so that the home can show it to the others. Undefined where nobody needs one.
 */
async function linkFor(
  context: Context,
  token: string,
  action: TokenAction,
  key: KeyObject,
): Promise<string | undefined> {
  const { grant } = effective(parsed(token));
  const may = grant.dlg > 0 && grant.actions.includes(action);
  if (grant.aud.length < 2 || !may || !PASSED_ON.includes(action)) return undefined;
  const { body } = await context.client.get('/v1/tokens/holder');
  const lim = { actions: [action], dlg: 0, exp: Math.min(grant.exp, grant.window.end) };
  const iat = Math.floor(context.now / 1000);
  try {
    const holder = publicJwk(dig(body, 'jwk'));
    const passedOn = attenuate(token, { lim, holder, jti: newJti(systemRandom), iat }, key);
    return passedOn.slice(splitToken(token).prefix.length, -1);
  } catch (error) {
    throw error instanceof TokenError ? usage(error.message) : error;
  }
}

async function readText(file: string, what: string): Promise<string> {
  const said = await readFile(file, 'utf8').catch((error: unknown) => {
    throw usage(`cannot read ${what}: ${(error as Error).message}`);
  });
  return said.trim();
}

/** A proof that is still on it is cut off: it was for one request. */
export async function readToken(file: string): Promise<string> {
  const text = await readText(file, 'the token');
  try {
    return splitToken(text).prefix;
  } catch {
    throw usage(`${file} holds no circuit token`, 'turnpike token issue CIRCUIT --out FILE');
  }
}

export function parsed(text: string): ParsedToken {
  try {
    return parsePrefix(text);
  } catch (error) {
    throw error instanceof TokenError ? usage(`this is no circuit token: ${error.message}`) : error;
  }
}

/** A private key of P-256, as a JWK or in PEM. */
export async function readKey(file: string): Promise<KeyObject> {
  const text = await readText(file, 'the key');
  try {
    const key = text.startsWith('{')
      ? createPrivateKey({ key: JSON.parse(text) as JsonWebKey, format: 'jwk' })
      : createPrivateKey(text);
    publicOf(key);
    return key;
  } catch {
    throw usage(`${file} holds no private key of P-256`, 'turnpike token new-key FILE makes one');
  }
}

/** The public half, from a file that holds it or the whole key. */
export async function readPublic(file: string): Promise<PublicJwk> {
  const text = await readText(file, 'the public key');
  try {
    const jwk: unknown = JSON.parse(text);
    if (typeof jwk === 'object' && jwk !== null && 'd' in jwk) return publicOf(await readKey(file));
    return publicJwk(jwk);
  } catch {
    if (text.startsWith('-----BEGIN')) return publicOf(await readKey(file));
    throw usage(`${file} holds no public key of P-256 as a JWK`);
  }
}

/** Makes a key where nothing is yet; nobody else may read it. */
export async function makeKey(file: string): Promise<PublicJwk> {
  const key = newP256Key();
  await writeSecret(file, JSON.stringify(key.export({ format: 'jwk' })));
  return publicOf(key);
}

export async function writeSecret(file: string, text: string): Promise<void> {
  await writeFile(file, `${text}\n`, { mode: 0o600, flag: 'wx' }).catch((error: unknown) => {
    throw usage(`cannot write ${file}: ${(error as Error).message}`);
  });
}
