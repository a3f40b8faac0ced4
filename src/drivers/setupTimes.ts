/** How long orders for light have taken lately: what the next one is counted on to take. */

/** Enough for nine of ten, few enough to follow a device that has changed. */
const REMEMBERED = 20;

export class SetupTimes {
  readonly #took: number[] = [];

  note(ms: number): void {
    this.#took.push(ms);
    if (this.#took.length > REMEMBERED) this.#took.shift();
  }

  /** Nine in ten of them have not taken longer; undefined while there are none. */
  get expectedMs(): number | undefined {
    const sorted = this.#took.toSorted((a, b) => a - b);
    return sorted[Math.ceil(sorted.length * 0.9) - 1];
  }
}
