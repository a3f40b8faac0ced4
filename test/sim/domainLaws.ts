/**
 * Laws between domains, from what their stores durably hold: law 2 (no hold outlives its expiry), law 3 (what is
 * closed stays closed), law 7 (nobody is moved once its notice has begun), law 8 (one label on both sides of a
 * border and nobody else's close to it), law 9 (room is handed over in the transaction that makes it) and law 17
 * (what a domain publishes never gets older). None of it uses the code that it checks.
 */
import type { Group } from '../../src/broker/ports.ts';
import type { Circuit, Segment } from '../../src/model/circuit.ts';
import type { ParticipantEvent } from '../../src/model/events.ts';
import { saidBy } from './agreements.ts';
import { endsOf, placementsOf } from './checkers.ts';
import { law } from './laws.ts';
import type { Node } from './node.ts';
import type { Step } from './promises.ts';

/** Two circuits on one label of a border are this far apart: twice the greatest skew, on paper. */
const GUARD_MS = 2_000;
/** Whatever has run out is written down as run out within this time. */
const LATE_MS = 5_000;
/** A circuit is moved so often for strangers, and no more. */
const MOST_ASKED_MOVES = 3;

/** What one domain has let go of, and what it must not take again; its own circuits' versions are never used again either. */
export class GuestKeeper {
  readonly #closed = new Map<string, Set<number>>();
  readonly #asked = new Map<string, number>();
  readonly #documents = new Map<
    string,
    { readonly epoch: number; readonly n: number; readonly text: string }
  >();

  enter(group: Group, steps: readonly Step[], live: ReadonlyMap<string, Circuit>): string[] {
    const wrong: string[] = [];
    for (const step of steps) {
      wrong.push(...this.#versions(step), ...movedLate(step), ...decidedLate(step));
      if (hasMoved(step)) wrong.push(...this.#moved(step, live));
    }
    for (const { document } of group.domains) {
      const { domain, version } = document;
      const before = this.#documents.get(domain);
      const text = JSON.stringify(document);
      const older = before !== undefined && (version.epoch - before.epoch || version.n - before.n) < 0;
      if (older)
        wrong.push(law(17, `the document of ${domain} has gone back to ${version.epoch}.${version.n}`));
      const same = before?.epoch === version.epoch && before.n === version.n;
      if (same && before?.text !== text)
        wrong.push(law(17, `the document of ${domain} is another under the same version`));
      this.#documents.set(domain, { ...version, text });
    }
    return wrong;
  }

  #versions({ before, after }: Step): string[] {
    const { home } = after;
    const key = home === undefined ? after.id : `${home.domain} ${home.circuit}`;
    const closed = this.#closed.get(key) ?? new Set<number>();
    this.#closed.set(key, closed);
    const now = placementsOf(after).map((p) => p.version);
    const again = now.find((version) => closed.has(version));
    const expired = after.pending?.phase === 'EXPIRED' ? after.pending.placement.version : undefined;
    for (const { version } of before === undefined ? [] : placementsOf(before))
      if (!now.includes(version) && version !== expired) closed.add(version);
    return again === undefined ? [] : [law(3, `${after.id} has v${again} again, which was closed`)];
  }

  /** The move is agreed: whoever waits for it gets its room now, and nobody is pushed about for ever. */
  #moved({ before, after }: Step, live: ReadonlyMap<string, Circuit>): string[] {
    const by = before?.pending?.for ?? '';
    const wrong: string[] = [];
    if (by.includes('/')) {
      const times = (this.#asked.get(after.id) ?? 0) + 1;
      this.#asked.set(after.id, times);
      if (times > MOST_ASKED_MOVES) wrong.push(law(9, `${after.id} was moved ${times} times for others`));
    }
    const waiting = live.get(by);
    const { waitsFor } = waiting?.pending ?? {};
    if (waitsFor?.length === 1 && waitsFor[0] === after.id)
      wrong.push(law(9, `${after.id} was moved for ${by}, who was not given its room`));
    return wrong;
  }
}

/** Several domains have agreed to another place for it. */
const hasMoved = ({ before, after }: Step): boolean =>
  before?.role === 'HOME' &&
  before.pending?.cause === 'MOVE' &&
  before.pending.phase === 'COMMITTING' &&
  after.current?.version === before.pending.placement.version;

/** By this domain's own clock. */
function movedLate({ event, before, after }: Step): string[] {
  const { input } = event;
  if (input?.type !== 'commit' || after.role !== 'PARTICIPANT' || before?.current === undefined) return [];
  if (after.request.pinned) return [];
  const { placement } = input as Extract<ParticipantEvent, { readonly type: 'commit' }>;
  const [from, to] = [before.current.window.start, placement.window.start];
  if (from === to || input.at < Math.min(from, to) - after.request.noticeS * 1000) return [];
  return [law(7, `${after.id} was moved within its notice of ${after.request.noticeS} s`)];
}

/** A home decides to commit a move before the notice of either start has begun, or not at all. */
function decidedLate({ event, before, after }: Step): string[] {
  const { pending, current, request } = after;
  if (pending?.cause !== 'MOVE' || pending.phase !== 'COMMITTING' || current === undefined) return [];
  if (before?.pending?.phase !== 'HOLDING') return [];
  const first = Math.min(current.window.start, pending.placement.window.start);
  // Until then it waits for those who have to agree: the last of them may be heard at that moment.
  const until = Math.max(event.time, pending.until ?? event.time);
  if (until < first - request.noticeS * 1000) return [];
  return [law(7, `${after.id} may be moved within its notice of ${request.noticeS} s`)];
}

/** No hold lasts longer than was promised to its home, whatever has become of it. */
export function checkHolds(node: Node): string[] {
  const now = node.watch.now();
  if (!node.up || now - node.upSince < LATE_MS) return [];
  return [...node.mirror.live.values()].flatMap(({ id, role, state, pending }) => {
    const over = role === 'PARTICIPANT' && pending?.phase === 'HOLDING' ? now - (pending.until ?? now) : 0;
    return over <= LATE_MS || state === 'RELEASING'
      ? []
      : [law(2, `${node.name} ${id} holds v${pending?.placement.version} ${over} ms longer than it may`)];
  });
}

/** Home and participant name the same label for every border of what is agreed. */
export function checkLabels(nodes: readonly Node[]): string[] {
  const wrong: string[] = [];
  for (const home of nodes) {
    for (const circuit of home.mirror.live.values()) {
      const said = saidBy(circuit);
      if (said === undefined) continue;
      const roads = said.segments.flatMap(roadsOf);
      for (const { road } of roads) {
        const { border, label } = road.z;
        const next = border === undefined ? [] : roads.filter((one) => one.road.a.border === border);
        if (border !== undefined && (next.length !== 1 || next[0]?.road.a.label !== label))
          wrong.push(law(8, `${home.name} ${circuit.id} changes its label on ${border}`));
      }
      for (const { road, segment, second } of roads) {
        const theirs = guestOf(nodes, segment, circuit, said.version)?.segments[0];
        const there = second ? theirs?.backup?.ends : theirs;
        if (there === undefined) continue;
        for (const end of ['a', 'z'] as const) {
          if (road[end].border === undefined || road[end].label === there[end].label) continue;
          wrong.push(
            law(
              8,
              `${circuit.id} v${said.version} has label ${road[end].label} on ${road[end].border} at ${home.name} and ${there[end].label} at ${segment.domain}`,
            ),
          );
        }
      }
      wrong.push(...waysApart(said.segments).map((why) => law(1, `${home.name} ${circuit.id} ${why}`)));
    }
  }
  return wrong;
}

/** What a domain has of a circuit: its road, and the second one where both ways pass. */
const roadsOf = (
  segment: Segment,
): { road: Pick<Segment, 'a' | 'z'>; segment: Segment; second: boolean }[] => [
  { road: segment, segment, second: false },
  ...(segment.backup?.ends === undefined ? [] : [{ road: segment.backup.ends, segment, second: true }]),
];

/** From the same port to the same port, over borders of which none is on both. */
function waysApart(segments: readonly Segment[]): string[] {
  const [first, last] = [segments[0], segments.at(-1)];
  if (first?.backup?.ends === undefined || last === undefined) return [];
  const roads = segments.flatMap(roadsOf);
  const follow = (from: Segment['z']): string[] => {
    const borders: string[] = [];
    let at: Segment['z'] | undefined = from;
    while (at?.border !== undefined && borders.length < roads.length) {
      const { border }: Segment['z'] = at;
      borders.push(border);
      at = roads.find(({ road }) => road.a.border === border)?.road.z;
    }
    return at?.port === last.z.port ? borders : [];
  };
  const [one, other] = [follow(first.z), follow(first.backup.ends.z)];
  if (one.length === 0 || other.length === 0) return ['has a way that does not arrive'];
  return one.filter((border) => other.includes(border)).map((border) => `has ${border} on both its ways`);
}

const guestOf = (nodes: readonly Node[], segment: Segment, circuit: Circuit, version: number) => {
  if (segment.local) return undefined;
  const theirs = nodes.find((node) => node.name === segment.domain)?.byHome(circuit.id);
  return theirs === undefined ? undefined : placementsOf(theirs).find((p) => p.version === version);
};

interface OnBorder {
  readonly who: string;
  readonly start: number;
  readonly end: number;
}

const AGREED: readonly Circuit['state'][] = ['SCHEDULED', 'PROVISIONING', 'ACTIVE'];

/** On one label of a border no two circuits come close to each other, whichever end promised it. */
export function checkGuard(nodes: readonly Node[]): string[] {
  const there = new Map<string, OnBorder[]>();
  for (const node of nodes) {
    for (const circuit of node.mirror.live.values()) {
      const { current } = circuit;
      if (current === undefined || !AGREED.includes(circuit.state)) continue;
      const who = circuit.home?.circuit ?? circuit.id;
      for (const { border, label } of current.segments.filter((s) => s.local).flatMap(endsOf)) {
        if (border === undefined || label === undefined) continue;
        const key = `${border} label ${label}`;
        there.set(key, [...(there.get(key) ?? []), { who, ...current.window }]);
      }
    }
  }
  const wrong: string[] = [];
  for (const [key, all] of there)
    for (const [i, one] of all.entries())
      for (const other of all.slice(i + 1))
        if (one.who !== other.who && one.start < other.end + GUARD_MS && other.start < one.end + GUARD_MS)
          wrong.push(law(8, `${key} has ${one.who} and ${other.who} within the guard`));
  return wrong;
}
