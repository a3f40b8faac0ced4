/**
 * The real routes over a real broker and store, called by inject. Every answer that passes through here is
 * held against the OpenAPI document: a status that is not described, a field that is not named or has another
 * type, fails the test that caused it.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { buildApp } from '../../src/api/app.ts';
import { frontDoor } from '../../src/api/frontDoor.ts';
import type { HttpServer, ServerLimits } from '../../src/http/server.ts';
import { BrokerError } from '../../src/kernel/errors.ts';
import { silentLog } from '../../src/kernel/log.ts';
import type { Principal } from '../../src/model/principal.ts';
import { OneDomain, operator, stranger, user } from '../support/oneDomain.ts';

export const people: Readonly<Record<string, Principal>> = { user, stranger, operator };
export type Person = 'user' | 'stranger' | 'operator';

/** `Bearer user` is the user: what a token is worth is tested elsewhere. */
export function authenticate({ authorization }: { readonly authorization: string | undefined }): Principal {
  const found = people[authorization?.replace(/^Bearer /, '') ?? ''];
  if (found === undefined) throw new BrokerError('UNAUTHENTICATED', 'nobody of ours');
  return found;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  // The shape is what the document check has just confirmed; tests reach into it freely.
  // biome-ignore lint/suspicious/noExplicitAny: JSON of an answer
  readonly body: any;
}

export interface Ask {
  readonly as?: Person | 'nobody';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

type Document = { readonly paths: Record<string, Record<string, { responses: Record<string, unknown> }>> };

export class Api {
  readonly world: OneDomain;
  readonly app: HttpServer;
  readonly #check: DocumentCheck;

  private constructor(world: OneDomain, app: HttpServer) {
    this.world = world;
    this.app = app;
    this.#check = new DocumentCheck(app.swagger() as unknown as Document);
  }

  static async start(
    options: Parameters<typeof OneDomain.start>[0] & { readonly limits?: ServerLimits } = {},
  ): Promise<Api> {
    const world = await OneDomain.start(options);
    const app = await buildApp({
      broker: world.broker,
      domain: 'ams.example',
      version: '0.0.0',
      authenticate: frontDoor(world.broker.tokens, authenticate),
      refused: (code) => world.broker.audit.door.refused(code),
      log: silentLog,
      clock: world.clock,
      random: world.random,
      docs: false,
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    await app.ready();
    return new Api(world, app);
  }

  async ask(method: string, url: string, { as = 'user', headers = {}, body }: Ask = {}): Promise<Answer> {
    const response = await this.app.inject({
      method: method as 'GET',
      url,
      headers: {
        ...(as === 'nobody' || 'authorization' in headers ? {} : { authorization: `Bearer ${as}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: body as object }),
    });
    const json = String(response.headers['content-type']).includes('json');
    const parsed: unknown = json && response.body !== '' ? safeParse(response.body) : response.body;
    this.#check.answer(method, url, response.statusCode, String(response.headers['content-type']), parsed);
    return { status: response.statusCode, headers: response.headers, body: parsed };
  }

  get = (url: string, ask?: Ask) => this.ask('GET', url, ask);
  post = (url: string, body?: unknown, ask?: Ask) => this.ask('POST', url, { ...ask, body });
  patch = (url: string, body: unknown, ask?: Ask) => this.ask('PATCH', url, { ...ask, body });
  put = (url: string, body: unknown, ask?: Ask) => this.ask('PUT', url, { ...ask, body });
  delete = (url: string, ask?: Ask) => this.ask('DELETE', url, ask);

  async end(): Promise<void> {
    await this.app.close();
    await this.world.end();
  }
}

/** NDJSON says json in its name and is none. */
function safeParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

class DocumentCheck {
  readonly #ajv: Ajv2020;
  readonly #document: Document;
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor(document: Document) {
    this.#document = closed(document) as Document;
    this.#ajv = new Ajv2020({ strict: false, discriminator: true, validateSchema: false });
    // Whatever is answered is in UTC and whole seconds.
    this.#ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    for (const format of ['uri', 'uri-reference']) this.#ajv.addFormat(format, /^[!-~]+$/);
    this.#ajv.addSchema({ $id: 'document', ...this.#document } as object);
  }

  answer(method: string, url: string, status: number, type: string, body: unknown): void {
    const path = url.split('?', 1)[0] as string;
    const pattern = Object.keys(this.#document.paths).find((candidate) =>
      new RegExp(`^${candidate.replace(/\{[^}]+\}/g, '[^/]+')}$`).test(path),
    );
    const operation = pattern && this.#document.paths[pattern]?.[method.toLowerCase()];
    if (!operation) return; // a 404 or 405 outside the document
    const described = operation.responses[status];
    if (described === undefined)
      throw new Error(`${method} ${pattern} answered ${status}, which is not described`);
    const media = type.split(';')[0] as string;
    if (!media.endsWith('json') || status === 304) return;
    const at = [
      'paths',
      pattern as string,
      method.toLowerCase(),
      'responses',
      `${status}`,
      'content',
      media,
      'schema',
    ];
    const pointer = `document#/${at.map((p) => encodeURIComponent(p.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
    const validate = this.#compiled.get(pointer) ?? this.#ajv.compile({ $ref: pointer });
    this.#compiled.set(pointer, validate);
    if (!validate(body)) {
      throw new Error(
        `${method} ${pattern} ${status} is not as described: ${this.#ajv.errorsText(validate.errors)}\n${JSON.stringify(body, null, 1)}`,
      );
    }
  }
}

/** For the test every object is closed: a field that the document does not name is an error here. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) copy[key] = closed(item);
  if (copy['type'] === 'object' && 'properties' in copy && !('additionalProperties' in copy)) {
    copy['additionalProperties'] = false;
  }
  return copy;
}
