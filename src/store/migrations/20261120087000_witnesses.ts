/** What this broker has seen of the logs of others, as their witness: the last size and root that it cosigned. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  const text = String(knex.client.config.client) === 'pg' ? 'text COLLATE "C"' : 'text';
  await knex.raw(`CREATE TABLE audit_witnessed (
    origin ${text} PRIMARY KEY,
    size bigint NOT NULL CHECK (size >= 0),
    root text NOT NULL
  )`);
}

export async function down(): Promise<void> {
  throw new Error('what was cosigned is not forgotten: restore a backup instead');
}
