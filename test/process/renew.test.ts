/** Two real brokers: a certificate is renewed in its file, SIGHUP says so, and nobody starts again. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { wallClock } from '../../src/kernel/clock.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { makeCertificate } from '../../src/lab/certificates.ts';
import { build } from './broker.ts';
import { Row } from './three.ts';

const row = new Row(2);
beforeAll(async () => {
  build();
  await row.begin();
}, 120_000);
afterAll(() => row.clear());

const check = async (i: number) =>
  (await row.call(i, 'POST', `/v1/peers/d${1 - i}.example/check`)).body as Record<string, unknown>;
const epochs = () => Promise.all([0, 1].map(async (i) => (await check(i))['epoch']));

async function until(done: () => Promise<boolean> | boolean, what: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (await done()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what}: not within 10 s\n${row.said(0)}\n${row.said(1)}`);
}

test('SIGHUP takes the files as they are now, or leaves everything as it was', async () => {
  await until(async () => (await check(0))['state'] === 'CONNECTED', 'they have met');
  const before = await epochs();
  const made = makeCertificate({ domain: 'd1.example', from: wallClock().now(), days: 60 }, systemRandom);
  const fingerprint = new X509Certificate(made.certificate).fingerprint256.replaceAll(':', '').toLowerCase();
  const file = (name: string): string => join(row.dir(1), name);
  const old = readFileSync(file('certificate.pem'), 'utf8');

  // A certificate without its key is taken by nobody.
  writeFileSync(file('certificate.pem'), made.certificate);
  row.signal(1, 'SIGHUP');
  await until(() => row.said(1).includes('peering.not_renewed'), 'it has said so');
  expect(row.said(1)).toContain('is not the key of');
  writeFileSync(file('certificate.pem'), old);
  expect((await check(1))['state']).toBe('CONNECTED');

  // The peer's file of pins is this very file here.
  writeFileSync(file('certificate.pem'), made.certificate);
  writeFileSync(file('key.pem'), made.key);
  for (const i of [0, 1]) row.signal(i, 'SIGHUP');
  await until(async () => {
    const peer = await check(0);
    return peer['state'] === 'CONNECTED' && String(peer['certificate_fingerprints']) === fingerprint;
  }, 'the new one is shown and believed');
  await until(async () => (await check(1))['state'] === 'CONNECTED', 'and the other way');
  expect(await epochs()).toEqual(before);
}, 60_000);

test('and the peers that the configuration names, or names no longer', async () => {
  const file = join(row.dir(0), 'domain.yaml');
  const named = readFileSync(file, 'utf8');
  const states = async (): Promise<unknown[]> => {
    const { items } = (await row.call(0, 'GET', '/v1/peers')).body as { items: { state: string }[] };
    return items.map(({ state }) => state);
  };
  writeFileSync(file, named.replace(/^ {2}peers: .*$/m, '  peers: []'));
  row.signal(0, 'SIGHUP');
  await until(async () => (await states())[0] === 'DISMISSED', 'nothing new is begun with it');
  writeFileSync(file, named);
  row.signal(0, 'SIGHUP');
  await until(async () => (await states())[0] === 'CONNECTED', 'it is one of them again');
}, 60_000);
