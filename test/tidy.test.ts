/**
 * The house rules, kept by a test: layers, hidden inputs, sockets, the length and the opening of files. The
 * rules themselves are in tidy/rules.ts; here they are run on the source and on planted breaches, because a
 * check that cannot fail is worse than none.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { circles } from './tidy/circles.ts';
import { breaches, longFiles, type SourceFile } from './tidy/rules.ts';
import { imports, tokens } from './tidy/source.ts';

const root = join(import.meta.dirname, '../src');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts'))
  .sort();
const sources = files.map((path): SourceFile => ({ path, text: readFileSync(join(root, path), 'utf8') }));

test('there is source to look at', () => {
  expect(files.length).toBeGreaterThan(15);
  expect(files).toContain('model/lifecycle.ts');
});

test.each(sources)('$path keeps the house rules', (file) => {
  expect(breaches(file)).toEqual([]);
});

test('no file imports itself by way of others, types included', () => {
  expect(circles(sources)).toEqual([]);
});

test('every excused length belongs to a file that exists', () => {
  expect(Object.keys(longFiles).filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

describe('a planted breach is caught', () => {
  const opening = '/** What is here. */\n';
  const planted: readonly [what: string, path: string, code: string, complaint: string][] = [
    [
      'an upward import',
      'kernel/x.ts',
      "import { step } from '../model/lifecycle.ts';",
      'kernel may not know model',
    ],
    ['a sibling', 'store/x.ts', "import { a } from '../api/app.ts';", 'store may not know api'],
    [
      'a sibling by import()',
      'api/x.ts',
      "const a = await import('../store/open.ts');",
      'api may not know store',
    ],
    ['a sibling by type', 'cli/x.ts', "import type { A } from '../api/app.ts';", 'cli may not know api'],
    [
      'a sibling by typeof import',
      'cli/x.ts',
      "type A = typeof import('../api/app.ts');",
      'cli may not know api',
    ],
    [
      'a sibling by re-export',
      'aaa/x.ts',
      "export { a } from '../tokens/mint.ts';",
      'aaa may not know tokens',
    ],
    [
      'an import over several lines',
      'model/x.ts',
      "import {\n  a,\n  b,\n} from '../broker/ports.ts';",
      'may not know broker',
    ],
    [
      'an import after a comment',
      'model/x.ts',
      "import { a } from /* here */ '../broker/ports.ts';",
      'may not know broker',
    ],
    ['a computed import', 'api/x.ts', 'const m = await import(name);', 'something computed'],
    ['require', 'api/x.ts', "const m = require('net');", 'something computed'],
    ['the top from below', 'broker/x.ts', "import { c } from '../config.ts';", 'only the top may'],
    ['a folder nobody knows', 'misc/x.ts', "import { a } from '../kernel/ids.ts';", 'without a layer'],
    ['a path out of src', 'model/x.ts', "import { a } from '../../test/x.ts';", 'reaches out of src'],
    ['no ending', 'model/x.ts', "import { a } from '../kernel/ids';", 'without its .ts'],
    ['a barrel', 'model/x.ts', "export * from './circuit.ts';", 're-exports a whole file'],
    ['the wall clock', 'broker/x.ts', 'const t = Date.now();', 'uses Date.now'],
    ['the wall clock over two lines', 'broker/x.ts', 'const t = Date\n  .now();', 'uses Date.now'],
    ['the present as a Date', 'broker/x.ts', 'const t = new Date();', 'uses new Date()'],
    ['the present without brackets', 'broker/x.ts', 'const t = new Date;', 'uses new Date()'],
    ['the present as text', 'broker/x.ts', 'const t = Date();', 'uses Date()'],
    [
      'the present in a template',
      'broker/x.ts',
      `const t = \`at \${\`\${Date.now()}\`} sharp\`;`,
      'uses Date.now',
    ],
    ['a timer', 'broker/x.ts', 'setTimeout(go, 5);', 'uses timers'],
    ['the wall clock returned', 'broker/x.ts', 'return Date.now();', 'uses Date.now'],
    ['a timer handed on', 'broker/x.ts', 'f(a, setTimeout);', 'uses timers'],
    ['a stopwatch handed on', 'broker/x.ts', 'f(a, performance);', 'uses performance'],
    ['a timer by another name', 'broker/x.ts', 'const later = setTimeout;', 'uses timers'],
    ['a timer of the global', 'broker/x.ts', 'globalThis.setInterval(go, 5);', 'uses global timers'],
    [
      'a timer module',
      'drivers/x.ts',
      "import { setTimeout as wait } from 'node:timers/promises';",
      'imports node:timers/promises',
    ],
    [
      'a hidden timer',
      'notify/send.ts',
      'fetch(url, { signal: AbortSignal.timeout(5) });',
      'uses AbortSignal.timeout',
    ],
    ['a stopwatch', 'broker/x.ts', 'const t = performance.now();', 'uses performance'],
    ['chance', 'broker/x.ts', 'const n = Math.random();', 'uses Math.random'],
    ['chance from crypto', 'broker/x.ts', "import { randomUUID } from 'node:crypto';", 'uses random bytes'],
    ['the environment', 'broker/x.ts', "const home = process.env['HOME'];", 'uses process.env'],
    ['the environment by index', 'broker/x.ts', "const home = process['env'];", 'uses process.env'],
    ['any', 'broker/x.ts', 'const f = (x: any) => x;', 'uses any'],
    ['any in a cast', 'broker/x.ts', 'const f = x as any;', 'uses any'],
    ['any in a map', 'broker/x.ts', 'const f = new Map<string, any>();', 'uses any'],
    ['any by another name', 'broker/x.ts', 'type T = any;', 'uses any'],
    ['any as a bound', 'broker/x.ts', 'function f<T extends any>(x: T) {}', 'uses any'],
    ['any in a list', 'broker/x.ts', 'const f: any[] = [];', 'uses any'],
    ['a socket', 'broker/x.ts', "import { connect } from 'node:net';", 'imports node:net'],
    ['a socket by its old name', 'api/x.ts', "import net from 'net';", 'sockets have their places'],
    [
      'a socket by import()',
      'api/x.ts',
      "const { request } = await import('undici');",
      'sockets have their places',
    ],
    ['a server', 'api/x.ts', "import fastify from 'fastify';", 'sockets have their places'],
    ['a fetch', 'api/x.ts', "const r = await fetch('http://x');", 'opens a connection'],
    ['a database', 'broker/x.ts', "import knex from 'knex';", 'databases are spoken to in store'],
    [
      'a file in a pure folder',
      'topology/x.ts',
      "import { readFileSync } from 'node:fs';",
      'topology is pure',
    ],
    ['a long file', 'broker/x.ts', 'const a = 1;\n'.repeat(401), 'has 402 lines'],
  ];
  it.each(planted)('%s', (_, path, code, complaint) => {
    expect(breaches({ path, text: opening + code }).join('\n')).toContain(complaint);
  });
  it('no opening', () => {
    const [said] = breaches({ path: 'broker/x.ts', text: 'const a = 1;\n' });
    expect(said).toContain('does not open by saying what is here');
  });
});

describe('a planted circle is caught', () => {
  const planted: readonly [what: string, files: Readonly<Record<string, string>>, said: readonly string[]][] =
    [
      [
        'by types alone',
        { 'a/x.ts': "import type { Y } from './y.ts';", 'a/y.ts': "import { type X } from './x.ts';" },
        ['a/x.ts > a/y.ts > a/x.ts'],
      ],
      [
        'over three files in two folders',
        {
          'a/z.ts': "import { x } from '../b/x.ts';",
          'b/x.ts': "export type { Y } from './y.ts';",
          'b/y.ts': "type Z = typeof import('../a/z.ts');",
        },
        ['a/z.ts > b/x.ts > b/y.ts > a/z.ts'],
      ],
      ['of one file', { 'a/x.ts': "import type { X } from './x.ts';" }, ['a/x.ts > a/x.ts']],
      [
        'twice through one file',
        {
          'a/x.ts': "import { y } from './y.ts';\nimport type { Z } from './z.ts';",
          'a/y.ts': "import type { X } from './x.ts';",
          'a/z.ts': "import { x } from './x.ts';",
        },
        ['a/x.ts > a/y.ts > a/x.ts', 'a/x.ts > a/z.ts > a/x.ts'],
      ],
      [
        'two ways to one file are none',
        {
          'a/x.ts': "import { y } from './y.ts';\nimport type { Z } from './z.ts';",
          'a/y.ts': "import type { Z } from './z.ts';",
          'a/z.ts': "// import type { X } from './x.ts';",
        },
        [],
      ],
    ];
  it.each(planted)('%s', (_, texts, said) => {
    expect(circles(Object.entries(texts).map(([path, text]) => ({ path, text })))).toEqual(said);
  });
  it('one type named from below, in the source as it is', () => {
    const below = 'broker/ports.ts';
    const tied = sources.map(({ path, text }) =>
      path === below ? { path, text: `${text}import type { Tx } from './tx.ts';\n` } : { path, text },
    );
    expect(circles(tied)).toContain('broker/ports.ts > broker/tx.ts > broker/ports.ts');
  });
});

describe('what only looks like a breach passes', () => {
  const innocent: readonly [what: string, path: string, code: string][] = [
    ['in a comment', 'broker/x.ts', '// Date.now() and setTimeout, any time'],
    ['in a string', 'broker/x.ts', 'const s = \'Date.now() any import x from "../api/app.ts"\';'],
    ['in a template', 'broker/x.ts', `const s = \`Math.random() \${a} process.env\`;`],
    ['in a pattern', 'broker/x.ts', 'const p = /["\'`]|Date\\.now/.test(s) ? a / b / c : 1;'],
    ['a date with an argument', 'broker/x.ts', 'const d = new Date(ms);'],
    [
      'a name that begins alike',
      'broker/x.ts',
      'const anyLight = company; const updateDate = (x: number) => x;',
    ],
    ['a member called any', 'broker/x.ts', 'const ok = Promise.any(list); const o = { any: 1 };'],
    ['a variable called any', 'broker/x.ts', 'let any = 0; any |= 1; const o = { empty: any === 0 };'],
    ['a type of a socket module', 'api/x.ts', "import type { FastifyInstance } from 'fastify';"],
    ['types in braces', 'api/x.ts', "import { type FastifyInstance } from 'fastify';"],
    ['an address looked at', 'notify/x.ts', "import { isIP } from 'node:net';"],
    ['a fetch of ours', 'api/x.ts', 'const r = await keys.fetch(url);'],
    ['the layer below', 'broker/x.ts', "import { step } from '../model/lifecycle.ts';"],
    ['the kit under the API', 'api/resources/x.ts', "import { a } from '../../http/server.ts';"],
    [
      'an export that is no re-export',
      'broker/x.ts',
      "export const from = { a: 'b' };\nexport { from as to };",
    ],
    ['import.meta', 'broker/x.ts', 'const here = import.meta.dirname;'],
  ];
  it.each(innocent)('%s', (_, path, code) => {
    expect(breaches({ path, text: `/** What is here. */\n${code}` })).toEqual([]);
  });
});

describe('the reader of source', () => {
  it.each([
    ["import a, { b as c, type D } from './x.ts';", ['default', 'b', 'D'], false],
    ["import type { A } from './x.ts';", ['A'], true],
    ["import { type A, type B } from './x.ts';", ['A', 'B'], true],
    ["import * as a from './x.ts';", ['*'], false],
    ["import type from './x.ts';", ['default'], false],
    ["import './x.ts';", [], false],
    ["export { a as b } from './x.ts';", ['a'], false],
    ["export type { A } from './x.ts';", ['A'], true],
    ["export * as a from './x.ts';", ['*'], false],
  ])('%s', (text, names, typeOnly) => {
    expect(imports(tokens(text))).toMatchObject([{ from: './x.ts', names, typeOnly }]);
  });
  it.each(['const a = `never ${ends', "const a = 'never ends", '/* never ends', 'const a = b! / c;\n'])(
    'refuses what it cannot read: %s',
    (text) => {
      expect(() => tokens(text)).toThrow(/does not end/);
    },
  );
});
