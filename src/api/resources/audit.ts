/**
 * The audit log from outside: its last signed checkpoint, the proof that it only grew, all of it as lines for
 * `turnpike audit export`, and the erasure of a person. What is proved here is verified offline, elsewhere.
 */
import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { ref } from '../../http/schema.ts';
import type { HttpServer } from '../../http/server.ts';
import { rfc3339 } from '../../kernel/clock.ts';
import { answer, BODIES, CHANGES, KEYS, refusals } from '../answers.ts';
import { callOf, sendMutated } from '../mutation.ts';
import type { ApiPorts } from '../resource.ts';
import { MutationQuery, NoQuery, Time } from '../wire/common.ts';
import { IdempotencyHeader } from '../wire/headers.ts';

const tags = ['audit'];
const NDJSON = 'application/x-ndjson';
/** About 15 MB. */
const MOST = 10_000;
const Size = (description: string) =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description });

const Checkpoint = Type.Object(
  {
    origin: Type.String({ description: 'Names this log, and no other ever' }),
    size: Size('Records that it covers'),
    root: Type.String({ description: 'RFC 6962, in base64' }),
    create_time: Time,
    note: Type.String({ description: 'The signed note (C2SP tlog-checkpoint)' }),
    key: Type.String({ description: 'Verifies the note (C2SP signed-note); get it once by a way you trust' }),
  },
  { $id: 'Checkpoint' },
);

const Consistency = Type.Object(
  {
    from: Size('The smaller log'),
    size: Size('The larger log'),
    proof: Type.Array(Type.String(), { description: 'RFC 6962, section 2.1.2; hashes in base64url' }),
  },
  { $id: 'ConsistencyProof' },
);

const Erasure = Type.Object(
  { principal: Type.String({ minLength: 1, maxLength: 512, description: 'As decisions name it' }) },
  { $id: 'Erasure', additionalProperties: false },
);

export function audit(app: HttpServer, { broker }: ApiPorts): void {
  for (const schema of [Checkpoint, Consistency, Erasure]) app.addSchema(schema);

  app.get(
    '/v1/audit/checkpoint',
    {
      config: { authorisation: 'visible' as const },
      schema: {
        operationId: 'getAuditCheckpoint',
        summary: 'The last signed checkpoint of the audit log',
        tags,
        querystring: NoQuery,
        response: { 200: answer('The checkpoint', ref(Checkpoint)), ...refusals('NOT_FOUND') },
      },
    },
    async () => {
      const { origin, size, root, time, note, key } = await broker.audit.checkpoint();
      return { origin, size, root, create_time: rfc3339(time), note, key };
    },
  );

  app.get(
    '/v1/audit/consistency',
    {
      config: { authorisation: 'visible' as const },
      schema: {
        operationId: 'getAuditConsistency',
        summary: 'The proof that the log only grew',
        tags,
        querystring: Type.Object(
          {
            from: Size('The smaller size'),
            size: Type.Optional(Size('The larger; that of the last checkpoint when absent')),
          },
          { additionalProperties: false },
        ),
        response: { 200: answer('The proof', ref(Consistency)), ...refusals('NOT_FOUND') },
      },
    },
    async (request) => {
      const { proof, ...sizes } = await broker.audit.consistency(request.query.from, request.query.size);
      return { ...sizes, proof: [...proof] };
    },
  );

  app.get(
    '/v1/audit/export',
    {
      config: { authorisation: 'decided:audit.read', atDoor: true, produces: [NDJSON] },
      schema: {
        operationId: 'exportAudit',
        summary: 'The log up to its last checkpoint, in lines',
        description:
          'First what the log is, then the checkpoints of this stretch, then each record with the hash that is its leaf, followed by what is personal in it and has not been erased. A leaf alone is a record that retention has taken. Ask again from where it ended, with the `size` of the first answer.',
        tags,
        querystring: Type.Object(
          {
            from: Type.Optional(Size('The first record')),
            limit: Type.Optional(
              Type.Integer({
                minimum: 1,
                maximum: MOST,
                default: MOST,
                description: 'Records in this answer',
              }),
            ),
            size: Type.Optional(Size('No record beyond this size of the log')),
          },
          { additionalProperties: false },
        ),
        response: {
          200: answer('Lines of JSON', Type.String(), NDJSON),
          ...refusals('POLICY_DENIED', 'NOT_FOUND'),
        },
      },
    },
    async (request, reply) => {
      const { from = 0, limit = MOST, size } = request.query;
      // Before the first byte, so that "nothing is signed yet" is an answer and not a stream that breaks off.
      await broker.audit.checkpoint();
      const lines = broker.audit.export(from, limit, size);
      return reply.type(NDJSON).send(Readable.from(lines, { objectMode: true, highWaterMark: 1 }));
    },
  );

  app.post(
    '/v1/audit/erasures',
    {
      config: { authorisation: 'decided:audit.erase', atDoor: true },
      schema: {
        operationId: 'createAuditErasure',
        summary: 'Forget who a principal was',
        description:
          'Values and salts go for good; records, leaves and proofs stay as they are. Decisions no longer name the principal. Circuits that live, and their events, keep their owner until retention takes them.',
        tags,
        querystring: MutationQuery,
        headers: Type.Object(IdempotencyHeader),
        body: ref(Erasure),
        response: {
          204: { description: 'It is forgotten' },
          ...refusals(...CHANGES, ...BODIES, ...KEYS),
        },
      },
    },
    async (request, reply) => {
      const render = () => ({ status: 204 });
      const { principal } = request.body;
      const done = await broker.audit.erase(callOf(request, render), principal);
      return sendMutated(request, reply, done, render);
    },
  );
}
