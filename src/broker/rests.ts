/**
 * Labels at borders that were lit a moment ago. The other domain's clock may be behind ours, so that nobody
 * else gets such a label until both ends have surely let go of it. What a restart forgets has rested meanwhile.
 */
import { type InstantMs, instant } from '../kernel/clock.ts';
import { type Circuit, isFinal, type Placement, placements, type State } from '../model/circuit.ts';
import type { Label } from '../model/label.ts';
import type { Window } from '../model/window.ts';
import { REST_S } from './limits.ts';

interface Rest {
  readonly label: Label;
  readonly until: InstantMs;
}

/** States in which something may have been lit. */
const litStates: readonly State[] = ['PROVISIONING', 'ACTIVE', 'RELEASING'];

export class Rests {
  readonly #rests = new Map<string, readonly Rest[]>();

  /** Labels of the port that still rest when the window begins. */
  at(port: string, window: Window): Label[] {
    return (this.#rests.get(port) ?? []).flatMap(({ label, until }) => (until > window.start ? [label] : []));
  }

  /** What the circuit no longer has on a border begins to rest. */
  note(before: Circuit | undefined, after: Circuit, undo: (() => void)[]): void {
    if (before === undefined || !litStates.includes(before.state)) return;
    const same = before.current === after.current && before.pending === after.pending;
    if (same && !isFinal(after.state)) return;
    const kept = new Set((isFinal(after.state) ? [] : placements(after)).flatMap(borderLabels).map(keyOf));
    for (const one of placements(before).flatMap(borderLabels)) {
      if (kept.has(keyOf(one))) continue;
      const rest = { label: one.label, until: instant(after.updateTime + REST_S * 1000) };
      const there = this.#rests.get(one.port) ?? [];
      this.#rests.set(one.port, [...there.filter(({ until }) => until > after.updateTime), rest]);
      undo.push(() => this.#rests.set(one.port, there));
    }
  }
}

const borderLabels = (p: Placement): { port: string; label: Label }[] =>
  p.segments
    .filter((s) => s.local)
    .flatMap((s) => [s.a, s.z])
    .flatMap(({ port, label, border }) =>
      border === undefined || label === undefined ? [] : [{ port, label }],
    );

const keyOf = ({ port, label }: { port: string; label: Label }): string => `${port} ${label}`;
