/** `turnpike usage`, `project` and `quota`: what was used, what is left, and the limits. */
import type { Command } from 'commander';
import { rfc3339 } from '../kernel/clock.ts';
import { limitOf, type Run } from './circuit.ts';
import { seg } from './client.ts';
import { type Context, DEFAULT_LIMIT } from './context.ts';
import { usage } from './io.ts';
import { type Column, dig, field, items, type Json, type Layout, object, text } from './output.ts';
import { bandwidth } from './show.ts';
import { parseVolume } from './units.ts';

interface Period {
  readonly from?: string;
  readonly to?: string;
}
interface KeyOption {
  readonly key?: string;
}

const usageList: Layout = {
  columns: [
    ['CIRCUIT', (u) => u['circuit_id']],
    ['PROJECT', (u) => u['project']],
    ['FROM', (u) => u['start_time']],
    ['TO', (u) => u['end_time']],
    ['RATE', (u) => bandwidth(u['bandwidth_mbps'])],
    ['MBIT', (u) => u['reserved_mbit']],
  ],
  csv: ['circuit_id', 'project', 'start_time', 'end_time', 'bandwidth_mbps', 'reserved_mbit'].map((n) =>
    field(n),
  ),
  none: 'nothing was used',
};
const statementList: Layout = {
  columns: [
    ['CIRCUIT', (l) => l['circuit_id']],
    ['HELD', (l) => l['held_mbit']],
    ['SPENT', (l) => l['captured_mbit']],
    ['REFUNDED', (l) => l['refunded_mbit']],
    ['OPEN', (l) => l['open_mbit']],
  ],
  csv: ['circuit_id', 'held_mbit', 'captured_mbit', 'refunded_mbit', 'open_mbit'].map((n) => field(n)),
  none: 'nothing was charged',
};
const account = (name: string) => (p: Json) => dig(p, 'account', name);
const projectColumns: readonly Column[] = [
  ['PROJECT', (p) => p['id']],
  ['CIRCUITS', (p) => p['circuits']],
  ['BOOKED MBIT', (p) => p['booked_mbit']],
  ['AVAILABLE', account('available_mbit')],
  ['HELD', account('held_mbit')],
  ['SPENT', account('spent_mbit')],
  ['DESCRIPTION', (p) => p['description']],
];
const quotaColumns: readonly Column[] = [
  ['QUOTA', (q) => q['id']],
  ['OF', (q) => `${text(dig(q, 'scope', 'type'))} ${text(dig(q, 'scope', 'id'))}`],
  ['KIND', (q) => q['kind']],
  ['PERIOD', (q) => q['period']],
  ['LIMIT', (q) => q['limit']],
  ['USED', (q) => q['used']],
];
const projectList: Layout = { columns: projectColumns, none: 'no projects' };
const quotaList: Layout = { columns: quotaColumns, none: 'no quotas' };

export function addAccounting(program: Command, run: Run): void {
  addUsage(program, run);
  addProjects(program, run);
  addQuotas(program, run);
}

const withPeriod = (command: Command): Command =>
  command
    .option('--from <time>', 'from when (default: the first of this month, UTC)')
    .option('--to <time>', 'until when (default: now)');

async function periodOf(context: Context, { from, to }: Period): Promise<Record<string, string>> {
  return {
    ...(from === undefined ? {} : { from: rfc3339(await context.time(from)) }),
    ...(to === undefined ? {} : { to: rfc3339(await context.time(to)) }),
  };
}

function addUsage(program: Command, run: Run): void {
  withPeriod(program.command('usage').description('what circuits kept from others, rate by rate'))
    .option('--project <name>', 'only of this project')
    .action((options: Period & { readonly project?: string }, command: Command) =>
      run(command, async (context) => {
        const query = { ...(await periodOf(context, options)), project: options.project };
        const body = object((await context.client.get('/v1/usage', query)).body);
        await context.out.list(items(body['items']), usageList);
      }),
    );
}

function addProjects(program: Command, run: Run): void {
  const project = program
    .command('project')
    .description('projects: what they have, and what they were charged');
  project
    .command('list')
    .description('projects, what they have booked and what is left')
    .option('--limit <n>', 'at most so many', DEFAULT_LIMIT)
    .action((options: { limit: string }, command: Command) =>
      run(command, async (context) =>
        context.out.list(await context.pages('/v1/projects', {}, limitOf(options.limit)), projectList),
      ),
    );
  withPeriod(
    project.command('statement <project>').description('what it was charged, circuit by circuit'),
  ).action((id: string, options: Period, command: Command) =>
    run(command, async (context) => {
      const query = await periodOf(context, options);
      const body = object((await context.client.get(`/v1/projects/${seg(id)}/statement`, query)).body);
      await context.out.list(items(body['lines']), statementList, body);
      context.out.say(
        `opening ${text(body['opening_mbit'])}, granted ${text(body['granted_mbit'])}, closing ${text(body['closing_mbit'])} Mbit`,
      );
    }),
  );
  project
    .command('grant <project> <amount>')
    .description('give it bandwidth times time to book, as a volume: 20TB; with a leading - take back')
    .allowUnknownOption()
    .option('--reason <text>', 'why, for the record')
    .option('--key <key>', 'the Idempotency-Key')
    .action((id: string, amount: string, options: KeyOption & { reason?: string }, command: Command) =>
      run(command, async (context) => {
        const body = { amount_mbit: mbitOf(amount), reason: options.reason };
        const path = `/v1/projects/${seg(id)}/grants`;
        const { body: answer } = await context.client.call('POST', path, { body, key: options.key });
        await context.out.one(object(answer), projectColumns);
      }),
    );
}

function addQuotas(program: Command, run: Run): void {
  const quota = program.command('quota').description('the most that a project or a port group may have');
  quota
    .command('list')
    .description('quotas, and how much of each is taken')
    .option('--limit <n>', 'at most so many', DEFAULT_LIMIT)
    .action((options: { limit: string }, command: Command) =>
      run(command, async (context) =>
        context.out.list(await context.pages('/v1/quotas', {}, limitOf(options.limit)), quotaList),
      ),
    );
  quota
    .command('set <kind> <limit>')
    .description('limit circuits, bandwidth (Mb/s) or volume (Mbit); changes the quota if there is one')
    .option('--project <name>', 'of this project')
    .option('--port-group <id>', 'of everybody at this group of ports')
    .option('--per <period>', 'day, month or year; without it: at once')
    .action((kind: string, limit: string, options: QuotaOptions, command: Command) =>
      run(command, (context) => setQuota(context, kind, limit, options)),
    );
  quota
    .command('delete <quota>')
    .description('lift it')
    .action((id: string, _options: object, command: Command) =>
      run(command, async (context) => {
        await context.client.call('DELETE', `/v1/quotas/${seg(id)}`, {});
        context.out.say(`${id} is gone`);
      }),
    );
}

interface QuotaOptions {
  readonly project?: string;
  readonly portGroup?: string;
  readonly per?: string;
}

async function setQuota(context: Context, kind: string, limit: string, options: QuotaOptions): Promise<void> {
  const { project, portGroup } = options;
  if ((project === undefined) === (portGroup === undefined))
    throw usage('say either --project or --port-group');
  if (!/^\d{1,16}$/.test(limit)) throw usage(`"${limit}" is no whole number`);
  const wanted = {
    scope: { type: project === undefined ? 'PORT_GROUP' : 'PROJECT', id: project ?? portGroup },
    kind: kind.toUpperCase(),
    period: options.per?.toUpperCase() ?? 'LIVE',
    limit: Number(limit),
  };
  const there = (await context.pages('/v1/quotas', {}, 10_000)).find(
    (q) =>
      dig(q, 'scope', 'type') === wanted.scope.type &&
      dig(q, 'scope', 'id') === wanted.scope.id &&
      q['kind'] === wanted.kind &&
      q['period'] === wanted.period,
  );
  const { body } =
    there === undefined
      ? await context.client.call('POST', '/v1/quotas', { body: wanted })
      : await context.client.call('PATCH', `/v1/quotas/${seg(text(there['id']))}`, {
          body: { limit: wanted.limit },
          headers: { 'if-match': '*' },
        });
  await context.out.one(object(body), quotaColumns);
}

/** Whole Mbit of a volume such as `20TB`, or of a plain number of Mbit. */
function mbitOf(said: string): number {
  const sign = said.startsWith('-') ? -1 : 1;
  const amount = said.replace(/^-/, '');
  if (/^\d{1,16}$/.test(amount)) return sign * Number(amount);
  const bytes = parseVolume(amount);
  if (bytes % 125_000 !== 0) throw usage(`"${said}" is no whole number of Mbit`);
  return (sign * bytes) / 125_000;
}
