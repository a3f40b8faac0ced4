/** Files that only their owner may read, written so that half of one is never found. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';

export function writePrivate(file: string, text: string): void {
  const part = `${file}.part`;
  rmSync(part, { force: true });
  writeFileSync(part, text, { mode: 0o600, flag: 'wx' });
  renameSync(part, file);
}
