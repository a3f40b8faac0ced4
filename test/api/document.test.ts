/**
 * The document and the routes agree with each other and with what is committed: every route declares who may
 * use it, names its operation, and is described; examples are valid; the lint finds nothing unexplained.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generated } from '../../scripts/gen.ts';
import { actions } from '../../src/aaa/decide.ts';
import { actionGroups } from '../../src/aaa/schema.ts';
import { newAjv } from '../../src/http/schema.ts';
import { Api } from './harness.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: string[];
  readonly parameters?: { in: string; name: string; schema: { type?: string; maximum?: number } }[];
}
interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, { examples?: unknown[] }> };
}

let api: Api;
let document: Document;
beforeAll(async () => {
  api = await Api.start({ tokens: true });
  document = JSON.parse(JSON.stringify(api.app.swagger())) as Document;
});
afterAll(() => api.end());

const routes = () => api.app.routeTable.filter((route) => route.method !== 'HEAD');
/** A path that fits the pattern; nothing is there. */
const somewhere = (url: string): string =>
  url.replace(':list', '0').replace(/:\w+/g, 'cir_00000000000000000000000000');

describe('authorisation', () => {
  it('is declared by every route, in words that exist', () => {
    const declared = routes().map((route) => `${route.method} ${route.url}: ${route.authorisation()}`);
    const known = ['public', 'visible', ...actions.map((action) => `decided:${action}`)];
    for (const line of declared) expect(known, line).toContain(line.split(': ')[1]);
    expect(declared.length).toBeGreaterThan(45);
  });

  it('is asked for everywhere but on what is public', async () => {
    for (const route of routes()) {
      const response = await api.app.inject({ method: route.method as 'GET', url: somewhere(route.url) });
      if (route.authorisation() === 'public') {
        expect(response.statusCode, route.url).toBe(200);
        continue;
      }
      expect(response.statusCode, `${route.method} ${route.url}`).toBe(401);
      expect(response.headers['www-authenticate']).toBe('Bearer realm="turnpike"');
      expect(response.json().code).toBe('UNAUTHENTICATED');
    }
  });

  it('of an operator is not had by a user', async () => {
    const group = (route: (typeof table)[number]): string | undefined =>
      Object.entries(actionGroups).find(([action]) => route.authorisation() === `decided:${action}`)?.[1];
    const table = routes();
    const closed = table.filter((route) => ['administer', 'inspect'].includes(group(route) ?? ''));
    expect(closed.length).toBeGreaterThan(15);
    for (const route of closed) {
      const answer = await api.ask(route.method, somewhere(route.url));
      expect([answer.status, answer.body.code], route.url).toEqual([403, 'POLICY_DENIED']);
      // Each has asked, and left a record.
      const kept = await api.get(`/v1/decisions/${answer.body.decision_id}`);
      expect(kept.body, route.url).toMatchObject({
        effect: 'DENY',
        action: route.authorisation()?.slice('decided:'.length),
      });
    }
  });

  it('that is public is a short list', () => {
    const open = routes().filter((route) => route.authorisation() === 'public');
    expect(open.map((route) => route.url).sort()).toEqual([
      '/.well-known/jwks.json',
      '/livez',
      '/metrics',
      '/openapi.json',
      '/readyz',
      '/v1/tokens/holder',
      '/v1/tokens/status/:list',
      '/version',
    ]);
  });
});

describe('the document', () => {
  it('describes every route, with an operation of its own, a summary and a tag', () => {
    const ids = new Set<string>();
    for (const route of routes()) {
      if (route.url === '/openapi.json') continue;
      const path = route.url.replace(/:(\w+)/g, '{$1}');
      const operation = document.paths[path]?.[route.method.toLowerCase()];
      expect(operation, `${route.method} ${path}`).toBeDefined();
      expect(operation?.operationId).toMatch(/^[a-z][A-Za-z]+$/);
      expect(operation?.summary).toBeTruthy();
      expect(operation?.tags).toHaveLength(1);
      expect(ids.has(operation?.operationId ?? '')).toBe(false);
      ids.add(operation?.operationId ?? '');
    }
  });

  it('bounds every number in a query: text such as 1e400 is read as one without end', () => {
    let seen = 0;
    for (const operations of Object.values(document.paths)) {
      for (const { parameters = [] } of Object.values(operations)) {
        for (const { in: place, name, schema } of parameters) {
          if (place !== 'query' || (schema.type !== 'integer' && schema.type !== 'number')) continue;
          expect(schema.maximum, name).toBeTypeOf('number');
          seen++;
        }
      }
    }
    expect(seen).toBeGreaterThan(5);
  });

  it('names its components', () => {
    expect(Object.keys(document.components.schemas).filter((name) => name.startsWith('def-'))).toEqual([]);
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining(['Circuit', 'CircuitRequest', 'Problem', 'Schedule', 'Topology', 'Event']),
    );
  });

  it('has examples, and they are valid', () => {
    // Unknown keywords, unknown formats and contradictions in the schemas would be errors here.
    const ajv = newAjv();
    ajv.addFormat('uri-reference', /^[!-~]*$/);
    ajv.addVocabulary(['openapi', 'info', 'servers', 'tags', 'security', 'paths', 'components']);
    ajv.addSchema({ $id: 'document', ...document } as object);
    const withExamples = Object.entries(document.components.schemas).filter(
      ([, s]) => s.examples !== undefined,
    );
    expect(withExamples.map(([name]) => name)).toEqual(
      expect.arrayContaining([
        'Circuit',
        'CircuitRequest',
        'CircuitSetRequest',
        'Problem',
        'Topology',
        'WebhookRequest',
      ]),
    );
    for (const [name, schema] of withExamples) {
      const validate = ajv.compile({ $ref: `document#/components/schemas/${name}` });
      for (const example of schema.examples ?? []) {
        expect(validate(example), `${name}: ${ajv.errorsText(validate.errors)}`).toBe(true);
      }
    }
  });

  it('has schemas that are schemas', () => {
    const ajv = new Ajv2020({ strict: false });
    for (const [name, schema] of Object.entries(document.components.schemas)) {
      expect(ajv.validateSchema(schema), `${name}: ${ajv.errorsText()}`).toBe(true);
    }
  });

  it('is served as it is', async () => {
    const served = await api.app.inject({ url: '/openapi.json' });
    expect(served.json()).toEqual(document);
  });

  it('passes the lint, with every exception explained', async () => {
    const lint = promisify(execFile)(
      process.execPath,
      ['node_modules/@redocly/cli/bin/cli.js', 'lint', 'turnpike@v1', '--format=json'],
      {
        cwd: root,
        env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
        maxBuffer: 16_777_216,
      },
    );
    const { stdout } = await lint.catch((failed: { stdout: string }) => failed);
    const found = JSON.parse(stdout.slice(stdout.indexOf('{'))) as {
      totals: unknown;
      problems: { message: string }[];
    };
    expect(found.problems.map((problem) => problem.message)).toEqual([]);
    // The four of .redocly.lint-ignore.yaml, which says why.
    expect(found.totals).toEqual({ errors: 0, warnings: 0, ignored: 4 });
  }, 60_000);
});

it('what is committed is what is generated', async () => {
  for (const [file, text] of await generated()) {
    expect(await readFile(`${root}${file}`, 'utf8').catch(() => ''), `${file}: npm run gen`).toBe(text);
  }
});
