/**
 * Who was turned away before there was a decision (no credentials, bad ones, too many, not an operator):
 * counted, and recorded once a minute, so that a flood of them is known and does not fill the audit log.
 */
import { type Cancel, type Clock, instant, rfc3339 } from '../../kernel/clock.ts';
import type { Office } from '../office.ts';

const EVERY_MS = 60_000;

export class DoorCount {
  readonly #office: Office;
  readonly #clock: Clock;
  readonly #counts = new Map<string, number>();
  #since = instant(0);
  #alarm: Cancel | undefined;

  constructor(office: Office, clock: Clock) {
    this.#office = office;
    this.#clock = clock;
  }

  /** `code` is one of the problem registry, so there are few. */
  refused(code: string): void {
    if (this.#counts.size === 0) this.#since = this.#clock.now();
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
    this.#alarm ??= this.#clock.alarm(instant(this.#clock.now() + EVERY_MS), () => void this.#tell());
  }

  stop(): void {
    this.#alarm?.();
  }

  async #tell(): Promise<void> {
    this.#alarm = undefined;
    const { term } = this.#office;
    // An instance that stands by writes nothing; what it turned away it tells when it leads.
    if (term === undefined) return;
    const counts = Object.fromEntries(this.#counts);
    const from = rfc3339(this.#since);
    this.#counts.clear();
    try {
      await term.writer.submit((tx) =>
        tx.record({ op: 'door.refused', ask: { ...counts, from, to: rfc3339(tx.now) } }),
      );
    } catch {
      for (const [code, count] of Object.entries(counts))
        this.#counts.set(code, (this.#counts.get(code) ?? 0) + count);
    }
  }
}
