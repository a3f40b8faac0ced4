/**
 * Retention of the audit log: the records of whole tiles give way to their leaves, so that the tree, and every
 * proof about what remains, stay as they were. Bounded work per call; the caller comes again while there is more.
 */
import type { InstantMs } from '../kernel/clock.ts';
import { LEAVES_PER_TILE as TILE } from './audit.ts';
import { fenced } from './commit.ts';
import type { Database } from './database.ts';
import { fence } from './lease.ts';
import type { Session } from './session.ts';

/** How many tiles one call folds: bounded work. */
const TILES_AT_ONCE = 8;

/** Retention: puts leaves in the place of the records of whole tiles whose last record is older. True: there may be more. */
export function prune(db: Database, epoch: number, before: InstantMs, now: InstantMs): Promise<boolean> {
  return db.write(async (session) => {
    if (!(await fence(session, { epoch, clock: now, eventSeq: 0, effectSeq: 0 }))) throw fenced(db, epoch);
    return foldTiles(session, before);
  }, true);
}

async function foldTiles(session: Session, before: InstantMs): Promise<boolean> {
  const old = await session.all(
    `SELECT tile FROM audit_tiles WHERE leaves IS NULL
       AND (SELECT time FROM audit_records WHERE seq = tile * ${TILE} + ${TILE - 1}) < ?
     ORDER BY tile LIMIT ?`,
    [before, TILES_AT_ONCE],
  );
  for (const { tile } of old) {
    const bounds = [(tile as number) * TILE, ((tile as number) + 1) * TILE];
    const found = await session.all(
      'SELECT leaf FROM audit_records WHERE seq >= ? AND seq < ? ORDER BY seq',
      bounds,
    );
    const text = found.map((row) => row['leaf'] as string).join('');
    await session.run('UPDATE audit_tiles SET leaves = ? WHERE tile = ?', [text, tile as number]);
    await session.run('DELETE FROM audit_asides WHERE seq >= ? AND seq < ?', bounds);
    // One checkpoint for each tile is enough to hold on to.
    await session.run(
      `DELETE FROM audit_checkpoints WHERE size > ? AND size < (
         SELECT MAX(size) FROM audit_checkpoints WHERE size > ? AND size <= ?)`,
      [bounds[0] as number, bounds[0] as number, bounds[1] as number],
    );
    await session.run('DELETE FROM audit_records WHERE seq >= ? AND seq < ?', bounds);
  }
  return old.length === TILES_AT_ONCE;
}
