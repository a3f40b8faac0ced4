/**
 * package-lock.json must satisfy `npm ci` everywhere: npm refuses a lock file that leaves out optional
 * packages of other platforms, and `npm install` leaves them out where its registry does not have them.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const text = readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8');
// npm's own format, version 3.
const { packages } = JSON.parse(text) as { packages: Readonly<Record<string, Locked>> };

/** Where Node would find `name` from the package at `path`: beside it, or in any folder above. */
function found(path: string, name: string): boolean {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`] !== undefined) return true;
    if (at === '') return false;
  }
}

test('names every optional package of every platform', () => {
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) => !found(path, name)),
  );
  expect(missing).toEqual([]);
});

test('names no registry', () => {
  expect(Object.values(packages).filter((locked) => locked.resolved !== undefined)).toEqual([]);
});
