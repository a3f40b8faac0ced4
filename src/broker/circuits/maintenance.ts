/**
 * Maintenance: an operator closes links or nodes for a time. It is a booking of all their room, kept in the
 * topology document; what already has a place there is found another road beforehand, or stands in the way.
 */
import { type InstantMs, NEVER, rfc3339 } from '../../kernel/clock.ts';
import { BrokerError } from '../../kernel/errors.ts';
import { type CircuitId, newId } from '../../kernel/ids.ts';
import type { Random } from '../../kernel/random.ts';
import { toSeconds } from '../../model/capacity.ts';
import {
  type Circuit,
  isFinal,
  localSegment,
  type Placement,
  placements,
  usesOf,
} from '../../model/circuit.ts';
import { remotes, stands } from '../../model/rules.ts';
import { overlaps, type Window } from '../../model/window.ts';
import { clear as makeRoom } from '../../scheduler/laxity/clear.ts';
import { edgesOf, instantOf } from '../../topology/closures.ts';
import type { MaintenanceWindowDocument, TopologyDocument } from '../../topology/document.ts';
import type { Call, MaintenanceAsk, MaintenanceImpact, MaintenanceView } from '../calls.ts';
import type { Term } from '../term.ts';
import type { Tx } from '../tx.ts';
import type { StoredRefusal } from '../writer.ts';
import { grown } from './change.ts';
import { changeTo } from './changeTo.ts';
import { applyMoves } from './place.ts';
import { anotherWay } from './restore.ts';

export function announceMaintenance(
  tx: Tx,
  term: Term,
  random: Random,
  call: Call,
  ask: MaintenanceAsk,
): MaintenanceView | StoredRefusal {
  const denied = authorise(tx, term, call, { links: ask.links.length, nodes: ask.nodes.length });
  if (denied !== undefined) return denied;
  checkNames(tx, ask);
  if (ask.window.end <= tx.now) throw invalid('/end_time', 'the window has passed already');
  const inTheWay = affected(tx, ask.links, ask.nodes, ask.window);
  if (ask.conflict === 'REJECT' && inTheWay.length > 0) throw conflict(inTheWay);
  const window: MaintenanceWindowDocument = {
    id: newId('mnt', tx.now, random),
    start_time: rfc3339(ask.window.start),
    end_time: rfc3339(ask.window.end),
    ...(ask.links.length === 0 ? {} : { links: ask.links }),
    ...(ask.nodes.length === 0 ? {} : { nodes: ask.nodes }),
    ...(ask.reason === undefined ? {} : { reason: ask.reason }),
  };
  const movedAside = moveAside(tx, window.id, ask);
  save(tx, (document) => ({
    ...document,
    maintenance_windows: [...(document.maintenance_windows ?? []), window],
  }));
  const impact = clear(tx, affected(tx, ask.links, ask.nodes, ask.window), ask, movedAside);
  const left = impact.filter((one) => one.outcome === 'IN_THE_WAY');
  // Whoever preempts goes ahead: a peer's circuit stays until its home hears that it has lost its light.
  if (left.length > 0 && ask.conflict !== 'PREEMPT')
    throw conflict(left.flatMap(({ circuitId }) => tx.book.circuits.get(circuitId) ?? []));
  return { window, impact };
}

/** What a window meets now: before it is saved, or afterwards. */
export function impactOf(tx: Tx, window: MaintenanceWindowDocument): MaintenanceImpact[] {
  const span = { start: instantOf(window.start_time), end: instantOf(window.end_time) };
  return affected(tx, window.links ?? [], window.nodes ?? [], span).map((circuit) => ({
    circuitId: circuit.id,
    outcome: 'IN_THE_WAY' as const,
  }));
}

/** Looks once more for other roads for what a window still meets. */
export function migrate(tx: Tx, term: Term, call: Call, id: string): MaintenanceView | StoredRefusal {
  const window = mustFind(tx, id);
  const denied = authorise(tx, term, call, { migrate: id });
  if (denied !== undefined) return denied;
  const span = { start: instantOf(window.start_time), end: instantOf(window.end_time) };
  const links = window.links ?? [];
  const nodes = window.nodes ?? [];
  return {
    window,
    impact: clear(
      tx,
      affected(tx, links, nodes, span),
      { links, nodes, window: span, conflict: 'MIGRATE_FLEXIBLE' },
      [],
    ),
  };
}

export function cancelMaintenance(tx: Tx, term: Term, call: Call, id: string): undefined | StoredRefusal {
  mustFind(tx, id);
  const denied = authorise(tx, term, call, { cancel: id });
  if (denied !== undefined) return denied;
  save(tx, (document) => ({
    ...document,
    maintenance_windows: (document.maintenance_windows ?? []).filter((one) => one.id !== id),
  }));
  return undefined;
}

function mustFind(tx: Tx, id: string): MaintenanceWindowDocument {
  const window = tx.book.topology.document.maintenance_windows?.find((one) => one.id === id);
  if (window === undefined) throw new BrokerError('NOT_FOUND', `there is no maintenance window ${id}`);
  return window;
}

function save(tx: Tx, change: (document: TopologyDocument) => TopologyDocument): void {
  const { version, document } = tx.book.topology;
  tx.setTopology({ version: version + 1, time: tx.now, document: change(document) });
}

/** Circuits that have a place on what is closed, while it is closed; the most important first. */
function affected(tx: Tx, links: readonly string[], nodes: readonly string[], window: Window): Circuit[] {
  const closed = new Set(
    [...edgesOf(tx.book.network, links, nodes).keys()].map((edge) => tx.book.names.name(edge)),
  );
  const meets = (p: Placement): boolean => {
    const segment = localSegment(p);
    return (
      segment !== undefined &&
      overlaps(p.window, window) &&
      usesOf(segment).some((use) => closed.has(use.edge))
    );
  };
  return (
    [...tx.book.circuits.values()]
      // What is going out is gone by then, or is not moved or shortened by anything but its devices.
      .filter((c) => !isFinal(c.state) && c.state !== 'RELEASING' && placements(c).some(meets))
      .sort((a, b) => b.request.priority - a.request.priority || (a.id < b.id ? -1 : 1))
  );
}

/** Finds another road for each, or does to it what the operator said. */
function clear(
  tx: Tx,
  circuits: readonly Circuit[],
  ask: Pick<MaintenanceAsk, 'window' | 'conflict' | 'links' | 'nodes'>,
  aside: readonly MaintenanceImpact[],
): MaintenanceImpact[] {
  const rest = circuits.map((circuit): MaintenanceImpact => {
    const outcome =
      moveAway(tx, circuit) ??
      (ask.conflict !== 'PREEMPT' || circuit.role !== 'HOME'
        ? 'IN_THE_WAY'
        : preempt(tx, circuit, ask.window.start));
    return { circuitId: circuit.id, outcome };
  });
  return [...aside, ...rest];
}

/** Circuits with a window step aside in time or space, as they would for a newcomer. */
function moveAside(
  tx: Tx,
  id: string,
  { links, nodes, window }: Pick<MaintenanceAsk, 'links' | 'nodes' | 'window'>,
): MaintenanceImpact[] {
  const start = Math.max(toSeconds(tx.now) + 1, toSeconds(window.start));
  const end = toSeconds(window.end);
  if (end <= start) return [];
  const shares = [...edgesOf(tx.book.network, links, nodes)].map(([edge, mbps]) => ({
    edge,
    mbps,
    start,
    end,
  }));
  const { moves } = makeRoom(tx.book.fleet, shares, toSeconds(tx.now) + 1);
  const before = new Map(
    moves.map(({ id: one }) => [one, tx.book.circuits.get(one as CircuitId)?.current?.window.start]),
  );
  applyMoves(tx, moves, id, '');
  return [...before].map(([one, from]) => {
    const to = tx.book.circuits.get(one as CircuitId)?.current?.window.start;
    return { circuitId: one as CircuitId, outcome: from === to ? 'REROUTED' : 'MOVED' };
  });
}

type Outcome = MaintenanceImpact['outcome'];

/** Another road inside, or another way over the domains, which they are asked for. */
function moveAway(tx: Tx, circuit: Circuit): Outcome | undefined {
  const { current } = circuit;
  if (circuit.role !== 'HOME' || current === undefined || circuit.pending !== undefined || !stands(circuit))
    return undefined;
  const segments = tx.book.without(circuit, () => anotherWay(tx.ground, circuit));
  return segments === undefined ? undefined : agree(tx, circuit, { ...current, segments }, 'REROUTED');
}

/** A circuit that has begun by then ends when the maintenance starts; one that has not is cancelled. */
function preempt(tx: Tx, circuit: Circuit, start: InstantMs): Outcome {
  const { current, state } = circuit;
  const begun = current !== undefined && current.window.start < start && circuit.pending === undefined;
  if (begun && state !== 'HELD' && state !== 'RESERVING' && start > tx.now)
    // What it claims for its light before its start stays claimed.
    return agree(
      tx,
      circuit,
      { ...current, ...grown(circuit, current, { end: start, mbps: current.mbps }) },
      'SHORTENED',
    );
  tx.apply(circuit.id, { type: 'cancel', detail: 'its road closes for maintenance', at: tx.now });
  return 'CANCELLED';
}

/** It is so at once, or when the other domains have agreed. */
function agree(tx: Tx, circuit: Circuit, next: Omit<Placement, 'version'>, outcome: Outcome): Outcome {
  const placement = changeTo(tx, circuit, next, { cause: 'REROUTE' });
  return remotes(placement).length > 0 ? 'ASKING' : outcome;
}

function checkNames(tx: Tx, { links, nodes }: MaintenanceAsk): void {
  if (links.length + nodes.length === 0) throw invalid('/links', 'name a link or a node');
  links.forEach((id, i) => {
    if (!tx.book.network.linkIndex.has(id)) throw invalid(`/links/${i}`, `there is no link ${id}`);
  });
  nodes.forEach((id, i) => {
    if (!tx.book.network.nodeIndex.has(id)) throw invalid(`/nodes/${i}`, `there is no node ${id}`);
  });
}

function authorise(
  tx: Tx,
  term: Term,
  call: Call,
  facts: Record<string, string | number>,
): StoredRefusal | undefined {
  return term.authoriser.refusal(tx, { ...call, action: 'topology.write', project: '', facts });
}

const conflict = (circuits: readonly Circuit[]): BrokerError =>
  new BrokerError(
    'MAINTENANCE_CONFLICT',
    `${circuits.length} circuits have their place there: ${nameSome(circuits)}`,
    {
      circuits: circuits.slice(0, 100).map((circuit) => ({
        circuit_id: circuit.id,
        ...(circuit.current === undefined ? {} : { start_time: rfc3339(circuit.current.window.start) }),
        ...(circuit.current === undefined || circuit.current.window.end === NEVER
          ? {}
          : { end_time: rfc3339(circuit.current.window.end) }),
      })),
    },
  );

const nameSome = (circuits: readonly Circuit[]): string =>
  circuits
    .slice(0, 5)
    .map((circuit): CircuitId => circuit.id)
    .join(', ') + (circuits.length > 5 ? ', ...' : '');

const invalid = (pointer: string, detail: string): BrokerError =>
  new BrokerError('INVALID_REQUEST', detail, { errors: [{ pointer, detail }] });
