/**
 * Ports of which we do not know what they are set to: after a rollback that failed, or an order without an
 * answer on a device that has no fence. Nobody else's circuit is put on them until somebody has looked, twice
 * where a late order may still land. Its own circuit may try on: whatever it sets, it reads first.
 */
import { type Cancel, type Clock, instant } from '../kernel/clock.ts';
import type { Tell } from './events.ts';

/** Longer than a SET may take and a device's queue may hold it. */
const FIRST_LOOK_MS = 30_000;
const LONGEST_LOOK_MS = 300_000;

interface Entry {
  readonly device: string;
  readonly ports: readonly string[];
  readonly circuit: string;
  /** Puts things back and looks; true when all is as it should be. */
  readonly heal: () => Promise<boolean>;
  waitMs: number;
  stop: Cancel;
}

export class Quarantine {
  readonly #clock: Clock;
  readonly #tell: Tell;
  readonly #entries = new Set<Entry>();
  #closed = false;

  constructor(clock: Clock, tell: Tell) {
    this.#clock = clock;
    this.#tell = tell;
  }

  list(): readonly {
    readonly device: string;
    readonly ports: readonly string[];
    readonly circuit: string;
  }[] {
    return [...this.#entries].map(({ device, ports, circuit }) => ({ device, ports, circuit }));
  }

  /** Is one of these ports closed to this circuit? */
  holds(device: string, ports: readonly string[], circuit: string): boolean {
    for (const entry of this.#entries) {
      if (
        entry.device === device &&
        entry.circuit !== circuit &&
        entry.ports.some((p) => ports.includes(p))
      ) {
        return true;
      }
    }
    return false;
  }

  add(
    device: string,
    ports: readonly string[],
    circuit: string,
    detail: string,
    heal: () => Promise<boolean>,
  ): void {
    this.lift(device, ports, circuit);
    const entry: Entry = { device, ports, circuit, heal, waitMs: FIRST_LOOK_MS, stop: () => {} };
    this.#entries.add(entry);
    this.#tell({ event: 'device.quarantined', device, ports, detail });
    this.#schedule(entry);
  }

  /** What its own circuit has set and read since, is known. */
  lift(device: string, ports: readonly string[], circuit: string): void {
    for (const entry of this.#entries) {
      if (entry.device !== device || entry.circuit !== circuit) continue;
      if (entry.ports.some((p) => ports.includes(p))) this.#remove(entry, 'its own circuit was set and read');
    }
  }

  #schedule(entry: Entry): void {
    if (this.#closed) return;
    entry.stop = this.#clock.alarm(instant(this.#clock.now() + entry.waitMs), () => {
      entry.heal().then(
        (healed) => {
          if (!this.#entries.has(entry)) return;
          if (healed) this.#remove(entry, 'put back and read');
          else this.#later(entry);
        },
        () => this.#later(entry),
      );
    });
  }

  #later(entry: Entry): void {
    if (!this.#entries.has(entry)) return;
    entry.waitMs = Math.min(LONGEST_LOOK_MS, entry.waitMs * 2);
    this.#schedule(entry);
  }

  #remove(entry: Entry, detail: string): void {
    entry.stop();
    this.#entries.delete(entry);
    const { device, ports } = entry;
    this.#tell({ event: 'device.quarantine_lifted', device, ports, detail });
  }

  close(): void {
    this.#closed = true;
    for (const entry of this.#entries) entry.stop();
  }
}
