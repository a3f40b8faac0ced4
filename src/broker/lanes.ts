/**
 * Carries effects out: for each circuit one lane to our devices and one to each other domain, in order within a
 * lane, lanes side by side, so that a silent peer or a slow switch delays nobody else. An effect leaves its lane only
 * when it is done and that is durable; a failed one waits and is tried again, and holds up its own lane alone. Orders
 * to go dark that follow each other are of different versions, which devices count one by one: they go side by side,
 * so that a device that is silent about the one does not keep the other shining elsewhere, and neither does a light
 * that fails. What they led to is written down in their order all the same: a circuit is dark when the last of them is.
 */
import { type Cancel, type Clock, instant } from '../kernel/clock.ts';
import type { CircuitId } from '../kernel/ids.ts';
import type { Random } from '../kernel/random.ts';
import { type Effect, laneOf } from '../model/effects.ts';
import type { EffectRecord } from './ports.ts';

/** What became of one try; `early`: it is answered, and to be written down when its turn comes. */
export type Tried = 'done' | 'early' | { readonly retryInMs: number };

/** `answered` is called as soon as the device or peer has spoken: what is left to do then is our own writing. */
export type Perform = (
  effect: EffectRecord,
  attempt: number,
  answered: () => void,
  isFirst: () => boolean,
) => Promise<Tried>;

/** Effects under way at once: to all devices, and to any one peer. */
const DEVICE_LIMIT = 512;
const PEER_LIMIT = 32;

interface Lane {
  readonly name: string;
  readonly pool: Pool;
  readonly queue: Errand[];
}

interface Errand {
  readonly record: EffectRecord;
  readonly lane: Lane;
  attempt: number;
  busy: boolean;
  /** Answered before its turn: asked once more when it comes. */
  early: boolean;
  /** Something was added while a try was under way: it may have made that try pointless. */
  news: boolean;
  retry: Cancel | undefined;
}

interface Pool {
  readonly limit: number;
  running: number;
  readonly waiting: Errand[];
}

export class Lanes {
  done = 0;
  failed = 0;
  readonly #lanes = new Map<string, Lane>();
  readonly #pools = new Map<string, Pool>();
  readonly #perCircuit = new Map<CircuitId, number>();
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #perform: Perform;
  readonly #emptied: (circuit: CircuitId) => void;
  #stopped = false;
  #running = 0;

  constructor(clock: Clock, random: Random, perform: Perform, emptied: (circuit: CircuitId) => void) {
    this.#clock = clock;
    this.#random = random;
    this.#perform = perform;
    this.#emptied = emptied;
  }

  get waiting(): number {
    let sum = 0;
    for (const n of this.#perCircuit.values()) sum += n;
    return sum;
  }

  /** Messages to a domain that are not answered yet. */
  waitingFor(domain: string): number {
    let sum = 0;
    for (const { name, queue } of this.#lanes.values())
      if (name.startsWith(`${domain}/`)) sum += queue.length;
    return sum;
  }

  outstanding(circuit: CircuitId): number {
    return this.#perCircuit.get(circuit) ?? 0;
  }

  /** Takes over effects that are durable. */
  push(records: readonly EffectRecord[]): void {
    for (const record of records) {
      const name = laneOf(record.circuitId, record.effect);
      let lane = this.#lanes.get(name);
      if (lane === undefined) {
        lane = { name, pool: this.#pool(name.slice(0, name.lastIndexOf('/'))), queue: [] };
        this.#lanes.set(name, lane);
      }
      lane.queue.push({ record, lane, attempt: 0, busy: false, early: false, news: false, retry: undefined });
      this.#perCircuit.set(record.circuitId, this.outstanding(record.circuitId) + 1);
      // News for the lane may have made what it is waiting to repeat pointless: look at once.
      for (const errand of lane.queue) errand.news ||= errand.busy;
      this.#hurry(lane);
      this.#next(lane);
    }
  }

  /** Tries again now what waits to be tried again: something that was in the way has gone. */
  nudge(): void {
    for (const lane of this.#lanes.values()) {
      this.#hurry(lane);
      this.#next(lane);
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const lane of this.#lanes.values()) this.#hurry(lane);
  }

  /** Resolves when nothing is under way any more; meaningful after stop(). */
  get idle(): boolean {
    return this.#running === 0;
  }

  #pool(key: string): Pool {
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      pool = { limit: key === 'device' ? DEVICE_LIMIT : PEER_LIMIT, running: 0, waiting: [] };
      this.#pools.set(key, pool);
    }
    return pool;
  }

  #hurry(lane: Lane): void {
    for (const errand of lane.queue) {
      errand.retry?.();
      errand.retry = undefined;
    }
  }

  #next(lane: Lane): void {
    if (this.#stopped) return;
    if (lane.queue.length === 0) {
      this.#lanes.delete(lane.name);
      return;
    }
    for (const errand of inTurn(lane)) {
      const waits = errand.early && errand !== lane.queue[0];
      if (errand.busy || waits || errand.retry !== undefined) continue;
      errand.busy = true;
      if (lane.pool.running < lane.pool.limit) this.#start(errand);
      else lane.pool.waiting.push(errand);
    }
  }

  #start(errand: Errand): void {
    errand.lane.pool.running++;
    void this.#run(errand);
  }

  async #run(errand: Errand): Promise<void> {
    const { record, lane } = errand;
    this.#running++;
    let holding = true;
    const answered = (): void => {
      if (holding) this.#handOver(lane.pool);
      holding = false;
    };
    let tried: Tried;
    try {
      tried = await this.#perform(record, errand.attempt, answered, () => lane.queue[0] === errand);
    } catch {
      tried = { retryInMs: 1_000 };
    }
    answered();
    this.#running--;
    errand.busy = false;
    if (this.#stopped) return;
    if (tried === 'done') {
      this.done++;
      lane.queue.splice(lane.queue.indexOf(errand), 1);
      this.#settled(record.circuitId);
      this.#next(lane);
      return;
    }
    if (tried === 'early') {
      errand.early = true;
      this.#next(lane);
      return;
    }
    this.failed++;
    if (errand.news) {
      errand.news = false;
      this.#next(lane);
      return;
    }
    errand.attempt++;
    // Half of the wait is by chance, so that what failed together does not come back together.
    const wait = Math.max(
      1,
      Math.floor(tried.retryInMs / 2) + this.#random.int(Math.max(1, Math.ceil(tried.retryInMs / 2))),
    );
    errand.retry = this.#clock.alarm(instant(this.#clock.now() + wait), () => {
      errand.retry = undefined;
      this.#next(lane);
    });
    // Whoever need not wait for what has failed goes on.
    this.#next(lane);
  }

  #handOver(pool: Pool): void {
    pool.running--;
    const next = pool.waiting.shift();
    if (next !== undefined && !this.#stopped) this.#start(next);
  }

  #settled(circuit: CircuitId): void {
    const left = this.outstanding(circuit) - 1;
    if (left > 0) this.#perCircuit.set(circuit, left);
    else {
      this.#perCircuit.delete(circuit);
      this.#emptied(circuit);
    }
  }
}

/** 0.25 s, then twice as long each time, up to the longest. */
export const backOff = (attempt: number, longestMs: number): number =>
  Math.min(250 * 2 ** Math.min(attempt, 16), longestMs);

/**
 * What may be under way: the first in the queue, and as long as that is a dark, the darks right behind it. They do
 * not wait for a light that has failed either, unless it is to take over what they let go of; and a light of another
 * version does not wait for darks that have failed, all of them.
 */
function inTurn({ queue }: Lane): readonly Errand[] {
  const darks = asLongAs(queue, (dark) => dark.type === 'device.dark');
  const light = queue[darks.length];
  const { effect } = light?.record ?? {};
  if (light === undefined || effect?.type !== 'device.light')
    return darks.length === 0 ? queue.slice(0, 1) : darks;
  const clear = darks.every(
    ({ attempt, record }) => attempt > 0 && versionOf(record.effect) !== effect.version,
  );
  if (!clear) return darks;
  if (light.attempt === 0) return [...darks, light];
  const apart = (dark: Effect): boolean =>
    dark.type === 'device.dark' && dark.segment === undefined && dark.version !== effect.version;
  return [...darks, light, ...asLongAs(queue.slice(darks.length + 1), apart)];
}

const versionOf = (effect: Effect): number | undefined => ('version' in effect ? effect.version : undefined);

function asLongAs(queue: readonly Errand[], fits: (effect: Effect) => boolean): readonly Errand[] {
  const end = queue.findIndex(({ record }) => !fits(record.effect));
  return end < 0 ? queue : queue.slice(0, end);
}
