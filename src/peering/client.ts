/**
 * Speaks to peers: HTTPS with our certificate, connections that are kept, and on each only a peer whose own
 * certificate is pinned. Every attempt is signed anew; an answer counts only if the peer signed it, for this
 * request. What to say, and when to try again, is decided elsewhere.
 */

import type { TLSSocket } from 'node:tls';
import { buildConnector, Pool } from 'undici';
import { type Clock, instant, stopwatch } from '../kernel/clock.ts';
import { textOf } from '../kernel/errors.ts';
import type { Random } from '../kernel/random.ts';
import { newJti } from '../tokens/mint.ts';
import { allOutOfDate, distrust } from './certificate.ts';
import { type Peer, SKEW_REFUSED_MS, skewBetween } from './peer.ts';
import { digestOf, openAnswer, type RequestSeal, SEAL_HEADER, type Signer, sealRequest } from './seal.ts';

/** Connections to one peer; more than are ever needed at once would only be handshakes. */
const CONNECTIONS = 16;
const CONNECT_TIMEOUT_MS = 3_000;
const KEEP_ALIVE_MS = 60_000;
/** A topology document and what is around it. */
const MAX_ANSWER_BYTES = 9 * 1024 * 1024;

export interface Identity {
  readonly domain: string;
  readonly signer: Signer;
  /** PEM. */
  readonly key: string;
  readonly certificate: string;
}

/** Nobody knows whether the message arrived. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

export interface Answered {
  readonly status: number;
  /** An object: everything that peers say is one. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Call {
  readonly path: string;
  readonly body: object;
  readonly timeoutMs: number;
  /** Absent in a hello, which is how it is learned. */
  readonly session?: string;
}

/** Says something to a peer in our session with it; a text: why nobody should try. */
export type Tell = (peer: Peer, call: Omit<Call, 'session'>) => Promise<Answered | string>;

interface ClientPorts {
  readonly clock: Clock;
  readonly random: Random;
  /** Tests sign here what a peer should not. */
  readonly forge?: (seal: RequestSeal) => RequestSeal;
}

export class PeerClient {
  readonly #identity: Identity;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #forge: (seal: RequestSeal) => RequestSeal;
  readonly #pools = new Map<string, Pool>();

  constructor(identity: Identity, ports: ClientPorts) {
    this.#identity = identity;
    this.#forge = ports.forge ?? ((seal) => seal);
    this.#clock = ports.clock;
    this.#random = ports.random;
  }

  /** Throws NoAnswer. */
  async call(peer: Peer, call: Call): Promise<Answered> {
    const { domain, signer } = this.#identity;
    const body = JSON.stringify(call.body);
    const sent = this.#clock.now();
    const claims = this.#forge({
      iss: domain,
      aud: peer.domain,
      iat: sent,
      jti: newJti(this.#random),
      path: call.path,
      digest: digestOf(body),
      ...(call.session === undefined ? {} : { session: call.session }),
    });
    const { jti } = claims;
    const seal = sealRequest(claims, signer);
    const watch = stopwatch();
    try {
      const late = allOutOfDate(peer.settings.pins, sent);
      if (late !== undefined) throw new NoAnswer(late);
      const answer = await this.#exchange(peer, call, body, seal);
      const answered = this.#believe(peer, jti, answer, sent);
      peer.answered(stopwatch() - watch);
      return answered;
    } catch (error) {
      const why = error instanceof NoAnswer ? error : new NoAnswer(causeOf(error), { cause: error });
      peer.breaker.silent();
      peer.failed(why.message);
      throw why;
    }
  }

  /** From now on every call connects anew; those under way end as they began. */
  reconnect(): void {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    for (const pool of pools) pool.close().catch(() => {});
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }

  async #exchange(
    peer: Peer,
    { path, timeoutMs }: Call,
    body: string,
    seal: string,
  ): Promise<{ status: number; seal: string | undefined; text: string }> {
    const late = new AbortController();
    const cancel = this.#clock.alarm(instant(this.#clock.now() + timeoutMs), () =>
      late.abort(new NoAnswer(`no answer within ${timeoutMs / 1000} s`)),
    );
    try {
      const answer = await this.#pool(peer).request({
        method: 'POST',
        path,
        body,
        headers: { 'content-type': 'application/json', [SEAL_HEADER]: seal },
        signal: late.signal,
      });
      const seals = answer.headers[SEAL_HEADER];
      const text = await answer.body.text();
      return { status: answer.statusCode, seal: typeof seals === 'string' ? seals : undefined, text };
    } finally {
      cancel();
    }
  }

  #believe(
    peer: Peer,
    jti: string,
    { status, seal, text }: { status: number; seal: string | undefined; text: string },
    sent: ReturnType<Clock['now']>,
  ): Answered {
    // Who is refused before it is known who asks gets an answer without a signature: a hint, and no more.
    if (seal === undefined) throw new NoAnswer(`an answer without a signature (${status}): ${hintOf(text)}`);
    const claims = openAnswer(seal, peer.settings.keys);
    const fits =
      claims.iss === peer.domain &&
      claims.aud === this.#identity.domain &&
      claims.req === jti &&
      claims.status === status &&
      claims.digest === digestOf(text);
    if (!fits) throw new NoAnswer('an answer to something else');
    const now = this.#clock.now();
    const skew = skewBetween(claims.iat, sent, now);
    peer.heard(skew, (now - sent) / 2);
    if (Math.abs(skew) > SKEW_REFUSED_MS + (now - sent) / 2)
      throw new NoAnswer(`its clock is ${Math.round(skew / 1000)} s from ours`);
    return { status, body: JSON.parse(text) as Answered['body'] };
  }

  #pool(peer: Peer): Pool {
    const known = this.#pools.get(peer.domain);
    if (known !== undefined) return known;
    const pool = new Pool(new URL(peer.settings.url).origin, {
      connect: this.#connector(peer),
      connections: CONNECTIONS,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxResponseSize: MAX_ANSWER_BYTES,
      // One limit for the whole call, on our own clock.
      headersTimeout: 0,
      bodyTimeout: 0,
    } satisfies Pool.Options);
    this.#pools.set(peer.domain, pool);
    return pool;
  }

  /** Connects, and hangs up on anybody but the peer. */
  #connector(peer: Peer): buildConnector.connector {
    const { key, certificate } = this.#identity;
    const connect = buildConnector({
      timeout: CONNECT_TIMEOUT_MS,
      key,
      cert: certificate,
      servername: peer.domain,
      // The pin decides, below: what authorities have signed counts for nothing.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      maxCachedSessions: 0,
    });
    return (target, callback) => {
      connect(target, (...[error, socket]) => {
        if (error !== null) return callback(error, null);
        const shown = (socket as TLSSocket).getPeerX509Certificate?.()?.raw;
        const why = distrust(peer.settings.pins, shown, this.#clock.now());
        if (why === undefined) return callback(null, socket);
        socket.destroy();
        callback(new NoAnswer(`whoever answers at ${peer.settings.url} is not ${peer.domain}: ${why}`), null);
      });
    };
  }
}

/** undici and the sockets below it wrap what happened. */
function causeOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (inner instanceof AggregateError && inner.errors.length > 0) return textOf(inner.errors[0]);
  return textOf(inner);
}

function hintOf(text: string): string {
  const detail = /"detail":"([^"\\]{1,200})"/.exec(text)?.[1];
  return detail ?? 'no reason given';
}
