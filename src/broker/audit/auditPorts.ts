/**
 * The audit log as the store keeps it: rows of one transaction with what they record, and what a term reads
 * back to rebuild the tree. Hashes and salts are base64url texts; what they mean is aaa/merkle's matter.
 */
import type { Aside, AuditRecord } from '../../aaa/merkle/record.ts';
import type { InstantMs } from '../../kernel/clock.ts';

/** What a decision wants recorded; number, time and domain are given when its group is formed. */
export type AuditEntry = Omit<AuditRecord, 'seq' | 'time' | 'domain'>;

export interface AuditRow {
  readonly seq: number;
  readonly time: InstantMs;
  readonly decisionId?: string;
  /** The hash of exactly this text. */
  readonly leaf: string;
  readonly text: string;
}

/** 256 leaves that are complete; their hash stands for them when the tree is rebuilt. */
export interface AuditTile {
  readonly tile: number;
  readonly hash: string;
}

/** A signed note over the first `size` records, all of which were durable when it was signed. */
export interface CheckpointRow {
  readonly origin: string;
  readonly size: number;
  readonly time: InstantMs;
  readonly note: string;
}

export interface Cosignature {
  readonly origin: string;
  readonly size: number;
  readonly line: string;
}

/** The last that we vouched for of another's log; the root in base64. */
export interface Witnessed {
  readonly origin: string;
  readonly size: number;
  readonly root: string;
  /** As its log signed it: evidence, should the log ever show another. */
  readonly note: string;
}

/** What one group adds to the log. */
export interface AuditGroup {
  readonly rows: readonly AuditRow[];
  readonly asides: readonly Aside[];
  readonly tiles: readonly AuditTile[];
  readonly checkpoints: readonly CheckpointRow[];
  /** Lines that witnesses have added to stored checkpoints. */
  readonly cosignatures: readonly Cosignature[];
  /** What we have cosigned of other logs, one for each. */
  readonly witnessed: readonly Witnessed[];
  /** Principals to be forgotten. */
  readonly erasures: readonly string[];
}

export const NO_AUDIT: AuditGroup = {
  rows: [],
  asides: [],
  tiles: [],
  checkpoints: [],
  cosignatures: [],
  witnessed: [],
  erasures: [],
};

/** A record as it is read back: without its text once retention has taken that. The leaf stays. */
export type StoredAuditRow = Pick<AuditRow, 'seq' | 'leaf'> & {
  readonly text?: string;
  readonly asides: readonly Aside[];
};

export interface AuditStore {
  /** The hashes of all complete tiles, from the first on. */
  auditTiles(): Promise<readonly string[]>;
  /** The leaves of records [from, to), in order. */
  auditLeaves(from: number, to: number): Promise<readonly string[]>;
  /** Records from `from` on, in order. */
  auditRows(from: number, limit: number): Promise<readonly StoredAuditRow[]>;
  /** The number of the record of a decision. */
  auditSeqOf(decisionId: string): Promise<number | undefined>;
  /** The last checkpoint that was signed, of whatever origin. */
  lastCheckpoint(): Promise<CheckpointRow | undefined>;
  /** Checkpoints of an origin with more than `after` records, by size. */
  checkpoints(origin: string, after: number, limit: number): Promise<readonly CheckpointRow[]>;
  /** What we vouched for of the logs of a domain, of whatever origin. */
  witnessed(domain: string): Promise<readonly Witnessed[]>;
  /** Whole tiles whose last record is older keep their leaves only. True: there may be more. */
  pruneAudit(epoch: number, before: InstantMs, now: InstantMs): Promise<boolean>;
}
