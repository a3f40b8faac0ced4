/** What a witness cosigned, as the other's log had signed it: what was there before is known by its root only. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  await knex.raw("ALTER TABLE audit_witnessed ADD COLUMN note text NOT NULL DEFAULT ''");
}

export async function down(): Promise<void> {
  throw new Error('what was cosigned is not forgotten: restore a backup instead');
}
