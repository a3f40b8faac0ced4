/** Before light: is somebody else's still there, or room that it needs? A port never carries two circuits. */
import { type InstantMs, NEVER } from '../../kernel/clock.ts';
import { fromSeconds, portEdge, toSeconds } from '../../model/capacity.ts';
import { type Circuit, type Segment, type SegmentEnd, usesOf } from '../../model/circuit.ts';
import { labelFits } from '../../model/label.ts';
import type { Window } from '../../model/window.ts';
import type { Book } from '../book.ts';
import { REST_S } from '../limits.ts';

/** Is something that should be dark by now still in the way? It goes first, or a port would carry both. */
export function inTheWay(book: Book, circuit: Circuit, segment: Segment, now: InstantMs): boolean {
  const { calendar, names } = book;
  const second = toSeconds(now);
  for (const use of segment.uses) {
    let lingering = 0;
    for (const other of book.lingering(use.edge, now)) {
      if (other.circuit === circuit.id) continue;
      lingering += other.mbps;
      if (
        use.label !== undefined &&
        other.label !== undefined &&
        (other.label === use.label || other.label === 0 || use.label === 0)
      )
        return true;
    }
    if (lingering === 0) continue;
    if (calendar.free(names.intern(use.edge), second, second + 1) < lingering) return true;
  }
  return false;
}

/**
 * Does nobody claim what the circuit needs from now until it claims it itself, and no label of a border rest? Whoever's
 * time was over just now is perhaps not told yet: the second before this one must be free too, and all that was due
 * then be done.
 */
export function isFreeUntil(
  book: Book,
  segment: Segment,
  mbps: number,
  now: InstantMs,
  start: InstantMs,
): boolean {
  const { calendar, names } = book;
  const [from, to] = [Math.max(0, toSeconds(now) - 1), toSeconds(start)];
  if ((book.due.next(book.circuits) ?? NEVER) <= fromSeconds(from)) return false;
  const isFree = usesOf(segment).every((use) => {
    const edge = names.intern(use.edge);
    const fits = calendar.fits(edge, mbps, from, to);
    return fits && (use.label === undefined || labelFits(calendar.labels(edge, from, to), use.label));
  });
  return isFree && [segment.a, segment.z].every((end) => !rests(book, end, { start: now, end: start }));
}

/** Has somebody else had the label of a border so lately that the other domain may still give him light? */
function rests(
  { calendar, names, rests }: Book,
  { port, label, border }: SegmentEnd,
  window: Window,
): boolean {
  if (border === undefined || label === undefined) return false;
  if (rests.at(port, window).includes(label)) return true;
  const from = Math.max(0, toSeconds(window.start) - REST_S);
  return !labelFits(calendar.labels(names.intern(portEdge(port)), from, toSeconds(window.end)), label);
}
