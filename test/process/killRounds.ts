/**
 * Three real brokers under load, of which one is killed with SIGKILL at a random moment, again and again; when
 * it is quiet at last, all three must agree. `npx tsx test/process/killRounds.ts --rounds 50 [--seed N]` runs
 * as many rounds as wanted, the test beside it a few.
 */
import { wallClock } from '../../src/kernel/clock.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { build, eventually } from './broker.ts';
import { disagreements, Row } from './three.ts';

const DOMAINS = 3;
const CLIENTS = 4;
/** Killed so long after the last start, at the most: sometimes it has not yet started. */
const LONGEST_LIFE_MS = 3_000;
const LONGEST_DEATH_MS = 1_000;
const HEALED_WITHIN_MS = 120_000;

export interface Outcome {
  readonly rounds: number;
  readonly asked: number;
  readonly agreed: number;
  readonly ended: number;
  readonly disagreements: readonly string[];
}

interface Shown {
  readonly id: string;
  readonly state: string;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');

export async function killRounds(
  rounds: number,
  seed: number,
  say: (text: string) => void,
): Promise<Outcome> {
  const random = seededRandom(seed);
  const clock = wallClock();
  const row = new Row(DOMAINS);
  const counts = { asked: 0, ended: 0 };
  try {
    await row.begin();
    let over = false;
    const client = async (n: number): Promise<void> => {
      const dice = seededRandom(seed * 100 + n);
      const mine: { home: number; id: string }[] = [];
      while (!over) {
        const home = dice.int(DOMAINS);
        const far = (home + 1 + dice.int(DOMAINS - 1)) % DOMAINS;
        try {
          const victim =
            mine.length > 3 && dice.chance(0.4) ? mine.splice(dice.int(mine.length), 1)[0] : undefined;
          if (victim !== undefined) {
            await row.call(victim.home, 'DELETE', `/v1/circuits/${victim.id}`);
            counts.ended++;
            continue;
          }
          const start = Math.ceil(clock.now() / 1000) * 1000 + 3_600_000;
          const now = dice.chance(0.3);
          const { status, body } = await row.call<Shown>(home, 'POST', '/v1/circuits', {
            body: {
              project: 'lhc',
              a: { port: `d${home}:h${1 + dice.int(4)}` },
              z: { port: `d${far}:h${1 + dice.int(4)}` },
              bandwidth_mbps: 1 + dice.int(50),
              schedule: now
                ? { type: 'NOW', duration_s: 86_400 }
                : { type: 'FIXED', start_time: rfc3339(start), end_time: rfc3339(start + 3_600_000) },
            },
          });
          counts.asked++;
          if (status === 201) mine.push({ home, id: body.id });
        } catch {
          // Nobody is there just now.
        }
        await pause(5 + dice.int(60));
      }
    };
    const clients = Array.from({ length: CLIENTS }, (_, n) => client(n));
    for (let round = 1; round <= rounds; round++) {
      await pause(random.int(LONGEST_LIFE_MS));
      const victim = random.int(DOMAINS);
      await row.kill(victim);
      say(`round ${round}: killed d${victim}, ${counts.asked} asked so far`);
      await pause(random.int(LONGEST_DEATH_MS));
      row.start(victim);
      if (round % 5 === 0) await Promise.all(row.instances.map((instance) => instance.ready()));
    }
    over = true;
    await Promise.all(clients);
    await Promise.all(row.instances.map((instance) => instance.ready()));
    await eventually(() => quiet(row), 'nothing is under way any more', HEALED_WITHIN_MS);
    await row.stop();
    const rows = await Promise.all([...Array(DOMAINS).keys()].map((i) => row.rows(i)));
    const agreed = rows.flat().filter((circuit) => circuit.role === 'HOME').length;
    return { rounds, ...counts, agreed, disagreements: disagreements(rows) };
  } finally {
    await row.clear();
  }
}

/** Nothing waits to be carried out anywhere, no home is still deciding, and no participant still asks. */
async function quiet(row: Row): Promise<boolean> {
  for (let i = 0; i < DOMAINS; i++) {
    const { body: ready } = await row.call<{ effects_waiting?: number }>(i, 'GET', '/readyz');
    if (ready.effects_waiting !== 0) return false;
    for (const state of ['RESERVING', 'COMMITTING', 'RELEASING']) {
      const { body } = await row.call<{ items: unknown[] }>(
        i,
        'GET',
        `/v1/circuits?role=HOME&state=${state}&page_size=1`,
      );
      if (body.items.length > 0) return false;
    }
  }
  return true;
}

if (process.argv[1]?.endsWith('killRounds.ts') === true) {
  const option = (name: string, fallback: number): number => {
    const at = process.argv.indexOf(`--${name}`);
    return at < 0 ? fallback : Number(process.argv[at + 1]);
  };
  build();
  const outcome = await killRounds(option('rounds', 50), option('seed', 1), (text) => console.error(text));
  console.log(JSON.stringify(outcome));
  process.exitCode = outcome.disagreements.length > 0 ? 1 : 0;
}
