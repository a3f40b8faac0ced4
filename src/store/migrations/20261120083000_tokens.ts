/** Capability tokens: the issuer's keys, what was minted, redeemed and withdrawn, and which proofs were used. */
import type { Knex } from 'knex';

// Byte order on both, as in the first schema.
const textOf = (knex: Knex): string =>
  String(knex.client.config.client) === 'pg' ? 'text COLLATE "C"' : 'text';

export async function up(knex: Knex): Promise<void> {
  const text = textOf(knex);
  const statements = [
    `CREATE TABLE token_keys (
       kid ${text} PRIMARY KEY,
       doc text NOT NULL
     )`,
    `CREATE TABLE tokens (
       jti ${text} PRIMARY KEY,
       circuit_id ${text} NOT NULL,
       idx bigint NOT NULL UNIQUE CHECK (idx >= 0),
       expire_time bigint NOT NULL,
       doc text NOT NULL,
       token text NOT NULL
     )`,
    `CREATE INDEX tokens_circuit ON tokens (circuit_id)`,
    `CREATE INDEX tokens_expire ON tokens (expire_time)`,
    // The last line: one effect for one operation key of one root, whoever decides it.
    `CREATE TABLE token_redemptions (
       root_id ${text} NOT NULL,
       op_key ${text} NOT NULL,
       expire_time bigint NOT NULL,
       doc text NOT NULL,
       PRIMARY KEY (root_id, op_key)
     )`,
    `CREATE INDEX token_redemptions_expire ON token_redemptions (expire_time)`,
    `CREATE TABLE token_proofs (
       id ${text} PRIMARY KEY,
       expire_time bigint NOT NULL,
       doc text NOT NULL
     )`,
    `CREATE INDEX token_proofs_expire ON token_proofs (expire_time)`,
    `CREATE TABLE token_revocations (
       iss ${text} NOT NULL,
       jti ${text} NOT NULL,
       expire_time bigint NOT NULL,
       doc text NOT NULL,
       PRIMARY KEY (iss, jti)
     )`,
  ];
  for (const statement of statements) await knex.raw(statement);
}

export async function down(knex: Knex): Promise<void> {
  for (const table of ['token_keys', 'tokens', 'token_redemptions', 'token_proofs', 'token_revocations'])
    await knex.schema.dropTable(table);
}
