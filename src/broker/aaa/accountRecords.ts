/**
 * What is kept of projects, quotas, money and use: the rows, and what a turn of the writer adds to them. What
 * circuits do to them is in accounts.ts.
 */
import type { Balance, Book, BookState, Transfer } from '../../aaa/ledger/book.ts';
import type { Quota } from '../../aaa/ledger/quota.ts';
import type { InstantMs } from '../../kernel/clock.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import type { Window } from '../../model/window.ts';
import type { AuditEntry } from '../audit/auditPorts.ts';

export interface ProjectRecord {
  readonly id: string;
  readonly revision: number;
  readonly createTime: InstantMs;
  readonly description?: string;
  /** Policies tell commercial projects from others. */
  readonly commercial: boolean;
}

export interface QuotaRecord extends Quota {
  readonly revision: number;
  readonly createTime: InstantMs;
}

/** A stretch of time in which a circuit kept one rate from others. Written when it is over. */
export interface UsageRecord {
  readonly circuit: CircuitId;
  readonly project: string;
  readonly portGroups: readonly string[];
  readonly mbps: number;
  readonly window: Window;
}

/** What a store knows of all this. */
export interface AccountsState {
  readonly ledger: BookState;
  readonly projects: readonly ProjectRecord[];
  readonly quotas: readonly QuotaRecord[];
}

/** A row of the ledger, and what it moved between the accounts of its project. */
export interface Posting {
  readonly row: Transfer;
  readonly change: Balance;
}

/** Where the rows that follow from a change go. */
export interface Entries {
  readonly now: InstantMs;
  readonly undo: (() => void)[];
  readonly transfers: Posting[];
  readonly usage: UsageRecord[];
  record(entry: AuditEntry): void;
}

/** Enters a row and says what it moved. */
export function post(ledger: Book, row: Transfer): { readonly posting: Posting; readonly undo: () => void } {
  const were = { ...ledger.balance(row.project) };
  const undo = ledger.enter(row);
  const are = ledger.balance(row.project);
  const change = {
    granted: are.granted - were.granted,
    available: are.available - were.available,
    held: are.held - were.held,
    spent: are.spent - were.spent,
  };
  return { posting: { row, change }, undo };
}
