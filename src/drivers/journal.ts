/**
 * What was sent to devices for a circuit and what they answered, for whoever asks afterwards. Kept in memory since
 * this process started, the last orders of the last circuits: the record that lasts is the event log.
 */
import type { InstantMs } from '../kernel/clock.ts';
import type { ChangeKind } from './driver.ts';
import type { DeviceOrder, ElementReport } from './port.ts';

const MOST_CIRCUITS = 2_000;
/** More than a path has devices, light and dark, with a few attempts. */
const MOST_ORDERS = 200;

export class Journal {
  /** In the order of the last use, so that the first is the one to forget. */
  readonly #orders = new Map<string, DeviceOrder[]>();

  note(
    kind: ChangeKind,
    circuit: string,
    version: number,
    at: InstantMs,
    done: readonly { readonly report: ElementReport; readonly detail: string }[],
  ): void {
    const orders = this.#orders.get(circuit) ?? [];
    this.#orders.delete(circuit);
    this.#orders.set(circuit, orders);
    for (const { report, detail } of done) orders.push({ kind, version, at, detail, report });
    if (orders.length > MOST_ORDERS) orders.splice(0, orders.length - MOST_ORDERS);
    const [oldest] = this.#orders.keys();
    if (this.#orders.size > MOST_CIRCUITS && oldest !== undefined) this.#orders.delete(oldest);
  }

  of(circuit: string): readonly DeviceOrder[] {
    return this.#orders.get(circuit) ?? [];
  }
}
