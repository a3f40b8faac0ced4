/**
 * What readers ask: pages of circuits, events and decisions by keyset, and single records. All of it runs on
 * the readers' connections and sees committed rows only.
 */
import type { Knex } from 'knex';
import type {
  CircuitQuery,
  DecisionQuery,
  DecisionRecord,
  EventQuery,
  EventRecord,
  Page,
  Visibility,
} from '../broker/ports.ts';
import type { Circuit } from '../model/circuit.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { docOf, eventOf } from './rows.ts';
import type { Row } from './session.ts';

type Query = Knex.QueryBuilder<Row, Row[]>;

export async function circuitsPage(knex: Knex, q: CircuitQuery): Promise<Page<Circuit>> {
  const descending = q.sort.startsWith('-');
  const column = descending ? q.sort.slice(1) : q.sort;
  const order = descending ? 'desc' : 'asc';
  const query: Query = knex<Row>('circuits').select('id', 'doc', column);
  see(query, q.visibleTo, 'owner');
  if (q.states !== undefined) query.whereIn('state', q.states);
  const equal: readonly (readonly [string, string | undefined])[] = [
    ['project', q.project],
    ['client_ref', q.clientRef],
    ['short_code', q.shortCode],
    ['role', q.role],
    ['set_id', q.setId],
    ['series_id', q.seriesId],
  ];
  for (const [name, value] of equal) if (value !== undefined) query.where(name, value);
  const { port } = q;
  if (port !== undefined) query.where((either) => either.where('a_port', port).orWhere('z_port', port));
  const bounds: readonly (readonly [string, '>=' | '<', number | undefined])[] = [
    ['start_time', '>=', q.startFrom],
    ['start_time', '<', q.startBefore],
    ['end_time', '>=', q.endFrom],
    ['end_time', '<', q.endBefore],
  ];
  for (const [name, relation, value] of bounds) if (value !== undefined) query.where(name, relation, value);
  if (q.after !== undefined) {
    const { value, id } = decodeCursor(q.after, q.sort);
    query.whereRaw(`(${column}, id) ${descending ? '<' : '>'} (?, ?)`, [value, id]);
  }
  const rows = await query
    .orderBy([
      { column, order },
      { column: 'id', order },
    ])
    .limit(q.limit + 1);
  return page(rows, q.limit, docOf<Circuit>, (last) =>
    encodeCursor({ sort: q.sort, value: last[column] as number, id: last['id'] as string }),
  );
}

export async function eventsAfter(knex: Knex, q: EventQuery): Promise<EventRecord[]> {
  const query: Query = knex<Row>('events').select('*').where('seq', '>', q.afterSeq);
  see(query, q.visibleTo, 'owner');
  if (q.circuitId !== undefined) query.where('circuit_id', q.circuitId);
  if (q.types !== undefined) query.whereIn('type', q.types);
  const rows = await query.orderBy('seq').limit(q.limit);
  return rows.map(eventOf);
}

const NEWEST_FIRST = '-decision';

export async function decisionsPage(knex: Knex, q: DecisionQuery): Promise<Page<DecisionRecord>> {
  const query: Query = knex<Row>('decisions').select('id', 'time', 'doc');
  see(query, q.visibleTo, 'principal');
  if (q.circuitId !== undefined) query.where('circuit_id', q.circuitId);
  if (q.principal !== undefined) query.where('principal', q.principal);
  if (q.action !== undefined) query.where('action', q.action);
  if (q.effect !== undefined) query.where('effect', q.effect);
  if (q.from !== undefined) query.where('time', '>=', q.from);
  if (q.before !== undefined) query.where('time', '<', q.before);
  if (q.after !== undefined) {
    const { value, id } = decodeCursor(q.after, NEWEST_FIRST);
    query.whereRaw('(time, id) < (?, ?)', [value, id]);
  }
  const rows = await query
    .orderBy([
      { column: 'time', order: 'desc' },
      { column: 'id', order: 'desc' },
    ])
    .limit(q.limit + 1);
  return page(rows, q.limit, docOf<DecisionRecord>, (last) =>
    encodeCursor({ sort: NEWEST_FIRST, value: last['time'] as number, id: last['id'] as string }),
  );
}

/** One row by its key. */
export async function one(
  knex: Knex,
  table: string,
  key: Readonly<Record<string, string | number>>,
): Promise<Row | undefined> {
  return knex<Row>(table).select('*').where(key).first() as Promise<Row | undefined>;
}

/** Rows in the order of one unique column, a page at a time, without an offset that grows. */
export async function* inPages(
  knex: Knex,
  table: string,
  key: string,
  size: number,
  narrow: (query: Query) => void,
): AsyncGenerator<Row[]> {
  let last: string | number | undefined;
  for (;;) {
    const query: Query = knex<Row>(table).select('*').orderBy(key).limit(size);
    narrow(query);
    if (last !== undefined) query.where(key, '>', last);
    const rows = await query;
    if (rows.length > 0) yield rows;
    if (rows.length < size) return;
    last = rows.at(-1)?.[key] as string | number;
  }
}

/** Own things and those of one's projects. */
function see(query: Query, to: Visibility | undefined, ownerColumn: string): void {
  if (to === undefined) return;
  query.where((either) => either.where(ownerColumn, to.owner).orWhereIn('project', to.projects));
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
