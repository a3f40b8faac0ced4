/**
 * What is claimed of each edge, as a step function of time, and which labels are taken when. Two flat sorted
 * arrays an edge: the seconds at which the claimed rate changes, and the rate from then on. Implements Free,
 * which is all that the path search knows of it.
 */
import { invariant } from '../kernel/assert.ts';
import { type Edge, type EdgeRoom, type Free, LAST_SECOND, type Seconds } from '../model/capacity.ts';
import { type Label, LabelSet, UNTAGGED } from '../model/label.ts';

export interface EdgeClaim {
  readonly edge: Edge;
  readonly mbps: number;
  readonly label?: Label;
  readonly start: Seconds;
  readonly end: Seconds;
}

interface Steps {
  room: EdgeRoom;
  /** times[0] is 0 and loads[0] what is claimed from then on. */
  readonly times: Seconds[];
  readonly loads: number[];
  /** For each label the windows in which it is taken, sorted, as start, end, start, end ... */
  readonly labels: Map<Label, Seconds[]>;
}

export class Calendar implements Free {
  readonly #edges: Steps[] = [];

  /** What the edge can carry from now on. Claims that no longer fit stay: they are promises. */
  setRoom(edge: Edge, room: EdgeRoom): void {
    this.#at(edge).room = room;
  }

  room(edge: Edge): EdgeRoom {
    return this.#at(edge).room;
  }

  claim(claim: EdgeClaim): void {
    this.#add(claim, claim.mbps);
    if (claim.label !== undefined) insert(this.#at(claim.edge).labels, claim.label, claim.start, claim.end);
  }

  release(claim: EdgeClaim): void {
    this.#add(claim, -claim.mbps);
    if (claim.label !== undefined) remove(this.#at(claim.edge).labels, claim.label, claim.start, claim.end);
  }

  fits(edge: Edge, mbps: number, start: Seconds, end: Seconds): boolean {
    return this.free(edge, start, end) >= mbps;
  }

  free(edge: Edge, start: Seconds, end: Seconds): number {
    const { room, times, loads } = this.#at(edge);
    let highest = 0;
    for (let i = indexOf(times, start); i < times.length && (times[i] as number) < end; i++) {
      highest = Math.max(highest, loads[i] as number);
    }
    return room.mbps - highest;
  }

  nextOpen(edge: Edge, mbps: number, duration: number, from: Seconds): Seconds | undefined {
    const { room, times, loads } = this.#at(edge);
    const most = room.mbps - mbps;
    if (most < 0) return undefined;
    let start = from;
    for (let i = indexOf(times, from); i < times.length; i++) {
      if ((times[i] as number) >= start + duration) break;
      if ((loads[i] as number) > most) {
        const next = times[i + 1];
        if (next === undefined) return undefined;
        start = next;
      }
    }
    return start;
  }

  labels(edge: Edge, start: Seconds, end: Seconds): LabelSet {
    const taken = new LabelSet();
    for (const [label, windows] of this.#at(edge).labels) if (isTaken(windows, start, end)) taken.add(label);
    return taken;
  }

  /** The steps of one edge within [from, to), the first at `from`. */
  steps(edge: Edge, from: Seconds, to: Seconds): { readonly from: Seconds; readonly mbps: number }[] {
    const { times, loads } = this.#at(edge);
    const result: { from: Seconds; mbps: number }[] = [];
    for (let i = indexOf(times, from); i < times.length && (times[i] as number) < to; i++) {
      result.push({ from: Math.max(from, times[i] as number), mbps: loads[i] as number });
    }
    return result;
  }

  #at(edge: Edge): Steps {
    let steps = this.#edges[edge];
    if (steps === undefined) {
      steps = { room: { mbps: 0 }, times: [0], loads: [0], labels: new Map() };
      this.#edges[edge] = steps;
    }
    return steps;
  }

  #add({ edge, start, end }: EdgeClaim, mbps: number): void {
    invariant(start < end && end <= LAST_SECOND, 'a claim covers some time');
    if (mbps === 0) return;
    const { times, loads } = this.#at(edge);
    const first = split(times, loads, start);
    const last = split(times, loads, end);
    for (let i = first; i < last; i++) {
      const load = (loads[i] as number) + mbps;
      invariant(load >= 0, 'no more is released than was claimed');
      loads[i] = load;
    }
    mergeAt(times, loads, last);
    mergeAt(times, loads, first);
  }
}

/** The last i with times[i] <= at. */
function indexOf(times: readonly Seconds[], at: Seconds): number {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((times[middle] as number) <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Makes a step begin at `at` and returns its index. */
function split(times: Seconds[], loads: number[], at: Seconds): number {
  const i = indexOf(times, at);
  if (times[i] === at) return i;
  times.splice(i + 1, 0, at);
  loads.splice(i + 1, 0, loads[i] as number);
  return i + 1;
}

function mergeAt(times: Seconds[], loads: number[], i: number): void {
  if (i === 0 || i >= times.length || loads[i] !== loads[i - 1]) return;
  times.splice(i, 1);
  loads.splice(i, 1);
}

function insert(labels: Map<Label, Seconds[]>, label: Label, start: Seconds, end: Seconds): void {
  const windows = labels.get(label);
  if (windows === undefined) {
    labels.set(label, [start, end]);
    return;
  }
  const at = position(windows, start);
  invariant(
    (at === 0 || (windows[at - 1] as number) <= start) &&
      (at === windows.length || end <= (windows[at] as number)),
    `label ${label} is free`,
  );
  windows.splice(at, 0, start, end);
}

function remove(labels: Map<Label, Seconds[]>, label: Label, start: Seconds, end: Seconds): void {
  const windows = labels.get(label);
  const at = windows === undefined ? -1 : position(windows, start);
  invariant(
    windows !== undefined && windows[at] === start && windows[at + 1] === end,
    `label ${label} was claimed for that window`,
  );
  windows.splice(at, 2);
  if (windows.length === 0) labels.delete(label);
}

/** The even index of the first window that starts at or after `start`. */
function position(windows: readonly Seconds[], start: Seconds): number {
  let low = 0;
  let high = windows.length / 2;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((windows[middle * 2] as number) < start) low = middle + 1;
    else high = middle;
  }
  return low * 2;
}

function isTaken(windows: readonly Seconds[], start: Seconds, end: Seconds): boolean {
  const at = position(windows, start);
  return (
    (at < windows.length && (windows[at] as number) < end) || (at > 0 && (windows[at - 1] as number) > start)
  );
}

/** May a circuit have this label beside those that are taken? UNTAGGED excludes all others, and they it. */
export const labelFits = (taken: LabelSet, label: Label): boolean =>
  label === UNTAGGED ? taken.empty : !taken.has(label) && !taken.has(UNTAGGED);
