/** What is loaded before a command runs, and what a real process does with a real interrupt. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { build, Program } from '../process/broker.ts';
import { fake, sse } from './support/world.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** The files and packages that importing `entry` loads at once: import() and types do not count. */
function loaded(entry: string): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    const text = readFileSync(file, 'utf8');
    for (const match of text.matchAll(
      /^(?:import|export)\s+(?!type\b)(?:[^;'"]*?\bfrom\s+)?['"]([^'"]+)['"]/gm,
    )) {
      const name = match[1] as string;
      if (name.startsWith('.')) visit(resolve(dirname(file), name));
      else packages.add(name);
    }
  };
  visit(entry);
  return { files, packages };
}

// Start-up has to stay under 200 ms, of which Node itself takes a quarter. A clock in a test would lie on a
// busy machine; the list of what is loaded does not.
test('a command loads the parser of command lines and little else', () => {
  const { files, packages } = loaded(join(ROOT, 'src/cli/cli.ts'));
  expect([...packages].sort()).toEqual(['commander', 'node:crypto']);
  const rooms = new Set([...files].map((file) => relative(join(ROOT, 'src'), file).split('/')[0]));
  expect([...rooms].sort()).toEqual(['cli', 'kernel', 'model']);
  expect(files.size).toBeGreaterThan(10);
});

test('the beginning of the program loads no database, no server and not the command line', () => {
  const { packages, files } = loaded(join(ROOT, 'src/main.ts'));
  expect([...files].some((file) => /\/(?:cli|store|http|api|broker)\//.test(file))).toBe(false);
  for (const heavy of ['knex', 'sqlite3', 'fastify', 'undici', 'yaml', 'temporal-polyfill', 'commander']) {
    expect(packages).not.toContain(heavy);
  }
});

beforeAll(() => build(), 120_000);

test('SIGINT ends a real process with 130, after a word', async () => {
  let connected: () => void = () => {};
  const listening = new Promise<void>((done) => {
    connected = done;
  });
  const at = await fake({ 'GET /v1/events/stream': () => sse(() => connected()) });
  const program = new Program(['event', 'tail'], { cwd: ROOT, env: { TURNPIKE_URL: at.url } });
  await listening;
  program.kill('SIGINT');
  expect(await program.exit).toEqual({ code: 130, signal: null });
  expect(program.stderr).toBe('turnpike: interrupted\n');
  expect(program.stdout).toBe('');
});

test('exit codes leave the process as they are', async () => {
  const at = await fake({ 'GET /v1/whoami': () => ({ body: { name: 'alice' } }) });
  const codes = async (args: string[]) =>
    (await new Program(args, { cwd: ROOT, env: { TURNPIKE_URL: at.url } }).exit).code;
  expect(await codes(['whoami'])).toBe(0);
  expect(await codes(['whoami', '-o', 'xml'])).toBe(2);
  expect(await codes(['circuit', 'show', 'cir_x'])).toBe(1);
});

test('bin/turnpike.js runs what was built', async () => {
  expect(existsSync(join(ROOT, 'dist/main.js'))).toBe(true);
  const { execFileSync } = await import('node:child_process');
  const said = execFileSync(process.execPath, [join(ROOT, 'bin/turnpike.js'), '--version'], {
    encoding: 'utf8',
  });
  expect(said).toMatch(/^\d+\.\d+\.\d+\n$/);
});
