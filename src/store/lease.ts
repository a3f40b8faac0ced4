/**
 * The lease row: who may write, until when, and the epoch that fences everybody who had it before. One
 * UPDATE decides; the row's lock makes two instances take turns.
 */
import type { LeaseAnswer } from '../broker/ports.ts';
import type { Database } from './database.ts';
import { because, kindOf } from './errors.ts';
import type { Row, Session } from './session.ts';

/** `atOnce`: nobody else can have it, whatever the row says. */
export async function acquire(
  db: Database,
  holder: string,
  ttlMs: number,
  atOnce: boolean,
): Promise<LeaseAnswer> {
  const now = db.now();
  // Looking takes no lock: one who stands by does not get in the way of the leader's groups.
  const seen = await look(db);
  if (!atOnce && seen.holder !== null && seen.holder !== holder && seen.leftMs > 0) return notOurs(seen);
  const epoch = await db.write(async (session) => {
    // Ours and not lapsed: the same epoch, a later end. Free or lapsed: ours from now on, with a higher epoch.
    const [taken] = await session.all(
      `UPDATE lease SET
         epoch = CASE WHEN holder = ? AND expire_time > ${now.sql} AND ? = 0 THEN epoch ELSE epoch + 1 END,
         holder = ?,
         expire_time = ${now.sql} + ?
       WHERE id = 1 AND (holder IS NULL OR holder = ? OR expire_time <= ${now.sql} OR ? = 1)
       RETURNING epoch`,
      [
        ...[holder, ...now.values, atOnce ? 1 : 0, holder, ...now.values, ttlMs],
        ...[holder, ...now.values, atOnce ? 1 : 0],
      ],
    );
    return taken?.['epoch'] as number | undefined;
  }, true);
  return epoch === undefined ? notOurs(await look(db)) : { held: true, epoch };
}

interface Seen {
  readonly holder: string | null;
  readonly epoch: number;
  readonly leftMs: number;
}

async function look(db: Database): Promise<Seen> {
  const now = db.now();
  const row: Row | undefined = await db
    .readers<Row>('lease')
    .where({ id: 1 })
    .first('holder', 'epoch', db.readers.raw(`expire_time - ${now.sql} AS left_ms`, [...now.values]));
  if (row === undefined) throw because('CORRUPT', db.where, 'the lease row is missing');
  return {
    holder: row['holder'] as string | null,
    epoch: row['epoch'] as number,
    leftMs: row['left_ms'] as number,
  };
}

const notOurs = ({ holder, leftMs }: Seen): LeaseAnswer => ({
  held: false,
  leader: holder ?? 'nobody',
  expiresInMs: Math.max(0, leftMs),
});

/** False when another instance has taken it. A lapse that nobody used is forgiven: the epoch still fences. */
export async function renew(db: Database, holder: string, epoch: number, ttlMs: number): Promise<boolean> {
  const now = db.now();
  const text = `UPDATE lease SET expire_time = ${now.sql} + ? WHERE id = 1 AND holder = ? AND epoch = ?`;
  try {
    const values = [...now.values, ttlMs, holder, epoch];
    return (await db.write((session) => session.run(text, values), false)) === 1;
  } catch (error) {
    // With one process the date is a formality: a full disk must neither end the lease nor eat the reserve.
    if (!db.exclusive || kindOf(error) !== 'FULL') throw error;
    const seen = await look(db);
    return seen.holder === holder && seen.epoch === epoch;
  }
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
