/**
 * Attack 66 and the canaries of 74: a log is exported, then somebody edits, removes, reorders, truncates,
 * forks or goes back in time, and the verifier names the first bad record. Personal values can be erased.
 */
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonical } from '../../../src/aaa/merkle/canonical.ts';
import {
  asideKey,
  type ExportInput,
  exportLine,
  verifyExport,
  verifyRecordProof,
} from '../../../src/aaa/merkle/export.ts';
import { MerkleLog } from '../../../src/aaa/merkle/log.ts';
import {
  cosign,
  cosignedAt,
  isSignedBy,
  type NoteKey,
  readNote,
  signCheckpoint,
} from '../../../src/aaa/merkle/note.ts';
import { type Aside, type AuditRecord, redacted, reveal, seal } from '../../../src/aaa/merkle/record.ts';
import { witness } from '../../../src/aaa/merkle/witness.ts';
import { seededRandom } from '../../../src/kernel/random.ts';

const ORIGIN = 'ams.example/audit/1';
const named = (name: string): NoteKey => ({ name, key: generateKeyPairSync('ed25519').privateKey });
const log = named(ORIGIN);
const sdg = named('sdg.example/witness');
const lon = named('lon.example/witness');
const random = seededRandom(3);

const record = (seq: number, over: Partial<AuditRecord> = {}): AuditRecord => ({
  seq,
  time: '2027-01-15T08:00:00.000Z',
  op: 'decision',
  decision_id: `dec_${seq}`,
  actor: `https://idp.example|person-${seq % 7}`,
  action: 'circuit.create',
  project: 'lhc',
  decision: seq % 3 === 0 ? 'DENY' : 'ALLOW',
  reasons: ['member-may-book'],
  facts: { bandwidth_mbps: seq * 10, provision: 'AUTOMATIC', mfa: seq % 2 === 0 },
  ...over,
});

interface World {
  readonly lines: string[];
  readonly checkpoints: string[];
  readonly asides: Map<string, Aside>;
  readonly tree: MerkleLog;
}
/** `count` records with a checkpoint after each `every`. */
function world(
  count: number,
  every: number,
  over: (seq: number) => Partial<AuditRecord> = () => ({}),
): World {
  const tree = new MerkleLog();
  const [lines, checkpoints, asides]: [string[], string[], Map<string, Aside>] = [[], [], new Map()];
  for (let seq = 0; seq < count; seq++) {
    const sealed = seal(record(seq, over(seq)), (n) => random.bytes(n));
    for (const aside of sealed.asides) asides.set(asideKey(seq, aside.field), aside);
    lines.push(exportLine(sealed.text));
    tree.append(sealed.leaf);
    if (tree.size % every === 0) checkpoints.push(signed(tree));
  }
  return { lines, checkpoints, asides, tree };
}
const signed = (tree: MerkleLog, size = tree.size, by = log, origin = ORIGIN): string =>
  signCheckpoint({ origin, size, root: tree.root(size), extensions: [] }, by);

const good = world(40, 10);
const verify = (over: Partial<ExportInput> = {}) =>
  verifyExport({
    lines: good.lines,
    checkpoints: good.checkpoints,
    log,
    origin: ORIGIN,
    asides: good.asides,
    ...over,
  });
const edited = (seq: number, change: (line: string) => string): string[] =>
  good.lines.map((line, i) => (i === seq ? change(line) : line));

test('an export as it was written', () => {
  expect(verify()).toEqual({
    ok: true,
    records: 40,
    checkpoints: 4,
    unsigned: 0,
    withheld: 0,
    cosignatures: 0,
    witnessed: 0,
    erased: 0,
  });
});

describe('attack 66: the first bad record is named', () => {
  const rewritten = (seq: number, over: Partial<AuditRecord>): string =>
    exportLine(seal(record(seq, over), (n) => random.bytes(n)).text);
  test.each<[string, Partial<ExportInput>, object]>([
    ['a value edited', { lines: edited(13, (l) => l.replace('"lhc"', '"lhd"')) }, { seq: 13 }],
    ['a key added', { lines: edited(13, (l) => l.replace('{"action"', '{"aaa":1,"action"')) }, { seq: 13 }],
    ['a key twice', { lines: edited(13, (l) => l.replace('"op":', '"op":"override","op":')) }, { seq: 13 }],
    ['a space', { lines: edited(13, (l) => l.replace('"op":', '"op": ')) }, { seq: 13 }],
    [
      'rewritten with a hash that fits',
      { lines: edited(13, () => rewritten(13, { project: 'x' })), asides: new Map() },
      { seq: 10, upTo: 19 },
    ],
    ['removed', { lines: good.lines.filter((_, i) => i !== 13) }, { seq: 13 }],
    [
      'reordered',
      { lines: good.lines.map((l, i) => (i === 13 ? good.lines[14] : i === 14 ? good.lines[13] : l) ?? l) },
      { seq: 13 },
    ],
    ['doubled', { lines: [...good.lines.slice(0, 14), ...good.lines.slice(13)] }, { seq: 14 }],
    ['the tail cut off', { lines: good.lines.slice(0, 33) }, { seq: 33, upTo: 39 }],
    [
      'the tail and its checkpoint cut off, and one known',
      {
        lines: good.lines.slice(0, 30),
        checkpoints: good.checkpoints.slice(0, 3),
        known: good.checkpoints.slice(3),
      },
      { seq: 30 },
    ],
    ['not JSON', { lines: edited(13, () => '{') }, { seq: 13 }],
    ['null', { lines: edited(13, () => 'null') }, { seq: 13 }],
    ['an empty line', { lines: edited(13, () => '') }, { seq: 13 }],
    ['no checkpoint', { checkpoints: [] }, { seq: 0 }],
    [
      'a checkpoint edited',
      { checkpoints: good.checkpoints.map((c, i) => (i === 1 ? c.replace('\n20\n', '\n21\n') : c)) },
      { seq: 20 },
    ],
    [
      'a checkpoint by another key',
      { checkpoints: [signed(good.tree, 40, { ...named(ORIGIN) })] },
      { seq: 39 },
    ],
    [
      'a checkpoint of another log',
      { checkpoints: [signed(good.tree, 40, log, 'ams.example/audit/2')] },
      { seq: 39 },
    ],
    [
      'a personal value changed',
      {
        asides: new Map([
          ...good.asides,
          [
            asideKey(13, 'actor'),
            {
              seq: 13,
              field: 'actor',
              salt: good.asides.get(asideKey(13, 'actor'))?.salt ?? '',
              value: 'somebody else',
            },
          ],
        ]),
      },
      { seq: 13 },
    ],
    [
      'a complaint of an inspector',
      { inspect: [(r) => (r['seq'] === 13 ? 'does not add up' : undefined)] },
      { seq: 13, why: 'does not add up' },
    ],
  ])('%s', (_, over, bad) => {
    const said = verify(over);
    expect(said.ok).toBe(false);
    expect(said.bad).toMatchObject(bad);
  });
  test('a forked checkpoint: two roots of one size', () => {
    const other = world(40, 40);
    expect(verify({ checkpoints: [...good.checkpoints, ...other.checkpoints] }).bad?.why).toContain('forked');
    expect(verify({ known: other.checkpoints }).bad?.why).toContain('forked');
  });
  test('an old checkpoint alone leaves the rest unsigned, and says so', () => {
    expect(verify({ checkpoints: good.checkpoints.slice(0, 2) })).toMatchObject({ ok: true, unsigned: 20 });
  });
  test('one byte changed anywhere in the lines is found, at its record', () => {
    fc.assert(
      fc.property(fc.nat(39), fc.nat(), fc.integer({ min: 32, max: 126 }), (seq, at, code) => {
        const line = good.lines[seq] ?? '';
        const i = at % line.length;
        const char = String.fromCharCode(code);
        fc.pre(line[i] !== char);
        expect(verify({ lines: edited(seq, (l) => l.slice(0, i) + char + l.slice(i + 1)) }).bad?.seq).toBe(
          seq,
        );
      }),
      { numRuns: 300 },
    );
  });
});

describe('personal values', () => {
  test('erased ones leave every proof as it was', () => {
    expect(verify({ asides: new Map() })).toMatchObject({ ok: true, erased: 40 });
    expect(good.lines.join('')).not.toContain('person-');
  });
  test('two records of one person do not look alike', () => {
    const hashes = [0, 7, 14].map((i) => /"actor":\{"sha256":"([^"]+)"/.exec(good.lines[i] ?? '')?.[1]);
    expect(new Set(hashes).size).toBe(3);
  });
  test('a value is shown only when it is the one that was sealed', () => {
    const sealed = seal(record(1), (n) => random.bytes(n));
    const { actor } = JSON.parse(sealed.text);
    const [aside] = sealed.asides;
    expect(reveal(actor, aside)).toBe(record(1).actor);
    expect(reveal(actor, undefined)).toBe('ERASED');
    expect(reveal(actor, { ...(aside as Aside), value: 'x' })).toBe('WRONG');
  });
});

describe('one record alone', () => {
  const proofOf = (seq: number) => ({
    record: canonical(JSON.parse(good.lines[seq] ?? '').record),
    seq,
    inclusion: good.tree.inclusion(seq, 40, new Map()).map((h) => h.toString('base64url')),
    checkpoint: good.checkpoints[3] ?? '',
  });
  test('is believed', () => {
    for (let seq = 0; seq < 40; seq++) expect(verifyRecordProof(proofOf(seq), log, ORIGIN)).toBeUndefined();
  });
  test.each([
    ['another record', { record: canonical(JSON.parse(good.lines[6] ?? '').record) }, /not in the log/],
    ['another place', { seq: 6 }, /not in the log/],
    ['an older checkpoint', { checkpoint: good.checkpoints[2] ?? '' }, /not in the log/],
    ['no checkpoint', { checkpoint: 'x' }, /not a signed note/],
    ['another signer', { checkpoint: signed(good.tree, 40, named(ORIGIN)) }, /not signed/],
    ['another log', { checkpoint: signed(good.tree, 40, log, 'x') }, /another log/],
  ])('%s', (_, over, complaint) => {
    expect(verifyRecordProof({ ...proofOf(5), ...over }, log, ORIGIN)).toMatch(complaint);
  });
});

describe('notes', () => {
  const text = good.checkpoints[3] ?? '';
  test('have the form of C2SP', () => {
    const lines = text.split('\n');
    expect(lines.slice(0, 2)).toEqual([ORIGIN, '40']);
    expect(lines[3]).toBe('');
    expect(lines[4]).toMatch(/^— ams\.example\/audit\/1 [A-Za-z0-9+/]{91}=$/);
    expect(text.endsWith('\n')).toBe(true);
  });
  test('with extension lines', () => {
    const note = readNote(
      signCheckpoint(
        { origin: 'b', size: 0, root: good.tree.root(0), extensions: ['continues a 5 xyz='] },
        log,
      ),
    );
    expect(note?.checkpoint.extensions).toEqual(['continues a 5 xyz=']);
    expect(note !== undefined && isSignedBy(note, log)).toBe(true);
  });
  test('a witness adds its line, with the time', () => {
    const note = readNote(text);
    if (note === undefined) throw new Error('no note');
    const both = text + cosign(note, sdg, 1_800_000_000) + cosign(note, lon, 1_800_000_001);
    const again = readNote(both);
    if (again === undefined) throw new Error('no note');
    expect([cosignedAt(again, sdg), cosignedAt(again, lon), cosignedAt(again, named(sdg.name))]).toEqual([
      1_800_000_000,
      1_800_000_001,
      undefined,
    ]);
    expect(isSignedBy(again, log)).toBe(true);
    const checkpoints = [...good.checkpoints.slice(0, 3), both];
    expect(verify({ checkpoints, witnesses: [sdg, lon], quorum: 2 })).toMatchObject({
      ok: true,
      cosignatures: 2,
    });
    expect(verify({ witnesses: [sdg, lon], quorum: 1 })).toMatchObject({
      ok: false,
      bad: { why: 'no checkpoint has 1 of these witnesses' },
    });
    // The newest has not been shown to anybody yet: what they vouched for ends before it.
    const earlier = (good.checkpoints[2] ?? '') + cosign(readNote(good.checkpoints[2] ?? '') ?? note, sdg, 1);
    const mixed = [...good.checkpoints.slice(0, 2), earlier, text];
    const size = readNote(earlier)?.checkpoint.size ?? 0;
    expect(size).toBeLessThan(note.checkpoint.size);
    expect(verify({ checkpoints: mixed, witnesses: [sdg, lon], quorum: 1 })).toMatchObject({
      ok: true,
      cosignatures: 1,
      witnessed: size,
    });
    expect(verify({ checkpoints: mixed, witnesses: [sdg, lon], quorum: 2 }).ok).toBe(false);
  });
  test.each([
    ['nothing', ''],
    ['no signature', text.slice(0, text.indexOf('—'))],
    ['a leading zero', text.replace('\n40\n', '\n040\n')],
    ['a size beyond 2^53', text.replace('\n40\n', '\n9999999999999999\n')],
    ['no last line break', text.slice(0, -1)],
    ['16 kB', `${text}${'x'.repeat(17_000)}\n`],
    ['a root that is too short', text.replace(/\n40\n.*\n/, '\n40\nAAAA\n')],
  ])('%s is none', (_, broken) => {
    expect(readNote(broken)).toBeUndefined();
  });
});

describe('a witness', () => {
  const at = (size: number) => ({ size, root: good.tree.root(size) });
  const proof = (from: number, to: number): Buffer[] => good.tree.consistency(from, to, new Map());
  const fork = world(40, 40).tree;
  test('signs what grows', () => {
    expect(witness(undefined, at(10), 0, [])).toMatchObject({ kind: 'COSIGN', seen: { size: 10 } });
    expect(witness(at(10), at(40), 10, proof(10, 40))).toMatchObject({ kind: 'COSIGN', seen: { size: 40 } });
    expect(witness(at(10), at(10), 10, [])).toMatchObject({ kind: 'COSIGN' });
  });
  test('asks again when the proof starts elsewhere or the log seems shorter', () => {
    expect(witness(at(10), at(40), 5, proof(5, 40))).toEqual({ kind: 'STALE', size: 10 });
    expect(witness(at(20), at(10), 20, [])).toEqual({ kind: 'STALE', size: 20 });
  });
  test('does not sign a fork', () => {
    expect(witness(at(40), { size: 40, root: fork.root() }, 40, []).kind).toBe('FORKED');
    const theirs = fork.consistency(10, 40, new Map());
    expect(witness(at(10), { size: 40, root: fork.root() }, 10, theirs).kind).toBe('FORKED');
  });
});

describe('attack 74: no secret reaches a record', () => {
  const canaries = {
    jwt: 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJDQU5BUlkifQ.CANARYCANARY',
    cct: 'CCT eyJhbGciOiJFUzI1NiJ9.eyJCQU5BUlki.CANARY1~eyJhbGciOiJF.CANARY2.CANARY3',
    bearer: 'Authorization: Bearer CANARYcanary12345',
    pem: '-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----',
    jwk: '{"kty":"EC","d":"CANARY_canary"}',
    tl1: 'ACT-USER:NE1:CANARY:5::CANARYPASS;',
    snmp: 'community=CANARY',
    password: 'password: CANARY',
  };
  test.each(Object.entries(canaries))('%s', (_, canary) => {
    const sealed = seal(
      record(0, {
        actor: canary,
        reason: `because ${canary}`,
        errors: [canary],
        facts: { note: canary, [canary]: 1 },
        ports: [canary],
      }),
      (n) => random.bytes(n),
    );
    expect(`${sealed.text}${JSON.stringify(sealed.asides)}`).not.toMatch(/CANARY/i);
  });
  test('a fact that is named for a secret is blanked', () => {
    const { text } = seal(record(0, { facts: { snmp_community: 'CANARY', password: 'CANARY' } }), (n) =>
      random.bytes(n),
    );
    expect(text).not.toContain('CANARY');
  });
  test('what is none stays', () => {
    const text = 'https://idp.example|person-1 may book ams:host1 to sdg:host1';
    expect(redacted(text)).toBe(text);
    expect(
      seal(record(0, { token: { iss: 'https://a', jti: 'j', links: 1 } }), (n) => random.bytes(n)).text,
    ).toContain('"jti":"j"');
  });
});

describe('canonical JSON', () => {
  test.each([
    [{ b: 1, a: 2 }, '{"a":2,"b":1}'],
    [
      { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, ö: 7 },
      '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
    ],
    [[333333333.3333333, 1e30, 4.5, 2e-3, 1e-27, -0], '[333333333.3333333,1e+30,4.5,0.002,1e-27,0]'],
    [{ a: undefined, b: null, c: [true, false] }, '{"b":null,"c":[true,false]}'],
    ['€$\u000f\nA\'B"\\"/', '"€$\\u000f\\nA\'B\\"\\\\\\"/"'],
  ])('%j', (value, text) => {
    expect(canonical(value)).toBe(text);
  });
  test.each([Number.NaN, Number.POSITIVE_INFINITY, '\ud800'])('%s has no form', (value) => {
    expect(() => canonical(value)).toThrow(TypeError);
  });
  test('reading and writing again gives the same text, whatever the order was', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // fast-check's JsonValue has halves of surrogate pairs only when asked for.
        const text = canonical(value as never);
        expect(canonical(JSON.parse(text))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
