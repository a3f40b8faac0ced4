/**
 * The commands that mostly look: ports, what has happened (event, decision), who is told
 * (webhook), who is asking (whoami), and series of circuits.
 */
import type { Command } from 'commander';
import { rfc3339 } from '../kernel/clock.ts';
import { limitOf, type Run } from './circuit.ts';
import { seg } from './client.ts';
import { type Context, DEFAULT_LIMIT } from './context.ts';
import { decisionCard } from './decision.ts';
import { CliError, exits } from './io.ts';
import { type Column, dig, isJson, items, object, text } from './output.ts';
import { decisionList, eventGist, eventType, occurrenceList, webhookList } from './show.ts';
import { portList } from './showNetwork.ts';
import { parseCount } from './units.ts';
import { tail } from './wait.ts';

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

export function addNetwork(program: Command, run: Run): void {
  program
    .command('ports')
    .description('the ports that circuits can end at')
    .option('--domain <name>', 'only of this domain')
    .option('--limit <n>', 'at most so many', '1000')
    .action((options: { domain?: string; limit: string }, command: Command) =>
      run(command, async (context) => {
        const rows = await context.pages('/v1/ports', { domain: options.domain }, limitOf(options.limit));
        await context.out.list(rows, portList);
      }),
    );
}

export function addRecords(program: Command, run: Run): void {
  const decision = program.command('decision').description('what was allowed and denied, and why');
  decision
    .command('list')
    .description('decisions, the latest first')
    .option('--principal <id>', 'only about this principal')
    .option('--action <name>', 'only about this action, as in circuit.create')
    .option('--effect <effect>', 'only allow, or only deny')
    .option('--circuit <id>', 'only about this circuit')
    .option('--from <time>', 'only at or after this time')
    .option('--before <time>', 'only before this time')
    .option('--limit <n>', 'at most so many', DEFAULT_LIMIT)
    .action((options: DecisionOptions, command: Command) =>
      run(command, async (context) => {
        const at = async (said: string | undefined): Promise<string | undefined> =>
          said === undefined ? undefined : rfc3339(await context.time(said));
        const query = {
          principal: options.principal,
          action: options.action,
          effect: options.effect?.toUpperCase(),
          circuit_id: options.circuit,
          'create_time.gte': await at(options.from),
          'create_time.lt': await at(options.before),
        };
        await context.out.list(
          await context.pages('/v1/decisions', query, limitOf(options.limit)),
          decisionList,
        );
      }),
    );
  decision
    .command('why <decision>')
    .description(
      'the rules that decided, what they saw, what would have been needed; "last": your last denial',
    )
    .action((id: string, _options: object, command: Command) =>
      run(command, async (context) => {
        const named = id === 'last' ? await lastDenial(context) : id;
        const body = object((await context.client.get(`/v1/decisions/${seg(named)}`)).body);
        await context.out.one(body, decisionCard(body), decisionList.columns);
      }),
    );

  const event = program.command('event').description('what happens in the domain');
  event
    .command('tail')
    .description('events as they happen; JSON comes one event a line')
    .option('--type <type>', 'only of this type, as in circuit.moved (repeatable)', collect)
    .option('--circuit <id>', 'only of this circuit')
    .option('--after <event>', 'resume after this event')
    .option('--count <n>', 'end after so many')
    .action((options: TailOptions, command: Command) => run(command, (context) => follow(context, options)));

  addWebhooks(program, run);
  addSeries(program, run);

  program
    .command('whoami')
    .description('who the broker takes you for')
    .action((_options: object, command: Command) =>
      run(command, async (context) => {
        const body = object((await context.client.get('/v1/whoami')).body);
        await context.out.one(
          body,
          Object.keys(body).map((name): Column => [name, (row) => row[name]]),
        );
      }),
    );
}

interface DecisionOptions {
  readonly principal?: string;
  readonly action?: string;
  readonly effect?: string;
  readonly circuit?: string;
  readonly from?: string;
  readonly before?: string;
  readonly limit: string;
}

async function lastDenial(context: Context): Promise<string> {
  const who = object((await context.client.get('/v1/whoami')).body);
  const query = { effect: 'DENY', principal: text(who['id']) };
  const [last] = await context.pages('/v1/decisions', query, 1);
  if (last === undefined) throw new CliError(exits.ERROR, 'nothing that you asked for was denied');
  return text(last['id']);
}

interface TailOptions {
  readonly type?: readonly string[];
  readonly circuit?: string;
  readonly after?: string;
  readonly count?: string;
}

async function follow(context: Context, options: TailOptions): Promise<void> {
  let left =
    options.count === undefined ? Number.POSITIVE_INFINITY : parseCount(options.count, 'count', 1, 1e9);
  for await (const event of tail(
    context,
    { type: options.type, circuit_id: options.circuit },
    options.after,
  )) {
    const cells = [text(event['time']), eventType(event), text(event['subject']), eventGist(event)];
    context.out.line(context.out.eventLine(event, cells));
    if (--left === 0) return;
  }
}

interface HookOptions {
  readonly type?: string[];
  readonly project?: string;
  readonly dryRun?: boolean;
  readonly key?: string;
}

function addWebhooks(program: Command, run: Run): void {
  const webhook = program.command('webhook').description('who is told of events');
  webhook
    .command('create <url>')
    .description('have events sent to an address; the secret is shown once')
    .option('--type <type>', 'only of this type (repeatable; all if absent)', collect)
    .option('--project <project>', 'one of yours, whose circuits it hears of (your first if absent)')
    .option('--dry-run', 'ask the broker what it would answer; nothing changes')
    .option('--key <key>', 'the Idempotency-Key')
    .action((url: string, options: HookOptions, command: Command) =>
      run(command, async (context) => {
        const { body } = await context.client.call('POST', '/v1/webhooks', {
          query: options.dryRun === true ? { validate_only: 'true' } : {},
          body: {
            url,
            ...(options.type === undefined ? {} : { types: options.type }),
            ...(options.project === undefined ? {} : { project: options.project }),
          },
          key: options.key,
        });
        const made = object(body);
        if (options.dryRun === true)
          context.out.say('dry run: nothing was changed; the broker would answer:');
        else if (made['secret'] !== undefined) context.out.say('the secret is not shown again');
        const columns: readonly Column[] = [...webhookList.columns, ['SECRET', (row) => row['secret']]];
        await context.out.one(
          made,
          columns.map(([name, cell]): Column => [name.toLowerCase(), cell]),
        );
      }),
    );
  webhook
    .command('list')
    .description('your webhooks')
    .action((_options: object, command: Command) =>
      run(command, async (context) => {
        const { body } = await context.client.get('/v1/webhooks');
        await context.out.list(items(dig(body, 'items')), webhookList);
      }),
    );
  webhook
    .command('show <webhook>')
    .description('one webhook')
    .action((id: string, _options: object, command: Command) =>
      run(command, async (context) => {
        const body = object((await context.client.get(`/v1/webhooks/${seg(id)}`)).body);
        await context.out.one(
          body,
          webhookList.columns.map(([name, cell]): Column => [name.toLowerCase(), cell]),
        );
      }),
    );
  webhook
    .command('delete <webhook>')
    .description('send no more')
    .action((id: string, _options: object, command: Command) =>
      run(command, async (context) => {
        await context.client.call('DELETE', `/v1/webhooks/${seg(id)}`);
        context.out.say(`${id} is gone`);
      }),
    );
}

function addSeries(program: Command, run: Run): void {
  const series = program.command('series').description('circuits that repeat');
  series
    .command('show <series>')
    .description('its occurrences')
    .action((id: string, _options: object, command: Command) =>
      run(command, async (context) => {
        const body = object((await context.client.get(`/v1/series/${seg(id)}`)).body);
        await context.out.list(items(body['occurrences']), occurrenceList, body);
      }),
    );
  series
    .command('cancel <series>')
    .description('cancel the rest of it')
    .option('--dry-run', 'ask the broker what it would answer; nothing changes')
    .action((id: string, options: { dryRun?: boolean }, command: Command) =>
      run(command, async (context) => {
        const { body } = await context.client.call('DELETE', `/v1/series/${seg(id)}`, {
          query: options.dryRun === true ? { validate_only: 'true' } : {},
        });
        if (options.dryRun === true)
          context.out.say('dry run: nothing was changed; the broker would answer:');
        if (isJson(body)) await context.out.list(items(body['occurrences']), occurrenceList, body);
        else context.out.say(`${id} is cancelled`);
      }),
    );
}
