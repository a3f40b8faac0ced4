/**
 * One connection, as the rest of the store sees it: SQL with `?`, values, rows. The databases differ below
 * this line only. Knex owns the connections and their pools; a session borrows one.
 */
export type Value = string | number | null;
export type Row = Readonly<Record<string, unknown>>;

export interface Session {
  /** How many rows it changed. */
  run(sql: string, values?: readonly Value[]): Promise<number>;
  all(sql: string, values?: readonly Value[]): Promise<readonly Row[]>;
}

/** More rows than this go in several statements. The text of each (table, rows) is made once. */
const ROWS_AT_ONCE = 64;

/** A multi-row INSERT. `suffix` says what to do about rows that exist. */
export class Insert {
  readonly #head: string;
  readonly #row: string;
  readonly #suffix: string;
  readonly #texts: string[] = [];

  constructor(table: string, columns: readonly string[], suffix = '') {
    this.#head = `INSERT INTO ${table} (${columns.join(', ')}) VALUES `;
    this.#row = `(${columns.map(() => '?').join(',')})`;
    this.#suffix = suffix;
  }

  /** How many rows were written: fewer than given when the suffix put some aside. */
  async run(session: Session, rows: readonly (readonly Value[])[]): Promise<number> {
    let changed = 0;
    for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
      const chunk = rows.slice(from, from + ROWS_AT_ONCE);
      changed += await session.run(this.#text(chunk.length), chunk.flat());
    }
    return changed;
  }

  #text(rows: number): string {
    const known = this.#texts[rows];
    if (known !== undefined) return known;
    const text = `${this.#head}${Array(rows).fill(this.#row).join(',')} ${this.#suffix}`;
    this.#texts[rows] = text;
    return text;
  }
}
