/** `turnpike maint`: links and nodes out of use for a time, and what becomes of the circuits there. */
import type { Command } from 'commander';
import { rfc3339 } from '../kernel/clock.ts';
import { plusSeconds, secondsBetween } from '../model/window.ts';
import { limitOf, type Run } from './circuit.ts';
import { seg } from './client.ts';
import { type Context, DEFAULT_LIMIT } from './context.ts';
import { usage } from './io.ts';
import { items, type Json, object, text } from './output.ts';
import { maintenanceCard, maintenanceImpactList, maintenanceList } from './showNetwork.ts';
import { echoTime } from './times.ts';
import { formatDuration, parsePositiveDuration } from './units.ts';

const PATH = '/v1/maintenance-windows';

interface PlanOptions {
  readonly link?: readonly string[];
  readonly node?: readonly string[];
  readonly start?: string;
  readonly end?: string;
  readonly for?: string;
  readonly reason?: string;
  readonly conflict: string;
  readonly dryRun?: boolean;
  readonly key?: string;
}
interface VerbOptions {
  readonly dryRun?: boolean;
  readonly key?: string;
}

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

const CONFLICTS: Readonly<Record<string, string>> = {
  reject: 'REJECT',
  migrate: 'MIGRATE_FLEXIBLE',
  preempt: 'PREEMPT',
};

export function addMaintenance(program: Command, run: Run): void {
  const maint = program.command('maint').description('links and nodes out of use for a time');
  maint
    .command('plan')
    .description('announce maintenance; --dry-run only says what would become of circuits')
    .option('--link <id>', 'this link (repeatable)', collect)
    .option('--node <id>', 'this node with its links and ports (repeatable)', collect)
    .option('--start <time>', 'from when')
    .option('--end <time>', 'until when')
    .option('--for <duration>', 'for how long')
    .option('--reason <text>', 'why, for people')
    .option(
      '--conflict <way>',
      'circuits that are there: reject the window, migrate them to other roads, or preempt those that have none',
      'reject',
    )
    .option('--dry-run', 'ask the broker what it would answer; nothing changes')
    .option('--key <key>', 'the Idempotency-Key')
    .action((options: PlanOptions, command: Command) => run(command, (context) => plan(context, options)));

  maint
    .command('list')
    .description('what is announced')
    .option('--limit <n>', 'at most so many', DEFAULT_LIMIT)
    .action((options: { limit: string }, command: Command) =>
      run(command, async (context) =>
        context.out.list(await context.pages(PATH, {}, limitOf(options.limit)), maintenanceList),
      ),
    );
  maint
    .command('show <window>')
    .description('one window')
    .action((id: string, _options: object, command: Command) =>
      run(command, async (context) => {
        const body = object((await context.client.get(`${PATH}/${seg(id)}`)).body);
        await context.out.one(body, maintenanceCard, maintenanceList.columns);
      }),
    );
  maint
    .command('impact <window>')
    .description('the circuits that it meets now')
    .action((id: string, _options: object, command: Command) =>
      run(command, async (context) => {
        const body = object((await context.client.get(`${PATH}/${seg(id)}/impact`)).body);
        await context.out.list(items(body['items']), maintenanceImpactList, body);
      }),
    );
  maint
    .command('migrate <window>')
    .description('look once more for other roads for what it meets')
    .option('--dry-run', 'ask the broker what it would answer; nothing changes')
    .option('--key <key>', 'the Idempotency-Key')
    .action((id: string, options: VerbOptions, command: Command) =>
      run(command, async (context) => {
        const { body } = await context.client.call('POST', `${PATH}/${seg(id)}/migrate`, {
          query: dry(options),
          body: {},
          key: options.key,
        });
        await showOutcome(context, object(body), options);
      }),
    );
  maint
    .command('cancel <window>')
    .description('cancel it, or end it before its time')
    .option('--dry-run', 'ask the broker what it would answer; nothing changes')
    .action((id: string, options: VerbOptions, command: Command) =>
      run(command, async (context) => {
        await context.client.call('DELETE', `${PATH}/${seg(id)}`, { query: dry(options) });
        context.out.say(options.dryRun === true ? `dry run: ${id} would go` : `${id} is gone`);
      }),
    );
}

const dry = (options: VerbOptions): { validate_only?: string } =>
  options.dryRun === true ? { validate_only: 'true' } : {};

async function plan(context: Context, options: PlanOptions): Promise<void> {
  const conflict = CONFLICTS[options.conflict.toLowerCase()];
  if (conflict === undefined)
    throw usage(`"${options.conflict}" is no way out of a conflict`, 'say reject, migrate or preempt');
  if (options.link === undefined && options.node === undefined) throw usage('say --link or --node');
  if (options.start === undefined) throw usage('say when: --start');
  if ((options.end === undefined) === (options.for === undefined)) throw usage('say either --end or --for');
  const start = await context.time(options.start);
  const end =
    options.end === undefined
      ? plusSeconds(start, parsePositiveDuration(options.for ?? ''))
      : await context.timeAfter(options.end, start);
  if (end <= start) throw usage(`the end ${rfc3339(end)} is not after the start ${rfc3339(start)}`);
  context.out.say(`start     ${echoTime(start, context.now)}`);
  context.out.say(`end       ${rfc3339(end)} (${formatDuration(secondsBetween(start, end))} long)`);
  const { body } = await context.client.call('POST', PATH, {
    query: dry(options),
    body: {
      ...(options.link === undefined ? {} : { links: options.link }),
      ...(options.node === undefined ? {} : { nodes: options.node }),
      start_time: rfc3339(start),
      end_time: rfc3339(end),
      ...(options.reason === undefined ? {} : { reason: options.reason }),
      conflict,
    },
    key: options.key,
  });
  await showOutcome(context, object(body), options);
}

async function showOutcome(context: Context, outcome: Json, options: VerbOptions): Promise<void> {
  const impact = items(outcome['impact']);
  if (options.dryRun === true) context.out.say('dry run: nothing was changed; the broker would answer:');
  await context.out.one(outcome, maintenanceCard, [
    ...maintenanceList.columns,
    ['CIRCUITS', () => impact.map((one) => text(one['circuit_id']))],
  ]);
  if (context.out.format === 'table') await context.out.list(impact, maintenanceImpactList);
}
