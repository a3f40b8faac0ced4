/**
 * Projects, quotas, transfers and usage: written with their group, read for a term's beginning and for
 * statements. The sums in `accounts` change by what the group's transfers move, in the same transaction.
 */
import type { Knex } from 'knex';
import {
  type Account,
  accounts,
  capturesIn,
  type Hold,
  type Transfer,
  type Unit,
} from '../aaa/ledger/book.ts';
import type {
  AccountsState,
  Posting,
  ProjectRecord,
  QuotaRecord,
  UsageRecord,
} from '../broker/aaa/accountRecords.ts';
import type { Group, TransferQuery, UsageQuery } from '../broker/ports.ts';
import { instant } from '../kernel/clock.ts';
import type { CircuitId } from '../kernel/ids.ts';
import { finalStates } from '../model/circuit.ts';
import { inPages, type Walk } from './queries.ts';
import { docOf } from './rows.ts';
import { Insert, type Row, type Session, type Value } from './session.ts';

const ROWS_A_PAGE = 5_000;

export const transfers = new Insert('transfers', [
  'id',
  'time',
  'project',
  'unit',
  'kind',
  'amount',
  'circuit_id',
  'refers',
]);
export const usage = new Insert('usage', [
  'circuit_id',
  'project',
  'port_groups',
  'mbps',
  'start_time',
  'end_time',
]);

export const transferRow = ({ row }: Posting): Value[] => [
  row.id,
  row.at,
  row.project,
  row.unit,
  row.kind,
  row.amount,
  'circuit' in row ? row.circuit : null,
  'hold' in row ? row.hold : 'capture' in row ? row.capture : null,
];

export const usageRow = (u: UsageRecord): Value[] => [
  u.circuit,
  u.project,
  JSON.stringify(u.portGroups),
  u.mbps,
  u.window.start,
  u.window.end,
];

/** Before the transfers themselves: they refer to their account. How many accounts should have changed, and did. */
export async function addUp(
  session: Session,
  { transfers: rows }: Pick<Group, 'transfers'>,
): Promise<boolean> {
  const sums = new Map<string, { readonly unit: Unit; readonly change: Record<Account, number> }>();
  for (const { row, change } of rows) {
    const sum = sums.get(row.project);
    if (sum === undefined) sums.set(row.project, { unit: row.unit, change: { ...change } });
    else for (const account of accounts) sum.change[account] += change[account];
  }
  let changed = 0;
  for (const [project, { unit, change }] of sums) {
    await session.run(
      `INSERT INTO accounts (project, unit, granted, available, held, spent) VALUES (?, ?, 0, 0, 0, 0)
       ON CONFLICT (project) DO NOTHING`,
      [project, unit],
    );
    changed += await session.run(
      `UPDATE accounts SET ${accounts.map((a) => `${a} = ${a} + ?`).join(', ')} WHERE project = ? AND unit = ?`,
      [...accounts.map((account) => change[account]), project, unit],
    );
  }
  return changed === sums.size;
}

export async function accountsState(knex: Knex): Promise<AccountsState> {
  const live = knex<Row>('circuits').select('id').whereNotIn('state', finalStates);
  const sums: Row[] = await knex<Row>('accounts').select('*').orderBy('project');
  // Every hold of a circuit that has ended is resolved: only those of live ones can be named by rows to come.
  const rows: Transfer[] =
    sums.length === 0
      ? []
      : (await knex<Row>('transfers').select('*').whereIn('circuit_id', live).orderBy('id')).map(transferOf);
  const last = (await knex<Row>('transfers').max('id as id').first()) as Row | undefined;
  const open = new Map<number, Hold>();
  for (const row of rows) {
    if (row.kind === 'HOLD') open.set(row.id, row);
    if (row.kind === 'CAPTURE' || row.kind === 'VOID') open.delete(row.hold);
  }
  return {
    ledger: {
      lastId: (last?.['id'] as number | null | undefined) ?? 0,
      purses: sums.map((row) => ({
        project: row['project'] as string,
        unit: row['unit'] as Unit,
        balance: {
          granted: row['granted'] as number,
          available: row['available'] as number,
          held: row['held'] as number,
          spent: row['spent'] as number,
        },
      })),
      open: open.values(),
      captures: capturesIn(rows),
    },
    projects: (await knex<Row>('projects').select('doc').orderBy('id')).map((row: Row) =>
      docOf<ProjectRecord>(row),
    ),
    quotas: (await knex<Row>('quotas').select('doc').orderBy('id')).map((row: Row) =>
      docOf<QuotaRecord>(row),
    ),
  };
}

export const transferPages = (knex: Knex, q: TransferQuery): AsyncGenerator<Row[]> =>
  inPages(knex, {
    ...walk('transfers'),
    narrow(query) {
      if (q.project !== undefined) query.where('project', q.project);
      if (q.circuit !== undefined) query.where('circuit_id', q.circuit);
      if (q.before !== undefined) query.where('time', '<', q.before);
    },
  });

export const usagePages = (knex: Knex, q: UsageQuery): AsyncGenerator<Row[]> =>
  inPages(knex, {
    ...walk('usage'),
    narrow(query) {
      if (q.project !== undefined) query.where('project', q.project);
      if (q.before !== undefined) query.where('start_time', '<', q.before);
      if (q.live !== true) query.where('end_time', '>', q.from);
      else {
        const live = knex<Row>('circuits').select('id').whereNotIn('state', finalStates);
        query.where((either) => either.where('end_time', '>', q.from).orWhereIn('circuit_id', live));
      }
    },
  });

const walk = (table: string): Omit<Walk, 'narrow'> => ({
  table,
  key: 'id',
  columns: ['*'],
  size: ROWS_A_PAGE,
});

export function transferOf(row: Row): Transfer {
  const common = {
    id: row['id'] as number,
    at: row['time'] as number,
    project: row['project'] as string,
    unit: row['unit'] as Unit,
    amount: row['amount'] as number,
  };
  const kind = row['kind'] as Transfer['kind'];
  const circuit = row['circuit_id'] as string;
  const refers = row['refers'] as number;
  switch (kind) {
    case 'GRANT':
      return { ...common, kind };
    case 'HOLD':
      return { ...common, kind, circuit };
    case 'CAPTURE':
    case 'VOID':
      return { ...common, kind, circuit, hold: refers };
    case 'REFUND':
      return { ...common, kind, circuit, capture: refers };
  }
}

export const usageOf = (row: Row): UsageRecord => ({
  circuit: row['circuit_id'] as CircuitId,
  project: row['project'] as string,
  portGroups: JSON.parse(row['port_groups'] as string) as string[],
  mbps: row['mbps'] as number,
  window: { start: instant(row['start_time'] as number), end: instant(row['end_time'] as number) },
});
