/**
 * `npm start`, `turnpike lab`: a laboratory on this machine. Three peered domains on loopback, each in a process
 * of its own with its emulated elements (labDomain.ts); what they need in common is made here: certificates,
 * keys, and who listens where. What scripts need to know is written to lab.json once all are ready, and what
 * people need is printed. A domain that dies is told of and begun again.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Domain } from './domain.ts';
import { type Io, readFlags, readSets, StartError, UsageError, withMessages } from './flags.ts';
import { instant, sleep, wallClock } from './kernel/clock.ts';
import { systemRandom } from './kernel/random.ts';
import { makePeerFiles } from './lab/certificates.ts';
import { freePorts } from './lab/freePorts.ts';
import { type DescribedDomain, DOMAINS, type DomainSpec, peeringFolder } from './labDomain.ts';
import { writePrivate } from './privateFile.ts';
import { untilStopped } from './serve.ts';

const HELP = `turnpike lab [--port-base PORT] [--data DIR] [--seed N] [--set section.key=value ...]

Runs a laboratory on this machine and prints how to reach it.
  --port-base PORT   the API of the first domain listens here (8080), for peers 363 above; 0: any that are free
  --data DIR         databases, keys and lab.json are kept here (./data)
  --seed N           the delays of the emulated devices are drawn from it (1)
`;

/** From a domain's API to where it listens for peers. */
const PEERING_ABOVE = 363;
const CERTIFICATE_DAYS = 825;
/** A domain that has been begun again so often within a minute is left as it is. */
const MOST_LIVES = 3;
const MINUTE_MS = 60_000;
const AGAIN_AFTER_MS = 500;
/** The parent's own limit is a little above. */
const CHILD_STOP_MS = 4_000;

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
    const most = 65_535 - PEERING_ABOVE - DOMAINS.length;
    const flags: LabFlags = {
      portBase: integer('--port-base', given['port-base'] ?? '8080', 0, most),
      data: resolve(given.data ?? 'data'),
      seed: integer('--seed', given.seed ?? '1', 0, 2 ** 31 - 1),
      sets: given.set ?? [],
    };
    readSets(flags.sets);
    return untilStopped(() => startLab(flags, io));
  });
}

function integer(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d{1,10}$/.test(text) || value < least || value > most)
    throw new UsageError(`${flag} must be an integer from ${least} to ${most}, not ${text}`);
  return value;
}

async function startLab(flags: LabFlags, io: Io): Promise<Pick<Domain, 'stop'>> {
  const file = join(flags.data, 'lab.json');
  try {
    mkdirSync(flags.data, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StartError(`cannot use ${flags.data} for the lab's data: ${(error as Error).message}`);
  }
  const other = runningLab(file);
  if (other !== undefined)
    throw new StartError(
      `a lab runs on ${flags.data} already: process ${other}; stop it, or name another --data`,
    );
  // Whoever waits for the file must not find that of an earlier lab.
  rmSync(file, { force: true });

  const specs = await specsOf(flags);
  for (const spec of specs) makeFiles(spec);
  const households: Household[] = [];
  const publish = (): void => {
    const domains = households.map(({ described }) => described).filter((one) => one !== undefined);
    if (domains.length < specs.length) return;
    const ports = domains.flatMap((domain) => domain.ports);
    const shown = domains.map(({ ports: _ports, ...domain }) => domain);
    writePrivate(file, `${JSON.stringify({ pid: process.pid, domains: shown, ports }, null, 2)}\n`);
  };
  const stop = async (): Promise<void> => {
    // A lab that does not run is not to be found.
    rmSync(file, { force: true });
    await Promise.all(households.map((household) => household.stop()));
  };
  try {
    for (const spec of specs) households.push(new Household(spec, io, publish));
    await Promise.all(households.map((household) => household.start()));
  } catch (error) {
    await stop();
    throw error;
  }
  publish();
  io.stdout.write(
    welcome(
      households.map((household) => household.described as DescribedDomain),
      flags,
    ),
  );
  return { stop };
}

/** One domain's process, begun again when it dies without being asked to. */
class Household {
  described: DescribedDomain | undefined;
  readonly #spec: DomainSpec;
  readonly #io: Io;
  readonly #changed: () => void;
  readonly #clock = wallClock();
  #child: ChildProcess | undefined;
  /** When it was begun again. */
  #lives: number[] = [];
  #stopping = false;

  constructor(spec: DomainSpec, io: Io, changed: () => void) {
    this.#spec = spec;
    this.#io = io;
    this.#changed = changed;
  }

  /** Resolves when it is ready; rejects when it ends before. */
  start(): Promise<void> {
    const child = fork(process.argv[1] as string, ['lab-domain', JSON.stringify(this.#spec)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child = child;
    return new Promise((ready, failed) => {
      let isReady = false;
      child.once('message', (message) => {
        // Only our own child speaks here.
        this.described = message as DescribedDomain;
        isReady = true;
        ready();
      });
      child.once('exit', (code, signal) => {
        this.#child = undefined;
        if (this.#stopping) return ready();
        const how = signal === null ? `ended with ${code}` : `was killed by ${signal}`;
        if (!isReady) return failed(new StartError(`${this.#spec.name} ${how} before it was ready`));
        this.#next(how);
      });
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (child === undefined) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const cancel = this.#clock.alarm(instant(this.#clock.now() + CHILD_STOP_MS), () => child.kill('SIGKILL'));
    await gone;
    cancel();
  }

  /** Begins again what has ended, unless it does nothing but end. */
  #next(how: string): void {
    const now = this.#clock.now();
    this.#lives = this.#lives.filter((at) => now - at < MINUTE_MS);
    if (this.#lives.length >= MOST_LIVES) {
      this.#say(`${how} once more; it is not begun again`);
      return;
    }
    this.#lives.push(now);
    this.#say(`${how}; it is begun again`);
    void this.#again();
  }

  async #again(): Promise<void> {
    await sleep(this.#clock, AGAIN_AFTER_MS);
    if (this.#stopping) return;
    try {
      await this.start();
      if (this.#stopping) return;
      this.#changed();
      this.#say(`is back as process ${this.described?.pid}`);
    } catch {
      // It has said why itself.
      this.#next('ended before it was ready');
    }
  }

  #say(text: string): void {
    this.#io.stderr.write(`turnpike lab: ${this.#spec.name} ${text}\n`);
  }
}

async function specsOf(flags: LabFlags): Promise<DomainSpec[]> {
  const { portBase } = flags;
  const free = portBase === 0 ? await freePorts(2 * DOMAINS.length) : undefined;
  const places = DOMAINS.map((domain, i) => ({
    name: domain.name,
    prefix: domain.prefix,
    folder: join(flags.data, domain.name),
    port: free?.[2 * i] ?? portBase + i,
    peeringPort: free?.[2 * i + 1] ?? portBase + PEERING_ABOVE + i,
  }));
  return places.map((place, i) => ({
    ...place,
    seed: flags.seed + i,
    sets: flags.sets,
    peers: places
      .filter((other) => other !== place)
      .map((other) => ({
        name: other.name,
        prefix: other.prefix,
        url: `https://127.0.0.1:${other.peeringPort}`,
        folder: other.folder,
      })),
  }));
}

/** Certificate and keys of one domain, kept from one run to the next. */
function makeFiles({ name, folder }: DomainSpec): void {
  const secrets = peeringFolder(folder);
  if (existsSync(join(secrets, 'signing-public.pem'))) return;
  mkdirSync(secrets, { recursive: true, mode: 0o700 });
  const made = makePeerFiles({ domain: name, from: wallClock().now(), days: CERTIFICATE_DAYS }, systemRandom);
  writePrivate(join(secrets, 'certificate.pem'), made.certificate);
  writePrivate(join(secrets, 'key.pem'), made.key);
  writePrivate(join(secrets, 'signing.pem'), made.signingKey);
  // The last: when it is there, all are.
  writePrivate(join(secrets, 'signing-public.pem'), made.signingPublicKey);
}

/** The process that an earlier lab.json names, if it still runs. */
function runningLab(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const { pid } = JSON.parse(readFileSync(file, 'utf8')) as { pid?: unknown };
    if (typeof pid !== 'number' || pid === process.pid) return undefined;
    process.kill(pid, 0);
    return pid;
  } catch {
    return undefined;
  }
}

function welcome(domains: readonly DescribedDomain[], flags: LabFlags): string {
  const first = domains[0] as DescribedDomain;
  const at = domains.map(({ name, api }) => `  ${name.padEnd(16)} ${api}      (people: ${api}/docs)`);
  const count = domains.reduce((sum, domain) => sum + domain.elements.length, 0);
  return `
Turnpike's lab is ready: three domains, peered. Its ${count} elements are emulated: they speak TL1 and SNMP, and light nothing.

${at.join('\n')}

In another terminal, in this folder, become the lab's user:

  export TURNPIKE_URL=${first.api}
  export TURNPIKE_TOKEN=${first.token}

and book: now, through all three domains; at a time of day, in this one; and for somebody else, which is denied:
ask why.

  npx turnpike circuit create ams:host1 sdg:host1 --bw 10G --for 1h --wait
  npx turnpike circuit create ams:host2 ams:host3 --bw 20G --start "22:00 Europe/Amsterdam" --for 2h
  npx turnpike circuit create ams:host4 sdg:host3 --bw 1G --for 1h --project atlas || npx turnpike decision why last

What the elements were told: \`device plan CODE\`; whether all is as it should be: \`device audit\`, as the operator.

Tokens of an operator and of a stranger, the elements with their logins, and all of this for programs:
  ${relative(process.cwd(), join(flags.data, 'lab.json'))}
Ctrl-C stops the lab; what was booked is there again at the next start.
`;
}
