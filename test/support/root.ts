/** Where package.json is, also for files that run from a built copy of themselves. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

function above(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : above(dirname(folder));
}

export const ROOT = above(import.meta.dirname);
