/**
 * Policies as immutable versions, and which of them was put in force when. Nothing in either table is ever
 * changed or removed: a decision is replayed with the text that made it.
 */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  const pg = String(knex.client.config.client) === 'pg';
  const text = pg ? 'text COLLATE "C"' : 'text';
  const key = pg ? 'bigint' : 'integer';
  await knex.raw(`CREATE TABLE policies (
    id ${text} PRIMARY KEY,
    create_time bigint NOT NULL,
    sha256 ${text} NOT NULL,
    doc text NOT NULL
  )`);
  await knex.raw('CREATE INDEX policies_create ON policies (create_time, id)');
  await knex.raw(`CREATE TABLE policy_activations (
    seq ${key} PRIMARY KEY CHECK (seq > 0),
    time bigint NOT NULL,
    policy_id ${text} NOT NULL REFERENCES policies (id),
    doc text NOT NULL
  )`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE policy_activations');
  await knex.raw('DROP TABLE policies');
}
