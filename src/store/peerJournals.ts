/**
 * What operators may see of the messages of each peer, over restarts: written by itself and not with a group, for
 * nobody waits for it and nothing is decided by it.
 */
import type { PeerJournal } from '../broker/abroad/peerOffice.ts';
import type { InstantMs } from '../kernel/clock.ts';
import { fenced } from './commit.ts';
import type { Database } from './database.ts';
import { fence } from './lease.ts';
import { docOf } from './rows.ts';
import { Insert, type Row } from './session.ts';

const rows = new Insert('peer_journals', ['id', 'doc'], 'ON CONFLICT (id) DO UPDATE SET doc = excluded.doc');

export function keepJournals(
  db: Database,
  epoch: number,
  journals: readonly PeerJournal[],
  now: InstantMs,
): Promise<void> {
  return db.write(async (session) => {
    if (!(await fence(session, { epoch, clock: now, eventSeq: 0, effectSeq: 0 }))) throw fenced(db, epoch);
    await rows.run(
      session,
      journals.map((journal) => [journal.domain, JSON.stringify(journal)]),
    );
  }, false);
}

export async function journalsOf(db: Database): Promise<PeerJournal[]> {
  const found: Row[] = await db.readers<Row>('peer_journals').select('doc').orderBy('id');
  return found.map((row) => docOf<PeerJournal>(row));
}
