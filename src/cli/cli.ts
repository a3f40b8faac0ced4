/**
 * The command line: global options, dispatch, exit codes. Everything it knows it learns over HTTP from the
 * API. Start-up is part of its contract (under 200 ms), so Temporal, YAML and the HTTP client load only when
 * a command uses them.
 */
import { Command, CommanderError } from 'commander';
import { addAccounting } from './accounting.ts';
import { addAudit } from './audit.ts';
import { addCircuit, type Run } from './circuit.ts';
import { Client, interrupted } from './client.ts';
import { Context } from './context.ts';
import { addDevices } from './device.ts';
import { CliError, type CliIo, exitMeanings, exits, usage } from './io.ts';
import { addMaintenance } from './maint.ts';
import { type Column, dig, isJson, Output, parseFormat, text } from './output.ts';
import { addPeers } from './peer.ts';
import { addPolicy } from './policy.ts';
import { addNetwork, addRecords } from './records.ts';
import { addSlots } from './slots.ts';
import { addTokens } from './token.ts';
import { addTopology } from './topo.ts';

interface Globals {
  readonly output: string;
  readonly quiet?: boolean;
  readonly url?: string;
  readonly tokenFile?: string;
  readonly zone?: string;
}

/** Where the lab's first domain listens. */
const DEFAULT_URL = 'http://127.0.0.1:8080';

/** Verbs that work on the broker's own files, not over HTTP. */
const LOCAL: readonly (readonly [name: string, description: string])[] = [
  ['serve', 'run the broker of one domain'],
  ['lab', 'run a laboratory: brokers and emulated elements on this machine'],
  ['config', 'check a configuration file'],
  ['backup', 'copy the store of a running broker'],
  ['prune', 'remove what ended long ago from the store'],
  ['doctor', 'look for what is wrong with an installation'],
];

/** Runs one command and returns its exit code. Never throws, never ends the process. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  if (argv[0] === '--version' || argv[0] === '-V') {
    io.stdout.write(`${await ownVersion()}\n`);
    return exits.OK;
  }
  if (io.interrupt === undefined) process.once('SIGINT', onSignal);
  const signal = io.interrupt ?? interrupt.signal;
  try {
    return await dispatch(argv, io, signal);
  } finally {
    process.removeListener('SIGINT', onSignal);
  }
}

async function dispatch(argv: readonly string[], io: CliIo, interrupt: AbortSignal): Promise<number> {
  let code: number = exits.OK;
  const program = build(io, interrupt, (exit) => {
    code = exit;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      // It has written its message already; help that was asked for is no error.
      return error.exitCode === 0 ? exits.OK : exits.USAGE;
    }
    return report(error, io, interrupt);
  }
}

function report(error: unknown, io: CliIo, interrupt: AbortSignal): number {
  const out = new Output(io, 'table', false);
  if (error instanceof CliError) {
    out.warn(`turnpike: ${error.message}`);
    for (const hint of error.hints) out.warn(`  try: ${hint}`);
    return error.exit;
  }
  if (interrupt.aborted) {
    out.warn(`turnpike: ${interrupted().message}`);
    return exits.INTERRUPTED;
  }
  out.warn(
    `turnpike: this is a fault of the program: ${error instanceof Error ? (error.stack ?? error.message) : text(error)}`,
  );
  return exits.ERROR;
}

function build(io: CliIo, interrupt: AbortSignal, setCode: (exit: number) => void): Command {
  const program = new Command('turnpike')
    .description('Books, watches and ends circuits. Data goes to stdout, everything else to stderr.')
    .option('-o, --output <format>', 'table, json, yaml or csv', 'table')
    .option('-q, --quiet', 'say nothing but data and errors')
    .option('--url <url>', `the broker (default: TURNPIKE_URL, or ${DEFAULT_URL})`)
    .option('--token-file <file>', 'a file that holds the token (default: TURNPIKE_TOKEN)')
    .option('--zone <zone>', 'the zone of times that name none (default: TZ, or the system)')
    .option('-V, --version', 'the version of this program')
    .exitOverride()
    .configureOutput({
      writeOut: (said) => io.stdout.write(said),
      writeErr: (said) => io.stderr.write(said),
    })
    .showHelpAfterError('(add --help for what can be said)')
    .addHelpText('after', helpTail);

  const run: Run = async (command, act) => {
    await act(await contextOf(command.optsWithGlobals<Globals>(), io, interrupt));
  };
  addCircuit(program, run);
  addSlots(program, run);
  addTopology(program, run);
  addMaintenance(program, run);
  addNetwork(program, run);
  addDevices(program, run);
  addAccounting(program, run);
  addPeers(program, run);
  addRecords(program, run);
  addPolicy(program, run);
  addTokens(program, run);
  const onFiles = async (name: string): Promise<void> => {
    if (io.local === undefined)
      throw usage(`"${name}" works on the broker's own files and is not part of this client`);
    setCode(await io.local(words(program)));
  };
  addAudit(program, run, () => onFiles('audit continue'));
  program
    .command('version')
    .description('the versions of this program and of the broker')
    .action((_options: object, command: Command) => run(command, version));
  for (const [name, description] of LOCAL) {
    program
      .command(`${name} [words...]`)
      .description(description)
      .allowUnknownOption()
      .helpOption(false)
      .action(() => onFiles(name));
  }
  return program;
}

/** What was typed, whole: a local verb reads its own options. */
const words = (program: Command): readonly string[] => (program as unknown as { rawArgs: string[] }).rawArgs;

const helpTail = (): string => `
Times: "06:00 Europe/Amsterdam", "tomorrow 18:00", "2026-11-21 06:00 UTC", +2h, RFC 3339.
Rates in bits per second (10G), volumes in bytes (20TB), durations as 2h30m.

Exit codes:
${exitMeanings.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`).join('\n')}`;

async function contextOf(options: Globals, io: CliIo, interrupt: AbortSignal): Promise<Context> {
  const out = new Output(io, parseFormat(options.output), options.quiet === true);
  const client = new Client({
    url: options.url ?? (io.env['TURNPIKE_URL'] || DEFAULT_URL),
    token: await tokenOf(options, io),
    io,
    interrupt,
    say: (line) => out.say(line),
  });
  return new Context({ io, client, out, interrupt, zone: options.zone });
}

/** Never from the command line itself, where every user of the machine could read it. */
async function tokenOf(options: Globals, io: CliIo): Promise<string | undefined> {
  if (options.tokenFile === undefined) return io.env['TURNPIKE_TOKEN'] || undefined;
  const { readFile } = await import('node:fs/promises');
  const file = options.tokenFile;
  const said = await readFile(file, 'utf8').catch((error: unknown) => {
    throw usage(`cannot read the token: ${(error as Error).message}`);
  });
  return said.trim();
}

async function ownVersion(): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  const said: unknown = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  return text(dig(said, 'version'));
}

/** Ours is known in any case, and the broker's when it answers. */
async function version(context: Context): Promise<void> {
  const client = await ownVersion();
  const columns: Column[] = [['client', (row) => row['client']]];
  let broker: unknown;
  let failed: unknown;
  try {
    broker = (await context.client.get('/version')).body;
  } catch (error) {
    failed = error;
  }
  if (isJson(broker)) {
    for (const name of Object.keys(broker))
      columns.push([`broker ${name}`, (row) => dig(row, 'broker', name)]);
  }
  await context.out.one({ client, ...(isJson(broker) ? { broker } : {}) }, columns);
  if (failed !== undefined) throw failed;
}
