/**
 * Turns what the drivers throw into the eight kinds of StoreError, each with a message that says what is
 * wrong and what to do. The drivers' own errors stay as the cause.
 */
import { StoreError } from '../broker/ports.ts';

type Kind = StoreError['kind'];

/** SQLite's primary result codes, as the driver names them. */
const sqliteKinds: Readonly<Record<string, Kind>> = {
  SQLITE_FULL: 'FULL',
  SQLITE_CONSTRAINT: 'CONFLICT',
  SQLITE_MISMATCH: 'CONFLICT',
  SQLITE_TOOBIG: 'CONFLICT',
  SQLITE_CORRUPT: 'CORRUPT',
  SQLITE_NOTADB: 'CORRUPT',
  SQLITE_READONLY: 'READ_ONLY',
  SQLITE_PERM: 'READ_ONLY',
  SQLITE_BUSY: 'IN_USE',
  SQLITE_LOCKED: 'IN_USE',
  SQLITE_PROTOCOL: 'IN_USE',
};

/** SQLSTATE, whole or its class (the first two characters). */
const postgresKinds: Readonly<Record<string, Kind>> = {
  '53100': 'FULL',
  '25006': 'READ_ONLY',
  '42501': 'READ_ONLY',
  '22': 'CONFLICT',
  '23': 'CONFLICT',
  '55P03': 'IN_USE',
  XX001: 'CORRUPT',
  XX002: 'CORRUPT',
};

const fileKinds: Readonly<Record<string, Kind>> = {
  ENOSPC: 'FULL',
  EDQUOT: 'FULL',
  EROFS: 'READ_ONLY',
  EACCES: 'READ_ONLY',
  EPERM: 'READ_ONLY',
};

const advice: Readonly<Record<Kind, string>> = {
  FULL: 'has no room. Free disk space (or run `turnpike prune`); releases still work meanwhile',
  FENCED: 'is led by another instance. This one must stop writing and stand by',
  CONFLICT: 'refused the write because a constraint said no. This is a bug, or rows were edited by hand',
  UNAVAILABLE: 'did not answer. Check that it is running and reachable',
  CORRUPT: 'is damaged or not a Turnpike database. Restore a backup; the file has been left as it is',
  IN_USE: 'is locked by another process. Stop that process first',
  READ_ONLY: 'cannot be written. Check the permissions of the file and its directory, and the mount',
  NEWER_SCHEMA: 'was written by a newer Turnpike. Run that version',
};

const textOf = (error: unknown, field: string): string | undefined => {
  if (typeof error !== 'object' || error === null) return undefined;
  const value = (error as Readonly<Record<string, unknown>>)[field];
  return typeof value === 'string' ? value : undefined;
};

export function kindOf(error: unknown): Kind {
  // Only a stored document can be ill-formed JSON here.
  if (error instanceof SyntaxError) return 'CORRUPT';
  if (error instanceof StoreError) return error.kind;
  const code = textOf(error, 'code') ?? '';
  const known =
    sqliteKinds[code] ?? postgresKinds[code] ?? postgresKinds[code.slice(0, 2)] ?? fileKinds[code];
  return known ?? 'UNAVAILABLE';
}

/** A bug in this code must not look like a database that is away. */
const isBug = (error: unknown): boolean =>
  error instanceof TypeError ||
  error instanceof RangeError ||
  textOf(error, 'code') === 'SQLITE_ERROR' ||
  textOf(error, 'code') === 'SQLITE_RANGE' ||
  textOf(error, 'code') === 'SQLITE_MISUSE' ||
  /^42(?!501)/.test(textOf(error, 'code') ?? '');

/** `where` names the database without its password. */
export function storeError(error: unknown, where: string): unknown {
  // Refusals (BrokerError, StoreError, InvariantError) already say what they mean.
  if (error instanceof Error && /^(Store|Broker|Invariant)Error$/.test(error.name)) return error;
  if (isBug(error)) return error;
  return because(kindOf(error), where, error instanceof Error ? error.message : String(error), error);
}

export function because(kind: Kind, where: string, detail: string, cause?: unknown): StoreError {
  return new StoreError(
    kind,
    `${where} ${advice[kind]}. (${detail})`,
    cause === undefined ? undefined : { cause },
  );
}
