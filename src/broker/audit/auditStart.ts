/**
 * The audit log at the start of a term: the tree is rebuilt from what is stored (one hash for each 256 records
 * and the leaves of the rest) and compared with the checkpoints that were signed over it, the store's own last
 * one and the one kept beside the key. A log that is not the one that was signed is not added to.
 */
import type { KeyObject } from 'node:crypto';
import { MerkleLog, TILE } from '../../aaa/merkle/log.ts';
import { type Checkpoint, isSignedBy, type NoteKey, readNote } from '../../aaa/merkle/note.ts';
import type { AuditStore, CheckpointRow } from './auditPorts.ts';

/** The key of the log and what is kept beside it, outside the store. */
export interface AuditKeeper {
  /** Private, Ed25519. */
  readonly key: KeyObject;
  /** The last checkpoint that was made durable under this key, as far as this machine knows. */
  head(): string | undefined;
  keepHead(note: string): void;
  /** Why an operator lets the log go on although it is not the one that was signed. */
  continuation(): string | undefined;
  /** It has gone on. */
  continued(): void;
}

/** The stored log is not the one that was signed. */
export class AuditMismatch extends Error {
  override readonly name = 'AuditMismatch';
  constructor(detail: string) {
    super(
      `the audit log is not the one that was signed: ${detail}. If the store was restored from a backup on purpose, stop the broker and say so with \`turnpike audit continue\``,
    );
  }
}

export interface OpenedLog {
  readonly tree: MerkleLog;
  readonly signer?: NoteKey;
  /** Lines that each checkpoint of this origin carries. */
  readonly extensions: readonly string[];
  /** The last checkpoint of this origin. */
  readonly last?: CheckpointRow;
  /** It goes on where another left off: what to record about that. */
  readonly continues?: { readonly reason: string; readonly from: Checkpoint };
}

/** The name and the lines of a log that goes on where another left off, and who signs it. */
export function continuing(
  from: Checkpoint,
  { name, key }: NoteKey,
): Required<Pick<OpenedLog, 'signer'>> & Pick<OpenedLog, 'extensions'> {
  const generation = Math.max(generationOf(from.origin), generationOf(name)) + 1;
  return {
    signer: { name: originOf(domainOf(name), generation), key },
    extensions: [`continues ${from.origin} ${from.size} ${from.root.toString('base64')}`],
  };
}

type Reads = Pick<AuditStore, 'auditTiles' | 'auditLeaves' | 'lastCheckpoint'>;

const hash = (text: string): Buffer => Buffer.from(text, 'base64url');

const originOf = (domain: string, generation: number): string => `${domain}/audit/${generation}`;
export const generationOf = (origin: string): number =>
  Number(/\/audit\/([1-9][0-9]*)$/.exec(origin)?.[1] ?? 0);
/** Whose log it is, by its name. */
export const domainOf = (origin: string): string => origin.replace(/\/audit\/.*$/, '');

/** The root of the first `size` records, from no more than their tiles and one tile's leaves. */
export async function rootAt(
  store: Pick<AuditStore, 'auditTiles' | 'auditLeaves'>,
  size: number,
): Promise<Buffer> {
  const whole = Math.floor(size / TILE);
  const tiles = (await store.auditTiles()).slice(0, whole).map(hash);
  return new MerkleLog(tiles, (await store.auditLeaves(whole * TILE, size)).map(hash)).root();
}

export async function openLog(store: Reads, domain: string, keeper?: AuditKeeper): Promise<OpenedLog> {
  const tiles = (await store.auditTiles()).map(hash);
  const tail = await store.auditLeaves(tiles.length * TILE, Number.MAX_SAFE_INTEGER);
  const tree = new MerkleLog(tiles, tail.map(hash));
  if (keeper === undefined) return { tree, extensions: [] };

  const row = await store.lastCheckpoint();
  const [last, head] = [row?.note, keeper.head()].map((note) => readNote(note ?? '')?.checkpoint);
  const origin = last?.origin ?? head?.origin ?? originOf(domain, 1);
  const reason = keeper.continuation();
  // The longest of what was signed is what somebody outside may have seen.
  const from = (head?.size ?? 0) > (last?.size ?? 0) ? head : last;
  if (reason !== undefined && from !== undefined) {
    const latest =
      generationOf(head?.origin ?? '') > generationOf(origin) ? (head?.origin ?? origin) : origin;
    return { tree, ...continuing(from, { name: latest, key: keeper.key }), continues: { reason, from } };
  }

  const signer: NoteKey = { name: origin, key: keeper.key };
  const compare = async (text: string, where: string): Promise<void> => {
    const note = readNote(text);
    if (note === undefined) throw new AuditMismatch(`${where} is not a checkpoint`);
    const { origin: of, size, root } = note.checkpoint;
    // Another instance has already gone on under a later name, and this machine has not heard of it.
    if (generationOf(of) < generationOf(origin)) return;
    if (of !== origin) throw new AuditMismatch(`${where} is of ${of}, and the store's log is ${origin}`);
    if (!isSignedBy(note, signer))
      throw new AuditMismatch(`${where} was signed with another key than the one in audit.key_file`);
    if (size > tree.size)
      throw new AuditMismatch(`${where} covers ${size} records, and the store has ${tree.size}`);
    if (!root.equals(await rootAt(store, size)))
      throw new AuditMismatch(`${where} covers ${size} records, and those in the store are others`);
  };
  if (row !== undefined) await compare(row.note, 'the last checkpoint in the store');
  const kept = keeper.head();
  if (kept !== undefined && head !== undefined) await compare(kept, 'the checkpoint kept beside the key');
  return {
    tree,
    signer,
    extensions: last?.extensions ?? [],
    ...(row === undefined || last?.origin !== origin ? {} : { last: row }),
  };
}
