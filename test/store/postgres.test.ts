/** The store's contract on PostgreSQL, and what only a server can do: go away, and be shared. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe } from 'vitest';
import { silentLog } from '../../src/kernel/log.ts';
import { openStore } from '../../src/store/open.ts';
import { storeContract } from '../contract/store.ts';
import { HandClock } from '../support/handClock.ts';
import { postgresMissing, usePostgres } from '../support/postgres.ts';
import { T0 } from './samples.ts';

describe.skipIf(postgresMissing)(`with a server ${postgresMissing ?? ''}`, () => {
  const server = usePostgres();
  // The clock that is handed in stands still on purpose: leases lapse by the server's.
  const clock = new HandClock(T0);

  storeContract('the store on PostgreSQL', async () => {
    const url = await server.createDatabase();
    return {
      open: () => openStore({ client: 'postgres', url }, { clock, log: silentLog }),
      pass: (ms) => delay(ms),
      clear: async () => {},
    };
  });
});
