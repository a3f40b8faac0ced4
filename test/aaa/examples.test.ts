/**
 * The example policies, one file for each kind of rule, each with its assertions; and that the assertions
 * are worth something: without any one of its rules a file fails them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Assertion, runAssertions } from '../../src/aaa/assertions.ts';
import { loaded, world } from './world.ts';

const folder = join(import.meta.dirname, '../../examples/policies');
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.cedar'))
  .map((file) => file.slice(0, -'.cedar'.length));

const policies = (name: string): string => readFileSync(join(folder, `${name}.cedar`), 'utf8');
// Our own files; a malformed one fails its assertions.
const assertions = (name: string): Assertion[] =>
  JSON.parse(readFileSync(join(folder, `${name}.tests.json`), 'utf8')) as Assertion[];

test('every kind of rule has its example', () => {
  expect(names).toEqual([
    'calendar',
    'ceilings-port-group',
    'ceilings-project',
    'certain-ends',
    'default',
    'lab',
    'mfa-above-10g',
    'no-commercial-transit',
    'operator-override',
    'peers',
    'roles-and-groups',
  ]);
});

describe.each(names)('%s', (name) => {
  const set = loaded(policies(name));
  test.each(runAssertions(set, world, assertions(name)).map((r) => [r.name, r]))('%s', (_, result) => {
    expect(result).toMatchObject({ ok: true });
  });
  test.each(set.rules.map((r) => r.id))('the assertions miss %s when it is gone', (id) => {
    const without = policies(name)
      .split(/(?=@id\()/)
      .filter((part) => !part.startsWith(`@id("${id}")`))
      .join('');
    const results = runAssertions(loaded(without), world, assertions(name));
    expect(results.some((r) => !r.ok)).toBe(true);
  });
});
