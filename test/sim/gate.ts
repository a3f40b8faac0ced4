/**
 * Calls that leave the event loop (the store's, on SQLite's threads) end when they like, and a run could not
 * be had again. So they wait here: the world lets one begin when everything else is quiet, waits for its real
 * end, and only then does anybody hear of it. Time stands still while a call is outstanding.
 */

/**
 * What the world may do to a call: a process can die before it, or after it but before its answer; and what it
 * has written can arrive long after it has died.
 */
export type Fate = 'lives' | 'dies-before' | 'dies-after' | 'arrives-late';

interface Call {
  readonly owner: Owner;
  readonly what: string;
  run(): Promise<() => void>;
}

/** Whose call it is; a dead process's calls are dropped and its answers go nowhere. */
export interface Owner {
  readonly name: string;
  readonly alive: boolean;
}

export class Gate {
  #calls: Call[] = [];
  #late: Call[] = [];

  get outstanding(): number {
    return this.#calls.length;
  }

  call<T>(owner: Owner, what: string, act: () => Promise<T>): Promise<T> {
    if (!owner.alive) return new Promise<T>(() => {});
    return new Promise<T>((resolve, reject) => {
      this.#calls.push({
        owner,
        what,
        run: () =>
          act().then(
            (value) => () => resolve(value),
            (error: unknown) => () => reject(error),
          ),
      });
    });
  }

  /** Carries out the oldest call of a living process, asking first what is to become of it. */
  async pass(fateOf: (owner: Owner, what: string) => Fate, kill: (owner: Owner) => void): Promise<void> {
    const call = this.#calls.shift();
    if (call === undefined || !call.owner.alive) return;
    const fate = fateOf(call.owner, call.what);
    if (fate === 'dies-before') {
      kill(call.owner);
      return;
    }
    if (fate === 'arrives-late') {
      kill(call.owner);
      this.#late.push(call);
      return;
    }
    const answer = await call.run();
    if (fate === 'dies-after') kill(call.owner);
    if (call.owner.alive) answer();
  }

  /** What the dead of that name have sent arrives now, one after another. */
  arrive(name: string): void {
    const theirs = this.#late.filter((call) => call.owner.name === name);
    this.#late = this.#late.filter((call) => call.owner.name !== name);
    for (const { what, run } of theirs)
      this.#calls.push({
        owner: { name, alive: true },
        what: `late ${what}`,
        // Nobody hears of the answer.
        run: () => run().then(() => () => {}),
      });
  }

  /** The calls of the dead have never been made. */
  sweep(): void {
    this.#calls = this.#calls.filter((call) => call.owner.alive);
  }
}
