/**
 * An export read with all questions: a decision that somebody turned round and a row of the ledger that does
 * not add up are found even when every hash fits, which is what an insider with the log's key would leave.
 */
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { DecisionAsk } from '../../src/aaa/decide.ts';
import { ledgerInspector, type Replayed, replayInspector } from '../../src/aaa/inspect.ts';
import { Book, type Transfer } from '../../src/aaa/ledger/book.ts';
import { captureUsed, holdFor } from '../../src/aaa/ledger/money.ts';
import { asideKey, exportLine, verifyExport } from '../../src/aaa/merkle/export.ts';
import { MerkleLog } from '../../src/aaa/merkle/log.ts';
import { signCheckpoint } from '../../src/aaa/merkle/note.ts';
import { type Aside, type AuditOp, type AuditRecord, seal } from '../../src/aaa/merkle/record.ts';
import { instant } from '../../src/kernel/clock.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { ask, inForce, loaded } from './world.ts';

const random = seededRandom(5);
const origin = 'ams.example/audit/1';
const log = { name: origin, key: generateKeyPairSync('ed25519').privateKey };
const POLICY = `@id("members") permit (principal, action, resource) when { principal in resource };
  @id("big") forbid (principal, action, resource) when { context has bandwidth_mbps && context.bandwidth_mbps > 5 };`;
const set = loaded(POLICY);
const policies = inForce(POLICY);

type Body = Omit<AuditRecord, 'seq' | 'time'>;

const decision = (over: Partial<DecisionAsk>): Body => {
  const one = ask(over);
  const { effect, reasons, seen, errors, policy } = policies.decide(one);
  return {
    op: 'decision',
    decision_id: 'dec_1',
    actor: one.principal.id,
    action: one.action,
    project: one.project,
    decision: effect,
    reasons,
    policy_set_sha256: policy,
    ...(seen === undefined ? {} : { facts: seen }),
    ...(errors === undefined ? {} : { errors }),
  };
};
const transfers = (): Body[] => {
  const book = new Book();
  const rows: Transfer[] = [{ id: 1, at: 5, project: 'lhc', unit: 'MBIT', kind: 'GRANT', amount: 100 }];
  for (const row of rows) book.enter(row);
  const of = { project: 'lhc', circuit: 'c1', at: instant(6) };
  for (const make of [() => holdFor(book, of, 60), () => captureUsed(book, of, 20)])
    for (const row of make()) {
      book.enter(row);
      rows.push(row);
    }
  return rows.map(
    (transfer): Body => ({
      op: `ledger.${transfer.kind.toLowerCase()}` as AuditOp,
      transfer: { ...transfer },
    }),
  );
};

/** Sealed, hashed and signed as if it were all true. */
function read(bodies: readonly Body[], forget = false) {
  const tree = new MerkleLog();
  const asides = new Map<string, Aside>();
  const lines = bodies.map((body, seq) => {
    const sealed = seal({ ...body, seq, time: '2027-01-15T08:00:00.000Z' }, (n) => random.bytes(n));
    if (!forget) for (const aside of sealed.asides) asides.set(asideKey(seq, aside.field), aside);
    tree.append(sealed.leaf);
    return exportLine(sealed.text);
  });
  const counted: Replayed = { same: 0, erased: 0 };
  const sets = new Map([[set.sha256, set]]);
  const checkpoints = [signCheckpoint({ origin, size: tree.size, root: tree.root(), extensions: [] }, log)];
  const inspect = [ledgerInspector(), replayInspector(sets, asides, counted)];
  return { ...verifyExport({ lines, checkpoints, log, origin, inspect }), counted };
}

const honest = [
  decision({}),
  ...transfers(),
  decision({ facts: { bandwidth_mbps: 9 } }),
  decision({ facts: { bandwidth_mbps: 0.5 } }),
  decision({ project: 'atlas' }),
];

test('an honest log', () => {
  expect(read(honest)).toMatchObject({ ok: true, records: 7, counted: { same: 3, erased: 0 } });
});
test('with its people erased, where no rule names one', () => {
  expect(read(honest, true)).toMatchObject({ ok: true, counted: { same: 3, erased: 0 } });
});

describe('a lie that hashes do not find', () => {
  const change = (seq: number, over: object): Body[] =>
    honest.map((b, i) => (i === seq ? ({ ...b, ...over } as Body) : b));
  const money = (seq: number, over: object): Body[] =>
    change(seq, { transfer: { ...honest[seq]?.transfer, ...over } });
  test.each<[string, Body[], number, RegExp]>([
    ['a no that became a yes', change(4, { decision: 'ALLOW', reasons: ['members'] }), 4, /DENY by big/],
    ['a yes for other reasons', change(0, { reasons: ['operator'] }), 0, /ALLOW by members/],
    [
      'a fact that was changed',
      change(4, { facts: { ...honest[4]?.facts, bandwidth_mbps: 1 } }),
      4,
      /ALLOW by members/,
    ],
    ['a yes in spite of errors', change(5, { decision: 'ALLOW' }), 5, /in spite of errors/],
    ['another policy set', change(0, { policy_set_sha256: '00' }), 0, /no policy set/],
    ['a decision without facts', change(0, { facts: undefined }), 0, /without what it saw/],
    ['a hold above the balance', money(2, { amount: 101 }), 2, /does not add up/],
    ['a capture above its hold', money(3, { amount: 61 }), 3, /does not add up/],
    ['a capture twice', [...honest, honest[3] as Body], 7, /does not add up/],
    ['a negative amount', money(2, { amount: -60 }), 2, /does not add up/],
    ['another unit', money(2, { unit: 'CREDIT' }), 2, /does not add up/],
    ['no unit at all', money(2, { unit: 'EUR' }), 2, /without project or unit/],
    ['another kind than it says', money(2, { kind: 'GRANT' }), 2, /of another kind/],
  ])('%s', (_, bodies, seq, why) => {
    const said = read(bodies);
    expect(said.bad?.seq).toBe(seq);
    expect(said.bad?.why).toMatch(why);
  });
});
