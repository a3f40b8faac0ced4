/**
 * Replacing the running topology: says which circuits lose their road or their room, and keeps every promise
 * that the new one can carry. What it cannot carry keeps its claim and is told.
 */
import { BrokerError } from '../../kernel/errors.ts';
import { EdgeNames, LAST_SECOND, nodeEdge, toSeconds } from '../../model/capacity.ts';
import { localSegment, placements } from '../../model/circuit.ts';
import { checkDocument } from '../../topology/check.ts';
import { compile } from '../../topology/compile.ts';
import type { TopologyDocument } from '../../topology/document.ts';
import { USABLE } from '../../topology/network.ts';
import type { Authoriser } from '../aaa/authorise.ts';
import type { LinkState, Mutation, TopologyImpact } from '../calls.ts';
import type { Tx } from '../tx.ts';
import { StoredRefusal } from '../writer.ts';

export function topologyChange(
  tx: Tx,
  authoriser: Authoriser,
  call: Mutation<TopologyImpact>,
  document: TopologyDocument,
  revision: number | undefined,
): TopologyImpact | StoredRefusal {
  const running = tx.book.topology;
  const decision = authoriser.ask(tx, {
    ...call,
    action: 'topology.write',
    project: '',
    facts: { nodes: document.nodes.length, ports: document.ports.length, links: document.links.length },
  });
  if (decision.denied !== undefined) return new StoredRefusal(decision.denied);
  if (revision !== undefined && revision !== running.version)
    throw new BrokerError('STALE_REVISION', `the topology is at version ${running.version} now`);
  const errors = checkDocument(document)
    .filter((mistake) => mistake.severity === 'ERROR')
    .map(({ pointer, message }) => ({ pointer, detail: message }));
  if (document.domain !== running.document.domain || document.prefix !== running.document.prefix) {
    errors.push({
      pointer: '/domain',
      detail: `this broker runs ${running.document.domain} with the prefix ${running.document.prefix}`,
    });
  }
  if (errors.length > 0)
    throw new BrokerError('INVALID_REQUEST', 'the topology is not consistent', { errors });
  const version = running.version + 1;
  const broken = impact(tx, document);
  tx.setTopology({ version, time: tx.now, document });
  return { version, broken };
}

function impact(tx: Tx, document: TopologyDocument): TopologyImpact['broken'] {
  const names = new EdgeNames();
  const next = compile(document, names);
  const rooms = new Map(Array.from(next.rooms(), ([edge, room]) => [names.name(edge), room.mbps]));
  for (const [i, link] of next.links.entries())
    if (next.state[i] !== USABLE) rooms.set(names.name(link.edge), 0);
  const { calendar, names: edges } = tx.book;
  const now = toSeconds(tx.now);
  const broken: { circuitId: TopologyImpact['broken'][number]['circuitId']; detail: string }[] = [];
  for (const circuit of tx.book.circuits.values()) {
    const reasons = new Set<string>();
    for (const placement of placements(circuit)) {
      for (const { edge } of localSegment(placement)?.uses ?? []) {
        const room = rooms.get(edge);
        // A node that no longer has each VLAN only once breaks nothing.
        if (room === undefined && edge.startsWith(nodeEdge(''))) continue;
        if (room === undefined) reasons.add(`${edge.replace(':', ' ')} is gone`);
        else {
          const index = edges.intern(edge);
          const start = Math.max(now, toSeconds(placement.window.start));
          const end = Math.min(LAST_SECOND, toSeconds(placement.window.end));
          if (end <= start) continue;
          const claimed = Math.max(0, ...calendar.profile(index, start, end).map((step) => step.claimed));
          if (claimed > room)
            reasons.add(`${edge.replace(':', ' ')} carries ${room} Mb/s, ${claimed} are promised`);
        }
      }
    }
    if (reasons.size > 0) broken.push({ circuitId: circuit.id, detail: [...reasons].join('; ') });
  }
  return broken;
}

/** An operator, or what watches the devices, says that a link is up or down. */
export function linkChange(
  tx: Tx,
  authoriser: Authoriser,
  call: Mutation<TopologyImpact>,
  id: string,
  state: LinkState,
  revision: number | undefined,
): TopologyImpact | StoredRefusal {
  const { document } = tx.book.topology;
  if (!document.links.some((link) => link.id === id))
    throw new BrokerError('NOT_FOUND', `there is no link ${id}`);
  const links = document.links.map((link) =>
    link.id === id
      ? {
          ...link,
          ...(state.admin === undefined ? {} : { admin_state: state.admin }),
          ...(state.oper === undefined ? {} : { oper_state: state.oper }),
        }
      : link,
  );
  return topologyChange(tx, authoriser, call, { ...document, links }, revision);
}
