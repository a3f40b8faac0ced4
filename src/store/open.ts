/** Opens the store that the configuration names, migrated and ready. */
import type { Clock } from '../kernel/clock.ts';
import type { Log } from '../kernel/log.ts';
import { openSqlite, type SqliteOptions } from './sqlite.ts';
import { KnexStore } from './store.ts';

export type StoreOptions = SqliteOptions;

export async function openStore(
  options: StoreOptions,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<KnexStore> {
  return new KnexStore(await openSqlite(options, clock, log));
}
