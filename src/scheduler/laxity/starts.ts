/**
 * The starts worth trying for somebody who does not fit: the ends of its window, the first moments that rigid
 * bookings leave free, and the boundaries of what is booked along the way, before and after which it could go.
 */
import type { Seconds } from '../../model/capacity.ts';
import { edgesOf, firstCourse, linksOf } from './course.ts';
import type { Entry } from './fleet.ts';
import type { Trial } from './trial.ts';

/** Boundaries are looked for this many durations ahead, and a week at least: a window may last ten years. */
const LOOK_DURATIONS = 32;
const LOOK_AT_LEAST_S = 7 * 86_400;
/** Boundaries kept per start wanted; from then on they are thinned evenly. */
const CROWD = 6;

/**
 * At most `most` of them in ascending order; none when rigid bookings leave no path at all. The boundaries are
 * read along the rigid-earliest path, and along the one from the middle of the window when `thorough`.
 */
export function startsFor(
  trial: Trial,
  entry: Entry,
  most: number,
  thorough: boolean,
  jitter: number,
): readonly Seconds[] {
  const from = trial.earliest(entry);
  const latest = trial.latest(entry);
  const { duration } = entry.booking;
  const { rigid } = trial.mustAsk(entry);
  trial.spend();
  const first = from > latest ? 'NONE' : firstCourse(rigid, duration, from, latest);
  if (first === 'NONE') return [];
  const starts = new Set<Seconds>([from, latest]);
  if (from === latest) return [from];
  const add = (at: Seconds): void => {
    if (at > from && at < latest) starts.add(at);
  };
  const paths: (readonly number[])[] = [];
  if (first !== 'BUDGET') {
    add(first.start);
    paths.push(linksOf(first));
    const middle = Math.floor((first.start + latest) / 2);
    if (thorough && middle > first.start) {
      trial.spend();
      const second = firstCourse(rigid, duration, middle, latest);
      if (second !== 'NONE' && second !== 'BUDGET') {
        add(second.start);
        paths.push(linksOf(second));
      }
    }
  }
  const until = Math.min(latest + duration, from + Math.max(LOOK_DURATIONS * duration, LOOK_AT_LEAST_S));
  const edges = new Set(paths.flatMap((links) => edgesOf(rigid.question, links)));
  for (const edge of edges) {
    for (const step of trial.fleet.total.profile(edge, from, until)) {
      add(step.start);
      add(step.start - duration);
      if (starts.size > CROWD * most) break;
    }
  }
  const all = [...starts].sort((x, y) => x - y);
  if (all.length <= most) return all;
  // Evenly thinned; `jitter` in [0, 1) shifts which ones are kept, so that a second round tries others.
  return Array.from(
    { length: most },
    (_, i) => all[Math.min(all.length - 1, Math.floor(((i + jitter) * all.length) / most))] as Seconds,
  );
}
