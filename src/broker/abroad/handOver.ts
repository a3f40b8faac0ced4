/**
 * What a circuit leaves when it moves goes to whoever waited for it, in the same transaction: its own part is
 * held at once, and the other domains are told with the next hold which version made room.
 */
import { BrokerError } from '../../kernel/errors.ts';
import type { CircuitId } from '../../kernel/ids.ts';
import {
  type Circuit,
  type Constraints,
  type Freed,
  localSegment,
  type Segment,
} from '../../model/circuit.ts';
import { ALL_LABELS, rangesOf } from '../../model/label.ts';
import { overlaps } from '../../model/window.ts';
import type { Tx } from '../tx.ts';
import { planGuest } from './guest.ts';
import type { PeerEnd } from './peerPorts.ts';

export function handOver(tx: Tx, moved: CircuitId): void {
  for (const id of [...tx.book.parties.waiting]) {
    const circuit = tx.book.circuits.get(id);
    const { pending } = circuit ?? {};
    if (circuit === undefined || pending?.waitsFor?.includes(moved) !== true) continue;
    const inTheWay = pending.waitsFor.some((other) => isInTheWay(tx, other, circuit));
    if (inTheWay) continue;
    const { version } = pending.placement;
    const domain = tx.book.network.document.domain;
    const own = localSegment(pending.placement);
    const segment = own === undefined || own.agreed !== 'ASKED' ? own : roomFor(tx, circuit, own);
    if (own !== undefined && segment === undefined) {
      const cause = 'what has moved away was not all that was in the way';
      tx.apply(id, { type: 'refused', domain, version, cause, kind: 'ROOM', at: tx.now });
      continue;
    }
    const frees = pending.waitsFor.flatMap((other) => freedBy(tx, other));
    const held = segment === undefined ? {} : { segment };
    tx.apply(id, { type: 'room', version, ...held, frees, at: tx.now });
  }
}

function isInTheWay(tx: Tx, other: string, waiting: Circuit): boolean {
  const circuit = tx.book.circuits.get(other as CircuitId);
  const window = waiting.pending?.placement.window;
  if (circuit?.current === undefined || window === undefined) return false;
  const agreed = circuit.pending === undefined || circuit.pending.phase === 'RETIRING';
  return !agreed || overlaps(circuit.current.window, window);
}

/** A move's version is the one after the last that was in force: everything below it is closed. */
function freedBy(tx: Tx, other: string): Freed[] {
  const circuit = tx.book.circuits.get(other as CircuitId);
  const active = circuit?.current?.version;
  return active === undefined ? [] : [{ circuit: other, version: active - 1, active }];
}

/** Our own part, between the same ports and with the labels that were offered. */
function roomFor(tx: Tx, { pending, request }: Circuit, own: Segment): Segment | undefined {
  if (pending === undefined) return undefined;
  const { window, mbps } = pending.placement;
  const asked = { window, mbps, provision: request.provision, requester: '' };
  const ends = {
    a: endOf(own.a, request.a.port === own.a.port ? request.a.vlan : undefined),
    z: endOf(own.z, request.z.port === own.z.port ? request.z.vlan : undefined),
  };
  try {
    const guest = planGuest(
      tx.ground,
      { ...asked, ...ends },
      { ...request, constraints: keptHere(tx, request, own), a: vlanOf(ends.a), z: vlanOf(ends.z) },
    );
    return 'segment' in guest ? guest.segment : undefined;
  } catch (error) {
    if (error instanceof BrokerError) return undefined;
    throw error;
  }
}

/** What was asked of the whole way was kept by the road that was chosen: it is that one, where anything was asked. */
function keptHere({ book }: Tx, { constraints }: Circuit['request'], { links }: Segment): Constraints {
  if (Object.keys(constraints).length === 0) return constraints;
  const others = book.network.links.map(({ id }) => id).filter((id) => !links.includes(id));
  return others.length === 0 ? {} : { exclude_links: others };
}

const vlanOf = ({ port, labels }: PeerEnd): { port: PeerEnd['port']; vlan: PeerEnd['labels'] } => ({
  port,
  vlan: labels,
});

function endOf(end: Segment['a'], ask: Circuit['request']['a']['vlan'] | undefined): PeerEnd {
  const { port, offered, label } = end;
  if (offered !== undefined) return { port, labels: rangesOf(offered), candidates: offered };
  if (ask !== undefined && ask !== 'ANY') return { port, labels: ask };
  return { port, labels: label === 0 ? 'UNTAGGED' : ALL_LABELS };
}
