/** What other domains have published about themselves: one row each, the newest that was accepted. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  const text = String(knex.client.config.client) === 'pg' ? 'text COLLATE "C"' : 'text';
  await knex.raw(`CREATE TABLE domains (
       id ${text} PRIMARY KEY,
       epoch bigint NOT NULL CHECK (epoch >= 0),
       n bigint NOT NULL CHECK (n >= 0),
       expire_time bigint NOT NULL,
       doc text NOT NULL
     )`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE domains');
}
