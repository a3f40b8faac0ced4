/** The API over real TLS: a client certificate opens it, another does not, and a bearer goes before both. */
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Domain, startDomain } from '../../src/domain.ts';
import { configFrom } from '../../src/flags.ts';
import { wallClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { makeCertificate } from '../../src/lab/certificates.ts';

const folder = mkdtempSync(join(tmpdir(), 'turnpike-door-'));
const make = (domain: string) => makeCertificate({ domain, from: wallClock().now(), days: 1 }, systemRandom);
const [server, alice, mallory] = [make('localhost'), make('alice.example'), make('alice.example')];
let domain: Domain;

beforeAll(async () => {
  const network = resolve(import.meta.dirname, '../../examples/lab-ams.yaml');
  const pin = createHash('sha256').update(new X509Certificate(alice.certificate).raw).digest('hex');
  writeFileSync(join(folder, 'api.pem'), server.certificate);
  writeFileSync(join(folder, 'api.key'), server.key);
  writeFileSync(
    join(folder, 'domain.yaml'),
    [
      'domain: ams.example',
      'http: {host: 127.0.0.1, port: 0}',
      'store: {file: turnpike.db}',
      'api: {tls: {certificate_file: api.pem, key_file: api.key}}',
      `seeds: {topology: ${JSON.stringify(network)}}`,
      'identity:',
      '  development_dir: keys',
      `  certificates: [{name: alice, fingerprint: "${pin}", projects: lhc, groups: "cms/ops", assurance: 2}]`,
    ].join('\n'),
  );
  const io = { env: {}, stdout: { write: () => true }, stderr: { write: () => true } };
  const config = await configFrom({ config: join(folder, 'domain.yaml'), set: [] }, io);
  domain = await startDomain(config, { log: silentLog, onLost: () => {} });
});
afterAll(async () => {
  await domain.stop();
  rmSync(folder, { recursive: true });
});

function whoami(client: { certificate: string; key: string } | undefined, authorization?: string) {
  return new Promise<{ status: number; id: string }>((done, failed) => {
    const asked = request(
      {
        host: 'localhost',
        family: 4,
        port: new URL(domain.address).port,
        path: '/v1/whoami',
        ca: server.certificate,
        agent: false,
        ...(client === undefined ? {} : { cert: client.certificate, key: client.key }),
        ...(authorization === undefined ? {} : { headers: { authorization } }),
      },
      (answer) => {
        let body = '';
        answer.on('data', (chunk) => {
          body += chunk;
        });
        answer.on('end', () => {
          const said = JSON.parse(body) as { id?: string; code?: string };
          done({ status: answer.statusCode ?? 0, id: said.id ?? said.code ?? '' });
        });
      },
    );
    asked.on('error', failed);
    asked.end();
  });
}

test('the API answers over TLS to the certificate that is listed, and to no other', async () => {
  expect(domain.address).toMatch(/^https:/);
  expect(await whoami(alice)).toEqual({ status: 200, id: 'certificate|alice' });
  expect(await whoami(mallory)).toEqual({ status: 401, id: 'UNAUTHENTICATED' });
  expect(await whoami(undefined)).toEqual({ status: 401, id: 'UNAUTHENTICATED' });
});

test('a bearer says who it is whatever the machine shows', async () => {
  const bearer = `Bearer ${await domain.development?.mint('user')}`;
  for (const client of [alice, mallory, undefined])
    expect((await whoami(client, bearer)).id).toBe('urn:turnpike:development|user');
  expect((await whoami(alice, 'Bearer a.b.c')).status).toBe(401);
});
