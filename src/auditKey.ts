/**
 * The key of the audit log in a file of its own, and beside it what the store must not be the only one to
 * know: the last checkpoint that was signed with it (`.head`), and that an operator, or the making of a new
 * key, lets the log go on under a new name (`.continue`).
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { AuditKeeper } from './broker/audit/auditStart.ts';
import type { Config } from './config.ts';
import { StartError } from './flags.ts';
import { textOf } from './kernel/errors.ts';
import { writePrivate } from './privateFile.ts';

/** Beside an SQLite file; instances that share a PostgreSQL database must be told where they share the key. */
export const auditKeyFile = ({ audit, store }: Config): string | undefined =>
  audit.key_file ?? (store.client === 'sqlite' ? `${store.file}.audit.key` : undefined);

const headOf = (file: string): string => `${file}.head`;
const continueOf = (file: string): string => `${file}.continue`;

/** Lets the next start go on under a new origin, whatever the store has. */
export function allowContinuation(file: string, reason: string): void {
  readKey(file);
  writePrivate(continueOf(file), `${reason}\n`);
}

/** Makes the key when there is none. */
export function openAuditKey(file: string): AuditKeeper {
  return keeperOf(file, readOrMake(file));
}

/** For those who only look; undefined when there is no key yet. */
export function readAuditKey(file: string): AuditKeeper | undefined {
  return textIn(file) === undefined ? undefined : keeperOf(file, readKey(file));
}

const keeperOf = (file: string, key: KeyObject): AuditKeeper => ({
  key,
  head: () => textIn(headOf(file)),
  keepHead(note) {
    try {
      writePrivate(headOf(file), note);
    } catch {
      // On a full disk the one before stays, and it is as true as ever.
    }
  },
  continuation: () => textIn(continueOf(file))?.trim(),
  continued: () => rmSync(continueOf(file), { force: true }),
});

function readOrMake(file: string): KeyObject {
  if (textIn(file) !== undefined) return readKey(file);
  try {
    mkdirSync(dirname(file), { recursive: true });
    // First, so that a key whose maker died at once is still known to be new.
    writePrivate(continueOf(file), 'the key was made anew\n');
    const { privateKey } = generateKeyPairSync('ed25519');
    // Exclusive: of two processes that start together one makes the key and the other reads it.
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new StartError(`the key of the audit log: ${textOf(error)}`);
  }
  return readKey(file);
}

function readKey(file: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(readFileSync(file));
  } catch (error) {
    // Not the parser's own words: they could hold some of the file.
    const why =
      (error as NodeJS.ErrnoException).syscall === undefined ? 'it is not a PEM key' : textOf(error);
    throw new StartError(`the key of the audit log, ${file}: ${why}`);
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new StartError(`the key of the audit log, ${file}: it is not an Ed25519 key`);
  return key;
}

function textIn(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new StartError(`the audit log: ${textOf(error)}`);
  }
}
