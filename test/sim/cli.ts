/**
 * `npm run sim -- --seed N [--seeds K] [--domains D] [--json]`: runs seeds N to N+K-1 and ends with one line.
 * `npm run sim:soak -- --minutes M` goes on for so long, with two to seven domains.
 * With `--plant TEXT` the fault of that name (plants.ts) is planted, and the seeds at which it is caught are named;
 * with `--without` as well, the same world is looked at without the fault.
 * A violation names its seed; the same seed gives the same run, and `--trace` writes it out.
 */
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { lawOf } from './laws.ts';
import { harmless, plants } from './plants.ts';
import { type SimResult, simulate, tryPlant } from './world.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    domains: { type: 'string', default: '2' },
    json: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    minutes: { type: 'string' },
    plant: { type: 'string' },
    without: { type: 'boolean', default: false },
  },
});

function whole(name: string, text: string, least: number): number {
  const n = Number(text);
  if (!Number.isSafeInteger(n) || n < least) {
    console.error(`--${name} is a whole number, at least ${least}`);
    process.exit(2);
  }
  return n;
}

const first = whole('seed', values.seed, 0);
const count = whole('seeds', values.seeds, 1);
const domains = whole('domains', values.domains, 1);

/** A soak goes on with seed after seed, over two to seven domains, until the time is over. */
const until =
  values.minutes === undefined ? undefined : Date.now() + whole('minutes', values.minutes, 1) * 60_000;
const goesOn = (done: number): boolean => (until === undefined ? done < count : Date.now() < until);

if (values.plant !== undefined) {
  const text = values.plant;
  for (const plant of [...plants, ...harmless].filter(({ what }) => what.includes(text))) {
    for (let seed = first; seed < first + count; seed++) {
      const { violations } = await tryPlant(plant, seed, values.without);
      const caught = violations.find((violation) => lawOf(violation) === plant.law);
      const said = caught ?? (violations.length === 0 ? 'nothing' : `only ${violations[0]}`);
      console.log(`${plant.what}: seed ${seed}: ${said}`);
      if (caught !== undefined) break;
    }
  }
  process.exit();
}

const results: SimResult[] = [];
const hash = createHash('sha256');
for (let seed = first; goesOn(seed - first); seed++) {
  const among = until === undefined ? domains : 2 + (seed % 6);
  const result = await simulate({ seed, domains: among, keepTrace: values.trace });
  results.push(result);
  hash.update(result.hash);
  if (values.trace) for (const line of result.trace) console.error(line);
  const { steps, circuits, crashes, moves, violations } = result;
  if (values.json) {
    console.log(JSON.stringify({ seed, steps, circuits, crashes, moves, violations, hash: result.hash }));
  } else {
    console.log(
      `seed ${seed}: ${steps} steps, ${circuits} circuits, ${crashes} crashes, ${moves} moves, trace ${result.hash}`,
    );
    for (const violation of violations) console.log(`  ${violation}`);
  }
}

const steps = results.reduce((sum, r) => sum + r.steps, 0);
const violations = results.reduce((sum, r) => sum + r.violations.length, 0);
const trace = hash.digest('hex').slice(0, 16);
console.log(
  values.json
    ? JSON.stringify({ seeds: results.length, steps, violations, trace })
    : `${results.length} seeds, ${steps} steps, ${violations} violations, trace ${trace}`,
);
process.exitCode = violations === 0 ? 0 : 1;
