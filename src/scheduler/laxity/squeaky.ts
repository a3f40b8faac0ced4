/**
 * Squeaky wheel: everybody movable around the newcomer is taken out and placed anew, one after another, each
 * as early as it can be; whoever finds nothing is moved forward in the queue, and all is tried again.
 */
import { seededRandom } from '../../kernel/random.ts';
import type { Edge } from '../../model/capacity.ts';
import { edgesOf, firstCourse, linksOf } from './course.ts';
import { byId, type Entry } from './fleet.ts';
import { seedOf } from './guided.ts';
import type { Trial } from './trial.ts';

export interface SqueakyLimits {
  readonly rounds: number;
  /** Links looked at, all together. */
  readonly work: number;
  /** Of the neighbourhood, the newcomer among them. */
  readonly size: number;
}

/** Failures of one round after which the rest of the queue is not worth trying. */
const MAX_FAILURES = 3;

/** On a network of so few links everybody is a neighbour. */
const FEW_LINKS = 40;

export function squeaky(trial: Trial, newcomer: Entry, limits: SqueakyLimits): boolean {
  trial.work = limits.work;
  const around = neighbourhood(trial, newcomer, limits.size);
  const random = seededRandom(seedOf(newcomer, -1));
  const room = (one: Entry): number => trial.latest(one) - trial.earliest(one);
  const queue = [newcomer, ...around].sort((x, y) => room(x) - room(y) || byId(x, y));
  const mark = trial.mark;
  for (let round = 0; round < limits.rounds && trial.work > 0; round++) {
    for (const one of around) trial.take(one);
    const failed: Entry[] = [];
    for (const one of queue) {
      const found = trial.first(one);
      if (typeof found !== 'string') trial.give(one, found);
      else if (failed.push(one) >= MAX_FAILURES) break;
    }
    if (failed.length === 0) return true;
    trial.back(mark);
    for (const one of failed) {
      const at = queue.indexOf(one);
      queue.splice(at, 1);
      queue.splice(Math.max(0, at - 1 - random.int(Math.max(1, at))), 0, one);
    }
    if (round % 8 === 7) {
      const [i, j] = [random.int(queue.length), random.int(queue.length)];
      [queue[i], queue[j]] = [queue[j] as Entry, queue[i] as Entry];
    }
  }
  return false;
}

/** Everybody movable on the newcomer's ways within its window; then those around them in turn. */
function neighbourhood(trial: Trial, newcomer: Entry, size: number): Entry[] {
  const { presence, network } = trial.fleet;
  const members: Entry[] = [newcomer];
  const known = new Set<Entry>(members);
  for (let i = 0; i < members.length && members.length <= size; i++) {
    const member = members[i] as Entry;
    const start = trial.earliest(member);
    const end = trial.latest(member) + member.booking.duration;
    if (end <= start) continue;
    const near = new Set<Entry>();
    const look = (edges: Iterable<Edge>): void => {
      for (const edge of edges) {
        presence.visit(edge, start, end, (one) => {
          if (!known.has(one) && trial.canMove(one)) near.add(one);
        });
      }
    };
    look(i === 0 ? waysOf(trial, newcomer) : member.uses.map((use) => use.edge));
    if (near.size < size && network.links.length <= FEW_LINKS) look(network.links.map((link) => link.edge));
    const share = near.size <= size || i === 0 ? size : Math.ceil(size / 3);
    const chosen = [...near].sort(
      (x, y) => y.booking.mbps - x.booking.mbps || trial.slack(y) - trial.slack(x) || byId(x, y),
    );
    let taken = 0;
    for (const one of chosen) {
      if (members.length > size || taken >= share) break;
      if (!trial.canBeAsked(one)) continue;
      taken++;
      members.push(one);
      known.add(one);
    }
  }
  return members.slice(1);
}

/** The edges of the rigid-earliest paths from the beginning and the middle of the window. */
function waysOf(trial: Trial, newcomer: Entry): Set<Edge> {
  const { rigid } = trial.mustAsk(newcomer);
  const from = trial.earliest(newcomer);
  const latest = trial.latest(newcomer);
  const edges = new Set<Edge>();
  for (const at of [from, Math.floor((from + latest) / 2), latest]) {
    trial.spend();
    const found = firstCourse(rigid, newcomer.booking.duration, at, latest);
    if (typeof found !== 'string')
      for (const edge of edgesOf(rigid.question, linksOf(found))) edges.add(edge);
  }
  return edges;
}
