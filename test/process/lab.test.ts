/**
 * What a newcomer meets: the lab, its lab.json, and the three commands that it prints, run as they were
 * printed. Then the verbs that look after a broker, asked of the lab while it runs.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build, type Exit, eventually, type Program, Site } from './broker.ts';

const ROOT = resolve(import.meta.dirname, '../..');

let site: Site;
let lab: Program;
beforeAll(async () => {
  build();
  site = new Site();
  mkdirSync(site.path('data'));
  // What an earlier lab left behind must not be taken for ours.
  writeFileSync(site.path('data/lab.json'), '{"pid":999999999,"domains":[]}');
  lab = await start();
});
afterAll(() => site.clear());

interface Element {
  readonly id: string;
  readonly protocol: 'tl1' | 'snmp';
  readonly dialect: string;
  readonly address: string;
  readonly port: number;
  readonly login: Readonly<Record<string, string>>;
}
interface LabFile {
  readonly pid: number;
  readonly domains: readonly {
    readonly name: string;
    readonly prefix: string;
    readonly pid: number;
    readonly api: string;
    readonly tokens: Readonly<Record<'operator' | 'user' | 'stranger', string>>;
    readonly token: string;
    readonly elements: readonly Element[];
  }[];
  readonly ports: readonly string[];
}
const labFile = (): LabFile => JSON.parse(readFileSync(site.path('data/lab.json'), 'utf8')) as LabFile;

async function start(): Promise<Program> {
  const program = site.run(['lab', '--data', site.path('data'), '--port-base', '0', '--seed', '7']);
  await program.until(({ stdout }) => (stdout.includes('Ctrl-C') ? true : undefined), 'it was ready');
  return program;
}

function shell(
  command: string,
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((done) => {
    execFile('bash', ['-c', command], { cwd: ROOT }, (error, stdout, stderr) => {
      done({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr });
    });
  });
}

test('lab.json is complete, its owner alone can read it, and it is ours', () => {
  const file = labFile();
  expect(file.pid).toBe(lab.child.pid);
  expect(file.ports).toHaveLength(14);
  expect(file.ports).toContain('ams:host1');
  expect(file.domains.map(({ name, prefix }) => [name, prefix])).toEqual([
    ['ams.example', 'ams'],
    ['chi.example', 'chi'],
    ['sdg.example', 'sdg'],
  ]);
  const [domain] = file.domains;
  const keys = ['api', 'elements', 'name', 'peering', 'pid', 'prefix', 'token', 'tokens'];
  expect(Object.keys(domain ?? {}).sort()).toEqual(keys);
  expect(file.domains.map(({ elements }) => [...new Set(elements.map((e) => e.protocol))].sort())).toEqual([
    ['tl1'],
    ['snmp'],
    ['snmp', 'tl1'],
  ]);
  for (const { protocol, login } of file.domains.flatMap(({ elements }) => elements)) {
    const v3 = ['auth_key', 'auth_protocol', 'priv_key', 'priv_protocol', 'user', 'version'];
    const fields = { tl1: ['password', 'user'], v2c: ['community', 'version'], v3 };
    expect(Object.keys(login).sort()).toEqual(
      protocol === 'tl1' ? fields.tl1 : login['version'] === 'v2c' ? fields.v2c : fields.v3,
    );
  }
  expect(domain?.token).toBe(domain?.tokens.user);
  expect(statSync(site.path('data/lab.json')).mode & 0o777).toBe(0o600);
  expect(readdirSync(site.path('data')).filter((name) => name.endsWith('.part'))).toEqual([]);
});

test('the three commands that it prints do what they say', async () => {
  const lines = lab.stdout.split('\n').map((line) => line.trim());
  const exports = lines.filter((line) => line.startsWith('export '));
  const commands = lines.filter((line) => line.startsWith('npx turnpike'));
  expect(exports).toHaveLength(2);
  expect(commands).toHaveLength(3);
  const [now, later, denied] = await Promise.all(
    commands.map((command) => shell(`${exports.join('\n')}\n${command} -o json`)),
  );
  expect(now?.code, now?.stderr).toBe(0);
  const first = JSON.parse(now?.stdout ?? '') as { id: string; state: string };
  expect(first.state).toBe('ACTIVE');
  // The cheaper way leads through the third domain.
  const path = await shell(`${exports.join('\n')}\nnpx turnpike circuit path ${first.id} -o json`);
  const { segments } = JSON.parse(path.stdout) as {
    segments: { domain: string; data_plane: string }[];
  };
  expect(segments.map((segment) => [segment.domain, segment.data_plane])).toEqual(
    labFile().domains.map(({ name }) => [name, 'UP']),
  );
  expect(later?.code, later?.stderr).toBe(0);
  expect(JSON.parse(later?.stdout ?? '')).toMatchObject({ state: 'SCHEDULED' });
  // It is refused, and what follows the refusal explains it.
  expect(denied?.code, denied?.stderr).toBe(0);
  expect(denied?.stderr).toContain('not allowed');
  const [why] = JSON.parse(denied?.stdout ?? '').near_misses;
  expect(why).toMatchObject({ rule: 'members-book', clause: 'when { principal in resource }' });
}, 120_000);

describe('while it runs', () => {
  const verb = async (
    ...args: string[]
  ): Promise<Exit & { readonly stdout: string; readonly stderr: string }> => {
    const program = site.run([...args, '--config', site.path('data/ams.example/domain.yaml')]);
    const exit = await program.exit;
    return { ...exit, stdout: program.stdout, stderr: program.stderr };
  };

  test('its configuration is right', async () => {
    expect((await verb('config', 'check')).code).toBe(0);
  });

  test('the doctor finds nothing that is a problem', async () => {
    const { code, stdout } = await verb('doctor');
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(/ok +store .*2 live circuits/);
    expect(stdout).toMatch(/ok +lease .*leads in epoch 1/);
    expect(stdout).toMatch(/ok +topology +version 1, the same as/);
    expect(stdout).not.toContain('problem ');
  });

  test('a copy can be taken, once, and a broker starts from it', async () => {
    const copy = site.path('copy.db');
    expect((await verb('backup', '--to', copy)).code).toBe(0);
    const again = await verb('backup', '--to', copy);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('is there already');
    const restored = new Site(site.path('restored'));
    restored.configure({ yaml: `store: {file: ${JSON.stringify(copy)}}` });
    const instance = await restored.serve();
    await instance.ready();
    const { body } = await instance.call<{ items: unknown[] }>('GET', '/v1/circuits', {
      token: await restored.token('user'),
    });
    expect(body.items).toHaveLength(2);
    await restored.clear();
  });

  test('old records are its own business', async () => {
    const { code, stderr } = await verb('prune', '--keep-days', '1');
    expect(code).toBe(1);
    expect(stderr).toContain('A running broker prunes by itself');
  });

  test('a second lab on the same data ends, and leaves lab.json alone', async () => {
    const second = site.run(['lab', '--data', site.path('data'), '--port-base', '0']);
    expect(await second.exit).toEqual({ code: 1, signal: null });
    expect(second.stderr).toContain(`${lab.child.pid}`);
    expect(labFile().pid).toBe(lab.child.pid);
  });
});

test('a restart keeps what was booked, and lights again what should shine', async () => {
  lab.kill('SIGTERM');
  expect(await lab.exit).toEqual({ code: 0, signal: null });
  expect(existsSync(site.path('data/lab.json'))).toBe(false);

  const pruned = site.run(['prune', '--config', site.path('data/ams.example/domain.yaml')]);
  expect((await pruned.exit).code).toBe(0);
  expect(pruned.stderr).toContain('removed 0 circuits');

  lab = await start();
  const [domain] = labFile().domains;
  const auth = { headers: { authorization: `Bearer ${domain?.tokens.operator}` } };
  const list = async (path: string): Promise<{ state?: string }[]> => {
    const response = await fetch(`${domain?.api}${path}`, auth);
    return ((await response.json()) as { items: { state?: string }[] }).items;
  };
  expect((await list('/v1/circuits')).map((circuit) => circuit.state).sort()).toEqual([
    'ACTIVE',
    'SCHEDULED',
  ]);
  // The emulated elements have forgotten everything with their process.
  await eventually(
    async () => (await list('/v1/devices/ams-ocx1/cross-connects')).length === 1,
    'light again',
  );
});

test('a domain that is killed is told of and begun again, and the others go on', async () => {
  const before = labFile().domains.find(({ name }) => name === 'chi.example');
  process.kill(before?.pid ?? 0, 'SIGKILL');
  await lab.until(
    ({ stderr }) => (stderr.includes('chi.example was killed by SIGKILL') ? true : undefined),
    'it was told',
  );
  await lab.until(({ stderr }) => (stderr.includes('chi.example is back') ? true : undefined), 'it was back');
  const after = labFile().domains.find(({ name }) => name === 'chi.example');
  expect(after?.pid).not.toBe(before?.pid);
  expect(after?.api).toBe(before?.api);
  expect((await fetch(`${after?.api}/readyz`)).status).toBe(200);
}, 60_000);

test('npm start hands a signal on: the lab does not outlive it', async () => {
  const data = site.path('npm');
  const npm = spawn('npm', ['start', '--', '--data', data, '--port-base', '0'], {
    cwd: ROOT,
    stdio: 'ignore',
  });
  const ended = new Promise((done) => npm.once('exit', done));
  const file = join(data, 'lab.json');
  await eventually(async () => existsSync(file), 'npm start is ready');
  const { pid } = JSON.parse(readFileSync(file, 'utf8')) as LabFile;
  npm.kill('SIGTERM');
  await ended;
  await eventually(async () => !existsSync(file), 'the lab has stopped', 5_000);
  await eventually(async () => !runs(pid), 'its process has ended', 5_000);
});

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('flags that make no sense end it with 2', async () => {
  for (const args of [['--port-base', 'x'], ['--seed', '-1'], ['--fast'], ['--set', 'x']]) {
    const program = site.run(['lab', '--data', site.path('other'), ...args]);
    expect((await program.exit).code, args.join(' ')).toBe(2);
  }
  expect(existsSync(join(site.folder, 'other'))).toBe(false);
});
