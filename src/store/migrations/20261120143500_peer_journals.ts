/** The last messages to and from each peer, for operators: one row each, written anew now and then. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  const text = String(knex.client.config.client) === 'pg' ? 'text COLLATE "C"' : 'text';
  await knex.raw(`CREATE TABLE peer_journals (
    id ${text} PRIMARY KEY,
    doc text NOT NULL
  )`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE peer_journals');
}
