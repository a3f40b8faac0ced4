/**
 * What readers ask: pages of circuits, events and decisions by keyset, and single records. All of it runs on
 * the readers' connections and sees committed rows only.
 */
import type { Knex } from 'knex';
import type { PolicyActivation, PolicyQuery, PolicyRecord } from '../broker/aaa/policyPorts.ts';
import type { Page } from '../broker/page.ts';
import type {
  CircuitQuery,
  DecisionQuery,
  DecisionRecord,
  EventQuery,
  EventRecord,
  Visibility,
} from '../broker/ports.ts';
import type { Circuit } from '../model/circuit.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { docOf, eventOf } from './rows.ts';
import type { Row } from './session.ts';

type Query = Knex.QueryBuilder<Row, Row[]>;
type Narrow = (query: Query) => void;

interface Listing {
  readonly table: string;
  readonly columns: readonly string[];
  readonly key: string;
  readonly order: readonly { readonly column: string; readonly order: 'asc' | 'desc' }[];
  readonly limit: number;
  readonly narrow: Narrow;
  readonly visibleTo: Visibility | undefined;
  readonly ownerColumn: string;
  /** An index begins with the owner, and one with the project, and both go on in this order. */
  readonly indexed: boolean;
}

/** With more projects than this, looking through all rows is no worse. */
const FEW_PROJECTS = 16;

/**
 * Own things and those of one's projects. Asked as one OR, a database walks the whole table for somebody who
 * has little in it; so where indexes allow, each owner and project gives its first rows and the best of these
 * are taken. It stays one statement, because two would see two different moments.
 */
function list(knex: Knex, l: Listing): Query {
  const sorted = (query: Query): Query => query.orderBy([...l.order]).limit(l.limit);
  const { visibleTo: to } = l;
  if (to === undefined || !l.indexed || to.projects.length > FEW_PROJECTS) {
    const query: Query = knex<Row>(l.table).select(...l.columns);
    l.narrow(query);
    if (to !== undefined) {
      query.where((either) => either.where(l.ownerColumn, to.owner).orWhereIn('project', to.projects));
    }
    return sorted(query);
  }
  const parts = [[l.ownerColumn, to.owner] as const, ...to.projects.map((p) => ['project', p] as const)].map(
    ([column, value]) => {
      const part: Query = knex<Row>(l.table).select(l.key).where(column, value);
      l.narrow(part);
      return knex.select(l.key).from(sorted(part).as('part'));
    },
  );
  return sorted(
    knex<Row>(l.table)
      .select(...l.columns)
      .whereIn(l.key, knex.union(parts)),
  );
}

export async function circuitsPage(knex: Knex, q: CircuitQuery): Promise<Page<Circuit>> {
  const descending = q.sort.startsWith('-');
  const column = descending ? q.sort.slice(1) : q.sort;
  const order = descending ? 'desc' : 'asc';
  const from = q.after === undefined ? undefined : decodeCursor(q.after, q.sort);
  const rows = await list(knex, {
    table: 'circuits',
    columns: ['id', 'doc', column],
    key: 'id',
    order: [
      { column, order },
      { column: 'id', order },
    ],
    limit: q.limit + 1,
    visibleTo: q.visibleTo,
    ownerColumn: 'owner',
    indexed: column === 'create_time',
    narrow(query) {
      filter(query, q);
      if (from !== undefined) {
        query.whereRaw(`(${column}, id) ${descending ? '<' : '>'} (?, ?)`, [from.value, from.id]);
      }
    },
  });
  return page(rows, q.limit, docOf<Circuit>, (last) =>
    encodeCursor({ sort: q.sort, value: last[column] as number, id: last['id'] as string }),
  );
}

function filter(query: Query, q: CircuitQuery): void {
  if (q.states !== undefined) query.whereIn('state', q.states);
  const equal: readonly (readonly [string, string | undefined])[] = [
    ['project', q.project],
    ['short_code', q.shortCode],
    ['role', q.role],
    ['set_id', q.setId],
    ['series_id', q.seriesId],
  ];
  for (const [name, value] of equal) if (value !== undefined) query.where(name, value);
  // Few rows carry one client_ref; left to itself, SQLite would rather walk the project in its order.
  const { clientRef, port } = q;
  if (clientRef !== undefined) {
    query.whereIn('id', (inner) => inner.from('circuits').select('id').where('client_ref', clientRef));
  }
  if (port !== undefined) query.where((either) => either.where('a_port', port).orWhere('z_port', port));
  const bounds: readonly (readonly [string, '>=' | '<', number | undefined])[] = [
    ['start_time', '>=', q.startFrom],
    ['start_time', '<', q.startBefore],
    ['end_time', '>=', q.endFrom],
    ['end_time', '<', q.endBefore],
  ];
  for (const [name, relation, value] of bounds) if (value !== undefined) query.where(name, relation, value);
}

export async function eventsAfter(knex: Knex, q: EventQuery): Promise<EventRecord[]> {
  const rows = await list(knex, {
    table: 'events',
    columns: ['*'],
    key: 'seq',
    order: [{ column: 'seq', order: 'asc' }],
    limit: q.limit,
    visibleTo: q.visibleTo,
    ownerColumn: 'owner',
    indexed: q.circuitId === undefined,
    narrow(query) {
      query.where('seq', '>', q.afterSeq);
      if (q.circuitId !== undefined) query.where('circuit_id', q.circuitId);
      if (q.types !== undefined) query.whereIn('type', q.types);
    },
  });
  return rows.map(eventOf);
}

const NEWEST_FIRST = '-decision';

export async function decisionsPage(knex: Knex, q: DecisionQuery): Promise<Page<DecisionRecord>> {
  const from = q.after === undefined ? undefined : decodeCursor(q.after, NEWEST_FIRST);
  const rows = await list(knex, {
    table: 'decisions',
    columns: ['id', 'time', 'doc'],
    key: 'id',
    order: [
      { column: 'time', order: 'desc' },
      { column: 'id', order: 'desc' },
    ],
    limit: q.limit + 1,
    visibleTo: q.visibleTo,
    ownerColumn: 'principal',
    indexed: q.circuitId === undefined,
    narrow(query) {
      if (q.circuitId !== undefined) query.where('circuit_id', q.circuitId);
      if (q.principal !== undefined) query.where('principal', q.principal);
      if (q.action !== undefined) query.where('action', q.action);
      if (q.effect !== undefined) query.where('effect', q.effect);
      if (q.from !== undefined) query.where('time', '>=', q.from);
      if (q.before !== undefined) query.where('time', '<', q.before);
      if (from !== undefined) query.whereRaw('(time, id) < (?, ?)', [from.value, from.id]);
    },
  });
  return page(rows, q.limit, docOf<DecisionRecord>, (last) =>
    encodeCursor({ sort: NEWEST_FIRST, value: last['time'] as number, id: last['id'] as string }),
  );
}

const NEWEST_POLICY = '-policy';

export async function policiesPage(knex: Knex, q: PolicyQuery): Promise<Page<PolicyRecord>> {
  const from = q.after === undefined ? undefined : decodeCursor(q.after, NEWEST_POLICY);
  const query: Query = knex<Row>('policies')
    .select('id', 'create_time', 'doc')
    .orderBy([
      { column: 'create_time', order: 'desc' },
      { column: 'id', order: 'desc' },
    ])
    .limit(q.limit + 1);
  if (from !== undefined) query.whereRaw('(create_time, id) < (?, ?)', [from.value, from.id]);
  return page(await query, q.limit, docOf<PolicyRecord>, (last) =>
    encodeCursor({ sort: NEWEST_POLICY, value: last['create_time'] as number, id: last['id'] as string }),
  );
}

/** The last activation and its version. */
export async function activePolicy(
  knex: Knex,
): Promise<{ activation: PolicyActivation; policy: PolicyRecord } | undefined> {
  const last = (await knex<Row>('policy_activations').select('*').orderBy('seq', 'desc').first()) as
    | Row
    | undefined;
  if (last === undefined) return undefined;
  const policy = await one(knex, 'policies', { id: last['policy_id'] as string });
  // The table refers to it.
  return { activation: docOf<PolicyActivation>(last), policy: docOf<PolicyRecord>(policy as Row) };
}

/** One row by its key. */
export async function one(
  knex: Knex,
  table: string,
  key: Readonly<Record<string, string | number>>,
): Promise<Row | undefined> {
  return knex<Row>(table).select('*').where(key).first() as Promise<Row | undefined>;
}

export interface Walk {
  readonly table: string;
  /** A unique column. */
  readonly key: string;
  readonly columns: readonly string[];
  readonly size: number;
  readonly narrow: Narrow;
}

/** Rows in the order of one column, a page at a time, without an offset that grows. */
export async function* inPages(knex: Knex, walk: Walk): AsyncGenerator<Row[]> {
  let last: string | number | undefined;
  for (;;) {
    const query: Query = knex<Row>(walk.table)
      .select(...walk.columns)
      .orderBy(walk.key)
      .limit(walk.size);
    walk.narrow(query);
    if (last !== undefined) query.where(walk.key, '>', last);
    const rows = await query;
    if (rows.length > 0) yield rows;
    if (rows.length < walk.size) return;
    last = rows.at(-1)?.[walk.key] as string | number;
  }
}

function page<T>(
  rows: readonly Row[],
  limit: number,
  parse: (row: Row) => T,
  cursor: (last: Row) => string,
): Page<T> {
  const items = rows.slice(0, limit).map(parse);
  const last = rows[limit - 1];
  return rows.length > limit && last !== undefined ? { items, next: cursor(last) } : { items };
}
