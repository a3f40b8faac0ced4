/** A small network, its fleet, and an auditor who watches every request made of it. */
import type { Seconds } from '../../../src/model/capacity.ts';
import { Calendar } from '../../../src/scheduler/calendar.ts';
import {
  type Ask,
  bookingOf,
  type Move,
  type Placed,
  type Refused,
  type Slot,
} from '../../../src/scheduler/laxity/booking.ts';
import { type Change, canChange } from '../../../src/scheduler/laxity/change.ts';
import { clear } from '../../../src/scheduler/laxity/clear.ts';
import { Fleet } from '../../../src/scheduler/laxity/fleet.ts';
import { type Limits, place, usual } from '../../../src/scheduler/laxity/place.ts';
import { compile } from '../../../src/topology/compile.ts';
import type { TopologyDocument } from '../../../src/topology/document.ts';
import { Auditor, digest } from './auditor.ts';

export class World {
  readonly document: TopologyDocument;
  readonly fleet: Fleet;
  readonly auditor: Auditor;
  now: Seconds = 0;

  constructor(document: TopologyDocument) {
    this.document = document;
    const network = compile(document);
    const calendar = new Calendar();
    for (const [edge, room] of network.rooms()) calendar.setRoom(edge, room);
    this.fleet = new Fleet(network, calendar);
    this.auditor = new Auditor(document);
  }

  /** Asks, carries out what is answered, and has all of it audited. */
  request(ask: Ask, limits: Limits = usual): Placed | Refused {
    const { breaches } = this.auditor;
    const answer = this.#quietly(ask.id, () => place(this.fleet, ask, this.now, limits));
    const again = place(this.fleet, ask, this.now, limits);
    if (JSON.stringify(again) !== JSON.stringify(answer))
      breaches.push(`${ask.id}: another answer at second asking`);
    if (answer.placed) this.carryOut(ask, answer);
    else if (answer.cuts.length > 0) this.auditor.cutsHold(ask, answer, this.now);
    return answer;
  }

  carryOut(ask: Ask, placed: Placed): void {
    this.auditor.granted(ask, placed, this.now);
    this.#enter(placed.moves);
    this.fleet.put(bookingOf(ask, placed.seat, this.#intern), []);
    this.auditor.agrees(this.fleet, this.now);
  }

  /** Its owner wants it changed. */
  change(id: string, change: Change): boolean {
    const answer = this.#quietly(id, () => canChange(this.fleet, id, change, this.now));
    if (answer?.possible !== true) return false;
    const { ask, seat, moves, together } = answer;
    const before = this.fleet.get(id);
    if (together) this.auditor.lifted(id);
    this.auditor.moved(moves, this.now);
    this.auditor.changed(ask, seat, this.now);
    this.#enter(moves);
    if (seat !== undefined) this.fleet.put(bookingOf(ask, seat, this.#intern), []);
    else if (before !== undefined) this.fleet.put({ ...ask, start: before.start, uses: before.uses }, []);
    this.auditor.agrees(this.fleet, this.now);
    return true;
  }

  /** An edge loses room for a while, if everybody in the way can go elsewhere. */
  maintain(name: string, { start, end, mbps }: Slot): boolean {
    const share = { edge: this.#intern(name), start, end, mbps };
    const { moves, free } = this.#quietly(name, () => clear(this.fleet, [share], this.now));
    this.auditor.moved(moves, this.now);
    this.#enter(moves);
    if (free) {
      this.auditor.blocked(name, { start, end, mbps });
      this.fleet.block(share, []);
    }
    this.auditor.agrees(this.fleet, this.now);
    return free;
  }

  readonly #intern = (edge: string) => this.fleet.network.names.intern(edge);

  #enter(moves: readonly Move[]): void {
    for (const { id, to } of moves) {
      const booking = this.fleet.get(id);
      if (booking !== undefined) this.fleet.put(bookingOf(booking, to, this.#intern), []);
    }
  }

  #quietly<T>(what: string, look: () => T): T {
    this.fleet.advance(this.now);
    const before = digest(this.fleet);
    const answer = look();
    if (digest(this.fleet) !== before) this.auditor.breaches.push(`${what}: deciding has left traces`);
    return answer;
  }

  cancel(id: string): void {
    this.fleet.drop(id, []);
    this.auditor.cancelled(id);
    this.auditor.agrees(this.fleet, this.now);
  }

  pass(to: Seconds): void {
    this.now = Math.max(this.now, to);
    this.fleet.advance(this.now);
    this.auditor.agrees(this.fleet, this.now);
  }
}

let asked = 0;

/** FLEXIBLE in [notBefore, deadline) unless said otherwise. */
export const flexible = (
  a: string,
  z: string,
  mbps: number,
  duration: number,
  [notBefore, deadline]: readonly [Seconds, Seconds],
  more: Partial<Ask> = {},
): Ask => ({
  id: `c${String(++asked).padStart(4, '0')}`,
  a: { port: a, vlan: 'ANY' },
  z: { port: z, vlan: 'ANY' },
  mbps,
  duration,
  notBefore,
  deadline,
  notice: 0,
  priority: 50,
  movable: true,
  ...more,
});

export const fixed = (
  a: string,
  z: string,
  mbps: number,
  [start, end]: readonly [Seconds, Seconds],
  more: Partial<Ask> = {},
): Ask => flexible(a, z, mbps, end - start, [start, end], { movable: false, ...more });

/** Nodes named by a letter, each with one port `t:<node>`; links "ab" join two of them, "ab'" once more. */
export function net(
  links: readonly string[],
  { mbps = 10, unlabelled = true, vlans = '2-9', swaps = true, portMbps = 1_000 } = {},
): TopologyDocument {
  const names = [...new Set(links.flatMap((link) => [link.charAt(0), link.charAt(1)]))];
  const labels = unlabelled ? { unlabelled } : { vlans };
  return {
    domain: 'test',
    prefix: 't',
    nodes: names.map((id) => ({ id, swaps_labels: swaps })),
    ports: names.map((id) => ({
      id: `t:${id}`,
      node: id,
      kind: 'CLIENT' as const,
      capacity_mbps: portMbps,
      ...labels,
    })),
    links: links.map((id) => ({
      id,
      a: { node: id.charAt(0), port: `to-${id}` },
      z: { node: id.charAt(1), port: `from-${id}` },
      capacity_mbps: mbps,
      ...labels,
    })),
  };
}
