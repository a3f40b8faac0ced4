/** `turnpike topo reach`, `critical` and `central`: what the network means as it stands, without any booking. */
import type { Command } from 'commander';
import type { Run } from './circuit.ts';
import { usage } from './io.ts';
import { dig, field, items, type Json, type Layout, number, object, text } from './output.ts';
import { parseCount } from './units.ts';

interface ScopeOptions {
  readonly by: string;
  readonly ignoreState?: boolean;
  readonly top?: string;
}

const METRICS = ['latency', 'cost', 'hops'];
/** What stands behind a distance. */
const UNITS: Readonly<Record<string, string>> = { latency: ' ms', cost: '', hops: '' };

const scoped = (command: Command): Command =>
  command
    .option('--by <metric>', 'what a road is short by: latency, cost or hops', 'latency')
    .option('--ignore-state', 'count what is out of use as if it were not');

const topped = (command: Command): Command =>
  scoped(command).option('--top <n>', 'at most so many of each list (50)');

function queryOf({ by, ignoreState, top }: ScopeOptions): Record<string, string> {
  if (!METRICS.includes(by)) throw usage(`roads are not short by "${by}"`, `say ${METRICS.join(', ')}`);
  return {
    by,
    ...(ignoreState === true ? { ignore_state: 'true' } : {}),
    ...(top === undefined ? {} : { top: String(parseCount(top, 'top', 1, 500)) }),
  };
}

const rounded = (value: unknown): string => {
  const given = number(value);
  return given === undefined ? '' : String(Number(given.toPrecision(4)));
};

export function addAnalysis(topo: Command, run: Run): void {
  scoped(
    topo
      .command('reach <from> [to]')
      .description('which nodes and ports can be reached from a node or a port, and how far each is'),
  ).action((from: string, to: string | undefined, options: ScopeOptions, command: Command) =>
    run(command, async (context) => {
      const query = { from, ...(to === undefined ? {} : { to }), ...queryOf(options) };
      const rows = await context.pages('/v1/topology/distances', query, 100_000);
      const lost = rows.filter((row) => row['reachable'] === false).length;
      context.out.say(`${rows.length - lost} of ${rows.length} nodes can be reached`);
      await context.out.list(rows, reachList(UNITS[options.by] ?? ''));
    }),
  );

  topped(
    topo
      .command('critical')
      .description('what would part the network by failing alone: nodes, links, risk groups, sites'),
  ).action((options: ScopeOptions, command: Command) =>
    run(command, async (context) => {
      const { body } = await context.client.get('/v1/topology/analysis', queryOf(options));
      const found = object(body);
      const parts = items(found['parts']);
      context.out.say(
        parts.length === 1
          ? `${text(found['nodes'])} nodes, all of them hang together`
          : `${text(found['nodes'])} nodes in ${text(found['parts_total'])} parts, the largest of ${text(dig(parts, 0, 'nodes'))}`,
      );
      const rows = items(found['single_points']);
      const total = number(found['single_points_total']) ?? rows.length;
      if (total > rows.length) context.out.say(`the first ${rows.length} of ${total}; --top shows more`);
      if (found['single_points_complete'] === false) {
        context.out.warn('there are more risk groups and sites than the broker tries');
      }
      await context.out.list(rows, criticalList, found);
    }),
  );

  topped(
    topo.command('central').description('the nodes that most of the shortest roads between others pass'),
  ).action((options: ScopeOptions, command: Command) =>
    run(command, async (context) => {
      const { body } = await context.client.get('/v1/topology/analysis', queryOf(options));
      const found = object(body);
      const [sources, nodes] = [number(found['central_sources']) ?? 0, number(found['nodes']) ?? 0];
      if (sources < nodes) context.out.say(`estimated from ${sources} of ${nodes} nodes`);
      await context.out.list(items(found['central_nodes']), centralList(UNITS[options.by] ?? ''), found);
    }),
  );
}

const reachList = (unit: string): Layout => ({
  columns: [
    ['NODE', (row) => row['node']],
    ['DISTANCE', (row) => (row['reachable'] === true ? `${rounded(row['distance'])}${unit}` : 'unreachable')],
    ['LINKS', (row) => row['hops']],
    ['PORTS', (row) => row['ports']],
  ],
  csv: ['node', 'reachable', 'distance', 'hops', 'ports'].map((name) => field(name)),
  none: 'no nodes',
});

const criticalList: Layout = {
  columns: [
    ['WHAT', (row) => row['kind']],
    ['ID', (row) => row['id']],
    ['CUTS OFF', (row) => `${text(dig(row, 'cuts_off', 'nodes'))} nodes`],
    ['PORTS', (row) => dig(row, 'cuts_off', 'ports')],
    ['AMONG THEM', (row) => among(row)],
  ],
  csv: [
    field('kind'),
    field('id'),
    field('cuts_off', 'nodes'),
    field('cuts_off', 'ports'),
    field('cuts_off', 'node_ids'),
  ],
  none: 'nothing parts the network by failing alone',
};

const SHOWN = 4;
function among(row: Json): string {
  const ids = dig(row, 'cuts_off', 'node_ids');
  const names = Array.isArray(ids) ? ids.map(text) : [];
  return names.length <= SHOWN ? names.join(' ') : `${names.slice(0, SHOWN).join(' ')} ...`;
}

const centralList = (unit: string): Layout => ({
  columns: [
    ['NODE', (row) => row['id']],
    ['BETWEENNESS', (row) => rounded(row['betweenness'])],
    ['CLOSENESS', (row) => rounded(row['closeness'])],
    [
      'MEAN DISTANCE',
      (row) => (row['mean_distance'] === undefined ? '' : `${rounded(row['mean_distance'])}${unit}`),
    ],
  ],
  csv: ['id', 'betweenness', 'closeness', 'mean_distance'].map((name) => field(name)),
  none: 'no nodes',
});
