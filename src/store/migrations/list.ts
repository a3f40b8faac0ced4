/**
 * Every migration in the order of its time stamp. A list and not a scan of the directory, so that it is the
 * same from the sources, from dist and from a bundle. A newcomer adds a file and one line here.
 */
import type { Knex } from 'knex';
import * as foundation from './20261120043000_foundation.ts';
import * as octets from './20261120080000_octets.ts';
import * as audit from './20261120081000_audit.ts';
import * as policies from './20261120082000_policies.ts';
import * as tokens from './20261120083000_tokens.ts';
import * as domains from './20261120085000_domains.ts';
import * as accounting from './20261120086000_accounting.ts';
import * as witnesses from './20261120087000_witnesses.ts';
import * as witnessNotes from './20261120103000_witness_notes.ts';
import * as standings from './20261120110500_standings.ts';
import * as peerJournals from './20261120143500_peer_journals.ts';

export interface Migration {
  readonly name: string;
  up(knex: Knex): Promise<void>;
  down(knex: Knex): Promise<void>;
}

export const migrations: readonly Migration[] = [
  { name: '20261120043000_foundation', up: foundation.up, down: foundation.down },
  { name: '20261120080000_octets', up: octets.up, down: octets.down },
  { name: '20261120081000_audit', up: audit.up, down: audit.down },
  { name: '20261120082000_policies', up: policies.up, down: policies.down },
  { name: '20261120083000_tokens', up: tokens.up, down: tokens.down },
  { name: '20261120085000_domains', up: domains.up, down: domains.down },
  { name: '20261120086000_accounting', up: accounting.up, down: accounting.down },
  { name: '20261120087000_witnesses', up: witnesses.up, down: witnesses.down },
  { name: '20261120103000_witness_notes', up: witnessNotes.up, down: witnessNotes.down },
  { name: '20261120110500_standings', up: standings.up, down: standings.down },
  { name: '20261120143500_peer_journals', up: peerJournals.up, down: peerJournals.down },
];

export const migrationSource: Knex.MigrationSource<Migration> = {
  getMigrations: async () => [...migrations],
  getMigrationName: (migration) => migration.name,
  getMigration: async (migration) => migration,
};
