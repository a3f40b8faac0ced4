/**
 * What is read from a request's headers before anything else happens: its id, its trace, whether it is one
 * request at all (RFC 9112 smuggling), whether its body is plain and whether we can answer as it accepts.
 */
import type { IncomingMessage } from 'node:http';
import { BrokerError } from '../kernel/errors.ts';

const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** The caller's own request id, when it is one that can stand in a header and a log line. */
export function givenRequestId(request: IncomingMessage): string | undefined {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : undefined;
}

/** W3C Trace Context, version 00; all-zero ids are invalid there. */
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

export function givenTrace(request: IncomingMessage): string | undefined {
  const given = request.headers['traceparent'];
  return typeof given === 'string' && TRACEPARENT.test(given) ? given : undefined;
}

/** Headers of which two would mean two different requests. Node keeps the first and forgets the other. */
const ONLY_ONCE = ['authorization', 'content-length', 'host', 'content-type'];

/** Throws on a request that says one thing twice. */
export function refuseDuplicates(request: IncomingMessage): void {
  const raw = request.rawHeaders;
  let seen = 0;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    // Most names differ from all of these in their length already.
    if (name.length !== 13 && name.length !== 14 && name.length !== 4 && name.length !== 12) continue;
    const at = ONLY_ONCE.indexOf(name.toLowerCase());
    if (at < 0) continue;
    if ((seen & (1 << at)) !== 0) {
      throw new BrokerError('INVALID_REQUEST', `the header ${ONLY_ONCE[at]} is given more than once`);
    }
    seen |= 1 << at;
  }
}

/** A compressed body could unfold to any size, so none is taken. */
export function refuseCompressed(request: IncomingMessage): void {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new BrokerError('UNSUPPORTED_MEDIA_TYPE', 'send the body without compression');
  }
}

const JSON_ONLY = ['application/json'];

/** Throws when Accept rules out everything that the route serves (RFC 9110, section 12.5.1). */
export function refuseUnacceptable(request: IncomingMessage, produces: readonly string[] = JSON_ONLY): void {
  const accept = request.headers.accept;
  if (accept === undefined || accept === '*/*' || accept === produces[0]) return;
  for (const range of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    if (parameters.some((parameter) => /^q=0(\.0{0,3})?$/.test(parameter))) continue;
    if (type === '*/*') return;
    for (const format of produces) {
      if (type === format) return;
      if (type.endsWith('/*') && format.startsWith(type.slice(0, -1))) return;
    }
  }
  throw new BrokerError('NOT_ACCEPTABLE', `this resource is served as ${produces.join(' or ')}`);
}
