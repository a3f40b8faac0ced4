/**
 * How a change travels: a request becomes the broker's Mutation, its outcome an answer. The answer is made by
 * one function whether it is sent at once or stored under an Idempotency-Key and sent again later, so that
 * the two cannot differ.
 */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyReply } from 'fastify';
import type { Mutated, Mutation } from '../broker/calls.ts';
import type { StoredAnswer } from '../broker/ports.ts';
import { problemHeaders, served } from '../http/problem.ts';
import type { Principal } from '../model/principal.ts';
import { sha256 } from '../tokens/encoding.ts';
import { tokenActions } from '../tokens/grant.ts';
import { etagOf, invalid } from './wire/common.ts';
import { capabilityOf } from './wire/token.ts';

/** What is needed of a request, whatever its route's schema. */
export interface Asking {
  readonly id: string;
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
  readonly bodyBytes?: Buffer | undefined;
  readonly principal: Principal;
  /** What a circuit token may open here. */
  readonly routeOptions?: { readonly config: { readonly capability?: string } };
}
export interface AskingForChange extends Asking {
  readonly query: { readonly validate_only?: boolean };
}

/** What a resource answers with. */
export interface Rendered {
  readonly status: number;
  readonly body?: unknown;
  readonly revision?: number;
  readonly location?: string;
}
export type Render<T> = (value: T) => Rendered;

const JSON_TYPE = 'application/json; charset=utf-8';
const KEY = /^[\x21-\x7e]{1,255}$/;

function stored(rendered: Rendered): StoredAnswer {
  const headers: Record<string, string> = {};
  if (rendered.body !== undefined) headers['content-type'] = JSON_TYPE;
  if (rendered.revision !== undefined) headers['etag'] = etagOf(rendered.revision);
  if (rendered.location !== undefined) headers['location'] = rendered.location;
  const body = rendered.body === undefined ? '' : JSON.stringify(rendered.body);
  return { status: rendered.status, headers, body };
}

/** Keys in order, so that the same document written differently counts as the same request. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}

/** Of the method, the path and the body; the query of a mutation has no effect that is kept. */
export function bodyHash(request: Asking): string {
  const path = request.url.split('?', 1)[0];
  return createHash('sha256')
    .update(`${request.method} ${path}\n${canonical(request.body ?? {})}`)
    .digest('hex');
}

function idempotency<T>(request: Asking, render: Render<T>): Mutation<T>['idempotency'] {
  const key = request.headers['idempotency-key'];
  if (key === undefined || request.method !== 'POST') return undefined;
  if (typeof key !== 'string' || !KEY.test(key)) {
    throw invalid('Idempotency-Key', 'must be 1 to 255 printable characters without spaces');
  }
  return {
    key,
    bodyHash: bodyHash(request),
    render(outcome) {
      if ('ok' in outcome) return stored(render(outcome.ok));
      return {
        status: outcome.problem.status,
        headers: problemHeaders(outcome.problem, true),
        body: JSON.stringify(served(outcome.problem, request.id)),
      };
    },
  };
}

/** A JWS; what it says is read with the token that it follows. */
const LINK = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** The circuit token of a request, with what its proof must be over. */
function presented(request: Asking): Mutation<unknown>['capability'] {
  const text = capabilityOf(request.headers.authorization);
  // The server lets none in where the route names no action (http/server.ts).
  const action = tokenActions.find((known) => known === request.routeOptions?.config.capability);
  if (text === undefined || action === undefined) return undefined;
  const opKey = request.headers['idempotency-key'];
  const link = request.headers['turnpike-delegation'];
  if (link !== undefined && (typeof link !== 'string' || !LINK.test(link)))
    throw invalid('Turnpike-Delegation', 'must be one link of a circuit token');
  return {
    text,
    action,
    bodyHash: sha256(request.bodyBytes ?? ''),
    // Of one API all callers are one: who holds the token is what counts.
    peer: 'api',
    ...(typeof opKey === 'string' ? { opKey } : {}),
    ...(link === undefined ? {} : { link }),
  };
}

const REASON = /^[\x20-\x7e]{1,256}$/;

function overrideOf({ headers }: Asking): string | undefined {
  const reason = headers['turnpike-override-reason'];
  if (reason === undefined) return undefined;
  if (typeof reason !== 'string' || !REASON.test(reason) || reason.trim() === '')
    throw invalid('Turnpike-Override-Reason', 'must be 1 to 256 printable characters that say why');
  return reason.trim();
}

/** A request for a change, as the broker takes it. With validate_only nothing is kept, so no key is either. */
export function callOf<T>(request: AskingForChange, render: Render<T>): Mutation<T> {
  const validateOnly = request.query.validate_only ?? false;
  const capability = presented(request);
  const override = overrideOf(request);
  // A proof has its own operation key, which is as good: nothing is kept twice.
  const kept = validateOnly || capability !== undefined ? undefined : idempotency(request, render);
  return {
    principal: request.principal,
    requestId: request.id,
    validateOnly,
    ...(capability === undefined ? {} : { capability }),
    ...(override === undefined ? {} : { override }),
    ...(kept === undefined ? {} : { idempotency: kept }),
  };
}

function send(reply: FastifyReply, answer: StoredAnswer): FastifyReply {
  reply.code(answer.status).headers(answer.headers);
  return answer.body === '' ? reply.send() : reply.send(answer.body);
}

/** Sends what came of a change: the value now, or the first answer again. */
export function sendMutated<T>(
  request: AskingForChange,
  reply: FastifyReply,
  mutated: Mutated<T>,
  render: Render<T>,
): FastifyReply {
  if (mutated.kind === 'replayed') {
    reply.header('idempotency-replayed', 'true');
    return send(reply, mutated.answer);
  }
  const rendered = render(mutated.value);
  if (request.query.validate_only !== true) return send(reply, stored(rendered));
  // What was only tried has no address and no revision.
  return send(reply, stored({ status: rendered.status, body: rendered.body }));
}

/** Sends a resource that was read; a client that has it already gets 304. */
export function sendRead(
  request: Asking,
  reply: FastifyReply,
  revision: number,
  body: unknown,
): FastifyReply {
  if (hasIt(request, reply, etagOf(revision))) return reply.code(304).send();
  return reply.type(JSON_TYPE).send(JSON.stringify(body));
}

/** The same resource in another notation is another representation: its ETag carries the notation's name. */
export function sendNotation(
  request: Asking,
  reply: FastifyReply,
  revision: number,
  written: { readonly name: string; readonly type: string; readonly text: string },
): FastifyReply {
  if (hasIt(request, reply, etagOf(revision, written.name))) return reply.code(304).send();
  const charset = /^text\/|[+/]xml$|yaml$/.test(written.type) ? '; charset=utf-8' : '';
  return reply.type(`${written.type}${charset}`).send(written.text);
}

function hasIt(request: Asking, reply: FastifyReply, etag: string): boolean {
  reply.header('etag', etag);
  const known = request.headers['if-none-match'];
  // Here weak comparison is right (RFC 9110, section 13.1.2).
  return (
    known?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag || tag.trim() === '*') === true
  );
}
