/** What the log of decisions costs to write, to prove, to verify, and to open at a start. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportLine, verifyExport } from '../../src/aaa/merkle/export.ts';
import { MerkleLog } from '../../src/aaa/merkle/log.ts';
import { signCheckpoint } from '../../src/aaa/merkle/note.ts';
import { seal } from '../../src/aaa/merkle/record.ts';
import { type Hash, leafHash } from '../../src/aaa/merkle/tree.ts';
import { type AuditRow, type AuditTile, NO_AUDIT } from '../../src/broker/audit/auditPorts.ts';
import { openLog } from '../../src/broker/audit/auditStart.ts';
import { wallClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { openStore } from '../../src/store/open.ts';
import { group } from '../../test/store/samples.ts';
import { atMost, type BenchLine } from '../line.ts';
import { cpu, line, NOW, random, rateOf, record } from './measure.ts';

export async function* audit(records: number): AsyncGenerator<BenchLine> {
  const key = generateKeyPairSync('ed25519').privateKey;
  const signer = { name: 'ams.example/audit/1', key };
  const text = seal(record(1), (n) => random.bytes(n)).text;
  const hash = 1e6 / rateOf(50_000, () => leafHash(text));
  const log = new MerkleLog();
  const leaves: Hash[] = [];
  const lines: string[] = [];
  const checkpoints: string[] = [];
  const before = process.cpuUsage();
  for (let seq = 0; seq < records; seq++) {
    const sealed = seal(record(seq), (n) => random.bytes(n));
    log.append(sealed.leaf);
    leaves.push(sealed.leaf);
    lines.push(sealed.text);
  }
  const spent = process.cpuUsage(before);
  const append = (spent.user + spent.system) / records;
  yield line('seal and append one record', 'CPU', append, 'us', {
    against: 'SHA-256 of it',
    ratio: append / hash,
    ...atMost(append, 20),
  });
  const bare = new MerkleLog();
  yield line(
    'append one leaf',
    'CPU',
    (cpu(50_000, (i) => bare.append(leaves[i % leaves.length] as Hash)) / 50_000) * 1e6,
    'us',
  );

  const proof = (cpu(2_000, (i) => log.inclusion((i * 7919) % records, records, new Map())) / 2_000) * 1000;
  yield line(`inclusion in ${records}`, 'CPU', proof, 'ms', atMost(proof, 1));
  const tail = new MerkleLog();
  for (const leaf of leaves) tail.append(leaf);
  tail.durable(records);
  const fetched = (i: number): Map<number, Hash[]> =>
    new Map(tail.tilesForInclusion(i, records).map((n) => [n, leaves.slice(n * 256, n * 256 + 256)]));
  const withTiles =
    (cpu(500, (i) => tail.inclusion((i * 7919) % records, records, fetched((i * 7919) % records))) / 500) *
    1000;
  yield line(`inclusion in ${records}, tiles from elsewhere`, 'CPU', withTiles, 'ms', atMost(withTiles, 1));

  const again = new MerkleLog();
  for (const [i, leaf] of leaves.entries()) {
    again.append(leaf);
    if ((i + 1) % 256 === 0 || i + 1 === records)
      checkpoints.push(
        signCheckpoint({ origin: signer.name, size: i + 1, root: again.root(), extensions: [] }, signer),
      );
  }
  const exported = lines.map((l, i) => exportLine(l, leaves[i] as Hash));
  const start = process.cpuUsage();
  const verdict = verifyExport({ lines: exported, checkpoints, log: signer, origin: signer.name });
  const took = process.cpuUsage(start);
  if (!verdict.ok) throw new Error(verdict.bad?.why ?? 'not verified');
  const seconds = (took.user + took.system) / 1e6;
  yield line(`${records} records and ${checkpoints.length} checkpoints`, 'CPU to verify', seconds, 's', {
    against: 'SHA-256 of them',
    ratio: seconds / ((records * hash) / 1e6),
    ...atMost(seconds, 3),
  });
}

/** A start reads one hash for each 256 records; beside it, what reading every leaf would cost. */
export async function* auditStart(records: number): AsyncGenerator<BenchLine> {
  const dir = await mkdtemp(join(tmpdir(), 'turnpike-bench-'));
  const ports = { clock: wallClock(), log: silentLog };
  const store = await openStore({ client: 'sqlite', file: join(dir, 'audit.db'), reserveBytes: 0 }, ports);
  try {
    const lease = await store.acquireLease('bench', 600_000);
    const log = new MerkleLog();
    for (let from = 0; from < records; from += 4_096) {
      const rows: AuditRow[] = [];
      const tiles: AuditTile[] = [];
      for (let seq = from; seq < Math.min(records, from + 4_096); seq++) {
        const { text, leaf } = seal(record(seq), (n) => random.bytes(n));
        rows.push({ seq, time: NOW, leaf: leaf.toString('base64url'), text });
        const tile = log.append(leaf);
        if (tile !== undefined) tiles.push({ tile: tile.tile, hash: tile.hash.toString('base64url') });
      }
      const epoch = lease.held ? lease.epoch : 0;
      await store.commit(group({ epoch, audit: { ...NO_AUDIT, rows, tiles } }));
    }
    const spent = async (act: () => Promise<unknown>): Promise<number> => {
      await act();
      const before = process.cpuUsage();
      await act();
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    };
    const leaves = await spent(() => store.auditLeaves(0, records));
    const tiled = await spent(() => openLog(store, 'ams.example'));
    yield line(`the log at a start, ${records} records`, 'CPU', tiled, 'ms', {
      against: 'reading every leaf',
      ratio: tiled / leaves,
    });
  } finally {
    await store.close();
    await rm(dir, { recursive: true, force: true });
  }
}
