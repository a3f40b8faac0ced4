/** The signature of a message: what is signed is what is believed, and anything else is not. */
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  digestOf,
  openAnswer,
  openDocument,
  openRequest,
  type PeerKeys,
  type RequestSeal,
  SealError,
  type Signer,
  sealAnswer,
  sealDocument,
  sealRequest,
  signerOf,
} from '../../src/peering/seal.ts';
import { importPublic, publicOf, signJws } from '../../src/tokens/jwk.ts';
import { at } from '../support/builders.ts';

function keyPair(): { signer: Signer; keys: PeerKeys } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = signerOf(privateKey);
  return { signer, keys: new Map([[signer.kid, { key: importPublic(publicOf(privateKey)) }]]) };
}
const ours = keyPair();
const others = keyPair();

const claims: RequestSeal = {
  iss: 'ams.example',
  aud: 'sdg.example',
  session: 'session-1',
  iat: at(0),
  jti: 'jti-1',
  path: '/peer/v1/messages',
  digest: digestOf('{}'),
};
const header = { alg: 'ES256', typ: 'turnpike-peer-request+jws', kid: ours.signer.kid };

test('what was sealed is what is read', () => {
  expect(openRequest(sealRequest(claims, ours.signer), ours.keys)).toEqual(claims);
  const answer = { iss: 'a', aud: 'b', iat: at(1), req: 'jti-1', status: 200, digest: digestOf('') };
  expect(openAnswer(sealAnswer(answer, ours.signer), ours.keys)).toEqual(answer);
});

describe('is not believed:', () => {
  const good = sealRequest(claims, ours.signer);
  const [head, body, signature] = good.split('.') as [string, string, string];
  const forged = Buffer.from(JSON.stringify({ ...claims, jti: 'jti-2' })).toString('base64url');
  const signed = (over: object, of: object = claims): string =>
    signJws({ ...header, ...over }, of, ours.signer.key);
  test.each<[string, string | undefined]>([
    ['nothing', undefined],
    ['text', 'hello'],
    ['a part too many', `${good}.x`],
    ['another body', `${head}.${forged}.${signature}`],
    ['no signature', `${head}.${body}.`],
    ['another key', sealRequest(claims, { ...others.signer, kid: ours.signer.kid })],
    ['a key that is not pinned', sealRequest(claims, others.signer)],
    ['alg none', signed({ alg: 'none' })],
    ['another type', signed({ typ: 'JWT' })],
    ['a key of its own', signed({ jwk: publicOf(others.signer.key) })],
    [
      'an answer as a request',
      sealAnswer({ iss: 'a', aud: 'b', iat: at(0), req: 'x', status: 1, digest: 'd' }, ours.signer),
    ],
    ['a claim that is missing', signed({}, { ...claims, jti: undefined })],
    ['a time as text', signed({}, { ...claims, iat: '1' })],
    ['a time before time', signed({}, { ...claims, iat: -1 })],
    ['white space in a name', signed({}, { ...claims, iss: 'ams example' })],
    ['ten thousand characters', signed({}, { ...claims, jti: 'x'.repeat(10_000) })],
  ])('%s', (_, text) => {
    expect(() => openRequest(text, ours.keys)).toThrow(SealError);
  });
});

test('a document keeps its signature wherever it is carried', () => {
  const seal = sealDocument('ams.example', '{"n":1}', ours.signer);
  openDocument(seal, ours.keys, 'ams.example', '{"n":1}');
  expect(() => openDocument(seal, ours.keys, 'ams.example', '{"n":2}')).toThrow('not what was signed');
  expect(() => openDocument(seal, ours.keys, 'sdg.example', '{"n":1}')).toThrow('another name');
  expect(() => openDocument(seal, others.keys, 'ams.example', '{"n":1}')).toThrow('not pinned');
});
