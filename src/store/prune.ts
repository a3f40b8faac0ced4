/**
 * Retention: takes circuits that ended long ago with all that hangs on them, and log lines that belong to
 * none. Bounded work per call, so that the writer never waits long; the caller comes again while there is more.
 */
import type { InstantMs } from '../kernel/clock.ts';
import { fenced } from './commit.ts';
import type { Database } from './database.ts';
import { fence } from './lease.ts';
import type { Session, Value } from './session.ts';
import { pruneTokens } from './tokens.ts';

/** Circuits a call; one has five or so events and as many decisions. */
const CIRCUITS_AT_ONCE = 200;
const LINES_AT_ONCE = 2_000;

export interface Pruned {
  readonly circuits: number;
  readonly events: number;
  readonly more: boolean;
}

export async function prune(db: Database, epoch: number, before: InstantMs, now: InstantMs): Promise<Pruned> {
  return db.write(async (session) => {
    if (!(await fence(session, { epoch, clock: now, eventSeq: 0, effectSeq: 0 }))) throw fenced(db, epoch);
    // A participant's tombstone has its own time in prune_time, which may lie ahead of `before`.
    const old = await session.all(
      `SELECT id FROM circuits
       WHERE prune_time IS NOT NULL AND prune_time < ?
         AND NOT EXISTS (SELECT 1 FROM effects WHERE effects.circuit_id = circuits.id)
       ORDER BY prune_time, id LIMIT ?`,
      [before, CIRCUITS_AT_ONCE],
    );
    const ids = old.map((row) => row['id'] as string);
    let events = 0;
    if (ids.length > 0) {
      const marks = ids.map(() => '?').join(',');
      events += await session.run(`DELETE FROM events WHERE circuit_id IN (${marks})`, ids);
      await session.run(`DELETE FROM decisions WHERE circuit_id IN (${marks})`, ids);
      await session.run(`DELETE FROM octets WHERE circuit_id IN (${marks})`, ids);
      await session.run(`DELETE FROM circuits WHERE id IN (${marks})`, ids);
    }
    const looseEvents = await oldest(session, 'events', 'seq', 'circuit_id IS NULL AND time < ?', [before]);
    const decisions = await oldest(session, 'decisions', 'id', 'circuit_id IS NULL AND time < ?', [before]);
    const keys = await session.run('DELETE FROM idempotency WHERE expire_time <= ?', [now]);
    await pruneTokens(session, before, now);
    const groups = (await empty(session, 'series', before)) + (await empty(session, 'sets', before));
    events += looseEvents;
    return {
      circuits: ids.length,
      events,
      more:
        ids.length === CIRCUITS_AT_ONCE ||
        Math.max(looseEvents, decisions, groups) >= LINES_AT_ONCE ||
        keys < 0,
    };
  }, true);
}

function oldest(
  session: Session,
  table: string,
  key: string,
  where: string,
  values: readonly Value[],
): Promise<number> {
  return session.run(
    `DELETE FROM ${table} WHERE ${key} IN (SELECT ${key} FROM ${table} WHERE ${where} ORDER BY ${key} LIMIT ?)`,
    [...values, LINES_AT_ONCE],
  );
}

/** Series and sets go when the last of their circuits has gone. */
function empty(session: Session, table: 'series' | 'sets', before: InstantMs): Promise<number> {
  const column = table === 'series' ? 'series_id' : 'set_id';
  return oldest(
    session,
    table,
    'id',
    `create_time < ? AND NOT EXISTS (SELECT 1 FROM circuits WHERE circuits.${column} = ${table}.id)`,
    [before],
  );
}
