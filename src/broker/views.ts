/** The network as callers see it: ports of ours and of neighbours, and the calendar of a link. */
import type { InstantMs } from '../kernel/clock.ts';
import { BrokerError } from '../kernel/errors.ts';
import { fromSeconds, toSeconds } from '../model/capacity.ts';
import { type EndpointAsk, isFinal, placements } from '../model/circuit.ts';
import type { Window } from '../model/window.ts';
import type { DomainPort } from '../topology/domainDocument.ts';
import { findWidest } from '../topology/search/find.ts';
import type { Availability, AvailabilityStep, CalendarStep, Dealings, PortView } from './calls.ts';
import type { Term } from './term.ts';

export function portViews(term: Term): PortView[] {
  const { network, neighbours, around } = term.book;
  const { domain, ports } = network.document;
  const own = ports.map((port): PortView => {
    const { id, node, kind, vlans = '2-4094', mtu } = port;
    return {
      id,
      domain,
      node,
      kind,
      capacityMbps: port.capacity_mbps,
      vlans,
      ...(mtu === undefined ? {} : { mtu }),
    };
  });
  const said = new Set(around.records.map(({ document }) => document.domain));
  const advertised = around.records.flatMap(({ document }) => [
    ...document.ports.map((port) => advertisedPort(document.domain, 'CLIENT', port)),
    ...document.borders.map((port) => advertisedPort(document.domain, 'BORDER', port)),
  ]);
  // What our own topology says of a neighbour counts until it has spoken for itself.
  const assumed = [...neighbours.ports.values()]
    .filter((port) => !said.has(port.domain))
    .map((port): PortView => ({ ...port, kind: 'CLIENT' }));
  return [...own, ...advertised, ...assumed].sort((a, b) => (a.id < b.id ? -1 : 1));
}

const advertisedPort = (domain: string, kind: PortView['kind'], port: DomainPort): PortView => ({
  id: port.id,
  domain,
  kind,
  capacityMbps: port.capacity_mbps,
  vlans: port.vlans ?? '2-4094',
  ...(port.mtu === undefined ? {} : { mtu: port.mtu }),
});

export function linkSteps(
  term: Term,
  id: string,
  from: InstantMs,
  to: InstantMs,
): CalendarStep[] | undefined {
  const { network, calendar } = term.book;
  const index = network.linkIndex.get(id);
  if (index === undefined) return undefined;
  return calendar
    .profile(network.link(index).edge, toSeconds(from), toSeconds(to))
    .map((step) => ({ from: fromSeconds(step.start), claimedMbps: step.claimed }));
}

/** Steps in one answer; an answer that would need more says how far it goes. */
const MOST_STEPS = 500;

/**
 * The most that one circuit between two ports could have, as a step function of time: it can change only where
 * some calendar does, so one search for the widest path between two such moments is enough.
 */
export function availability({ book }: Term, a: EndpointAsk, z: EndpointAsk, window: Window): Availability {
  const snapshot = { network: book.network, free: book.calendar };
  const first = toSeconds(window.start);
  const last = toSeconds(window.end);
  const moments = new Set([first]);
  for (const [edge] of book.network.rooms()) {
    for (const { start } of book.calendar.profile(edge, first, last))
      if (start > first && start < last) moments.add(start);
  }
  const sorted = [...moments].sort((x, y) => x - y);
  const steps: AvailabilityStep[] = [];
  for (const [i, start] of sorted.slice(0, MOST_STEPS).entries()) {
    const found = findWidest(snapshot, { a, z, mbps: 1, start, end: sorted[i + 1] ?? last });
    if (!found.found && found.reason === 'INVALID') {
      throw new BrokerError('INVALID_REQUEST', found.detail, {
        errors: found.errors.map(({ pointer, detail }) => ({
          pointer: pointer.replace(/^\/([az])\/port$/, '$1'),
          detail,
        })),
      });
    }
    const freeMbps = found.found ? found.mbps : 0;
    if (steps.at(-1)?.freeMbps !== freeMbps) steps.push({ from: fromSeconds(start), freeMbps });
  }
  const cut = sorted[MOST_STEPS];
  return { steps, until: cut === undefined ? window.end : fromSeconds(cut) };
}

export function dealings({ book, lanes, givenUp }: Term, domain: string): Dealings {
  let holds = 0;
  let circuits = 0;
  for (const circuit of book.circuits.values()) {
    if (isFinal(circuit.state)) continue;
    const theirs = circuit.home?.domain === domain;
    if (theirs && circuit.pending?.phase === 'HOLDING') holds++;
    // A participant that holds nothing at present is only a memory.
    const alive = placements(circuit).length > 0;
    if (alive && (theirs || placements(circuit).some((p) => p.segments.some((s) => s.domain === domain))))
      circuits++;
  }
  return { holds, circuits, waiting: lanes.waitingFor(domain), givenUp: givenUp.get(domain) ?? 0 };
}
