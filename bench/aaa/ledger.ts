/** What a hold and its capture cost, in memory and on the disk. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Book, type Transfer } from '../../src/aaa/ledger/book.ts';
import { captureUsed, holdFor } from '../../src/aaa/ledger/money.ts';
import { type Posting, post } from '../../src/broker/aaa/accountRecords.ts';
import { wallClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { openStore } from '../../src/store/open.ts';
import { group } from '../../test/store/samples.ts';
import { atLeast, type BenchLine } from '../line.ts';
import { line, NOW, rateOf } from './measure.ts';

export async function* ledger(scale: number): AsyncGenerator<BenchLine> {
  const book = new Book();
  book.enter({ id: 1, at: NOW, project: 'lhc', unit: 'MBIT', kind: 'GRANT', amount: 2 ** 52 });
  const rate = rateOf(20_000 * scale, (i) => {
    const of = { project: 'lhc', circuit: `c${i}`, at: NOW };
    for (const row of holdFor(book, of, 1_000)) book.enter(row);
    for (const row of captureUsed(book, of, 900)) book.enter(row);
  });
  yield line('hold and capture, in memory', 'pairs per second', rate, '1/s');
  yield* storedLedger(scale, rate);
}

/** The same, each group of 256 pairs one durable transaction on SQLite; by the clock, because it waits for the disk. */
async function* storedLedger(scale: number, inMemory: number): AsyncGenerator<BenchLine> {
  const directory = await mkdtemp(join(tmpdir(), 'turnpike-ledger-'));
  try {
    const clock = wallClock();
    const store = await openStore(
      { client: 'sqlite', file: join(directory, 'ledger.db') },
      { clock, log: silentLog },
    );
    const lease = await store.acquireLease('bench', 600_000);
    const epoch = lease.held ? lease.epoch : 0;
    const book = new Book();
    const write = (rows: readonly Transfer[]) =>
      store.commit(group({ epoch, now: NOW, transfers: rows.map((row) => post(book, row).posting) }));
    await write([{ id: 1, at: NOW, project: 'lhc', unit: 'MBIT', kind: 'GRANT', amount: 2 ** 52 }]);
    const groups = Math.max(1, Math.floor(40 * scale));
    const start = process.hrtime.bigint();
    for (let g = 0; g < groups; g++) {
      const transfers: Posting[] = [];
      const enter = (row: Transfer) => transfers.push(post(book, row).posting);
      for (let i = 0; i < 256; i++) {
        const of = { project: 'lhc', circuit: `c${g}-${i}`, at: NOW };
        for (const row of holdFor(book, of, 1_000)) enter(row);
        for (const row of captureUsed(book, of, 900)) enter(row);
      }
      await store.commit(group({ epoch, now: NOW, transfers }));
    }
    const rate = (groups * 256) / (Number(process.hrtime.bigint() - start) / 1e9);
    await store.close();
    yield line('hold and capture, stored in groups of 256', 'pairs per second', rate, '1/s', {
      against: 'in memory',
      ratio: rate / inMemory,
      ...atLeast(rate, 5_000),
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
