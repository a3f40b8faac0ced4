/** The store's contract on SQLite. What only SQLite has (files, locks, a full disk) is in files.test.ts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../src/kernel/log.ts';
import { openStore } from '../../src/store/open.ts';
import { storeContract } from '../contract/store.ts';
import { HandClock } from '../support/handClock.ts';
import { T0 } from './samples.ts';

storeContract('the store on SQLite', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'turnpike-store-'));
  const clock = new HandClock(T0);
  const file = join(directory, 'turnpike.sqlite');
  return {
    open: () => openStore({ client: 'sqlite', file, reserveBytes: 0 }, { clock, log: silentLog }),
    pass: (ms) => clock.advance(ms),
    clear: async () => rmSync(directory, { recursive: true }),
  };
});
