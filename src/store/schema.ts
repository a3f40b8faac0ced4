/**
 * Which schema a database has, before anything is written to it. Older ones are migrated; a newer one, or a
 * database of another program, is left alone.
 */
import type { Knex } from 'knex';
import { because } from './errors.ts';
import { migrations } from './migrations/list.ts';

/** Throws NEWER_SCHEMA or CORRUPT. `tables` is what the database has. */
export async function refuseStrangers(knex: Knex, tables: readonly string[], where: string): Promise<void> {
  // Knex's own tables come first, so a first migration that was killed leaves just them.
  if (tables.every((name) => name.startsWith('knex_migrations'))) return;
  const ours =
    tables.includes('meta') &&
    tables.includes('knex_migrations') &&
    (await knex('meta').where({ name: 'product', value: 'turnpike' })).length === 1;
  if (!ours)
    throw because('CORRUPT', where, `it has the tables of another program: ${tables.slice(0, 5).join(', ')}`);
  const applied: readonly { readonly name: string }[] = await knex('knex_migrations')
    .select('name')
    .orderBy('id');
  const known = new Set(migrations.map((m) => m.name));
  const newer = applied.filter((m) => !known.has(m.name)).map((m) => m.name);
  if (newer.length > 0) {
    throw because(
      'NEWER_SCHEMA',
      where,
      `it has ${newer.at(-1)}, this program knows up to ${newestSchema()}`,
    );
  }
}

export const newestSchema = (): string => migrations.at(-1)?.name ?? 'none';
