/**
 * The first schema. One text serves SQLite and PostgreSQL: what differs is named in `words`. Columns beside a
 * document exist only to be searched, sorted or constrained; the document is the truth. Instants are
 * milliseconds in 64-bit integers. A migration that has been released is never edited: write another.
 */
import type { Knex } from 'knex';

const FINAL = `('ENDED', 'REJECTED', 'HOLD_EXPIRED', 'CANCELLED', 'FAILED')`;

// Byte order on both: PostgreSQL would otherwise sort by the language of whoever created the database.
const words = (client: string): { readonly text: string; readonly key: string } =>
  client === 'pg' ? { text: 'text COLLATE "C"', key: 'bigint' } : { text: 'text', key: 'integer' };

export async function up(knex: Knex): Promise<void> {
  const { text, key } = words(String(knex.client.config.client));
  const statements = [
    // What the file is, for whoever opens it without us.
    `CREATE TABLE meta (
       name ${text} PRIMARY KEY,
       value ${text} NOT NULL
     )`,
    `INSERT INTO meta (name, value) VALUES ('product', 'turnpike')`,

    // One row: who may write, and what only he may raise. Every group updates it, which is also the fence.
    `CREATE TABLE lease (
       id integer PRIMARY KEY CHECK (id = 1),
       holder ${text},
       epoch bigint NOT NULL CHECK (epoch >= 0),
       expire_time bigint NOT NULL,
       clock bigint NOT NULL,
       event_seq bigint NOT NULL CHECK (event_seq >= 0),
       effect_seq bigint NOT NULL CHECK (effect_seq >= 0)
     )`,
    `INSERT INTO lease (id, holder, epoch, expire_time, clock, event_seq, effect_seq)
       VALUES (1, NULL, 0, 0, 0, 0, 0)`,

    `CREATE TABLE circuits (
       id ${text} PRIMARY KEY,
       role ${text} NOT NULL CHECK (role IN ('HOME', 'PARTICIPANT')),
       state ${text} NOT NULL CHECK (state IN ('RESERVING', 'HELD', 'COMMITTING', 'SCHEDULED', 'PROVISIONING',
         'ACTIVE', 'RELEASING', 'ENDED', 'REJECTED', 'HOLD_EXPIRED', 'CANCELLED', 'FAILED')),
       project ${text} NOT NULL,
       owner ${text} NOT NULL,
       client_ref ${text},
       short_code ${text} NOT NULL,
       a_port ${text} NOT NULL,
       z_port ${text} NOT NULL,
       set_id ${text},
       series_id ${text},
       start_time bigint NOT NULL,
       end_time bigint NOT NULL,
       create_time bigint NOT NULL,
       due_time bigint,
       prune_time bigint,
       revision bigint NOT NULL CHECK (revision > 0),
       doc text NOT NULL,
       CHECK (end_time >= start_time),
       CHECK ((prune_time IS NOT NULL) = (state IN ${FINAL}))
     )`,
    `CREATE UNIQUE INDEX circuits_client_ref ON circuits (project, client_ref)
       WHERE client_ref IS NOT NULL AND state NOT IN ${FINAL}`,
    `CREATE INDEX circuits_live ON circuits (id) WHERE state NOT IN ${FINAL}`,
    `CREATE INDEX circuits_prune ON circuits (prune_time, id) WHERE prune_time IS NOT NULL`,
    `CREATE INDEX circuits_create ON circuits (create_time, id)`,
    `CREATE INDEX circuits_start ON circuits (start_time, id)`,
    `CREATE INDEX circuits_end ON circuits (end_time, id)`,
    `CREATE INDEX circuits_project ON circuits (project, create_time, id)`,
    `CREATE INDEX circuits_owner ON circuits (owner, create_time, id)`,
    `CREATE INDEX circuits_any_ref ON circuits (client_ref, project) WHERE client_ref IS NOT NULL`,
    `CREATE INDEX circuits_a_port ON circuits (a_port)`,
    `CREATE INDEX circuits_z_port ON circuits (z_port)`,
    `CREATE INDEX circuits_short_code ON circuits (short_code)`,
    `CREATE INDEX circuits_set ON circuits (set_id) WHERE set_id IS NOT NULL`,
    `CREATE INDEX circuits_series ON circuits (series_id) WHERE series_id IS NOT NULL`,

    // Append only: nothing but prune() ever deletes, and nothing updates.
    `CREATE TABLE events (
       seq ${key} PRIMARY KEY CHECK (seq > 0),
       type ${text} NOT NULL,
       time bigint NOT NULL,
       circuit_id ${text},
       project ${text} NOT NULL,
       owner ${text} NOT NULL,
       revision bigint NOT NULL,
       epoch bigint NOT NULL,
       data text NOT NULL,
       input text
     )`,
    `CREATE INDEX events_circuit ON events (circuit_id, seq) WHERE circuit_id IS NOT NULL`,
    `CREATE INDEX events_project ON events (project, seq)`,
    `CREATE INDEX events_owner ON events (owner, seq)`,

    // The outbox: a row goes when its effect has been carried out.
    `CREATE TABLE effects (
       seq ${key} PRIMARY KEY CHECK (seq > 0),
       circuit_id ${text} NOT NULL,
       time bigint NOT NULL,
       decision_id ${text} NOT NULL,
       effect text NOT NULL
     )`,
    `CREATE INDEX effects_circuit ON effects (circuit_id)`,

    `CREATE TABLE decisions (
       id ${text} PRIMARY KEY,
       time bigint NOT NULL,
       principal ${text} NOT NULL,
       action ${text} NOT NULL,
       project ${text} NOT NULL,
       circuit_id ${text},
       effect ${text} NOT NULL CHECK (effect IN ('ALLOW', 'DENY')),
       doc text NOT NULL
     )`,
    `CREATE INDEX decisions_time ON decisions (time, id)`,
    `CREATE INDEX decisions_circuit ON decisions (circuit_id) WHERE circuit_id IS NOT NULL`,
    `CREATE INDEX decisions_principal ON decisions (principal, time, id)`,
    `CREATE INDEX decisions_project ON decisions (project, time, id)`,

    `CREATE TABLE idempotency (
       principal ${text} NOT NULL,
       key ${text} NOT NULL,
       body_hash ${text} NOT NULL,
       expire_time bigint NOT NULL,
       answer text NOT NULL,
       PRIMARY KEY (principal, key)
     )`,
    `CREATE INDEX idempotency_expire ON idempotency (expire_time)`,

    ...['series', 'sets'].map(
      (table) => `CREATE TABLE ${table} (
       id ${text} PRIMARY KEY,
       create_time bigint NOT NULL,
       revision bigint NOT NULL CHECK (revision > 0),
       doc text NOT NULL
     )`,
    ),
    `CREATE TABLE webhooks (
       id ${text} PRIMARY KEY,
       state ${text} NOT NULL CHECK (state IN ('ENABLED', 'DISABLED')),
       revision bigint NOT NULL CHECK (revision > 0),
       doc text NOT NULL
     )`,
    `CREATE TABLE topologies (
       version ${key} PRIMARY KEY CHECK (version > 0),
       time bigint NOT NULL,
       doc text NOT NULL
     )`,
  ];
  for (const statement of statements) await knex.raw(statement);
}

export async function down(): Promise<void> {
  throw new Error('the first schema is not taken back: restore a backup instead');
}
