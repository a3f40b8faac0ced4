/**
 * Every refusal leaves as RFC 9457 problem+json, whoever made it: the broker, the schema check, the HTTP
 * framework or a bug. What was not meant for the asker says only that the broker failed and carries the
 * request's id; the cause goes to the log. Nothing here knows a route.
 */
import type { FastifyError, FastifySchemaValidationError } from 'fastify';
import { BrokerError, type FieldError, type Problem, toProblem } from '../kernel/errors.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** How long to wait when the refusal itself does not say. */
const DEFAULT_RETRY_S = 5;

/** The problem as it is served: with the id of the request that it answers. */
export type ServedProblem = Problem & { readonly request_id: string };

export const served = (error: BrokerError, requestId: string): ServedProblem => ({
  ...toProblem(error),
  request_id: requestId,
});

/** What a status says in headers besides the body. */
export function problemHeaders(error: BrokerError, hadCredentials: boolean): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': PROBLEM_TYPE, 'cache-control': 'no-store' };
  if (error.status === 401) {
    headers['www-authenticate'] =
      error.code === 'TOKEN_INVALID'
        ? 'CCT realm="turnpike", error="invalid_token"'
        : hadCredentials
          ? 'Bearer realm="turnpike", error="invalid_token"'
          : 'Bearer realm="turnpike"';
  }
  if (error.status === 503 || error.details.retry_after_s !== undefined) {
    headers['retry-after'] = String(error.details.retry_after_s ?? DEFAULT_RETRY_S);
  }
  return headers;
}

/** RFC 6901: `~` and `/` inside a name are escaped. */
const escapePointer = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

/** One finding of the schema check, as a field that can be corrected. */
function fieldError(part: string, finding: FastifySchemaValidationError): FieldError {
  const { keyword, params } = finding;
  let pointer = finding.instancePath;
  let detail = finding.message ?? 'is not valid';
  if (keyword === 'required') {
    pointer += `/${escapePointer(String(params['missingProperty']))}`;
    detail = 'is required';
  } else if (keyword === 'additionalProperties' || keyword === 'unevaluatedProperties') {
    pointer += `/${escapePointer(String(params['additionalProperty'] ?? params['unevaluatedProperty']))}`;
    detail = 'is not a known field';
  } else if (keyword === 'discriminator') {
    pointer += `/${escapePointer(String(params['tag']))}`;
    detail = params['error'] === 'mapping' ? 'is not a known type' : 'must be a string';
  } else if (keyword === 'enum' && Array.isArray(params['allowedValues'])) {
    detail = `must be one of ${params['allowedValues'].join(', ')}`;
  } else if (keyword === 'const') {
    detail = `must be ${String(params['allowedValue'])}`;
  }
  // Parameters are not part of a JSON document: there the plain name is the pointer.
  return { pointer: part === 'body' ? pointer : pointer.slice(1), detail };
}

const PARTS: Readonly<Record<string, string>> = {
  body: 'the body',
  querystring: 'the query string',
  params: 'the path',
  headers: 'the headers',
};

function fromSchemaCheck(error: FastifyError, findings: FastifySchemaValidationError[]): BrokerError {
  const part = error.validationContext ?? 'body';
  // That no branch of a choice fits is said better by what is wrong in the branches.
  const choices = ['anyOf', 'oneOf', 'if'];
  const named = findings.filter((finding) => !choices.includes(finding.keyword));
  const errors = (named.length > 0 ? named : findings).map((finding) => fieldError(part, finding));
  const first = errors[0];
  const where = first === undefined || first.pointer === '' ? 'it' : first.pointer;
  return new BrokerError(
    'INVALID_REQUEST',
    `${PARTS[part] ?? part} is not as described: ${where} ${first?.detail ?? 'is not valid'}`,
    { errors },
  );
}

/** The framework's own refusals, in our words. Anything else of the 4xx kind is a malformed request. */
function fromFramework(error: FastifyError): BrokerError | undefined {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new BrokerError('PAYLOAD_TOO_LARGE', 'the body is larger than this server takes');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new BrokerError('UNSUPPORTED_MEDIA_TYPE', 'send the body as application/json');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new BrokerError('INVALID_REQUEST', 'the body is not as long as Content-Length says');
    case 'FST_ERR_BAD_URL':
      return new BrokerError('INVALID_REQUEST', 'the path is not a valid URL path');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new BrokerError('NOT_FOUND', 'no resource has so long a name');
    default:
  }
  const status = error.statusCode;
  if (status !== undefined && status >= 400 && status < 500) {
    return new BrokerError('INVALID_REQUEST', 'the request is malformed');
  }
  return undefined;
}

/** What an error means to the asker; undefined when it is a bug, and none of the asker's business. */
export function brokerErrorOf(error: unknown): BrokerError | undefined {
  if (error instanceof BrokerError) return error;
  if (!(error instanceof Error)) return undefined;
  // Fastify hands every error over as one of its own; the fields are absent on the others.
  const framework = error as FastifyError;
  if (framework.validation !== undefined) return fromSchemaCheck(framework, framework.validation);
  return fromFramework(framework);
}

export const internal = (): BrokerError =>
  new BrokerError('INTERNAL', 'something went wrong here; it is in the log under this request_id');
