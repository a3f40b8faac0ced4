/**
 * Labels at borders: both domains of a link must use the same one. While a circuit is being agreed each end
 * of a border carries the labels that its domain holds there; when all have answered, one that both hold is
 * taken and the others drop. What a circuit has let go of there is kept with it for a while.
 */
import { invariant } from '../kernel/assert.ts';
import type { InstantMs } from '../kernel/clock.ts';
import {
  type Circuit,
  isFinal,
  type LeftLabel,
  type Placement,
  placements,
  type Segment,
  type SegmentEnd,
  type State,
} from './circuit.ts';
import type { HeldLabels } from './events.ts';
import type { Label } from './label.ts';
import { secondOf, withSecond } from './ways.ts';

/** One of a segment's ends gets the label, and nothing else is held there any more. */
export function relabel(s: Segment, end: 'a' | 'z', label: Label): Segment {
  const { offered: _, ...bare } = s[end];
  const at: SegmentEnd = { ...bare, label };
  if (!s.local) return { ...s, [end]: at };
  const edge = `port:${bare.port}`;
  const uses = s.uses.map((use) => (use.edge === edge && use.label !== undefined ? { ...use, label } : use));
  const last = s.hops.length - 1;
  const hops = s.hops.map((hop, i) => {
    if (end === 'a' && i === 0) return { ...hop, in: { ...hop.in, label } };
    return end === 'z' && i === last ? { ...hop, out: { ...hop.out, label } } : hop;
  });
  return { ...s, [end]: at, uses, hops };
}

export type Agreement =
  | { readonly agreed: true; readonly placement: Placement }
  | {
      readonly agreed: false;
      /** The link that has no common label, and the domain whose answer did not fit. */
      readonly border: string;
      readonly domain: string;
      /** Held at the end that does not decide: what the next attempt may ask for. */
      readonly left: readonly Label[];
    };

/** Takes one label at every border where there is a choice: the first of those that both ends hold. */
export function agree(placement: Placement): Agreement {
  const roads = placement.segments.flatMap((s, at): Piece[] => {
    const second = secondOf(s);
    return [{ at, road: s }, ...(second === undefined ? [] : [{ at, road: second }])];
  });
  for (const near of roads) {
    const { border } = near.road.z;
    const far = border === undefined ? undefined : roads.find(({ road }) => road.a.border === border);
    if (border === undefined || far === undefined) continue;
    const [left, right] = [near.road, far.road];
    const [mine, theirs] = [heldAt(left.z), heldAt(right.a)];
    if (mine === undefined && theirs === undefined) continue;
    const common = (mine ?? []).filter((label) => (theirs ?? []).includes(label));
    const label = common[0];
    if (label === undefined) {
      const decides = left.z.port < right.a.port ? left : right;
      const other = decides === left ? right : left;
      const held = heldAt(decides === left ? right.a : left.z) ?? [];
      return { agreed: false, border, domain: other.domain, left: held };
    }
    if (left.z.offered !== undefined) near.road = relabel(left, 'z', label);
    if (right.a.offered !== undefined) far.road = relabel(right, 'a', label);
  }
  const segments = placement.segments.map((_, at): Segment => {
    const [first, second] = roads.filter((one) => one.at === at);
    invariant(first !== undefined, 'every segment has a road');
    return second === undefined ? first.road : withSecond(first.road, second.road);
  });
  return { agreed: true, placement: { ...placement, segments } };
}

/** One road of the segment at that place. */
interface Piece {
  readonly at: number;
  road: Segment;
}

const heldAt = (end: SegmentEnd): readonly Label[] | undefined =>
  end.offered ?? (end.border === undefined || end.label === undefined ? undefined : [end.label]);

/** The segment with what its domain answered for the ends of it. */
export function answeredFor(s: Segment, said: HeldLabels & { readonly second?: HeldLabels }): Segment {
  const at = (ends: Pick<Segment, 'a' | 'z'>, { aLabel, aLabels, zLabel, zLabels }: HeldLabels) => ({
    a: answeredAt(ends.a, aLabel, aLabels),
    z: answeredAt(ends.z, zLabel, zLabels),
  });
  const { backup } = s;
  const made = { ...s, ...at(s, said) };
  if (backup?.ends === undefined) return made;
  return { ...made, backup: { ...backup, ends: at(backup.ends, said.second ?? {}) } };
}

/** What a domain answered for one end, as far as it was asked for it. */
function answeredAt(
  end: SegmentEnd,
  label: Label | undefined,
  labels: readonly Label[] | undefined,
): SegmentEnd {
  if (end.offered === undefined)
    return label === undefined || end.label !== undefined ? end : { ...end, label };
  const said = labels ?? (label === undefined ? [] : [label]);
  return { ...end, offered: end.offered.filter((one) => said.includes(one)) };
}

/** States in which something may have been lit. */
const litStates: readonly State[] = ['PROVISIONING', 'ACTIVE', 'RELEASING'];
/** Nobody asks for how long it was left after this. */
const LEFT_KEPT_MS = 60_000;

/** The labels at our borders that a circuit has let go of, with those that it let go of before. */
export function leftBy(before: Circuit, after: Circuit, at: InstantMs): readonly LeftLabel[] | undefined {
  if (!litStates.includes(before.state)) return after.left;
  const same = before.current === after.current && before.pending === after.pending;
  if (same && !isFinal(after.state)) return after.left;
  const kept = isFinal(after.state) ? [] : placements(after).flatMap(labelsAtBorders);
  const gone = placements(before)
    .flatMap(labelsAtBorders)
    .filter((one) => !kept.some(({ port, label }) => port === one.port && label === one.label))
    .map((one) => ({ ...one, at }));
  if (gone.length === 0) return after.left;
  return [...(after.left ?? []).filter((one) => one.at > at - LEFT_KEPT_MS), ...gone];
}

const labelsAtBorders = (p: Placement): Omit<LeftLabel, 'at'>[] =>
  p.segments
    .filter((s) => s.local)
    .flatMap((s) => [s.a, s.z])
    .flatMap(({ port, label, border }) =>
      border === undefined || label === undefined ? [] : [{ port, label }],
    );
