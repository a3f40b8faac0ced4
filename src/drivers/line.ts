/** Work on one device, one piece after another; the next begins whatever became of the last. */

/** More than this waiting for one device: it will not get to them before they are stale. */
const LONGEST = 1_024;

export class Line {
  #tail: Promise<unknown> = Promise.resolve();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Undefined when the line is too long to stand in. */
  run<T>(work: () => Promise<T>): Promise<T> | undefined {
    if (this.#length >= LONGEST) return undefined;
    this.#length += 1;
    const turn = this.#tail.then(work).finally(() => {
      this.#length -= 1;
    });
    this.#tail = turn.catch(() => {});
    return turn;
  }
}
