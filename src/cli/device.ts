/**
 * `turnpike device`: the elements that carry the light, how they differ from what they should have, what they see
 * of each other, and the exact commands of a circuit. For operators; nothing here changes anything.
 */
import type { Command } from 'commander';
import { find } from './change.ts';
import type { Run } from './circuit.ts';
import { seg } from './client.ts';
import type { Context } from './context.ts';
import { CliError, exits } from './io.ts';
import { type Column, dig, field, items, type Json, type Layout, object, text } from './output.ts';

export function addDevices(program: Command, run: Run): void {
  const device = program.command('device').description('the elements that carry the light');
  device
    .command('list')
    .description('the elements of the domain, and how they are')
    .action((_options: object, command: Command) =>
      run(command, async (context) =>
        context.out.list(await context.pages('/v1/devices', {}, 10_000), deviceList),
      ),
    );
  device
    .command('audit [devices...]')
    .description('what is set on them, all if none is named, against what should be; 6 when they differ')
    .action((named: readonly string[], _options: object, command: Command) =>
      run(command, (context) => audit(context, named)),
    );
  device
    .command('discover')
    .description('what they see of their neighbours, against the topology that runs')
    .option('--proposed', 'print the topology as it would be, for `topo diff` and `topo apply`')
    .action((options: { proposed?: boolean }, command: Command) =>
      run(command, (context) => discover(context, options.proposed === true)),
    );
  device
    .command('plan <circuit>')
    .description('the commands that a circuit needs now, and what was sent and answered before')
    .action((id: string, _options: object, command: Command) => run(command, (context) => plan(context, id)));
}

const deviceList: Layout = {
  columns: [
    ['DEVICE', (d) => d['id']],
    ['NODES', (d) => d['nodes']],
    ['PROTOCOL', (d) => d['protocol'] ?? 'none'],
    ['DIALECT', (d) => d['dialect']],
    ['BREAKER', (d) => d['breaker']],
    ['WAITING', (d) => d['orders_waiting']],
    ['SET-UP MS', (d) => d['setup_ms']],
    ['LAST SEEN', (d) => d['last_seen_time']],
    ['QUARANTINE', (d) => items(d['quarantine']).flatMap((entry) => entry['ports'])],
  ],
  csv: [
    field('id'),
    field('nodes'),
    field('protocol'),
    field('dialect'),
    field('breaker'),
    field('orders_waiting'),
    field('setup_ms'),
    field('last_seen_time'),
  ],
  none: 'no devices',
};

const side = (connect: Json, which: 'in' | 'out'): string =>
  `${text(dig(connect, which, 'port'))} ${text(dig(connect, which, 'vlan'))}`;

const driftList: Layout = {
  columns: [
    ['DEVICE', (d) => d['device']],
    ['WHAT', (d) => d['what']],
    ['IN', (d) => d['in']],
    ['OUT', (d) => d['out']],
    ['CIRCUIT', (d) => d['circuit_id']],
  ],
  none: 'no difference',
};

async function audit(context: Context, named: readonly string[]): Promise<void> {
  const devices =
    named.length > 0
      ? named
      : (await context.pages('/v1/devices', {}, 10_000)).map((device) => text(device['id']));
  const found: Json[] = [];
  // One after another: an audit is no reason to hurry all devices at once.
  for (const device of devices)
    found.push(object((await context.client.get(`/v1/devices/${seg(device)}/audit`)).body));
  const rows = found.flatMap((one) =>
    (['missing', 'extra', 'foreign'] as const).flatMap((what) =>
      items(one[what]).map(
        (connect): Json => ({
          device: one['device'],
          what: what.toUpperCase(),
          in: side(connect, 'in'),
          out: side(connect, 'out'),
          ...(connect['circuit_id'] === undefined ? {} : { circuit_id: connect['circuit_id'] }),
        }),
      ),
    ),
  );
  const inStep = found.reduce((sum, one) => sum + Number(one['in_step']), 0);
  const silent = found.filter((one) => one['answered'] === false);
  for (const one of silent) context.out.warn(`${text(one['device'])} did not answer: ${text(one['error'])}`);
  context.out.say(
    `${found.length - silent.length} of ${found.length} answered, ${inStep} cross-connects as they should be`,
  );
  await context.out.list(rows, driftList, { items: found });
  if (silent.length > 0)
    throw new CliError(exits.PEER_OR_DEVICE, `${silent.length} did not answer`, ['turnpike device list']);
  // What others have set is no fault of ours.
  const wrong = rows.filter((row) => row['what'] !== 'FOREIGN').length;
  if (wrong > 0)
    throw new CliError(exits.CONFLICT, `${wrong} differ from what they should be`, [
      'the broker mends this by itself within five minutes; look again',
    ]);
}

const end = (value: unknown): string => `${text(dig(value, 'device'))} ${text(dig(value, 'port'))}`;

const foundList: Layout = {
  columns: [
    ['WHAT', (d) => d['what']],
    ['LINK', (d) => d['link']],
    ['A', (d) => d['a']],
    ['Z', (d) => d['z']],
    ['DETAIL', (d) => d['detail']],
  ],
  none: 'the topology is as the devices see it',
};

async function discover(context: Context, proposed: boolean): Promise<void> {
  const body = object((await context.client.get('/v1/discovery')).body);
  for (const { device, error } of items(body['unreachable']))
    context.out.warn(`${text(device)} did not answer: ${text(error)}`);
  context.out.say(`${items(body['unreachable']).length + list(body['asked']).length} devices were asked`);
  if (proposed) return context.out.line(JSON.stringify(body['proposed'], null, 2));
  const nodeEnd = (link: Json, which: string): string =>
    `${text(dig(link, which, 'node'))} ${text(dig(link, which, 'port'))}`;
  const rows: Json[] = [
    ...items(body['add']).map((link) => ({
      what: 'NEW',
      link: link['id'],
      a: nodeEnd(link, 'a'),
      z: nodeEnd(link, 'z'),
    })),
    ...list(body['remove']).map((link) => ({ what: 'GONE', link, detail: 'neither end sees it' })),
    ...items(body['capacity']).map(({ link, was_mbps, is_mbps }) => ({
      what: 'SPEED',
      link,
      detail: `${text(was_mbps)} Mb/s in the topology, ${text(is_mbps)} seen`,
    })),
    ...items(body['unplaced']).map((link) => ({
      what: 'UNPLACED',
      a: end(link['a']),
      z: end(link['z']),
      detail: 'no node of the topology, or of unknown speed',
    })),
    ...items(body['doubts']).map((doubt) => ({
      what: 'DOUBT',
      a: end(doubt['from']),
      z: end(doubt['to']),
      detail: doubt['why'],
    })),
  ];
  await context.out.list(rows, foundList, body);
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const planColumns: readonly Column[] = [
  ['DEVICE', (d) => d['device']],
  ['ACTION', (d) => d['action']],
  ['OUTCOME', (d) => d['outcome']],
  ['MS', (d) => d['ms']],
  ['COMMAND', (d) => d['command']],
];

async function plan(context: Context, ref: string): Promise<void> {
  const { id } = await find(context, ref);
  const body = object((await context.client.get(`/v1/circuits/${seg(text(id))}/device-plan`)).body);
  const row = (of: Json, outcome: unknown, command: unknown, ms?: number): Json => ({
    device: of['device'],
    action: of['action'],
    outcome,
    command,
    ...(ms === undefined ? {} : { ms }),
  });
  const took = (order: Json): number =>
    ['queue_ms', 'protocol_ms', 'settle_ms', 'verify_ms'].reduce((sum, part) => sum + Number(order[part]), 0);
  const rows = [
    ...items(body['orders']).flatMap((order) => {
      const sent = list(order['commands']);
      const said = sent.length === 0 ? [order['detail']] : sent;
      return said.map((command) => row(order, order['outcome'], command, took(order)));
    }),
    ...items(body['commands']).flatMap((planned) =>
      planned['error'] === undefined
        ? list(planned['commands']).map((command) => row(planned, 'TO BE SENT', command))
        : [row(planned, 'CANNOT TELL', planned['error'])],
    ),
  ];
  await context.out.list(rows, { columns: planColumns, none: 'no orders, and nothing to be sent' }, body);
}
