/**
 * One domain of the lab in a process of its own: its emulated elements on sockets of the loopback, its
 * configuration written as a file, and the broker that runs on it. Tells its parent when it is ready, and stops
 * when it is told to or when its parent is gone.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Env } from './config.ts';
import { type Domain, startDomain } from './domain.ts';
import { configFrom, type Io, withMessages } from './flags.ts';
import type { DevelopmentIssuer, Person } from './identity/dev.ts';
import { wallClock } from './kernel/clock.ts';
import { jsonLog } from './kernel/log.ts';
import { Lab, type RunningElement } from './lab/lab.ts';
import { readScenario, type Scenario } from './lab/scenario.ts';
import { writePrivate } from './privateFile.ts';
import { untilStopped } from './serve.ts';

/** The lab's domains; each is made of a network and its elements in examples/three. */
export const DOMAINS = [
  {
    name: 'ams.example',
    prefix: 'ams',
    /** The one label of the links of elements that switch whole ports, as the network has it. */
    wholePorts: { 'ams-ocx1': 4000, 'ams-ocx2': 4000, 'ams-ome1': 4000 },
  },
  { name: 'chi.example', prefix: 'chi', wholePorts: {} },
  { name: 'sdg.example', prefix: 'sdg', wholePorts: { 'sdg-ocx1': 4000 } },
] as const satisfies readonly LabDomain[];

interface LabDomain {
  readonly name: string;
  readonly prefix: string;
  readonly wholePorts: Readonly<Record<string, number>>;
}

const EXAMPLES = fileURLToPath(new URL('../examples/three/', import.meta.url));

/** What a domain's process is told. */
export interface DomainSpec {
  readonly name: string;
  readonly prefix: string;
  readonly folder: string;
  readonly port: number;
  readonly peeringPort: number;
  readonly seed: number;
  readonly sets: readonly string[];
  readonly peers: readonly {
    readonly name: string;
    readonly prefix: string;
    readonly url: string;
    readonly folder: string;
  }[];
}

/** What it says of itself once it is ready. */
export interface DescribedDomain {
  readonly name: string;
  readonly prefix: string;
  readonly pid: number;
  readonly api: string;
  readonly peering: string;
  readonly tokens: Readonly<Record<Person, string>>;
  readonly token: string;
  readonly elements: readonly RunningElement[];
  /** Where circuits can begin. */
  readonly ports: readonly string[];
}

export function labDomain(argv: readonly string[], io: Io): Promise<number> {
  return withMessages('lab', io, async () => {
    // Written by lab.ts, of the same program.
    const spec = JSON.parse(argv[0] ?? '') as DomainSpec;
    // Without its parent nobody would ever stop it.
    process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
    return untilStopped((onLost) => run(spec, io, onLost));
  });
}

async function run(spec: DomainSpec, io: Io, onLost: () => void): Promise<Pick<Domain, 'stop'>> {
  const emulated = new Lab(await readElements(spec), wallClock(), spec.seed);
  try {
    const elements = await emulated.start();
    const config = await configFrom({ config: writeConfig(spec, elements), set: spec.sets }, labIo(io), [
      ['http.port', String(spec.port)],
    ]);
    const started = await startDomain(config, { log: jsonLog(config.log.level), onLost });
    process.send?.(await describe(spec, started, elements));
    const stop = async (): Promise<void> => {
      await started.stop();
      await emulated.close();
    };
    return { stop };
  } catch (error) {
    await emulated.close();
    throw error;
  }
}

/** The environment's settings are meant for `serve`: a lab on the same machine should not pick them up. */
const labIo = (io: Io): Io => ({
  ...io,
  env: Object.fromEntries(
    Object.entries(io.env).filter(([name]) => !name.startsWith('TURNPIKE__')),
  ) satisfies Env,
});

/** The keys and certificates that its peers know it by. */
export const peeringFolder = (folder: string): string => join(folder, 'peering');

async function readElements({ prefix }: DomainSpec): Promise<Scenario> {
  const { parse } = await import('yaml');
  return readScenario(parse(readFileSync(join(EXAMPLES, `${prefix}-elements.yaml`), 'utf8')));
}

/** As a file, so that `turnpike doctor --config` and `backup` work on the lab as on any other domain. */
function writeConfig(spec: DomainSpec, elements: readonly RunningElement[]): string {
  const { name, prefix, folder } = spec;
  const wholePorts = DOMAINS.find((domain) => domain.name === name)?.wholePorts ?? {};
  const file = join(folder, 'domain.yaml');
  const secrets = peeringFolder(folder);
  const path = (...parts: [string, ...string[]]): string => JSON.stringify(join(...parts));
  const lines = [
    '# Written by the lab at each start; changes are lost. `turnpike lab --set section.key=value` is the way.',
    `domain: ${name}`,
    `http: {host: 127.0.0.1, port: ${spec.port}}`,
    'store: {client: sqlite, file: turnpike.db}',
    'seeds:',
    `  topology: ${path(EXAMPLES, `${prefix}.yaml`)}`,
    `  policies: ${path(EXAMPLES, '../policies/lab.cedar')}`,
    'policy: {zone: Europe/Amsterdam}',
    'identity: {development_dir: keys}',
    'peering:',
    `  port: ${spec.peeringPort}`,
    `  certificate_file: ${path(secrets, 'certificate.pem')}`,
    `  key_file: ${path(secrets, 'key.pem')}`,
    `  signing_key_file: ${path(secrets, 'signing.pem')}`,
    '  peers:',
    ...spec.peers.flatMap((peer) => [
      `    - domain: ${peer.name}`,
      `      prefix: ${peer.prefix}`,
      `      url: ${peer.url}`,
      `      certificate_file: ${path(peeringFolder(peer.folder), 'certificate.pem')}`,
      `      keys_file: ${path(peeringFolder(peer.folder), 'signing-public.pem')}`,
    ]),
    'devices:',
    '  driver: elements',
    '  elements:',
    ...elements.map((element) => `    - ${JSON.stringify(writtenElement(element, wholePorts, folder))}`),
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

async function describe(
  spec: DomainSpec,
  started: Domain,
  elements: readonly RunningElement[],
): Promise<DescribedDomain> {
  const { name, prefix } = spec;
  // The lab's configuration names a development issuer, and peers.
  const issuer = started.development as DevelopmentIssuer;
  const peering = started.peering as string;
  const tokens = {
    operator: await issuer.mint('operator'),
    user: await issuer.mint('user'),
    stranger: await issuer.mint('stranger'),
  };
  for (const [person, token] of Object.entries(tokens))
    writePrivate(join(spec.folder, `${person}.token`), `${token}\n`);
  const ports = started.topology.ports.filter((port) => port.kind === 'CLIENT').map((port) => port.id);
  const { address: api } = started;
  return { name, prefix, pid: process.pid, api, tokens, token: tokens.user, peering, elements, ports };
}
