/**
 * A process of its own that holds a store and writes group after group until it is killed. It prints a line
 * when it has the store, and one for each group once commit() has answered.
 */
import { wallClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { openStore } from '../../src/store/open.ts';
import { admissions } from './samples.ts';

const [file, from] = process.argv.slice(2);
const store = await openStore({ client: 'sqlite', file: file ?? '' }, { clock: wallClock(), log: silentLog });
const lease = await store.acquireLease(`process ${process.pid}`, 60_000);
if (!lease.held) throw new Error('the lease is held although the file was free');
process.stdout.write(`open ${lease.epoch}\n`);
for (let n = Number(from); ; n += 16) {
  await store.commit(admissions(lease.epoch, n, 16));
  process.stdout.write(`wrote ${n}\n`);
}
