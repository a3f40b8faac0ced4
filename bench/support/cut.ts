/**
 * A bound on what any engine could have done: a request that was refused must cross the links around each of
 * its ends, and so must everybody else who is parted by them. If these alone cannot be packed onto those links
 * (packing.ts), wherever and whenever each may go in its window, then no assignment in the whole network exists.
 * Leaving out paths, other links and some of the others only makes it easier, so that its no is a proof and its yes
 * is none.
 */
import type { Ask } from '../../src/scheduler/laxity/booking.ts';
import type { Fleet } from '../../src/scheduler/laxity/fleet.ts';
import { type Graph, portId } from './networks.ts';
import { type Job, Packer, type Packing } from './packing.ts';

const TIME_LIMIT_S = 5;
/** Terms of one model: whoever would bring the most is left out. */
const MOST_TERMS = 300_000;
/** Sides of a cut, and links around it: what is small and tight is what is full. */
const MOST_NODES = 2;
const MOST_LINKS = 2;

interface Cut {
  readonly side: ReadonlySet<number>;
  readonly links: readonly number[];
}

export class CutBound {
  readonly #packer: Packer;
  readonly #cuts: readonly (readonly Cut[])[];
  readonly #linkMbps: number;
  /** All times are multiples of it, but for a second of notice, which is left out. */
  readonly #unit: number;
  readonly #node: ReadonlyMap<string, number>;

  private constructor(packer: Packer, graph: Graph, linkMbps: number, unit: number) {
    this.#packer = packer;
    this.#linkMbps = linkMbps;
    this.#unit = unit;
    this.#node = new Map(graph.nodes.map((_, i) => [portId(i), i]));
    this.#cuts = graph.nodes.map((_, i) => cutsAround(graph, i));
  }

  static async of(graph: Graph, linkMbps: number, unit: number): Promise<CutBound> {
    return new CutBound(await Packer.of(TIME_LIMIT_S), graph, linkMbps, unit);
  }

  /** Is it impossible to admit `ask` now, even for somebody who may move whoever can be moved? */
  isImpossible(fleet: Fleet, ask: Ask, now: number): () => Promise<boolean> {
    const [a, z] = [this.#nodeOf(ask.a.port), this.#nodeOf(ask.z.port)];
    const cuts = [...(this.#cuts[a] ?? []), ...(this.#cuts[z] ?? [])]
      .filter(({ side }) => side.has(a) !== side.has(z))
      .sort((x, y) => x.links.length - y.links.length || x.side.size - y.side.size);
    const packings = cuts.map((cut) => this.#packing(fleet, ask, now, cut));
    return async () => {
      for (const packing of packings) {
        if ((await this.#packer.pack(packing)) === 'IMPOSSIBLE') return true;
      }
      return false;
    };
  }

  #nodeOf(port: string): number {
    return this.#node.get(port) ?? -1;
  }

  #packing(fleet: Fleet, ask: Ask, now: number, { side, links }: Cut): Packing {
    const at = (second: number): number => Math.floor(second / this.#unit);
    const newcomer = job(ask, at(Math.max(ask.notBefore, now)), at);
    const others: Job[] = [];
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
      const one = job(booking, at(Math.max(booking.notBefore, now + booking.notice)), at);
      if (one.from < newcomer.latest + newcomer.duration && newcomer.from < one.latest + one.duration)
        others.push(one);
    }
    const jobs: Job[] = [newcomer];
    let terms = 0;
    for (const one of others.sort((x, y) => span(x) - span(y))) {
      terms += 2 * links.length * span(one);
      if (terms > MOST_TERMS) break;
      jobs.push(one);
    }
    return { links, jobs, room: (link, t) => this.#linkMbps - (used.get(`${link}@${t}`) ?? 0) };
  }
}

function job(ask: Ask, from: number, at: (second: number) => number): Job {
  const duration = at(ask.duration);
  return { from, latest: at(ask.deadline) - duration, duration, mbps: ask.mbps };
}

const span = ({ latest, from, duration }: Job): number => latest - from + duration;

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
