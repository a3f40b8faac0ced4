/**
 * Labels at borders that were lit a moment ago. The other domain's clock may be behind ours, so that nobody
 * else gets such a label until both ends have surely let go of it. A fold of what circuits have left, so that a
 * restart and a takeover know it too.
 */
import { type InstantMs, instant } from '../../kernel/clock.ts';
import type { Circuit } from '../../model/circuit.ts';
import type { Label } from '../../model/label.ts';
import type { Window } from '../../model/window.ts';
import { REST_S } from '../limits.ts';

interface Rest {
  readonly label: Label;
  readonly until: InstantMs;
}

export class Rests {
  readonly #rests = new Map<string, readonly Rest[]>();

  /** Labels of the port that still rest when the window begins. */
  at(port: string, window: Window): Label[] {
    return (this.#rests.get(port) ?? []).flatMap(({ label, until }) => (until > window.start ? [label] : []));
  }

  /** What the circuit no longer has on a border begins to rest. */
  note(before: Circuit | undefined, after: Circuit, undo: (() => void)[] = []): void {
    if (after.left === undefined || after.left === before?.left) return;
    for (const { port, label, at } of after.left) {
      if (before?.left?.some((one) => one.port === port && one.label === label && one.at === at)) continue;
      const there = this.#rests.get(port) ?? [];
      const rest = { label, until: instant(at + REST_S * 1000) };
      this.#rests.set(port, [...there.filter(({ until }) => until > at), rest]);
      undo.push(() => this.#rests.set(port, there));
    }
  }
}
