/**
 * A copy of a SQLite file without holes, from the broker itself or from beside it. Written beside its name
 * first, so that half a copy never looks like a whole one.
 */
import { closeSync, existsSync, openSync, renameSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Knex } from 'knex';
import { because } from './errors.ts';

export async function copySqlite(db: Knex, file: string): Promise<void> {
  const target = resolve(file);
  if (existsSync(target)) throw because('CONFLICT', target, 'it exists; a backup overwrites nothing');
  const part = `${target}.part`;
  rmSync(part, { force: true });
  closeSync(openSync(part, 'wx', 0o600));
  try {
    await db.raw('VACUUM INTO ?', [part]);
    renameSync(part, target);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
}
