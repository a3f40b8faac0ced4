/** What circuits have carried. Octets are whole numbers of up to 64 bits and more: text, which every driver leaves alone. */
import type { Knex } from 'knex';

export async function up(knex: Knex): Promise<void> {
  const text = String(knex.client.config.client) === 'pg' ? 'text COLLATE "C"' : 'text';
  await knex.raw(`CREATE TABLE octets (
    circuit_id ${text} NOT NULL,
    at_end ${text} NOT NULL CHECK (at_end IN ('A', 'Z')),
    device text NOT NULL,
    port text NOT NULL,
    exclusive integer NOT NULL,
    in_octets text NOT NULL,
    out_octets text NOT NULL,
    since_time bigint NOT NULL,
    lit integer NOT NULL,
    gaps bigint NOT NULL CHECK (gaps >= 0),
    last_time bigint NOT NULL,
    last_in text NOT NULL,
    last_out text NOT NULL,
    last_discontinuity bigint NOT NULL,
    last_up bigint NOT NULL,
    PRIMARY KEY (circuit_id, at_end)
  )`);
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE octets');
}
