/**
 * What the two databases have in common once they are open: readers in a pool, one writer whose work is a
 * transaction, and the current time as that database sees it. sqlite.ts and postgres.ts make these.
 */
import type { Knex } from 'knex';
import type { Session, Value } from './session.ts';

export interface Database {
  readonly kind: 'sqlite' | 'postgres';
  /** For messages; carries no password. */
  readonly where: string;
  /** Sees committed rows only and never waits for the writer. */
  readonly readers: Knex;
  /**
   * One transaction on the one writing connection; callers wait for each other. `essential` work may use the
   * room that is kept back for it when the disk is full.
   */
  write<T>(work: (session: Session) => Promise<T>, essential: boolean): Promise<T>;
  /** SQL and values for "now" in milliseconds: the server's clock where several instances share a server. */
  now(): { readonly sql: string; readonly values: readonly Value[] };
  /** No other process can have it open: a lease from before this one opened it is a dead one's. */
  readonly exclusive: boolean;
  backup(file: string): Promise<void>;
  close(): Promise<void>;
}
