/**
 * `turnpike topo` and `turnpike link`: the network that the broker runs. Files are read here, in any notation
 * that topology/formats knows, so that a mistake is told with its line before anything is sent; what the
 * broker gets is always its own JSON.
 */
import type { Command } from 'commander';
import type { Run } from './circuit.ts';
import { seg } from './client.ts';
import type { Context } from './context.ts';
import { CliError, exits, usage } from './io.ts';
import { dig, isJson, items, type Json, object, text } from './output.ts';
import { brokenList, differenceList, linkCard, linkList, problemList } from './showNetwork.ts';
import { addAnalysis } from './topoAnalysis.ts';
import { differences, withWhatRuns } from './topoDiff.ts';
import { parseBandwidth, parseCount } from './units.ts';

interface FileOptions {
  readonly format?: string;
  readonly capacity?: string;
}
interface PutOptions extends FileOptions {
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

const reading = (command: Command): Command =>
  command
    .option('--format <name>', 'json, yaml, nml, graphml, sndlib or graphology; guessed if absent')
    .option('--capacity <rate>', 'of links and ports whose notation does not say (10G)');

const trying = (command: Command): Command =>
  command.option('--dry-run', 'ask the broker what it would answer; nothing changes');

export function addTopology(program: Command, run: Run): void {
  const topo = program.command('topo').description('the topology of the domain');
  topo
    .command('show')
    .description('the links, or the whole topology in another notation')
    .option('--format <name>', 'json, yaml, graphology, geojson, nml or dot: printed as it comes')
    .action((options: { format?: string }, command: Command) =>
      run(command, (context) => show(context, options.format)),
    );

  reading(
    topo.command('lint <file>').description('every mistake in a topology file, by line; asks no broker'),
  ).action((file: string, options: FileOptions, command: Command) =>
    run(command, (context) => lint(context, file, options)),
  );

  reading(
    topo.command('diff <file>').description('what a file would change of the topology that runs'),
  ).action((file: string, options: FileOptions, command: Command) =>
    run(command, async (context) => {
      const { running } = await runningTopology(context);
      const wanted = await wantedTopology(context, file, options, running);
      const found = differences(running, wanted);
      await context.out.list(found.map(asRow), differenceList);
    }),
  );

  trying(
    reading(
      topo
        .command('apply <file>')
        .description('run the topology of a file, unless a circuit would lose its road')
        .option('--force', 'even then'),
    ),
  ).action((file: string, options: PutOptions, command: Command) =>
    run(command, (context) => apply(context, file, options)),
  );

  trying(
    reading(
      topo
        .command('load <file>')
        .description('run the topology of a file in place of whatever runs, and say what that breaks'),
    ),
  ).action((file: string, options: PutOptions, command: Command) =>
    run(command, (context) => apply(context, file, { ...options, force: true })),
  );

  addAnalysis(topo, run);

  const link = program.command('link').description('one link of the topology');
  link
    .command('show <link>')
    .description('one link')
    .action((id: string, _options: object, command: Command) =>
      run(command, async (context) => {
        const body = object((await context.client.get(`/v1/links/${seg(id)}`)).body);
        await context.out.one(body, linkCard, linkList.csv);
      }),
    );
  trying(
    link
      .command('set <link>')
      .description('take a link out of use, or back into it; circuits on it are given other roads')
      .option('--admin <state>', 'up or down: what is wanted')
      .option('--oper <state>', 'up or down: what was seen')
      .option('--revision <n>', 'only if the topology is still at this version'),
  ).action((id: string, options: LinkOptions, command: Command) =>
    run(command, (context) => setLink(context, id, options)),
  );
}

async function show(context: Context, format: string | undefined): Promise<void> {
  if (format !== undefined) {
    const { raw } = await context.client.call('GET', '/v1/topology', { query: { format }, accept: '*/*' });
    return context.out.rawText(raw);
  }
  const { running } = await runningTopology(context);
  const count = (list: string): number => items(running[list]).length;
  context.out.say(
    `${text(running['domain'])}: ${count('nodes')} nodes, ${count('links')} links, ${count('ports')} ports`,
  );
  await context.out.list(items(running['links']), linkList, running);
}

async function runningTopology(context: Context): Promise<{ running: Json; etag: string }> {
  const { body, headers } = await context.client.get('/v1/topology', { format: 'json' });
  return { running: object(body), etag: headers.get('etag') ?? '*' };
}

interface Found {
  readonly document?: Json;
  readonly problems: readonly Json[];
  readonly errors: number;
}

/** Longer files are none of a topology; the readers have bounds of their own below it. */
const LARGEST_FILE = 64 * 1_048_576;

async function readFile(
  context: Context,
  file: string,
  options: FileOptions,
  whose: { readonly domain?: string; readonly prefix?: string } = {},
): Promise<Found> {
  const capacityMbps = options.capacity === undefined ? undefined : parseBandwidth(options.capacity);
  const said = await textOf(context, file);
  const { formatCalled, guessFormat, readTopology } = await import('../topology/formats/index.ts');
  const format = options.format === undefined ? guessFormat(file, said) : formatCalled(options.format);
  if (format?.read === undefined) {
    throw usage(
      options.format === undefined
        ? `${file} is in none of the notations that are read`
        : `"${options.format}" is no notation that is read`,
      'say --format with one of json, yaml, nml, graphml, sndlib, graphology',
    );
  }
  const { document, problems } = readTopology(said, format, {
    ...whose,
    ...(capacityMbps === undefined ? {} : { capacityMbps }),
  });
  return {
    // A document is plain data, as the output functions want it.
    ...(document === undefined ? {} : { document: document as unknown as Json }),
    problems: problems.map((problem) => ({ file, ...problem })),
    errors: problems.filter(({ severity }) => severity === 'ERROR').length,
  };
}

async function textOf(context: Context, file: string): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const { createReadStream } = await import('node:fs');
  const source: AsyncIterable<Uint8Array | string> = file === '-' ? context.io.stdin : createReadStream(file);
  try {
    for await (const part of source) {
      const bytes = typeof part === 'string' ? new TextEncoder().encode(part) : part;
      size += bytes.length;
      if (size > LARGEST_FILE) throw usage(`${file} is larger than 64 MiB`);
      parts.push(bytes);
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts));
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw usage(
      error instanceof TypeError
        ? `${file} is not UTF-8`
        : `cannot read ${file}: ${(error as Error).message}`,
    );
  }
}

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

async function lint(context: Context, file: string, options: FileOptions): Promise<void> {
  const { document, problems, errors } = await readFile(context, file, options);
  await context.out.list(problems, problemList);
  if (errors > 0) throw new CliError(exits.ERROR, `${file} has ${counted(errors, 'mistake')}`);
  const count = (list: string): number => items(document?.[list]).length;
  context.out.say(`${file}: ${count('nodes')} nodes, ${count('links')} links, ${count('ports')} ports`);
}

/** The topology of a file as it would run here. Its mistakes go to stderr and end the command. */
async function wantedTopology(
  context: Context,
  file: string,
  options: FileOptions,
  running: Json,
): Promise<Json> {
  const whose = { domain: text(running['domain']), prefix: text(running['prefix']) };
  const { document, problems, errors } = await readFile(context, file, options, whose);
  for (const problem of problems) {
    const { severity, code, line, message } = problem;
    context.out.warn(
      `${file}:${text(line)}: ${text(severity).toLowerCase()} ${text(code)}: ${text(message)}`,
    );
  }
  if (document === undefined)
    throw new CliError(exits.ERROR, `${file} has ${counted(errors, 'mistake')}; nothing was sent`);
  return withWhatRuns(document, running);
}

const asRow = (difference: object): Json => ({ ...difference });

async function apply(context: Context, file: string, options: PutOptions): Promise<void> {
  const { running, etag } = await runningTopology(context);
  const body = await wantedTopology(context, file, options, running);
  const changes = differences(running, body).length;
  context.out.say(changes === 0 ? 'nothing would change' : counted(changes, 'difference'));
  const put = async (dry: boolean): Promise<Json> =>
    object(
      (
        await context.client.call('PUT', '/v1/topology', {
          query: dry ? { validate_only: 'true' } : {},
          body,
          headers: { 'if-match': etag },
        })
      ).body,
    );
  const tried = options.dryRun === true || options.force !== true ? await put(true) : undefined;
  const broken = items(tried?.['broken']).length;
  if (options.dryRun === true && tried !== undefined) {
    context.out.say('dry run: nothing was changed; the broker would answer:');
    return context.out.list(items(tried['broken']), brokenList, tried);
  }
  if (broken > 0 && tried !== undefined) {
    await context.out.list(items(tried['broken']), brokenList, tried);
    throw new CliError(exits.CONFLICT, `${counted(broken, 'circuit')} would lose road or room`, [
      '--force applies it all the same; what can be given another road will be',
    ]);
  }
  const done = await put(false);
  context.out.say(`the topology is at version ${text(done['version'])}`);
  await context.out.list(items(done['broken']), brokenList, done);
}

interface LinkOptions {
  readonly admin?: string;
  readonly oper?: string;
  readonly revision?: string;
  readonly dryRun?: boolean;
}

function stateOf(name: string, said: string | undefined): Json {
  if (said === undefined) return {};
  if (!/^(?:up|down)$/i.test(said)) throw usage(`"${said}" is no state`, 'say up or down');
  return { [name]: said.toUpperCase() };
}

async function setLink(context: Context, id: string, options: LinkOptions): Promise<void> {
  const body = { ...stateOf('admin_state', options.admin), ...stateOf('oper_state', options.oper) };
  if (Object.keys(body).length === 0) throw usage('nothing to change: say --admin or --oper');
  const revision =
    options.revision === undefined ? '*' : `"${parseCount(options.revision, 'revision', 1, 1e9)}"`;
  const { body: answer } = await context.client.call('PATCH', `/v1/links/${seg(id)}`, {
    query: options.dryRun === true ? { validate_only: 'true' } : {},
    body,
    headers: { 'content-type': 'application/merge-patch+json', 'if-match': revision },
  });
  if (options.dryRun === true) context.out.say('dry run: nothing was changed; the broker would answer:');
  const link = dig(answer, 'link');
  const broken = items(dig(answer, 'broken'));
  context.out.say(
    broken.length === 0 ? 'no circuit loses its road' : `circuits that lose their road: ${broken.length}`,
  );
  if (context.out.format !== 'table') return context.out.one(object(answer), linkColumns);
  await context.out.one(isJson(link) ? link : {}, linkCard);
  if (broken.length > 0) await context.out.list(broken, brokenList);
}

const linkColumns = linkCard.map(
  ([heading, cell]) => [heading, (row: Json) => cell(object(row['link']))] as const,
);
