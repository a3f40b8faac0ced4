#!/usr/bin/env node
// Starts the built program, and has it built first in a clone that has not been yet.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = new URL('../dist/main.js', import.meta.url);
if (!existsSync(main)) {
  const prepare = fileURLToPath(new URL('../scripts/prepare.mjs', import.meta.url));
  spawnSync(process.execPath, [prepare], { stdio: ['ignore', 2, 2] });
}
if (existsSync(main)) {
  await import(main.href);
} else {
  process.stderr.write('turnpike: it is not built, and could not be built here\n  try: npm run build\n');
  process.exitCode = 1;
}
