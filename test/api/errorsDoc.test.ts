/** docs/ERRORS.md and the registry list the same codes, each under its status with its title and its help. */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { problems } from '../../src/kernel/errors.ts';

it('docs/ERRORS.md says what the registry says', async () => {
  const text = await readFile(new URL('../../docs/ERRORS.md', import.meta.url), 'utf8');
  const written: Record<string, { status: number; title: string; help: string }> = {};
  let status = 0;
  for (const line of text.slice(text.indexOf('## Codes')).split('\n')) {
    const heading = /^### (\d{3})$/.exec(line);
    if (heading !== null) status = Number(heading[1]);
    const entry = /^- \*\*([A-Z_]+)\*\*: (.*)$/.exec(line);
    if (entry === null) continue;
    const [, code = '', rest = ''] = entry;
    expect(written, `${code} is listed twice`).not.toHaveProperty(code);
    const title = problems[code as keyof typeof problems]?.title ?? '';
    const help = /\*([^*]+)\*$/.exec(rest)?.[1] ?? '';
    // A sentence of its own stands between the title and the help.
    expect(rest.slice(title.length, -help.length - 2).trim().length, code).toBeGreaterThan(20);
    written[code] = { status, title: rest.slice(0, title.length), help };
  }
  expect(written).toEqual(problems);
});
