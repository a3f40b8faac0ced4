/**
 * Writes a group: the fence, then each table in a few multi-row statements. Everything is serialised before
 * the transaction begins, so that the writer's connection is held no longer than the database needs.
 */
import { type Group, StoreError } from '../broker/ports.ts';
import { addUp, transferRow, transfers, usage, usageRow } from './accounts.ts';
import { addWitnesses, auditTables, erase, type Rows } from './audit.ts';
import type { Database } from './database.ts';
import { fence } from './lease.ts';
import { octets, octetsRow } from './octets.ts';
import {
  circuitColumns,
  circuitRow,
  decisionColumns,
  decisionRow,
  effectColumns,
  effectRow,
  eventColumns,
  eventRow,
  idempotencyColumns,
  idempotencyRow,
  Texts,
} from './rows.ts';
import { Insert, type Session, type Value } from './session.ts';
import { encodeTokens } from './tokens.ts';

const FINAL = `('ENDED', 'REJECTED', 'HOLD_EXPIRED', 'CANCELLED', 'FAILED')`;

const replace = (columns: readonly string[]): string =>
  columns.map((column) => `${column} = excluded.${column}`).join(', ');

const newCircuits = new Insert('circuits', circuitColumns);
// Only what can change: SQLite rewrites the entries of every index that a column of SET belongs to.
const changing = [
  'state',
  'set_id',
  'series_id',
  'start_time',
  'end_time',
  'due_time',
  'prune_time',
  'revision',
  'doc',
];
// The last line of defence: revisions only grow, and no final state is ever left.
const oldCircuits = new Insert(
  'circuits',
  circuitColumns,
  `ON CONFLICT (id) DO UPDATE SET ${replace(changing)}
   WHERE excluded.revision > circuits.revision
     AND (circuits.state NOT IN ${FINAL} OR circuits.state = excluded.state)`,
);
const events = new Insert('events', eventColumns);
const effects = new Insert('effects', effectColumns);
const decisions = new Insert('decisions', decisionColumns);
// A key may be used again once it has expired; until then its answer stands. One bound value does not fit a
// multi-row text, so expired ones are deleted first.
const idempotency = new Insert('idempotency', idempotencyColumns);
const withDocument = ['id', 'create_time', 'revision', 'doc'];
const documents = (table: string, columns: readonly string[]): Insert =>
  new Insert(table, columns, `ON CONFLICT (id) DO UPDATE SET ${replace(columns.slice(1))}`);
const series = documents('series', withDocument);
const sets = documents('sets', withDocument);
const webhooks = documents('webhooks', ['id', 'state', 'revision', 'doc']);
const projects = documents('projects', withDocument);
const quotas = documents('quotas', withDocument);
// A version of a domain's document never falls, and what has the same version is the same document.
const domains = new Insert(
  'domains',
  ['id', 'epoch', 'n', 'expire_time', 'doc'],
  `ON CONFLICT (id) DO UPDATE SET ${replace(['epoch', 'n', 'expire_time', 'doc'])}
   WHERE excluded.epoch > domains.epoch OR (excluded.epoch = domains.epoch AND excluded.n >= domains.n)`,
);
const standings = documents('peer_standings', ['id', 'epoch', 'doc']);
const topologies = new Insert('topologies', ['version', 'time', 'doc']);
const policies = new Insert('policies', ['id', 'create_time', 'sha256', 'doc']);
const activations = new Insert('policy_activations', ['seq', 'time', 'policy_id', 'doc']);

/** In this order: what frees a client_ref comes before what takes it. */
function encode(g: Group): Rows[] {
  const texts = new Texts();
  const document = (r: { id: string; createTime: number; revision: number }): Value[] => [
    r.id,
    r.createTime,
    r.revision,
    JSON.stringify(r),
  ];
  const of = (what: string, insert: Insert, rows: readonly (readonly Value[])[]): Rows => ({
    what,
    insert,
    rows,
  });
  return [
    of(
      'a circuit whose revision does not grow, or that is final',
      oldCircuits,
      g.circuits.filter((c) => !c.isNew).map((c) => circuitRow(c, texts)),
    ),
    of(
      'a circuit',
      newCircuits,
      g.circuits.filter((c) => c.isNew).map((c) => circuitRow(c, texts)),
    ),
    of(
      'an event',
      events,
      g.events.map((e) => eventRow(e, texts)),
    ),
    of('an effect', effects, g.effects.map(effectRow)),
    of('a decision', decisions, g.decisions.map(decisionRow)),
    ...auditTables(g.audit),
    of('an idempotency key', idempotency, g.idempotency.map(idempotencyRow)),
    of('a series', series, g.series.map(document)),
    of('a set', sets, g.sets.map(document)),
    of(
      'a webhook',
      webhooks,
      g.webhooks.map((w) => [w.id, w.state, w.revision, JSON.stringify(w)]),
    ),
    of('a project', projects, g.projects.map(document)),
    of('a quota', quotas, g.quotas.map(document)),
    of('a transfer', transfers, g.transfers.map(transferRow)),
    of('a use', usage, g.usage.map(usageRow)),
    of('what a circuit has carried', octets, g.octets.map(octetsRow)),
    of(
      'a document of another domain',
      domains,
      g.domains.map((d) => [
        d.document.domain,
        d.document.version.epoch,
        d.document.version.n,
        d.expires,
        JSON.stringify(d),
      ]),
    ),
    of(
      'how a domain stands',
      standings,
      (g.standings ?? []).map((s) => [s.domain, s.epoch, JSON.stringify(s)]),
    ),
    of(
      'a topology',
      topologies,
      g.topology === undefined
        ? []
        : [[g.topology.version, g.topology.time, JSON.stringify(g.topology.document)]],
    ),
    ...encodeTokens(g.tokens),
    of(
      'a policy',
      policies,
      g.policies.map((p) => [p.id, p.createTime, p.sha256, JSON.stringify(p)]),
    ),
    of(
      'an activation',
      activations,
      g.activations.map((a) => [a.seq, a.time, a.policyId, JSON.stringify(a)]),
    ),
  ];
}

export async function commit(db: Database, g: Group): Promise<void> {
  const tables = encode(g);
  const raise = {
    epoch: g.epoch,
    clock: g.now,
    eventSeq: g.events.at(-1)?.seq ?? 0,
    effectSeq: g.effects.at(-1)?.seq ?? 0,
  };
  await db.write(async (session) => {
    if (!(await fence(session, raise))) throw fenced(db, g.epoch);
    if (g.idempotency.length > 0) {
      await session.run('DELETE FROM idempotency WHERE expire_time <= ?', [g.now]);
    }
    if (g.transfers.length > 0 && !(await addUp(session, g)))
      throw new StoreError('CONFLICT', `${db.where} has an account in another unit.`);
    for (const { insert, rows, what } of tables) {
      if (rows.length === 0) continue;
      const changed = await insert.run(session, rows);
      if (changed !== rows.length) {
        const detail = `${rows.length - changed} of ${rows.length} rows: ${what}`;
        throw new StoreError('CONFLICT', `${db.where} put aside what it already has. (${detail})`);
      }
    }
    await addWitnesses(session, g.audit);
    await erase(session, db.kind, g.audit.erasures);
    await remove(session, 'effects', 'seq', g.effectsDone);
    await remove(session, 'webhooks', 'id', g.webhooksGone);
    await remove(session, 'quotas', 'id', g.quotasGone);
  }, g.reduces);
}

const REMOVE_AT_ONCE = 64;

async function remove(
  session: Session,
  table: string,
  column: string,
  keys: readonly Value[],
): Promise<void> {
  for (let from = 0; from < keys.length; from += REMOVE_AT_ONCE) {
    const chunk = keys.slice(from, from + REMOVE_AT_ONCE);
    const marks = chunk.map(() => '?').join(',');
    await session.run(`DELETE FROM ${table} WHERE ${column} IN (${marks})`, chunk);
  }
}

export const fenced = (db: Database, epoch: number): StoreError =>
  new StoreError(
    'FENCED',
    `${db.where}: the lease is no longer that of epoch ${epoch}. This instance must stop writing and stand by.`,
  );
