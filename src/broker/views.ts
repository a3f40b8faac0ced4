/** The network as callers see it: ports of ours and of neighbours, and the calendar of a link. */
import type { InstantMs } from '../kernel/clock.ts';
import { fromSeconds, toSeconds } from '../model/capacity.ts';
import type { Term } from './term.ts';
import type { CalendarStep, PortView } from './usecases.ts';

export function portViews(term: Term): PortView[] {
  const { network, neighbours } = term.book;
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
  const theirs = [...neighbours.ports.values()].map((port): PortView => ({ ...port, kind: 'CLIENT' }));
  return [...own, ...theirs].sort((a, b) => (a.id < b.id ? -1 : 1));
}

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
