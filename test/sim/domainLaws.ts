/**
 * Laws between domains, from what their stores durably hold: one label on both sides of a border and nobody
 * else's close to it; what is closed stays closed; nobody is moved once its notice has begun; what a domain
 * publishes never gets older. None of it uses the code that it checks.
 */
import type { Group } from '../../src/broker/ports.ts';
import type { Circuit, Segment } from '../../src/model/circuit.ts';
import type { ParticipantEvent } from '../../src/model/events.ts';
import { placementsOf } from './checkers.ts';
import type { Node } from './node.ts';
import type { Step } from './promises.ts';

/** Two circuits on one label of a border are this far apart: twice the greatest skew, on paper. */
const GUARD_MS = 2_000;

const AGREED: readonly Circuit['state'][] = ['SCHEDULED', 'PROVISIONING', 'ACTIVE'];

/** What one domain has let go of, and what it must not take again. */
export class GuestKeeper {
  readonly #closed = new Map<string, Set<number>>();
  readonly #documents = new Map<
    string,
    { readonly epoch: number; readonly n: number; readonly text: string }
  >();

  enter(group: Group, steps: readonly Step[]): string[] {
    const wrong: string[] = [];
    for (const step of steps) wrong.push(...this.#versions(step), ...movedLate(step));
    for (const { document } of group.domains) {
      const { domain, version } = document;
      const before = this.#documents.get(domain);
      const text = JSON.stringify(document);
      const older = before !== undefined && (version.epoch - before.epoch || version.n - before.n) < 0;
      if (older) wrong.push(`the document of ${domain} has gone back to ${version.epoch}.${version.n}`);
      const same = before?.epoch === version.epoch && before.n === version.n;
      if (same && before?.text !== text)
        wrong.push(`the document of ${domain} is another under the same version`);
      this.#documents.set(domain, { ...version, text });
    }
    return wrong;
  }

  #versions({ before, after }: Step): string[] {
    const { home } = after;
    if (home === undefined) return [];
    const key = `${home.domain} ${home.circuit}`;
    const closed = this.#closed.get(key) ?? new Set<number>();
    this.#closed.set(key, closed);
    const now = placementsOf(after).map((p) => p.version);
    const again = now.find((version) => closed.has(version));
    const expired = after.pending?.phase === 'EXPIRED' ? after.pending.placement.version : undefined;
    for (const { version } of before === undefined ? [] : placementsOf(before))
      if (!now.includes(version) && version !== expired) closed.add(version);
    return again === undefined ? [] : [`${after.id} has v${again} again, which was closed`];
  }
}

/** By this domain's own clock. */
function movedLate({ event, before, after }: Step): string[] {
  const { input } = event;
  if (input?.type !== 'commit' || after.role !== 'PARTICIPANT' || before?.current === undefined) return [];
  if (after.request.pinned) return [];
  const { placement } = input as Extract<ParticipantEvent, { readonly type: 'commit' }>;
  const [from, to] = [before.current.window.start, placement.window.start];
  if (from === to || input.at < Math.min(from, to) - after.request.noticeS * 1000) return [];
  return [`${after.id} was moved within its notice of ${after.request.noticeS} s`];
}

/** Home and participant name the same label for every border of what is agreed. */
export function checkLabels(nodes: readonly Node[]): string[] {
  const wrong: string[] = [];
  for (const home of nodes) {
    for (const circuit of home.mirror.live.values()) {
      const { current } = circuit;
      if (circuit.role !== 'HOME' || current === undefined || !AGREED.includes(circuit.state)) continue;
      for (const [i, segment] of current.segments.entries()) {
        const next = current.segments[i + 1];
        if (next !== undefined && segment.z.label !== next.a.label)
          wrong.push(`${home.name} ${circuit.id} changes its label on ${segment.z.border}`);
        const theirs = guestOf(nodes, segment, circuit)?.segments[0];
        if (theirs === undefined) continue;
        for (const end of ['a', 'z'] as const) {
          if (segment[end].border === undefined || segment[end].label === theirs[end].label) continue;
          wrong.push(
            `${circuit.id} v${current.version} has label ${segment[end].label} on ${segment[end].border} at ${home.name} and ${theirs[end].label} at ${segment.domain}`,
          );
        }
      }
    }
  }
  return wrong;
}

const guestOf = (nodes: readonly Node[], segment: Segment, circuit: Circuit) => {
  if (segment.local) return undefined;
  const theirs = nodes.find((node) => node.name === segment.domain)?.byHome(circuit.id);
  return theirs === undefined
    ? undefined
    : placementsOf(theirs).find((p) => p.version === circuit.current?.version);
};

interface OnBorder {
  readonly who: string;
  readonly start: number;
  readonly end: number;
}

/** On one label of a border no two circuits come close to each other, whichever end promised it. */
export function checkGuard(nodes: readonly Node[]): string[] {
  const there = new Map<string, OnBorder[]>();
  for (const node of nodes) {
    for (const circuit of node.mirror.live.values()) {
      const { current } = circuit;
      if (current === undefined || !AGREED.includes(circuit.state)) continue;
      const who = circuit.home?.circuit ?? circuit.id;
      for (const { a, z } of current.segments.filter((s) => s.local)) {
        for (const { border, label } of [a, z]) {
          if (border === undefined || label === undefined) continue;
          const key = `${border} label ${label}`;
          there.set(key, [...(there.get(key) ?? []), { who, ...current.window }]);
        }
      }
    }
  }
  const wrong: string[] = [];
  for (const [key, all] of there)
    for (const [i, one] of all.entries())
      for (const other of all.slice(i + 1))
        if (one.who !== other.who && one.start < other.end + GUARD_MS && other.start < one.end + GUARD_MS)
          wrong.push(`${key} has ${one.who} and ${other.who} within the guard`);
  return wrong;
}
