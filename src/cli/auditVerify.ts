/**
 * Verification of an export, and of the proof of one record, from files and keys alone. The first record that
 * is wrong is named, and the exit code says that there is one.
 */
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Inspector, ledgerInspector, type Replayed, replayInspector } from '../aaa/inspect.ts';
import { asideKey, type RecordProof, verifyExport, verifyRecordProof } from '../aaa/merkle/export.ts';
import { MerkleLog } from '../aaa/merkle/log.ts';
import { type NoteKey, readNote, readVerifierKey } from '../aaa/merkle/note.ts';
import type { Aside } from '../aaa/merkle/record.ts';
import { loadPolicies, type PolicySet } from '../aaa/policySet.ts';
import { files, type VerifyOptions } from './auditFiles.ts';
import type { Context } from './context.ts';
import { CliError, exits, usage } from './io.ts';
import { type Column, dig, type Json, object, text } from './output.ts';
import { parseCount } from './units.ts';

const CHUNK = 1 << 20;

/** Line by line, so that a log of any size is verified in little memory. */
function* linesOf(file: string): Generator<string> {
  const descriptor = openSync(file, 'r');
  const decoder = new TextDecoder();
  const chunk = Buffer.allocUnsafe(CHUNK);
  let rest = '';
  try {
    for (let read = readSync(descriptor, chunk); read > 0; read = readSync(descriptor, chunk)) {
      const lines = (rest + decoder.decode(chunk.subarray(0, read), { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
    rest += decoder.decode();
    if (rest !== '') yield rest;
  } finally {
    closeSync(descriptor);
  }
}

/** The file's lines; none when there is no such file. */
function linesIn(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** A damaged file is a finding and not a fault of this program. */
function parsed(what: string, line: string): Json {
  try {
    return object(JSON.parse(line));
  } catch {
    throw new CliError(exits.ERROR, `${what} holds a line that is not JSON`);
  }
}

const keyOr = (said: string, kind: 'log' | 'witness'): NoteKey => {
  let line = said;
  try {
    if (statSync(said).isFile()) line = readFileSync(said, 'utf8');
  } catch {
    // Not a file: the key itself.
  }
  const key = readVerifierKey(line, kind);
  if (key === undefined) throw usage(`"${said.slice(0, 60)}" is not the key of a ${kind}`);
  return key;
};

export async function verify(context: Context, path: string, options: VerifyOptions): Promise<void> {
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch {
    throw usage(`there is no ${path}`);
  }
  if (isFolder) await verifyFolder(context, path, options);
  else await verifyProofFile(context, path, options);
}

async function verifyFolder(context: Context, dir: string, options: VerifyOptions): Promise<void> {
  const log = parsed(files.log, linesIn(join(dir, files.log)).join(''));
  const key = keyOr(options.key ?? text(log['key']), 'log');
  if (options.key === undefined)
    context.out.say('the key is the one in the export itself: compare it with one you know, or give --key');
  const asides = asidesIn(dir);
  const sets = policiesIn(dir);
  const replayed: Replayed = { same: 0, erased: 0 };
  const records = join(dir, files.records);
  // The books cannot be added up once retention has taken their beginning.
  const [first] = linesOf(records);
  const whole = first === undefined || first.includes('"record":');
  const inspect: Inspector[] = [
    ...(whole ? [ledgerInspector()] : []),
    ...(sets.size > 0 ? [replayInspector(sets, asides, replayed)] : []),
  ];
  const verdict = verifyExport({
    lines: linesOf(records),
    checkpoints: linesIn(join(dir, files.checkpoints)).map((line) =>
      text(dig(parsed(files.checkpoints, line), 'note')),
    ),
    log: key,
    origin: text(log['origin']),
    witnesses: (options.witness ?? []).map((one) => keyOr(one, 'witness')),
    quorum: parseCount(options.quorum, 'quorum', 0, 32),
    known: (options.known ?? []).map((file) => readFileSync(file, 'utf8')),
    asides,
    inspect,
  });
  for (const set of sets.values()) set.close();
  const { bad, ...counts } = verdict;
  const row: Json = {
    ...counts,
    ledger: whole ? 'added up' : 'not looked at',
    replayed: sets.size === 0 ? 'not looked at' : `${replayed.same} the same, ${replayed.erased} erased`,
    ...(bad === undefined ? {} : { bad }),
  };
  await context.out.one(
    row,
    Object.keys(row).map(
      (name): Column => [name, (r) => (name === 'bad' ? JSON.stringify(r[name]) : r[name])],
    ),
  );
  if (bad === undefined) return;
  const which = bad.upTo === undefined ? `record ${bad.seq}` : `a record from ${bad.seq} to ${bad.upTo}`;
  throw new CliError(exits.ERROR, `${which}: ${bad.why}`);
}

function asidesIn(dir: string): Map<string, Aside> {
  const asides = new Map<string, Aside>();
  for (const line of linesIn(join(dir, files.asides))) {
    const { seq, field, salt, value } = parsed(files.asides, line);
    if (field !== 'actor' && field !== 'reason') continue;
    asides.set(asideKey(Number(seq), field), {
      seq: Number(seq),
      field,
      salt: text(salt),
      value: text(value),
    });
  }
  return asides;
}

/** By what their text hashes to, whatever the files are called. */
function policiesIn(dir: string): Map<string, PolicySet> {
  const folder = join(dir, files.policies);
  const sets = new Map<string, PolicySet>();
  let names: string[] = [];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  for (const name of names.filter((one) => one.endsWith('.cedar'))) {
    const loaded = loadPolicies(readFileSync(join(folder, name), 'utf8'));
    if (!loaded.ok) throw new CliError(exits.ERROR, `${name} is not a policy set that this version can read`);
    sets.set(loaded.set.sha256, loaded.set);
  }
  return sets;
}

async function verifyProofFile(context: Context, path: string, options: VerifyOptions): Promise<void> {
  const { record, seq, inclusion, checkpoint } = parsed(path, readFileSync(path, 'utf8'));
  if (options.key === undefined) throw usage('a proof carries no key', 'give that of the log with --key');
  if (typeof record !== 'string' || typeof checkpoint !== 'string' || !Array.isArray(inclusion))
    throw usage(`${path} is not a proof`);
  const proof: RecordProof = { record, checkpoint, seq: Number(seq), inclusion: inclusion.map(text) };
  const key = keyOr(options.key, 'log');
  const wrong = verifyRecordProof(proof, key, key.name);
  if (wrong !== undefined) throw new CliError(exits.ERROR, wrong);
  const shown = parsed(path, record);
  await context.out.one(
    shown,
    Object.keys(shown).map(
      (name): Column => [name, (r) => (typeof r[name] === 'object' ? JSON.stringify(r[name]) : r[name])],
    ),
  );
}

/** The proof of one record, from an export and nothing else. */
export function proofFrom(dir: string, id: string): Json {
  const tree = new MerkleLog();
  const wanted = `"decision_id":${JSON.stringify(id)}`;
  let found: { readonly seq: number; readonly record: string } | undefined;
  for (const line of linesOf(join(dir, files.records))) {
    const leaf = parsed(files.records, line)['leaf'];
    if (found === undefined && line.includes(wanted))
      found = { seq: tree.size, record: line.slice(line.indexOf('"record":') + 9, -1) };
    tree.append(Buffer.from(text(leaf), 'base64url'));
  }
  if (found === undefined) throw new CliError(exits.ERROR, `${id} is not in this export`);
  const { seq, record } = found;
  const over = linesIn(join(dir, files.checkpoints))
    .map((line) => text(dig(parsed(files.checkpoints, line), 'note')))
    .map((note) => ({ note, size: readNote(note)?.checkpoint.size ?? 0 }))
    .filter(({ size }) => size > seq && size <= tree.size)
    .sort((a, b) => a.size - b.size)[0];
  if (over === undefined) throw new CliError(exits.ERROR, `no checkpoint of this export covers ${id}`);
  const inclusion = tree.inclusion(seq, over.size, new Map()).map((hash) => hash.toString('base64url'));
  return { seq, record, inclusion, checkpoint: over.note };
}
