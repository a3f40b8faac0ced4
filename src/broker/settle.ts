/**
 * Whoever is due gets the clock: ends before starts, in groups, so that ten thousand circuits due at one
 * second are a handful of transactions. After a stop the same code catches up; there is no other.
 */
import { type Cancel, type Clock, instant, nextTurn } from '../kernel/clock.ts';
import { textOf } from '../kernel/errors.ts';
import type { CircuitId } from '../kernel/ids.ts';
import type { Log } from '../kernel/log.ts';
import { isFinal } from '../model/circuit.ts';
import type { Scout } from './abroad/scout.ts';
import { ATTEMPTS, placeAgain } from './circuits/request.ts';
import type { Tx } from './tx.ts';
import type { Writer } from './writer.ts';

/** Circuits per transaction. */
const BATCH = 1_000;
/** A settle that the store refused is tried again after this long. */
const RETRY_MS = 1_000;

export class Settler {
  readonly #writer: Writer;
  readonly #scout: Scout;
  readonly #clock: Clock;
  readonly #log: Log;
  #alarm: Cancel = () => {};
  #running = false;
  #again = false;
  #stopped = false;

  constructor(writer: Writer, scout: Scout, ports: { clock: Clock; log: Log }) {
    this.#scout = scout;
    this.#writer = writer;
    this.#clock = ports.clock;
    this.#log = ports.log;
  }

  /** Call after anything that may have changed who is due. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#alarm();
    this.#alarm = () => {};
    const next = this.#writer.book.due.next(this.#writer.book.circuits);
    if (next === undefined) return;
    if (next > this.#clock.now()) {
      this.#alarm = this.#clock.alarm(next, () => this.wake());
      return;
    }
    this.#running = true;
    void this.#settle();
  }

  stop(): void {
    this.#stopped = true;
    this.#alarm();
  }

  async #settle(): Promise<void> {
    const { book } = this.#writer;
    // The next batch is decided while the one before is on its way to the store.
    const under: Promise<boolean>[] = [];
    while (!this.#stopped) {
      const due = book.due.take(this.#clock.now(), BATCH, book.circuits);
      if (due.length === 0) {
        if (under.length === 0) break;
        if (!(await Promise.all(under.splice(0))).every(Boolean)) {
          this.#tryLater();
          return;
        }
        continue;
      }
      const ending = due.filter((id) => this.#onlyReduces(id));
      const others = due.filter((id) => !this.#onlyReduces(id));
      // Ends may pass where starts may not: when the store is full, only what frees room is written.
      under.push(this.#batch(ending, true), this.#batch(others, false));
      await nextTurn();
    }
    this.#running = false;
    if (this.#again) this.#again = false;
    this.wake();
  }

  #tryLater(): void {
    this.#running = false;
    if (this.#stopped) return;
    this.#alarm = this.#clock.alarm(instant(this.#clock.now() + RETRY_MS), () => this.wake());
  }

  async #batch(ids: readonly CircuitId[], reduces: boolean): Promise<boolean> {
    if (ids.length === 0) return true;
    try {
      await this.#writer.submit((tx) => {
        for (const id of ids) settleOne(tx, id, this.#scout);
      }, reduces);
      return true;
    } catch (error) {
      this.#log.warn({
        event: 'settle.failed',
        error: textOf(error),
      });
      // They left the heap when they were taken; they are as due as before.
      for (const id of ids) this.#writer.book.remind(id);
      return false;
    }
  }

  #onlyReduces(id: CircuitId): boolean {
    const circuit = this.#writer.book.circuits.get(id);
    if (circuit === undefined) return true;
    const { state } = circuit;
    return state === 'PROVISIONING' || state === 'ACTIVE' || state === 'HELD' || state === 'RELEASING';
  }
}

function settleOne(tx: Tx, id: CircuitId, scout: Scout): void {
  const circuit = tx.book.circuits.get(id);
  if (circuit === undefined || isFinal(circuit.state)) return;
  if (circuit.role === 'HOME' && circuit.state === 'RESERVING' && circuit.pending === undefined) {
    placeAgain(tx, circuit, ATTEMPTS, scout.said(id));
    return;
  }
  tx.apply(id, { type: 'due', at: tx.now });
}
