/**
 * An export of the log and its verification, offline, from texts and trusted keys alone. A line holds the
 * leaf's hash beside the record, so that an edited record is named and not only the stretch it lies in.
 * Reading files, and naming an exit code, is done elsewhere.
 */
import { canonical, type Json } from './canonical.ts';
import { MerkleLog } from './log.ts';
import { cosignedAt, isSignedBy, type NoteKey, readNote, type SignedCheckpoint } from './note.ts';
import { type Aside, reveal } from './record.ts';
import { type Hash, leafHash, verifyInclusion } from './tree.ts';

export const exportLine = (text: string, leaf: Hash = leafHash(text)): string =>
  `{"leaf":"${leaf.toString('base64url')}","record":${text}}`;

/** A record as it was read back: no field is known to be there. */
export type StoredRecord = { readonly [field: string]: Json | undefined };

export interface ExportInput {
  /** Lines of records from the first on, without line breaks. */
  readonly lines: Iterable<string>;
  /** Checkpoint notes of this log, in any order. */
  readonly checkpoints: readonly string[];
  readonly log: NoteKey;
  readonly origin: string;
  /** Each of the checkpoints that it has cosigned must be the log's; one must have `quorum` of them. */
  readonly witnesses?: readonly NoteKey[];
  readonly quorum?: number;
  /** Checkpoints known from elsewhere (a witness, an earlier export): this log must contain them. */
  readonly known?: readonly string[];
  readonly asides?: ReadonlyMap<string, Aside>;
  /** Further questions to each record in order: sums of the ledger, replay of decisions. Text is a complaint. */
  readonly inspect?: readonly ((record: StoredRecord) => string | undefined)[];
}

export interface ExportVerdict {
  readonly ok: boolean;
  readonly records: number;
  readonly checkpoints: number;
  /** Records after the last checkpoint: not wrong, but nobody has vouched for them. */
  readonly unsigned: number;
  /** Of the last checkpoint that has enough of them; the newest may not have been shown to anybody yet. */
  readonly cosignatures: number;
  /** Records that this checkpoint covers. */
  readonly witnessed: number;
  readonly erased: number;
  /** Leaves whose record retention has taken: in their place, and nothing can be said of them. */
  readonly withheld: number;
  readonly bad?: BadRecord;
}
export interface BadRecord {
  /** The first record that is wrong; when only a stretch is known, its first, and `upTo` its last. */
  readonly seq: number;
  readonly upTo?: number;
  readonly why: string;
}

export const asideKey = (seq: number, field: string): string => `${seq}/${field}`;

export function verifyExport(input: ExportInput): ExportVerdict {
  const notes = readNotes(input);
  const { witnesses = [], quorum = 0 } = input;
  const vouched = notes.signed.findLast((note) => countWitnesses(note, witnesses) >= Math.max(1, quorum));
  const log = new MerkleLog();
  let [checked, at, erased, withheld] = [0, 0, 0, 0];
  const done = (bad?: BadRecord): ExportVerdict => ({
    ok: bad === undefined,
    records: log.size,
    checkpoints: at,
    unsigned: log.size - checked,
    cosignatures: bad === undefined ? countWitnesses(vouched, witnesses) : 0,
    witnessed: bad === undefined ? (vouched?.checkpoint.size ?? 0) : 0,
    erased,
    withheld,
    ...(bad === undefined ? {} : { bad }),
  });
  if (notes.bad !== undefined) return done(notes.bad);

  /** Compares with every checkpoint of the present size; a difference lies after the last one that agreed. */
  const compare = (): BadRecord | undefined => {
    for (let note = notes.signed[at]; note?.checkpoint.size === log.size; note = notes.signed[++at]) {
      if (!note.checkpoint.root.equals(log.root()))
        return {
          seq: checked,
          upTo: log.size - 1,
          why: `the root at ${log.size} is not the one that was signed`,
        };
      checked = log.size;
    }
    return undefined;
  };
  let bad = compare();
  for (const line of input.lines) {
    if (bad !== undefined) break;
    const seq = log.size;
    const read = readLine(line, seq);
    if (typeof read === 'string') return done({ seq, why: read });
    if (read.record === undefined) withheld++;
    else {
      const personal = checkAsides(read.record, seq, input.asides);
      if (personal === 'WRONG') return done({ seq, why: 'a personal value is not the one that was sealed' });
      erased += personal;
      for (const ask of input.inspect ?? []) {
        const complaint = ask(read.record);
        if (complaint !== undefined) return done({ seq, why: complaint });
      }
    }
    log.append(read.leaf);
    log.durable(log.size);
    bad = compare();
  }
  if (bad !== undefined) return done(bad);
  const next = notes.signed[at];
  if (next !== undefined)
    return done({
      seq: log.size,
      upTo: next.checkpoint.size - 1,
      why: 'the tail is cut off: a checkpoint covers more',
    });
  if (quorum > 0 && vouched === undefined)
    return done({ seq: 0, why: `no checkpoint has ${quorum} of these witnesses` });
  return done();
}

/** All checkpoints by size, or the first thing that is wrong with one. */
function readNotes(input: ExportInput): {
  readonly signed: readonly SignedCheckpoint[];
  readonly bad?: BadRecord;
} {
  const signed: SignedCheckpoint[] = [];
  const wrong = (seq: number, why: string): { signed: readonly SignedCheckpoint[]; bad: BadRecord } => ({
    signed: [],
    bad: { seq, why },
  });
  for (const text of [...input.checkpoints, ...(input.known ?? [])]) {
    const note = readNote(text);
    if (note === undefined) return wrong(0, 'a checkpoint is not a signed note');
    const { origin, size } = note.checkpoint;
    if (origin !== input.origin)
      return wrong(Math.max(0, size - 1), `a checkpoint is of another log, ${origin}`);
    if (!isSignedBy(note, input.log))
      return wrong(Math.max(0, size - 1), `the checkpoint at ${size} is not signed by the log`);
    signed.push(note);
  }
  if (input.checkpoints.length === 0) return wrong(0, 'there is no checkpoint');
  signed.sort((a, b) => a.checkpoint.size - b.checkpoint.size);
  for (const [i, note] of signed.entries()) {
    const before = signed[i - 1]?.checkpoint;
    const { size, root } = note.checkpoint;
    if (before?.size === size && !before.root.equals(root))
      return wrong(Math.max(0, size - 1), `the log has signed two roots of ${size} records: it is forked`);
  }
  return { signed };
}

const HEAD = '{"leaf":"';
const MIDDLE = '","record":';
/** 32 bytes in base64url. */
const LEAF_TEXT = 43;
const BARE = /^\{"leaf":"([A-Za-z0-9_-]{43})"\}$/;

/** A record that retention has taken: its leaf stands for it. */
export const bareLine = (leaf: Hash): string => `{"leaf":"${leaf.toString('base64url')}"}`;

function readLine(
  line: string,
  seq: number,
): { readonly record: StoredRecord | undefined; readonly leaf: Hash } | string {
  const bare = BARE.exec(line);
  if (bare !== null) return { record: undefined, leaf: Buffer.from(bare[1] as string, 'base64url') };
  const middle = HEAD.length + LEAF_TEXT;
  const text = line.slice(middle + MIDDLE.length, -1);
  let record: StoredRecord;
  try {
    // Whatever else than an object this is has no seq of its own.
    record = JSON.parse(text) as StoredRecord;
    if (record['seq'] !== seq) return `the record says ${JSON.stringify(record['seq'])} and stands at ${seq}`;
    // Two readers of a text that is not canonical could read two records.
    if (canonical(record) !== text) return 'the record is not in its one form';
  } catch {
    return 'the line is not a record';
  }
  const leaf = leafHash(text);
  const stated = line.slice(HEAD.length, middle);
  const framed = line.startsWith(HEAD) && line.startsWith(MIDDLE, middle) && line.endsWith('}');
  return framed && stated === leaf.toString('base64url')
    ? { record, leaf }
    : 'the record is not the one that was hashed';
}

function checkAsides(record: StoredRecord, seq: number, asides: ExportInput['asides']): number | 'WRONG' {
  if (asides === undefined) return 0;
  let erased = 0;
  for (const field of ['actor', 'reason']) {
    if (record[field] === undefined) continue;
    const value = reveal(record[field], asides.get(asideKey(seq, field)));
    if (value === 'WRONG') return 'WRONG';
    if (value === 'ERASED') erased++;
  }
  return erased;
}

const countWitnesses = (note: SignedCheckpoint | undefined, witnesses: readonly NoteKey[]): number =>
  note === undefined ? 0 : witnesses.filter((w) => cosignedAt(note, w) !== undefined).length;

/** One record with all that is needed to believe it, without showing any other. */
export interface RecordProof {
  readonly record: string;
  readonly seq: number;
  /** Base64url, nearest sibling first. */
  readonly inclusion: readonly string[];
  readonly checkpoint: string;
}

/** What is wrong with the proof, or undefined. */
export function verifyRecordProof(proof: RecordProof, log: NoteKey, origin: string): string | undefined {
  const note = readNote(proof.checkpoint);
  if (note === undefined) return 'the checkpoint is not a signed note';
  if (note.checkpoint.origin !== origin) return 'the checkpoint is of another log';
  if (!isSignedBy(note, log)) return 'the checkpoint is not signed by the log';
  const hashes = proof.inclusion.map((text) => Buffer.from(text, 'base64url'));
  const { size, root } = note.checkpoint;
  if (!verifyInclusion(leafHash(proof.record), proof.seq, size, hashes, root))
    return `record ${proof.seq} is not in the log that was signed`;
  return undefined;
}
