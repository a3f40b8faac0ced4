/**
 * What each project and each group of ports takes at its fullest moment: for ceilings in policies. It is
 * built from the circuits when a rule first asks for it, and kept in step from then on; where no rule does,
 * it costs nothing.
 */
import { type Seconds, toSeconds } from '../../model/capacity.ts';
import { type Circuit, isFinal, placements } from '../../model/circuit.ts';
import { Steps } from '../../scheduler/steps.ts';

export interface Load {
  readonly circuits: number;
  readonly mbps: number;
}

interface Total {
  circuits: number;
  readonly mbps: Steps;
}

export class Aggregates {
  readonly #totals = new Map<string, Total>();
  readonly #groupsOf: (port: string) => readonly string[];

  constructor(circuits: Iterable<Circuit>, groupsOf: (port: string) => readonly string[]) {
    this.#groupsOf = groupsOf;
    for (const circuit of circuits) this.enter(circuit, 1);
  }

  /** `by` 1 to enter a circuit, -1 to take it out again. */
  enter(circuit: Circuit, by: 1 | -1): void {
    if (isFinal(circuit.state)) return;
    for (const key of this.#keysOf(circuit)) {
      let total = this.#totals.get(key);
      if (total === undefined) {
        total = { circuits: 0, mbps: new Steps() };
        this.#totals.set(key, total);
      }
      total.circuits += by;
      for (const { start, end, mbps } of spans(circuit)) total.mbps.add(start, end, by * mbps);
      if (total.circuits === 0) this.#totals.delete(key);
    }
  }

  project(project: string, start: Seconds, end: Seconds): Load {
    return this.#load(projectKey(project), start, end);
  }

  /** The most of one group among those of the ports. */
  groups(ports: readonly string[], start: Seconds, end: Seconds): Load | undefined {
    const names = new Set(ports.flatMap((port) => this.#groupsOf(port)));
    if (names.size === 0) return undefined;
    const loads = [...names].map((name) => this.#load(groupKey(name), start, end));
    return {
      circuits: Math.max(...loads.map((load) => load.circuits)),
      mbps: Math.max(...loads.map((load) => load.mbps)),
    };
  }

  #load(key: string, start: Seconds, end: Seconds): Load {
    const total = this.#totals.get(key);
    return total === undefined
      ? { circuits: 0, mbps: 0 }
      : { circuits: total.circuits, mbps: total.mbps.max(start, end) };
  }

  #keysOf({ request }: Circuit): ReadonlySet<string> {
    const groups = [request.a.port, request.z.port].flatMap((port) => this.#groupsOf(port));
    return new Set([projectKey(request.project), ...groups.map(groupKey)]);
  }
}

const projectKey = (project: string): string => `project ${project}`;
const groupKey = (group: string): string => `group ${group}`;

/** Its slots. While another is being agreed on, each counts for itself where they do not overlap. */
function spans(circuit: Circuit): { start: Seconds; end: Seconds; mbps: number }[] {
  const found = placements(circuit).map(({ window, mbps }) => {
    const start = toSeconds(window.start);
    return { start, end: Math.max(start + 1, toSeconds(window.end)), mbps };
  });
  const [first, second] = found;
  if (first === undefined || second === undefined) return found;
  // The larger of the two where they overlap: cut what is the smaller's away.
  const [large, small] = first.mbps >= second.mbps ? [first, second] : [second, first];
  const rest = [
    { ...small, end: Math.min(small.end, large.start) },
    { ...small, start: Math.max(small.start, large.end) },
  ];
  return [large, ...rest.filter((span) => span.start < span.end)];
}
