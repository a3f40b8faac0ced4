/**
 * Watches the engine against what is promised, and knows nothing of how it works: it keeps its own list of
 * who was granted what, follows every move one after the other, and counts shares second by second of change.
 * Each breach is a line of text; an honest engine leaves none.
 */
import type { Seconds } from '../../../src/model/capacity.ts';
import type { Booking, Move, Placed, Refused, Seat, Slot } from '../../../src/scheduler/laxity/booking.ts';
import type { Fleet } from '../../../src/scheduler/laxity/fleet.ts';
import type { TopologyDocument } from '../../../src/topology/document.ts';
import type { Path } from '../../../src/topology/search/question.ts';

export type AuditedAsk = Omit<Booking, 'start' | 'uses' | 'claims'>;

interface Claim {
  readonly edge: string;
  readonly label: number | undefined;
  readonly start: Seconds;
  readonly end: Seconds;
  readonly mbps: number;
  readonly who: string;
}

interface Holding {
  readonly ask: AuditedAsk;
  readonly slot: Slot;
  readonly claims: readonly Claim[];
}

const eachVlanOnce = ({ nodes }: TopologyDocument, id: string): boolean => {
  const node = nodes.find((one) => one.id === id);
  return (node?.label_scope ?? (node?.swaps_labels === false ? 'NODE' : 'PORT')) === 'NODE';
};

const overlap = (x: { start: number; end: number }, y: { start: number; end: number }): boolean =>
  x.start < y.end && y.start < x.end;

export class Auditor {
  readonly breaches: string[] = [];
  readonly #document: TopologyDocument;
  readonly #rooms = new Map<string, number>();
  readonly #holdings = new Map<string, Holding>();
  /** Nobody's: maintenance. */
  readonly #blocks: Claim[] = [];

  constructor(document: TopologyDocument) {
    this.#document = document;
    for (const link of document.links) this.#rooms.set(`link:${link.id}`, link.capacity_mbps);
    for (const port of document.ports) this.#rooms.set(`port:${port.id}`, port.capacity_mbps);
    for (const { id } of document.nodes)
      if (eachVlanOnce(document, id)) this.#rooms.set(`node:${id}`, 2 ** 30);
    for (const group of document.port_groups ?? []) this.#rooms.set(`group:${group.id}`, group.capacity_mbps);
  }

  holding(id: string): Slot | undefined {
    return this.#holdings.get(id)?.slot;
  }
  get ids(): string[] {
    return [...this.#holdings.keys()];
  }

  /** Follows an answer step by step, as it would be carried out. */
  granted(ask: AuditedAsk, placed: Placed, now: Seconds): void {
    this.moved(placed.moves, now);
    const { seat } = placed;
    const claims = claimsOf(ask.id, seat);
    this.#window(ask, seat, Math.max(ask.notBefore, now));
    this.#roads(ask, seat);
    this.#holdings.set(ask.id, { ask, slot: slotOf(seat), claims });
    this.#legal(claims, `${ask.id} entering`);
  }

  moved(moves: readonly Move[], now: Seconds): void {
    const steps = new Map<number, Move[]>();
    for (const move of moves) steps.set(move.step, [...(steps.get(move.step) ?? []), move]);
    for (const together of steps.values()) this.#moved(together, now);
  }

  /** A booking has another ask by its owner's wish; without a seat it stays where it is. */
  changed(ask: AuditedAsk, seat: Seat | undefined, now: Seconds): void {
    const was = this.#holdings.get(ask.id);
    if (was === undefined) return;
    const begun = was.slot.start <= now;
    if (begun && seat !== undefined) this.#say(`${ask.id} has begun and is to begin anew`);
    const { start } = seat ?? was.slot;
    const slot = { start, end: start + ask.duration, mbps: ask.mbps };
    const claims =
      seat === undefined ? was.claims.map((claim) => ({ ...claim, ...slot })) : claimsOf(ask.id, seat);
    this.#window(ask, slot, begun ? start : ask.notBefore);
    if (seat !== undefined) this.#roads(ask, seat);
    this.#holdings.set(ask.id, { ask, slot, claims });
    // What was carried until now is history.
    this.#legal(
      claims.map((claim) => ({ ...claim, start: Math.max(claim.start, now) })),
      `${ask.id} changed`,
    );
  }

  /** Gives up its place in the same step in which others move. */
  lifted(id: string): void {
    const was = this.#holdings.get(id);
    if (was !== undefined) this.#holdings.set(id, { ...was, claims: [] });
  }

  blocked(edge: string, slot: Slot): void {
    const block = { edge, label: undefined, ...slot, who: `maintenance ${this.#blocks.length}` };
    this.#blocks.push(block);
    this.#legal([block], 'maintenance');
  }

  cancelled(id: string): void {
    this.#holdings.delete(id);
  }

  #moved(moves: readonly Move[], now: Seconds): void {
    const after: [string, Holding][] = [];
    for (const { id, from, to } of moves) {
      const was = this.#holdings.get(id);
      if (was === undefined) {
        this.#say(`${id} was moved and is not there`);
        continue;
      }
      const { ask, slot } = was;
      if (from.start !== slot.start || from.end !== slot.end || from.mbps !== slot.mbps)
        this.#say(`${id} is said to come from where it is not`);
      if (!ask.movable) this.#say(`${id} is pinned or FIXED and was moved`);
      if (slot.start <= now + ask.notice) this.#say(`${id} was moved within its notice or later`);
      if (to.start <= now + ask.notice)
        this.#say(`${id} was moved to where it can no longer be told in time`);
      if (to.end - to.start !== slot.end - slot.start || to.mbps !== slot.mbps)
        this.#say(`${id} lost duration or rate`);
      this.#window(ask, to, ask.notBefore);
      this.#roads(ask, to);
      const claims = claimsOf(id, to);
      after.push([id, { ask, slot: slotOf(to), claims }]);
      // Who is moved alone holds both places for a while; where they are the same it holds the room once.
      if (moves.length > 1) continue;
      this.#holdings.set(id, { ask, slot, claims: [...was.claims, ...claims] });
      this.#legal(claims, `${id} moving`);
    }
    for (const [id, holding] of after) this.#holdings.set(id, holding);
    for (const [id, { claims }] of after) this.#legal(claims, `${id} moved`);
  }

  #window(ask: AuditedAsk, slot: Slot, earliest: Seconds): void {
    if (slot.start < earliest || slot.end > ask.deadline) this.#say(`${ask.id} is outside its window`);
  }

  /** One road; or two that share no link, where protection was asked for. */
  #roads(ask: AuditedAsk, { path, backup }: Seat): void {
    this.#path(ask, path);
    if ((backup !== undefined) !== (ask.protected === true))
      this.#say(`${ask.id} has ${backup === undefined ? 'no' : 'a'} second road`);
    if (backup === undefined) return;
    this.#path(ask, backup);
    for (const id of path.links)
      if (backup.links.includes(id)) this.#say(`${ask.id} has ${id} on both roads`);
  }

  /** From port to port, link by link; labels that exist, and that change only where a node can change them. */
  #path(ask: AuditedAsk, path: Path): void {
    const doc = this.#document;
    const port = (id: string) => doc.ports.find((p) => p.id === id);
    const [a, z] = [port(ask.a.port), port(ask.z.port)];
    let node = a?.node;
    const places = [{ of: a, label: path.uses[0]?.label, node: '' }];
    for (const [i, id] of path.links.entries()) {
      const link = doc.links.find((l) => l.id === id);
      if (link === undefined || (link.a.node !== node && link.z.node !== node)) {
        this.#say(`${ask.id} has a path with a gap at ${id}`);
        return;
      }
      if (link.admin_state === 'DOWN') this.#say(`${ask.id} uses ${id}, which is down`);
      places.push({ of: undefined, label: path.uses[i + 1]?.label, node: node ?? '' });
      if (path.uses[i + 1]?.edge !== `link:${id}`) this.#say(`${ask.id} does not claim ${id}`);
      const { vlans } = link;
      const label = path.uses[i + 1]?.label;
      if (link.unlabelled !== true && (label === undefined || !allowed(vlans, label)))
        this.#say(`${ask.id} has label ${label} on ${id}`);
      node = link.a.node === node ? link.z.node : link.a.node;
    }
    if (node === undefined || node !== z?.node) this.#say(`${ask.id} does not arrive`);
    places.push({ of: z, label: path.uses[path.links.length + 1]?.label, node: node ?? '' });
    for (const [i, place] of places.entries()) {
      const before = places[i - 1];
      if (before === undefined || before.label === undefined || place.label === undefined) continue;
      const swaps = doc.nodes.find((n) => n.id === place.node)?.swaps_labels !== false;
      const vlan = before.label || place.label;
      const claimed = path.uses.some(({ edge, label }) => edge === `node:${place.node}` && label === vlan);
      if (eachVlanOnce(doc, place.node) && vlan !== 0 && !claimed)
        this.#say(`${ask.id} does not claim VLAN ${vlan} of ${place.node}`);
      // An untagged port gets its tag, or loses it, at any node.
      if (!swaps && before.label !== place.label && before.label !== 0 && place.label !== 0)
        this.#say(`${ask.id} changes its label at ${place.node}`);
    }
  }

  /** Never more than there is, at any second at which one of `claims` counts; and no label twice. */
  #legal(claims: readonly Claim[], when: string): void {
    for (const { edge, start, end } of claims) {
      const there = this.#on(edge).filter((claim) => overlap(claim, { start, end }));
      for (const at of new Set([start, ...there.map((claim) => Math.max(start, claim.start))])) {
        const most = new Map<string, number>();
        for (const claim of there) {
          if (claim.start > at || claim.end <= at) continue;
          most.set(claim.who, Math.max(most.get(claim.who) ?? 0, claim.mbps));
        }
        const sum = [...most.values()].reduce((x, y) => x + y, 0);
        const room = this.#rooms.get(edge) ?? 0;
        if (sum > room) this.#say(`${when}: ${sum} of ${room} Mb/s on ${edge} at ${at}`);
      }
      for (const [i, one] of there.entries()) {
        for (const other of there.slice(i + 1)) {
          if (one.who === other.who || !overlap(one, other)) continue;
          if (one.label === undefined || other.label === undefined) continue;
          if (one.label === other.label || one.label === 0 || other.label === 0)
            this.#say(`${when}: ${one.who} and ${other.who} share label ${one.label} on ${edge}`);
        }
      }
    }
  }

  #on(edge: string): Claim[] {
    const all = [...this.#blocks, ...[...this.#holdings.values()].flatMap(({ claims }) => claims)];
    return all.filter((claim) => claim.edge === edge);
  }

  /** Is the engine's own account of everything the same as this one? Nobody else has moved, and nothing leaks. */
  agrees(fleet: Fleet, now: Seconds): void {
    if (fleet.size !== this.#holdings.size) this.#say(`${fleet.size} bookings, not ${this.#holdings.size}`);
    for (const { ask, slot } of this.#holdings.values()) {
      const booking = fleet.get(ask.id);
      if (booking?.start !== slot.start) this.#say(`${ask.id} is at ${booking?.start}, not ${slot.start}`);
    }
    for (const [name, room] of this.#rooms) {
      const claims = this.#on(name);
      const rigid = claims.filter(({ who }) => this.#cannotMove(who, now));
      const edge = fleet.network.names.intern(name);
      const times = claims.flatMap(({ start, end }) => [start, end]).filter((at) => at > now);
      for (const at of new Set([now, ...times])) {
        const sum = (of: readonly Claim[]): number =>
          of.reduce((all, { start, end, mbps }) => all + (start <= at && at < end ? mbps : 0), 0);
        if (fleet.total.free(edge, at, at + 1) !== room - sum(claims))
          this.#say(`the total of ${name} at ${at} is wrong`);
        if (fleet.rigid.free(edge, at, at + 1) !== room - sum(rigid))
          this.#say(`the rigid of ${name} at ${at} is wrong`);
      }
    }
  }

  #cannotMove(id: string, now: Seconds): boolean {
    const holding = this.#holdings.get(id);
    return holding === undefined || !holding.ask.movable || holding.slot.start <= now + holding.ask.notice;
  }

  /**
   * The cuts of a proof, each taken at its word: without its edges there is no way, and none of them has room
   * beside those who cannot move. Where labels or constraints decide, only that every start is spoken of.
   */
  cutsHold(ask: AuditedAsk, refused: Refused, now: Seconds): void {
    let at = Math.max(ask.notBefore, now);
    for (const cut of refused.cuts) {
      if (cut.from > at) this.#say(`${ask.id}: nothing proves the starts from ${at} to ${cut.from}`);
      if (cut.kind === 'OTHER') {
        at = Math.max(at, cut.until);
        continue;
      }
      const edges = new Set(cut.edges);
      for (let start = Math.max(at, cut.from); start < cut.until; start++) {
        const slot = { start, end: start + ask.duration };
        for (const edge of cut.edges) {
          if (this.#openBesideRigid(edge, slot, ask.mbps, now))
            this.#say(`${ask.id}: ${edge} has room at ${start}`);
        }
      }
      const ends = [`port:${ask.a.port}`, `port:${ask.z.port}`];
      if (!ends.some((end) => edges.has(end)) && this.#anyPath(ask, (edge) => !edges.has(edge)) !== undefined)
        this.#say(`${ask.id}: ${cut.edges.join(' ')} does not separate the ends`);
      at = Math.max(at, cut.until);
    }
    if (at + ask.duration <= ask.deadline) this.#say(`${ask.id}: nothing proves the starts from ${at} on`);
  }

  #openBesideRigid(edge: string, slot: { start: number; end: number }, mbps: number, now: Seconds): boolean {
    const rigid = this.#on(edge).filter((c) => overlap(c, slot) && this.#cannotMove(c.who, now));
    const room = this.#rooms.get(edge) ?? 0;
    return [slot.start, ...rigid.map((c) => Math.max(slot.start, c.start))].every((at) => {
      const used = rigid.reduce((sum, c) => sum + (c.start <= at && at < c.end ? c.mbps : 0), 0);
      return used + mbps <= room;
    });
  }

  /** Any way from end to end over open links that are up and large enough. Labels are left aside. */
  #anyPath(ask: AuditedAsk, open: (edge: string) => boolean): string[] | undefined {
    const doc = this.#document;
    const nodeOf = (id: string) => doc.ports.find((p) => p.id === id)?.node ?? '';
    const goal = nodeOf(ask.z.port);
    const excluded = (ask.constraints?.['exclude_links'] ?? []) as readonly string[];
    const reached = new Map<string, string[]>([[nodeOf(ask.a.port), []]]);
    for (const [node, way] of reached) {
      if (node === goal) return way;
      for (const link of doc.links) {
        if (link.a.node !== node && link.z.node !== node) continue;
        const next = link.a.node === node ? link.z.node : link.a.node;
        const down = link.admin_state === 'DOWN' || link.oper_state === 'DOWN' || excluded.includes(link.id);
        if (reached.has(next) || down || link.capacity_mbps < ask.mbps || !open(`link:${link.id}`)) continue;
        reached.set(next, [...way, link.id]);
      }
    }
    return undefined;
  }

  #say(what: string): void {
    this.breaches.push(what);
  }
}

const slotOf = ({ start, end, mbps }: Slot): Slot => ({ start, end, mbps });

/** Of both roads; what they share, their ports, once. In a node they may have two labels. */
const claimsOf = (who: string, { start, end, mbps, path, backup }: Seat): Claim[] =>
  [
    ...path.uses,
    ...(backup?.uses.filter(
      (use) => !path.uses.some(({ edge, label }) => edge === use.edge && label === use.label),
    ) ?? []),
  ].map(({ edge, label }) => ({ edge, label, start, end, mbps, who }));

const allowed = (vlans: string | undefined, label: number): boolean =>
  (vlans ?? '2-4094').split(',').some((part) => {
    const [low, high] = part.split('-').map(Number);
    return label >= (low ?? 0) && label <= (high ?? low ?? 0);
  });

/** All that the engine can be seen to hold, as text: what a refusal must leave exactly as it was. */
export function digest(fleet: Fleet): string {
  const { names } = fleet.network;
  const lines: string[] = [];
  for (let i = 0; i < names.size; i++) {
    const edge = names.intern(names.name(i as ReturnType<typeof names.intern>));
    for (const calendar of [fleet.total, fleet.rigid]) {
      // Of labels claimed at the same second, which comes first in a list means nothing.
      const labels = calendar.labelProfile(edge, 0, 2 ** 31 - 1).map((claim) => JSON.stringify(claim));
      lines.push(JSON.stringify([calendar.profile(edge, 0, 2 ** 31 - 1), labels.sort()]));
    }
    lines.push(fleet.on(edge, 0, 2 ** 31 - 1).join());
  }
  const bookings = [...fleet.bookings()].sort((x, y) => (x.id < y.id ? -1 : 1));
  for (const booking of bookings) lines.push(JSON.stringify([booking, fleet.isRigid(booking.id)]));
  return lines.join('\n');
}
