/**
 * Asks the domains of a path when they could, before a circuit with a window is placed. It takes no input but
 * the circuits: whoever is RESERVING, waits for answers and has no attempt under way is asked for, all domains
 * at once; what they say lasts for this attempt and the ones after it. Silence costs a moment, not the circuit.
 */
import { type Clock, type InstantMs, instant, sleep } from '../../kernel/clock.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import type { Circuit, CircuitRequest, Segment } from '../../model/circuit.ts';
import type { Placing, Wish } from '../circuits/plan.ts';
import { ATTEMPTS, placeAgain, wishNow } from '../circuits/request.ts';
import { groundOf } from '../ground.ts';
import type { Tx } from '../tx.ts';
import type { Writer } from '../writer.ts';
import type { Peers } from './peerPorts.ts';
import { type Availability, placeAbroad } from './placeAbroad.ts';

/** Answers that come later than this are not waited for. */
const WAIT_MS = 3_000;
/** What was said is forgotten after this long. */
const FRESH_MS = 30_000;

interface Said {
  readonly known: readonly Availability[];
  readonly until: InstantMs;
}

export class Scout {
  readonly #writer: Writer;
  readonly #peers: Peers;
  readonly #clock: Clock;
  readonly #under = new Set<CircuitId>();
  readonly #said = new Map<CircuitId, Said>();
  #stopped = false;

  constructor(writer: Writer, ports: { readonly peers: Peers; readonly clock: Clock }) {
    this.#writer = writer;
    this.#peers = ports.peers;
    this.#clock = ports.clock;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** What domains have said for this circuit a moment ago. */
  said(id: CircuitId): readonly Availability[] {
    const said = this.#said.get(id);
    if (said !== undefined && this.#clock.now() < said.until) return said.known;
    this.#said.delete(id);
    return [];
  }

  /** Looks after those of the circuits that wait to be asked for. */
  look(ids: Iterable<CircuitId>): void {
    for (const id of ids) {
      const circuit = this.#writer.book.circuits.get(id);
      if (circuit === undefined || !waits(circuit) || this.#under.has(id) || this.#stopped) continue;
      this.#under.add(id);
      void this.#place(circuit).finally(() => this.#under.delete(id));
    }
  }

  async #place(circuit: Circuit): Promise<void> {
    const { id, request } = circuit;
    await this.ask(id, request, wishNow(request, this.#clock.now()));
    if (this.#stopped) return;
    await this.#writer
      .submit((tx: Tx) => {
        const now = tx.book.circuits.get(id);
        if (now !== undefined && waits(now)) placeAgain(tx, now, ATTEMPTS, this.said(id));
      })
      // It is due by itself when its time is over.
      .catch(() => {});
  }

  /** Asks every domain of the way that it would take first, for as long as anybody may take to answer. */
  async ask(id: CircuitId, request: CircuitRequest, wish: Wish): Promise<void> {
    const { book } = this.#writer;
    const circuit = book.circuits.get(id);
    const ground = groundOf(book, this.#clock.now());
    let segments: readonly Segment[] = [];
    let rate = { mbps: wish.mbps, durationS: wish.durationS };
    try {
      const look = (): Placing => placeAbroad(ground, id, request, wish);
      // What it has already is no hindrance to its own move.
      const planned = circuit === undefined ? look() : book.without(circuit, look);
      if (planned.kind !== 'placed') return;
      const { window, mbps } = planned.slot;
      rate = { mbps, durationS: Math.round((window.end - window.start) / 1000) };
      segments = planned.segments.filter((segment) => !segment.local);
    } catch {
      // A domain has gone with its ports: whoever places it will say so.
      return;
    }
    const known: Availability[] = [];
    const asked = segments.map((segment) => this.#one(id, segment, rate, wish, known));
    await Promise.race([Promise.all(asked), sleep(this.#clock, WAIT_MS)]);
    this.#said.set(id, { known: [...known], until: instant(this.#clock.now() + FRESH_MS) });
  }

  async #one(
    id: CircuitId,
    { domain, a, z }: Segment,
    rate: { readonly mbps: number; readonly durationS: number },
    wish: Wish,
    known: Availability[],
  ): Promise<void> {
    const window = { start: wish.notBefore, end: wish.deadline };
    const ask = { op: 'availability' as const, a: a.port, z: z.port, ...rate, window };
    const header = { circuit: id, epoch: this.#writer.epoch, floor: 0 };
    try {
      const answer = await this.#peers.send(domain, { ...header, ...ask });
      if (answer.state !== 'AVAILABLE') return;
      const { intervals, until } = answer;
      known.push({ domain, a: a.port, z: z.port, ...rate, from: wish.notBefore, intervals, until });
    } catch {
      // Silence: holds decide.
    }
  }
}

const waits = (c: Circuit): boolean =>
  c.role === 'HOME' && c.state === 'RESERVING' && c.pending === undefined && c.scouting !== undefined;
