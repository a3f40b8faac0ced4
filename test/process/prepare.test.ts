/**
 * scripts/prepare.mjs in a project of its own, with an npm and a compiler that only note that they were
 * called: when it installs, when it builds, and when it keeps still.
 */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

let root: string;

const at = (...parts: string[]): string => join(root, ...parts);

function write(path: string, text: string): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text);
}

/** Copies each source to dist and notes the call; a source that says `fail` does not compile. */
const COMPILER = `
  const fs = require('node:fs');
  fs.appendFileSync('calls', 'tsc\\n');
  fs.mkdirSync('dist', { recursive: true });
  for (const name of fs.readdirSync('src')) {
    const text = fs.readFileSync('src/' + name, 'utf8');
    if (text === 'fail') process.exit(2);
    fs.writeFileSync('dist/' + name.replace('.ts', '.js'), text);
  }`;
const NPM = `#!/bin/sh
echo "npm $*" >> calls
[ -e npm-is-broken ] && exit 1
mkdir -p node_modules && echo '{}' > node_modules/.package-lock.json`;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'turnpike-prepare-'));
  cpSync(resolve(import.meta.dirname, '../../scripts/prepare.mjs'), at('scripts/prepare.mjs'), {
    recursive: true,
  });
  write('package-lock.json', '{"lockfileVersion":3}');
  write('tsconfig.json', '{}');
  write('tsconfig.build.json', '{}');
  write('src/main.ts', 'one');
  write('bin/npm', NPM);
  chmodSync(at('bin/npm'), 0o755);
  write('node_modules/typescript/bin/tsc', COMPILER);
  write('node_modules/.package-lock.json', '{}');
});
afterEach(() => rmSync(root, { recursive: true }));

function prepare(...flags: string[]): SpawnSyncReturns<string> & { readonly calls: string[] } {
  rmSync(at('calls'), { force: true });
  const done = spawnSync(process.execPath, [at('scripts/prepare.mjs'), ...flags], {
    encoding: 'utf8',
    env: { PATH: `${at('bin')}:${process.env['PATH']}` },
  });
  const calls = existsSync(at('calls')) ? readFileSync(at('calls'), 'utf8').trim().split('\n') : [];
  return { ...done, calls };
}
/** So many seconds later than now, as file systems tell it. */
const touch = (path: string, seconds: number): void => {
  const time = Date.now() / 1000 + seconds;
  utimesSync(at(path), time, time);
};

test('builds what is not built, then keeps still', () => {
  const first = prepare();
  expect([first.status, first.calls]).toEqual([0, ['tsc']]);
  expect(first.stdout).toBe('');
  expect(first.stderr).toContain('building');
  const second = prepare();
  expect([second.status, second.calls, second.stdout, second.stderr]).toEqual([0, [], '', '']);
});

test('builds again when a source is edited, added or removed; nothing stale is left in dist', () => {
  prepare();
  write('src/main.ts', 'another');
  expect(prepare().calls).toEqual(['tsc']);
  write('src/more.ts', 'two');
  expect(prepare().calls).toEqual(['tsc']);
  rmSync(at('src/more.ts'));
  expect(prepare().calls).toEqual(['tsc']);
  expect(existsSync(at('dist/more.js'))).toBe(false);
  expect(readFileSync(at('dist/main.js'), 'utf8')).toBe('another');
});

test('a build that fails is a failure, and is tried again', () => {
  write('src/main.ts', 'fail');
  expect(prepare()).toMatchObject({ status: 1, calls: ['tsc'] });
  expect(prepare()).toMatchObject({ status: 1, calls: ['tsc'] });
  write('src/main.ts', 'mended');
  expect(prepare().status).toBe(0);
});

test('installs when node_modules is missing, and does not build when told so', () => {
  rmSync(at('node_modules'), { recursive: true });
  const { status, calls } = prepare('--no-build');
  expect(status).toBe(0);
  expect(calls).toEqual([expect.stringMatching(/^npm ci /)]);
  expect(prepare('--no-build').calls).toEqual([]);
});

test('installs when package-lock.json is newer than what is installed, but not when it was only touched', () => {
  touch('package-lock.json', 60);
  expect(prepare('--no-build').calls).toHaveLength(1);
  touch('package-lock.json', 120);
  expect(prepare('--no-build').calls).toEqual([]);
  write('package-lock.json', '{"lockfileVersion":3,"packages":{}}');
  expect(prepare('--no-build').calls).toHaveLength(1);
});

test('an installation that fails is a failure, and is tried again', () => {
  rmSync(at('node_modules'), { recursive: true });
  write('npm-is-broken', '');
  expect(prepare()).toMatchObject({ status: 1 });
  expect(prepare().calls).toHaveLength(1);
});
