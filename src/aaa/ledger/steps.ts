/**
 * A sum over time that changes in steps: how much is booked at each moment. Adding and taking away are exact
 * inverses; the highest step in a window is what quotas on bandwidth ask for. Windows are half-open.
 */

export class Steps {
  /** Ascending moments; #values[i] holds from #times[i] to the next. Before the first it is 0. */
  readonly #times: number[] = [];
  readonly #values: number[] = [];

  get size(): number {
    return this.#times.length;
  }

  add(start: number, end: number, amount: number): void {
    if (start >= end || amount === 0) return;
    const from = this.#cut(start);
    const to = this.#cut(end);
    for (let i = from; i < to; i++) this.#values[i] = (this.#values[i] ?? 0) + amount;
    // Only the two edges can have become equal to what is before them.
    this.#join(to);
    this.#join(from);
  }

  /** The most at any moment of the window. */
  highest(start: number, end: number): number {
    let most = 0;
    for (let i = Math.max(0, this.#find(start)); i < this.#times.length && (this.#times[i] ?? 0) < end; i++)
      most = Math.max(most, this.#values[i] ?? 0);
    return most;
  }

  /** The sum times seconds in the window, whose edges and steps are whole seconds. */
  area(start: number, end: number): number {
    let area = 0;
    for (let i = Math.max(0, this.#find(start)); i < this.#times.length && (this.#times[i] ?? 0) < end; i++) {
      const from = Math.max(start, this.#times[i] ?? 0);
      const to = Math.min(end, this.#times[i + 1] ?? end);
      if (to > from) area += ((this.#values[i] ?? 0) * (to - from)) / 1000;
    }
    return area;
  }

  /** Index of the last moment at or before `at`; -1 when there is none. */
  #find(at: number): number {
    let [low, high] = [0, this.#times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#times[middle] ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #cut(at: number): number {
    const i = this.#find(at);
    if (this.#times[i] === at) return i;
    this.#times.splice(i + 1, 0, at);
    this.#values.splice(i + 1, 0, this.#values[i] ?? 0);
    return i + 1;
  }

  #join(i: number): void {
    if (this.#values[i] !== (this.#values[i - 1] ?? 0)) return;
    this.#times.splice(i, 1);
    this.#values.splice(i, 1);
  }
}
