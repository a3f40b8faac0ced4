/**
 * `turnpike policy ...` and `turnpike can-i`: versions of the policy, their tests, what another one would have
 * decided, and what would be decided now. Files are Cedar, with their tests beside them as NAME.tests.json.
 */
import type { Command } from 'commander';
import { rfc3339 } from '../kernel/clock.ts';
import { type AskOptions, buildAsk, given } from './ask.ts';
import { find } from './change.ts';
import { limitOf, type Run, withAsk, withPorts } from './circuit.ts';
import { seg } from './client.ts';
import { type Context, DEFAULT_LIMIT } from './context.ts';
import { decisionCard } from './decision.ts';
import { CliError, exits, usage } from './io.ts';
import { type Column, dig, items, type Json, type Layout, object, text } from './output.ts';

const policyList: Layout = {
  columns: [
    ['POLICY', (p) => p['id']],
    ['STATE', (p) => p['state']],
    ['SINCE', (p) => p['create_time']],
    ['RULES', (p) => items(p['rules']).length],
    ['TESTS', (p) => p['assertion_count']],
    ['AUTHOR', (p) => p['author']],
    ['DESCRIPTION', (p) => p['description']],
  ],
  none: 'no policies',
};

const testList: Layout = {
  columns: [
    ['TEST', (t) => t['name']],
    ['RESULT', (t) => (t['ok'] === true ? 'ok' : 'FAILED')],
    ['DETAIL', (t) => t['detail']],
  ],
  none: 'it has no tests',
};

const changeList: Layout = {
  columns: [
    ['DECISION', (c) => c['decision_id']],
    ['WAS', (c) => c['was']],
    ['BECOMES', (c) => c['becomes']],
    ['RULES', (c) => c['rules']],
  ],
  none: 'no decision would change',
};

interface FileOptions {
  readonly tests?: string;
  readonly description?: string;
  readonly activate?: boolean;
  readonly dryRun?: boolean;
  readonly key?: string;
}
interface PastOptions {
  readonly from?: string;
  readonly before?: string;
  readonly limit: string;
}

export function addPolicy(program: Command, run: Run): void {
  const policy = program.command('policy').description('versions of the policy (operators)');
  policy
    .command('list')
    .description('the versions, the latest first')
    .option('--limit <n>', 'at most so many', DEFAULT_LIMIT)
    .action((options: { limit: string }, command: Command) =>
      run(command, async (context) =>
        context.out.list(await context.pages('/v1/policies', {}, limitOf(options.limit)), policyList),
      ),
    );
  policy
    .command('show <policy>')
    .description('one version; "active" is the one in force')
    .option('--text', 'the Cedar text alone')
    .action((ref: string, options: { text?: boolean }, command: Command) =>
      run(command, async (context) => {
        const body = object((await context.client.get(await pathOf(context, ref))).body);
        if (options.text === true) context.out.line(text(body['text']).trimEnd());
        else await context.out.one(body, card(body));
      }),
    );
  policy
    .command('upload <file>')
    .description('store a new version; it does not decide before it is activated')
    .option('--tests <file>', 'its tests; NAME.tests.json beside NAME.cedar if absent')
    .option('--description <text>', 'what it is for')
    .option('--activate', 'and put it in force')
    .option('--dry-run', 'check it and run its tests; nothing is kept')
    .option('--key <key>', 'the Idempotency-Key')
    .action((file: string, options: FileOptions, command: Command) =>
      run(command, (context) => upload(context, file, options)),
    );
  policy
    .command('test <policy>')
    .description('run the tests of a version, or of a file that is not uploaded')
    .option('--tests <file>', 'with a file: its tests')
    .action((ref: string, options: FileOptions, command: Command) =>
      run(command, (context) => test(context, ref, options)),
    );
  policy
    .command('simulate <policy>')
    .description('which past decisions would a version turn round?')
    .option('--from <time>', 'only decisions at or after this time')
    .option('--before <time>', 'only before this time')
    .option('--limit <n>', 'the latest so many', '1000')
    .action((ref: string, options: PastOptions, command: Command) =>
      run(command, (context) => simulate(context, ref, options)),
    );
  for (const [name, description] of [
    ['activate <policy>', 'put a version in force'],
    ['rollback', 'put the version in force that was so before'],
  ] as const) {
    policy
      .command(name)
      .description(description)
      .option('--dry-run', 'ask the broker what it would answer; nothing changes')
      .option('--key <key>', 'the Idempotency-Key')
      .action((...said: unknown[]) => {
        const command = said.at(-1) as Command;
        const [id] = command.args;
        return run(command, (context) => putInForce(context, id, command.opts<FileOptions>()));
      });
  }
  withAsk(
    program
      .command('can-i <action> [a] [z]')
      .description(
        'would I be allowed? As in: can-i circuit.create A Z --bw 10G --for 1h; can-i circuit.release CIRCUIT',
      ),
  ).action(
    (action: string, a: string | undefined, z: string | undefined, options: AskOptions, command: Command) =>
      run(command, (context) => canI(context, action, a, z, options)),
  );
}

/** Everything but the text and the tests, which are long. */
const card = (body: Json): Column[] =>
  Object.keys(body)
    .filter((name) => !['text', 'assertions', 'rules'].includes(name))
    .map((name): Column => [name, (row) => row[name]])
    .concat([
      ['rules', (row) => items(row['rules']).map((rule) => `${text(rule['effect'])}:${text(rule['id'])}`)],
    ]);

async function pathOf(context: Context, ref: string): Promise<string> {
  if (ref !== 'active') return `/v1/policies/${seg(ref)}`;
  const all = await context.pages('/v1/policies', {}, 100_000);
  const active = all.find((policy) => policy['state'] === 'ACTIVE');
  if (active === undefined) throw new CliError(exits.ERROR, 'no policy is in force');
  return `/v1/policies/${seg(text(active['id']))}`;
}

async function draft(file: string, options: FileOptions): Promise<Json> {
  const { readFile } = await import('node:fs/promises');
  const readText = (path: string): Promise<string> =>
    readFile(path, 'utf8').catch((error: unknown) => {
      throw usage(`cannot read ${path}: ${(error as Error).message}`);
    });
  const cedar = await readText(file);
  const beside = file.replace(/(\.cedar)?$/, '.tests.json');
  const { existsSync } = await import('node:fs');
  const tests = options.tests ?? (existsSync(beside) ? beside : undefined);
  return {
    text: cedar,
    ...given('description', options.description),
    ...given('assertions', tests === undefined ? undefined : listOf(await readText(tests), tests)),
  };
}

function listOf(said: string, file: string): unknown[] {
  try {
    const found: unknown = JSON.parse(said);
    if (Array.isArray(found)) return found;
  } catch {
    // Said below.
  }
  throw usage(`${file} holds no list of tests`);
}

async function upload(context: Context, file: string, options: FileOptions): Promise<void> {
  const { body } = await context.client.call('POST', '/v1/policies', {
    query: options.dryRun === true ? { validate_only: 'true' } : {},
    body: await draft(file, options),
    key: options.key,
  });
  const made = object(body);
  if (options.dryRun === true) context.out.say('dry run: it loads and passes its tests; nothing was kept');
  else if (options.activate === true) return putInForce(context, text(made['id']), {});
  await context.out.one(made, card(made));
}

async function test(context: Context, ref: string, options: FileOptions): Promise<void> {
  if (!ref.startsWith('pol_') && ref !== 'active') return upload(context, ref, { ...options, dryRun: true });
  const { body } = await context.client.call('POST', `${await pathOf(context, ref)}/test`);
  await context.out.list(items(dig(body, 'items')), testList, object(body));
  const failed = dig(body, 'failed');
  if (failed !== 0) throw new CliError(exits.ERROR, `${text(failed)} tests failed`);
}

async function simulate(context: Context, ref: string, options: PastOptions): Promise<void> {
  const at = async (said: string | undefined): Promise<string | undefined> =>
    said === undefined ? undefined : rfc3339(await context.time(said));
  const { body } = await context.client.call('POST', `${await pathOf(context, ref)}/simulate`, {
    body: {
      most: limitOf(options.limit),
      ...given('from_time', await at(options.from)),
      ...given('before_time', await at(options.before)),
    },
  });
  const found = object(body);
  const changes = items(found['changes']);
  await context.out.list(changes, changeList, found);
  context.out.say(
    `${text(found['decisions'])} decisions looked at, ${changes.length} would change, ${text(found['unknown'])} cannot be told${found['more'] === true ? '; there are older ones: raise --limit' : ''}`,
  );
}

async function putInForce(context: Context, id: string | undefined, options: FileOptions): Promise<void> {
  const path = id === undefined ? '/v1/policies/rollback' : `/v1/policies/${seg(id)}/activate`;
  const { body } = await context.client.call('POST', path, {
    query: options.dryRun === true ? { validate_only: 'true' } : {},
    key: options.key,
  });
  const done = object(body);
  context.out.say(
    options.dryRun === true
      ? 'dry run: nothing was changed; it could be put in force'
      : `${text(done['id'])} is in force`,
  );
  await context.out.one(done, card(done));
}

async function canI(
  context: Context,
  action: string,
  a: string | undefined,
  z: string | undefined,
  options: AskOptions,
): Promise<void> {
  const { body } = await context.client.call('POST', '/v1/decisions/explain', {
    body: { action, ...(await subject(context, action, a, z, options)) },
  });
  const found = object(body);
  await context.out.one(found, decisionCard(found));
  if (found['effect'] !== 'ALLOW') throw new CliError(exits.DENIED, `no: ${action} would be denied`);
}

/** A new circuit, one that stands, or neither. */
async function subject(
  context: Context,
  action: string,
  a: string | undefined,
  z: string | undefined,
  options: AskOptions,
): Promise<Json> {
  const books = action.endsWith('.create');
  if (!books && a !== undefined) {
    if (z !== undefined) throw usage(`${action} is about one circuit`);
    return { circuit_id: text((await find(context, a))['id']) };
  }
  if (!books) return given('project', options.project);
  const { body, echo } = await buildAsk(context, withPorts(options, a, z));
  for (const line of echo) context.out.say(line);
  return { circuit: body };
}
