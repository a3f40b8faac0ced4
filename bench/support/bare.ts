/**
 * The limit beside which admissions are measured: the same Fastify, knex and sqlite3 with the same fsync, seven
 * rows an admission written in groups, one ES256 signature, and no broker at all. Prints its address.
 */
import { generateKeyPairSync, sign } from 'node:crypto';
import Fastify from 'fastify';
import knex from 'knex';

const file = process.argv[2] as string;
const db = knex({
  client: 'sqlite3',
  connection: { filename: file },
  useNullAsDefault: true,
  pool: { min: 1, max: 1 },
});
await db.raw('PRAGMA journal_mode = WAL');
await db.raw('PRAGMA synchronous = FULL');
await db.schema.createTable('rows', (t) => {
  t.increments('id');
  t.string('kind').notNullable();
  t.text('doc').notNullable();
});
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const app = Fastify({ logger: false });
let queue: { doc: string; done: () => void }[] = [];
let busy = false;

async function flush(): Promise<void> {
  busy = true;
  await new Promise((resolve) => setImmediate(resolve));
  while (queue.length > 0) {
    const batch = queue.splice(0, 512);
    const rows = batch.flatMap(({ doc }) => Array.from({ length: 7 }, (_, i) => ({ kind: `k${i}`, doc })));
    await db.transaction(async (tx) => {
      // SQLite takes at most 32,766 values in one statement.
      for (let i = 0; i < rows.length; i += 500) await tx('rows').insert(rows.slice(i, i + 500));
    });
    for (const { done } of batch) done();
  }
  busy = false;
}

app.post('/v1/circuits', async (request, reply) => {
  const doc = JSON.stringify(request.body);
  sign('sha256', Buffer.from(doc), privateKey);
  await new Promise<void>((done) => {
    queue.push({ doc, done });
    if (!busy) void flush();
  });
  return reply.code(201).send({ id: 'x', ...(request.body as object) });
});
await app.listen({ port: 0, host: '127.0.0.1' });
const address = app.server.address();
process.stdout.write(
  `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}\n`,
);
process.on('SIGTERM', () => process.exit(0));
queue = [];
