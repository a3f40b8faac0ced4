/**
 * The oracle: is there any way at all to keep every promise made so far and admit one more? An integer
 * program over every start and every path of each booking that may still move, solved by HiGHS. It knows of
 * the engine only what is booked and what is rigid.
 */
import highsModule, { type Highs } from 'highs';
import type { Ask, Booking } from '../../src/scheduler/laxity/booking.ts';
import type { Fleet } from '../../src/scheduler/laxity/fleet.ts';
import { type Graph, portId } from './networks.ts';

// Its types describe the CommonJS build, whose default export is one level down; what is loaded is the module.
const loadHighs = highsModule as unknown as () => Promise<Highs>;

export type Verdict = 'FEASIBLE' | 'INFEASIBLE' | 'UNKNOWN';

/** Seconds after which a model counts as unknown. */
const TIME_LIMIT_S = 20;

export class Oracle {
  #solver: Highs;
  readonly #graph: Graph;
  readonly #linkMbps: number;
  readonly #pathsPerPair: number;
  readonly #paths = new Map<string, number[][]>();
  /** Every simple path of every pair was in the model. */
  complete = true;

  private constructor(solver: Highs, graph: Graph, linkMbps: number, most: number) {
    this.#solver = solver;
    this.#graph = graph;
    this.#linkMbps = linkMbps;
    this.#pathsPerPair = most;
  }

  static async of(graph: Graph, linkMbps: number, pathsPerPair: number): Promise<Oracle> {
    return new Oracle(await loadHighs(), graph, linkMbps, pathsPerPair);
  }

  /** Whole seconds are the granules of time: for worlds whose times are small numbers. */
  async canAdmit(fleet: Fleet, ask: Ask, now: number): Promise<Verdict> {
    const model = this.#model(fleet, ask, now);
    if (model === undefined) return 'INFEASIBLE';
    // Now and then presolve fails on a valid model.
    for (const presolve of ['choose', 'off'] as const) {
      try {
        const { Status } = this.#solver.solve(model, {
          presolve,
          time_limit: TIME_LIMIT_S,
          output_flag: false,
        });
        if (Status === 'Optimal') return 'FEASIBLE';
        if (Status === 'Infeasible') return 'INFEASIBLE';
        return 'UNKNOWN';
      } catch {
        this.#solver = await loadHighs();
      }
    }
    return 'UNKNOWN';
  }

  #model(fleet: Fleet, ask: Ask, now: number): string | undefined {
    const movable: { ask: Ask; from: number }[] = [{ ask, from: Math.max(ask.notBefore, now) }];
    const rigid: Booking[] = [];
    for (const booking of fleet.bookings()) {
      if (booking.start + booking.duration <= now) continue;
      if (fleet.isRigid(booking.id)) rigid.push(booking);
      else movable.push({ ask: booking, from: Math.max(booking.notBefore, now + booking.notice + 1) });
    }
    const used = new Map<string, number>();
    const bump = (key: string, by: number): void => {
      used.set(key, (used.get(key) ?? 0) + by);
    };
    for (const { uses, start, duration, mbps } of rigid) {
      for (const id of fleet.linksOfUses(uses)) {
        for (let t = start; t < start + duration; t++) bump(`${Number(id.slice(1))}@${t}`, mbps);
      }
    }
    const choices: string[] = [];
    const rows = new Map<string, [variable: number, mbps: number][]>();
    let variables = 0;
    for (const { ask: one, from } of movable) {
      const mine: string[] = [];
      for (let start = from; start + one.duration <= one.deadline; start++) {
        for (const path of this.#pathsOf(one)) {
          const variable = variables++;
          mine.push(`x${variable}`);
          for (const link of path) {
            for (let t = start; t < start + one.duration; t++) {
              const key = `${link}@${t}`;
              const row = rows.get(key);
              if (row === undefined) rows.set(key, [[variable, one.mbps]]);
              else row.push([variable, one.mbps]);
            }
          }
        }
      }
      if (mine.length === 0) return undefined;
      choices.push(` s${choices.length}: ${wrap(mine)} = 1`);
    }
    const limits = new Set<string>();
    for (const [key, terms] of rows) {
      const room = this.#linkMbps - (used.get(key) ?? 0);
      limits.add(`${wrap(terms.map(([variable, mbps]) => `${mbps} x${variable}`))} <= ${room}`);
    }
    return [
      'Minimize',
      ' obj: 0 x0',
      'Subject To',
      ...choices,
      ...[...limits].map((limit, i) => ` c${i}: ${limit}`),
      'Binary',
      ...Array.from({ length: variables }, (_, i) => ` x${i}`),
      'End',
    ].join('\n');
  }

  #pathsOf({ a, z }: Ask): number[][] {
    const key = `${a.port} ${z.port}`;
    const known = this.#paths.get(key);
    if (known !== undefined) return known;
    const nodes = this.#graph.nodes.map((_, i) => portId(i));
    const all = simplePaths(this.#graph, nodes.indexOf(a.port), nodes.indexOf(z.port));
    if (all.length > this.#pathsPerPair) this.complete = false;
    const paths = all.slice(0, this.#pathsPerPair);
    this.#paths.set(key, paths);
    return paths;
  }
}

/** All of them, the shortest first. */
function simplePaths({ links }: Graph, source: number, target: number): number[][] {
  const found: number[][] = [];
  const passed = new Set<number>();
  const path: number[] = [];
  const walk = (node: number): void => {
    if (node === target) {
      found.push([...path]);
      return;
    }
    passed.add(node);
    for (const [i, [a, z]] of links.entries()) {
      if (a !== node && z !== node) continue;
      const next = a === node ? z : a;
      if (passed.has(next)) continue;
      path.push(i);
      walk(next);
      path.pop();
    }
    passed.delete(node);
  };
  walk(source);
  return found.sort((x, y) => x.length - y.length);
}

/** The solver's reader does not like long lines. */
function wrap(terms: readonly string[]): string {
  let text = '';
  terms.forEach((term, i) => {
    text += `${i === 0 ? '' : ' + '}${term}${i % 20 === 19 ? '\n  ' : ''}`;
  });
  return text;
}
