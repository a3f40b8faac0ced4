/**
 * Can these be packed, each in its window, onto links of which each may take any? An integer program, solved by
 * HiGHS. A variable says that a job has begun on a link by then, so that two of them say that it is there: a model
 * is as long as the windows, and not as long as the windows times the durations.
 */
import highsModule, { type Highs } from 'highs';

const loadHighs = highsModule as unknown as () => Promise<Highs>;

/** Starts in [from, latest], all times in granules. */
export interface Job {
  readonly from: number;
  readonly latest: number;
  readonly duration: number;
  readonly mbps: number;
}

export interface Packing<J extends Job = Job> {
  readonly links: readonly number[];
  readonly jobs: readonly J[];
  /** Mb/s that are left on a link in a granule. */
  readonly room: (link: number, granule: number) => number;
}

/** The start of each job, or what the solver knows instead. */
export type Packed = readonly number[] | 'IMPOSSIBLE' | 'UNKNOWN';

interface Model {
  readonly text: string;
  /** Of each job, on each link: the variable of each start. */
  readonly begun: readonly (readonly (readonly (string | undefined)[])[])[];
}

export class Packer {
  #solver: Highs;
  readonly #timeLimitS: number;

  private constructor(solver: Highs, timeLimitS: number) {
    this.#solver = solver;
    this.#timeLimitS = timeLimitS;
  }

  static async of(timeLimitS: number): Promise<Packer> {
    return new Packer(await loadHighs(), timeLimitS);
  }

  async pack(packing: Packing): Promise<Packed> {
    const model = modelOf(packing);
    if (model === undefined) return 'IMPOSSIBLE';
    for (const presolve of ['choose', 'off'] as const) {
      try {
        const options = { presolve, time_limit: this.#timeLimitS, output_flag: false };
        const solution = this.#solver.solve(model.text, options);
        if (solution.Status === 'Infeasible') return 'IMPOSSIBLE';
        if (solution.Status !== 'Optimal') return 'UNKNOWN';
        const { Columns } = solution;
        const isSet = (name: string | undefined): boolean =>
          name !== undefined && (Columns[name]?.Primal ?? 0) > 0.5;
        return packing.jobs.map(({ from }, i) => {
          const starts = model.begun[i]?.map((variables) => variables.findIndex(isSet)) ?? [];
          return from + Math.max(...starts);
        });
      } catch {
        // Now and then presolve fails on a valid model.
        this.#solver = await loadHighs();
      }
    }
    return 'UNKNOWN';
  }
}

/** Undefined: one of them has no place even alone. */
function modelOf({ links, jobs, room }: Packing): Model | undefined {
  const names: string[] = [];
  const rules: string[] = [];
  const rows = new Map<string, string[]>();
  const begun: (string | undefined)[][][] = [];
  for (const { from, latest, duration, mbps } of jobs) {
    const mine = links.map((link) => {
      // Where it cannot start: the variable of the last moment at which it could.
      const by: (string | undefined)[] = [];
      let clear = from;
      for (let t = from; t < latest + duration; t++) {
        if (room(link, t) < mbps) clear = t + 1;
        const start = t - duration + 1;
        if (start < from) continue;
        const before = by.at(-1);
        if (clear > start) by.push(before);
        else {
          const name = `x${names.length}`;
          names.push(name);
          if (before !== undefined) rules.push(`${name} - ${before} >= 0`);
          by.push(name);
        }
      }
      return by;
    });
    begun.push(mine);
    const ends = mine.flatMap((by) => by.at(-1) ?? []);
    if (ends.length === 0) return undefined;
    rules.push(`${ends.join(' + ')} = 1`);
    for (const [i, by] of mine.entries()) {
      for (let t = from; t < latest + duration; t++) {
        const on = by[Math.min(t, latest) - from];
        const off = by[t - duration - from];
        if (on === off || on === undefined) continue;
        const key = `${links[i]} ${t}`;
        const row = rows.get(key) ?? [];
        row.push(`+ ${mbps} ${on}`);
        if (off !== undefined) row.push(`- ${mbps} ${off}`);
        rows.set(key, row);
      }
    }
  }
  for (const [key, row] of rows) {
    const [link, t] = key.split(' ').map(Number) as [number, number];
    rules.push(`${wrap(row)} <= ${room(link, t)}`);
  }
  const text = [
    'Minimize',
    ' obj: 0 x0',
    'Subject To',
    ...rules.map((rule, i) => ` c${i}: ${rule}`),
    'Binary',
    ...names.map((name) => ` ${name}`),
    'End',
  ].join('\n');
  return { text, begun };
}

/** The solver's reader does not like long lines. */
const wrap = (terms: readonly string[]): string =>
  terms.map((term, i) => (i > 0 && i % 20 === 0 ? `\n  ${term}` : term)).join(' ');
