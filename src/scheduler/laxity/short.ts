/**
 * Where in its window a newcomer goes, if there is a choice: rather later on a short way than at once on a detour.
 * What a booking takes from everybody else is its rate times its duration times its links; the window is all that
 * was promised. Among the starts on ways of the same length it is still the earliest.
 */
import type { Seconds } from '../../model/capacity.ts';
import { coreOf } from '../../topology/search/core.ts';
import { changed, type Question } from '../../topology/search/question.ts';
import { firstCourse } from './course.ts';
import type { Found, Posed } from './pair.ts';

/** How much longer than the shortest way of the empty network a way may be; each is tried before the next. */
const STRETCHES = [1, 1.25, 1.5, 2];

export function shortCourse(posed: Posed, duration: number, from: Seconds, latest: Seconds): Found {
  const any = firstCourse(posed, duration, from, latest);
  if (typeof any === 'string' || any.start === latest || posed.pair) return any;
  const { question } = posed;
  const { metric, network, z, a } = question;
  const { perLink } = network.weights[metric];
  const shortest = coreOf(network).bounds(z.node, metric)[a.node] as number;
  let length = 0;
  for (const link of any.links) length += perLink[link] as number;
  for (const stretch of STRETCHES) {
    if (length <= stretch * shortest) return any;
    const barred = offWays(question, stretch * shortest);
    const found = firstCourse(
      { query: posed.query, question: changed(question, { barred }), pair: false },
      duration,
      from,
      latest,
    );
    if (typeof found !== 'string') return found;
  }
  return any;
}

/** Barred, or on no way between the two ends that is at most so long. */
function offWays({ a, z, barred, metric, network }: Question, most: number): (link: number) => boolean {
  const core = coreOf(network);
  const toA = core.bounds(a.node, metric);
  const toZ = core.bounds(z.node, metric);
  const { perLink } = network.weights[metric];
  return (index) => {
    if (barred(index)) return true;
    const link = network.link(index);
    const there = (toA[link.a] as number) + (toZ[link.z] as number);
    const back = (toA[link.z] as number) + (toZ[link.a] as number);
    return Math.min(there, back) + (perLink[index] as number) > most;
  };
}
