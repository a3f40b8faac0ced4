/** Audit logs witnessed between domains over real HTTPS: cosigned, exported, and told when one was set back. */
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { verifyExport } from '../../src/aaa/merkle/export.ts';
import { type NoteKey, readVerifierKey, signCheckpoint } from '../../src/aaa/merkle/note.ts';
import { instant } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { systemRandom } from '../../src/kernel/random.ts';
import { Peer } from '../../src/peering/peer.ts';
import { type Notary, Witnesses } from '../../src/peering/witnesses.ts';
import { T0 } from '../support/builders.ts';
import { HandClock } from '../support/handClock.ts';
import { type House, settingsOf, Town, until } from './town.ts';

let town: Town | undefined;
afterEach(async () => {
  await town?.end();
  town = undefined;
});

const witnessesOf = (house: House): NoteKey[] =>
  house.peering
    .office()
    .peers()
    .map(({ vouched }) => readVerifierKey(vouched?.key ?? '', 'witness') as NoteKey);

/** All peers have cosigned the newest checkpoint of the house, and it covers all its records. */
const vouchedFor = (house: House): Promise<unknown> =>
  until(() => {
    // Ten times as fast as the wall: a checkpoint is a second old before it is signed, and older when it is shown.
    town?.pass(100);
    const newest = house.broker.audit.witness.newest();
    const peers = house.peering.office().peers();
    return (
      newest !== undefined &&
      house.broker.stats().auditUnsigned === 0 &&
      peers.every(({ vouched }) => vouched?.origin === newest.origin && vouched.size === newest.size)
    );
  }, `the log of ${house.name} is cosigned`);

async function exported(house: House) {
  let text = '';
  for await (const part of house.broker.audit.export(0, 100_000)) text += part;
  const lines = text.split('\n').filter((line) => line !== '');
  const notes = lines.filter((line) => line.startsWith('{"type":"checkpoint"'));
  return {
    origin: house.broker.audit.witness.newest()?.origin ?? '',
    records: lines.filter((line) => line.startsWith('{"leaf":')),
    checkpoints: notes.map((line) => (JSON.parse(line) as { note: string }).note),
  };
}

async function verified(house: House) {
  const { origin, records, checkpoints } = await exported(house);
  const log = readVerifierKey(house.broker.audit.witness.newest()?.key ?? '') as NoteKey;
  const witnesses = witnessesOf(house);
  return verifyExport({ lines: records, checkpoints, log, origin, witnesses, quorum: witnesses.length });
}

const said = (house: House, event: string) => house.logged.filter((one) => one.event === event);

test('every peer cosigns the newest checkpoint, and the export shows it', async () => {
  town = await Town.open({ domains: 3 });
  const [ams] = town.houses as [House];
  await town.acquainted();
  await town.book();
  await vouchedFor(ams);
  await town.book({ mbps: 500 });
  await vouchedFor(ams);
  const { size } = await ams.broker.audit.checkpoint();
  expect(await verified(ams)).toMatchObject({ cosignatures: 2, witnessed: size });
  expect((await verified(ams)).bad).toBeUndefined();
  // Nothing of this is a record: else two logs would make each other grow for ever.
  const at = ams.broker.stats().auditRecords;
  await town.restart(1);
  await vouchedFor(town.house(1));
  expect(ams.broker.stats().auditRecords).toBe(at);
});

/** A copy of a store that its peer has since vouched for more of. */
async function copiedBefore(): Promise<{ opened: Town; ams: House; sdg: House; copy: string }> {
  const opened = await Town.open({ domains: 2 });
  town = opened;
  const [ams, sdg] = opened.houses as [House, House];
  await opened.book();
  await vouchedFor(ams);
  const copy = join(opened.dir, 'copy.db');
  await ams.broker.backup(copy);
  await opened.book({ mbps: 500 });
  await vouchedFor(ams);
  return { opened, ams, sdg, copy };
}

test('a log that was set back with everything beside it is found out at its start', async () => {
  const { opened, ams, sdg, copy } = await copiedBefore();
  await ams.close();
  ams.setBack(copy);
  await opened.reopen(0);
  await until(() => said(ams, 'audit.behind')[0], 'the alarm');
  await opened.book({ mbps: 700 });
  await vouchedFor(ams);
  const newest = ams.broker.audit.witness.newest();
  expect(newest?.origin).toBe('d0.example/audit/2');
  expect(newest?.note).toContain('\ncontinues d0.example/audit/1 ');
  const { records, checkpoints } = await exported(ams);
  expect(checkpoints.every((note) => note.startsWith('d0.example/audit/2\n'))).toBe(true);
  expect(records.filter((line) => line.includes('log.continue')).join()).toContain('"peer":"d1.example"');
  expect((await verified(ams)).bad).toBeUndefined();
  // Not one was signed under the old name after the start.
  expect(said(sdg, 'audit.forked')).toEqual([]);
  expect(said(sdg, 'audit.renamed')).toHaveLength(1);
});

test('a log that was set back while nobody was there to ask is found out when somebody is', async () => {
  const { opened, ams, sdg, copy } = await copiedBefore();
  await sdg.close();
  await ams.close();
  ams.setBack(copy);
  await opened.reopen(0);
  for (let i = 0; i < 6; i++) {
    const start = instant(ams.clock.now() + (i + 2) * 7_200_000);
    const schedule = { type: 'FIXED', start, end: instant(start + 3_600_000) } as const;
    await opened.book({ z: { port: 'd0:h3', vlan: 'ANY' }, schedule });
  }
  await until(() => {
    town?.pass(100);
    return ams.broker.stats().auditUnsigned === 0;
  }, 'signed under the old name');
  expect(ams.broker.audit.witness.newest()?.origin).toBe('d0.example/audit/1');
  await opened.reopen(1);
  await until(() => {
    town?.pass(100);
    return said(ams, 'audit.behind')[0];
  }, 'the alarm');
  await vouchedFor(ams);
  expect(ams.broker.audit.witness.newest()?.origin).toBe('d0.example/audit/2');
});

test('what a witness shows counts only with our own signature under it', async () => {
  town = await Town.open({ domains: 1 });
  const [ams] = town.houses as [House];
  await town.book({ z: { port: 'd0:h3', vlan: 'ANY' } });
  const { witness } = ams.broker.audit;
  const newest = await until(() => witness.newest(), 'a checkpoint');
  const far = { origin: 'd0.example/audit/1', size: 1_000_000, root: Buffer.alloc(32, 1), extensions: [] };
  const stranger = generateKeyPairSync('ed25519').privateKey;
  const forged = signCheckpoint(far, { name: far.origin, key: stranger });
  const foreign = signCheckpoint(
    { ...far, origin: 'd1.example/audit/1' },
    { name: 'd1.example/audit/1', key: ams.audit.key },
  );
  for (const note of [forged, foreign, 'rubbish', ''])
    expect(await witness.confronted('d1.example', note)).toBe('NOT_OURS');
  expect(await witness.confronted('d1.example', newest.note)).toBe('KNOWN');
  expect(said(ams, 'audit.behind')).toEqual([]);
  // The same words with our own key under them are what we have signed and cannot show.
  const ours = signCheckpoint(far, { name: far.origin, key: ams.audit.key });
  expect(await witness.confronted('d1.example', ours)).toBe('CONTINUED');
  // Once more it is what the log goes on from.
  expect(await witness.confronted('d1.example', ours)).toBe('KNOWN');
  expect(said(ams, 'audit.behind')).toHaveLength(1);
});

test('a peer that does not cosign is asked less and less, and for the newest only', async () => {
  const clock = new HandClock(T0);
  const peer = new Peer(settingsOf('d1.example', 'https://127.0.0.1:1'), {
    clock,
    random: systemRandom,
    log: silentLog,
    perSecond: 1,
  });
  peer.session = 'a-session';
  const asked: number[] = [];
  let size = 1;
  const notary = {
    witness: { newest: () => ({ origin: 'd0.example/audit/1', size, time: T0, note: '', key: '' }) },
  } as unknown as Notary;
  const witnesses = new Witnesses({
    clock,
    notary: () => notary,
    peers: () => [peer],
    tell: async () => {
      asked.push(size);
      throw new Error('nobody');
    },
  });
  for (const end = T0 + 3_600_000; clock.now() < end; size++) {
    witnesses.wake();
    await clock.advance(1_000);
  }
  // 5 s, 10 s ... 160 s, and then every 5 minutes.
  expect(asked.length).toBeGreaterThan(10);
  expect(asked.length).toBeLessThan(20);
  expect(asked).toEqual([...new Set(asked)].sort((a, b) => a - b));
  expect(instant(clock.now())).toBeGreaterThan(T0);
  witnesses.stop();
});
