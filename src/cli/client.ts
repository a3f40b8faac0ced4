/**
 * The one file of the command line that opens a connection. A call that may be repeated is repeated when its
 * answer is lost: GET and DELETE by nature, POST because each carries an Idempotency-Key. What may not be
 * (PATCH and PUT) says that its outcome is unknown instead. No redirect is followed, so that the token goes nowhere
 * else.
 */
import { type Cancel, instant } from '../kernel/clock.ts';
import { systemRandom } from '../kernel/random.ts';
import { CliError, type CliIo, exits, usage } from './io.ts';
import { dig, text } from './output.ts';
import { Refused } from './refusal.ts';
import { type SseMessage, SseParser } from './sse.ts';

/** A list stands for a parameter that is given several times. */
export type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>;

export interface Call {
  readonly query?: Query;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly accept?: string;
  /** The Idempotency-Key of a POST; a fresh one when absent. */
  readonly key?: string | undefined;
  /** Signs each attempt for a circuit token; what is proven under one key is done once, whatever the verb. */
  readonly prove?: ((body: string, opKey: string) => string) | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
  /** The body as it came, for formats other than JSON. */
  readonly raw: string;
  /** An earlier attempt may have been carried out without our hearing of it. */
  readonly afterLost: boolean;
}

/** Nobody answered, or the answer broke off. */
export class Unreachable extends CliError {
  /** The request surely never arrived. */
  readonly refused: boolean;
  constructor(base: string, cause: unknown, refused: boolean) {
    const why = reasonOf(cause);
    super(
      exits.ERROR,
      `no answer from ${base}${why === '' ? '' : `: ${why}`}`,
      ['is TURNPIKE_URL right, and the broker running?'],
      {
        cause,
      },
    );
    this.refused = refused;
  }
}

export const interrupted = (): CliError => new CliError(exits.INTERRUPTED, 'interrupted');

/** Longer than the longest `Prefer: wait` that is sent. */
const CALL_LIMIT_MS = 60_000;
/** Three heartbeats of 15 s. */
const SILENCE_LIMIT_MS = 45_000;
/** Waits before the second attempt and those after it. */
const PAUSES_MS = [250, 1000, 2000] as const;
const LONGEST_RETRY_AFTER_S = 15;
const LARGEST_ANSWER = 64 * 1_048_576;

const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

const codeOf = (cause: unknown): string => text(dig(cause, 'cause', 'code')) || text(dig(cause, 'code'));

function reasonOf(cause: unknown): string {
  const code = codeOf(cause);
  if (code === 'ECONNREFUSED') return 'nobody listens there';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the name is not known';
  if (code !== '') return code;
  return cause instanceof Error ? cause.message : '';
}

export interface ClientOptions {
  readonly url: string;
  readonly token: string | undefined;
  readonly io: CliIo;
  readonly interrupt: AbortSignal;
  readonly say: (line: string) => void;
}

export function parseBase(url: string): URL {
  const base = URL.canParse(url) ? new URL(url) : undefined;
  if (base === undefined || !/^https?:$/.test(base.protocol)) {
    throw usage(`"${url}" is no address of a broker`, 'TURNPIKE_URL looks like http://127.0.0.1:8080');
  }
  if (base.username !== '' || base.password !== '') {
    throw usage('the address of the broker carries a password', 'put the token into TURNPIKE_TOKEN');
  }
  return base;
}

export class Client {
  readonly #base: string;
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    const base = parseBase(options.url);
    this.#base = `${base.origin}${base.pathname.replace(/\/+$/, '')}`;
    if (options.token !== undefined && !/^[\x21-\x7e]+$/.test(options.token)) {
      throw usage(
        'the token holds a character that no token has',
        'is there a line break in TURNPIKE_TOKEN?',
      );
    }
    const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(base.hostname);
    if (options.token !== undefined && base.protocol === 'http:' && !loopback) {
      options.say(`warning: the token goes to ${base.host} unencrypted`);
    }
    this.#options = options;
  }

  /** The same client, whose calls and pauses end with `signal` as they do with an interrupt. */
  within(signal: AbortSignal): Client {
    const { interrupt } = this.#options;
    return new Client({ ...this.#options, interrupt: AbortSignal.any([interrupt, signal]), say: () => {} });
  }

  get(path: string, query: Query = {}): Promise<Answer> {
    return this.call('GET', path, { query });
  }

  /** Throws Refused for every answer that is no success. */
  async call(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    call: Call = {},
  ): Promise<Answer> {
    const headers: Record<string, string> = { ...call.headers };
    const proven = call.prove !== undefined;
    if (method === 'POST' || proven) headers['idempotency-key'] = call.key ?? newKey();
    const repeatable = proven || (method !== 'PATCH' && method !== 'PUT');
    let lost = false;
    for (let attempt = 0; ; attempt++) {
      const pause = PAUSES_MS[attempt];
      try {
        const answer = await this.#once(method, path, call, headers);
        const wait = pause === undefined ? undefined : retryIn(answer, pause, repeatable);
        if (wait === undefined) {
          if (answer.status >= 200 && answer.status < 300) return { ...answer, afterLost: lost };
          throw new Refused(answer.status, answer.body, lost);
        }
        this.#options.say(
          `${text(dig(answer.body, 'title')) || `the server answered ${answer.status}`}; trying again`,
        );
        await this.pause(wait);
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        if (!error.refused) lost = true;
        if (!repeatable && !error.refused) {
          throw new CliError(exits.ERROR, `${error.message}\nit is not known whether the change was made`, [
            'look at the circuit before changing it again',
          ]);
        }
        if (pause === undefined) throw error;
        this.#options.say(`${error.message}; trying again`);
        await this.pause(pause);
      }
    }
  }

  /** Waits on the clock; an interrupt ends it. */
  async pause(ms: number): Promise<void> {
    const { io, interrupt } = this.#options;
    if (interrupt.aborted) throw interrupted();
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        cancel();
        interrupt.removeEventListener('abort', wake);
        resolve();
      };
      const cancel = io.clock.alarm(instant(io.clock.now() + ms), wake);
      interrupt.addEventListener('abort', wake);
    });
    if (interrupt.aborted) throw interrupted();
  }

  async #once(
    method: string,
    path: string,
    call: Call,
    headers: Readonly<Record<string, string>>,
  ): Promise<Omit<Answer, 'afterLost'>> {
    const { io, interrupt } = this.#options;
    const limit = new AbortController();
    const cancel = io.clock.alarm(instant(io.clock.now() + CALL_LIMIT_MS), () => limit.abort());
    const body = call.body === undefined ? '' : JSON.stringify(call.body);
    const proof = call.prove?.(body, headers['idempotency-key'] ?? '');
    try {
      const response = await this.#fetch(this.#address(path, call.query), {
        method,
        headers: {
          accept: call.accept ?? 'application/json, application/problem+json',
          ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
          ...(proof === undefined ? {} : { authorization: proof }),
        },
        ...(call.body === undefined ? {} : { body }),
        signal: AbortSignal.any([limit.signal, interrupt]),
      });
      const json = /\bjson\b/i.test(response.headers.get('content-type') ?? '');
      const raw = await this.#read(response);
      const { status, headers: got } = response;
      return { status, headers: got, raw, body: json && raw !== '' ? this.#parse(raw) : undefined };
    } catch (error) {
      if (interrupt.aborted) throw interrupted();
      if (error instanceof CliError) throw error;
      if (limit.signal.aborted) throw new Unreachable(this.#base, new Error('none within a minute'), false);
      throw new Unreachable(this.#base, error, NEVER_SENT.has(codeOf(error)));
    } finally {
      cancel();
    }
  }

  #address(path: string, query: Query = {}): string {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value === undefined) continue;
      for (const each of typeof value === 'object' ? value : [value]) search.append(name, String(each));
    }
    const text = search.toString();
    return `${this.#base}${path}${text === '' ? '' : `?${text}`}`;
  }

  async #fetch(address: string, init: RequestInit & { headers: Record<string, string> }): Promise<Response> {
    const { io, token } = this.#options;
    const fetch = io.fetch ?? globalThis.fetch;
    const response = await fetch(address, {
      ...init,
      redirect: 'manual',
      headers: {
        'user-agent': 'turnpike-cli',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...init.headers,
      },
    });
    if (response.status >= 300 && response.status < 400) {
      throw new CliError(
        exits.ERROR,
        `${this.#base} redirects to ${response.headers.get('location') ?? 'elsewhere'}`,
        ['redirects are not followed: set TURNPIKE_URL to the address itself'],
      );
    }
    return response;
  }

  async #read(response: Response): Promise<string> {
    if (response.body === null) return '';
    const decoder = new TextDecoder();
    let body = '';
    for await (const chunk of response.body) {
      body += decoder.decode(chunk, { stream: true });
      if (body.length > LARGEST_ANSWER) throw new CliError(exits.ERROR, 'the answer is larger than 64 MiB');
    }
    return body + decoder.decode();
  }

  #parse(body: string): unknown {
    try {
      return JSON.parse(body);
    } catch {
      throw new CliError(exits.ERROR, `${this.#base} answered with something that is not JSON`);
    }
  }

  /**
   * The event stream from here on, or from after `lastEventId`. Ends when the server ends it, and throws
   * Unreachable when it breaks off or falls silent. `signal` ends it without a word.
   */
  async stream(
    path: string,
    query: Query,
    lastEventId: string | undefined,
    signal: AbortSignal,
  ): Promise<AsyncGenerator<SseMessage>> {
    const { io, interrupt } = this.#options;
    const silence = new AbortController();
    let cancel: Cancel = () => {};
    const heard = (): void => {
      cancel();
      cancel = io.clock.alarm(instant(io.clock.now() + SILENCE_LIMIT_MS), () => silence.abort());
    };
    // Whoever never comes to read the stream still ends the watch by its signal.
    signal.addEventListener('abort', () => cancel(), { once: true });
    const broken = (error: unknown): unknown => {
      cancel();
      if (error instanceof CliError || signal.aborted || interrupt.aborted) return error;
      return new Unreachable(this.#base, silence.signal.aborted ? new Error('no heartbeat') : error, false);
    };
    heard();
    let response: Response;
    try {
      response = await this.#fetch(this.#address(path, query), {
        headers: {
          accept: 'text/event-stream',
          ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
        },
        signal: AbortSignal.any([silence.signal, signal, interrupt]),
      });
      if (response.status !== 200) {
        const body = await this.#read(response);
        throw new Refused(response.status, parseLoosely(body), false);
      }
    } catch (error) {
      if (interrupt.aborted) throw interrupted();
      throw broken(error);
    }
    return (async function* () {
      const parser = new SseParser();
      const decoder = new TextDecoder();
      try {
        for await (const chunk of response.body ?? []) {
          heard();
          yield* parser.push(decoder.decode(chunk, { stream: true }));
        }
      } catch (error) {
        if (interrupt.aborted) throw interrupted();
        if (!signal.aborted) throw broken(error);
      } finally {
        cancel();
      }
    })();
  }
}

function parseLoosely(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** When to try again, or undefined when the answer stands. */
function retryIn(answer: Omit<Answer, 'afterLost'>, pause: number, repeatable: boolean): number | undefined {
  if (!repeatable) return undefined;
  const code = text(dig(answer.body, 'code'));
  const passing =
    code === 'IDEMPOTENCY_IN_PROGRESS' ||
    (answer.status === 503 && code !== 'STORE_FULL') ||
    answer.status === 429 ||
    answer.status === 408 ||
    (code === '' && (answer.status === 502 || answer.status === 504));
  if (!passing) return undefined;
  const asked = Number(answer.headers.get('retry-after') ?? '');
  if (!Number.isFinite(asked) || asked <= 0) return pause;
  return asked <= LONGEST_RETRY_AFTER_S ? asked * 1000 : undefined;
}

const newKey = (): string => `cli-${Buffer.from(systemRandom.bytes(16)).toString('hex')}`;

/** A segment of a path. */
export const seg = (part: string): string => encodeURIComponent(part);
