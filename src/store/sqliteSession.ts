/**
 * A knex connection to SQLite as a Session. Statements are prepared once per text and kept: the texts are
 * few, and preparing a 64-row INSERT costs more than running it.
 */
import type { Row, Session, Value } from './session.ts';

/** The part of the driver that is used, as it reaches us through knex. */
export interface SqliteConnection {
  prepare(sql: string, done: (error: Error | null) => void): SqliteStatement;
}

interface SqliteStatement {
  run(values: readonly Value[], done: (this: { changes: number }, error: Error | null) => void): void;
  all(values: readonly Value[], done: (error: Error | null, rows: readonly Row[]) => void): void;
  finalize(done: () => void): void;
}

export interface SqliteSession extends Session {
  /** Lets the statements go; the connection stays knex's. */
  close(): Promise<void>;
}

/** What knex would print; errors reach the caller anyway. */
export const quiet = { warn() {}, error() {}, debug() {}, deprecate() {} };

export function sqliteSession(connection: SqliteConnection): SqliteSession {
  const statements = new Map<string, SqliteStatement>();

  async function prepared(sql: string): Promise<SqliteStatement> {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const statement = await new Promise<SqliteStatement>((resolve, reject) => {
      const made = connection.prepare(sql, (error) => (error === null ? resolve(made) : reject(error)));
    });
    statements.set(sql, statement);
    return statement;
  }

  return {
    async run(sql, values = []) {
      const statement = await prepared(sql);
      return new Promise((resolve, reject) => {
        statement.run(values, function (error) {
          if (error === null) resolve(this.changes);
          else reject(error);
        });
      });
    },
    async all(sql, values = []) {
      const statement = await prepared(sql);
      return new Promise((resolve, reject) => {
        statement.all(values, (error, rows) => (error === null ? resolve(rows) : reject(error)));
      });
    },
    async close() {
      for (const statement of statements.values()) {
        await new Promise<void>((resolve) => statement.finalize(resolve));
      }
      statements.clear();
    },
  };
}
