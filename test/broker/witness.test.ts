/** Two brokers as each other's witnesses: what is cosigned, what is remembered, and a log that shows two faces. */
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, expect, it } from 'vitest';
import { cosignedAt, readNote, signCheckpoint } from '../../src/aaa/merkle/note.ts';
import { MemoryKeeper, storedLog } from '../support/auditLog.ts';
import { aRequest, fixed } from '../support/builders.ts';
import { call, OneDomain } from '../support/oneDomain.ts';

let log: OneDomain;
let peer: OneDomain;
afterEach(async () => {
  await log.end();
  await peer.end();
});

it('a checkpoint is cosigned when the log only grew; a fork is refused and recorded', async () => {
  const [audit, theirs] = [new MemoryKeeper(), new MemoryKeeper()];
  log = await OneDomain.start({ audit });
  peer = await OneDomain.start({ audit: theirs });
  const key = { name: 'ams.example/audit/1', key: audit.key };
  const { witness } = peer.broker.audit;
  if (witness.signer === undefined) throw new Error('the peer has a key');
  let at = 1_000;
  const grow = async () => {
    at += 200;
    await log.broker.createCircuit(call(), aRequest({ schedule: fixed(at, at + 100) }));
    await log.pass(2);
    return log.broker.audit.checkpoint();
  };

  const first = await grow();
  const one = await witness.cosign(key, first.note, 0, []);
  if (one.kind !== 'COSIGNED') throw new Error(one.kind);
  await log.broker.audit.witness.cosigned(first.size, one.line, witness.signer);
  // Told twice, it is there once.
  await log.broker.audit.witness.cosigned(first.size, one.line, witness.signer);
  const stored = readNote((await log.broker.audit.checkpoint()).note);
  expect(stored?.signatures).toHaveLength(2);
  expect(stored && cosignedAt(stored, witness.signer)).toBeGreaterThan(0);
  const stranger = { name: 'x/witness', key: generateKeyPairSync('ed25519').privateKey };
  await expect(log.broker.audit.witness.cosigned(first.size, one.line, stranger)).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
  });

  const second = await grow();
  expect(await witness.cosign(key, second.note, 0, [])).toMatchObject({ kind: 'STALE', size: first.size });
  // After a restart it knows as much.
  await peer.restart();
  const proof = await log.broker.audit.consistency(first.size, second.size);
  const hashes = proof.proof.map((hash) => Buffer.from(hash, 'base64url'));
  const again = peer.broker.audit.witness;
  expect((await again.cosign(key, second.note, first.size, hashes)).kind).toBe('COSIGNED');

  const other = { origin: key.name, size: second.size, root: Buffer.alloc(32, 1), extensions: [] };
  const fork = signCheckpoint(other, key);
  expect(await again.cosign(key, fork, second.size, [])).toMatchObject({ kind: 'FORKED' });
  expect((await storedLog(peer.store)).records.at(-1)).toMatchObject({
    op: 'log.forked',
    ask: { origin: key.name, size: second.size, seen_size: second.size },
  });
  const forged = signCheckpoint(other, { name: key.name, key: stranger.key });
  await expect(again.cosign(key, forged, second.size, [])).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
});
