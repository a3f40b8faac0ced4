/** How other domains stand with us: one row each. A lower epoch is an operator's word that it may begin again. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  const text = String(knex.client.config.client) === 'pg' ? 'text COLLATE "C"' : 'text';
  await knex.raw(`CREATE TABLE peer_standings (
    id ${text} PRIMARY KEY,
    epoch bigint NOT NULL CHECK (epoch >= 0),
    doc text NOT NULL
  )`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE peer_standings');
}
