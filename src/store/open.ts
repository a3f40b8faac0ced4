/** Opens the store that the configuration names: checked, migrated and ready. Throws StoreError. */
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { openPostgres, type PostgresOptions } from './postgres.ts';
import { openSqlite, type SqliteOptions } from './sqlite.ts';
import { KnexStore } from './store.ts';

export type StoreOptions = SqliteOptions | PostgresOptions;

export async function openStore(
  options: StoreOptions,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<KnexStore> {
  switch (options.client) {
    case 'sqlite':
      return new KnexStore(await openSqlite(options, clock, log));
    case 'postgres':
      return new KnexStore(await openPostgres(options));
  }
}
