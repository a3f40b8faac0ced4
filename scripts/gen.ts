/**
 * Writes what is generated and committed: the OpenAPI document from the routes, the lifecycle's tables and
 * diagrams from its matrices. A test compares what is committed with what this would write.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { policyMarkdown, schema } from '../src/aaa/schema.ts';
import { buildApp } from '../src/api/app.ts';
import type { UseCases } from '../src/broker/usecases.ts';
import { instant } from '../src/kernel/clock.ts';
import { silentLog } from '../src/kernel/log.ts';
import { seededRandom } from '../src/kernel/random.ts';
import { buildPeerServer } from '../src/peering/routes.ts';
import { signerOf } from '../src/peering/seal.ts';
import { lifecycleMarkdown } from './lifecycle.ts';

const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

/** The public document. Registering routes asks nothing of the broker but to listen. */
export async function openapiJson(): Promise<string> {
  const broker = { onEvents: () => () => {} } as Pick<UseCases, 'onEvents'> as UseCases;
  const app = await buildApp({
    broker,
    domain: 'example',
    version: '0',
    authenticate: () => {
      throw new Error('nobody calls');
    },
    log: silentLog,
    clock: { now: () => instant(0), alarm: () => () => {} },
    random: seededRandom(1),
    docs: false,
  });
  await app.ready();
  const document = app.swagger();
  await app.close();
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** The document of what peers say to each other. Nothing listens, so that no key is needed. */
async function peeringJson(): Promise<string> {
  const signer = signerOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey);
  const nobody = (): never => {
    throw new Error('nobody calls');
  };
  const app = await buildPeerServer(
    {
      session: 'none',
      peers: () => [],
      hello: nobody,
      take: nobody,
      revoked: nobody,
      tokenStatus: nobody,
      topologies: { accept: nobody, compared: nobody },
      witnesses: { shown: nobody, seen: nobody },
    },
    {
      identity: { domain: 'example', signer, key: '', certificate: '' },
      clock: { now: () => instant(0), alarm: () => () => {} },
      random: seededRandom(1),
      log: silentLog,
    },
  );
  await app.ready();
  const document = app.swagger();
  await app.close();
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Paths below the project's root, and what belongs there. */
export async function generated(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['openapi/turnpike.json', await openapiJson()],
    ['openapi/peering.json', await peeringJson()],
    ['docs/LIFECYCLE.md', lifecycleMarkdown()],
    ['docs/POLICY.md', policyMarkdown()],
    ['examples/policies/turnpike.cedarschema', schema],
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, text] of await generated()) {
    await mkdir(path.dirname(path.join(ROOT, file)), { recursive: true });
    await writeFile(path.join(ROOT, file), text);
    console.error(`wrote ${file}`);
  }
}
