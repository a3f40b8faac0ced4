/**
 * `npm start`, `turnpike lab`: a laboratory on this machine. For now it is one domain on loopback with a
 * development issuer and emulated elements that speak TL1 and SNMP on sockets of their own. What scripts need to
 * know of it is written to lab.json once it is ready, and what people need is printed.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Env } from './config.ts';
import { type Domain, startDomain } from './domain.ts';
import { configFrom, type Io, readFlags, readSets, StartError, UsageError, withMessages } from './flags.ts';
import type { DevelopmentIssuer, Person } from './identity/dev.ts';
import { wallClock } from './kernel/clock.ts';
import { jsonLog } from './kernel/log.ts';
import { Lab, type RunningElement } from './lab/lab.ts';
import { readScenario, type Scenario } from './lab/scenario.ts';
import { untilStopped } from './serve.ts';

const HELP = `turnpike lab [--port-base PORT] [--data DIR] [--seed N] [--set section.key=value ...]

Runs a laboratory on this machine and prints how to reach it.
  --port-base PORT   the API of the first domain listens here (8080)
  --data DIR         databases, keys and lab.json are kept here (./data)
  --seed N           the delays of the emulated devices are drawn from it (1)
`;

/** The lab's domains; each is made of a network and its elements in examples/. */
export const DOMAINS = [
  {
    name: 'ams.example',
    prefix: 'ams',
    network: 'lab-ams.yaml',
    elements: 'lab-ams-elements.yaml',
    /** The one label of the links of elements that switch whole ports, as the network has it. */
    wholePorts: { 'ams-ocx1': 4000, 'nkf-ome1': 4001, 'zui-ons1': 4001 },
  },
] as const;
type LabDomain = (typeof DOMAINS)[number];

const EXAMPLES = fileURLToPath(new URL('../examples/', import.meta.url));

interface LabFlags {
  readonly portBase: number;
  readonly data: string;
  readonly seed: number;
  readonly sets: readonly string[];
}

export function lab(argv: readonly string[], io: Io): Promise<number> {
  return withMessages('lab', io, async () => {
    const given = readFlags(argv, {
      'port-base': 'string',
      data: 'string',
      seed: 'string',
      set: 'list',
      help: 'boolean',
    });
    if (given.help === true) {
      io.stdout.write(HELP);
      return 0;
    }
    const flags: LabFlags = {
      portBase: integer('--port-base', given['port-base'] ?? '8080', 0, 65_535 - DOMAINS.length),
      data: resolve(given.data ?? 'data'),
      seed: integer('--seed', given.seed ?? '1', 0, 2 ** 31 - 1),
      sets: given.set ?? [],
    };
    readSets(flags.sets);
    return untilStopped((onLost) => startLab(flags, io, onLost));
  });
}

function integer(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d{1,10}$/.test(text) || value < least || value > most)
    throw new UsageError(`${flag} must be an integer from ${least} to ${most}, not ${text}`);
  return value;
}

async function startLab(flags: LabFlags, io: Io, onLost: () => void): Promise<Pick<Domain, 'stop'>> {
  const file = join(flags.data, 'lab.json');
  try {
    mkdirSync(flags.data, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StartError(`cannot use ${flags.data} for the lab's data: ${(error as Error).message}`);
  }
  // Whoever waits for the file must not find that of an earlier lab; but one that still runs keeps its own,
  // and we shall be told that its database is in use.
  if (!stillRuns(file)) rmSync(file, { force: true });

  const running: Domain[] = [];
  const labs: Lab[] = [];
  const end = async (): Promise<void> => {
    await Promise.all(running.map((domain) => domain.stop()));
    await Promise.all(labs.map((elements) => elements.close()));
  };
  const stop = async (): Promise<void> => {
    // A lab that does not run is not to be found.
    rmSync(file, { force: true });
    await end();
  };
  const described: DescribedDomain[] = [];
  try {
    for (const [index, domain] of DOMAINS.entries()) {
      const emulated = new Lab(await readElements(domain), wallClock(), flags.seed + index);
      labs.push(emulated);
      const elements = await emulated.start();
      const config = await configFrom(
        { config: writeConfig(domain, index, elements, flags), set: flags.sets },
        labIo(io),
        [['http.port', String(flags.portBase === 0 ? 0 : flags.portBase + index)]],
      );
      const started = await startDomain(config, { log: jsonLog(config.log.level), onLost });
      running.push(started);
      described.push(await describe(domain, started, elements, flags));
    }
  } catch (error) {
    await end();
    throw error;
  }
  const ports = running.flatMap(({ topology }) =>
    topology.ports.filter((port) => port.kind === 'CLIENT').map((port) => port.id),
  );
  writePrivate(file, `${JSON.stringify({ pid: process.pid, domains: described, ports }, null, 2)}\n`);
  io.stdout.write(welcome(described, flags));
  return { stop };
}

/** The environment's settings are meant for `serve`: a lab on the same machine should not pick them up. */
const labIo = (io: Io): Io => ({
  ...io,
  env: Object.fromEntries(
    Object.entries(io.env).filter(([name]) => !name.startsWith('TURNPIKE__')),
  ) satisfies Env,
});

const folderOf = (domain: LabDomain, flags: LabFlags): string => join(flags.data, domain.name);

async function readElements({ elements }: LabDomain): Promise<Scenario> {
  const { parse } = await import('yaml');
  return readScenario(parse(readFileSync(join(EXAMPLES, elements), 'utf8')));
}

/** As a file, so that `turnpike doctor --config` and `backup` work on the lab as on any other domain. */
function writeConfig(
  domain: LabDomain,
  index: number,
  elements: readonly RunningElement[],
  flags: LabFlags,
): string {
  const folder = folderOf(domain, flags);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, 'domain.yaml');
  const lines = [
    '# Written by the lab at each start; changes are lost. `turnpike lab --set section.key=value` is the way.',
    `domain: ${domain.name}`,
    `http: {host: 127.0.0.1, port: ${flags.portBase + index}}`,
    'store: {client: sqlite, file: turnpike.db}',
    `seeds: {topology: ${JSON.stringify(join(EXAMPLES, domain.network))}}`,
    'identity: {development_dir: keys}',
    'devices:',
    '  driver: elements',
    '  elements:',
    ...elements.map(
      (element) => `    - ${JSON.stringify(writtenElement(element, domain.wholePorts, folder))}`,
    ),
    'webhooks: {allow_private: true}',
    'log: {level: warn}',
  ];
  writePrivate(file, `${lines.join('\n')}\n`);
  return file;
}

/** An element as the configuration has it; what is secret in a file of its own, as everywhere. */
export function writtenElement(
  { id, protocol, dialect, address, port, login }: RunningElement,
  wholePorts: Readonly<Record<string, number>>,
  folder: string,
): Record<string, unknown> {
  const secrets = join(folder, 'secrets');
  mkdirSync(secrets, { recursive: true, mode: 0o700 });
  const label = Object.hasOwn(wholePorts, id) ? wholePorts[id] : undefined;
  const written: Record<string, unknown> = {
    id,
    protocol,
    dialect,
    address,
    port,
    ...(label === undefined ? {} : { whole_port_label: label }),
  };
  for (const key of ['user', 'version'] as const) if (login[key] !== undefined) written[key] = login[key];
  for (const key of ['password', 'community', 'auth_key', 'priv_key'] as const) {
    const secret = login[key];
    if (secret === undefined) continue;
    writePrivate(join(secrets, `${id}.${key}`), `${secret}\n`);
    written[`${key}_file`] = `secrets/${id}.${key}`;
  }
  return written;
}

interface DescribedDomain {
  readonly name: string;
  readonly prefix: string;
  readonly api: string;
  readonly tokens: Readonly<Record<Person, string>>;
  readonly token: string;
  readonly elements: readonly RunningElement[];
}

async function describe(
  domain: LabDomain,
  started: Domain,
  elements: readonly RunningElement[],
  flags: LabFlags,
): Promise<DescribedDomain> {
  const { name, prefix } = domain;
  // The lab's configuration names a development issuer.
  const issuer = started.development as DevelopmentIssuer;
  const tokens = {
    operator: await issuer.mint('operator'),
    user: await issuer.mint('user'),
    stranger: await issuer.mint('stranger'),
  };
  for (const [person, token] of Object.entries(tokens))
    writePrivate(join(folderOf(domain, flags), `${person}.token`), `${token}\n`);
  return { name, prefix, api: started.address, tokens, token: tokens.user, elements };
}

/** For its owner alone, and either whole or not there: tokens are in it. */
function writePrivate(file: string, text: string): void {
  const part = `${file}.part`;
  rmSync(part, { force: true });
  writeFileSync(part, text, { mode: 0o600, flag: 'wx' });
  renameSync(part, file);
}

function stillRuns(file: string): boolean {
  if (!existsSync(file)) return false;
  try {
    const { pid } = JSON.parse(readFileSync(file, 'utf8')) as { pid?: unknown };
    if (typeof pid !== 'number' || pid === process.pid) return false;
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function welcome(domains: readonly DescribedDomain[], flags: LabFlags): string {
  const first = domains[0] as DescribedDomain;
  const prefix = first.prefix;
  const at = domains.map(({ name, api }) => `  ${name.padEnd(16)} ${api}      (people: ${api}/docs)`);
  return `
Turnpike's lab is ready. Its ${first.elements.length} elements are emulated: they speak TL1 and SNMP, and light nothing.

${at.join('\n')}

In another terminal, in this folder, become the lab's user:

  export TURNPIKE_URL=${first.api}
  export TURNPIKE_TOKEN=${first.token}

and book: now, at a time of day, and more than fits.

  npx turnpike circuit create ${prefix}:host1 ${prefix}:host3 --bw 10G --for 1h --wait
  npx turnpike circuit create ${prefix}:host2 ${prefix}:host5 --bw 20G --start "22:00 Europe/Amsterdam" --for 2h
  npx turnpike circuit create ${prefix}:host6 ${prefix}:host8 --bw 40G --for 1h

What the elements were told: \`device plan CODE\`; whether all is as it should be: \`device audit\`, as the operator.

Tokens of an operator and of a stranger, the elements with their logins, and all of this for programs:
  ${relative(process.cwd(), join(flags.data, 'lab.json'))}
Ctrl-C stops the lab; what was booked is there again at the next start.
`;
}
