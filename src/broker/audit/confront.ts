/**
 * What a witness shows of our own log, against what we have. It counts only with our own signature: then a longer
 * log than ours, or other records than ours, says that this store is not the one that was signed over, and the log
 * must go on under another name, so that nobody takes what follows for what was promised before.
 */
import { type Checkpoint, isSignedBy, type NoteKey, readNote } from '../../aaa/merkle/note.ts';
import type { AuditStore } from './auditPorts.ts';
import { domainOf, generationOf, rootAt } from './auditStart.ts';

/** CONTINUED: the log has got a new name. NOT_OURS: we have not signed that. */
export type Confronted = 'KNOWN' | 'NOT_OURS' | 'CONTINUED';

export interface Contradiction {
  readonly detail: string;
  /** What we signed once, and cannot show. */
  readonly from: Checkpoint;
}

export async function confront(
  text: string,
  signer: NoteKey,
  durable: number,
  store: Pick<AuditStore, 'auditTiles' | 'auditLeaves'>,
): Promise<Contradiction | 'KNOWN' | 'NOT_OURS'> {
  const note = readNote(text);
  if (note === undefined) return 'NOT_OURS';
  const { origin, size, root } = note.checkpoint;
  const ours = domainOf(origin) === domainOf(signer.name) && generationOf(origin) > 0;
  if (!ours || !isSignedBy(note, { name: origin, key: signer.key })) return 'NOT_OURS';
  const from = note.checkpoint;
  const later = generationOf(origin) - generationOf(signer.name);
  // What this log goes on from was told when it did.
  if (later < 0) return 'KNOWN';
  if (later > 0) return { from, detail: `${origin}, and we are at ${signer.name}` };
  if (size > durable) return { from, detail: `${size} records, and the store has ${durable}` };
  if (!root.equals(await rootAt(store, size)))
    return { from, detail: `${size} records, and ours are others` };
  return 'KNOWN';
}
