/**
 * The tables of the audit log: what a group adds to them, and what is read back. Rows are only ever added;
 * the one thing that retention may do is to put the leaves of a whole tile in the place of its records.
 */
import type { Knex } from 'knex';
import type { AuditGroup, CheckpointRow, StoredAuditRow, Witnessed } from '../broker/audit/auditPorts.ts';
import { instant } from '../kernel/clock.ts';
import type { Database } from './database.ts';
import { Insert, type Row, type Session, type Value } from './session.ts';

export const LEAVES_PER_TILE = 256;
const TILE = LEAVES_PER_TILE;
/** Characters of one leaf: 32 bytes in base64url. */
const LEAF = 43;
/** In the place of a name that is to be forgotten. */
const ERASED = 'erased';

const records = new Insert('audit_records', ['seq', 'time', 'decision_id', 'leaf', 'record']);
const asides = new Insert('audit_asides', ['seq', 'field', 'salt', 'value']);
const tiles = new Insert('audit_tiles', ['tile', 'hash']);
const checkpoints = new Insert('audit_checkpoints', ['origin', 'size', 'time', 'note']);

export interface Rows {
  readonly insert: Insert;
  readonly rows: readonly (readonly Value[])[];
  readonly what: string;
}

export const auditTables = (g: AuditGroup): Rows[] => [
  {
    what: 'an audit record',
    insert: records,
    rows: g.rows.map((r) => [r.seq, r.time, r.decisionId ?? null, r.leaf, r.text]),
  },
  { what: 'an aside', insert: asides, rows: g.asides.map((a) => [a.seq, a.field, a.salt, a.value]) },
  { what: 'a tile', insert: tiles, rows: g.tiles.map((t) => [t.tile, t.hash]) },
  {
    what: 'a checkpoint',
    insert: checkpoints,
    rows: g.checkpoints.map((c) => [c.origin, c.size, c.time, c.note]),
  },
];

/** The one change to what was written: values and salts go, and the name from the decisions. Leaves stay. */
export async function erase(
  session: Session,
  json: Database['kind'],
  principals: readonly string[],
): Promise<void> {
  const doc =
    json === 'sqlite'
      ? `json_set(doc, '$.principal', '${ERASED}')`
      : `jsonb_set(doc::jsonb, '{principal}', '"${ERASED}"')::text`;
  for (const principal of principals) {
    await session.run('DELETE FROM audit_asides WHERE value = ?', [principal]);
    await session.run(`UPDATE decisions SET principal = '${ERASED}', doc = ${doc} WHERE principal = ?`, [
      principal,
    ]);
  }
}

const seen = new Insert(
  'audit_witnessed',
  ['origin', 'size', 'root', 'note'],
  `ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note
   WHERE excluded.size >= audit_witnessed.size`,
);

/** A note grows by the lines of its witnesses; what they signed stands above them, unchanged. */
export async function addWitnesses(session: Session, g: AuditGroup): Promise<void> {
  for (const { origin, size, line } of g.cosignatures)
    await session.run('UPDATE audit_checkpoints SET note = note || ? WHERE origin = ? AND size = ?', [
      line,
      origin,
      size,
    ]);
  for (const w of g.witnessed) await seen.run(session, [[w.origin, w.size, w.root, w.note]]);
}

export async function witnessed(knex: Knex, domain: string): Promise<Witnessed[]> {
  const found: Row[] = await knex<Row>('audit_witnessed')
    // All that begin so: the sign after a slash is a zero.
    .where('origin', '>=', `${domain}/audit/`)
    .where('origin', '<', `${domain}/audit0`)
    .orderBy('origin');
  return found.map((row) => ({
    origin: row['origin'] as string,
    size: Number(row['size']),
    root: row['root'] as string,
    note: row['note'] as string,
  }));
}

export async function tileHashes(knex: Knex): Promise<string[]> {
  const rows: Row[] = await knex<Row>('audit_tiles').select('hash').orderBy('tile');
  return rows.map((row) => row['hash'] as string);
}

export async function leaves(knex: Knex, from: number, to: number): Promise<string[]> {
  const folded: Row[] = await knex<Row>('audit_tiles')
    .select('tile', 'leaves')
    .whereNotNull('leaves')
    .where('tile', '>=', Math.floor(from / TILE))
    .where('tile', '<', Math.ceil(to / TILE))
    .orderBy('tile');
  const found = folded.flatMap((row) => {
    const first = Number(row['tile']) * TILE;
    const text = row['leaves'] as string;
    return Array.from({ length: TILE }, (_, i) => text.slice(i * LEAF, (i + 1) * LEAF)).filter(
      (_, i) => first + i >= from && first + i < to,
    );
  });
  const rest: Row[] = await knex<Row>('audit_records')
    .select('leaf')
    .where('seq', '>=', from + found.length)
    .where('seq', '<', to)
    .orderBy('seq');
  return [...found, ...rest.map((row) => row['leaf'] as string)];
}

/** Records with what is aside of them; only leaves where retention has been. */
export async function rows(knex: Knex, from: number, limit: number): Promise<StoredAuditRow[]> {
  const tile: Row | undefined = await knex<Row>('audit_tiles')
    .where({ tile: Math.floor(from / TILE) })
    .whereNotNull('leaves')
    .first();
  if (tile !== undefined) {
    const end = Math.min(from + limit, (Math.floor(from / TILE) + 1) * TILE);
    const bare = await leaves(knex, from, end);
    return bare.map((leaf, i) => ({ seq: from + i, leaf, asides: [] }));
  }
  const found: Row[] = await knex<Row>('audit_records')
    .select('seq', 'leaf', 'record')
    .where('seq', '>=', from)
    .orderBy('seq')
    .limit(limit);
  const last = found.at(-1)?.['seq'];
  if (last === undefined) return [];
  const beside: Row[] = await knex<Row>('audit_asides').whereBetween('seq', [from, last as number]);
  const bySeq = new Map<number, StoredAuditRow['asides'][number][]>();
  for (const row of beside) {
    const seq = row['seq'] as number;
    const list = bySeq.get(seq) ?? [];
    bySeq.set(seq, list);
    // The columns are written from an Aside.
    list.push({ ...row } as unknown as StoredAuditRow['asides'][number]);
  }
  return found.map((row) => ({
    seq: row['seq'] as number,
    leaf: row['leaf'] as string,
    text: row['record'] as string,
    asides: bySeq.get(row['seq'] as number) ?? [],
  }));
}

export async function seqOf(knex: Knex, decisionId: string): Promise<number | undefined> {
  const row: Row | undefined = await knex<Row>('audit_records')
    .select('seq')
    .where({ decision_id: decisionId })
    .first();
  return row?.['seq'] as number | undefined;
}

const checkpointOf = (row: Row): CheckpointRow => ({
  origin: row['origin'] as string,
  // A reader from beside gets 64-bit integers as texts.
  size: Number(row['size']),
  time: instant(Number(row['time'])),
  note: row['note'] as string,
});

/** A later origin may begin below the sizes of the one before, so the last is the latest in time. */
export async function lastCheckpoint(knex: Knex): Promise<CheckpointRow | undefined> {
  const row: Row | undefined = await knex<Row>('audit_checkpoints')
    .orderBy([
      { column: 'time', order: 'desc' },
      { column: 'size', order: 'desc' },
    ])
    .first();
  return row === undefined ? undefined : checkpointOf(row);
}

export async function checkpointsOf(
  knex: Knex,
  origin: string,
  after: number,
  limit: number,
): Promise<CheckpointRow[]> {
  const found: Row[] = await knex<Row>('audit_checkpoints')
    .where({ origin })
    .where('size', '>', after)
    .orderBy('size')
    .limit(limit);
  return found.map(checkpointOf);
}
