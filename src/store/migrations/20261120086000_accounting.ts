/**
 * Projects, quotas, the ledger and what was used. Rows of `transfers` and `usage` are never changed; `accounts`
 * is their sum, kept beside them so that a restart need not add up years, and held to the rules of the books.
 */
import type { Knex } from 'knex';

const words = (client: string): { readonly text: string; readonly key: string; readonly counted: string } =>
  client === 'pg'
    ? { text: 'text COLLATE "C"', key: 'bigint', counted: 'bigint GENERATED ALWAYS AS IDENTITY' }
    : { text: 'text', key: 'integer', counted: 'integer' };

export async function up(knex: Knex): Promise<void> {
  const { text, key, counted } = words(String(knex.client.config.client));
  const statements = [
    ...['projects', 'quotas'].map(
      (table) => `CREATE TABLE ${table} (
       id ${text} PRIMARY KEY,
       create_time bigint NOT NULL,
       revision bigint NOT NULL CHECK (revision > 0),
       doc text NOT NULL
     )`,
    ),
    `CREATE TABLE accounts (
       project ${text} PRIMARY KEY,
       unit ${text} NOT NULL CHECK (unit IN ('MBIT', 'CREDIT')),
       granted bigint NOT NULL,
       available bigint NOT NULL CHECK (available >= 0),
       held bigint NOT NULL CHECK (held >= 0),
       spent bigint NOT NULL CHECK (spent >= 0),
       CHECK (granted + available + held + spent = 0)
     )`,
    `CREATE TABLE transfers (
       id ${key} PRIMARY KEY CHECK (id > 0),
       time bigint NOT NULL,
       project ${text} NOT NULL REFERENCES accounts (project),
       unit ${text} NOT NULL CHECK (unit IN ('MBIT', 'CREDIT')),
       kind ${text} NOT NULL CHECK (kind IN ('GRANT', 'HOLD', 'CAPTURE', 'VOID', 'REFUND')),
       amount bigint NOT NULL CHECK (kind = 'GRANT' OR amount > 0 OR (kind = 'CAPTURE' AND amount = 0)),
       circuit_id ${text} CHECK ((circuit_id IS NULL) = (kind = 'GRANT')),
       refers bigint REFERENCES transfers (id) CHECK ((refers IS NULL) = (kind IN ('GRANT', 'HOLD')))
     )`,
    // A hold is resolved once, whatever else goes wrong.
    `CREATE UNIQUE INDEX transfers_resolution ON transfers (refers) WHERE kind IN ('CAPTURE', 'VOID')`,
    `CREATE INDEX transfers_project ON transfers (project, id)`,
    `CREATE INDEX transfers_circuit ON transfers (circuit_id) WHERE circuit_id IS NOT NULL`,
    `CREATE TABLE usage (
       id ${counted} PRIMARY KEY,
       circuit_id ${text} NOT NULL,
       project ${text} NOT NULL,
       port_groups text NOT NULL,
       mbps bigint NOT NULL CHECK (mbps > 0),
       start_time bigint NOT NULL,
       end_time bigint NOT NULL,
       CHECK (end_time > start_time)
     )`,
    // One rate at a time.
    `CREATE UNIQUE INDEX usage_circuit ON usage (circuit_id, start_time)`,
    `CREATE INDEX usage_end ON usage (end_time)`,
    `CREATE INDEX usage_project ON usage (project, end_time)`,
  ];
  for (const statement of statements) await knex.raw(statement);
}

export async function down(): Promise<void> {
  throw new Error('what was charged is not taken back: restore a backup instead');
}
