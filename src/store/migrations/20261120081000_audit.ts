/**
 * The audit log: its records with their leaves, what is personal in them aside, one hash for each 256 of
 * them, and the checkpoints that were signed. Append only; retention takes texts and never a leaf.
 */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  const postgres = String(knex.client.config.client) === 'pg';
  // Byte order on both, as in the first schema.
  const text = postgres ? 'text COLLATE "C"' : 'text';
  const key = postgres ? 'bigint' : 'integer';
  const statements = [
    `CREATE TABLE audit_records (
       seq ${key} PRIMARY KEY CHECK (seq >= 0),
       time bigint NOT NULL,
       decision_id ${text},
       leaf text NOT NULL,
       record text NOT NULL
     )`,
    `CREATE UNIQUE INDEX audit_records_decision ON audit_records (decision_id) WHERE decision_id IS NOT NULL`,
    // Whatever is here can be erased, and every proof still holds.
    `CREATE TABLE audit_asides (
       seq bigint NOT NULL,
       field ${text} NOT NULL,
       salt text NOT NULL,
       value text NOT NULL,
       PRIMARY KEY (seq, field)
     )${postgres ? '' : ' WITHOUT ROWID'}`,
    // leaves: those of the tile, one behind the other, once retention has taken its records.
    `CREATE TABLE audit_tiles (
       tile ${key} PRIMARY KEY CHECK (tile >= 0),
       hash text NOT NULL,
       leaves text
     )`,
    `CREATE TABLE audit_checkpoints (
       origin ${text} NOT NULL,
       size bigint NOT NULL CHECK (size > 0),
       time bigint NOT NULL,
       note text NOT NULL,
       PRIMARY KEY (origin, size)
     )`,
    `CREATE INDEX audit_checkpoints_time ON audit_checkpoints (time, size)`,
  ];
  for (const statement of statements) await knex.raw(statement);
}

export async function down(): Promise<void> {
  throw new Error('an audit log is not taken back: restore a backup instead');
}
