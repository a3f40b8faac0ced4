/** NetworkX, from Debian's python3-networkx, where it is installed: a witness that nobody here wrote. */
import { spawnSync } from 'node:child_process';
import { expect } from 'vitest';

const python = ['python3', '/usr/bin/python3'].find(
  (command) => spawnSync(command, ['-c', 'import networkx']).status === 0,
);

/** Runs a script that reads all cases as JSON and answers each with a line of JSON. */
export const networkx =
  python === undefined
    ? undefined
    : (script: string, cases: readonly unknown[]): unknown[] => {
        const run = spawnSync(python, ['-c', script], { input: JSON.stringify(cases), encoding: 'utf8' });
        expect(run.stderr).toBe('');
        return run.stdout
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown);
      };
