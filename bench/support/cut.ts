/**
 * A bound on what any engine could have done: a request that was refused must cross the links around each of
 * its ends, and so must everybody else who is parted by them. If these alone cannot be packed onto those links,
 * wherever and whenever each may go in its window, then no assignment in the whole network exists. An integer
 * program over the starts, solved by HiGHS; leaving out paths, other links and some of the others only makes it
 * easier, so that its no is a proof and its yes is none.
 */
import highsModule, { type Highs } from 'highs';
import type { Ask } from '../../src/scheduler/laxity/booking.ts';
import type { Fleet } from '../../src/scheduler/laxity/fleet.ts';
import { type Graph, portId } from './networks.ts';

const loadHighs = highsModule as unknown as () => Promise<Highs>;

const TIME_LIMIT_S = 5;
/** Terms of one model: whoever would bring the most is left out. */
const MOST_TERMS = 100_000;
/** Sides of a cut, and links around it: what is small and tight is what is full. */
const MOST_NODES = 2;
const MOST_LINKS = 2;

interface Cut {
  readonly side: ReadonlySet<number>;
  readonly links: readonly number[];
}

interface Job {
  readonly from: number;
  readonly latest: number;
  readonly duration: number;
  readonly mbps: number;
  readonly newcomer: boolean;
}

export class CutBound {
  #solver: Highs;
  readonly #cuts: readonly (readonly Cut[])[];
  readonly #linkMbps: number;
  /** All times are multiples of it, but for a second of notice, which is left out. */
  readonly #unit: number;
  readonly #node: ReadonlyMap<string, number>;

  private constructor(solver: Highs, graph: Graph, linkMbps: number, unit: number) {
    this.#solver = solver;
    this.#linkMbps = linkMbps;
    this.#unit = unit;
    this.#node = new Map(graph.nodes.map((_, i) => [portId(i), i]));
    this.#cuts = graph.nodes.map((_, i) => cutsAround(graph, i));
  }

  static async of(graph: Graph, linkMbps: number, unit: number): Promise<CutBound> {
    return new CutBound(await loadHighs(), graph, linkMbps, unit);
  }

  /** Is it impossible to admit `ask` now, even for somebody who may move whoever can be moved? */
  isImpossible(fleet: Fleet, ask: Ask, now: number): () => Promise<boolean> {
    const [a, z] = [this.#nodeOf(ask.a.port), this.#nodeOf(ask.z.port)];
    const cuts = [...(this.#cuts[a] ?? []), ...(this.#cuts[z] ?? [])]
      .filter(({ side }) => side.has(a) !== side.has(z))
      .sort((x, y) => x.links.length - y.links.length || x.side.size - y.side.size);
    const models = cuts.map((cut) => this.#model(fleet, ask, now, cut));
    return async () => {
      for (const model of models) if (model === undefined || (await this.#infeasible(model))) return true;
      return false;
    };
  }

  #nodeOf(port: string): number {
    return this.#node.get(port) ?? -1;
  }

  async #infeasible(model: string): Promise<boolean> {
    for (const presolve of ['choose', 'off'] as const) {
      try {
        const options = { presolve, time_limit: TIME_LIMIT_S, output_flag: false };
        return this.#solver.solve(model, options).Status === 'Infeasible';
      } catch {
        // Now and then presolve fails on a valid model.
        this.#solver = await loadHighs();
      }
    }
    return false;
  }

  /** Undefined: it does not fit beside what is rigid. */
  #model(fleet: Fleet, ask: Ask, now: number, { side, links }: Cut): string | undefined {
    const at = (second: number): number => Math.floor(second / this.#unit);
    const newcomer = job(ask, at(Math.max(ask.notBefore, now)), at, true);
    const jobs = [newcomer];
    const used = new Map<string, number>();
    for (const booking of fleet.bookings()) {
      const end = booking.start + booking.duration;
      if (end <= now) continue;
      if (fleet.isRigid(booking.id)) {
        for (const id of fleet.linksOfUses(booking.uses)) {
          const link = Number(id.slice(1));
          if (!links.includes(link)) continue;
          for (let t = at(booking.start); t < at(end); t++) {
            const key = `${link}@${t}`;
            used.set(key, (used.get(key) ?? 0) + booking.mbps);
          }
        }
        continue;
      }
      if (side.has(this.#nodeOf(booking.a.port)) === side.has(this.#nodeOf(booking.z.port))) continue;
      const one = job(booking, at(Math.max(booking.notBefore, now + booking.notice)), at, false);
      if (one.from < newcomer.latest + newcomer.duration && newcomer.from < one.latest + one.duration)
        jobs.push(one);
    }
    const size = ({ latest, from, duration }: Job): number => links.length * duration * (latest - from + 1);
    jobs.sort((x, y) => Number(y.newcomer) - Number(x.newcomer) || size(x) - size(y));
    let variables = 0;
    let terms = 0;
    const choices: string[] = [];
    const rows = new Map<string, string[]>();
    for (const one of jobs) {
      terms += size(one);
      if (!one.newcomer && terms > MOST_TERMS) break;
      const mine: string[] = [];
      for (const link of links) {
        for (let start = one.from; start <= one.latest; start++) {
          const keys = Array.from({ length: one.duration }, (_, i) => `${link}@${start + i}`);
          if (keys.some((key) => (used.get(key) ?? 0) + one.mbps > this.#linkMbps)) continue;
          const variable = `x${variables++}`;
          mine.push(variable);
          for (const key of keys) {
            const row = rows.get(key);
            const term = `${one.mbps} ${variable}`;
            if (row === undefined) rows.set(key, [term]);
            else row.push(term);
          }
        }
      }
      if (mine.length === 0) return undefined;
      choices.push(` s${choices.length}: ${wrap(mine)} = 1`);
    }
    const limits = new Set<string>();
    for (const [key, row] of rows) limits.add(`${wrap(row)} <= ${this.#linkMbps - (used.get(key) ?? 0)}`);
    const names = Array.from({ length: variables }, (_, i) => ` x${i}`);
    const all = [...choices, ...[...limits].map((limit, i) => ` c${i}: ${limit}`)];
    return ['Minimize', ' obj: 0 x0', 'Subject To', ...all, 'Binary', ...names, 'End'].join('\n');
  }
}

function job(ask: Ask, from: number, at: (second: number) => number, newcomer: boolean): Job {
  const duration = at(ask.duration);
  return { from, latest: at(ask.deadline) - duration, duration, mbps: ask.mbps, newcomer };
}

/** Connected sets around a node with few links out of them. */
function cutsAround({ nodes, links }: Graph, node: number): Cut[] {
  const neighbours = nodes.map((_, i) => links.flatMap(([a, z]) => (a === i ? [z] : z === i ? [a] : [])));
  const cuts: Cut[] = [];
  const seen = new Set<string>();
  const sides = [new Set([node])];
  for (const side of sides) {
    const out = [...links.keys()].filter((i) => {
      const [a, z] = links[i] as readonly [number, number];
      return side.has(a) !== side.has(z);
    });
    if (out.length <= MOST_LINKS) cuts.push({ side, links: out });
    if (side.size === MOST_NODES) continue;
    for (const next of new Set([...side].flatMap((one) => neighbours[one] as number[]))) {
      if (side.has(next)) continue;
      const wider = new Set([...side, next]);
      const key = [...wider].sort((x, y) => x - y).join();
      if (!seen.has(key)) sides.push(wider);
      seen.add(key);
    }
  }
  return cuts;
}

/** The solver's reader does not like long lines. */
function wrap(terms: readonly string[]): string {
  let text = '';
  terms.forEach((term, i) => {
    text += `${i === 0 ? '' : ' + '}${term}${i % 20 === 19 ? '\n  ' : ''}`;
  });
  return text;
}
