/**
 * Runs the built program as operators do: real processes, real files, real signals. A test starts instances
 * of one domain in a folder of its own, speaks HTTP to them and kills them as it likes; whatever is still
 * running when the test ends is ended here.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { developmentIssuer, type Person } from '../../src/identity/dev.ts';
import { wallClock } from '../../src/kernel/clock.ts';
import { ROOT } from '../support/root.ts';

export const DOMAIN = 'ams.example';

/** Makes sure that what runs is what was written. */
export function build(): void {
  execFileSync(process.execPath, [join(ROOT, 'scripts/prepare.mjs')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Program {
  readonly child: ChildProcess;
  readonly exit: Promise<Exit>;
  stdout = '';
  stderr = '';
  #watchers: (() => void)[] = [];

  constructor(args: readonly string[], options: { readonly cwd: string; readonly env?: NodeJS.ProcessEnv }) {
    this.child = spawn(process.execPath, [join(ROOT, 'dist/main.js'), ...args], {
      cwd: options.cwd,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (chunk: Buffer) => this.#heard(() => (this.stdout += chunk.toString())));
    this.child.stderr?.on('data', (chunk: Buffer) => this.#heard(() => (this.stderr += chunk.toString())));
    this.exit = new Promise((done) => {
      this.child.on('close', (code, signal) => {
        done({ code, signal });
        this.#heard(() => {});
      });
    });
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Resolves with what `find` gives once it gives something; rejects when the program ends first. */
  until<T>(find: (program: Program) => T | undefined, what: string): Promise<T> {
    return new Promise((done, fail) => {
      const look = (): boolean => {
        const found = find(this);
        if (found !== undefined) done(found);
        else if (!this.running) fail(new Error(`ended before ${what}:\n${this.stdout}\n${this.stderr}`));
        else return false;
        return true;
      };
      const watch = (): void => {
        if (look()) this.#watchers = this.#watchers.filter((one) => one !== watch);
      };
      this.#watchers.push(watch);
      watch();
    });
  }

  #heard(note: () => void): void {
    note();
    for (const watch of [...this.#watchers]) watch();
  }
}

export interface Settings {
  /** YAML lines that replace the default store, lease and so on. */
  readonly yaml?: string;
  readonly port?: number;
}

/** A folder with a configuration, and the instances that were started in it. */
export class Site {
  readonly folder: string;
  readonly #started: Program[] = [];

  constructor(folder = mkdtempSync(join(tmpdir(), 'turnpike-process-'))) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  configure(settings: Settings = {}, name = 'domain.yaml'): string {
    const file = this.path(name);
    writeFileSync(
      file,
      [
        `domain: ${DOMAIN}`,
        `http: {port: ${settings.port ?? 0}}`,
        `seeds: {topology: "${join(ROOT, 'examples/lab-ams.yaml')}"}`,
        'identity: {development_dir: keys}',
        settings.yaml ?? 'store: {file: turnpike.db}',
        '',
      ].join('\n'),
    );
    return file;
  }

  run(args: readonly string[], env?: NodeJS.ProcessEnv): Program {
    const program = new Program(args, { cwd: this.folder, ...(env === undefined ? {} : { env }) });
    this.#started.push(program);
    return program;
  }

  /** Starts an instance and waits until it listens. */
  async serve(config = this.path('domain.yaml'), env?: NodeJS.ProcessEnv): Promise<Instance> {
    const program = this.run(['serve', '--config', config], env);
    const url = await program.until(
      ({ stderr }) => /"event":"http\.listening","address":"([^"]+)"/.exec(stderr)?.[1],
      'it listened',
    );
    return new Instance(program, url);
  }

  async token(person: Person): Promise<string> {
    const issuer = await developmentIssuer({
      directory: this.path('keys'),
      audience: DOMAIN,
      clock: wallClock(),
    });
    return issuer.mint(person);
  }

  /** Ends what still runs and removes the folder. */
  async clear(): Promise<void> {
    for (const program of this.#started) if (program.running) program.kill('SIGKILL');
    await Promise.all(this.#started.map((program) => program.exit));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export class Instance {
  readonly program: Program;
  readonly url: string;

  constructor(program: Program, url: string) {
    this.program = program;
    this.url = url;
  }

  /** Throws when no answer came. */
  async call<T = Record<string, unknown>>(
    method: string,
    path: string,
    options: {
      readonly token?: string;
      readonly body?: unknown;
      readonly headers?: Record<string, string>;
    } = {},
  ): Promise<Answer<T>> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      // The caller names the shape that the contract promises.
      body: (text === '' ? {} : JSON.parse(text)) as T,
    };
  }

  /** Waits until /readyz says 200. */
  async ready(): Promise<void> {
    await eventually(async () => (await this.call('GET', '/readyz')).status === 200, 'ready');
  }
}

/** Tries until it holds. Patient, because a slow machine must not turn a test red. */
export async function eventually(
  holds: () => Promise<boolean>,
  what: string,
  patienceMs = 60_000,
): Promise<void> {
  const giveUp = Date.now() + patienceMs;
  for (;;) {
    if (await holds().catch(() => false)) return;
    if (Date.now() > giveUp) throw new Error(`not within ${patienceMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');

/** The body of a FIXED request; ends vary so that many fit beside each other. */
export function booking(over: Record<string, unknown> = {}): Record<string, unknown> {
  const start = Math.ceil(Date.now() / 1000) * 1000 + 3_600_000;
  return {
    project: 'lhc',
    a: { port: 'ams:host1' },
    z: { port: 'ams:host3' },
    bandwidth_mbps: 10,
    schedule: { type: 'FIXED', start_time: rfc3339(start), end_time: rfc3339(start + 3_600_000) },
    ...over,
  };
}
