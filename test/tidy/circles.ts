/**
 * Circles of imports. A type that is only named ties two files as much as a call does: neither can be read, moved
 * or thought of without the other. So type-only imports count here like all others.
 */
import { posix } from 'node:path';
import type { SourceFile } from './rules.ts';
import { imports, tokens } from './source.ts';

/** For each file that comes back to itself the shortest way round, told once: `a.ts > b.ts > a.ts`. */
export function circles(files: readonly SourceFile[]): string[] {
  const known = new Map(files.map((file) => [file.path, importsOf(file)]));
  const found = [...known.keys()].flatMap((path) => wayBack(known, path) ?? []);
  return [...new Set(found)].sort();
}

const importsOf = ({ path, text }: SourceFile): readonly string[] =>
  imports(tokens(text))
    .filter(({ from }) => from.startsWith('.'))
    .map(({ from }) => posix.join(posix.dirname(path), from));

/** Breadth first, so that the first way that is found is the shortest. */
function wayBack(known: ReadonlyMap<string, readonly string[]>, start: string): string | undefined {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const at of queue) {
    for (const to of known.get(at) ?? []) {
      if (to === start) return inWords(at, cameFrom);
      if (cameFrom.has(to)) continue;
      cameFrom.set(to, at);
      queue.push(to);
    }
  }
  return undefined;
}

/** Begins with the file that is first by name, so that all files of a circle tell of it in the same words. */
function inWords(last: string, cameFrom: ReadonlyMap<string, string>): string {
  const way: string[] = [];
  for (let at: string | undefined = last; at !== undefined; at = cameFrom.get(at)) way.unshift(at);
  const first = way.indexOf([...way].sort()[0] as string);
  const round = [...way.slice(first), ...way.slice(0, first)];
  return [...round, round[0]].join(' > ');
}
