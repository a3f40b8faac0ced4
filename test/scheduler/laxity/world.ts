/** A small network, its fleet, and an auditor who watches every request made of it. */
import type { Seconds } from '../../../src/model/capacity.ts';
import { Calendar } from '../../../src/scheduler/calendar.ts';
import { type Ask, bookingOf, type Placed, type Refused } from '../../../src/scheduler/laxity/booking.ts';
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
    this.fleet.advance(this.now);
    const before = digest(this.fleet);
    const answer = place(this.fleet, ask, this.now, limits);
    const { breaches } = this.auditor;
    if (digest(this.fleet) !== before) breaches.push(`${ask.id}: deciding has left traces`);
    const again = place(this.fleet, ask, this.now, limits);
    if (JSON.stringify(again) !== JSON.stringify(answer))
      breaches.push(`${ask.id}: another answer at second asking`);
    if (answer.placed) this.carryOut(ask, answer);
    else if (answer.cuts.length > 0) this.auditor.cutsHold(ask, answer, this.now);
    return answer;
  }

  carryOut(ask: Ask, placed: Placed): void {
    const { fleet } = this;
    const intern = (edge: string) => fleet.network.names.intern(edge);
    this.auditor.granted(ask, placed, this.now);
    for (const { id, to } of placed.moves) {
      const booking = fleet.get(id);
      if (booking !== undefined) fleet.put(bookingOf(booking, to, intern), []);
    }
    fleet.put(bookingOf(ask, placed.seat, intern), []);
    this.auditor.agrees(fleet, this.now);
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
