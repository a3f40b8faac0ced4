/**
 * What the OpenAPI document says of a route's answers, so that each route lists statuses and not prose. The
 * refusals that every route shares (400, 401, 406, 429, 500, 503) are added here.
 */
import type { TSchema } from 'typebox';
import { ref } from '../http/schema.ts';
import { type ProblemCode, problems } from '../kernel/errors.ts';
import { ProblemSchema } from './wire/common.ts';

const EVERYWHERE: readonly ProblemCode[] = [
  'INVALID_REQUEST',
  'UNAUTHENTICATED',
  'NOT_ACCEPTABLE',
  'RATE_LIMITED',
  'INTERNAL',
  'NOT_LEADER',
  'STOPPING',
];
/** Of every route that changes something. */
export const CHANGES: readonly ProblemCode[] = [
  'INVALID_REQUEST',
  'POLICY_DENIED',
  'STALE_REVISION',
  'STORE_FULL',
  'STORE_UNAVAILABLE',
  'OVERLOADED',
];
/** Of every route that takes a body. */
export const BODIES: readonly ProblemCode[] = [
  'INVALID_REQUEST',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
];
/** Of every verb that a MANUAL circuit opens to its token only. */
export const TOKENS: readonly ProblemCode[] = ['TOKEN_INVALID', 'TOKEN_REQUIRED', 'TOKEN_REFUSED'];
/** Either the bearer or the token of the circuit opens it. */
export const OPENED_BY = [{ bearer: [] }, { circuitToken: [] }];
/** Of every POST. */
export const KEYS: readonly ProblemCode[] = ['IDEMPOTENCY_KEY_REUSED', 'IDEMPOTENCY_IN_PROGRESS'];

/** One entry per status, naming the codes that share it. */
export function refusals(...codes: readonly ProblemCode[]): Record<number, unknown> {
  const byStatus = new Map<number, Set<ProblemCode>>();
  for (const code of [...codes, ...EVERYWHERE]) {
    const { status } = problems[code];
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(code));
  }
  return Object.fromEntries(
    [...byStatus].map(([status, shared]) => [
      status,
      {
        description: [...shared].map((code) => `${code}: ${problems[code].title}`).join('. '),
        content: { 'application/problem+json': { schema: ref(ProblemSchema) } },
      },
    ]),
  );
}

const ETAG = { ETag: { type: 'string', description: 'Of this revision' } };
const LOCATION = { Location: { type: 'string', description: 'Where the new resource is' } };

/** A successful answer in JSON. */
export const answer = (description: string, schema: TSchema, type = 'application/json') => ({
  description,
  content: { [type]: { schema } },
});
/** One resource, with its ETag. */
export const resource = (description: string, schema: TSchema) => ({
  ...answer(description, schema),
  headers: ETAG,
});
/** A new resource, with its address. */
export const created = (description: string, schema: TSchema) => ({
  ...answer(description, schema),
  headers: { ...ETAG, ...LOCATION },
});
export const nothingNew = { 304: { description: 'The ETag of If-None-Match is still right' } };
