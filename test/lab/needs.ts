/**
 * Witnesses that nobody here wrote are used where they are installed. A suite that cannot run says by its name
 * what it would need, and is counted as skipped.
 */
import { execFileSync } from 'node:child_process';
import { describe } from 'vitest';

function missing(tool: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v "$0"', tool], {
      stdio: 'ignore',
      env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
    });
    return false;
  } catch {
    return true;
  }
}

function noNamespaces(): boolean {
  try {
    execFileSync('unshare', ['--net', 'true'], { stdio: 'ignore' });
    return false;
  } catch {
    return true;
  }
}

/** `namespaces` stands for the right to make network namespaces. */
export function withTools(name: string, tools: readonly string[], body: () => void): void {
  const lacks = tools.filter((tool) => (tool === 'namespaces' ? noNamespaces() : missing(tool)));
  const label = lacks.length === 0 ? name : `${name} [skipped: needs ${lacks.join(', ')}]`;
  describe.skipIf(lacks.length > 0)(label, body);
}
