/**
 * Who needs the clock next: a heap of (time, circuit). Entries are never taken out when a circuit changes;
 * one that no longer agrees with the circuit is thrown away when it comes to the top.
 */
import type { InstantMs } from '../kernel/clock.ts';
import type { CircuitId } from '../kernel/ids.ts';
import type { Circuit } from '../model/circuit.ts';
import { dueAt } from '../model/lifecycle.ts';

interface Entry {
  readonly at: InstantMs;
  readonly id: CircuitId;
  /** What ends goes before what starts, when both are due: 0 for an end, 1 for anything else. */
  readonly rank: number;
}

export type DueOrder = (a: Entry, b: Entry) => number;

export const endsFirst: DueOrder = (a, b) => a.rank - b.rank || a.at - b.at || (a.id < b.id ? -1 : 1);

const sooner = (a: Entry, b: Entry): boolean =>
  a.at < b.at || (a.at === b.at && (a.rank < b.rank || (a.rank === b.rank && a.id < b.id)));

export class Due {
  readonly #heap: Entry[] = [];
  readonly #order: DueOrder;

  constructor(order: DueOrder = endsFirst) {
    this.#order = order;
  }

  push(id: CircuitId, at: InstantMs, circuit: Circuit): void {
    const heap = this.#heap;
    const entry: Entry = {
      at,
      id,
      rank: circuit.state === 'PROVISIONING' || circuit.state === 'ACTIVE' ? 0 : 1,
    };
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >>> 1;
      if (!sooner(entry, heap[parent] as Entry)) break;
      heap[i] = heap[parent] as Entry;
      i = parent;
    }
    heap[i] = entry;
  }

  /** The earliest time at which anybody is due. */
  next(circuits: ReadonlyMap<CircuitId, Circuit>): InstantMs | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (isCurrent(top, circuits)) return top.at;
      this.#pop();
    }
    return undefined;
  }

  /** Everybody who is due by `at`, in no order; who is no longer may be among them. */
  *by(at: InstantMs): Generator<CircuitId> {
    const under = [0];
    for (let i = under.pop(); i !== undefined; i = under.pop()) {
      const entry = this.#heap[i];
      if (entry === undefined || entry.at > at) continue;
      yield entry.id;
      under.push(2 * i + 1, 2 * i + 2);
    }
  }

  /** Takes out everybody who is due at `now`, at most `limit`, ends before starts. */
  take(now: InstantMs, limit: number, circuits: ReadonlyMap<CircuitId, Circuit>): CircuitId[] {
    const due: Entry[] = [];
    const seen = new Set<CircuitId>();
    while (due.length < limit) {
      const top = this.#heap[0];
      if (top === undefined || top.at > now) break;
      this.#pop();
      if (!isCurrent(top, circuits) || seen.has(top.id)) continue;
      seen.add(top.id);
      due.push(top);
    }
    return due.sort(this.#order).map((entry) => entry.id);
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && sooner(heap[child + 1] as Entry, heap[child] as Entry)) child++;
      if (!sooner(heap[child] as Entry, last)) break;
      heap[i] = heap[child] as Entry;
      i = child;
    }
    heap[i] = last;
  }
}

function isCurrent(entry: Entry, circuits: ReadonlyMap<CircuitId, Circuit>): boolean {
  const circuit = circuits.get(entry.id);
  return circuit !== undefined && dueAt(circuit) === entry.at;
}
