/**
 * `npm run bench -- NAME [--json] [--option value ...]`: runs one benchmark, or all of them without a name.
 * With --json one object per line, else a table. Ends with 1 when a figure misses its target.
 */
import { stopwatch } from '../src/kernel/clock.ts';
import type { Bench, BenchLine } from './line.ts';

/** Each is loaded only when it runs. */
const benches: Readonly<Record<string, () => Promise<{ readonly run: Bench }>>> = {
  aaa: () => import('./aaa.ts'),
  admission: () => import('./admission.ts'),
  drivers: () => import('./drivers.ts'),
  paths: () => import('./paths.ts'),
  laxity: () => import('./laxity.ts'),
  peering: () => import('./peering.ts'),
};

const [name, options, json] = readArguments(process.argv.slice(2));
const names = name === undefined ? Object.keys(benches) : [name];
let missed = 0;
for (const one of names) {
  const load = benches[one];
  if (load === undefined) {
    process.stderr.write(`there is no benchmark ${one}; there are: ${Object.keys(benches).join(', ')}\n`);
    process.exit(2);
  }
  const began = stopwatch();
  for await (const line of (await load()).run(options)) {
    if (line.ok === false) missed++;
    process.stdout.write(json ? `${JSON.stringify(line)}\n` : `${forPeople(line)}\n`);
  }
  process.stderr.write(
    `${one}: ${((stopwatch() - began) / 1000).toFixed(0)} s, Node ${process.versions.node}\n`,
  );
}
process.exitCode = missed > 0 ? 1 : 0;

function forPeople(line: BenchLine): string {
  const value = `${round(line.value)} ${line.unit}`;
  const beside =
    line.against === undefined
      ? ''
      : `  ${line.ratio === undefined ? '' : `${round(line.ratio)} x `}${line.against}`;
  const target =
    line.target === undefined ? '' : `  target ${round(line.target)} ${line.ok === true ? 'met' : 'MISSED'}`;
  return `${line.bench.padEnd(10)} ${line.case.padEnd(44)} ${line.metric.padEnd(26)} ${value.padStart(16)}${beside}${target}`;
}

function round(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function readArguments(words: readonly string[]): [string | undefined, Record<string, string>, boolean] {
  const given: Record<string, string> = {};
  let bench: string | undefined;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (!word.startsWith('--')) bench = word;
    else if (word !== '--json') given[word.slice(2)] = words[++i] ?? '';
  }
  return [bench, given, words.includes('--json')];
}
