import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { type Format, Output, toTable } from '../../src/cli/output.ts';
import { hastyClock, START } from './support/world.ts';

async function shown(format: Format, value: Record<string, unknown>): Promise<string> {
  let stdout = '';
  const out = new Output(
    {
      env: {},
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: () => {} },
      stdin: (async function* () {})(),
      isTTY: false,
      clock: hastyClock(START),
    },
    format,
    false,
  );
  await out.one(value, [['name', (row) => row['name']]]);
  return stdout;
}

// What a terminal obeys: C0 but the line's end, DEL, C1, and what turns the direction of text.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const OBEYED = /[\u0000-\u0009\u000b-\u000c\u000e-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const hostile = fc.string({ unit: 'binary', maxLength: 40 });
const nasty = fc
  .array(
    fc.oneof(
      hostile,
      fc.constantFrom('\u001b[2J', '\u009b31m', '\u202e', '\r', '\n', '"', ',', '\\', ': ', '#', '- '),
    ),
  )
  .map((parts) => parts.join(''));

describe('no control character leaves, and the meaning stays', () => {
  it.each(['table', 'csv', 'json', 'yaml'] as const)('%s', async (format) => {
    await fc.assert(
      fc.asyncProperty(nasty, async (name) => {
        const text = await shown(format, { name });
        expect(text).not.toMatch(OBEYED);
        // Lone surrogates are no text; JSON escapes them, YAML has no word for them.
        if (format === 'json') expect(JSON.parse(text)).toEqual({ name });
        if (format === 'yaml' && !/\p{Surrogate}/u.test(name)) expect(parseYaml(text)).toEqual({ name });
        if (format === 'table') expect(text.split('\n')).toHaveLength(2);
      }),
    );
  });
});

test('CSV quotes what would break a row', async () => {
  expect(await shown('csv', { name: 'a "b", c' })).toBe('name\r\n"a ""b"", c"\r\n');
});

describe('CSV holds no formula', () => {
  it.each([
    ['=HYPERLINK("http://x","y")', `"'=HYPERLINK(""http://x"",""y"")"`],
    ['+31 20 1234567', "'+31 20 1234567"],
    ['-1+2', "'-1+2"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['  =1', `"'  =1"`.replaceAll('"', '')],
    ['a=1', 'a=1'],
    ['', ''],
  ])('%s', async (name, cell) => {
    expect(await shown('csv', { name })).toBe(`name\r\n${cell}\r\n`);
  });
  it('and a number stays one', async () => {
    expect(await shown('csv', { name: -5 })).toBe('name\r\n-5\r\n');
  });
});

test('a table is as wide as its widest cell, and shows what is missing', () => {
  const rows = [{ a: 'x' }, { a: 'longer', b: 0 }];
  expect(
    toTable(rows, [
      ['A', (r) => r['a']],
      ['B', (r) => r['b']],
    ]),
  ).toBe('A       B\nx       -\nlonger  0');
});
