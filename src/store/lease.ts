/**
 * The lease row: who may write, until when, and the epoch that fences everybody who had it before. One
 * UPDATE decides; the row's lock makes two instances take turns.
 */
import type { LeaseAnswer } from '../broker/ports.ts';
import type { Database } from './database.ts';
import type { Session } from './session.ts';

/** `atOnce`: nobody else can have it, whatever the row says. */
export async function acquire(
  db: Database,
  holder: string,
  ttlMs: number,
  atOnce: boolean,
): Promise<LeaseAnswer> {
  const now = db.now();
  return db.write(async (session) => {
    // Ours and not lapsed: the same epoch, a later end. Free or lapsed: ours from now on, with a higher epoch.
    const taken = await session.all(
      `UPDATE lease SET
         epoch = CASE WHEN holder = ? AND expire_time > ${now.sql} AND ? = 0 THEN epoch ELSE epoch + 1 END,
         holder = ?,
         expire_time = ${now.sql} + ?
       WHERE id = 1 AND (holder IS NULL OR holder = ? OR expire_time <= ${now.sql} OR ? = 1)
       RETURNING epoch`,
      [
        holder,
        ...now.values,
        atOnce ? 1 : 0,
        holder,
        ...now.values,
        ttlMs,
        holder,
        ...now.values,
        atOnce ? 1 : 0,
      ],
    );
    const row = taken[0];
    if (row !== undefined) return { held: true, epoch: row['epoch'] as number };
    const [other] = await session.all(
      `SELECT holder, expire_time - ${now.sql} AS left_ms FROM lease WHERE id = 1`,
      now.values,
    );
    return {
      held: false,
      leader: (other?.['holder'] as string | null | undefined) ?? 'nobody',
      expiresInMs: Math.max(0, Number(other?.['left_ms'] ?? 0)),
    };
  }, true);
}

/** False when another instance has taken it. A lapse that nobody used is forgiven: the epoch still fences. */
export async function renew(db: Database, holder: string, epoch: number, ttlMs: number): Promise<boolean> {
  const now = db.now();
  const changed = await db.write(
    (session) =>
      session.run(`UPDATE lease SET expire_time = ${now.sql} + ? WHERE id = 1 AND holder = ? AND epoch = ?`, [
        ...now.values,
        ttlMs,
        holder,
        epoch,
      ]),
    true,
  );
  return changed === 1;
}

export async function release(db: Database, holder: string, epoch: number): Promise<void> {
  await db.write(
    (session) =>
      session.run(
        'UPDATE lease SET holder = NULL, expire_time = 0 WHERE id = 1 AND holder = ? AND epoch = ?',
        [holder, epoch],
      ),
    true,
  );
}

export interface Raise {
  readonly epoch: number;
  readonly clock: number;
  readonly eventSeq: number;
  readonly effectSeq: number;
}

/** The fence: false when the epoch is no longer the lease's. Raises what only the leader may raise. */
export async function fence(session: Session, raise: Raise): Promise<boolean> {
  const { epoch, clock, eventSeq, effectSeq } = raise;
  const changed = await session.run(
    `UPDATE lease SET
       clock = CASE WHEN clock < ? THEN ? ELSE clock END,
       event_seq = CASE WHEN event_seq < ? THEN ? ELSE event_seq END,
       effect_seq = CASE WHEN effect_seq < ? THEN ? ELSE effect_seq END
     WHERE id = 1 AND epoch = ? AND holder IS NOT NULL`,
    [clock, clock, eventSeq, eventSeq, effectSeq, effectSeq, epoch],
  );
  return changed === 1;
}
