/** Before light: is somebody else's still there, or room that it needs? A port never carries two circuits. */
import type { InstantMs } from '../kernel/clock.ts';
import { toSeconds } from '../model/capacity.ts';
import { type Circuit, type Segment, usesOf } from '../model/circuit.ts';
import { labelFits } from '../model/label.ts';
import type { Book } from './book.ts';

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

/** Does nobody claim what the circuit needs from now until it claims it itself? */
export function isFreeUntil(
  book: Book,
  segment: Segment,
  mbps: number,
  now: InstantMs,
  start: InstantMs,
): boolean {
  const { calendar, names } = book;
  const [from, to] = [toSeconds(now), toSeconds(start)];
  return usesOf(segment).every((use) => {
    const edge = names.intern(use.edge);
    const fits = calendar.fits(edge, mbps, from, to);
    return fits && (use.label === undefined || labelFits(calendar.labels(edge, from, to), use.label));
  });
}
