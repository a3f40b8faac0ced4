/**
 * Light in time: a circuit whose devices take long is ordered so much before its start that it shines when that comes,
 * by what its devices have taken lately. Only where nobody claims its ports, links and labels until then and all that
 * was there is verified dark; from the moment of the order on they are claimed. Otherwise it is ordered at its start,
 * as every other.
 */
import { type Cancel, type Clock, type InstantMs, instant, NEVER } from '../../kernel/clock.ts';
import { textOf } from '../../kernel/errors.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import type { Log } from '../../kernel/log.ts';
import { type Circuit, localSegment, type Segment } from '../../model/circuit.ts';
import type { Book } from '../book.ts';
import type { Devices } from '../devices/devicePorts.ts';
import type { Writer } from '../writer.ts';
import { inTheWay, isFreeUntil } from './gate.ts';

/** No device's slowness keeps others from a port for longer. */
const MOST_MS = 30_000;
/** What takes no longer is as good as at once. */
const LEAST_MS = 250;
const LOOK_MS = 1_000;

export class EarlyLight {
  readonly #writer: Writer;
  readonly #devices: Devices;
  readonly #clock: Clock;
  readonly #log: Log;
  #cancel: Cancel = () => {};
  #next: InstantMs = NEVER;
  #stopped = true;

  constructor(writer: Writer, ports: { devices: Devices; clock: Clock; log: Log }) {
    this.#writer = writer;
    this.#devices = ports.devices;
    this.#clock = ports.clock;
    this.#log = ports.log;
  }

  start(): void {
    this.#stopped = this.#devices.setupMs === undefined;
    this.#wait();
  }
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  /** Until somebody is due so soon that it may be time for his light: then every second. */
  #wait(): void {
    const { due, circuits } = this.#writer.book;
    const first = this.#stopped ? undefined : due.next(circuits);
    if (first === undefined) return;
    const at = instant(Math.max(this.#clock.now() + LOOK_MS, first - MOST_MS - LOOK_MS));
    if (at >= this.#next) return;
    this.#cancel();
    this.#next = at;
    this.#cancel = this.#clock.alarm(at, () => {
      this.#next = NEVER;
      const soon = due.by(instant(this.#clock.now() + MOST_MS + LOOK_MS));
      void this.#order(soon).then(() => this.#wait());
    });
  }

  /** What has just been booked for so soon that the next round would come too late. */
  look(changed: Iterable<CircuitId>): void {
    if (this.#stopped) return;
    void this.#order(changed);
    this.#wait();
  }

  async #order(ids: Iterable<CircuitId>): Promise<void> {
    const { book } = this.#writer;
    const now = this.#clock.now();
    const ready = [...ids].filter((id) => this.#isTime(book, id, now));
    if (ready.length === 0) return;
    try {
      await this.#writer.submit((tx) => {
        // Who is let in claims at once: the next one finds its room taken.
        for (const id of ready)
          if (this.#isTime(tx.book, id, tx.now)) tx.apply(id, { type: 'due', early: true, at: tx.now });
      });
    } catch (error) {
      // It is lit at its start then.
      this.#log.warn({ event: 'settle.failed', error: `early light: ${textOf(error)}` });
    }
  }

  #isTime(book: Book, id: CircuitId, now: InstantMs): boolean {
    const circuit = book.circuits.get(id);
    const segment = circuit === undefined ? undefined : waiting(circuit);
    if (circuit?.current === undefined || segment === undefined) return false;
    const { window, mbps } = circuit.current;
    const ahead = window.start - now;
    // Nearly everybody; what devices take is not looked up for them.
    if (ahead <= 0 || ahead > MOST_MS + LOOK_MS) return false;
    const lead = Math.min(MOST_MS, this.#devices.setupMs?.(segment) ?? 0);
    if (lead < LEAST_MS || ahead > lead + LOOK_MS) return false;
    return !inTheWay(book, circuit, segment, now) && isFreeUntil(book, segment, mbps, now, window.start);
  }
}

/** Our own dark segment of a circuit that waits for its start. Other domains see to theirs by themselves. */
function waiting({ state, request, armed, current, pending }: Circuit): Segment | undefined {
  if (state !== 'SCHEDULED' || pending !== undefined || current === undefined) return undefined;
  if (request.provision !== 'AUTOMATIC' && !armed) return undefined;
  const segment = localSegment(current);
  return segment?.light === 'DARK' ? segment : undefined;
}
