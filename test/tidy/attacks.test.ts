/**
 * What must be refused has a number each, 1 to 85. A test that shows one refused carries its number in its
 * title: `attack 42: ...`, `attacks 42, 43: ...`. Here every number is looked up; one without a test is named
 * below with the reason, and leaves that list when it has one.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const LAST = 85;
const root = resolve(import.meta.dirname, '..');

/** Numbers that no test carries yet, and why. */
const notYet: Readonly<Record<number, string>> = {};

const TITLE = /['"`]attacks? (\d{1,2}(?:(?:, | to | and )\d{1,2})*)[:,]/g;

function* testFiles(folder: string): Iterable<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* testFiles(path);
    else if (entry.name.endsWith('.ts') && path !== import.meta.filename) yield path;
  }
}

/** `58 to 61` is four numbers, `42, 43` two. */
function numbersOf(said: string): number[] {
  return said.split(/, | and /).flatMap((part) => {
    const [from = 0, to = from] = part.split(' to ').map(Number);
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
}

const carriers = new Map<number, Set<string>>();
for (const file of testFiles(root)) {
  for (const [, said = ''] of readFileSync(file, 'utf8').matchAll(TITLE)) {
    for (const number of numbersOf(said)) {
      const known = carriers.get(number) ?? new Set();
      carriers.set(number, known.add(file.slice(root.length + 1)));
    }
  }
}

describe('each attack', () => {
  test.each(Array.from({ length: LAST }, (_, i) => i + 1))('number %i has a test, or a reason', (number) => {
    const files = [...(carriers.get(number) ?? [])];
    if (number in notYet) expect(files, `${number} has a test now: take it off the list`).toEqual([]);
    else expect(files, `no test title begins with "attack ${number}:"`).not.toEqual([]);
  });

  test('that a title names is one of them', () => {
    expect([...carriers.keys()].filter((number) => number < 1 || number > LAST)).toEqual([]);
  });

  test('is read from titles as they are written', () => {
    const said = [
      `'attack 7: x'`,
      `"attacks 42, 43, 44: x"`,
      '`attacks 58 to 60: x`',
      `'attack 79, in numbers'`,
    ];
    const found = said.flatMap((text) => [...text.matchAll(TITLE)].flatMap(([, n = '']) => numbersOf(n)));
    expect(found).toEqual([7, 42, 43, 44, 58, 59, 60, 79]);
    expect([...`an attack 9: x`.matchAll(TITLE)]).toEqual([]);
  });
});
